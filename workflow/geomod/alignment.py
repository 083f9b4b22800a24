"""Other measures of how alike two sets of responses to the same stimuli are.

Each takes two matrices with a row a stimulus, compares how they arrange the stimuli, and fits
nothing; their columns need not correspond.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Dissimilarity = Literal["correlation", "euclidean", "sqeuclidean", "cosine"]


@dataclass(frozen=True)
class Arrangement:
    """Ranks of all pairwise dissimilarities of one matrix, centred and of norm 1.

    `near` are those after the geo-topological transform. Both are NaN where nothing varies. Ranking
    is the cost of a comparison, and is done once for all that a matrix is compared with.
    """

    all: Floats
    near: Floats


def arrange(
    x: ArrayLike, kind: Dissimilarity = "correlation", low: float = 0.1, high: float = 0.9
) -> Arrangement:
    """How the rows of `x` are arranged; `low` and `high` are those of `geo_topological`."""
    d = dissimilarities(x, kind)
    ranks, transformed = rankdata(d), geo_topological(d, low, high)
    near = ranks.copy()
    for end in (0, 1):  # those that the transform makes equal share their mean rank
        equal = transformed == end
        near[equal] = ranks[equal].mean() if equal.any() else 0
    return Arrangement(_unit(ranks), _unit(near))


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
    return float(arrange(first, of_x).all @ arrange(second, of_y).all)


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
    return float(arrange(first, of_x, low, high).near @ arrange(second, of_y, low, high).near)


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


def dissimilarities(x: ArrayLike, kind: Dissimilarity = "correlation") -> Floats:
    """Dissimilarity of every pair of rows, as `scipy.spatial.distance.pdist` orders them."""
    values = np.asarray(x, dtype=np.float64)
    if kind == "correlation" and values.shape[1] < 2:
        raise ValueError("rows of one column have no correlation: use 'euclidean'")
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


def _unit(ranks: Floats) -> Floats:
    deviation = ranks - ranks.mean()
    norm = np.linalg.norm(deviation)
    return deviation / norm if norm > 0 else np.full_like(deviation, np.nan)


def _pair(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if first.ndim != 2 or second.ndim != 2 or len(first) != len(second):
        raise ValueError(
            "two matrices with the same rows are needed, but their shapes are "
            f"{first.shape} and {second.shape}"
        )
    return first, second
