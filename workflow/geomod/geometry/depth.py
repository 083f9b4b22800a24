"""The way of a sentence through the layers: measures of the depth of one checkpoint.

The states x_0 … x_L of a sentence are its pooled features at every layer, and a block adds an
update, x_{l+1} = x_l + u_l. Sums of independent updates already turn less and come nearer the last
layer with depth. Every measure therefore comes with what a *residual random walk* would give for
nothing: updates of the lengths that were measured, each at right angles to the state that
it meets and to all others, as independent directions in many dimensions are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh

from geomod.geometry import registry
from geomod.geometry.grams import Floats
from geomod.geometry.registry import of_layers
from geomod.geometry.sentence import NOISE, mean_over, ratio
from geomod.geometry.sets import Rows

COLUMNS = ["layer", "measure", "value", "null", "n", "n_nonfinite"]
# Elements of states that are widened to float64 at once: 16 MB, which the next ones take over.
STACK = 2_000_000
SMALL = 100  # rows or columns up to which the largest singular value is found with the others

Both = tuple[Floats, Floats]  # values and those of the residual random walk, a layer each


@dataclass(frozen=True)
class Depth:
    """Finite states [N, width] of N sentences at layers 0 … L, and what several measures share."""

    states: list[NDArray[Any]]

    @cached_property
    def inner(self) -> Floats:
        """Inner products [N, L + 1, L + 1] among the states of each sentence."""
        layers, (count, width) = len(self.states), self.states[0].shape
        found = np.empty((count, layers, layers))
        size = max(1, STACK // (layers * width))
        for start in range(0, count, size):
            wide = np.stack(
                [x[start : start + size] for x in self.states], axis=1, dtype=np.float64
            )
            found[start : start + size] = wide @ wide.swapaxes(1, 2)
        return found

    @cached_property
    def squares(self) -> Floats:
        """|x_l|² [N, L + 1]."""
        return np.diagonal(self.inner, axis1=1, axis2=2)

    @cached_property
    def updates(self) -> Floats:
        """Inner products [N, L, L] among the updates of each sentence."""
        across = self.inner[:, :, 1:] - self.inner[:, :, :-1]
        return across[:, 1:] - across[:, :-1]

    @cached_property
    def moves(self) -> Floats:
        """|u_l|² [N, L], 0 where it is rounding noise beside the states."""
        squared = np.diagonal(self.updates, axis1=1, axis2=2)
        noise = NOISE * (self.squares[:, 1:] + self.squares[:, :-1]) / 2
        return np.where(squared > noise, squared, 0)

    def update(self, layer: int) -> Floats:
        """u_l [N, width] of all sentences."""
        return np.subtract(self.states[layer + 1], self.states[layer], dtype=np.float64)


def _angle(dots: Floats, first: Floats, second: Floats) -> Floats:
    """Angles [layers] of vectors [N, layers] by their inner products and squares, mean over
    sentences where both have a direction."""
    cosine = _cosine(dots, first, second)
    return _mean(np.arccos(np.clip(cosine, -1, 1)))


def _cosine(dots: Floats, first: Floats, second: Floats) -> Floats:
    return ratio(dots, np.sqrt(np.maximum(first, 0) * np.maximum(second, 0)))


def _mean(values: Floats) -> Floats:
    """Mean over sentences, of those where it is defined."""
    return mean_over(np.nan_to_num(values).T, ~np.isnan(values).T)


@of_layers("update_ratio")
def update_ratio(depth: Depth) -> Both:
    """Mean |u_l| / |x_l|: how much a block adds to what is there. A walk has those it has."""
    ratios = _mean(np.sqrt(ratio(depth.moves, depth.squares[:, :-1])))
    return ratios, ratios


@of_layers("turning")
def turning(depth: Depth) -> Both:
    """Mean angle between x_l and x_{l+1}, radians a layer; of a walk arctan |u_l| / |x_l|."""
    following = np.diagonal(depth.inner, offset=1, axis1=1, axis2=2)
    squares = depth.squares
    null = np.arctan(np.sqrt(ratio(depth.moves, squares[:, :-1])))
    return _angle(following, squares[:, :-1], squares[:, 1:]), _mean(null)


@of_layers("bending")
def bending(depth: Depth) -> Both:
    """Mean angle between the updates u_{l−1} and u_l, radians: 0 along a straight way, π/2 of a
    walk; from layer 1 on."""
    following = np.diagonal(depth.updates, offset=1, axis1=1, axis2=2)
    found = _angle(following, depth.moves[:, :-1], depth.moves[:, 1:])
    return np.insert(found, 0, np.nan), np.insert(np.full(len(found), np.pi / 2), 0, np.nan)


@of_layers("acceleration")
def acceleration(depth: Depth) -> Both:
    """Mean |u_l − u_{l−1}|, in units of the states; of a walk √(|u_l|² + |u_{l−1}|²)."""
    following = np.diagonal(depth.updates, offset=1, axis1=1, axis2=2)
    walk = depth.moves[:, 1:] + depth.moves[:, :-1]
    found = np.sqrt(np.maximum(walk - 2 * following, 0)).mean(axis=0)
    return np.insert(found, 0, np.nan), np.insert(np.sqrt(walk).mean(axis=0), 0, np.nan)


@of_layers("to_last")
def to_last(depth: Depth) -> Both:
    """Mean cosine of x_l and x_L; of a walk |x_l| / √(|x_l|² + Σ_{k ≥ l} |u_k|²)."""
    squares = depth.squares
    cosine = _cosine(depth.inner[:, :, -1], squares, squares[:, [-1]])
    ahead = np.cumsum(depth.moves[:, ::-1], axis=1)[:, ::-1]
    ahead = np.column_stack([ahead, np.zeros(len(ahead))])
    return _mean(cosine), _mean(np.sqrt(ratio(squares, squares + ahead)))


@of_layers("length")
def length(depth: Depth) -> Both:
    """Mean length Σ_{k < l} |u_k| of the way up to layer l, in units of the states: with
    `pooling: mean` the thermodynamic length of nDNA. A walk has the same."""
    ways = np.cumsum(np.sqrt(depth.moves), axis=1).mean(axis=0)
    ways = np.insert(ways, 0, 0.0)
    return ways, ways


@of_layers("straightness")
def straightness(depth: Depth) -> Both:
    """Mean |x_l − x_0| over the length of the way to layer l: 1 where it is straight, of a walk
    √Σ|u_k|² / Σ|u_k|; from layer 1 on."""
    ways = np.cumsum(np.sqrt(depth.moves), axis=1)
    squares = depth.squares
    apart = squares[:, 1:] + squares[:, [0]] - 2 * depth.inner[:, 0, 1:]
    apart = np.where(apart > NOISE * (squares[:, 1:] + squares[:, [0]]) / 2, apart, 0)
    walk = np.sqrt(np.cumsum(depth.moves, axis=1))
    found, null = _mean(ratio(np.sqrt(apart), ways)), _mean(ratio(walk, ways))
    return np.insert(found, 0, np.nan), np.insert(null, 0, np.nan)


@of_layers("stable_rank")
def stable_rank(depth: Depth) -> Both:
    """‖U_l‖² / ‖U_l‖₂² of the updates of all sentences, U_l [N, width], in dimensions: 1 where they
    share one direction; of a walk that of white noise, N d / (√N + √d)²."""
    layers, (n, width) = len(depth.states) - 1, depth.states[0].shape
    found = np.array([stable_rank_of(depth.update(layer)) for layer in range(layers)])
    return found, np.full(layers, n * width / (np.sqrt(n) + np.sqrt(width)) ** 2)


@of_layers("update_coherence")
def update_coherence(depth: Depth) -> Both:
    """Length of the mean of the sentences' updates, each scaled to length 1: 1 where all go the
    same way, of a walk 1/√N."""
    found = []
    for layer, moves in enumerate(depth.moves.T):
        going = moves > 0
        units = depth.update(layer)[going] / np.sqrt(moves[going])[:, None]
        found.append(np.linalg.norm(units.mean(axis=0)) if len(units) else np.nan)
    return np.array(found), np.sqrt(ratio(1, (depth.moves > 0).sum(axis=0)))


def stable_rank_of(rows: Floats) -> float:
    """‖X‖_F² / ‖X‖₂² of X [rows, columns]; NaN of the matrix 0."""
    total = float(np.square(rows).sum())
    if total == 0:
        return np.nan
    scaled = rows / np.sqrt(total)
    if min(rows.shape) <= SMALL:
        return float(1 / np.linalg.norm(scaled, 2) ** 2)
    size = len(rows)
    product = LinearOperator((size, size), matvec=lambda v: scaled @ (scaled.T @ v), dtype=float)
    start = np.random.default_rng(0).normal(size=size)
    return float(1 / eigsh(product, k=1, v0=start, return_eigenvectors=False)[0])


def measure_depth(features: Mapping[int, Rows]) -> pd.DataFrame:
    """Every measure of the depth of one checkpoint, from its features by layer, 0 … L.

    Columns: layer, measure, value, null (what a residual random walk gives for nothing), n (the
    sentences that it rests on), n_nonfinite (those that are infinite or NaN at some layer, and left
    out). A measure of an update stands at the layer that it starts from, and so has none at L.
    """
    layers = sorted(features)
    whole = np.all([np.isfinite(features[layer]).all(axis=1) for layer in layers], axis=0)
    n, left_out = int(whole.sum()), int((~whole).sum())
    depth = Depth([np.asarray(features[layer])[whole] for layer in layers])
    rows = []
    for name, measure in registry.LAYERS.items():
        if n == 0 or len(layers) < 2:
            values = nulls = np.full(len(layers), np.nan)
        else:
            values, nulls = measure(depth)
        for layer, value, null in zip(layers, values, nulls, strict=False):
            rows.append((layer, name, float(value), float(null), n, left_out))
    return pd.DataFrame(rows, columns=COLUMNS)
