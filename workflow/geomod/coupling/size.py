"""Does an effect grow with model size?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Trend:
    """Effect per tenfold more parameters, with its t interval and test."""

    slope: float
    low: float
    high: float
    p: float
    df: int
    sizes: int  # different ones; models are df + 2
    dispersion: float  # spread about the line over that which the sizes' own errors explain
    fixed_low: float  # the interval if sizes lay exactly on the line: too narrow where they do not
    fixed_high: float


def trend(parameters: Array, effect: Array, se: Array, alpha: float = 0.05) -> Trend | None:
    """Regression of effects with known errors on log10(parameters); None below three models.

    effectₘ = a + b log10(Nₘ) + eₘ, var eₘ = φ seₘ², weights 1/seₘ², φ from the spread about the
    line (Thompson & Sharp 1999, Stat Med 18:2693). With df = models − 2 the interval holds with
    few models, and is wide with few. Models of one size (other seeds) are points of their own.
    """
    known = np.isfinite(parameters) & np.isfinite(effect) & np.isfinite(se) & (se > 0)
    size, effect, se = np.log10(parameters[known]), effect[known], se[known]
    df = len(size) - 2
    if df < 1 or np.ptp(size) == 0:
        return None
    design = np.column_stack([np.ones_like(size), size])
    weight = 1 / se**2
    covariance = np.linalg.inv(design.T @ (weight[:, None] * design))
    beta = covariance @ design.T @ (weight * effect)
    dispersion = float((weight * (effect - design @ beta) ** 2).sum()) / df
    slope, exact = float(beta[1]), float(np.sqrt(covariance[1, 1]))
    error = exact * np.sqrt(dispersion)
    reach = float(stats.t.ppf(1 - alpha / 2, df)) * error
    reach_fixed = float(stats.norm.ppf(1 - alpha / 2)) * exact
    return Trend(
        slope=slope,
        low=slope - reach,
        high=slope + reach,
        p=float(2 * stats.t.sf(abs(slope) / error, df)) if error > 0 else np.nan,
        df=df,
        sizes=len(np.unique(size)),
        dispersion=dispersion,
        fixed_low=slope - reach_fixed,
        fixed_high=slope + reach_fixed,
    )
