"""The geometry of a set of sentences at a layer, from their pooled features [sentences, width].

Each measure of a spectrum is named by the spectrum it takes: `singular` values of the features as
they are, or `eigenvalues` of their covariance, whose mean over sentences is taken off.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import eigvalsh_tridiagonal
from scipy.linalg.blas import dsyr2
from scipy.linalg.lapack import dsytrd
from scipy.optimize import brentq
from scipy.spatial.distance import squareform

from geomod.geometry import registry
from geomod.geometry.grams import Floats
from geomod.geometry.registry import SetMeasure, of_set
from geomod.geometry.sentence import NOISE, entropy_of, ratio

Rows = NDArray[np.float32] | Floats

# α-ReQ fits the eigenvalues of these ranks, the first of which are left to the few strong ones.
FIRST_RANK, LAST_RANK = 11, 100
FEWEST_RANKS = 10
# TwoNN leaves out this share of the sentences, those with the largest ratio.
DISCARDED = 0.1
# GRIDE compares the distances to neighbour k and 2k, so that k is the scale at which it looks.
SCALES = (1, 2, 4, 8, 16, 32)
# Elements of the layers' Grams that are held at once when layers are compared: 160 MB.
STACK = 20_000_000
BLOCK = 32  # columns that LAPACK reduces to a tridiagonal matrix at a time


@dataclass(frozen=True, eq=False)
class Sentences:
    """A set of sentences at one layer, finite rows of float64, and what several measures share."""

    rows: Floats

    @cached_property
    def moved(self) -> Floats:
        """The rows less their mean."""
        return centred(self.rows)

    @cached_property
    def gram(self) -> Floats:
        """Inner products [n, n] among the rows less their mean."""
        return self.moved @ self.moved.T

    @cached_property
    def product(self) -> Floats:
        """X Xᵀ or XᵀX of these, which share their eigenvalues: whichever has fewer to find."""
        n, width = self.rows.shape
        return self.moved.T @ self.moved if width < n else self.gram

    @property
    def spectrum(self) -> Floats:
        """The squared singular values of the features as they are, largest first."""
        return self.spectra[0]

    @property
    def covariance(self) -> Floats:
        """The eigenvalues of n times the covariance, largest first."""
        return self.spectra[1]

    @cached_property
    def spectra(self) -> tuple[Floats, Floats]:
        """Both of these, from one reduction to a tridiagonal matrix, which is what takes the time.

        With and without the mean m the products differ along one axis alone. XᵀX has n m mᵀ more,
        so with m along the first axis it is its first element that differs. X Xᵀ without the mean
        is 0 along 1: with 1 along the first axis it is all but the first row and column of X Xᵀ.
        The reduction keeps the first axis.
        """
        n, width = self.rows.shape
        if n == 0:
            return np.empty(0), np.empty(0)
        mean = self.rows.sum(axis=0) / n
        added = n * (mean @ mean)
        mirror = mirror_of(mean if width < n else np.ones(n))
        turned = turn(self.product, mirror)
        if width < n:
            diagonal, beside = tridiagonal(turned)
            without = eigenvalues(diagonal, beside)
            return eigenvalues(np.append(diagonal[0] + added, diagonal[1:]), beside), without
        along = self.moved @ mean
        turned[1:, 0] = np.sqrt(n) * (along - 2 * mirror * (mirror @ along))[1:]
        turned[0, 0] = added
        diagonal, beside = tridiagonal(turned)
        return eigenvalues(diagonal, beside), eigenvalues(diagonal[1:], beside[1:])

    @cached_property
    def distances(self) -> Floats:
        """Squared distances among the distinct sentences."""
        return apart(self.gram, squared_lengths(self.rows).sum() / max(1, len(self.rows)))

    @cached_property
    def neighbours(self) -> Floats:
        """Squared distances of each distinct sentence to its nearest others, nearest first."""
        return nearest_of(self.distances)

    @cached_property
    def deaths(self) -> Floats:
        """Distances at which clusters of distinct sentences merge, over their median distance."""
        return merging(self.distances)


def measure_population(
    features: Mapping[int, Rows], further: Mapping[tuple[str, str], SetMeasure] | None = None
) -> pd.DataFrame:
    """Every measure of the sentence set at every layer, and `further` ones by metric and variant.

    Columns: layer, metric, variant, value, n (the sentences that it rests on), n_nonfinite (those
    left out because their features are infinite or NaN). `value` is NaN where n does not suffice.
    """
    measures, rows = {**registry.SETS, **(further or {})}, []
    for layer, states in features.items():
        whole = np.isfinite(states).all(axis=1)
        sentences = Sentences(np.asarray(states[whole], dtype=np.float64))
        n, left_out = len(sentences.rows), int((~whole).sum())
        for (metric, variant), function in measures.items():
            found = function(sentences)
            value, rests_on = found if isinstance(found, tuple) else (found, n)
            rows.append((layer, metric, variant, value, rests_on, left_out))
    return pd.DataFrame(rows, columns=["layer", "metric", "variant", "value", "n", "n_nonfinite"])


def mirror_of(axis: Floats) -> Floats:
    """w of length 1 of the reflection H = 1 − 2 w wᵀ that takes `axis` [n] to the first one, up to
    its sign (Householder 1958); where `axis` is 0 any will do."""
    length = np.linalg.norm(axis)
    w = axis / length if length > 0 else np.zeros(len(axis))
    w[0] += np.copysign(1, w[0])
    return w / np.linalg.norm(w)


def turn(product: Floats, w: Floats) -> Floats:
    """The lower triangle of H A H of a symmetric A, H = 1 − 2 w wᵀ."""
    along = product @ w
    return dsyr2(-2, w, along - (w @ along) * w, a=product.T, lower=1)


def tridiagonal(product: Floats) -> tuple[Floats, Floats]:
    """The diagonal, and what is beside it, of a tridiagonal matrix with the same eigenvalues.

    The symmetric matrix, given by its lower triangle, is turned about its first axis. So without
    its first row and column the matrix that is found has the eigenvalues of the given one without
    them.
    """
    if len(product) < 2:
        return np.diagonal(product), np.empty(0)
    _, diagonal, beside, _, _ = dsytrd(product, lower=1, lwork=BLOCK * len(product))
    return diagonal, beside


def eigenvalues(diagonal: Floats, beside: Floats) -> Floats:
    """Those of the tridiagonal matrix of a Gram, largest first, without rounding noise."""
    if len(diagonal) == 0:
        return diagonal
    values = eigvalsh_tridiagonal(diagonal, beside, lapack_driver="sterf")[::-1]
    return values[values > NOISE * values.max(initial=0)]


def centred(rows: Floats) -> Floats:
    """The rows less their mean; one within rounding noise of the mean is 0."""
    n = max(1, len(rows))
    moved = rows - rows.sum(axis=0) / n
    distinct = squared_lengths(moved) > NOISE * squared_lengths(rows).sum() / n
    moved[~distinct] = 0
    return moved


def squared_lengths(rows: Floats) -> Floats:
    """|x_i|² of each row, without a copy of them."""
    return np.einsum("ij,ij->i", rows, rows)


def rankme(spectrum: Floats) -> float:
    """exp(−Σ p ln p), p the spectrum scaled to the sum 1: r equal values give r.

    Garrido, Balestriero, Najman and LeCun 2023 take the singular values; other code eigenvalues.
    """
    if len(spectrum) == 0:
        return np.nan
    return float(np.exp(entropy_of((spectrum / spectrum.sum())[None])[0]))


def participation(spectrum: Floats) -> float:
    """(Σλ)² / Σλ², in dimensions: r equal eigenvalues give r."""
    if len(spectrum) == 0:
        return np.nan
    return float(spectrum.sum() ** 2 / np.square(spectrum).sum())


def alpha_req(spectrum: Floats, first: int = FIRST_RANK) -> tuple[float, float]:
    """α of the power law λ_i ∝ i^−α, and the R² of its fit.

    −slope of ln λ_i on ln i over ranks 11 … 100, least squares weighted by 1/i so that an octave
    counts alike. Agrawal, Mondal, Ghosh and Richards 2022. NaN with fewer than ten of those ranks.
    Code in public begins at rank `first` = 12: it counts from 0 what it means to count from 1.
    """
    ranks = np.arange(first, min(LAST_RANK, len(spectrum)) + 1)
    if len(ranks) < FEWEST_RANKS:
        return np.nan, np.nan
    x, y, weight = np.log(ranks), np.log(spectrum[ranks - 1]), 1 / ranks
    x = x - np.average(x, weights=weight)
    y = y - np.average(y, weights=weight)
    xy, xx, yy = (float((weight * a * b).sum()) for a, b in ((x, y), (x, x), (y, y)))
    return -xy / xx, xy**2 / (xx * yy) if yy > 0 else np.nan


def apart(gram: Floats, size: float | None = None) -> Floats:
    """Squared distances [n, n] among distinct sentences: those that repeat an earlier one are left
    out, and so not counted. A sentence is infinitely far from itself.

    `size` is the mean square of the sentences, which tells rounding noise, where the Gram is not of
    them as they are.
    """
    squared = np.diagonal(gram)
    distances = squared[:, None] + squared[None, :] - 2 * gram
    same = distances <= NOISE * (squared.sum() / max(1, len(gram)) if size is None else size)
    new = ~np.tril(same, -1).any(axis=1)
    distances = distances[new][:, new]
    np.fill_diagonal(distances, np.inf)
    return distances


def nearest(gram: Floats) -> Floats:
    """Squared distances [n, k] of each distinct sentence to its k nearest others, nearest first.

    k is as many as the largest scale of GRIDE needs, or n − 1.
    """
    return nearest_of(apart(gram))


def nearest_of(distances: Floats) -> Floats:
    """The same of the squared distances that `apart` gives."""
    k = max(0, min(2 * SCALES[-1], len(distances) - 1))
    few = np.partition(distances, k - 1, axis=1)[:, :k] if k else distances[:, :0]
    return np.sort(few, axis=1)


def two_nn(neighbours: Floats) -> tuple[float, int]:
    """Intrinsic dimension by the two nearest neighbours, and the sentences it rests on.

    With μ = r2 / r1 the ratio of the distances to the second and the first neighbour, and F its
    empirical distribution, −ln(1 − F) = d ln μ: d is the slope through the origin, the top tenth
    of μ discarded. Facco, d'Errico, Rodriguez and Laio 2017. It grows with the number of sentences
    where the dimension is high, so compare equal numbers only.
    """
    n = len(neighbours)
    kept = int(n * (1 - DISCARDED))
    if n < 3 or kept < 2:
        return np.nan, n
    first, second = neighbours[:, :2].T
    x = np.log(np.sort(np.sqrt(second / first))[:kept])
    y = -np.log1p(-np.arange(1, kept + 1) / n)
    return float(ratio(x @ y, x @ x)), n


def gride(neighbours: Floats, k: int) -> tuple[float, int]:
    """Intrinsic dimension at the scale of neighbour k, and the sentences it rests on.

    The most likely d given μ = r_2k / r_k, the distances to neighbours 2k and k (Denti, Doimo,
    Laio and Mira 2022). A larger k looks further, past the noise; where d is high and sentences are
    few it lies too low, and lower the larger k. NaN with no more than 2k distinct sentences.
    """
    n = len(neighbours)
    if n <= 2 * k:
        return np.nan, n
    return gride_of(np.log(neighbours[:, 2 * k - 1] / neighbours[:, k - 1]) / 2, k), n


def at_scale(those: Sentences, k: int) -> tuple[float, int]:
    """`gride` of a set of sentences."""
    return gride(those.neighbours, k)


def gride_of(logs: Floats, k: int) -> float:
    """The d that maximizes N ln d + Σ (k − 1) ln(μ^d − 1) − Σ ((2k − 1) d + 1) ln μ, of ln μ.

    Its slope in d falls from +∞ to below 0. With X the sum of ln μ it crosses 0 between
    kN / (2k − 1)X and N / X, since 1 ≤ u / (1 − e^−u) ≤ 1 + u; at k = 1 the two are one.
    """
    n, total = len(logs), logs.sum()
    if not total > 0:
        return np.nan
    apart = logs[logs > 0]  # the limit of u / (1 − e^−u) at 0 is 1

    def slope(dimension: float) -> float:
        """Times d."""
        u = dimension * apart
        pushes = (u / -np.expm1(-u)).sum() + n - len(apart)
        return float(n + (k - 1) * pushes - (2 * k - 1) * dimension * total)

    if k == 1:
        return float(n / total)
    return float(brentq(slope, k / (2 * k - 1) * n / total, n / total, xtol=1e-12, rtol=1e-12))


def merging(distances: Floats) -> Floats:
    """The distances [n − 1] at which clusters merge, over the median distance, smallest first.

    Clusters grow as points within reach of each other join, and the reach grows: these are the
    deaths of persistent homology in dimension 0, the edges of the minimum spanning tree (Prim
    1957). `distances` are squared.
    """
    n = len(distances)
    if n < 2:
        return np.empty(0)
    reach, edges = distances[0].copy(), np.empty(n - 1)
    inside = np.zeros(n)  # infinite of those that have joined
    inside[0] = np.inf
    for step in range(n - 1):
        nearest_one = int(reach.argmin())
        edges[step] = reach[nearest_one]
        inside[nearest_one] = np.inf
        np.minimum(reach, distances[nearest_one], out=reach)
        np.maximum(reach, inside, out=reach)
    middle = np.median(np.sqrt(squareform(distances, checks=False)))
    return np.sort(np.sqrt(edges)) / middle


def total_persistence(those: Sentences) -> tuple[float, int]:
    """Σ of the distances at which clusters merge, over the median distance between sentences."""
    deaths = those.deaths
    return (float(deaths.sum()) if len(deaths) else np.nan), len(those.distances)


def persistent_entropy(those: Sentences) -> tuple[float, int]:
    """−Σ p ln p of these distances scaled to the sum 1, nats: ln(n − 1) where all are the same."""
    deaths = those.deaths
    if len(deaths) == 0:
        return np.nan, len(those.distances)
    return float(entropy_of((deaths / deaths.sum())[None])[0]), len(those.distances)


# The measures by their names: a new one is a function, and a line here or `@of_set` above it.
MEASURES: dict[tuple[str, str], SetMeasure] = {
    ("rankme", "singular"): lambda those: rankme(np.sqrt(those.spectrum)),
    ("rankme", "eigenvalues"): lambda those: rankme(those.covariance),
    ("rankme", "centred-singular"): lambda those: rankme(np.sqrt(those.covariance)),
    ("alpha_req", "alpha"): lambda those: alpha_req(those.covariance)[0],
    ("alpha_req", "alpha-from12"): lambda those: alpha_req(those.covariance, 12)[0],
    ("alpha_req", "r2"): lambda those: alpha_req(those.covariance)[1],
    ("set_participation_ratio", "raw"): lambda those: participation(those.covariance),
    ("twonn", "raw"): lambda those: two_nn(those.neighbours),
    ("persistence_h0", "total"): total_persistence,
    ("persistence_h0", "entropy"): persistent_entropy,
    **{("gride", f"k{k}"): partial(at_scale, k=k) for k in SCALES},
}
for (_metric, _variant), _function in MEASURES.items():
    of_set(_metric, _variant)(_function)


def depth_similarity(features: Mapping[int, Rows]) -> pd.DataFrame:
    """Linear CKA of each pair of layers: the block structure of depth.

    Columns: layer, other, cka, cka_debiased, n. With centred Grams K and L of the sentences,
    cka = ⟨K, L⟩ / |K||L| (Kornblith, Norouzi, Lee and Hinton 2019), which lies too high where
    sentences are not many more than dimensions; the debiased form puts the unbiased estimator of
    HSIC in place of each product (Song et al. 2012) and can fall below 0. Sentences that are not
    finite at some layer are left out.
    """
    layers = list(features)
    whole = np.all([np.isfinite(features[layer]).all(axis=1) for layer in layers], axis=0)
    n = int(whole.sum())
    size = max(1, STACK // (len(layers) * max(1, n)))

    # Once each: all are held where not all of their Grams are.
    @lru_cache(maxsize=1 if size >= n else None)
    def states(layer: int) -> Floats:
        return unit(np.asarray(features[layer][whole], dtype=np.float64))

    products = np.zeros((len(layers), len(layers)))
    squares = np.zeros((len(layers), n))
    for start in range(0, n, size):
        rows = np.arange(min(size, n - start))
        grams = np.empty((len(layers), len(rows), n - start))
        for layer, gram in zip(layers, grams, strict=True):
            x = states(layer)
            np.matmul(x[start : start + size], x[start:].T, out=gram)
        squares[:, start + rows] = grams[:, rows, rows]
        grams[:, :, len(rows) :] *= np.sqrt(2)  # a Gram has each of these on either side
        products += _inner(grams)
    cka, unbiased = cosines(products), cosines(debiased(products, squares))
    first, second = (axis.ravel() for axis in np.meshgrid(layers, layers, indexing="ij"))
    return pd.DataFrame(
        {
            "layer": first,
            "other": second,
            "cka": cka.ravel(),
            "cka_debiased": unbiased.ravel(),
            "n": n,
        }
    )


def debiased(products: Floats, squares: Floats) -> Floats:
    """n (n − 3) times the unbiased HSIC of centred Grams K, L, from their inner products ⟨K, L⟩ and
    their diagonals [Grams, n].

    ⟨K°, L°⟩ + 1ᵀK°1 1ᵀL°1 / (n − 1)(n − 2) − 2/(n − 2) 1ᵀK°L°1, where ° takes the diagonal away.
    Rows of a centred Gram sum to 0, so that row i of K° sums to −K_ii. NaN up to n = 3.
    """
    n = squares.shape[1]
    if n <= 3:
        return np.full_like(products, np.nan)
    traces = squares.sum(axis=1)
    return (
        products
        - n / (n - 2) * squares @ squares.T
        + np.outer(traces, traces) / ((n - 1) * (n - 2))
    )


def unit(rows: Floats) -> Floats:
    """The rows less their mean, scaled to the sum of squares 1; 0 where they do not differ."""
    apart = centred(rows)
    size = np.linalg.norm(apart)
    if size > 0:
        apart /= size
    return apart


def _inner(grams: Floats) -> Floats:
    flat = grams.reshape(len(grams), -1)
    return flat @ flat.T


def cosines(products: Floats) -> Floats:
    """Inner products over the lengths that their diagonal has; NaN where that is not positive."""
    with np.errstate(invalid="ignore", divide="ignore"):
        norms = np.sqrt(np.diagonal(products))
        return products / np.outer(norms, norms)
