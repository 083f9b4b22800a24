"""A simulated run: what was planted beside what came back.

Some things are known without a look at the brain. The noise ceiling of each region follows from
the noise that was added. The null region holds nothing. And *when* a region emerges follows from
the models alone: a linear probe on the noise-free signal that was planted in a region rises when
the models come to carry it, and the encoding score of the noisy brain must rise at the same time.
So is where a region lies between two competences (claims 6, 7): where its noise-free signal does.
Which blocks are a module is planted in the models; what that has to do with the network (claims 2,
4, 5) is what the claims themselves find in its noise-free signal.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from geomod.claims.claim import Evidence
from geomod.claims.curvature import CURVATURE
from geomod.claims.follows_formal import FOLLOWS_FORMAL
from geomod.claims.low_complexity import LOW_COMPLEXITY
from geomod.claims.modularization import MODULARIZATION
from geomod.claims.saturates import SATURATES
from geomod.claims.size import SIZE
from geomod.competence.question import MARGIN, POSITION, answers, half_times
from geomod.competence.shares import families, of_own_range
from geomod.competence.times import Courses, Times
from geomod.curves.curves import FORMAL, FUNCTIONAL, gather
from geomod.curves.settings import Settings
from geomod.emergence.onsets import emergence
from geomod.toy.brain import NETWORK, probe

Range = tuple[float, float]

CEILING_TOLERANCE = 0.10  # of the planted ceiling
NULL_LEVEL = 0.01
# By what a fact is judged. An interval that covers more than half of what could have come back
# hardly can miss, and without one there is nothing to judge by: both are counted apart.
WITHIN, TENTH, SIGN = "in the interval", "within a tenth of the planted", "of the planted sign"
BESIDE = "at the planted checkpoint or one beside it"
EXACT = "exactly these blocks"
WIDE, NOTHING = "in an interval wider than half of the range", "nothing: no value or no interval"
HALF = 0.5
MODULES = "blocks of the high module"
OF_GEOMETRY = (LOW_COMPLEXITY, CURVATURE, SIZE)


def probe_curves(
    checkpoints: Iterable[tuple[str, int, Mapping[int, np.ndarray]]],
    signals: pd.DataFrame,
    seed: int,
) -> pd.DataFrame:
    """Scores of the noise-free `signals` in the layout of `tables/encoding.parquet`.

    `checkpoints` gives (model, step, layer → features).
    """
    tables = []
    for model, step, features in checkpoints:
        layers = sorted(features)
        found = probe(np.stack([features[layer] for layer in layers]), signals, seed=seed)
        found["layer"] = np.asarray(layers)[found["layer"]]
        tables.append(found.assign(model=model, step=step))
    table = pd.concat(tables, ignore_index=True).rename(columns={"target": "region"})
    return table.assign(participant="average")


def compare(
    truth: Mapping[str, Any],
    probes: pd.DataFrame,
    ceiling: pd.DataFrame,
    encoding: pd.DataFrame,
    times: pd.DataFrame,
    seed: int,
) -> pd.DataFrame:
    """A row a planted fact: planted, recovered, its interval, and whether the two agree.

    `width` is the share of the range of what could have come back that the interval covers,
    `criterion` what the fact is judged by; where that is nothing, `agrees` is missing.
    """
    planted = emergence(probes, seed=seed, bootstrap=20)
    return pd.concat(
        [
            _ceilings(truth, ceiling),
            _null(truth, encoding),
            _times(truth, planted, times, _training(encoding)),
            _order(truth, planted, times),
        ],
        ignore_index=True,
    )


@dataclass(frozen=True)
class Competence:
    """What a run found of its competences."""

    table: pd.DataFrame  # `competence`
    tokens: pd.DataFrame
    retaken: pd.DataFrame | None
    answers: pd.DataFrame  # `competence_answers` of the brain
    reader: tuple[str, str, int] | None = None  # task set, model and step of made-up readers


def compare_competence(
    truth: Mapping[str, Any],
    probes: pd.DataFrame,
    competence: Competence,
    settings: Settings,
    seed: int,
) -> pd.DataFrame:
    """Rows as those of `compare`: what is known of alignment and competence together.

    The noise-free signals are asked what the brain was, with the same competences: where between
    formal and functional each lies (λ), and by how much it saturates. Reading times must be
    foretold best by the checkpoint that made them.
    """
    shapes = probes[["model", "step", "layer"]].assign(metric="", variant="", mean=np.nan)
    curves = gather(
        shapes,
        probes,
        competence=families(competence.table, competence.tokens),
        retaken=competence.retaken,
        variants={},
    )
    own_range = of_own_range(competence.table)
    courses, times = half_times(curves, settings, own_range=own_range, seed=seed)
    known = answers(courses, times, settings, seed=seed)
    both = known.merge(competence.answers, on=["region", "quantity"], suffixes=("_planted", ""))
    both = both[both["region"] != truth["null"]]
    positions, margins = (both[both["quantity"] == each] for each in (POSITION, MARGIN))
    possible = _positions(courses, times)
    rows = [
        *_answered("position λ", positions, possible),
        *_answered("margin of saturation", margins, (np.nan, np.nan)),
        *_peak(competence),
    ]
    return pd.DataFrame(rows)


def compare_claims(
    truth: Mapping[str, Any],
    probes: pd.DataFrame,
    encoding: pd.DataFrame,
    geometry: pd.DataFrame,
    modules: pd.DataFrame,
    parameters: pd.DataFrame,
    planted: Mapping[str, int],
    settings: Settings,
    seed: int,
    variants: Mapping[str, str],
) -> pd.DataFrame:
    """Rows as those of `compare`: modules, and what geometry has to do with alignment.

    `planted` says how many of a model's first blocks are the module of high complexity. The
    estimates of claims 2, 4 and 5 are those of the noise-free signals, scores times the ceiling,
    beside those of the brain.
    """
    ceiling = probes["region"].map(truth["ceiling"])
    known = probes.assign(score=probes["score"] * ceiling)
    rows = list(_modules(planted, modules))
    for claim in OF_GEOMETRY:
        values = []
        for scores in (known, encoding):
            curves = gather(geometry, scores, parameters, variants=variants)
            found = claim.find(Evidence(curves, settings, seed, modules, beside=False)).estimate
            values.append(np.nan if found is None else found.value)
        expected, came = values
        agrees = bool(np.sign(expected) == np.sign(came))
        rows.append(_row(claim.name, "all models", expected, came, SIGN, agrees))
    return pd.DataFrame(rows)


def _modules(planted: Mapping[str, int], modules: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """How many blocks are of high complexity at the last step, and whether they are the first."""
    for model, count in planted.items():
        own = modules[modules["model"] == model]
        last = own[own["step"] == own["step"].max()]
        high = last.loc[last["module"] == "high", "layer"]
        agrees = set(high) == set(range(1, count + 1))
        yield _row(MODULES, model, float(count), float(len(high)), EXACT, agrees)


def planted_claims(recovery: pd.DataFrame) -> dict[int, bool]:
    """Which claims the world makes true beside those of its brain alone (`in_brain`).

    The first, where modules are planted in models; the others by what the noise-free signal of
    the network shows. An effect that is smaller than what the claim counts is none. Where the
    network was not measured, the mean over regions stands for it, as in the claims.
    """
    facts = recovery.set_index("fact")["planted"]
    rows = recovery[recovery["where"].isin([NETWORK, "mean"])].set_index("fact")["planted"]
    effects = {
        FOLLOWS_FORMAL: 0.5 - rows[rows.index == "position λ"],
        SATURATES: rows[rows.index == "margin of saturation"],
        **{claim: claim.direction * facts[facts.index == claim.name] for claim in OF_GEOMETRY},
    }
    found = {
        claim.number: bool(planted.iloc[-1] > claim.smallest)
        for claim, planted in effects.items()
        if planted.notna().any()
    }
    return found | ({MODULARIZATION.number: True} if MODULES in facts.index else {})


def _answered(fact: str, rows: pd.DataFrame, possible: Range) -> Iterator[dict[str, Any]]:
    """An answer about the brain beside that about its noise-free signal."""
    for row in rows.itertuples():
        ends = (row.low, row.high)
        agrees = row.low <= row.estimate_planted <= row.high
        values = (row.estimate_planted, row.estimate)
        yield _row(fact, row.region, *values, WITHIN, agrees, ends, possible)


def _positions(courses: Sequence[Courses], times: Sequence[Times]) -> Range:
    """λ of a curve that is half-way at the first, and at the last step."""
    at = [each.of(FORMAL, FUNCTIONAL) for each in times if {FORMAL, FUNCTIONAL} <= set(each.read)]
    known = [both for both in at if np.isfinite(both).all()]
    if not known:
        return np.nan, np.nan
    formal, functional = np.mean(known, axis=0)
    first, last = sorted((courses[0].time[[0, -1]] - formal) / (functional - formal))
    return float(first), float(last)


def _peak(competence: Competence) -> Iterator[dict[str, Any]]:
    """Where the readers' own model foretells their times best, log10(step + 1)."""
    if competence.reader is None:
        return
    task, model, step = competence.reader
    table = competence.table
    own = table[(table["task"] == task) & (table["model"] == model)].sort_values("step")
    steps = own["step"].tolist()
    best = int(own["score"].to_numpy().argmax())
    near = abs(best - steps.index(step)) <= 1
    planted, found = np.log10(np.array([step, steps[best]]) + 1)
    yield _row("peak of reading times", model, float(planted), float(found), BESIDE, near)


