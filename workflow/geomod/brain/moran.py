"""Are neighbouring voxels alike? Moran's I of a map, and maps that are as smooth and mean nothing.

Smoothing alone makes I: white noise that was smoothed by two voxels has I = .6. A map is therefore
never held against shuffled voxels, but against draws that keep its I exactly (`spectral_draws`), or
against the same map at step 0.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

Array = NDArray[np.float64]

REACH = {6: 1.0, 18: 2**0.5, 26: 3**0.5}  # in voxels: faces, edges too, corners too


def neighbours(
    positions: NDArray[np.integer], shape: tuple[int, ...], count: Literal[6, 18, 26] = 26
) -> csr_array:
    """Weights [voxels, voxels], 1 where two voxels touch and 0 elsewhere.

    `positions` count the voxels of an image of `shape` in Fortran order, as those of
    `brain.voxels.Voxels` do.
    """
    places = np.column_stack(np.unravel_index(np.asarray(positions), shape, order="F"))
    pairs = cKDTree(places).query_pairs(REACH[count] + 1e-6, output_type="ndarray")
    rows, columns = np.concatenate([pairs, pairs[:, ::-1]]).T
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(places), len(places)))


def moran(values: Array, weights: csr_array) -> float:
    """I = (n / Σ w) zᵀ W z / zᵀ z, z the values less their mean (Moran 1950).

    Voxels without neighbours, or whose value is not finite, are left out with their weights. NaN
    where none are left, or they do not vary.
    """
    known = np.isfinite(values)
    w = weights[known][:, known]
    linked = np.asarray(w.sum(axis=1)).ravel() > 0
    w, z = w[linked][:, linked], np.asarray(values, dtype=float)[known][linked]
    z = z - z.mean() if len(z) else z
    power, total = float(z @ z), float(w.sum())
    if power <= 1e-24 * len(z) * float(np.abs(values[known]).max(initial=0)) ** 2 or total == 0:
        return np.nan
    return float(len(z) / total * (z @ (w @ z)) / power)


def expected(n: int) -> float:
    """E[I] = −1/(n − 1) of values without order."""
    return -1 / (n - 1)


def variance(weights: csr_array) -> float:
    """Var[I] of n independent normal values: (n² S₁ − n S₂ + 3 S₀²) / ((n² − 1) S₀²) − E[I]²."""
    n = weights.shape[0]
    s0 = weights.sum()
    s1 = (weights + weights.T).power(2).sum() / 2
    s2 = np.square(weights.sum(axis=0) + weights.sum(axis=1)).sum()
    return float((n**2 * s1 - n * s2 + 3 * s0**2) / ((n**2 - 1) * s0**2) - expected(n) ** 2)


def basis(weights: csr_array) -> Array:
    """Eigenvectors [voxels, voxels − 1] of H W H, H = I − 1/n: all maps of mean 0 by how smooth
    they are.

    The cost is n³, once for all maps of one mask: 2,000 voxels take seconds, more than 10,000 are
    too many. Weights must be symmetric.
    """
    dense = weights.toarray()
    means = dense.mean(axis=0)
    centred = dense - means[:, None] - means[None, :] + means.mean()
    # The constant map is an eigenvector, and with an eigenvalue above all others the last one.
    beyond = 1 + np.abs(centred).sum(axis=1).max()
    vectors: Array = np.linalg.eigh(centred + beyond / len(dense))[1][:, :-1]
    return vectors


def spectral_draws(values: Array, vectors: Array, draws: int, rng: np.random.Generator) -> Array:
    """Maps [draws, voxels] with the mean, the variance and the I of `values`, else at random.

    Moran spectral randomization (Wagner and Dray 2015): the map's coordinates along the
    eigenvectors of H W H, the `basis`, keep their size and get random signs.
    """
    along = vectors.T @ (values - values.mean())
    signs = rng.choice([-1.0, 1.0], size=(draws, len(along)))
    return values.mean() + (signs * along) @ vectors.T


def correlation_p(
    x: Array, y: Array, vectors: Array | None, draws: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Pearson's r of two maps, and its two-sided p where x is as smooth but unrelated to y.

    NaN of maps that are constant or not finite everywhere; without a basis p alone is.
    """
    if not (np.ptp(x) > 0 and np.ptp(y) > 0):
        return np.nan, np.nan
    r = float(np.corrcoef(x, y)[0, 1])
    if vectors is None:
        return r, np.nan
    drawn = spectral_draws(x, vectors, draws, rng)
    drawn = drawn - drawn.mean(axis=1, keepdims=True)
    other = y - y.mean()
    null = drawn @ other / np.sqrt((drawn**2).sum(axis=1) * (other @ other))
    return r, float((1 + (np.abs(null) >= abs(r) - 1e-12).sum()) / (1 + draws))
