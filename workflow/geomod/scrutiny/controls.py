"""Responses with a known answer, made from a run's own features, at the noise of its own data.

A *control* is what participants would have shown had their regions answered to something known:
features of some blocks, of an early step, the length of a sentence, nothing at all. Its responses
are further columns of the fits that are made anyway, so that one factorization of a layer serves
all of them (`encoding/controls.py`). They then go through curves, modules and claims as real ones
do; what the same statistics give for the noise-free signal is the truth (`recovered`). Claim 1,
which no response changes, has controls of its own (`profiles.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import eigh

from geomod.base.errors import InputError
from geomod.base.sheets import read_sheet, require_columns
from geomod.brain.responses import AVERAGE
from geomod.claims.claim import Claim, Evidence, Finding
from geomod.claims.judge import judge
from geomod.claims.modularization import MODULARIZATION
from geomod.claims.registry import CLAIMS
from geomod.coupling.within_depth import within_depth
from geomod.curves.curves import Curves, mean_ignoring_nan
from geomod.curves.estimates import rng_of
from geomod.curves.settings import Settings
from geomod.encoding.controls import NOISE_FREE, TARGET, Controls
from geomod.geometry.measuring import summarize
from geomod.modules.partition import layer_points, split
from geomod.scrutiny.profiles import GRADED, PROFILES, STEPPED, drawn

Array = NDArray[np.float64]

# Kind → what the temporal, and what the other regions answer to.
KINDS: dict[str, tuple[str, str]] = {
    "smooth": ("low", "low"),
    "rough": ("high", "high"),
    "straight": ("straight", "straight"),
    "early": ("early", "early"),
    "late": ("late", "late"),
    "temporal_first": ("early", "late"),
    "length": ("length", "length"),
    "null": ("", ""),  # noise alone
}
OWN = "own"  # the kind that comes from a file
NULL = "null"

Features = Mapping[int, NDArray[Any]]  # layer → [sentences, width]
COLUMNS_OF_PART = 10  # signals of a part, of which a region's is a mix

# (model, step) → layer → Pearson r [folds, targets], as `encoding.controls.Beside` leaves them.
Fits = Mapping[tuple[str, int], Mapping[int, NDArray[Any]]]

COLUMNS = ["control", "draw", "claim", "planted", "estimate", "low", "high", "verdict", "recovered"]
SUMMARY = ["control", "claim", "planted", "draws", "supported", "recovered", "coverage"]


@dataclass(frozen=True)
class Noise:
    """SD of the noise of every participant and region [participants, regions], the signal's is 1.

    Without participants there is one row, that of the average.
    """

    regions: tuple[str, ...]
    participants: tuple[str, ...]
    sd: Array

    @property
    def ceilings(self) -> Array:
        """Correlation with the signal [participants + 1, regions], the average's last."""
        average = (self.sd**2).sum(axis=0) / max(len(self.participants), 1) ** 2
        variance = np.vstack([self.sd**2 if self.participants else self.sd[:0], average])
        return np.asarray(1 / np.sqrt(1 + variance))


def noise_of(
    ceiling: pd.DataFrame, regions: Sequence[str], given: float | None = None
) -> Noise | None:
    """The noise that a table of ceilings tells of; None where it tells of none.

    NC = 1 / √(1 + σ²) for one participant, so σ² = 1/NC² − 1. Where a region's participants have no
    ceiling, the average's is shared among them, σ² = n (1/NC² − 1); where that has none either,
    `given` stands for it. A region without any is left out.
    """
    table = ceiling.pivot_table(index="participant", columns="region", values="ceiling")
    people = tuple(sorted(str(p) for p in ceiling["participant"].unique() if p != AVERAGE))
    kept, columns = [], []
    for region in regions:
        found = table.get(region, pd.Series(dtype=float))
        average = found.get(AVERAGE, np.nan)
        known = average if 0 < average < 1 else given
        shared = np.nan if known is None else max(len(people), 1) * (1 / known**2 - 1)
        own = [found.get(person, np.nan) for person in people or (AVERAGE,)]
        variance = [
            1 / each**2 - 1 if people and 0 < each <= 1 else shared for each in own
        ]  # fmt: skip
        if np.isfinite(variance).all():
            kept.append(region)
            columns.append(np.sqrt(variance))
    if not kept:
        return None
    return Noise(tuple(kept), people, np.array(columns).T)


