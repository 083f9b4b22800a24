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
float32; where that leaves a penalty in doubt, both parts are left out of the same factor in float64
(`held_out_gains`).
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from geomod.ridge import blas
from geomod.ridge.blas import product
from geomod.ridge.factor import Factor
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
from geomod.ridge.penalties import choose
from geomod.ridge.scores import centred

# Where M is next to 1, its diagonal and that of its inverse are rounded alike for all rows: squared
# errors are trusted to twice this multiple of eps.
ROUNDED = 1.0

Compared = tuple[Tensor, float]

# What deals tasks to cores: a function and its arguments, and what it makes of each, in order.
Deal = Callable[[Callable[[int], Compared], Sequence[int]], Iterable[Compared]]


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
        self._factor, self._splits, self._memory = factor, splits, memory_mb
        self._parts = [test for _, test in splits]
        self._y, self.penalties = centred(y)[0], factor.penalties(alphas)
        self._z = product(factor.u.T, self._y)

    def compare(self, deal: Deal) -> list[Gains]:
        """What penalties save without each part, on the others in turn, in float32.

        Gains are counted from no error at all, and so are below 0.
        """
        order, ends = np.concatenate(self._parts), np.cumsum([0, *map(len, self._parts)]).tolist()
        slices = [slice(*pair) for pair in pairwise(ends)]
        u, y, z = self._factor.u[order].float(), self._y[order].float(), self._z.float()
        rest, weights = (w.float() for w in spectral_weights(self._factor, self.penalties))

        def of_penalty(k: int) -> Compared:
            return _errors(u, y, z, rest[k], weights[k], slices)

        found = list(deal(of_penalty, range(len(weights))))
        errors = torch.stack([error for error, _ in found], dim=1)
        off = torch.tensor([off for _, off in found], dtype=errors.dtype)[:, None]
        known = ~errors.isnan()  # where rounding left anything
        most = errors.where(known, 0.0).amax()
        saved, rounding = -errors.where(known, most), (errors * off).where(known, torch.inf)
        return [Gains(*own, torch.zeros_like(own[0])) for own in zip(saved, rounding, strict=True)]

    def fit(self, part: int, gains: Gains) -> tuple[Tensor, Tensor]:
        """Best penalties without a part, and what they predict for it, minus the others' mean.

        `gains` are those that `compare` found without it.
        """
        rows, others = self._parts[part], [p for k, p in enumerate(self._parts) if k != part]
        pairs = [Block(np.concatenate([other, rows]), len(other)) for other in others]
        some = torch.nonzero(_answering(self._factor, self._y, rows)).flatten()
        rough = Gains(gains.saved[:, some], gains.rounding[:, some], gains.shared[:, some])

        def exact(y: Tensor, alphas: Tensor) -> Gains:
            return held_out_gains(self._factor, y, alphas, pairs, self._memory)

        best = torch.zeros(self._y.shape[1], dtype=torch.long)
        explained = self._y.new_zeros(len(rows), len(best))
        best[some], _ = choose(self._y[:, some], self.penalties, [lambda *_: rough, exact], 0.0)
        for k in best[some].unique().tolist():
            own, alpha = some[best[some] == k], self.penalties[k : k + 1]
            given = (self._factor, self._y[:, own], alpha, [Block(rows, len(rows))], self._memory)
            ((*_, p),) = held_out_predictions(*given, self._z[:, own])
            explained[:, own] = p[0, 0]
        return best, explained

    def smoother(self, part: int, alpha: Tensor) -> Tensor:
        """What predicts a part from the responses of all other rows, in float32."""
        others, rows = self._splits[part]
        u, (rest, weights) = self._factor.u[rows], spectral_weights(self._factor, alpha[None])
        root = roots(unexplained(self._factor, u, rest))
        across = by_roots(root, (weights * u)[None])[0].float()
        across = product(across, self._factor.u[others].float().T)
        return across - across.mean(dim=1, keepdim=True)


def _answering(factor: Factor, y: Tensor, part: Rows) -> Tensor:
    """Which targets vary without a part, if features do; others are predicted by the mean."""
    u, rest = factor.u[part], np.setdiff1d(np.arange(len(y)), part)
    # The columns of U have sum 0 and norm 1, so that those of the other rows need not be read.
    squares = 1 - (u**2).sum(dim=0) - u.sum(dim=0) ** 2 / len(rest)
    if squares @ factor.s <= len(y) * factor.eps * factor.s.sum():
        return torch.zeros(y.shape[1], dtype=torch.bool)
    return (centred(y[rest])[0] != 0).any(dim=0)


def _errors(
    u: Tensor, y: Tensor, z: Tensor, rest: Tensor, weights: Tensor, parts: list[slice]
) -> tuple[Tensor, float]:
    """Squared errors `[parts, targets]` without each part, and by what share they may be wrong.

    Rows lie by parts; z = Uᵀ y; `weights` are w, or w − 1 where U and the constant span all rows
    and M = U diag(1 − w) Uᵀ needs no difference (`spectral_weights`).
    """
    full = bool(weights[0] < 0)
    size = float(rest.amax()) if full else 1.0
    # Of M only the lower triangle is written, which is what is read of it below.
    m = u.new_full((len(u), len(u)), 0.0 if full else -1 / len(u))
    m.diagonal().add_(0.0 if full else 1.0)
    blas.add_gram(u * weights.abs().sqrt(), m, 1.0 if full else -1.0)
    c = product(u, weights[:, None] * z)
    c = c.neg_() if full else torch.sub(y, c, out=c)
    errors, least = torch.zeros(len(parts), y.shape[1], dtype=torch.float64), size
    for k, o in enumerate(parts):
        inverse, pivot = _inverse(m[o, o])
        least, alone, after = min(least, pivot), _times(inverse, c[o]), slice(o.stop, None)
        w, left = product(m[after, o], inverse), c[after] - product(m[after, o], alone)
        for j, b in enumerate(parts[k + 1 :], k + 1):
            own = slice(b.start - o.stop, b.stop - o.stop)
            inverse, pivot = _inverse(m[b, b] - product(w[own], m[b, o].T))
            least, error = min(least, pivot), _times(inverse, left[own])
            errors[k] += error.square().sum(dim=0, dtype=torch.float64)
            error = alone - product(w[own].T, error)
            errors[j] += error.square_().sum(dim=0, dtype=torch.float64)
    # The inverse of M amplifies rounding as far as it is not 1.
    rounds = ROUNDED + TRUST * (size / least - 1) if least else torch.inf
    return errors, 2 * torch.finfo(u.dtype).eps * rounds


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
