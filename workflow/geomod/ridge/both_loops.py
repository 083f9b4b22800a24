"""Both loops from one factorization, where folds leave out the same parts of the same rows.

Delayed features are z-scored within stories, so that no fold has features of its own: all share the
kernel of all rows, and with it the smoother H of `geomod.ridge.held_out`. Where inner folds leave
out in turn what the other outer folds do (one story, then one of the rest), the model of outer fold
o and inner fold b is the one without the rows of both. With M = I − H and c = M y, its errors are

    (e_o, e_b) = M_BB⁻¹ c_B,    B = o ∪ b,

and they serve inner fold o of outer fold b as well. By blocks, with W = M_bo M_oo⁻¹,

    e_b = (M_bb − W M_ob)⁻¹ (c_b − W c_o),    e_o = M_oo⁻¹ c_o − Wᵀ e_b.

One decomposition, and for every penalty one product with all targets, take the place of one for
each outer fold, and every pair's system is solved once instead of twice. Errors are summed in
float32; where that leaves a penalty in doubt, in float64: for all pairs again, or for those of one
outer fold alone (`held_out_gains`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, permutations
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from geomod.ridge import blas
from geomod.ridge.blas import product
from geomod.ridge.factor import Factor
from geomod.ridge.fits import Fit, Fitted, Fold
from geomod.ridge.folds import Block, Rows, Split
from geomod.ridge.held_out import (
    TRUST,
    Gains,
    by_roots,
    held_out_gains,
    held_out_predictions,
    roots,
    spectral_weights,
    unexplained,
)
from geomod.ridge.penalties import Attempt, choose, contenders
from geomod.ridge.scores import centred
from geomod.ridge.sides import Sides

# Where M is next to 1, its diagonal and that of its inverse are rounded alike for all rows: squared
# errors are trusted to twice this multiple of eps.
ROUNDED = 1.0

# Penalties that are in doubt without more than so many parts, in the mean, are compared pair by
# pair, which takes two to three times as long as comparing them for all parts at once.
FEW = 2

Compared = tuple[Tensor, float]

# What deals tasks to cores: a function and its arguments, and what it makes of each, in order.
Deal = Callable[[Callable[[int], Any], Sequence[int]], Iterable[Any]]


def leave_out_alike(splits: list[Split], inner: list[list[Block]], rows: int) -> bool:
    """Whether both loops leave out the same parts of all rows in turn, and fit on what remains."""
    tested = np.concatenate([test for _, test in splits])
    if len(splits) < 3 or not np.array_equal(np.sort(tested), np.arange(rows)):
        return False
    parts = [np.sort(test).tobytes() for _, test in splits]
    for own, (train, _), blocks in zip(parts, splits, inner, strict=True):
        left_out = [np.sort(train[block.rows]).tobytes() for block in blocks]
        whole = all(block.scored == len(block) for block in blocks)
        if not whole or sorted([*left_out, own]) != sorted(parts):
            return False
    return True


class BothLoops:
    """What is fitted without each of the parts to some targets `y` of all rows."""

    def __init__(
        self, factor: Factor, y: Tensor, alphas: Tensor, splits: list[Split], memory_mb: float
    ) -> None:
        self.factor, self.splits, self.memory_mb = factor, splits, memory_mb
        self.parts = [test for _, test in splits]
        self.y, self.penalties = centred(y)[0], factor.penalties(alphas)
        self.z = product(factor.u.T, self.y)

    def compare(
        self, deal: Deal, places: Sequence[int], dtype: torch.dtype = torch.float32
    ) -> list[Gains]:
        """What some penalties save over the mean without each part, on the others in turn."""
        rows, slices = in_a_row(self.parts)
        u, y, z = self.factor.u[rows].to(dtype), self.y[rows].to(dtype), self.z.to(dtype)
        rest, weights = (w.to(dtype) for w in spectral_weights(self.factor, self.penalties))

        def of_penalty(k: int) -> Compared:
            return _errors(u, y, z, rest[k], weights[k], slices)

        found = list(deal(of_penalty, places))
        errors = torch.stack([error for error, _ in found], dim=1)
        off = torch.tensor([off for _, off in found], dtype=errors.dtype)[:, None]
        known = ~errors.isnan()  # where rounding left anything
        most = errors.where(known, 0.0).amax()
        saved = self.missed_by_the_mean()[:, None] - errors.where(known, most)
        rounding = (errors * off).where(known, torch.inf)
        return [Gains(*own, torch.zeros_like(own[0])) for own in zip(saved, rounding, strict=True)]

    def missed_by_the_mean(self) -> Tensor:
        """Squared errors without each part of the mean of what is left, on the others in turn."""
        sums = torch.stack([self.y[part].sum(dim=0) for part in self.parts])
        squares = torch.stack([self.y[part].square().sum(dim=0) for part in self.parts])
        missed = torch.zeros_like(sums)
        for o, b in permutations(range(len(self.parts)), 2):
            rest = len(self.y) - len(self.parts[o]) - len(self.parts[b])
            off = (sums[o] + sums[b]) / rest  # minus the mean of the others, since all sum to 0
            missed[o] += squares[b] + (2 * sums[b] + len(self.parts[b]) * off) * off
        return missed

    def fits(self, deal: Deal) -> list[Fit]:
        """Best penalties without each of the parts, and what they predict for it.

        Penalties are compared in float32, and where that leaves some in doubt in float64: for all
        parts at once where these are many, as of responses that nothing predicts.
        """
        gains = self.compare(deal, range(len(self.penalties)))
        open_ones = [self._in_doubt(part, own) for part, own in enumerate(gains)]
        places = sorted(set().union(*open_ones))
        if sum(map(len, open_ones)) > FEW * len(places):
            exact = self.compare(deal, places, torch.float64)
            for own, sure in zip(gains, exact, strict=True):
                own.saved[places], own.rounding[places] = sure.saved, sure.rounding
        return list(deal(lambda part: self._fit(part, gains[part]), range(len(gains))))

    def _in_doubt(self, part: int, gains: Gains) -> list[int]:
        """The penalties that may be the best one of a target that has several such."""
        known = contenders(gains, self.penalties, 0.0)[:, self._answering[part]]
        return torch.nonzero(known[:, known.sum(dim=0) > 1].any(dim=1)).flatten().tolist()

    def _fit(self, part: int, gains: Gains) -> Fit:
        rows, others = self.parts[part], [p for k, p in enumerate(self.parts) if k != part]
        pairs = [Block(np.concatenate([other, rows]), len(other)) for other in others]
        some = torch.nonzero(self._answering[part]).flatten()
        rough = Gains(gains.saved[:, some], gains.rounding[:, some], gains.shared[:, some])

        def exact(y: Tensor, alphas: Tensor) -> Gains:
            return held_out_gains(self.factor, y, alphas, pairs, self.memory_mb)

        best = torch.zeros(self.y.shape[1], dtype=torch.long)
        gain, explained = self.y.new_zeros(len(best)), self.y.new_zeros(len(rows), len(best))
        attempts: list[Attempt] = [lambda *_: rough, exact]
        best[some], gain[some] = choose(self.y[:, some], self.penalties, attempts, 0.0)
        for k in best[some].unique().tolist():
            own, alpha = some[best[some] == k], self.penalties[k : k + 1]
            given = (self.factor, self.y[:, own], alpha, [Block(rows, len(rows))], self.memory_mb)
            ((*_, p),) = held_out_predictions(*given, self.z[:, own])
            explained[:, own] = p[0, 0]
        return Fit(best, gain, explained)

    @cached_property
    def _answering(self) -> list[Tensor]:
        return [_answering(self.factor, self.y, part) for part in self.parts]

    def smoother(self, part: int, alpha: Tensor) -> Tensor:
        """What predicts a part from the responses of all other rows, in float32."""
        others, rows = self.splits[part]
        u, (rest, weights) = self.factor.u[rows], spectral_weights(self.factor, alpha[None])
        root = roots(unexplained(self.factor, u, rest))
        across = by_roots(root, (weights * u)[None])[0].float()
        across = product(across, self.factor.u[others].float().T)
        return across - across.mean(dim=1, keepdim=True)


@dataclass(frozen=True)
class FittedInBoth:
    """A layer that one factorization served in all outer folds: for further fits beside it."""

    layer: int  # its place among those given
    folds: list[Fold]
    sides: Sides  # the features of all rows
    loops: BothLoops
    targets: Tensor  # [n, targets]
    fits: list[Fit]
    deal: Deal


@runtime_checkable
class BesideBoth(Protocol):
    """What can go on from either: from a fold, and from a layer in all folds."""

    def __call__(self, fitted: Fitted, /) -> object: ...

    def in_both_loops(self, fitted: FittedInBoth, /) -> object: ...


def _answering(factor: Factor, y: Tensor, part: Rows) -> Tensor:
    """Which targets vary without a part, if features do; others are predicted by the mean."""
    u, rest = factor.u[part], np.setdiff1d(np.arange(len(y)), part)
    # The columns of U have sum 0 and norm 1, so that those of the other rows need not be read.
    squares = 1 - (u**2).sum(dim=0) - u.sum(dim=0) ** 2 / len(rest)
    if squares @ factor.s <= len(y) * factor.eps * factor.s.sum():
        return torch.zeros(y.shape[1], dtype=torch.bool)
    return (centred(y[rest])[0] != 0).any(dim=0)


def in_a_row(parts: Sequence[Rows]) -> tuple[Rows, list[slice]]:
    """The rows of all parts, one part after the other, and where each of these is then."""
    ends = np.cumsum([0, *map(len, parts)]).tolist()
    return np.concatenate(parts), [slice(*pair) for pair in pairwise(ends)]


class Pairs:
    """What is missed where every two parts are left out together, of one penalty.

    Rows lie by parts; z = Uᵀ y; `weights` are w, or w − 1 where U and the constant span all rows
    and M = U diag(1 − w) Uᵀ needs no difference (`spectral_weights`).
    """

    def __init__(self, u: Tensor, y: Tensor, z: Tensor, rest: Tensor, weights: Tensor) -> None:
        varies = len(weights) > 0
        full = varies and bool(weights[0] < 0)
        self._eps = torch.finfo(u.dtype).eps
        self._size = self._least = float(rest.amax()) if full else 1.0
        # Of M only the lower triangle is written, which is what is read of it below.
        self._m = u.new_full((len(u), len(u)), 0.0 if full else -1 / len(u))
        self._m.diagonal().add_(0.0 if full else 1.0)
        if varies:
            blas.add_gram(u * weights.abs().sqrt(), self._m, 1.0 if full else -1.0)
        c = product(u, weights[:, None] * z)
        self.c = c.neg_() if full else torch.sub(y, c, out=c)  # M y

    def errors(self, parts: list[slice]) -> Iterator[tuple[int, int, Tensor, Tensor]]:
        """Two parts, the errors on the first, and on the second, of what is fitted to the rest."""
        m, c = self._m, self.c
        for k, o in enumerate(parts):
            inverse, pivot = _inverse(m[o, o])
            self._least, after = min(self._least, pivot), slice(o.stop, None)
            alone, w = _times(inverse, c[o]), product(m[after, o], inverse)
            left = c[after] - product(m[after, o], alone)
            for j, b in enumerate(parts[k + 1 :], k + 1):
                own = slice(b.start - o.stop, b.stop - o.stop)
                inverse, pivot = _inverse(m[b, b] - product(w[own], m[b, o].T))
                self._least, error = min(self._least, pivot), _times(inverse, left[own])
                yield k, j, alone - product(w[own].T, error), error

    @property
    def off(self) -> float:
        """By what share squared errors may be wrong, once all pairs were looked at."""
        # The inverse of M amplifies rounding as far as it is not 1.
        amplified = TRUST * (self._size / self._least - 1) if self._least else torch.inf
        return 2 * self._eps * (ROUNDED + amplified)


def _errors(
    u: Tensor, y: Tensor, z: Tensor, rest: Tensor, weights: Tensor, parts: list[slice]
) -> Compared:
    """Squared errors `[parts, targets]` without each part, and by what share they may be wrong."""
    pairs = Pairs(u, y, z, rest, weights)
    errors = torch.zeros(len(parts), y.shape[1], dtype=torch.float64)
    for k, j, on_first, on_second in pairs.errors(parts):
        errors[k] += on_second.square().sum(dim=0, dtype=torch.float64)
        errors[j] += on_first.square_().sum(dim=0, dtype=torch.float64)
    return errors, pairs.off


def _inverse(a: Tensor) -> tuple[Tensor, float]:
    """The inverse of a positive definite matrix and the least pivot, NaN where rounding left none.

    Only its lower triangle is read.
    """
    root, failed = torch.linalg.cholesky_ex(a)
    if failed:
        return torch.full_like(a, torch.nan), torch.nan
    return torch.cholesky_inverse(root), float(root.diagonal().amin() ** 2)


def _times(inverse: Tensor, right: Tensor) -> Tensor:
    """Their product, of which what an inverse near 1 leaves as it is does not go through sums."""
    rest = inverse.clone()
    rest.diagonal().sub_(1.0)
    return product(rest, right).add_(right)