def _ceilings(truth: Mapping[str, Any], ceiling: pd.DataFrame) -> pd.DataFrame:
    """The ceiling of each region that holds a signal, within a tenth of the planted one."""
    average = ceiling[ceiling["participant"] == "average"].set_index("region")
    rows = [
        _row(
            "noise ceiling",
            region,
            value,
            found.ceiling,
            TENTH,
            abs(found.ceiling - value) <= CEILING_TOLERANCE * value,
            (found.low, found.high),
            (0, 1),
        )
        for region, value in truth["ceiling"].items()
        if value > 0 and region in average.index
        for found in average.loc[[region]].itertuples()
    ]
    return pd.DataFrame(rows)


def _null(truth: Mapping[str, Any], encoding: pd.DataFrame) -> pd.DataFrame:
    """The null region's score, mean over the last blocks of the trained models, with an interval.

    The noise of each participant was drawn on its own, so the participants are the independent
    units, and one t interval over them serves all models, which read the same noise. It covers
    99 %: a true null is called a failure in one world of a hundred.
    """
    rows = encoding[
        (encoding["region"] == truth["null"]) & (encoding["participant"] != "average")
    ].sort_values(["step", "layer"])
    last = rows.groupby(["model", "participant"], sort=False).tail(1)
    scores = last.groupby("participant")["score"].mean()
    reach = stats.t.ppf(1 - NULL_LEVEL / 2, len(scores) - 1) * scores.sem()
    low, high = scores.mean() - reach, scores.mean() + reach
    where = f"{truth['null']}, all models"
    found, agrees = scores.mean(), low <= 0 <= high
    row = _row("null region", where, 0.0, found, WITHIN, agrees, (low, high), (-1, 1))
    return pd.DataFrame([row])


