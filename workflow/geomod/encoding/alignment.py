"""Other measures of how alike two sets of responses to the same stimuli are.

Each takes two matrices with a row a stimulus, compares how they arrange the stimuli, and fits
nothing; their columns need not correspond. A measure is a function under `@measure`, here or in a
file of the user's; its values are then in `tables/alignment.parquet`. Those of `IN_SCORES` also
stand beside the scores, in `tables/encoding.parquet`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomod.base import plugins
from geomod.base.errors import InputError

Floats = NDArray[np.float64]
Quantiles = tuple[float, float]
Dissimilarity = Literal["correlation", "euclidean", "sqeuclidean", "cosine"]


CHUNK = 2**20  # pairs of rows that are compared at once
QUANTILES: Quantiles = (0.1, 0.9)  # of the geo-topological transform, unless the config says other
IN_SCORES = ("rsa", "trsa", "cka")


@dataclass(frozen=True)
class Arrangement:
    """Ranks of all pairwise dissimilarities of one matrix.

    Ranking is the cost of a comparison, and is done once for all that a matrix is compared with.
    Means of tied ranks are halves, so that twice a rank is whole and fits into four bytes: n rows
    take 2 n² bytes. The geo-topological transform, which keeps the order, only makes the ranks at
    either end equal, and so its ranks need not be kept beside them.
    """

    doubled: NDArray[np.signedinteger[Any]]
    near: tuple[float, float]  # ranks up to the first, and from the second on, are made equal …
    means: tuple[float, float]  # … and share these

    def alike(self, other: "Arrangement", *, near: bool = False) -> float:
        """Spearman's ρ, of the ranks as they are or after the transform; NaN if none vary."""
        shared = own = theirs = 0.0
        for start in range(0, len(self.doubled), CHUNK):
            mine, others = (each._deviations(start, near) for each in (self, other))
            shared += float(mine @ others)
            own += float(mine @ mine)
            theirs += float(others @ others)
        return shared / (own * theirs) ** 0.5 if own > 0 and theirs > 0 else float("nan")

    def _deviations(self, start: int, near: bool) -> Floats:
        """Ranks minus their mean, which ties do not change."""
        ranks = self.doubled[start : start + CHUNK] / 2
        if near:
            low, high = (ranks <= self.near[0], ranks >= self.near[1])
            ranks[low], ranks[high] = self.means
        return ranks - (len(self.doubled) + 1) / 2


def arrange(
    x: ArrayLike, kind: Dissimilarity = "correlation", low: float = 0.1, high: float = 0.9
) -> Arrangement:
    """How the rows of `x` are arranged; `low` and `high` are those of `geo_topological`."""
    d = dissimilarities(x, kind)
    bottom, top = np.quantile(d, [low, high])
    lowest = int((d <= bottom).sum())
    highest = int((d >= top).sum() if bottom < top else (d > top).sum())
    return Arrangement(
        _doubled_ranks(d),
        (lowest, len(d) - highest + 1),
        ((lowest + 1) / 2, len(d) - (highest - 1) / 2),
    )


def _doubled_ranks(values: Floats) -> NDArray[np.signedinteger[Any]]:
    """Twice the rank of each value, from 1, ties sharing their mean; all equal where one is NaN."""
    whole: type[np.signedinteger[Any]] = np.int32 if len(values) < 2**30 else np.int64
    if np.isnan(values).any():
        return np.full(len(values), len(values) + 1, dtype=whole)
    order = np.argsort(values)
    ordered = values[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]).astype(whole)
    del ordered
    sizes = np.diff(starts, append=whole(len(values)))
    doubled = np.empty(len(values), dtype=whole)
    doubled[order] = np.repeat(2 * starts + sizes + 1, sizes)
    return doubled


def rsa(
    x: ArrayLike,
    y: ArrayLike,
    of_x: Dissimilarity = "correlation",
    of_y: Dissimilarity = "euclidean",
) -> float:
    """Representational similarity: Spearman's ρ of the two sets of pairwise dissimilarities.

    `correlation`, 1 − Pearson r of two rows, needs several columns; the responses of one region
    have one, hence `euclidean`. NaN where either set of dissimilarities does not vary.
    Kriegeskorte, Mur, Bandettini, 2008, Front. Syst. Neurosci. 2:4.
    """
    first, second = _pair(x, y)
    return arrange(first, of_x).alike(arrange(second, of_y))


def trsa(
    x: ArrayLike,
    y: ArrayLike,
    of_x: Dissimilarity = "correlation",
    of_y: Dissimilarity = "euclidean",
    low: float = 0.1,
    high: float = 0.9,
) -> float:
    """`rsa` of dissimilarities after the geo-topological transform."""
    first, second = _pair(x, y)
    return arrange(first, of_x, low, high).alike(arrange(second, of_y, low, high), near=True)


def linear_cka(x: ArrayLike, y: ArrayLike) -> float:
    """Centred kernel alignment with linear kernels, ‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖), columns centred.

    Between 0 and 1; unchanged by rotations and by one common scale. It is the plug-in estimate,
    which grows with the number of columns where stimuli are few. NaN where a matrix does not vary.
    Kornblith et al., 2019, ICML.
    """
    first, second = (values - values.mean(axis=0) for values in _pair(x, y))
    if min(first.shape[1], second.shape[1]) > len(first):  # then kernels of rows are smaller
        k, m = first @ first.T, second @ second.T
        shared, own = float(np.sum(k * m)), float(np.linalg.norm(k) * np.linalg.norm(m))
    else:
        shared = float(np.sum((second.T @ first) ** 2))
        own = float(np.linalg.norm(_gram(first)) * np.linalg.norm(_gram(second)))
    return shared / own if own > 0 else float("nan")


