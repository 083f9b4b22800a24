"""Does alignment stand still while functional competence goes on to grow?

After formal competence has made 90 % of its rise: the slope of alignment over log10(step + 1), in
units of its own rise, is shown to be small by an equivalence test (within ± .1 a decade), and that
of functional competence, in units of its known range, to exceed it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import isotonic_regression

from geomod.competence.position import Means, means, robust_covariance, shared_covariance
from geomod.competence.times import HALF, Courses, Times, alike
from geomod.curves.curves import FORMAL, FUNCTIONAL
from geomod.curves.estimates import t_interval
from geomod.curves.settings import Settings
from geomod.emergence.noise import noisy_copies
from geomod.emergence.onsets import leave_one_out

Array = NDArray[np.float64]

ARRIVED = 0.9  # share of formal competence's rise after which saturation is looked for
STILL = 0.1  # of alignment's rise a decade: a smaller slope counts as none
FEWEST_LATE = 4  # checkpoints


@dataclass(frozen=True)
class Late:
    """One model's slopes a decade, once its formal competence is there."""

    model: str
    alignment: float  # in units of its rise
    functional: float  # in units of its known range
    steps: int
    freedom: float  # of the residuals that checkpoints are drawn from
    draws: Array  # [draws, 2] of the two slopes, had other checkpoints been saved
    people: Array  # [participants, 2], without each


def late_slopes(
    course: Courses,
    region: str,
    formal: str,
    functional: str,
    rho: float,
    rng: np.random.Generator,
    draws: int,
) -> Late | None:
    """None where fewer than four checkpoints are late, or alignment is not higher there."""
    time, late = course.time, late_steps(course.curves[formal])
    a, g = course.curves[region], course.curves[functional]
    before = float(isotonic_regression(a).x[0])
    if late.sum() < FEWEST_LATE or a[late].mean() <= before:
        return None

    def slopes(alignment: Array, start: Array) -> Array:
        """Slopes of curves [curves, late steps] of alignment in units of their rise."""
        rise = alignment.mean(axis=1) - start
        return slope(time[late], alignment) / np.where(rise > 0, rise, np.nan)

    both = np.column_stack([a[late], g[late]])
    fitted = np.column_stack([line(time[late], each) for each in both.T])
    # Two parameters are fitted to each line; the share of the variance that is left of long curves
    # does not hold for these few checkpoints.
    left = max(1 - 2 / late.sum(), 0.1)
    copies = noisy_copies(fitted, both - fitted, rho, left, draws, rng)
    start = np.full(draws, before)
    drawn = np.column_stack([slopes(copies[..., 0], start), slope(time[late], copies[..., 1])])
    without = np.empty((0, 2))
    people = course.people[region]
    if len(people) > 2:
        left_out = leave_one_out(people)
        start = np.array([isotonic_regression(curve).x[0] for curve in left_out])
        moved = slopes(left_out[:, late], start)
        without = np.column_stack([moved, np.full(len(moved), slope(time[late], g[None, late])[0])])
    return Late(
        model=course.model,
        alignment=float(slopes(a[None, late], np.array([before]))[0]),
        functional=float(slope(time[late], g[None, late])[0]),
        steps=int(late.sum()),
        freedom=alike(late.sum() - 2.0, rho),
        draws=drawn,
        people=without,
    )


def late_of(
    courses: Sequence[Courses],
    times: Sequence[Times],
    region: str,
    settings: Settings,
    rng: np.random.Generator,
) -> dict[str, Late]:
    """The late slopes of the models in which the region rises beyond drift and grammar is there."""
    tried = {
        c.model: late_slopes(c, region, FORMAL, FUNCTIONAL, t.rho, rng, settings.bootstrap)
        for c, t in zip(courses, times, strict=True)
        if t.p_rise[region] <= settings.alpha
    }
    return {model: each for model, each in tried.items() if each is not None}


def late_steps(formal: Array) -> NDArray[np.bool_]:
    """The checkpoints from which on formal competence keeps 90 % of the share that it reaches.

    None where that is less than half of its range: grammar has not been learned.
    """
    rising = isotonic_regression(formal).x
    return np.asarray((rising >= ARRIVED * rising[-1]) & (rising[-1] >= HALF))


def slope(time: Array, curves: Array) -> Array:
    """Least-squares slope a decade of each row of curves [curves, steps]."""
    centred = time - time.mean()
    return np.asarray(curves @ centred / (centred @ centred))


def line(time: Array, curve: Array) -> Array:
    """The least-squares line at `time`."""
    return np.asarray(curve.mean() + slope(time, curve[None])[0] * (time - time.mean()))


def mean_slopes(late: Sequence[Late]) -> Means:
    """Mean slopes of alignment and functional competence over models, models being the units."""
    values = np.array([[each.alignment, each.functional] for each in late]).reshape(-1, 2)
    units = {len(each.people) for each in late}
    shared = []
    if len(units) == 1 and units != {0}:
        people = np.stack([each.people for each in late], axis=1)
        shared = [shared_covariance(people, jackknife=True)]
    within = robust_covariance(late[0].draws) if len(late) == 1 else None
    return means(values, shared, within, late[0].freedom if len(late) == 1 else 0.0)


@dataclass(frozen=True)
class Margin:
    """By how much alignment is still, and functional competence is not: the least of three."""

    value: float
    low: float
    high: float
    p: float
    parts: dict[str, tuple[float, float, float]]  # what must be above 0, with its interval


def margin(slopes: Means, alpha: float = 0.05, still: float = STILL) -> Margin:
    """The intersection-union of three statements about mean slopes a (alignment) and g.

    still − a > 0 and still + a > 0 (two one-sided tests, Schuirmann 1987) and g − a > 0. Their
    least holds as far as all do (Berger 1982), so that its bounds are the least of the bounds; p is
    two-sided, of the statement that is furthest from holding in units of its error.
    """
    found = {
        "no rise": (still, (-1.0, 0.0)),
        "no fall": (still, (1.0, 0.0)),
        "functional grows faster": (0.0, (-1.0, 1.0)),
    }
    parts, ratios = {}, []
    for name, (offset, weights) in found.items():
        value, se = slopes.along(weights)
        value += offset
        parts[name] = (value, *t_interval(value, se, slopes.freedom, alpha))
        ratios.append(value / se if se > 0 else np.nan)
    value, low, high = (float(np.min(each)) for each in zip(*parts.values(), strict=True))
    p = float(2 * stats.t.sf(abs(np.min(ratios)), slopes.freedom))
    return Margin(value, low, high, p, parts)
