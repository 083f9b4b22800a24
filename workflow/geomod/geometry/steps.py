"""How far the representation of a layer moves over training: measures of a pair of its steps.

Both steps saw the same sentences, so their pooled features [sentences, width] correspond row by
row. Every measure here is blind to rotation, scale and shift, which change no ratio of distances
among sentences. A *speed* is an angle over decades of training, log10(step + 1), and so is in
radians a decade.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.geometry import registry
from geomod.geometry.grams import Floats
from geomod.geometry.registry import of_steps
from geomod.geometry.sets import Rows, centred, depth_similarity


@dataclass(frozen=True)
class Pair:
    """The features of the same sentences at two steps, centred and scaled to Frobenius norm 1.

    Where they have more dimensions than there are sentences they are turned into as many, which no
    measure sees and which makes all of them quicker. `shuffled` is an order of the sentences: with
    it, the second step shares nothing with the first.
    """

    before: Floats
    after: Floats
    shuffled: NDArray[np.int64]


@of_steps("cka_debiased", angle=lambda cosine: float(np.arccos(np.clip(cosine, -1, 1))))
def cka_debiased(pair: Pair) -> float:
    """Debiased linear CKA: 1 for the same representation, about 0 where nothing is shared.

    A cosine, and so its arccos is the angle. As in `depth_similarity`: Kornblith, Norouzi, Lee and
    Hinton 2019 with the unbiased HSIC of Song et al. 2012.
    """
    table = depth_similarity({0: pair.before, 1: pair.after})
    return float(table["cka_debiased"].iloc[1])


@of_steps("procrustes")
def procrustes(pair: Pair) -> float:
    """arccos ‖XᵀY‖_*, in radians: the angle left after the best rotation. Williams et al. 2021.

    Representations that share nothing are not π/2 apart where sentences are few for the
    dimensions: hold it against `procrustes_shuffled`.
    """
    if not pair.before.any() or not pair.after.any():
        return np.nan
    overlap = np.linalg.svd(pair.before.T @ pair.after, compute_uv=False).sum()
    return float(np.arccos(min(1.0, overlap)))


@of_steps("procrustes_shuffled")
def procrustes_shuffled(pair: Pair) -> float:
    """The same with the sentences of the second step shuffled: as far as chance would take it."""
    return procrustes(Pair(pair.before, pair.after[pair.shuffled], pair.shuffled))


def moves(before: Mapping[int, Rows], after: Mapping[int, Rows], seed: int = 0) -> pd.DataFrame:
    """Every measure of the pair of steps at every layer.

    Columns: layer, measure, value, angle, n (the sentences that it rests on), n_nonfinite (those
    left out because their features are infinite or NaN at one of the steps). `value` is NaN where
    the sentences do not differ, or n does not suffice.
    """
    rows = []
    for layer, first in before.items():
        whole = np.all([np.isfinite(x).all(axis=1) for x in (first, after[layer])], axis=0)
        n, left_out = int(whole.sum()), int((~whole).sum())
        shuffled = np.random.default_rng(seed).permutation(n)
        pair = Pair(_unit(first[whole]), _unit(after[layer][whole]), shuffled)
        for name, measure in registry.STEPS.items():
            value = measure.function(pair)
            rows.append((layer, name, value, measure.angle(value), n, left_out))
    return pd.DataFrame(rows, columns=["layer", "measure", "value", "angle", "n", "n_nonfinite"])


def speed_of_training(
    steps: Sequence[int], read: Callable[[int], Mapping[int, Rows]], seed: int = 0
) -> pd.DataFrame:
    """`moves` from each step to the next and to the last, and their speed in radians a decade.

    `read` gives the features of a step; those of two steps are held at a time. The columns are
    those of `moves`, with speed in place of angle, and step, next.
    """
    nothing = moves({}, {}).assign(step=[], next=[])
    tables = [
        moves(read(step), read(later), seed).assign(step=step, next=later)
        for step, later in pairs_of(steps)
    ]
    table = pd.concat(tables or [nothing], ignore_index=True)
    decades = np.log10((table["next"].astype(float) + 1) / (table["step"].astype(float) + 1))
    return table.assign(speed=table["angle"].astype(float) / decades).drop(columns="angle")


def pairs_of(steps: Sequence[int]) -> list[tuple[int, int]]:
    """Each step with the next one, then each with the last one, no pair twice."""
    ordered = sorted(steps)
    return list(dict.fromkeys([*pairwise(ordered), *((s, ordered[-1]) for s in ordered[:-1])]))


def _unit(rows: Rows) -> Floats:
    """The rows less their mean, scaled to the sum of squares 1; 0 where they do not differ.

    X = R Qᵀ with n rows in more dimensions gives R [n, n]: it has the same Gram.
    """
    apart = centred(np.asarray(rows, dtype=np.float64))
    if apart.shape[1] > len(apart):
        apart = np.transpose(np.linalg.qr(apart.T, mode="r"))
    size = np.linalg.norm(apart)
    return apart / size if size > 0 else apart
