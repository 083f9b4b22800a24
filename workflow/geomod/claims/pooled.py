"""Claims over several datasets: a random-effects mean of their estimates.

Each dataset brings an estimate yᵢ with a standard error sᵢ, its interval's half-width over the
normal quantile. The mean is Σ wᵢyᵢ / Σ wᵢ with wᵢ = 1 / (sᵢ² + τ²), where τ², the variance between
datasets, solves Σ wᵢ (yᵢ − mean)² = k − 1 (Paule and Mandel 1982; 0 where the left side is smaller
at 0). Its variance is q / Σ wᵢ with q = Σ wᵢ (yᵢ − mean)² / (k − 1), and its quantiles are those of
t with k − 1 degrees of freedom (Hartung and Knapp 2001; Sidik and Jonkman 2002), since few datasets
know little of τ². A q below 1 counts as 1, or three estimates that happen to lie close would have
an interval shorter than each of their own (Röver et al. 2015).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from geomod.claims.claim import Details, Estimate, Finding
from geomod.claims.judge import judge
from geomod.claims.registry import CLAIMS

FEWEST = 3  # datasets; of two, nothing is to be learned of how far datasets differ
TEST = "t over datasets (Hartung–Knapp)"


@dataclass(frozen=True)
class Pooled:
    """A mean over datasets, and how far they differ."""

    mean: float
    low: float
    high: float
    p: float
    tau: float  # SD between datasets, in the unit of the estimates
    i2: float  # share of the estimates' variance that lies between datasets
    q: float  # Cochran's Q
    p_q: float  # its p where all datasets are alike
    predicted: tuple[float, float]  # interval of one more dataset's true value


def pool(estimates: ArrayLike, errors: ArrayLike, alpha: float = 0.05) -> Pooled:
    """Pool `estimates` with their standard `errors`, two or more."""
    y, s = np.asarray(estimates, dtype=float), np.asarray(errors, dtype=float)
    if y.ndim != 1 or y.shape != s.shape or len(y) < 2:
        raise ValueError(f"two estimates or more, an error each: {y.shape} and {s.shape}")
    degrees = len(y) - 1
    tau2 = between(y, s)
    weights = 1 / (s**2 + tau2)
    mean = float(weights @ y / weights.sum())
    spread = max(1.0, float(weights @ (y - mean) ** 2) / degrees)
    error = np.sqrt(spread / weights.sum())
    reach = stats.t.ppf(1 - alpha / 2, degrees)
    q = _misfit(0.0, y, s)
    # One degree of freedom is spent on τ² (Higgins et al. 2009).
    wide = stats.t.ppf(1 - alpha / 2, max(degrees - 1, 1)) * np.sqrt(tau2 + error**2)
    return Pooled(
        mean=mean,
        low=mean - reach * error,
        high=mean + reach * error,
        p=float(2 * stats.t.sf(abs(mean) / error, degrees)),
        tau=float(np.sqrt(tau2)),
        i2=max(0.0, 1 - degrees / q) if q > 0 else 0.0,
        q=q,
        p_q=float(stats.chi2.sf(q, degrees)),
        predicted=(mean - wide, mean + wide),
    )


def between(y: NDArray[Any], s: NDArray[Any]) -> float:
    """τ² of Paule and Mandel."""
    degrees = len(y) - 1
    if _misfit(0.0, y, s) <= degrees:
        return 0.0
    high = float(np.var(y, ddof=1)) or 1.0
    while _misfit(high, y, s) > degrees:
        high *= 2
    return float(optimize.brentq(lambda tau2: _misfit(tau2, y, s) - degrees, 0.0, high))


def _misfit(tau2: float, y: NDArray[Any], s: NDArray[Any]) -> float:
    """Σ wᵢ (yᵢ − mean)²: Cochran's Q where τ² is 0."""
    weights = 1 / (s**2 + tau2)
    return float(weights @ (y - weights @ y / weights.sum()) ** 2)


def pooled(entries: Sequence[Mapping[str, Any]], alpha: float = 0.05) -> list[Details]:
    """Entries for claims.json over the `entries` of three datasets or more; none of fewer.

    The same rule judges them as each dataset's own, their p adjusted for one another.
    """
    names = list(dict.fromkeys(entry["dataset"] for entry in entries))
    if len(names) < FEWEST:
        return []
    found, planted = [], {}
    for claim in CLAIMS:
        own = [entry for entry in entries if entry["claim"] == claim.number]
        if not own:  # what it is about was measured with no dataset
            continue
        found.append((dataclasses.replace(claim, test=TEST), _find(own, names, alpha)))
        truths = {entry["planted"] for entry in own}
        if len(truths) == 1 and None not in truths:
            planted[claim.number] = truths.pop()
    return [{"dataset": "pooled", **entry} for entry in judge(found, alpha, None, planted)]


def _find(own: Sequence[Mapping[str, Any]], names: Sequence[str], alpha: float) -> Finding:
    usable = [entry for entry in own if entry["interval"] and entry["estimate"] is not None]
    rows = [
        {
            "dataset": entry["dataset"],
            "estimate": entry["estimate"],
            "low": (entry["interval"] or [None, None])[0],
            "high": (entry["interval"] or [None, None])[1],
            "verdict": entry["verdict"],
        }
        for entry in own
    ]
    if len(usable) < FEWEST:
        return Finding(
            None,
            f"{len(usable)} of {len(names)} datasets have an estimate with an interval; "
            f"pooling takes {FEWEST}",
            {"datasets": rows},
        )
    bounds = np.array([entry["interval"] for entry in usable], dtype=float)
    errors = (bounds[:, 1] - bounds[:, 0]) / (2 * stats.norm.ppf(1 - alpha / 2))
    values = [entry["estimate"] for entry in usable]
    found = pool(values, np.maximum(errors, np.finfo(float).tiny ** 0.25), alpha)
    details = {
        "datasets": rows,
        "heterogeneity": {
            "tau": found.tau,
            "share_of_variance_between_datasets": found.i2,
            "cochran_q": found.q,
            "p_all_alike": found.p_q,
            "interval_of_another_dataset": list(found.predicted),
        },
    }
    return Finding(Estimate(found.mean, found.low, found.high, found.p), "", details)
