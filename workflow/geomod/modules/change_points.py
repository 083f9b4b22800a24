"""Where the geometry of a model jumps: from one block to the next, and from one step to the next.

A list of places, not a test: a steep smooth gradient is cut into steps too. Whether layers form
more than a gradient is asked in `geomod.modules.partition`.
"""

import logging
from functools import cache

import numpy as np
import pandas as pd
import ruptures
from numpy.typing import NDArray

from geomod.modules.partition import layer_points

Array = NDArray[np.float64]

log = logging.getLogger(__name__)

SHORTEST = 2  # positions of a stretch
COLUMNS = ["model", "over", "step", "layer", "entropy_jump", "curvature_jump"]


def find_change_points(
    geometry: pd.DataFrame, entropy: str = "raw", curvature: str = "hosseini"
) -> pd.DataFrame:
    """One row a jump in (entropy, curvature), of blocks only.

    `over` says along which axis: with `depth` the blocks of this step change their level at this
    layer, with `training` this layer does at this step; both name the first place after the jump.
    The jumps are differences of the means of the stretches before and after it (nats, radians).
    """
    rows = []
    for model, table in geometry[geometry["layer"] > 0].groupby("model", sort=True):
        layers, steps, points = layer_points(table, entropy, curvature)
        for i, step in enumerate(steps):
            for place, *jumps in _jumps(points[i]):
                rows.append((model, "depth", step, layers[place], *jumps))
        for j, layer in enumerate(layers):
            for place, *jumps in _jumps(points[:, j]):
                rows.append((model, "training", steps[place], layer, *jumps))
        log.info("change points of %s", model)
    return pd.DataFrame(rows, columns=COLUMNS)


def _jumps(signal: Array) -> list[tuple[int, float, float]]:
    """Where a signal [positions, 2] changes its level, and by how much in each dimension."""
    places = change_points(signal)
    if not places:
        return []
    means = [part.mean(axis=0) for part in np.split(signal, places)]
    return [(place, *jump) for place, jump in zip(places, np.diff(means, axis=0), strict=True)]


def change_points(signal: Array) -> list[int]:
    """Indices at which a signal [positions, dimensions] changes its level.

    PELT with least squares (Killick, Fearnhead & Eckley 2012) on the signal in units of its noise,
    that from the median absolute successive difference, which a few jumps do not inflate. A
    change costs what `penalty` says; stretches have at least two positions.
    """
    signal = np.atleast_2d(np.asarray(signal, dtype=float).T).T
    if len(signal) < 2 * SHORTEST:
        return []
    search = ruptures.Pelt(model="l2", min_size=SHORTEST, jump=1)
    places = search.fit(_in_units_of_noise(signal)).predict(pen=penalty(*signal.shape))
    return [int(place) for place in places[:-1]]


@cache
def penalty(positions: int, dimensions: int, draws: int = 2000) -> float:
    """The gain of the best single cut that white noise exceeds in 5 % of draws.

    Simulated, since information criteria take the noise as known, which it is not with ten
    positions.
    """
    noise = np.random.default_rng(0).standard_normal((draws, positions, dimensions))
    noise = _in_units_of_noise(noise)
    after = np.arange(SHORTEST, positions - SHORTEST + 1)[:, None]
    before_sum = np.cumsum(noise, axis=1)[:, after[:, 0] - 1]
    after_sum = noise.sum(axis=1, keepdims=True) - before_sum
    jump = before_sum / after - after_sum / (positions - after)
    gain = (after * (positions - after) / positions * jump**2).sum(axis=-1).max(axis=1)
    return float(np.quantile(gain, 0.95))


def _in_units_of_noise(signal: Array) -> Array:
    """signal [..., positions, dimensions]; a dimension that hardly ever moves stays as it is."""
    moves = np.abs(np.diff(signal, axis=-2))
    spread = np.median(moves, axis=-2, keepdims=True) / (0.6745 * np.sqrt(2))
    return signal / np.where(spread > 0, spread, 1.0)
