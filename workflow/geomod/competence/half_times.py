"""When is a curve half-way?

A half-time is the log10(step + 1) at which a curve crosses half of its range. Where the range is
known (chance to ceiling) so is the level, and a curve need not have arrived to be read. Where it is
not, the range is the curve's own, and only a plateau makes it one: half of a last value says when
training ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.special import logit

from geomod.emergence.onsets import FEWEST_STEPS, fitted_curve, onsets, read_onset
from geomod.emergence.sigmoids import fit_double, fit_logistic, half_rise, likeliest_form

Array = NDArray[np.float64]

# A double sigmoid that loses this share of its rise by the end has a peak, not a plateau.
FALL = 0.1


@dataclass(frozen=True)
class HalfTime:
    """One curve's half-time and how it was read."""

    value: float  # log10(step + 1); NaN where it is censored
    censoring: str  # "no", "left" (before the first step), "right" (after the last) or "flat"
    method: str  # "logistic", "isotonic" or "none"
    level: float | None  # that was crossed; None: half of the curve's own rise
    rising: int  # checkpoints up to the peak: all of them where it does not fall again
    fitted: Array  # [steps], what checkpoints scatter about
    midpoint: float = np.nan  # of a logistic that has not arrived: half of a plateau unseen

    def again(self, time: Array, curves: Array) -> Array:
        """The half-times of other curves [curves, steps], each read as this one was."""
        return crossings(time[: self.rising], curves[:, : self.rising], self.method, self.level)

    def flat(self) -> "HalfTime":
        """The same curve, whose rise is not to be believed."""
        return replace(self, value=np.nan, censoring="flat", method="none")

    def with_plateau(self) -> "HalfTime":
        """The same, where other curves of its kind say that there is a plateau to come."""
        return replace(self, value=self.midpoint) if np.isfinite(self.midpoint) else self


def half_time(time: Array, curve: Array, level: float | None = None) -> HalfTime:
    """Read one curve: on its rising limb, by the form that describes it.

    Without a level half of the curve's own rise counts, as in `geomod.emergence`, and only where
    the curve reaches a plateau or a peak.
    """
    form = likeliest_form(time, curve)
    fitted, rising = rising_limb(time, curve, form)
    midpoint = np.nan
    if rising < len(time):
        method, censoring = "isotonic", "no"
        fitted[:rising] = isotonic_regression(curve[:rising]).x
    elif level is None:
        onset = read_onset(time, curve)
        method, censoring = onset.method, onset.censoring
        fitted = fitted_curve(time, curve, onset)
        if (method, censoring) == ("logistic", "right"):
            midpoint = onset.t50
    else:
        method, censoring = "logistic" if form == "logistic" else "isotonic", "no"
        if method == "logistic":
            fitted = fit_logistic(time, curve[None]).at(time)[0]
        else:
            fitted = np.asarray(isotonic_regression(curve).x, dtype=float)
    value = float(crossings(time[:rising], curve[None, :rising], method, level)[0])
    if level is not None and not time[0] <= value <= time[-1]:
        censoring = "left" if fitted[0] >= level else "right"
    elif not np.isfinite(value):
        censoring = "flat"
    value = value if censoring == "no" else np.nan
    return HalfTime(value, censoring, method, level, rising, fitted, midpoint)


def crossings(time: Array, curves: Array, method: str, level: float | None) -> Array:
    """Where each row of curves [curves, steps] crosses `level`, or half of its own rise."""
    if level is None or method == "none":
        return onsets(time, curves, method)
    if method == "isotonic":
        return np.array([half_rise(time, curve, level) for curve in curves])
    fit = fit_logistic(time, curves)
    share = (level - fit.baseline) / np.where(fit.rise > 0, fit.rise, np.nan)
    within = (share > 0) & (share < 1)
    return np.where(within, fit.t50 + fit.width * logit(np.where(within, share, 0.5)), np.nan)


def rising_limb(time: Array, curve: Array, form: str) -> tuple[Array, int]:
    """The double sigmoid through a curve, and the number of checkpoints up to its peak.

    Reading times are predicted best half-way through training, and grammar drifts late: a curve
    that falls again would have its later part pooled with its rise. All checkpoints count where
    no double sigmoid is the likeliest form, or it does not fall.
    """
    if form != "double":
        return curve.copy(), len(time)
    fitted = fit_double(time, curve)
    peak = int(fitted.argmax())
    falls = fitted[peak] - fitted[-1] > FALL * (fitted[peak] - fitted[0])
    return fitted, peak + 1 if falls and peak + 1 >= FEWEST_STEPS else len(time)


def has_own_range(readings: Sequence[HalfTime]) -> bool:
    """Whether most of the curves that rise reach a plateau of their own."""
    rising = [reading.censoring for reading in readings if reading.censoring != "flat"]
    return 2 * rising.count("no") >= len(rising)
