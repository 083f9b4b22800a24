"""Claim 4: lower curvature goes with higher alignment, training progress held fixed.

Mean partial correlation of curvature and score given step and depth, over models.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from geomod.claims.claim import (
    Claim,
    Details,
    Estimate,
    Evidence,
    Finding,
    OtherTest,
    Trial,
    Truth,
)
from geomod.coupling.mixed import leave_one_size_out, long_table, mixed_model
from geomod.coupling.other_tests import CIRCULAR, CURVES_TESTS, CurvesTest, pooled_p
from geomod.coupling.paper import correlations, of_network
from geomod.coupling.trends import beyond_trends
from geomod.coupling.within_depth import Pair, depth_degree, depth_waves, mean_effect, within_depth
from geomod.curves.curves import NORM, Curves
from geomod.curves.estimates import (
    false_discovery_rate,
    network_of,
    network_score,
    permutation_p,
    t_interval,
)
from geomod.curves.settings import Settings

Array = NDArray[np.float64]

POOLED = "layers × steps pooled as independent points"
MIXED_MODEL = "mixed model"


def find(evidence: Evidence, metric: str = "curvature") -> Finding:
    """The mean of Fisher's z over models, and the error of independent depth waves."""
    settings = evidence.settings
    pairs = controlled_pairs(evidence, metric)
    details: Details = _beside(evidence) if evidence.beside else {}
    if not pairs:
        return Finding(None, "no model has three steps and three blocks with scores", details)
    z, _, by_model = effects(evidence, pairs)
    details["models"] = [
        {"model": model, "partial_r": math.tanh(value), "se_z": se}
        for model, (value, se) in zip(pairs, by_model, strict=True)
    ]
    known = np.atleast_1d(np.isfinite(by_model).all(axis=1))
    if not known.any():
        return Finding(None, f"{metric} or score does not vary beyond step and depth", details)
    se = float(np.sqrt((by_model[known, 1] ** 2).sum())) / int(known.sum())
    waves = [depth_waves(x).shape[1] for x, _ in pairs.values()]
    freedom = sum(n for n, keep in zip(waves, known, strict=True) if keep)
    low, high = t_interval(z, se, freedom, settings.alpha)
    raw = [(x, y) for x, y in raw_pairs(evidence, metric).values()]
    beyond, p = beyond_trends(raw, settings.permutations, evidence.rng("trends"))
    against = "beyond ends that stand apart the effect points the other way"
    return Finding(
        Estimate(math.tanh(z), math.tanh(low), math.tanh(high), p),
        "",
        details,
        against if z * beyond < 0 else "",
    )


def raw_pairs(
    evidence: Evidence,
    metric: str,
    regions: tuple[str, ...] = (),
    given: Sequence[str] = (),
) -> dict[str, tuple[Array, ...]]:
    """Geometry, score and controls at whole steps, of the models that have enough of them.

    The score is the network's, or that of `regions`; controls are those named by `given`.
    """
    pairs = {}
    for c in evidence.curves:
        x, y = c.metrics[metric], c.of(regions or network_of(c, evidence.settings))
        if not set(given) <= set(c.controls):
            continue
        arrays = (x, y, *(c.controls[name] for name in given))
        rows = np.all([np.isfinite(a).all(axis=1) for a in arrays], axis=0)
        if rows.sum() >= 3 and x.shape[1] - depth_degree(x.shape[1]) >= 3:
            pairs[c.model] = tuple(a[rows] for a in arrays)
    return pairs


def controlled_pairs(
    evidence: Evidence,
    metric: str,
    regions: tuple[str, ...] = (),
    given: Sequence[str] = (),
) -> dict[str, Pair]:
    """Geometry and score, step and depth held fixed, and the controls named by `given` too.

    What is the same for all layers of a checkpoint, such as its loss, is held fixed with the step.
    """
    return {
        model: (within_depth(x, controls), within_depth(y, controls))
        for model, (x, y, *controls) in raw_pairs(evidence, metric, regions, given).items()
    }