def _training(encoding: pd.DataFrame) -> dict[str, Range]:
    """The first and the last measured step of each model, in log10(step + 1)."""
    steps = np.log10(encoding.groupby("model")["step"].agg(["min", "max"]) + 1)
    return {str(model): (first, last) for model, first, last in steps.itertuples()}


def _times(
    truth: Mapping[str, Any],
    planted: pd.DataFrame,
    times: pd.DataFrame,
    training: Mapping[str, Range],
) -> pd.DataFrame:
    """Each region's t50, log10(step + 1), against that of its noise-free signal."""
    both = planted.merge(times, on=["model", "region"], suffixes=("_planted", ""))
    both = both[both["region"] != truth["null"]]
    rows = []
    for row in both.itertuples():
        rows.append(
            _row(
                "t50",
                f"{row.model}, {row.region}",
                row.t50_planted,
                row.t50,
                WITHIN,
                row.low <= row.t50_planted <= row.high,
                (row.low, row.high),
                training[row.model],
            )
        )
    return pd.DataFrame(rows)


def _order(truth: Mapping[str, Any], planted: pd.DataFrame, times: pd.DataFrame) -> pd.DataFrame:
    """How much later frontal regions emerge than temporal ones, in decades of training."""

    def lag(table: pd.DataFrame, model: str) -> float:
        t50 = table[table["model"] == model].set_index("region")["t50"]
        return float(t50.reindex(truth["later"]).mean() - t50.reindex(truth["first"]).mean())

    rows = []
    for model in times["model"].unique():
        expected, found = lag(planted, model), lag(times, model)
        agrees = np.sign(expected) == np.sign(found)
        rows.append(_row("frontal − temporal t50", model, expected, found, SIGN, agrees))
    return pd.DataFrame(rows)


def _row(
    fact: str,
    where: str,
    planted: float,
    recovered: float,
    criterion: str,
    agrees: bool,
    interval: Range = (np.nan, np.nan),
    possible: Range = (np.nan, np.nan),
) -> dict[str, Any]:
    """A row of the table. `possible` is the range of what could have come back."""
    low, high = interval
    first, last = possible
    covered = max(min(high, last) - max(low, first), 0.0)
    width = covered / (last - first) if last > first else np.nan
    judged_by = [planted, low, high] if criterion == WITHIN else [planted, recovered]
    if not np.isfinite(judged_by).all():
        criterion = NOTHING
    elif criterion == WITHIN and width > HALF:
        criterion = WIDE
    return {
        "fact": fact,
        "where": where,
        "planted": planted,
        "recovered": recovered,
        "low": low,
        "high": high,
        "width": width,
        "criterion": criterion,
        "agrees": pd.NA if criterion == NOTHING else bool(agrees),
    }
