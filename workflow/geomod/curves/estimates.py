"""The arithmetic that the claims share: the network, generators, intervals and p."""

from collections.abc import Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from geomod.curves.curves import Curves
from geomod.curves.settings import Settings

Array = NDArray[np.float64]


def network_of(curves: Curves, settings: Settings) -> tuple[str, ...]:
    """The language network where it was measured, else all regions, averaged."""
    present = tuple(region for region in settings.network if region in curves.regions)
    return present or curves.regions


def network_score(curves: Curves, settings: Settings) -> Array:
    """Score of the language network, [steps, layers]."""
    return curves.of(network_of(curves, settings))


def rng_of(seed: int, *names: str | int) -> np.random.Generator:
    """A generator of its own for every use, the same on every machine."""
    keys = [crc32(name.encode()) if isinstance(name, str) else name for name in names]
    return np.random.default_rng([seed, *keys])


def t_interval(value: float, se: float, df: float, alpha: float = 0.05) -> tuple[float, float]:
    """value ± t(1 − α/2, df) · se; NaN where there are no degrees of freedom."""
    if not (np.isfinite(se) and df > 0):
        return np.nan, np.nan
    reach = float(stats.t.ppf(1 - alpha / 2, df)) * se
    return value - reach, value + reach


def mean_and_se(values: Array) -> tuple[float, float, float]:
    """Mean, standard error and degrees of freedom of independent units; NaN are left out."""
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    n = len(values)
    if n == 0:
        return np.nan, np.nan, 0.0
    se = float(np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    return float(values.mean()), se, n - 1.0


def permutation_p(observed: float, null: Array) -> float:
    """Two-sided Monte Carlo p: (1 + #{|null| ≥ |observed|}) / (1 + draws), never zero.

    Phipson & Smyth 2010, Stat Appl Genet Mol Biol 9:39. The null is centred on its own mean.
    """
    null = null[np.isfinite(null)]
    if len(null) == 0 or not np.isfinite(observed):
        return np.nan
    centre = null.mean()
    far = np.abs(null - centre) >= abs(observed - centre) - 1e-12
    return float((1 + far.sum()) / (1 + len(null)))


def false_discovery_rate(p: Sequence[float] | Array) -> Array:
    """Benjamini–Hochberg adjusted p (q); NaN stay NaN and do not count in the family."""
    p = np.asarray(p, dtype=float)
    q = np.full(p.shape, np.nan)
    known = np.isfinite(p)
    if known.any():
        q[known] = stats.false_discovery_control(p[known], method="bh")
    return q
