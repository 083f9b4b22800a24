"""Tests that are reported beside the verdict's, the paper's among them, each a p.

Which of them hold their level is measured in `geomod.scrutiny.calibration`, not believed.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from geomod.coupling.within_depth import (
    Pair,
    is_rounding,
    mean_effect,
    partial_correlation,
    residuals,
    within_depth,
)
from geomod.curves.estimates import permutation_p

Array = NDArray[np.float64]
CurvesTest = Callable[[Sequence[Pair], int, np.random.Generator], float]  # pairs, draws

# --- pairs of arrays [steps, layers], one a model ---------------------------------------------


def whole_curve_null(pair: Pair, draws: int, rng: np.random.Generator) -> tuple[float, Array]:
    """Correlation of a pair of residual arrays, and after moving whole curves between layers.

    A draw gives every layer's predictor curve to another layer; every curve keeps its shape over
    training. With M = XᵀY the correlation of a permutation π is Σ M[π(l), l] / (|X| |Y|).
    """
    x, y = pair
    norm = np.linalg.norm(x) * np.linalg.norm(y)
    layers = x.shape[1]
    if norm == 0 or layers < 3:
        return np.nan, np.full(draws, np.nan)
    products = x.T @ y / norm
    orders = rng.random((draws, layers)).argsort(axis=1)
    return float(np.trace(products)), products[orders, np.arange(layers)].sum(axis=1)


def sliding_curve_null(pair: Pair, draws: int, rng: np.random.Generator) -> tuple[float, Array]:
    """The same with whole curves moved cyclically over depth: neighbours stay neighbours."""
    x, y = pair
    norm = np.linalg.norm(x) * np.linalg.norm(y)
    layers = x.shape[1]
    if norm == 0 or layers < 3:
        return np.nan, np.full(draws, np.nan)
    values = np.array([(np.roll(x, k, axis=1) * y).sum() / norm for k in range(layers)])
    return float(values[0]), rng.choice(values, size=draws)


def pooled_p(pairs: Sequence[Pair], time: Array) -> float:
    """Partial Pearson given log10(step + 1) of layers × steps pooled as independent points."""
    x, y = (np.concatenate([pair[i].ravel() for pair in pairs]) for i in (0, 1))
    given = np.concatenate([np.repeat(time, pair[0].shape[1]) for pair in pairs])
    return partial_correlation(x, y, given)[1]


def whole_curves_p(pairs: Sequence[Pair], draws: int, rng: np.random.Generator) -> float:
    """Whole-curve permutation over layers, step held fixed and depth left in."""
    level = [tuple(a - a.mean(axis=1, keepdims=True) for a in pair) for pair in pairs]
    value, null, _ = mean_effect([(x, y) for x, y in level], draws, rng, whole_curve_null)
    return permutation_p(value, null)


def whole_curves_within_depth_p(
    pairs: Sequence[Pair], draws: int, rng: np.random.Generator
) -> float:
    """The same with a smooth trend over depth held fixed too."""
    value, null, _ = mean_effect(_within(pairs), draws, rng, whole_curve_null)
    return permutation_p(value, null)


def sliding_curves_p(pairs: Sequence[Pair], draws: int, rng: np.random.Generator) -> float:
    """Whole curves slid over depth, step and smooth depth held fixed."""
    value, null, _ = mean_effect(_within(pairs), draws, rng, sliding_curve_null)
    return permutation_p(value, null)


def cluster_bootstrap_p(pairs: Sequence[Pair], draws: int, rng: np.random.Generator) -> float:
    """Layers drawn with replacement within each model; p from the percentiles about zero."""
    return _bootstrap_p(_within(pairs), draws, rng, axis=1, block=1)


def block_bootstrap_p(pairs: Sequence[Pair], draws: int, rng: np.random.Generator) -> float:
    """Runs of three neighbouring steps drawn with replacement in each model."""
    return _bootstrap_p(_within(pairs), draws, rng, axis=0, block=3)


def _within(pairs: Sequence[Pair]) -> list[Pair]:
    return [(within_depth(x), within_depth(y)) for x, y in pairs]


def _bootstrap_p(
    pairs: Sequence[Pair], draws: int, rng: np.random.Generator, axis: int, block: int
) -> float:
    drawn = np.zeros(draws)
    for x, y in pairs:
        other = 1 - axis
        sums = np.array([(x * y).sum(other), (x * x).sum(other), (y * y).sum(other)])
        n = sums.shape[1]
        run = min(block, n)
        starts = rng.integers(n - run + 1, size=(draws, -(-n // run)))
        chosen = (starts[..., None] + np.arange(run)).reshape(draws, -1)[:, :n]
        product, power_x, power_y = sums[:, chosen].sum(axis=-1)
        drawn += product / np.sqrt(np.maximum(power_x * power_y, 1e-300)) / len(pairs)
    side = min(np.mean(drawn <= 0), np.mean(drawn >= 0))
    return min(1.0, (2 * float(side) * draws + 1) / (draws + 1))


# --- tests of one pair of curves over steps: those of the table of correlations ---------------


def partial_spearman_p(x: Array, y: Array, time: Array) -> float:
    """Partial Spearman given rank(step)."""
    return partial_correlation(x, y, time, "spearman")[1]


def partial_pearson_p(x: Array, y: Array, time: Array) -> float:
    """Partial Pearson given log10(step + 1): the paper's headline."""
    return partial_correlation(x, y, time)[1]


def circular_shift_p(x: Array, y: Array, time: Array, method: str = "pearson") -> float:
    """Partial correlation given time against all cyclic shifts of x over steps.

    Arrays [steps] or [steps, layers], whose layers move together; `time` may have an axis more,
    with what else is held fixed. p is a multiple of 1/steps.
    """
    if len(x) < 4:
        return np.nan
    given = time.reshape(x.size, -1)
    if method == "spearman":
        x, y = (stats.rankdata(values).reshape(values.shape) for values in (x, y))
        given = np.apply_along_axis(stats.rankdata, 0, given)
    shifts = np.stack([np.roll(x, k, axis=0).ravel() for k in range(len(x))], axis=1)
    moved, outcome = residuals(shifts, given), residuals(y.ravel(), given)
    if is_rounding(moved[:, 0], x) or is_rounding(outcome, y):
        return np.nan
    size = np.linalg.norm(moved, axis=0)
    values = np.abs(outcome @ moved) / np.where(size > 0, size, 1)
    return float(np.mean(values >= values[0] * (1 - 1e-9)))


CIRCULAR = "circular shift over steps"
SINGLE_CURVE_TESTS = {
    "partial Spearman given rank(step)": partial_spearman_p,
    "partial Pearson given log step": partial_pearson_p,
    CIRCULAR: circular_shift_p,
}
CURVES_TESTS: dict[str, CurvesTest] = {
    "whole curves permuted over layers": whole_curves_p,
    "whole curves permuted within depth": whole_curves_within_depth_p,
    "whole curves slid over depth": sliding_curves_p,
    "cluster bootstrap over layers": cluster_bootstrap_p,
    "block bootstrap over steps": block_bootstrap_p,
}
