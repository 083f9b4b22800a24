"""Clusterings of a model's layers, many small problems at once.

The nulls need thousands of clusterings of a few dozen points. k-means and the silhouette are
therefore written for a batch of problems, points [problems, points, dimensions]; the other
methods are the libraries', one problem at a time.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.special import stirling2

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Method = Callable[[Array, int], Labels]

# 9 points can be split into three, and 8 into four, in fewer ways.
MOST_WAYS = 4095
STARTS = 16


def standardize(points: Array) -> Array:
    """Zero mean and unit SD (ddof 0) over the points; a constant dimension becomes zero."""
    centred = points - points.mean(axis=-2, keepdims=True)
    spread = centred.std(axis=-2, keepdims=True)
    scale = np.abs(points).max(axis=-2, keepdims=True)
    constant = spread <= 1e-12 * scale
    return np.where(constant, 0.0, centred / np.where(constant, 1.0, spread))


def kmeans(points: Array, k: int) -> Labels:
    """The k clusters with the least within-cluster sum of squares.

    Exact for two clusters in a plane, and where there are at most MOST_WAYS ways to split the
    points. Else the best of Lloyd's answers from the best runs of neighbours and from STARTS
    random sets of points: a local optimum, as in every k-means, but never worse than those runs.
    """
    n, dimensions = points.shape[1:]
    if k == 2 and dimensions == 2:
        return _best_of(points, halves(points))
    if stirling2(n, k, exact=True) <= MOST_WAYS:
        return _best_of(points, ways(n, k)[None])
    runs = (contiguous(points, k)[:, :, None] == np.arange(k)).astype(float)
    centres = [np.einsum("pnk,pnd->pkd", runs, points) / runs.sum(axis=1)[..., None]]
    starts = np.random.default_rng([n, k])
    centres += [points[:, starts.permutation(n)[:k]] for _ in range(STARTS)]
    found = np.stack([_lloyd(points, start) for start in centres])
    cost = np.stack([dispersion(points, labels, k) for labels in found])
    return found[cost.argmin(axis=0), np.arange(len(points))]


def halves(points: Array) -> Labels:
    """Every way to split points of the plane by a straight line: [problems, ways, points].

    Two clusters of k-means lie on the two sides of a line. It can be moved until it touches both,
    one point of each, with all of the one cluster to its left or on it, before the place between
    the two points, and all of the other to its right or on it, after that place. So the lines
    through two points are all that there are to try.
    """
    first, second = np.triu_indices(points.shape[1], 1)
    start, stop = points[:, first, None], points[:, second, None]
    x, y = np.moveaxis(points[:, None] - (start + stop) / 2, -1, 0)
    dx, dy = np.moveaxis(stop - start, -1, 0)
    left, along = dx * y - dy * x, dx * x + dy * y
    on_it = np.abs(left) <= 1e-12 * np.abs(points).max(initial=0) ** 2
    return np.where(on_it, along < 0, left > 0).astype(np.int64)


@cache
def ways(n: int, k: int) -> Labels:
    """Every way to split n points into k clusters, [ways, n]; S(n, k) of them (Stirling).

    A cluster is named when its first point comes, so that no split is counted twice.
    """
    found = np.zeros((1, 1), dtype=np.int64)
    for _ in range(n - 1):
        label = np.arange(k)[None]
        row, new = np.nonzero(label <= found.max(axis=1, keepdims=True) + 1)
        found = np.column_stack([found[row], new])
    return found[found.max(axis=1) == k - 1]


def _best_of(points: Array, splits: Labels) -> Labels:
    """Of splits [problems or 1, ways, points], that with the least within-cluster sum of squares.

    It has the largest sum of squares between clusters, Σ (Σ x)² / n over clusters.
    """
    between = np.zeros((len(points), splits.shape[1]))
    for label in np.unique(splits):
        members = (splits == label).astype(float)
        count = np.maximum(members.sum(axis=-1), 1)
        between += ((members @ points) ** 2).sum(axis=-1) / count
    best = between.argmax(axis=1)
    return np.broadcast_to(splits, (len(points), *splits.shape[1:]))[np.arange(len(points)), best]


def _lloyd(points: Array, centres: Array, iterations: int = 50) -> Labels:
    labels = np.full(points.shape[:2], -1)
    moving = np.arange(len(points))  # problems whose labels still change
    for _ in range(iterations):
        at = points[moving]
        nearest = ((at[:, :, None] - centres[:, None]) ** 2).sum(axis=-1).argmin(axis=-1)
        changed = (nearest != labels[moving]).any(axis=1)
        labels[moving] = nearest
        if not changed.any():
            break
        moving, at, centres = moving[changed], at[changed], centres[changed]
        members = nearest[changed][:, :, None] == np.arange(centres.shape[1])
        count = members.sum(axis=1)[..., None]
        total = np.swapaxes(members, 1, 2).astype(float) @ at
        # An emptied cluster keeps its centre: it may win points back, and never divides by zero.
        centres = np.where(count > 0, total / np.maximum(count, 1), centres)
    return labels


def ward(points: Array, k: int) -> Labels:
    """Ward's agglomerative clustering, cut at k clusters."""
    return np.stack([fcluster(linkage(p, "ward"), k, criterion="maxclust") - 1 for p in points])


def gaussian_mixture(points: Array, k: int) -> Labels:
    """The likeliest component of a mixture of k spherical Gaussians.

    Spherical, because a full covariance has more parameters than a small model has layers.
    """
    from sklearn.mixture import GaussianMixture  # here: it takes as long to come as most jobs work

    mixture = GaussianMixture(k, covariance_type="spherical", random_state=0, reg_covar=1e-3)
    return np.stack([mixture.fit_predict(p) for p in points])


def contiguous(points: Array, k: int) -> Labels:
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


# A clustering is a function of the points alone: what is random in it is drawn from a generator of
# its own, the same for all points, so that no null that was drawn before changes a module.
METHODS: dict[str, Method] = {
    "kmeans": kmeans,
    "gaussian_mixture": gaussian_mixture,
    "ward": ward,
    "contiguous": contiguous,
}


def adjusted_rand(first: Labels, second: Labels) -> float:
    """Adjusted Rand index of two partitions: 1 where they are one, 0 in the mean of chance.

    Of all ordered pairs of points, `both` are together in both partitions, `one` and `other` in one
    of them alone, `none` in neither.
    """
    together, beside = (np.equal.outer(*2 * [np.asarray(labels)]) for labels in (first, second))
    both = int((together & beside).sum()) - len(together)
    one, other = int((together & ~beside).sum()), int((~together & beside).sum())
    none = int((~together & ~beside).sum())
    if not one and not other:
        return 1.0
    chance = (both + one) * (one + none) + (both + other) * (other + none)
    return 2.0 * (both * none - one * other) / chance


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
