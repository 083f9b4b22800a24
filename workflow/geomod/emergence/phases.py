"""Three phases of training: when do the sentences fill fewer dimensions, when more?

Li et al. 2025 (arXiv 2509.23024) see RankMe fall (*warm-up*), rise (*entropy-seeking*) and fall
again (*compression-seeking*), and give no rule for where one ends. Here the curve, ln RankMe over
the checkpoints, is fitted by a piece that only falls, one that only rises and one that only falls,
by least squares over all pieces and both places where they meet. A piece is a phase where it moves
further than noise that drifts about a constant ever does.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from geomod.curves.estimates import rng_of
from geomod.curves.settings import Settings
from geomod.emergence.noise import autoregressive

Array = NDArray[np.float64]
Places = NDArray[np.int64]

PHASES = ("warm-up", "entropy-seeking", "compression-seeking")
# What a phase does to ln RankMe.
DIRECTIONS = (-1, 1, -1)
# With fewer steps even a clean turn moves no further than drifting noise does.
FEWEST_STEPS = 8
# How alike noise of neighbouring checkpoints is taken to be: see docs/statistics.md.
RHO = 0.8
# A few kinks do not raise this quantile of the second differences, nor does a curve that stands
# still at first lower it.
QUANTILE = 0.75

COLUMNS = [
    "model",
    "layer",
    "phase",
    "start",
    "start_low",
    "start_high",
    "stop",
    "stop_low",
    "stop_high",
    "change",
    "alpha_change",
    "p",
    "found",
    "n_steps",
    "n_unequal",
]


def phases(
    population: pd.DataFrame,
    *,
    variant: str = "eigenvalues",
    seed: int = 0,
    bootstrap: int = Settings.bootstrap,
    alpha: float = Settings.alpha,
) -> pd.DataFrame:
    """The phases of every model and layer, three rows each, from `rankme` of `variant`.

    `start` and `stop` are steps and `…_low`, `…_high` their intervals (percentiles of curves drawn
    anew about the fit; none where training itself begins or ends there). `change` is that of the
    fitted ln RankMe, `alpha_change` that of the exponent of `alpha_req`, which moves the other way
    where the spectrum follows a power law. `p` is that of the change where noise only drifts, and
    `found` says whether it is at most `alpha`; a fall is a phase only where a rise meets it.
    `n_unequal` steps are left out because RankMe rests on fewer sentences there: it grows with
    their number. `population` has the columns of `measure_population`, and model and step.
    """
    rank = population[(population["metric"] == "rankme") & (population["variant"] == variant)]
    exponent = population[
        (population["metric"] == "alpha_req") & (population["variant"] == "alpha")
    ].set_index(["model", "layer", "step"])["value"]
    nulls: dict[int, tuple[Array, float]] = {}
    rows: list[dict[str, object]] = []
    for (model, layer), own in rank.groupby(["model", "layer"], sort=False):
        own = own[own["value"] > 0].sort_values("step")
        equal = own[own["n"] == own["n"].max()]
        steps, curve = equal["step"].to_numpy(), np.log(equal["value"].to_numpy(dtype=float))
        if len(steps) not in nulls:
            nulls[len(steps)] = drift(len(steps), bootstrap, rng_of(seed, "drift", len(steps)))
        rng = rng_of(seed, "phases", str(model), int(layer))
        alphas = exponent.reindex([(model, layer, step) for step in steps]).to_numpy()
        for found in _describe(steps, curve, alphas, nulls[len(steps)], bootstrap, alpha, rng):
            unequal = len(own) - len(equal)
            rows.append({"model": model, "layer": layer, **found, "n_unequal": unequal})
    return pd.DataFrame(rows, columns=COLUMNS)


def _describe(
    steps: NDArray[np.int64],
    curve: Array,
    alphas: Array,
    null: tuple[Array, float],
    bootstrap: int,
    alpha: float,
    rng: np.random.Generator,
) -> list[dict[str, object]]:
    """A row a phase of one curve."""
    nothing = dict.fromkeys(COLUMNS[3:12], np.nan)
    if len(steps) < FEWEST_STEPS:
        few = {**nothing, "found": False, "n_steps": len(steps)}
        return [{"phase": name, **few} for name in PHASES]
    widest, unit = null
    cuts = find_turns(curve[None])
    valley, peak = (int(place[0]) for place in ends_of(curve[None], cuts))
    places = [0, valley, peak, len(curve) - 1]
    fitted = fit(curve, [int(cut[0]) for cut in cuts])
    noise = scatter(curve[None])[0]
    # What is left of a constant curve is rounding.
    noise = noise if noise > 1e-9 * np.abs(curve).max() else 0.0
    changes = np.diff(fitted[places])
    changes[np.abs(changes) <= 1e-9 * np.abs(curve).max()] = 0
    moved = np.maximum(np.array(DIRECTIONS) * changes, 0)
    p = [exceedance(move, noise, widest) for move in moved]
    beyond = np.array([each <= alpha for each in p])
    found = beyond & (beyond[1] | np.array([False, True, False]))
    intervals = [(np.nan, np.nan)] * 4
    if found[0] or found[2]:
        drawn = fitted + noise / unit * autoregressive(RHO, (bootstrap, len(curve)), rng, axis=1)
        turned = ends_of(drawn, find_turns(drawn))
        for turn, fall in ((0, 0), (1, 2)):
            if found[fall]:
                low, high = np.percentile(turned[turn], [2.5, 97.5], method="nearest").astype(int)
                intervals[turn + 1] = (float(steps[low]), float(steps[high]))
    # Where a fall is none, the rise goes from the first step, or to the last.
    places = [0, valley if found[0] else 0, peak if found[2] else len(curve) - 1, len(curve) - 1]
    rows: list[dict[str, object]] = []
    for i, name in enumerate(PHASES):
        start, stop = places[i], places[i + 1]
        row = {**nothing, "phase": name, "p": p[i], "found": bool(found[i]), "n_steps": len(steps)}
        if found[i]:
            row |= {"start": float(steps[start]), "stop": float(steps[stop])}
            row |= dict(zip(("start_low", "start_high"), intervals[i], strict=True))
            row |= dict(zip(("stop_low", "stop_high"), intervals[i + 1], strict=True))
            row |= {"alpha_change": alphas[stop] - alphas[start]}
        rows.append(row | {"change": changes[i]})
    return rows


def find_turns(curves: Array) -> tuple[Places, Places]:
    """Where the pieces of each row [curves, steps] meet that falls, rises and falls: the first step
    of the rise, and the first of the second fall.

    Any of the pieces may be empty. That they are fitted independently costs nothing: where two
    meet, the lower end is the valley and the higher end the peak of a curve that does turn.
    """
    count, steps = curves.shape
    falling, last = rising_error(-curves), rising_error(curves[:, ::-1])[:, ::-1]
    least = np.full(count, np.inf)
    cuts = np.zeros((2, count), dtype=np.int64)
    for first in range(steps + 1):
        whole = falling[:, [first]] + rising_error(curves[:, first:]) + last[:, first:]
        second = whole.argmin(axis=1)
        errors = whole[np.arange(count), second]
        better = errors < least
        least = np.where(better, errors, least)
        cuts[:, better] = np.stack([np.full(count, first), first + second])[:, better]
    return cuts[0], cuts[1]


def ends_of(curves: Array, cuts: tuple[Places, Places]) -> tuple[Places, Places]:
    """The places of valley and peak of each row: the lower and the higher step beside the cuts."""
    valleys, peaks = _higher(-curves, cuts[0]), _higher(curves, cuts[1])
    return valleys, np.maximum(valleys, peaks)


def _higher(curves: Array, cuts: Places) -> Places:
    rows, last = np.arange(len(curves)), curves.shape[1] - 1
    before, after = np.clip(cuts - 1, 0, last), np.clip(cuts, 0, last)
    return np.where(curves[rows, before] >= curves[rows, after], before, after)


def fit(curve: Array, cuts: Sequence[int]) -> Array:
    """The curve [steps] that falls up to the first cut, rises to the second and falls."""
    pieces = np.split(curve, cuts)
    return np.concatenate(
        [
            isotonic_regression(piece, increasing=direction > 0).x if len(piece) else piece
            for piece, direction in zip(pieces, DIRECTIONS, strict=True)
        ]
    )


def rising_error(curves: Array) -> Array:
    """Squared error of the best rising fit to the first k steps of each row: [curves, steps + 1].

    Pool adjacent violators, all rows at once: a step that lies below the level before it is pooled
    with it, and so on.
    """
    count, steps = curves.shape
    level, size = np.zeros((2, count, steps))
    top = np.full(count, -1)
    error = np.zeros((count, steps + 1))
    for k in range(steps):
        top += 1
        level[np.arange(count), top], size[np.arange(count), top] = curves[:, k], 1
        error[:, k + 1] = error[:, k]
        rows = np.arange(count)
        while len(rows := rows[top[rows] > 0]):
            upper, lower = (level[rows, top[rows] - back] for back in (1, 0))
            rows = rows[upper > lower]
            apart = (upper - lower)[upper > lower]
            place = top[rows]
            weights = size[rows, place - 1], size[rows, place]
            total = weights[0] + weights[1]
            error[rows, k + 1] += weights[0] * weights[1] / total * apart**2
            level[rows, place - 1] -= weights[1] / total * apart
            size[rows, place - 1] = total
            top[rows] -= 1
    return error


def scatter(curves: Array) -> Array:
    """How far each row [curves, steps] scatters from step to step.

    A quantile of the second differences |y_{t+1} − 2y_t + y_{t−1}|, to which a slope adds nothing.
    """
    return np.quantile(np.abs(np.diff(curves, 2, axis=1)), QUANTILE, axis=1)


def drift(steps: int, draws: int, rng: np.random.Generator) -> tuple[Array, float]:
    """How far AR(1) noise about a constant moves at most, up or down, in units of its `scatter`
    [draws]; and the mean scatter of such noise of variance 1.

    A phase moves no further than the curve does within it. Were the truth constant, or moved the
    other way there, no more would come of noise than this, so that the p of a phase is not too
    small, and that of the best of three phases neither.
    """
    if steps < FEWEST_STEPS:
        return np.empty(0), 1.0
    noise = autoregressive(RHO, (draws, steps), rng, axis=1)
    moves = [(np.maximum.accumulate(each, axis=1) - each).max(axis=1) for each in (noise, -noise)]
    scattered = scatter(noise)
    return np.max(moves, axis=0) / scattered, float(scattered.mean())


def exceedance(move: float, noise: float, widest: Array) -> float:
    """(1 + #{null ≥ move / noise}) / (1 + draws)."""
    reached = np.inf if noise == 0 < move else move / (noise or 1.0)
    return float((1 + np.sum(widest >= reached)) / (1 + len(widest)))