def regions_of(measured: Sequence[str], settings: Settings) -> list[str]:
    """The regions that claims are about, of those that were measured; all without a network."""
    named = {*settings.temporal, *settings.frontal, *settings.network}
    known = set(measured) & set(settings.network)
    return sorted(set(measured) & named if known else set(measured))


@dataclass(frozen=True)
class Contrasts:
    """Layer → weight, by the geometry of one checkpoint: what claims 2 and 4 set against alignment.

    `modules`: blocks of low against those of high complexity. `curvature`: blocks that are less
    curved than their depth lets expect against those that are more.
    """

    modules: Mapping[int, float] = field(default_factory=dict)
    curvature: Mapping[int, float] = field(default_factory=dict)


def contrasts_of(geometry: pd.DataFrame, variants: Mapping[str, str]) -> Contrasts:
    """The contrasts of one checkpoint, from its sentences; empty where there is none."""
    blocks = summarize(geometry[geometry["layer"] > 0]).assign(step=0)
    layers, _, points = layer_points(blocks, variants["entropy"], variants["curvature"])
    if not len(points):
        return Contrasts()
    low = split(points[-1], 2) == 0
    modules = low / low.sum() - ~low / max((~low).sum(), 1)
    straight = -within_depth(points[-1][None, :, 1])[0]
    size = np.abs(straight).sum() / 2
    return Contrasts(
        *(
            dict(zip(map(int, layers), map(float, weights), strict=True))
            for weights, known in ((modules, ~low.all()), (straight / (size or 1.0), size > 0))
            if known
        )
    )


def own_signals(path: str | Path, stimuli: pd.DataFrame) -> pd.DataFrame:
    """Noise-free responses of the user's, a row a sentence in the order of `stimuli`.

    The file has a column `item_id`, and a column a region or one for all.
    """
    sheet = read_sheet(path)
    require_columns(sheet.columns, Path(path), ["item_id"])
    names = [name for name in sheet.columns if name != "item_id"]
    if not names:
        raise InputError(f"{path}: beside item_id there is no column of responses.")
    found = sheet.set_index("item_id")[names].apply(pd.to_numeric, errors="coerce")
    found = found[~found.index.duplicated()].reindex(stimuli["item_id"])
    lacking = found.index[~np.isfinite(found).all(axis=1)]
    if len(lacking):
        raise InputError(
            f"{path}: {len(lacking)} of {len(found)} sentences have no number in every column, "
            f"{lacking[0]!r} first; every sentence needs one row of numbers."
        )
    return found.reset_index(drop=True)


def parts_of(
    last: Features, early: Features | None, contrasts: Contrasts, stimuli: pd.DataFrame
) -> dict[str, Array]:
    """What signals are made from, [sentences, columns] by name; a part that nothing is in is out.

    `last` and `early` give layer → features of the last and of an early step, `contrasts` are those
    of the last. Each part is what some features predict better than others do (`leading`).
    """
    last, early = (
        {layer: x for layer, x in sorted((step or {}).items()) if layer and np.isfinite(x).all()}
        for step in (last, early)
    )
    smoothers = {layer: smoother(x) for layer, x in last.items()}
    empty = np.zeros((len(stimuli), len(stimuli)))
    before = sum(map(smoother, early.values()), empty) / max(len(early), 1)
    after = sum(smoothers.values(), empty) / max(len(last), 1)

    def against(weights: Mapping[int, float]) -> Array:
        return sum((w * smoothers[k] for k, w in weights.items() if k in smoothers), empty)

    modules = against(contrasts.modules)
    parts = {
        "low": leading(modules),
        "high": leading(-modules),
        "straight": leading(against(contrasts.curvature)),
        "early": leading(before),
        "late": leading(after - before if early else empty),
        "length": stimuli[["n_words", "n_characters"]].to_numpy(dtype=float),
    }
    return {name: part for name, part in parts.items() if varies(part).any()}