class Seen:
    """A matrix with a row a stimulus, and what is worth knowing once for all that it meets.

    `quantiles` are those of the geo-topological transform.
    """

    def __init__(self, values: ArrayLike, quantiles: Quantiles = QUANTILES) -> None:
        self.values, self.quantiles = np.asarray(values), quantiles

    @cached_property
    def arrangement(self) -> Arrangement:
        """By 1 − r of two rows; by their distance where they have one column."""
        kind: Dissimilarity = "euclidean" if self.values.shape[1] == 1 else "correlation"
        return arrange(self.values, kind, *self.quantiles)

    @cached_property
    def unit(self) -> Floats:
        """The columns less their means, scaled to the sum of squares 1; rows that have more columns
        than there are rows are turned into as many."""
        apart = self.values - self.values.mean(axis=0, dtype=np.float64)
        if apart.shape[1] > len(apart):
            apart = np.transpose(np.linalg.qr(apart.T, mode="r"))
        size = float(np.linalg.norm(apart))
        return apart / size if size > 0 else apart


Measure = Callable[[Seen, Seen], float]
MEASURES: dict[str, Measure] = {}


def measure(name: str) -> Callable[[Measure], Measure]:
    """Register the function below: how alike are a layer and the responses of a region?"""

    def registered(function: Measure) -> Measure:
        if name in MEASURES:
            raise InputError(f"the measure of alignment {name} is registered twice")
        MEASURES[name] = function
        return function

    return registered


@measure("rsa")
def _rsa(layer: Seen, region: Seen) -> float:
    return layer.arrangement.alike(region.arrangement)


@measure("trsa")
def _trsa(layer: Seen, region: Seen) -> float:
    return layer.arrangement.alike(region.arrangement, near=True)


@measure("cka")
def _cka(layer: Seen, region: Seen) -> float:
    return linear_cka(layer.values, region.values)


@measure("procrustes")
def _procrustes(layer: Seen, region: Seen) -> float:
    """‖X̂ᵀŶ‖_*, the cosine of the angle that the best rotation leaves between the two: 1 for the
    same arrangement. Williams, Kunz, Kornblith and Linderman 2021. Where stimuli are few for the
    columns it is far above 0 for nothing."""
    if not layer.unit.any() or not region.unit.any():
        return float("nan")
    overlap = np.linalg.svd(layer.unit.T @ region.unit, compute_uv=False).sum()
    return float(min(1.0, overlap))


def load_measures(path: str | Path) -> list[str]:
    """Run a Python file of the user's, whose `@measure` functions are then known; give their
    names."""
    return list(plugins.load_plugins(path, MEASURES.keys, "@measure"))


def transform_class(low: float, high: float) -> str:
    """What a geo-topological transform with these quantiles is sensitive to.

    By the classes of the transform's published code, asked in its order: where both quantiles are
    small or large it sees `local` or `global` distances; where they span most of them the geometry;
    where they lie together in the middle the topology.
    """
    if (low + high) / 2 <= 0.2:
        return "local"
    if (low + high) / 2 >= 0.8:
        return "global"
    if high - low >= 0.8 - 1e-9:  # .9 − .1 is a little less than .8
        return "geometry-sensitive"
    if low >= 0.4 and high <= 0.6:
        return "topology-sensitive"
    return "intermediate"


def dissimilarities(x: ArrayLike, kind: Dissimilarity = "correlation") -> Floats:
    """Dissimilarity of every pair of rows, as `scipy.spatial.distance.pdist` orders them."""
    values = np.asarray(x, dtype=np.float64)
    if kind == "correlation" and values.shape[1] < 2:
        raise ValueError("rows of one column have no correlation: use 'euclidean'")
    from scipy.spatial.distance import pdist  # half of what a start of the workflow would import

    return pdist(values, kind)


def geo_topological(d: ArrayLike, low: float = 0.1, high: float = 0.9) -> Floats:
    """Keep who is near whom, forget how near and how far.

    Dissimilarities below the quantile `low` become 0 (the same place), those above `high` become
    1 (elsewhere), and those between are scaled linearly. Lin & Kriegeskorte, 2024, PNAS 121(42).
    """
    if not 0 <= low < high <= 1:
        raise ValueError(f"quantiles must satisfy 0 ≤ low < high ≤ 1, but are {low} and {high}")
    values = np.asarray(d, dtype=np.float64)
    bottom, top = np.quantile(values, [low, high])
    if bottom == top:
        return (values > top).astype(np.float64)
    return np.clip((values - bottom) / (top - bottom), 0, 1)


def _gram(x: Floats) -> Floats:
    """XᵀX or X Xᵀ, whichever is smaller: their norms are the same."""
    return x @ x.T if len(x) < x.shape[1] else x.T @ x


def _pair(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if first.ndim != 2 or second.ndim != 2 or len(first) != len(second):
        raise ValueError(
            "two matrices with the same rows are needed, but their shapes are "
            f"{first.shape} and {second.shape}"
        )
    return first, second