def effects(evidence: Evidence, pairs: Mapping[str, Pair]) -> tuple[float, Array, Array]:
    """Mean Fisher z, its null draws, and each model's (z, standard error) [models, 2]."""
    draws = evidence.settings.permutations
    return mean_effect(list(pairs.values()), draws, evidence.rng("claim 4"))


def _beside(evidence: Evidence) -> Details:
    """Other answers to the same question, none of which the verdict is taken from."""
    curves, settings = evidence.curves, evidence.settings
    raw = [pair for pair in _raw(curves, settings) if np.isfinite(pair).all()]
    rng = evidence.rng("beside")
    table = long_table(curves, settings)
    pooled = correlations(curves, settings, single_layers=False)
    paper = of_network(pooled.rename(columns={"p_shift": CIRCULAR}), curves, settings)
    return {
        "paper": {POOLED: paper.to_dict("records")},
        "regions": _region_effects(evidence),
        "given_activation_norm": _effect(
            evidence, controlled_pairs(evidence, "curvature", given=[NORM])
        ),
        "entropy": _effect(evidence, controlled_pairs(evidence, "entropy")),
        "tests": {
            name: p_of(raw, settings.permutations, rng) for name, p_of in CURVES_TESTS.items()
        }
        if raw
        else {},
        MIXED_MODEL: mixed_model(table),
        "leave_one_size_out": leave_one_size_out(table),
    }


def _raw(curves: Sequence[Curves], settings: Settings) -> list[Pair]:
    """Curvature and the network's score, nothing held fixed."""
    return [(c.metrics["curvature"], network_score(c, settings)) for c in curves]


def _effect(evidence: Evidence, pairs: Mapping[str, Pair], *names: str) -> Details:
    """Mean partial correlation over models and its p, by the verdict's test."""
    draws = evidence.settings.permutations
    z, null, _ = mean_effect(list(pairs.values()), draws, evidence.rng("effect", *names))
    return {"partial_r": math.tanh(z), "p": permutation_p(z, null)}


def _region_effects(evidence: Evidence) -> list[Details]:
    """The verdict's test for each region, with q over the regions (Benjamini–Hochberg)."""
    regions = sorted({region for c in evidence.curves for region in c.regions})
    rows: list[Details] = []
    for region in regions:
        measured = [c for c in evidence.curves if region in c.regions]
        pairs = controlled_pairs(replace(evidence, curves=measured), "curvature", (region,))
        rows.append({"region": region, **_effect(evidence, pairs, region)})
    for row, q in zip(rows, false_discovery_rate([row["p"] for row in rows]), strict=True):
        row["q"] = q
    return rows


# --- the tests beside, on a simulated sweep ----------------------------------------------------


def _curves_test_p(p_of: CurvesTest, trial: Trial) -> float:
    curves = [c for c in trial.curves if len(c.layers) > 2]
    return p_of(_raw(curves, trial.settings), trial.settings.permutations, trial.rng)


def _pooled_p(trial: Trial) -> float:
    """The median over models."""
    pairs = _raw(trial.curves, trial.settings)
    return float(
        np.median([pooled_p([pair], c.time) for pair, c in zip(pairs, trial.curves, strict=True)])
    )


def _mixed_model_p(trial: Trial) -> float:
    found = mixed_model(long_table(trial.curves, trial.settings))
    return found["curvature"]["p"] if "curvature" in found else np.nan


CURVATURE = Claim(
    number=4,
    name="curvature predicts alignment",
    statement="Lower curvature goes with higher alignment, training progress held fixed.",
    unit="partial r",
    direction=-1,
    test="signs of depth waves flipped",
    smallest=0.1,
    find=find,
    absent=Truth(),
    planted=Truth(coupling=0.5),
    others=(
        *(OtherTest(name, partial(_curves_test_p, p_of)) for name, p_of in CURVES_TESTS.items()),
        OtherTest(POOLED, _pooled_p),
        OtherTest(MIXED_MODEL, _mixed_model_p),
    ),
    metrics=("curvature",),
    quantity="partial r of curvature",
)
# What the specification curve shows beside it; no claim of its own.
ENTROPY_INSTEAD = replace(
    CURVATURE,
    find=partial(find, metric="entropy"),
    metrics=("entropy",),
    quantity="partial r of entropy",
)