def smoother(features: NDArray[Any]) -> Array:
    """What a ridge on these features predicts of responses to the same sentences: [n, n].

    The penalty is the mean over features of their variance: of a direction with as much, half
    is predicted.
    """
    x = standardized(np.asarray(features, dtype=np.float64))
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    weights = s**2 / (s**2 + len(x))
    return np.asarray((u * weights) @ u.T)


def leading(contrast: Array) -> Array:
    """What a contrast of smoothers C predicts best: `COLUMNS_OF_PART` signals at most.

    y'Cy, the weighted mean of what is predicted of y, is largest for the leading eigenvectors of C.
    Each has the length of its eigenvalue, so that a mix leans on the best of them.
    """
    n = len(contrast)
    if not contrast.any():
        return np.empty((n, 0))
    values, vectors = eigh(contrast, subset_by_index=(max(n - COLUMNS_OF_PART, 0), n - 1))
    there = values > 1e-9
    return np.asarray(vectors[:, there] * values[there])


def standardized(values: Array) -> Array:
    """Columns of mean 0 and SD 1; one that does not vary becomes 0."""
    centred, known = values - values.mean(axis=0), varies(values)
    return np.where(known, centred / np.where(known, values.std(axis=0), 1.0), 0.0)


def varies(values: Array) -> NDArray[np.bool_]:
    """Which columns vary by more than their own rounding."""
    if not values.size:
        return np.zeros(values.shape[1], dtype=bool)
    spread: NDArray[np.bool_] = values.std(axis=0) > 1e-9 * np.abs(values).max(axis=0)
    return spread


def make_controls(
    kinds: Sequence[str],
    draws: int,
    parts: Mapping[str, Array],
    noise: Noise,
    seed: int,
    settings: Settings | None = None,
    own: pd.DataFrame | None = None,
) -> tuple[Controls, dict[str, str]]:
    """Responses of every kind and draw; and why a kind has none.

    A region's signal is a random mix of the columns of its part, with variance 1, another in every
    draw; regions answer to mixes of their own. `own` has a row a sentence and a column a region, or
    one column for all, and is the same in every draw: its noise alone is not.
    """
    settings = settings or Settings()
    targets, columns, reasons = [], [], {}
    sentences = len(next(iter(parts.values()))) if parts else len(own) if own is not None else 0
    for kind in kinds:
        if kind in PROFILES:
            continue
        if kind != OWN and kind not in KINDS:
            raise InputError(
                f"controls.kinds: {kind!r} is none of {', '.join([*KINDS, *PROFILES, OWN])}"
            )
        missing = _missing(kind, parts, own)
        if missing:
            reasons[kind] = missing
            continue
        for draw in range(draws):
            rng = rng_of(seed, "control", kind, draw)
            signal = _signals(kind, parts, noise.regions, sentences, settings, own, rng)
            shape = (max(len(noise.participants), 1), *signal.shape)
            people = signal + noise.sd[:, None] * rng.standard_normal(shape)
            names = [*noise.participants, AVERAGE] if noise.participants else [AVERAGE]
            everyone = [*people, people.mean(axis=0)] if noise.participants else [*people]
            for name, values in (*zip(names, everyone, strict=True), (NOISE_FREE, signal)):
                columns.append(values)
                targets += [(kind, draw, region, name) for region in noise.regions]
    if not columns:
        return Controls.nothing(sentences), reasons
    frame = pd.DataFrame(targets, columns=TARGET)
    return Controls(frame, np.concatenate(columns, axis=1)), reasons


def _missing(kind: str, parts: Mapping[str, Array], own: pd.DataFrame | None) -> str:
    if kind == OWN:
        return "" if own is not None else "no file of responses was given"
    lacking = sorted({part for part in KINDS[kind] if part and part not in parts})
    return f"nothing to make it from: {' and '.join(lacking)}" if lacking else ""


