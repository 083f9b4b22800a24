"""Is depth a chain of blocks, stretches of layers that are alike and unlike their neighbours?

The question of Raptor (arXiv 2512.19941), asked of the layers' CKA. A cut into
contiguous blocks is always found, and a random walk over depth is cut in its middle; what counts is
whether blocks are clearer than in layers that have none.
"""

import logging

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.curves.estimates import rng_of
from geomod.curves.settings import Settings
from geomod.modules.partition import exceedance_p, smooth_null
from geomod.modules.steps import FEWEST_LAYERS

Array = NDArray[np.float64]

log = logging.getLogger(__name__)

MOST_BLOCKS = 4
COLUMNS = [
    *("model", "step", "blocks", "starts", "separation"),
    *("smooth", "smooth_p", "walk", "walk_p"),
]


def find_blocks(
    similarity: pd.DataFrame, *, seed: int = 0, null_draws: int = Settings.null_draws
) -> pd.DataFrame:
    """The best 2, 3 and 4 contiguous blocks of every checkpoint, from `depth_similarity`.

    `starts` are the first layers of the second block and those after it, `separation` the share of
    all dissimilarity 1 − CKA (debiased) that lies between blocks. `smooth` and `walk` are its means
    over layers that change smoothly with depth, or as a random walk over depth with the same steps,
    and `…_p` says how often these are separated as clearly. Left out are the embedding and layers
    that are alike for all sentences, which have no CKA: the layers about them count as neighbours.
    Checkpoints with fewer than four others, or with a pair of them that has no CKA, have no row.
    """
    blocks = similarity[(similarity["layer"] > 0) & (similarity["other"] > 0)]
    rows: list[dict[str, object]] = []
    for (model, step), own in blocks.groupby(["model", "step"], sort=False):
        square = own.pivot_table(
            index="layer", columns="other", values="cka_debiased", dropna=False
        )
        tell_apart = square.notna().any(axis=1)
        square = square.loc[tell_apart, tell_apart]
        cka, layers = square.to_numpy(dtype=float), square.index.to_numpy()
        if len(layers) < FEWEST_LAYERS or not np.isfinite(cka).all():
            continue
        # Each null has a generator of its own: how many draws one takes changes nothing in another.
        for_smooth, for_walk = rng_of(seed, "blocks", str(model), int(step)).spawn(2)
        points = places(cka)
        nulls = {
            "smooth": dissimilarities(smooth_null(points, null_draws, for_smooth)),
            "walk": dissimilarities(walk_null(points, null_draws, for_walk)),
        }
        for count in range(2, min(MOST_BLOCKS, len(layers) - 1) + 1):
            (share,), (starts,) = cut(1 - cka[None], count)
            row = {"model": model, "step": step, "blocks": count, "separation": float(share)}
            row["starts"] = ",".join(str(layers[start]) for start in starts)
            for name, null in nulls.items():
                drawn = cut(null, count)[0]
                row |= {name: float(drawn.mean()), f"{name}_p": exceedance_p(share, drawn)}
            rows.append(row)
    log.info("blocks of %d checkpoints", len(rows))
    return pd.DataFrame(rows, columns=COLUMNS)


def cut(apart: Array, count: int) -> tuple[Array, NDArray[np.int64]]:
    """The `count` contiguous blocks with the least dissimilarity within: the share of all that lies
    between them [problems], and where the second and each later block starts [problems, count − 1].

    Of dissimilarities `apart` [problems, layers, layers]; exactly, by dynamic programming over the
    last boundary.
    """
    problems, n, _ = apart.shape
    pairs = np.triu(apart, 1)
    sums = np.zeros((problems, n + 1, n + 1))
    sums[:, 1:, 1:] = pairs.cumsum(axis=1).cumsum(axis=2)
    at = np.arange(n + 1)
    # Within [start, stop): the corner sums of the square on the diagonal.
    inside = (
        sums[:, at, at][:, None, :]
        - sums[:, at[:, None], at[None, :]]
        - sums[:, at[None, :], at[:, None]]
        + sums[:, at, at][:, :, None]
    )
    cost = np.where(at[:, None] < at[None, :], inside, np.inf)
    least, boundaries = cost[:, 0], []
    for _ in range(count - 1):
        through = least[:, :, None] + cost
        boundaries.append(through.argmin(axis=1))
        least = through.min(axis=1)
    stop, starts = np.full(problems, n), []
    for boundary in reversed(boundaries):
        stop = boundary[np.arange(problems), stop]
        starts.append(stop)
    total = sums[:, n, n]
    share = 1 - np.divide(least[:, n], total, out=np.ones(problems), where=total > 0)
    return share, np.stack(starts[::-1], axis=1)


def places(cka: Array) -> Array:
    """Points [layers, dimensions] whose squared distances are twice 1 − CKA.

    CKA is the cosine of centred Grams, so that its matrix is the Gram of such points; what the
    debiased form has of negative eigenvalues is left out.
    """
    values, vectors = np.linalg.eigh((cka + cka.T) / 2)
    kept = values > 1e-12 * values.max()
    return vectors[:, kept] * np.sqrt(values[kept])


def dissimilarities(points: Array) -> Array:
    """Half the squared distances [draws, layers, layers] of points [draws, layers, dimensions]."""
    inner = points @ points.swapaxes(1, 2)
    squares = np.diagonal(inner, axis1=1, axis2=2)
    return (squares[:, :, None] + squares[:, None, :]) / 2 - inner


def walk_null(points: Array, draws: int, rng: np.random.Generator) -> Array:
    """Random walks over depth [draws, layers, dimensions], with the covariance of the increments of
    `points` [layers, dimensions]."""
    increments = np.diff(points, axis=0)
    count = len(increments)
    moves = rng.standard_normal((draws, count, count)) @ increments / np.sqrt(count)
    start = np.zeros((draws, 1, points.shape[1]))
    return np.concatenate([start, np.cumsum(moves, axis=1)], axis=1)
