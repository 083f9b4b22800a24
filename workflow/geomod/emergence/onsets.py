"""When in training a region's alignment emerges, how high it ends, how steady it stays.

The curve of a region is the mean score over the blocks. Its t50 is the midpoint of a logistic in
log10(step + 1), or, where another form describes the curve better, the step at which its isotonic
regression has made half of its rise. Units of t50, low and high: log10(step + 1).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import isotonic_regression

from geomod.curves.curves import AVERAGE, log_step, mean_ignoring_nan
from geomod.curves.estimates import rng_of, t_interval
from geomod.curves.settings import Settings
from geomod.emergence.noise import autoregressive, noisy_copies, step_noise
from geomod.emergence.sigmoids import Logistic, fit_logistic, half_rise, likeliest_form

Array = NDArray[np.float64]

log = logging.getLogger(__name__)

# Four parameters of a logistic and one point to doubt them with.
FEWEST_STEPS = 5
# A dozen steps hardly tell ρ, and it comes out too low where it is high: drifts pass for rises.
# At least so much likeness is granted; what level that gives stands in docs/statistics.md.
LEAST_RHO = 0.8
PLATEAU = 0.9  # share of the rise that counts as having arrived

COLUMNS = [
    "model",
    "region",
    "t50",
    "low",
    "high",
    "t50_step",
    "baseline",
    "plateau",
    "plateau_low",
    "plateau_high",
    "width",
    "censored",
    "censoring",
    "p_rise",
    "form",
    "method",
    "variability",
    "variability_low",
    "variability_high",
    "r2",
    "n_steps",
]


@dataclass(frozen=True)
class Onset:
    """How a curve was read: the form that fits, and by which method t50 was taken."""

    t50: float
    form: str
    method: str  # "logistic", "isotonic" or "none"
    fit: Logistic
    censoring: str  # "no", "left", "right" or "flat"


def emergence(
    encoding: pd.DataFrame,
    *,
    seed: int = 0,
    bootstrap: int = Settings.bootstrap,
    alpha: float = Settings.alpha,
) -> pd.DataFrame:
    """t50 of every model and region, with its interval and what speaks against it.

    `low` and `high` bound t50: t times the larger of two standard errors, a jackknife over
    participants (noise of the brains) and an AR(1) bootstrap over steps (noise of the checkpoints).
    `plateau` is the top of the fitted curve with an interval of the same making, `variability` the
    SD about it after the rise, in units of r, with a chi-square interval. `p_rise` is the p of the
    rise where there is none (`rise_null`). `censoring` says what keeps t50 from being a time:
    `right` no plateau was reached, `left` it was there at the first step, `flat` nothing rose.
    """
    blocks = encoding[encoding["layer"] > 0]
    found = {
        key: region_curves(table) for key, table in blocks.groupby(["model", "region"], sort=True)
    }
    enough = [(time, curve) for time, curve, _ in found.values() if len(time) >= FEWEST_STEPS]
    noise = step_noise(enough, rng_of(seed, "noise"))
    flat = {
        tuple(time): rise_null(time, noise[0], bootstrap, rng_of(seed, "flat"))
        for time, _ in enough
    }
    rows = []
    for (model, region), curves in found.items():
        rng = rng_of(seed, "emergence", str(model), str(region))
        null = flat.get(tuple(curves[0]))
        described = _describe(*curves, noise, null, rng, bootstrap, alpha)
        rows.append({"model": model, "region": region, **described})
    log.info("emergence of %d curves", len(rows))
    return pd.DataFrame(rows, columns=COLUMNS)


def region_curves(table: pd.DataFrame) -> tuple[Array, Array, Array]:
    """Time [steps], the average's curve [steps] and the participants' [participants, steps].

    Steps without any score are left out, and participants who miss one of the others.
    """
    names = table["participant"].astype(str)
    cube = table.assign(participant=names).pivot_table(
        index=["participant", "layer"], columns="step", values="score", dropna=False
    )
    steps = cube.columns.to_numpy()
    average = cube.loc[AVERAGE] if AVERAGE in cube.index else cube.groupby("layer").mean()
    others = [name for name in cube.index.levels[0] if name != AVERAGE]
    people = np.array([mean_ignoring_nan(cube.loc[name].to_numpy(), axis=0) for name in others])
    curve = mean_ignoring_nan(average.to_numpy(), axis=0)
    seen = np.isfinite(curve)
    people = people.reshape(len(others), len(steps))[:, seen]
    return log_step(steps)[seen], curve[seen], people[np.isfinite(people).all(axis=1)]


def rise_statistic(time: Array, curves: Array) -> Array:
    """ln(SSE of the constant / SSE of the rising logistic) of each row [curves, steps]."""
    total = ((curves - curves.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    # A noise-free logistic leaves rounding errors, a constant curve nothing at all.
    least = np.maximum(fit_logistic(time, curves).error, 1e-12 * total)
    return np.log(np.where(total > 0, total, 1) / np.where(total > 0, least, 1))


def rise_null(time: Array, rho: float, draws: int, rng: np.random.Generator) -> Array:
    """The rise statistic [draws] of curves that only drift: AR(1) noise about a constant.

    Noise of neighbouring checkpoints is alike, and a logistic fits a drift. How large the noise is
    does not matter to the statistic. Less likeness than `LEAST_RHO` is not believed.
    """
    rho = max(rho, LEAST_RHO)
    return rise_statistic(time, autoregressive(rho, (draws, len(time)), rng, axis=1))


def rise_p(time: Array, curve: Array, null: Array) -> float:
    """(1 + #{null ≥ observed}) / (1 + draws)."""
    return float((1 + np.sum(null >= rise_statistic(time, curve[None])[0])) / (1 + len(null)))


def read_onset(time: Array, curve: Array, p_rise: float = 0.0, alpha: float = 0.05) -> Onset:
    """Choose the form of one curve and read its t50; `flat` where nothing rises beyond noise."""
    fit = fit_logistic(time, curve[None])
    form = likeliest_form(time, curve)
    if form == "constant" or fit.rise[0] <= 0 or p_rise > alpha:
        return Onset(np.nan, form, "none", fit, "flat")
    method = "logistic" if form == "logistic" else "isotonic"
    t50 = float(onsets(time, curve[None], method)[0])
    if not np.isfinite(t50):
        return Onset(np.nan, form, "none", fit, "flat")
    arrived = fit.at(time)[0, -1] >= fit.baseline[0] + PLATEAU * fit.rise[0]
    if form == "linear" or (form == "logistic" and not arrived):
        return Onset(t50, form, method, fit, "right")
    return Onset(t50, form, method, fit, "left" if t50 <= time[0] else "no")


def onsets(time: Array, curves: Array, method: str) -> Array:
    """t50 of each row of curves [curves, steps] by one method."""
    if method == "logistic":
        fit = fit_logistic(time, curves)
        return np.where(fit.rise > 0, fit.t50, np.nan)
    if method == "isotonic":
        return np.array([half_rise(time, curve) for curve in curves])
    return np.full(len(curves), np.nan)


def t50_and_top(time: Array, curves: Array, method: str) -> tuple[Array, Array]:
    """t50 by one method, and the top of the fitted logistic, of each row [curves, steps]."""
    if not len(curves):
        return np.empty(0), np.empty(0)
    fit = fit_logistic(time, curves)
    t50 = (
        np.where(fit.rise > 0, fit.t50, np.nan)
        if method == "logistic"
        else onsets(time, curves, method)
    )
    return t50, fit.baseline + fit.rise


def fitted_curve(time: Array, curve: Array, onset: Onset) -> Array:
    """The curve that t50 was read from."""
    if onset.method == "isotonic":
        return np.asarray(isotonic_regression(curve).x, dtype=float)
    return onset.fit.at(time)[0]


def leave_one_out(people: Array) -> Array:
    """Mean curve without each participant in turn: [participants, ...]."""
    n = len(people)
    return (people.sum(axis=0) - people) / (n - 1)


def jackknife_se(left_out: Array) -> float:
    """√((n − 1)/n · Σ(θ₋ᵢ − mean θ₋)²), NaN with fewer than three units.

    For latencies of noisy curves: Miller, Patterson & Ulrich 1998, Psychophysiology 35:99.
    """
    left_out = left_out[np.isfinite(left_out)]
    n = len(left_out)
    return float(np.sqrt((n - 1) * left_out.var())) if n > 2 else np.nan


def robust_sd(draws: Array) -> float:
    """Half the distance between the 16th and 84th percentile: a few wild draws do not move it."""
    draws = draws[np.isfinite(draws)]
    if len(draws) < 20:
        return np.nan
    low, high = np.percentile(draws, [15.87, 84.13])
    return float(high - low) / 2


def larger_error(errors: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Of (standard error, degrees of freedom) pairs, the one with the wider 95 % interval."""
    known = [(se, df) for se, df in errors if np.isfinite(se) and df > 0]
    if not known:
        return np.nan, 0.0
    return max(known, key=lambda pair: pair[0] * stats.t.ppf(0.975, pair[1]))


def _describe(
    time: Array,
    curve: Array,
    people: Array,
    noise: tuple[float, float],
    null: Array | None,
    rng: np.random.Generator,
    bootstrap: int,
    alpha: float,
) -> dict[str, object]:
    empty = dict.fromkeys(COLUMNS[2:], np.nan)
    if len(time) < FEWEST_STEPS or null is None:
        return {**empty, "censored": True, "censoring": "too few steps", "form": "none",
                "method": "none", "n_steps": len(time)}  # fmt: skip
    p_rise = rise_p(time, curve, null)
    onset = read_onset(time, curve, p_rise, alpha)
    top = float(onset.fit.baseline[0] + onset.fit.rise[0])
    t50_interval = top_interval = (np.nan, np.nan)
    if onset.method != "none":
        fitted = fitted_curve(time, curve, onset)[:, None]
        copies = noisy_copies(fitted, curve[:, None] - fitted, *noise, bootstrap, rng)[..., 0]
        left_out = leave_one_out(people) if len(people) > 2 else np.empty((0, len(time)))
        drawn, without = (t50_and_top(time, each, onset.method) for each in (copies, left_out))
        t50_interval, top_interval = (
            t_interval(value, *_error(drawn[i], without[i], len(time)), alpha)
            for i, value in enumerate((onset.t50, top))
        )
    total = float(((curve - curve.mean()) ** 2).sum())
    sd, sd_low, sd_high = plateau_variability(time, curve, onset, alpha)
    return {
        "t50": onset.t50,
        "low": t50_interval[0],
        "high": t50_interval[1],
        "t50_step": 10**onset.t50 - 1,
        "baseline": float(onset.fit.baseline[0]),
        "plateau": top,
        "plateau_low": top_interval[0],
        "plateau_high": top_interval[1],
        "width": float(onset.fit.width[0]),
        "censored": onset.censoring != "no",
        "censoring": onset.censoring,
        "p_rise": p_rise,
        "form": onset.form,
        "method": onset.method,
        "variability": sd,
        "variability_low": sd_low,
        "variability_high": sd_high,
        "r2": 1 - float(onset.fit.error[0]) / total if total > 0 else np.nan,
        "n_steps": len(time),
    }


def _error(drawn: Array, left_out: Array, steps: int) -> tuple[float, float]:
    """Standard error and degrees of freedom: noise of the checkpoints, or of the participants."""
    return larger_error(
        [(robust_sd(drawn), steps - 4), (jackknife_se(left_out), len(left_out) - 1)]
    )


def plateau_variability(
    time: Array, curve: Array, onset: Onset, alpha: float = 0.05
) -> tuple[float, float, float]:
    """SD of the score once the rise is made, with the chi-square interval of a normal sample."""
    arrived = time >= onset.t50 + onset.fit.width[0] * np.log(PLATEAU / (1 - PLATEAU))
    n = int(arrived.sum())
    if n < 3:
        return np.nan, np.nan, np.nan
    sd = float(curve[arrived].std(ddof=1))
    tails = stats.chi2.ppf([1 - alpha / 2, alpha / 2], n - 1)
    low, high = (float(bound) for bound in sd * np.sqrt((n - 1) / tails))
    return sd, low, high