def _signals(
    kind: str,
    parts: Mapping[str, Array],
    regions: Sequence[str],
    sentences: int,
    settings: Settings,
    own: pd.DataFrame | None,
    rng: np.random.Generator,
) -> Array:
    """Noise-free responses [sentences, regions], of mean 0 and SD 1; 0 where there is no signal."""
    found = np.zeros((sentences, len(regions)))
    for column, region in enumerate(regions):
        if kind == OWN:
            assert own is not None
            name = region if region in own else own.columns[-1]
            found[:, column] = own[name].to_numpy(dtype=float)
            continue
        temporal, other = KINDS[kind]
        part = temporal if region in settings.temporal else other
        if part:
            values = parts[part] - parts[part].mean(axis=0)
            # Lengths are counts of different things; features share a scale.
            values = standardized(values) if part == "length" else values
            found[:, column] = values @ rng.standard_normal(values.shape[1])
    return standardized(found)


def recovered(
    targets: pd.DataFrame,
    fits: Fits,
    real: Sequence[Curves],
    modules: pd.DataFrame,
    noise: Noise | None,
    settings: Settings | None = None,
    seed: int = 0,
    claims: Sequence[Claim] = CLAIMS,
) -> pd.DataFrame:
    """What the claims say of every control and draw, beside the truth (columns `COLUMNS`).

    `real` are the curves of the real responses, whose geometry and grid the controls share.
    `planted` is the estimate from noise-free responses, times the ceilings that noise takes from
    every score; 0 where nothing was planted. A control is recovered where the interval covers that
    and the verdicts agree: both are *supported*, or neither is.
    """
    settings = quick(settings or Settings())
    if noise is None or targets.empty:
        return pd.DataFrame(columns=COLUMNS)
    chosen = [claim for claim in claims if claim.of_responses and claim.askable(real)]
    cubes = [_cube(c, fits) for c in real]
    rows = []
    for (control, draw), group in targets.groupby(["control", "draw"], sort=False):
        said, truth = (
            judge(
                [(claim, _find(claim, curves, settings, seed, modules)) for claim in chosen],
                settings.alpha,
            )
            for curves in (
                [
                    _with_scores(c, cube, group, noise, free)
                    for c, cube in zip(real, cubes, strict=True)
                ]
                for free in (False, True)
            )
        )
        for claim, found, known in zip(chosen, said, truth, strict=True):
            nothing = control == NULL
            planted = 0.0 if nothing else _number(known["estimate"])
            wanted = not nothing and known["verdict"] == "supported"
            rows.append((control, draw, *_row(claim, found, planted, wanted)))
    return pd.DataFrame(rows, columns=COLUMNS)


