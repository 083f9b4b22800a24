"""Clusterings of a model's layers, many small problems at once.

The nulls need thousands of clusterings of a few dozen points. k-means and the silhouette are
therefore written for a batch of problems, points [problems, points, dimensions]; the other
methods are the libraries', one problem at a time.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.mixture import GaussianMixture

Array = NDArray[np.float64]
Labels = NDArray[np.int64]


def standardize(points: Array) -> Array:
    """Zero mean and unit SD (ddof 0) over the points; a constant dimension becomes zero."""
    centred = points - points.mean(axis=-2, keepdims=True)
    spread = centred.std(axis=-2, keepdims=True)
    scale = np.abs(points).max(axis=-2, keepdims=True)
    constant = spread <= 1e-12 * scale
    return np.where(constant, 0.0, centred / np.where(constant, 1.0, spread))


def kmeans(points: Array, k: int, rng: np.random.Generator, restarts: int = 4) -> Labels:
    """Lloyd's algorithm from contiguous chunks over depth and from random points, the best kept.

    The least within-cluster sum of squares over the starts is a local optimum, as in every
    k-means; with a few dozen points and this many starts it is nearly always the global one.
    """
    problems, n, _ = points.shape
    chunks = np.repeat(np.arange(k)[None] * n // k + n // (2 * k), problems, axis=0)
    best, best_cost = np.zeros((problems, n), dtype=np.int64), np.full(problems, np.inf)
    for restart in range(restarts):
        start = chunks if restart == 0 else rng.random((problems, n)).argsort(axis=1)[:, :k]
        labels = _lloyd(points, np.take_along_axis(points, start[..., None], axis=1))
        cost = dispersion(points, labels, k)
        better = cost < best_cost
        best[better], best_cost[better] = labels[better], cost[better]
    return best


def _lloyd(points: Array, centres: Array, iterations: int = 50) -> Labels:
    labels = np.full(points.shape[:2], -1)
    for _ in range(iterations):
        distance = ((points[:, :, None] - centres[:, None]) ** 2).sum(axis=-1)
        previous, labels = labels, distance.argmin(axis=-1)
        if np.array_equal(previous, labels):
            break
        members = labels[:, :, None] == np.arange(centres.shape[1])  # [problems, points, k]
        count = members.sum(axis=1)
        total = np.einsum("pnk,pnd->pkd", members.astype(float), points)
        # An emptied cluster keeps its centre: it may win points back, and never divides by zero.
        centres = np.where(count[..., None] > 0, total / np.maximum(count, 1)[..., None], centres)
    return labels


def ward(points: Array, k: int, rng: np.random.Generator) -> Labels:
    """Ward's agglomerative clustering, cut at k clusters."""
    return np.stack([fcluster(linkage(p, "ward"), k, criterion="maxclust") - 1 for p in points])


def gaussian_mixture(points: Array, k: int, rng: np.random.Generator) -> Labels:
    """The likeliest component of a mixture of k spherical Gaussians.

    Spherical, because a full covariance has more parameters than a small model has layers.
    """
    seeds = rng.integers(2**31, size=len(points))
    return np.stack(
        [
            GaussianMixture(k, covariance_type="spherical", random_state=int(seed), reg_covar=1e-3)
            .fit(p)
            .predict(p)
            for p, seed in zip(points, seeds, strict=True)
        ]
    )


def contiguous(points: Array, k: int, rng: np.random.Generator) -> Labels:
    """The k runs of neighbouring layers with the least within-run sum of squares, exactly.

    Dynamic programming over the last boundary (Fisher 1958, J Am Stat Assoc 53:789).
    """
    problems, n, _ = points.shape
    cost = np.full((problems, n + 1, n + 1), np.inf)  # of the run [start, stop)
    for start in range(n):
        run = points[:, start:]
        length = np.arange(1, n - start + 1)
        squares = np.cumsum((run**2).sum(axis=-1), axis=1)
        mean_squares = (np.cumsum(run, axis=1) ** 2).sum(axis=-1) / length
        cost[:, start, start + 1 :] = squares - mean_squares
    least, boundaries = cost[:, 0], []
    for _ in range(k - 1):
        through = least[:, :, None] + cost  # [problems, boundary, stop]
        boundaries.append(through.argmin(axis=1))
        least = through.min(axis=1)
    labels = np.zeros((problems, n), dtype=np.int64)
    stop = np.full(problems, n)
    for boundary in reversed(boundaries):
        stop = boundary[np.arange(problems), stop]
        labels += np.arange(n)[None] >= stop[:, None]
    return labels


METHODS: dict[str, Callable[[Array, int, np.random.Generator], Labels]] = {
    "kmeans": kmeans,
    "gaussian_mixture": gaussian_mixture,
    "ward": ward,
    "contiguous": contiguous,
}


def dispersion(points: Array, labels: Labels, k: int) -> Array:
    """Sum of squared distances to the own cluster's mean, for each problem."""
    members = (labels[:, :, None] == np.arange(k)).astype(float)
    total = np.einsum("pnk,pnd->pkd", members, points)
    count = np.maximum(members.sum(axis=1), 1)
    return (points**2).sum(axis=(1, 2)) - ((total**2).sum(axis=-1) / count).sum(axis=1)


def silhouette(points: Array, labels: Labels, k: int) -> Array:
    """Mean silhouette (b − a) / max(a, b) of each problem (Rousseeuw 1987); in −1 … 1.

    a is a point's mean distance to its own cluster, b to the nearest other one. A point alone in
    its cluster counts 0; a problem with fewer than two clusters is NaN.
    """
    distance = np.sqrt(((points[:, :, None] - points[:, None]) ** 2).sum(axis=-1))
    members = (labels[:, :, None] == np.arange(k)).astype(float)
    total = np.einsum("pij,pjk->pik", distance, members)
    count = members.sum(axis=1)[:, None]
    own = members.astype(bool)
    size = np.where(own, count, 0).sum(axis=-1)
    a = np.where(own, total, 0).sum(axis=-1) / np.maximum(size - 1, 1)
    b = np.where(own | (count == 0), np.inf, total / np.maximum(count, 1)).min(axis=-1)
    b = np.where(np.isfinite(b), b, 0.0)  # one cluster has no nearest other; NaN below
    widest = np.maximum(a, b)
    value = np.where((size > 1) & (widest > 0), (b - a) / np.where(widest > 0, widest, 1), 0)
    return np.where((count[:, 0] > 0).sum(axis=-1) > 1, value.mean(axis=1), np.nan)
