"""How far the representation of a layer moves over training: measures of a pair of its steps.

Both steps saw the same sentences, so their pooled features [sentences, width] correspond row by
row. Every measure here is blind to rotation, scale and shift, which change no ratio of distances
among sentences. A *speed* is an angle over decades of training, log10(step + 1), and so is in
radians a decade.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import cholesky, eigvalsh
from scipy.linalg.lapack import dsygst

from geomod.geometry import registry
from geomod.geometry.grams import Floats, Grams
from geomod.geometry.registry import of_steps
from geomod.geometry.sentence import displacements, ratio, squared_norms
from geomod.geometry.sets import Rows, cosines, debiased, squared_lengths, unit

MOVES = ["layer", "measure", "value", "angle", "n", "n_nonfinite"]
ROUNDING = 1e-9  # of cosines that differ between sentences by float64 rounding alone

ALIKE = 1e-3  # below 1: overlaps whose angle, under .05 rad, takes all digits


def _arccos(cosine: float) -> float:
    return float(np.arccos(np.clip(cosine, -1, 1)))


@dataclass(frozen=True)
class Shape:
    """The sentences of a layer at one step, centred and scaled to Frobenius norm 1.

    `values` are their rows [n, width], or where these would be wider than there are of them, their
    Gram [n, n], which holds all that any measure sees and makes every one quicker. `whole` [N] says
    which of all sentences they are, those whose features are finite.
    """

    values: Floats
    is_gram: bool
    whole: NDArray[np.bool_]

    @classmethod
    def of(cls, features: Rows) -> "Shape":
        whole = np.asarray(np.isfinite(features).all(axis=1))
        return cls._of(unit(np.asarray(features[whole], dtype=np.float64)), whole)

    @classmethod
    def _of(cls, rows: Floats, whole: NDArray[np.bool_]) -> "Shape":
        is_gram = rows.shape[1] > len(rows)
        return cls(rows @ rows.T if is_gram else rows, is_gram, whole)

    def among(self, whole: NDArray[np.bool_]) -> "Shape":
        """Those sentences of it that `whole` [N] has too."""
        if np.array_equal(whole, self.whole):
            return self
        return self._of(unit(self.rows[whole[self.whole]]), whole)

    def in_order(self, order: NDArray[np.int64]) -> "Shape":
        """The same sentences in another order."""
        values = self.values[order]
        return Shape(values[:, order] if self.is_gram else values, self.is_gram, self.whole)

    @property
    def rows(self) -> Floats:
        """The rows, turned into n dimensions if there were more: the Cholesky factor of the Gram.

        As centred rows have one dimension less than there are of them, each gets a length that is
        rounding noise beside the others.
        """
        if not self.is_gram or not self.values.any():
            return self.values
        noise = 4 * len(self.values) * np.finfo(np.float64).eps
        padded = self.values.T + noise * np.eye(len(self.values))
        return cholesky(padded, lower=True, overwrite_a=True, check_finite=False)

    @cached_property
    def squares(self) -> Floats:
        """|x_i|² [n]."""
        return np.diagonal(self.values) if self.is_gram else squared_lengths(self.values)

    @cached_property
    def power(self) -> float:
        """⟨K, K⟩ of the Gram K."""
        return self.inner(self)

    def inner(self, other: "Shape") -> float:
        """⟨K, L⟩ of both Grams, ‖XᵀY‖² of the rows."""
        if self.is_gram and other.is_gram:
            return float(np.vdot(self.values, other.values))
        return float(np.square(self.rows.T @ other.rows).sum())


@dataclass(frozen=True)
class Pair:
    """The same sentences at two steps, and an order of them: with the sentences of the second step
    `shuffled`, the two share nothing."""

    first: Shape
    second: Shape
    shuffled: NDArray[np.int64]

    @cached_property
    def before(self) -> Floats:
        """Rows [n, …] of the first step, centred and scaled to Frobenius norm 1."""
        return self.first.rows

    @cached_property
    def after(self) -> Floats:
        """Those of the second step."""
        return self.second.rows

    def angle_to(self, after: Shape) -> float:
        """arccos ‖XᵀY‖_* between the first step and `after`; NaN where sentences do not differ.

        The singular values of XᵀY, of which it is the sum, are the roots of the eigenvalues of
        Xᵀ L X, L the Gram of Y. Roots keep half of the digits, which do not suffice where the sum
        is about 1.
        """
        if not self.first.values.any() or not after.values.any():
            return np.nan
        if self.first.is_gram and after.is_gram:
            product, _ = dsygst(after.values.T, self.before, itype=2, lower=1)
            squares = eigvalsh(product, lower=True, overwrite_a=True, check_finite=False)
            found = np.sqrt(squares[squares > len(squares) * np.finfo(float).eps * squares[-1]])
            if found.sum() < 1 - ALIKE:
                return _arccos(found.sum())
        return _arccos(np.linalg.svd(self.before.T @ after.rows, compute_uv=False).sum())


@of_steps("cka_debiased", angle=_arccos)
def cka_debiased(pair: Pair) -> float:
    """Debiased linear CKA: 1 for the same representation, about 0 where nothing is shared.

    A cosine, and so its arccos is the angle. As in `depth_similarity`: Kornblith, Norouzi, Lee and
    Hinton 2019 with the unbiased HSIC of Song et al. 2012.
    """
    shared = pair.first.inner(pair.second)
    products = np.array([[pair.first.power, shared], [shared, pair.second.power]])
    squares = np.stack([pair.first.squares, pair.second.squares])
    return float(cosines(debiased(products, squares))[0, 1])


@of_steps("procrustes")
def procrustes(pair: Pair) -> float:
    """arccos ‖XᵀY‖_*, in radians: the angle left after the best rotation. Williams et al. 2021.

    Representations that share nothing are not π/2 apart where sentences are few for the
    dimensions: hold it against `procrustes_shuffled`.
    """
    return pair.angle_to(pair.second)


@of_steps("procrustes_shuffled")
def procrustes_shuffled(pair: Pair) -> float:
    """The same with the sentences of the second step shuffled: as far as chance would take it."""
    return pair.angle_to(pair.second.in_order(pair.shuffled))


def moves(before: Mapping[int, Rows], after: Mapping[int, Rows], seed: int = 0) -> pd.DataFrame:
    """Every measure of the pair of steps at every layer.

    Columns: layer, measure, value, angle, n (the sentences that it rests on), n_nonfinite (those
    left out because their features are infinite or NaN at one of the steps). `value` is NaN where
    the sentences do not differ, or n does not suffice.
    """
    return _moves(prepare(before), prepare(after), seed)


def prepare(features: Mapping[int, Rows]) -> dict[int, Shape]:
    """What `moves` needs of a step, by layer."""
    return {layer: Shape.of(rows) for layer, rows in features.items()}


def _moves(before: Mapping[int, Shape], after: Mapping[int, Shape], seed: int) -> pd.DataFrame:
    rows = []
    for layer, first in before.items():
        whole = first.whole & after[layer].whole
        n, left_out = int(whole.sum()), int((~whole).sum())
        shuffled = np.random.default_rng(seed).permutation(n)
        pair = Pair(first.among(whole), after[layer].among(whole), shuffled)
        for name, measure in registry.STEPS.items():
            value = measure.function(pair)
            rows.append((layer, name, value, measure.angle(value), n, left_out))
    return pd.DataFrame(rows, columns=MOVES)


def flows(before: Mapping[int, Grams], after: Mapping[int, Grams]) -> pd.DataFrame:
    """How alike the ways of the sentences' tokens are at two steps, in the columns of `moves`.

    K of a sentence holds the cosines among its steps from token to token. Most of it is alike for
    all sentences, since in many dimensions steps that follow one another point half back and others
    nowhere, so the mean K of the sentences of that length is taken off first, at each step.
    `flow` is the mean over sentences of ⟨K, K'⟩ / |K||K'|: 1 for ways that are alike up to rotation
    and scale. `flow_mismatched` holds each sentence against another of its length: what is left of
    what they share. A sentence that is alone with its length has neither.
    """
    rows = []
    for layer, first in before.items():
        found = [
            _flows(first.take(those), after[layer].take(those), first.width)
            for those in first.groups()
        ]
        cosines = np.concatenate(found, axis=1)
        left_out = int(np.isinf(cosines[0]).sum())
        cosines = np.where(np.isfinite(cosines), cosines, np.nan)
        for name, values in zip(("flow", "flow_mismatched"), cosines, strict=True):
            known = values[~np.isnan(values)]
            value = float(known.mean()) if len(known) else np.nan
            rows.append((layer, name, value, _arccos(value), len(known), left_out))
    return pd.DataFrame(rows, columns=MOVES)


def _flows(before: Floats, after: Floats, width: int) -> Floats:
    """Both cosines [2, k] of sentences of equal length, NaN where there is none, infinite where the
    Grams are not finite at one of the steps."""
    whole = np.all([np.isfinite(grams).all(axis=(1, 2)) for grams in (before, after)], axis=0)
    found = np.full((2, len(whole)), np.inf)
    ways = [_ways(grams[whole], width) for grams in (before, after)]
    for row, shift in enumerate((0, 1)):
        found[row, whole] = (ways[0] * np.roll(ways[1], shift, axis=0)).sum(axis=1)
    return found


def _ways(grams: Floats, width: int) -> Floats:
    """K [k, steps²] of sentences of equal length less their mean, scaled to length 1; NaN where
    nothing is left."""
    path = displacements(grams, width, first=0)
    lengths = np.sqrt(np.where(path.directed, squared_norms(path.inner), np.inf))
    cosines = path.inner / (lengths[:, :, None] * lengths[:, None, :])
    if not cosines.size:  # a single token goes nowhere, and no sentence may be left
        return np.full((len(grams), 1), np.nan)
    flat = cosines.reshape(len(cosines), -1)
    apart = flat - flat.sum(axis=0) / max(1, len(flat))
    size = np.sqrt(np.square(apart).sum(axis=1, keepdims=True))
    return ratio(apart, np.where(size > ROUNDING, size, 0))


def speed_of_training(
    steps: Sequence[int],
    read: Callable[[int], Mapping[int, Rows]],
    read_ways: Callable[[int], Mapping[int, Grams]] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """`moves` from each step to the next and to the last, and their speed in radians a decade.

    `read` gives the features of a step, `read_ways` its token Grams, for `flows`. Each step is
    read and prepared once; three are held at a time. The columns are those of `moves`, with speed
    in place of angle, and step, next.
    """
    nothing = moves({}, {}).assign(step=[], next=[])

    @lru_cache(maxsize=3)
    def of_step(step: int) -> tuple[dict[int, Shape], Mapping[int, Grams]]:
        return prepare(read(step)), read_ways(step) if read_ways else {}

    tables = {}
    pairs = pairs_of(steps)
    for step, later in sorted(pairs):  # a step with the next and the last one, then the next
        (before, ways), (after, others) = of_step(step), of_step(later)
        parts = [_moves(before, after, seed), *([flows(ways, others)] if read_ways else [])]
        tables[step, later] = pd.concat(parts).assign(step=step, next=later)
    table = pd.concat([tables[pair] for pair in pairs] or [nothing], ignore_index=True)
    decades = np.log10((table["next"].astype(float) + 1) / (table["step"].astype(float) + 1))
    return table.assign(speed=table["angle"].astype(float) / decades).drop(columns="angle")


def pairs_of(steps: Sequence[int]) -> list[tuple[int, int]]:
    """Each step with the next one, then each with the last one, no pair twice."""
    ordered = sorted(steps)
    return list(dict.fromkeys([*pairwise(ordered), *((s, ordered[-1]) for s in ordered[:-1])]))