def recovered_profiles(
    kinds: Sequence[str],
    draws: int,
    real: Sequence[Curves],
    modules: pd.DataFrame,
    settings: Settings | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """The same of the kinds that are profiles over depth, and of claim 1, judged by itself.

    A `graded` profile has no step whose height could come back: `planted` is NaN, and recovered is
    what is not *supported*.
    """
    settings = quick(settings or Settings())
    rows = []
    for kind, draw in product([kind for kind in kinds if kind in PROFILES], range(draws)):
        curves, height = drawn(real, kind, draw, seed)
        if curves:
            finding = _find(MODULARIZATION, curves, settings, seed, modules)
            (found,) = judge([(MODULARIZATION, finding)], settings.alpha)
            rows.append((kind, draw, *_row(MODULARIZATION, found, height, kind == STEPPED)))
    return pd.DataFrame(rows, columns=COLUMNS)


def quick(settings: Settings) -> Settings:
    """Fewer random draws: of many controls, p need only be known well enough to compare with α."""
    most = {"permutations": 399, "bootstrap": 100, "null_draws": 99}
    return replace(settings, **{name: min(getattr(settings, name), n) for name, n in most.items()})


def _row(claim: Claim, found: Mapping[str, Any], planted: float, wanted: bool) -> tuple[Any, ...]:
    """Columns from `claim` on; `wanted` is whether the verdict should be *supported*."""
    low, high = found["interval"] or (np.nan, np.nan)
    covered = low <= planted <= high or np.isnan(planted)
    agree = wanted == (found["verdict"] == "supported")
    told = (claim.number, planted, _number(found["estimate"]), low, high, found["verdict"])
    return (*told, agree and covered)


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _find(
    claim: Claim, curves: Sequence[Curves], settings: Settings, seed: int, modules: pd.DataFrame
) -> Finding:
    return claim.find(Evidence(curves, settings, seed, modules, beside=False))


def _cube(real: Curves, fits: Fits) -> Array:
    """r of a model [folds, steps, layers, targets], NaN where nothing was fitted."""
    shapes = {r.shape for layers in fits.values() for r in layers.values()}
    folds, targets = max(shapes, default=(0, 0))
    cube = np.full((folds, len(real.steps), len(real.layers), targets), np.nan)
    for i, step in enumerate(real.steps):
        found = fits.get((real.model, int(step)), {})
        for k, layer in enumerate(real.layers):
            if int(layer) in found:
                cube[:, i, k] = found[int(layer)]
    return cube


def _with_scores(
    real: Curves, cube: Array, targets: pd.DataFrame, noise: Noise, free: bool
) -> Curves:
    """The curves of a model with the scores of one control, or of its noise-free signal.

    A noise-free score is the same for everyone but for the ceiling.
    """
    place = {
        (name, region): column
        for column, name, region in zip(
            targets.index, targets["participant"], targets["region"], strict=True
        )
    }
    everyone = (*noise.participants, AVERAGE)
    names = [NOISE_FREE] * len(everyone) if free else everyone
    columns = [[place[name, region] for region in noise.regions] for name in names]
    scores = np.moveaxis(cube[..., columns], -2, 0)  # [people, folds, steps, layers, regions]
    if free:
        scores = scores * noise.ceilings[:, None, None, None]
    means = mean_ignoring_nan(scores, axis=1)
    return replace(
        real,
        regions=noise.regions,
        score=means[-1],
        participants=noise.participants,
        people=means[:-1],
        folds=scores[-1],
    )


def together(*tables: pd.DataFrame) -> pd.DataFrame:
    """Tables of controls on top of one another; those without rows do not count."""
    known = [table for table in tables if len(table)]
    return pd.concat(known, ignore_index=True) if known else pd.DataFrame(columns=COLUMNS)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row a control and claim: of how many draws it says what (columns `SUMMARY`).

    `planted` is the mean of the truths, `supported` how many draws found the claim so, `coverage`
    the share of intervals with the truth in them, of those that have one.
    """
    rows = []
    for (control, claim), group in table.groupby(["control", "claim"], sort=False):
        known = group.dropna(subset=["planted", "low", "high"])
        inside = known["planted"].between(known["low"], known["high"])
        supported = int((group["verdict"] == "supported").sum())
        counts = (len(group), supported, int(group["recovered"].sum()))
        coverage = float(inside.mean()) if len(known) else np.nan
        rows.append((control, claim, group["planted"].mean(), *counts, coverage))
    return pd.DataFrame(rows, columns=SUMMARY)


def sentences_on(table: pd.DataFrame) -> Iterator[tuple[int, str]]:
    """Claim and one line for the report: how often it is found where it is planted, and where not.

    Planted is, per claim, the control whose noise-free effect is largest on the claim's side.
    """
    told = summary(table)
    for claim in CLAIMS:
        rows = told[told["claim"] == claim.number].set_index("control")
        if rows.empty:
            continue
        effect = (claim.direction * rows["planted"]).drop([NULL], errors="ignore").dropna()
        parts = []
        if len(effect) and effect.max() > 0:
            best = effect.idxmax()
            size, found, draws = (rows.loc[best, c] for c in ("planted", "supported", "draws"))
            parts.append(f"a planted effect of {size:.2g} ({best}) in {found} of {draws} draws")
        for nothing in rows.index.intersection([NULL, GRADED]):
            found, draws = (rows.loc[nothing, c] for c in ("supported", "draws"))
            name = "null" if nothing == NULL else "smooth profile"
            parts.append(f"a {name} in {found} of {draws}")
        if parts:
            yield claim.number, f"On your features this test finds {', and '.join(parts)}."
