"""Do temporal regions align earlier in training than frontal ones?

The contrast is the mean t50 of one group of regions minus that of the other, within a model, in
log10(step + 1): −1 is ten times earlier.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geomod.curves.curves import Curves, mean_ignoring_nan
from geomod.emergence.noise import noisy_copies, step_noise
from geomod.emergence.onsets import (
    FEWEST_STEPS,
    Onset,
    fitted_curve,
    jackknife_se,
    larger_error,
    leave_one_out,
    onsets,
    read_onset,
    rise_null,
    rise_p,
    robust_sd,
)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Contrast:
    """One model's difference in t50, and how it varies with checkpoints and participants."""

    value: float
    draws: Array  # AR(1) bootstrap over steps
    left_out: Array  # without each participant
    freedom: int  # of the residuals that the bootstrap draws on
    onsets: dict[str, Onset]


def timing_contrasts(
    curves: Sequence[Curves],
    early: Sequence[str],
    late: Sequence[str],
    rng: np.random.Generator,
    draws: int,
    alpha: float,
) -> dict[str, Contrast]:
    """t50 of `early` minus `late` regions, by model; absent without an onset on each side."""
    read = {c.model: _read_regions(c, (*early, *late)) for c in curves}
    noise = step_noise([(r.time, r.curve) for found in read.values() for r in found], rng)
    contrasts = {}
    for model, regions in read.items():
        found = {r.region: r for r in _with_onset(regions, noise[0], draws, rng, alpha)}
        sides = [[found[region] for region in group if region in found] for group in (early, late)]
        if all(sides):
            contrasts[model] = _contrast(sides[0], sides[1], noise, draws, rng)
    return contrasts


@dataclass(frozen=True)
class _Read:
    region: str
    time: Array
    curve: Array
    people: Array  # [participants, steps], none where one of them misses a step
    onset: Onset


def _read_regions(curves: Curves, regions: Sequence[str]) -> list[_Read]:
    """The regions' curves, on the steps at which all that were measured have scores."""
    present = [r for r in regions if np.isfinite(curves.of([r])).any()]
    wide = np.array([mean_ignoring_nan(curves.of([r]), axis=1) for r in present])
    seen = np.isfinite(wide).all(axis=0) if present else np.zeros(len(curves.steps), dtype=bool)
    found = []
    if seen.sum() >= FEWEST_STEPS:
        for region, curve in zip(present, wide, strict=True):
            time = curves.time[seen]
            people = mean_ignoring_nan(curves.people_of([region]), axis=2)[:, seen]
            people = people[np.isfinite(people).all(axis=1)]
            found.append(_Read(region, time, curve[seen], people, read_onset(time, curve[seen])))
    return found


def _with_onset(
    regions: Sequence[_Read], rho: float, draws: int, rng: np.random.Generator, alpha: float
) -> list[_Read]:
    """Those that rise by more than noise of this autocorrelation does by drifting."""
    rising = [r for r in regions if r.onset.method != "none"]
    null = rise_null(rising[0].time, rho, draws, rng) if rising else np.empty(0)
    return [r for r in rising if rise_p(r.time, r.curve, null) <= alpha]


def _contrast(
    early: list[_Read],
    late: list[_Read],
    noise: tuple[float, float],
    draws: int,
    rng: np.random.Generator,
) -> Contrast:
    both = [*early, *late]
    weight = np.array([1 / len(early)] * len(early) + [-1 / len(late)] * len(late))
    fitted = np.column_stack([fitted_curve(r.time, r.curve, r.onset) for r in both])
    residual = np.column_stack([r.curve for r in both]) - fitted
    copies = noisy_copies(fitted, residual, *noise, draws, rng)
    drawn = np.column_stack(
        [onsets(r.time, copies[..., i], r.onset.method) for i, r in enumerate(both)]
    )
    people = {len(r.people) for r in both}
    left_out = np.empty(0)
    if len(people) == 1 and people.pop() > 2:
        left_out = np.column_stack(
            [onsets(r.time, leave_one_out(r.people), r.onset.method) for r in both]
        )
    return Contrast(
        value=float(weight @ [r.onset.t50 for r in both]),
        draws=drawn @ weight,
        left_out=left_out @ weight if len(left_out) else left_out,
        freedom=len(both[0].time) - 4,
        onsets={r.region: r.onset for r in both},
    )


def mean_contrast(contrasts: Sequence[Contrast], same_people: bool) -> tuple[float, float, float]:
    """Mean over models with its standard error and degrees of freedom.

    Checkpoint noise is independent between models; participants, where they are the same people,
    are left out of all models at once. The larger of the two errors counts.
    """
    k = len(contrasts)
    value = float(np.mean([c.value for c in contrasts]))
    steps = np.sqrt(np.sum([robust_sd(c.draws) ** 2 for c in contrasts])) / k
    sizes = {len(c.left_out) for c in contrasts}
    if same_people and len(sizes) == 1:
        people = jackknife_se(np.mean([c.left_out for c in contrasts], axis=0))
        freedom = sizes.pop() - 1
    else:
        people = np.sqrt(np.sum([jackknife_se(c.left_out) ** 2 for c in contrasts])) / k
        freedom = sum(max(size - 1, 0) for size in sizes)
    return value, *larger_error(
        [(float(steps), sum(c.freedom for c in contrasts)), (float(people), freedom)]
    )
