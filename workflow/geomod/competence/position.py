"""Where does alignment lie between formal and functional competence?

λ = mean(t_A − t_F) / mean(t_G − t_F) over models, with t the half-times of alignment (A), formal
(F) and functional competence (G) in log10(step + 1): 0 with formal, 1 with functional competence.
It compares times, and so does not ask which of the two is measured with less noise. It is not free
of the range: a function of F that does not take half to half has another half-time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from geomod.curves.estimates import t_interval
from geomod.emergence.onsets import robust_sd

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Means:
    """Means over models of some quantities, with their error."""

    value: Array  # [quantities]
    covariance: Array  # [quantities, quantities]
    freedom: float
    models: int

    def along(self, weights: Sequence[float]) -> tuple[float, float]:
        """A weighted sum of the quantities, and its standard error."""
        w = np.asarray(weights, dtype=float)
        return float(w @ self.value), float(np.sqrt(max(w @ self.covariance @ w, 0.0)))


def means(
    values: Array,
    shared: Sequence[Array] = (),
    within: Array | None = None,
    freedom: float = 0.0,
) -> Means:
    """Means of values [models, quantities], models being the units.

    Their spread holds all that differs from model to model. What all models have in common does
    not show in it, participants and items: `shared` are covariances of that (`shared_covariance`).
    A single model has no spread; its error is that of its checkpoints, `within`, with `freedom`.
    """
    n, k = values.shape
    covariance = np.full((k, k), np.nan)
    if n > 1:
        covariance = np.atleast_2d(np.cov(values.T)) / n
        freedom = n - 1.0
    elif n == 1 and within is not None:
        covariance = within
    mean = values.mean(axis=0) if n else np.full(k, np.nan)
    return Means(mean, covariance + sum(shared), freedom, n)


def shared_covariance(again: Array, jackknife: bool) -> Array:
    """Covariance that models have in common, from values [units, models, quantities].

    `again` are the values without each participant in turn (`jackknife`), or with other items. Were
    the models' own errors independent, that of their mean would be Σ Sₘ / M²; what is more is
    common to all, and counts M/(M − 1)-fold, because a model is in its own share.
    """
    again = again[np.isfinite(again).all(axis=(1, 2))]
    units, models, k = again.shape
    if units < 3:
        return np.zeros((k, k))
    deviations = again - again.mean(axis=0)
    factor = (units - 1) / units if jackknife else 1 / (units - 1)
    mean = deviations.mean(axis=1)
    together = factor * mean.T @ mean
    if models == 1:
        return together
    alone = factor * np.einsum("umi,umj->ij", deviations, deviations) / models**2
    return positive((together - alone) * models / (models - 1))


def positive(covariance: Array) -> Array:
    """The covariance without its negative directions, which an estimate may have."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.maximum(values, 0)) @ vectors.T


def robust_covariance(draws: Array) -> Array:
    """Covariance of draws [draws, quantities] that a few wild ones do not move.

    cov(x, y) = (var(x + y) − var(x − y)) / 4 with robust variances (Gnanadesikan & Kettenring
    1972); NaN where too few draws are finite.
    """
    k = draws.shape[1]
    pairs = [[robust_sd(draws[:, i] + s * draws[:, j]) ** 2 for s in (1, -1)]
             for i in range(k) for j in range(k)]  # fmt: skip
    plus, minus = np.array(pairs).T.reshape(2, k, k)
    covariance = (plus - minus) / 4
    return positive(covariance) if np.isfinite(covariance).all() else covariance


@dataclass(frozen=True)
class Position:
    """λ with a Fieller interval, and the p of alignment being midway (λ = ½)."""

    value: float
    low: float  # NaN, as is high, where all of a line's end or the whole line is possible
    high: float
    p_midway: float
    gap: float  # mean t_G − t_F, decades
    gap_low: float
    gap_high: float
    models: int


def position(leads: Means, alpha: float = 0.05) -> Position:
    """λ from the means of t_A − t_F and t_G − t_F.

    All λ are in the interval for which |a − λ g| ≤ t √(V_a − 2λ V_ag + λ² V_g), with a and g the
    means (Fieller 1954). It is bounded where g differs from 0.
    """
    (a, g), v = leads.value, leads.covariance
    reach = float(stats.t.ppf(1 - alpha / 2, leads.freedom)) if leads.freedom > 0 else np.nan
    mid, se = leads.along([1, -0.5])
    p = float(2 * stats.t.sf(abs(mid) / se, leads.freedom)) if se > 0 else np.nan
    gap_interval = t_interval(float(g), float(np.sqrt(v[1, 1])), leads.freedom, alpha)
    two = g**2 - reach**2 * v[1, 1]
    one = a * g - reach**2 * v[0, 1]
    none = a**2 - reach**2 * v[0, 0]
    root = one**2 - two * none
    bounded = bool(two > 0 and root >= 0)
    spread = np.sqrt(root) / two if bounded else np.nan
    middle = one / two if bounded else np.nan
    return Position(
        value=float(a / g) if g != 0 else np.nan,
        low=float(middle - spread),
        high=float(middle + spread),
        p_midway=p,
        gap=float(g),
        gap_low=gap_interval[0],
        gap_high=gap_interval[1],
        models=leads.models,
    )
