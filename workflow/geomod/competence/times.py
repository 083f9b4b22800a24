"""The half-times of all curves of a sweep, and how they move together.

One checkpoint moves alignment and competence at once, participants move the alignment of all
models, items the competence of all models. Each is drawn as a whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geomod.competence.half_times import HalfTime, half_time, has_own_range
from geomod.competence.position import Means, means, robust_covariance, shared_covariance
from geomod.curves.curves import Curves, mean_ignoring_nan
from geomod.curves.settings import Settings
from geomod.emergence.noise import noisy_copies, step_noise
from geomod.emergence.onsets import (
    FEWEST_STEPS,
    jackknife_se,
    larger_error,
    leave_one_out,
    rise_null,
    rise_p,
    robust_sd,
)

Array = NDArray[np.float64]

HALF = 0.5


@dataclass(frozen=True)
class Courses:
    """One model's curves, on the steps at which all of them were measured."""

    model: str
    time: Array  # [steps]
    curves: Mapping[str, Array]  # region or family → [steps]
    people: Mapping[str, Array]  # region → [participants, steps]
    retaken: Mapping[str, Array]  # family → [draws, steps]
    ceilings: Mapping[str, float]  # region → r


def courses_of(
    curves: Sequence[Curves], groups: Mapping[str, Sequence[str]], names: Sequence[str]
) -> list[Courses]:
    """The models that have alignment of every group of regions and the families in `names`.

    Alignment is the mean over the blocks, as its emergence is.
    """
    found = []
    for c in curves:
        if not set(names) <= set(c.competence):
            continue
        regions = {g: mean_ignoring_nan(c.of(r), axis=1) for g, r in groups.items()}
        every = regions | {name: c.competence[name] for name in names}
        seen = np.all([np.isfinite(curve) for curve in every.values()], axis=0)
        if seen.sum() < FEWEST_STEPS:
            continue
        people = {g: mean_ignoring_nan(c.people_of(r), axis=2)[:, seen] for g, r in groups.items()}
        known = {g: [c.ceilings.get(region, np.nan) for region in r] for g, r in groups.items()}
        found.append(
            Courses(
                model=c.model,
                time=c.time[seen],
                curves={name: curve[seen] for name, curve in every.items()},
                people={g: p[np.isfinite(p).all(axis=1)] for g, p in people.items()},
                retaken=_whole({n: c.retaken[n][:, seen] for n in names if n in c.retaken}),
                ceilings={g: float(np.mean(values)) for g, values in known.items()},
            )
        )
    return found


def _whole(drawn: Mapping[str, Array]) -> dict[str, Array]:
    """The families whose draws have every step."""
    return {name: each for name, each in drawn.items() if np.isfinite(each).all()}


@dataclass(frozen=True)
class Times:
    """One model's half-times and the draws in which its curves move together."""

    model: str
    read: Mapping[str, HalfTime]
    p_rise: Mapping[str, float]  # of the regions
    freedom: float  # of the residuals that checkpoints are drawn from
    rho: float  # of those residuals, from checkpoint to checkpoint
    checkpoints: Mapping[str, Array] = field(default_factory=dict)  # name → [draws]
    people: Mapping[str, Array] = field(default_factory=dict)  # region → [participants]
    items: Mapping[str, Array] = field(default_factory=dict)  # family → [draws]

    def of(self, *names: str) -> Array:
        """Half-times [names], NaN where one is censored."""
        return np.array([self.read[name].value for name in names])


def times_of(
    courses: Sequence[Courses],
    regions: Sequence[str],
    known: Sequence[str],
    settings: Settings,
    rng: np.random.Generator,
    draws: int,
) -> list[Times]:
    """Half-times of every curve of every model.

    The families in `known` are shares of a known range and are read at ½. A region's range is its
    own where most models reach a plateau in it, else it ends at the noise ceiling, for all models
    alike; a model that has no plateau of its own has then no half-time (`right`). A region that
    does not rise beyond drift is `flat`. Without `draws` no checkpoints are drawn.
    """
    rho, share = step_noise(
        [(each.time, curve) for each in courses for curve in each.curves.values()], rng
    )
    grids = sorted({tuple(each.time) for each in courses})
    nulls = {grid: rise_null(np.array(grid), rho, settings.bootstrap, rng) for grid in grids}
    rises = [
        {r: rise_p(each.time, each.curves[r], nulls[tuple(each.time)]) for r in regions}
        for each in courses
    ]
    read = [
        {
            name: half_time(each.time, curve, HALF if name in known else None)
            for name, curve in each.curves.items()
        }
        for each in courses
    ]
    for region in regions:
        rising = [p[region] <= settings.alpha for p in rises]
        for own, one in zip(read, on_one_range(region, courses, read, rising), strict=True):
            own[region] = one
    found = []
    for each, own, p in zip(courses, read, rises, strict=True):
        found.append(
            Times(
                model=each.model,
                read=own,
                p_rise=p,
                freedom=alike(len(each.time) - 4.0, rho),
                rho=rho,
                checkpoints=_checkpoints(each, own, rho, share, rng, draws) if draws else {},
                people={
                    r: own[r].again(each.time, _without_each(each, r))
                    for r in regions
                    if len(each.people[r]) > 2
                },
                items={n: own[n].again(each.time, d) for n, d in each.retaken.items()},
            )
        )
    return found


