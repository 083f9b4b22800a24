"""What the five claims share: the settings, the arithmetic of intervals and p, and the verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from geomod.curves.curves import Curves

Array = NDArray[np.float64]
Details = dict[str, Any]

# A test that rejects true nulls more often than this at the .05 level is not used for a verdict.
TOLERATED_LEVEL = 0.075


@dataclass(frozen=True)
class Settings:
    """The choices that were made before any result was seen; docs/statistics.md says why."""

    alpha: float = 0.05
    permutations: int = 2000
    bootstrap: int = 500
    null_draws: int = 200
    temporal: tuple[str, ...] = ("AntTemp", "PostTemp")
    frontal: tuple[str, ...] = ("IFG", "IFGorb")
    network: tuple[str, ...] = ("netw",)
    # An effect whose whole interval is smaller than this counts as absent. By claim: excess
    # silhouette; Pearson r; decades of training; partial r; partial z a decade of parameters.
    smallest: Mapping[int, float] = field(
        default_factory=lambda: {1: 0.05, 2: 0.01, 3: 0.15, 4: 0.1, 5: 0.05}
    )


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, and the test that its claim is judged by."""

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Finding:
    """What there is to say of a claim before it is judged."""

    estimate: Estimate | None
    note: str = ""  # why there is no estimate, or what is worth knowing of the one there is
    details: Details = field(default_factory=dict)
    against: str = ""  # which of the claim's own numbers contradict the side its estimate is on


def network_of(curves: Curves, settings: Settings) -> tuple[str, ...]:
    """The language network where it was measured, else all regions, averaged."""
    present = tuple(region for region in settings.network if region in curves.regions)
    return present or curves.regions


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


def verdict(
    finding: Finding,
    q: float,
    *,
    direction: int,
    smallest: float,
    alpha: float = 0.05,
    level: float | None = None,
) -> tuple[str, str]:
    """Supported, not supported or undecided, and why: the rule declared in docs/statistics.md.

    `direction` is the sign of the paper's effect, `q` the adjusted p of the level-holding test,
    `level` that test's false-positive rate in a calibration, where one was run.
    """
    estimate = finding.estimate
    if estimate is None:
        return "undecided", finding.note
    numbers = (estimate.value, estimate.low, estimate.high)
    if not all(np.isfinite(numbers)):
        word, why = "undecided", "there is no estimate with an interval"
    elif -smallest < estimate.low and estimate.high < smallest:
        word, why = "not supported", f"the whole interval is smaller than ±{smallest:g}"
    elif doubt := _doubt(finding, estimate, q, alpha, level):
        word, why = "undecided", doubt
    elif direction * estimate.low > 0 and direction * estimate.high > 0:
        word, why = "supported", f"the interval excludes zero in the paper's direction, q = {q:.3g}"
    else:
        word, why = "not supported", f"the interval lies on the other side of zero, q = {q:.3g}"
    return word, f"{why}; {finding.note}" if finding.note else why


def _doubt(
    finding: Finding, estimate: Estimate, q: float, alpha: float, level: float | None
) -> str:
    """Why an effect on either side cannot be believed; nothing where it can."""
    if estimate.low <= 0 <= estimate.high:
        return "the interval includes zero"
    if level is not None and level > TOLERATED_LEVEL:
        return f"the test rejects {level:.1%} of true nulls on this grid"
    if not np.isfinite(q):
        return "the level-holding test could not be computed"
    if q > alpha:
        return f"the level-holding test gives q = {q:.3f} > {alpha:g}"
    return finding.against
