"""Does one thing over depth go with another, beyond what runs smoothly over depth?

A trend over depth is a parabola, or ends that decay: the first blocks still carry the input and the
last ones prepare the output, so that both their geometry and their scores may leave those of the
other blocks without having to do with one another.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from geomod.coupling.within_depth import (
    Pair,
    depth_degree,
    fisher_z,
    residuals_over_layers,
    signs_flipped,
    waves_beyond,
)
from geomod.curves.curves import relative_depth
from geomod.curves.estimates import permutation_p

Array = NDArray[np.float64]

DECAYS = (0.03, 0.06, 0.12, 0.25)  # of ends, as a share of the depth
# Decay, 0 for a parabola → how much such a trend counts before anything is seen.
TRENDS = {0.0: 0.5, **dict.fromkeys(DECAYS, 0.5 / len(DECAYS))}
LEAST = 1e-12  # share of a score's variance: a trend that leaves nothing has no logarithm


def beyond_trends(
    pairs: Sequence[Pair], draws: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Mean Fisher z over models, and its p, of predictor and score [steps, layers] as they are.

    Under each trend the sign of every wave over depth that it leaves is drawn anew, as `wave_null`
    does; z and p are means over trends, weighed by how likely they make the scores of all models.
    """
    weight, found = [], []
    for decay, prior in TRENDS.items():
        nulls, zs, log_likelihood = [], [], 0.0
        for x, score in pairs:
            basis, waves = trend(decay, score.shape[1])
            log_likelihood += _log_likelihood(score, basis)
            r, null = signs_flipped(x @ waves, score @ waves, draws, rng)
            if np.isfinite(r):
                zs.append(fisher_z(r))
                nulls.append(fisher_z(null))
        if zs:
            z = float(np.mean(zs))
            found.append((z, permutation_p(z, np.mean(nulls, axis=0))))
            weight.append(np.log(prior) + log_likelihood)
    if not found:
        return np.nan, np.nan
    z, p = softmax(weight) @ np.array(found)
    return float(z), float(p)


@cache
def trend(decay: float, layers: int) -> tuple[Array, Array]:
    """Basis [layers, q] of a trend, and the waves [layers, layers − q] that it leaves.

    Four blocks have a line, three a level, whatever the trend: they have no ends to spare.
    """
    depth, degree = relative_depth(layers), depth_degree(layers)
    if decay and degree == 2:
        ends = np.exp(-np.stack([depth, 1 - depth], axis=-1) / decay)
        basis = np.column_stack([np.ones(layers), ends])
    else:
        basis = np.vander(depth, degree + 1)
    return basis, waves_beyond(basis)


def _log_likelihood(score: Array, basis: Array) -> float:
    """Of a score [steps, layers] with this trend and scatter about it, as if it were one step."""
    left = float((residuals_over_layers(score, basis) ** 2).sum())
    least = LEAST * float(((score - score.mean(axis=1, keepdims=True)) ** 2).sum())
    return -score.shape[1] / 2 * float(np.log(max(left, least, np.finfo(float).tiny)))
