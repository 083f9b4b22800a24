"""How far may the mean of a few saved checkpoints lie from that of the whole last decade?

Checkpoints are no random draws from the decade: they lie evenly in it (a systematic sample), so
that a course over training, and noise that passes slowly, make them unlike each other without
making their mean wrong. What counts is how fast values change from one place to the next, their
semivariogram γ(h) = ½ E[y(t + h) − y(t)]². What the straight line through its first two lags leaves
at h = 0 is new at each checkpoint, however near; the rest grows with the distance. Where γ is
concave, as that of noise that fades is, the line leaves at least what is new.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geomod.curves.curves import log_step

Array = NDArray[np.float64]
Course = tuple[Array, Array]  # places in the decade, increasing, and the value at each


def places_in_decade(steps: NDArray[np.int64]) -> Array:
    """Log time of increasing steps: 0 at a tenth of the last one, 1 at the last."""
    time, tenth = log_step(steps), math.log10(steps[-1] / 10 + 1)
    return np.asarray((time - tenth) / (time[-1] - tenth)) if steps[-1] else np.ones(len(steps))


def errors_of_mean(courses: Sequence[Course]) -> list[tuple[float, float]]:
    """Variances to be added, each with its degrees of freedom, of the mean of M models.

    Of each model vₘ/M², v = γ₁ [s/n + (1 − s) Q/h₁]: γ₁ the semivariance of neighbours, h₁ their
    mean distance, s the share of it that is new at each, Q the `linear_error` of the places;
    degrees of freedom are those of γ₁ for independent values, 2(n − 1)²/(3n − 4). Last, the square
    of what a course that all models have in common puts the mean off. A model with one checkpoint
    says nothing.
    """
    several = [(places, values) for places, values in courses if len(values) > 1]
    if not several:
        return []
    new, found = share_new(several), []
    for places, values in several:
        n, (semivariance, distance) = len(values), at_lag(places, values, 1)
        variance = semivariance * (new / n + (1 - new) * linear_error(places) / distance)
        found.append((variance, 2 * (n - 1) ** 2 / (3 * n - 4)))
    found.append((common_drift(several), math.inf))
    return [(variance / len(courses) ** 2, df) for variance, df in found]


def at_lag(places: Array, values: Array, lag: int) -> tuple[float, float]:
    """Semivariance of values `lag` apart, and their mean distance."""
    apart, distance = values[lag:] - values[:-lag], places[lag:] - places[:-lag]
    return float((apart**2).mean()) / 2, float(distance.mean())


def share_new(courses: Sequence[Course]) -> float:
    """Share of neighbours' semivariance that is there at no distance: Σₘ γ(0) / Σₘ γ₁, in 0 … 1.

    All of it, where no model has three checkpoints.
    """
    at_none, at_first = 0.0, 0.0
    for places, values in courses:
        if len(values) > 2:
            (first, near), (second, far) = (at_lag(places, values, lag) for lag in (1, 2))
            at_none += first - near * (second - first) / (far - near)
            at_first += first
    return float(np.clip(at_none / at_first, 0, 1)) if at_first else 1.0


def linear_error(places: Array) -> float:
    """E[mean at these places − mean of the decade]² where γ(h) = h.

    2 E γ(place, anywhere) − E γ(place, place) − E γ(anywhere, anywhere), the last being ⅓.
    """
    anywhere = (places**2 + (1 - places) ** 2) / 2
    return float(2 * anywhere.mean() - np.abs(places[:, None] - places).mean() - 1 / 3)


def common_drift(courses: Sequence[Course]) -> float:
    """Square of what a line over the decade that all models follow adds to the sum of their errors.

    The mean place is not the middle of the decade: a model's slope times that is its error. The sum
    over k models is squared, less k times their variance, which stands in the models' own errors.
    """
    errors = np.array([np.polyfit(p, values, 1)[0] * (p.mean() - 0.5) for p, values in courses])
    if len(errors) < 2:
        return 0.0
    return max(float(errors.sum() ** 2 - len(errors) * errors.var(ddof=1)), 0.0)
