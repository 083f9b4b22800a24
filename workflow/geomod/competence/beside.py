"""What is reported beside the verdicts: shared variance, tests of it, and deviations of seeds.

R² of two curves that both rise says which of them is measured with less noise as much as which of
them alignment follows: docs/competence-question.md has the level of each.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from geomod.coupling.within_depth import fisher_z

Array = NDArray[np.float64]

SEED = re.compile(r"-seed\d+$")


def r_squared(x: Array, y: Array) -> float:
    """Squared Pearson r of two curves over the checkpoints; NaN where one is constant."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan
    return float(np.corrcoef(x, y)[0, 1] ** 2)


def wilcoxon_p(first: Sequence[float], second: Sequence[float]) -> float:
    """Signed-rank test of R² with formal against R² with functional competence, over models."""
    difference = np.subtract(first, second)
    difference = difference[np.isfinite(difference) & (difference != 0)]
    return float(stats.wilcoxon(difference).pvalue) if len(difference) else np.nan


def meng_z(first: float, second: float, between: float, n: float) -> tuple[float, float]:
    """z and p of r(y, x₁) against r(y, x₂), which share y; `between` is r(x₁, x₂).

    Meng, Rosenthal & Rubin 1992, Psychol Bull 111:172; n counts points as independent.
    """
    squares = (first**2 + second**2) / 2
    if n <= 3 or between >= 1 - 1e-12 or squares >= 1 - 1e-12:
        return np.nan, np.nan
    f = min((1 - between) / (2 * (1 - squares)), 1.0)
    h = (1 - f * squares) / (1 - squares)
    z = float((fisher_z(first) - fisher_z(second)) * np.sqrt((n - 3) / (2 * (1 - between) * h)))
    return z, float(2 * stats.norm.sf(abs(z)))


@dataclass(frozen=True)
class Seeds:
    """Whether runs whose competence comes early for their size align early for their size."""

    r_formal: float
    r_functional: float
    p_formal: float  # whole runs exchanged within their size
    p_functional: float
    p_difference: float  # Meng's z
    runs: int
    sizes: int


def size_of(model: str) -> str:
    """The model's name without its seed."""
    return SEED.sub("", model)


def seeds(
    models: Sequence[str], times: Array, permutations: int, rng: np.random.Generator
) -> Seeds | None:
    """Correlations of deviations within size; `times` [models, 3] of alignment, formal, functional.

    None without two sizes' worth of freedom. Size, which moves all half-times, is taken out with
    its mean, and the null exchanges whole runs of a size (Monte Carlo, never below 1/draws). The
    difference of the correlations counts n − sizes points.
    """
    known = np.isfinite(times).all(axis=1)
    times, names = times[known], [size_of(models[i]) for i in np.flatnonzero(known).tolist()]
    groups = [np.flatnonzero([name == size for name in names]) for size in sorted(set(names))]
    groups = [group for group in groups if len(group) > 1]
    n = sum(len(group) for group in groups)
    if n - len(groups) < 4:
        return None
    deviations = np.concatenate([times[group] - times[group].mean(axis=0) for group in groups])
    norms = np.linalg.norm(deviations, axis=0)
    if not norms.all():
        return None
    a, f, g = (deviations / norms).T
    starts = np.cumsum([0, *(len(group) for group in groups)])
    order = np.concatenate(
        [
            start + rng.random((permutations, stop - start)).argsort(axis=1)
            for start, stop in pairwise(starts)
        ],
        axis=1,
    )

    def p_of(other: Array) -> float:
        null = np.abs(a[order] @ other)
        return float((1 + (null >= abs(a @ other) - 1e-12).sum()) / (1 + permutations))

    _, p = meng_z(float(a @ f), float(a @ g), float(f @ g), n - len(groups))
    return Seeds(float(a @ f), float(a @ g), p_of(f), p_of(g), p, n, len(groups))


def combined_meng_p(curves: Sequence[tuple[Array, Array, Array]]) -> float:
    """p of the sum of Meng's z over models; `curves` are alignment, formal and functional."""
    found = []
    for y, first, second in curves:
        if min(np.ptp(each) for each in (y, first, second)) > 0:
            r = np.corrcoef([y, first, second])
            found.append(meng_z(r[0, 1], r[0, 2], r[1, 2], len(y))[0])
    known = np.array([z for z in found if np.isfinite(z)])
    return (
        float(2 * stats.norm.sf(abs(known.sum()) / np.sqrt(len(known)))) if len(known) else np.nan
    )