def alike(freedom: float, rho: float) -> float:
    """Degrees of freedom of the variance of AR(1) noise: n (1 − ρ²)/(1 + ρ²) of n points."""
    return max(freedom * (1 - rho**2) / (1 + rho**2), 1.0)


def on_one_range(
    region: str,
    courses: Sequence[Courses],
    read: Sequence[Mapping[str, HalfTime]],
    rising: Sequence[bool],
) -> list[HalfTime]:
    """Half-times of one region's alignment, on a range of one kind for all models.

    Where most models have a plateau, one that has not arrived is read at the plateau of its
    logistic: to leave it out would keep the models whose noise looks like a plateau.
    """
    own = [each[region] for each in read]
    if has_own_range([one for one, rises in zip(own, rising, strict=True) if rises]):
        found = [one.with_plateau() for one in own]
    elif all(np.isfinite(each.ceilings[region]) for each in courses):
        found = [
            half_time(each.time, each.curves[region], HALF * each.ceilings[region])
            for each in courses
        ]
    else:
        found = own
    return [one if rises else one.flat() for one, rises in zip(found, rising, strict=True)]


def _without_each(course: Courses, region: str) -> Array:
    """The region's curve without each participant [participants, steps].

    The average brain is predicted better than people are on average: their mean is brought to its
    size, lest a level be crossed elsewhere for that reason alone.
    """
    people = course.people[region]
    mean = people.mean(axis=0)
    power = float(mean @ mean)
    size = float(mean @ course.curves[region]) / power if power > 0 else 1.0
    return size * leave_one_out(people)


def _checkpoints(
    course: Courses,
    read: Mapping[str, HalfTime],
    rho: float,
    share: float,
    rng: np.random.Generator,
    draws: int,
) -> dict[str, Array]:
    """Half-times [draws] had other checkpoints nearby been saved: noise that moves all curves."""
    fitted = np.column_stack([read[name].fitted for name in course.curves])
    residual = np.column_stack(list(course.curves.values())) - fitted
    copies = noisy_copies(fitted, residual, rho, share, draws, rng)
    return {
        name: read[name].again(course.time, copies[..., i]) for i, name in enumerate(course.curves)
    }


def leads(times: Sequence[Times], to: str, of: Sequence[str]) -> Means:
    """Means over models of t_name − t_to for each name in `of`, with their error.

    Models in which one of the times is censored are left out.
    """
    names = [to, *of]
    known = [each for each in times if np.isfinite(each.of(*names)).all()]
    at = np.array([each.of(*names) for each in known]).reshape(len(known), len(names))
    within = None
    if len(known) == 1 and known[0].checkpoints:
        drawn = np.column_stack([known[0].checkpoints[name] for name in names])
        within = robust_covariance(drawn[:, 1:] - drawn[:, :1])
    return means(
        at[:, 1:] - at[:, :1],
        [
            _shared(known, at, names, [each.people for each in known], jackknife=True),
            _shared(known, at, names, [each.items for each in known], jackknife=False),
        ],
        within,
        known[0].freedom if len(known) == 1 else 0.0,
    )


def _shared(
    known: Sequence[Times],
    at: Array,
    names: Sequence[str],
    again: Sequence[Mapping[str, Array]],
    jackknife: bool,
) -> Array:
    """Covariance of the leads that models have in common through people, or through items."""
    k = len(names) - 1
    moved = [[own.get(name) for name in names] for own in again]
    units = {len(one) for own in moved for one in own if one is not None}
    if len(units) != 1:  # none there, or not the same people
        return np.zeros((k, k))
    (n,) = units
    values = np.array(
        [
            [np.full(n, at[m, i]) if one is None else one for i, one in enumerate(own)]
            for m, own in enumerate(moved)
        ]
    )
    changes = values[:, 1:] - values[:, :1]  # [models, quantities, units]
    return shared_covariance(np.moveaxis(changes, -1, 0), jackknife)


def lag(each: Times, first: str, second: str) -> tuple[float, float, float]:
    """t_first − t_second of one model, its standard error and degrees of freedom.

    The larger of two errors: of the checkpoints, which move both, and of the participants.
    """
    value = float(each.of(first)[0] - each.of(second)[0])
    errors = []
    if each.checkpoints:
        drawn = each.checkpoints[first] - each.checkpoints[second]
        errors.append((robust_sd(drawn), each.freedom))
    people = each.people.get(first, np.empty(0))
    errors.append((jackknife_se(people), len(people) - 1.0))
    return (value, *larger_error(errors)) if np.isfinite(value) else (np.nan, np.nan, 0.0)
