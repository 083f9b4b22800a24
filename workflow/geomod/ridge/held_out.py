"""What a ridge predicts for rows it did not see, from one factorization of the training rows.

The model of a target y minimizes |y − b − Xw|² + α|w|² with a free intercept b. With the training
rows centred, X = U √S Vᵀ, every fit is a *linear smoother*,

    ŷ = H y,    H = 11ᵀ/n + U diag(w) Uᵀ,    w = s / (s + α).

The mean projection 11ᵀ/n is the intercept's share of H. (Forget it, and a row that is left out is
minus the sum of the others: the smallest penalty always seems best.)

A refit without a block of rows B needs no new factorization. Let p be what it predicts for B, and
ỹ the responses with B's filled in by the mean of the others. Were B's responses exactly p, adding
these rows would not change the fit; so, in deviations from that mean, p = (Hỹ)_B + H_BB p:

    p = (I − H)_BB⁻¹ (U diag(w) Uᵀ ỹ)_B,    exactly.

One eigendecomposition thus serves every penalty, target, inner fold and permutation. Penalties are
compared by the squared error that p saves over predicting the mean, 2⟨e, p⟩ − |p|², where e is the
mean's error: unlike the error itself, this tells strong penalties apart even in float32. A bound
on what rounding did to it comes with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from geomod.ridge import blas
from geomod.ridge.blas import product
from geomod.ridge.factor import Factor
from geomod.ridge.folds import Block, Rows

# Predictions of held-out rows are trusted to this multiple of their first-order rounding error.
TRUST = 16.0


@dataclass(frozen=True)
class Gains:
    """How much squared error each penalty saves over predicting the mean, `[alphas, targets]`."""

    saved: Tensor
    rounding: Tensor  # how wrong each may be by itself
    shared: Tensor  # how wrong all may be by the precision of the factor


def held_out_gains(
    factor: Factor,
    y: Tensor,
    alphas: Tensor,
    blocks: list[Block],
    memory_mb: float = 512,
    dtype: torch.dtype = torch.float64,
) -> Gains:
    """What each penalty saves: the one that saves most has the least error.

    Each of the `blocks` is left out once and predicted by the model refitted, intercept included,
    on all other rows; of its rows those count that are scored; `y` is centred.
    """
    if not len(factor.s):
        nothing = torch.zeros(len(alphas), y.shape[1], dtype=torch.float64, device=y.device)
        return Gains(nothing, nothing, nothing)
    if single(blocks):
        return _gains_of_rows(factor, y, alphas, memory_mb, dtype)
    if refits(factor, blocks):
        dtype = torch.float64
    z = product(factor.u.to(dtype).T, y.to(dtype))
    gains = torch.zeros(len(alphas), y.shape[1], dtype=torch.float64, device=y.device)
    terms, least = gains.clone(), torch.ones_like(alphas)
    for block, some, p, size, pivot in _by_block(factor, y, z, alphas, blocks, memory_mb):
        scored = slice(block.scored)
        gains[some] += _saved(mean_error(y, block.rows)[scored].to(dtype), p[:, scored])
        terms[some] = torch.maximum(terms[some], size)
        least[some] = torch.minimum(least[some], pivot.double())
    errors = [mean_error(y, block.rows)[: block.scored] for block in blocks]
    of_mean = torch.cat(errors).norm(dim=0) ** 2
    rest = spectral_weights(factor, alphas)[0]
    off = torch.finfo(dtype).eps * terms / least[:, None]
    # |(I − H)_BB⁻¹ (I − H)_B| at most: by that much leaving out a block amplifies errors.
    most = rest.amax(dim=1) if factor.is_full else torch.ones_like(least)
    shared = factor.uncertainty(z, alphas) * (most / least).clamp(min=1).sqrt()[:, None]
    return _with_bounds(gains, off, shared, of_mean)


def held_out_predictions(
    factor: Factor,
    y: Tensor,
    alphas: Tensor,
    blocks: list[Block],
    memory_mb: float = 512,
    z: Tensor | None = None,
) -> Iterator[tuple[Rows, int, Rows, Tensor]]:
    """Blocks `[blocks, rows]`, how many rows count, some penalties, and p of all of the rows.

    p is `[alphas, blocks, rows, targets]`; the rows that are scored come first.

    In the precision of `y`, which is centred (of single rows in float64); NaN where rounding left
    nothing. `z` is Uᵀ y where that is at hand.
    """
    everything = np.arange(len(alphas))
    if single(blocks):
        rows = np.stack([block.rows for block in blocks])
        yield rows, 1, everything, _of_rows(factor, y.double(), alphas)[:, rows[:, 0], None]
    elif not len(factor.s):
        for block in blocks:
            p = y.new_zeros(len(alphas), 1, len(block), y.shape[1])
            yield block.rows[None], block.scored, everything, p
    else:
        z = product(factor.u.to(y.dtype).T, y) if z is None else z
        for block, some, p, _, _ in _by_block(factor, y, z, alphas, blocks, memory_mb):
            yield block.rows[None], block.scored, some, p[:, None]


def refits(factor: Factor, blocks: list[Block]) -> bool:
    """Whether to fit again without a block: where the features make the smaller problem."""
    return len(factor.s) <= min(map(len, blocks))


def _by_block(
    factor: Factor, y: Tensor, z: Tensor, alphas: Tensor, blocks: list[Block], memory_mb: float
) -> Iterator[tuple[Block, Rows, Tensor, Tensor, Tensor]]:
    """Each block's p for some of the penalties, with sizes and pivots.

    Rounding errs in proportion to sizes `[alphas, targets]` over pivots `[alphas]` (`predicted`).
    All is in the precision of z = Uᵀ y.
    """
    u = factor.u.to(z.dtype)
    rest, weights = (part.to(z.dtype) for part in spectral_weights(factor, alphas))
    together = affordable(factor, max(map(len, blocks)), memory_mb)
    places = np.arange(len(alphas))
    for block in blocks:
        rows = at(u, block.rows)
        filled = z - product(rows.T, mean_error(y, block.rows).to(z.dtype))
        for start in range(0, len(alphas), together):
            some = places[start : start + together]
            if refits(factor, blocks):
                p, size = _refitted(factor, rows, alphas[some], filled)
                pivot = torch.ones_like(alphas[some])
            else:
                p, pivot = predicted(factor, rows, rest[some], weights[some], filled)
                size = product(weights[some].double() ** 2, filled.double() ** 2).sqrt()
            yield block, some, p, size, pivot


def _saved(error: Tensor, p: Tensor) -> Tensor:
    """2⟨e, p⟩ − |p|² over the rows of p `[alphas, rows, targets]`, summed in float64."""
    twice = 2 * error.double()
    if not blas.serves(p):
        return ((twice - p.double()) * p.double()).sum(dim=1)
    # One penalty at a time, which stays in a processor's cache.
    return torch.stack([((twice - own) * own).sum(dim=0) for own in map(Tensor.double, p)])


def _with_bounds(gains: Tensor, off: Tensor, shared: Tensor, error_of_mean: Tensor) -> Gains:
    """Gains, and how wrong they may be where predictions may be `off`, and off in a `shared` way.

    By δp, 2⟨e, p⟩ − |p|² changes by 2⟨e − p, δp⟩, and |e − p|² is what a penalty leaves of |e|².
    """
    each = TRUST * 2 * (error_of_mean - gains).clamp(min=0).sqrt()
    known = ~gains.isnan()  # where rounding left anything
    return Gains(
        saved=gains.where(known, 0.0),
        rounding=(each * off).where(known, torch.inf),
        shared=(each * shared).where(known, torch.inf),
    )


def single(blocks: list[Block]) -> bool:
    return all(len(block) == 1 for block in blocks)


def affordable(factor: Factor, block: int, memory_mb: float) -> int:
    """How many penalties are dealt with together: operators, Cholesky factors, copies of either."""
    return fit_in(memory_mb / 2, 8 * block * (2 * block + 2 * len(factor.s)))


def mean_error(y: Tensor, block: Rows) -> Tensor:
    """The error on a block, or a stack of such, of the mean of the other rows of a centred `y`."""
    own = at(y, block)
    return own + own.sum(dim=-2, keepdim=True) / (len(y) - block.shape[-1])


def at(values: Tensor, rows: Rows) -> Tensor:
    """`values` of some rows. A GPU is told their numbers once: each time it would wait for them."""
    if blas.serves(values):
        return values[rows]
    return values[_on(values.device, rows.tobytes(), rows.shape)]


@cache
def _on(device: torch.device, rows: bytes, shape: tuple[int, ...]) -> Tensor:
    numbers = torch.tensor(np.frombuffer(rows, dtype=np.intp).reshape(shape), device=device)
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # other streams take them as they are
    return numbers


def spectral_weights(factor: Factor, alphas: Tensor) -> tuple[Tensor, Tensor]:
    """1 − w without cancelling, and what to weight z by: w, or as well w − 1, `[alphas, rank]`.

    Where U and the constant span all rows, U_B z = 0, because ỹ is 0 in B, and w z amplifies the
    rounding of that zero without bound as the penalty falls; the smaller of both is taken.
    """
    s, alphas = factor.s, alphas[:, None]
    w, rest = s / (s + alphas), alphas / (s + alphas)
    fill = factor.is_full & (rest.norm(dim=1) < w.norm(dim=1))
    return rest, torch.where(fill[:, None], -rest, w)


def predicted(
    factor: Factor, u: Tensor, rest: Tensor, weights: Tensor, z: Tensor
) -> tuple[Tensor, Tensor]:
    """p = (I − H)_BB⁻¹ U_B diag(weights) z, `[alphas, block, targets]`, and the least pivots.

    `u` are the block's rows of U, and `rest` is 1 − w. On a CPU targets lie in rows, as LAPACK has
    it. The pivots, `[alphas]`, are the least there is of (I − H)_BB.
    """
    if z.shape[1] < len(u):  # the smaller of both is weighted
        weighted = (weights.T[:, :, None] * z[:, None]).flatten(start_dim=1)
        right = product(weighted.T, u.T).view(len(weights), -1, len(u)).mT
    elif blas.serves(u):
        rows = z.new_empty(len(weights), z.shape[1], len(u))
        for own, row in zip(weights, rows, strict=True):
            product(z.T, (own * u).T, out=row)
        right = rows.mT
    else:
        right = product((weights[:, None] * u).flatten(end_dim=1), z).view(len(weights), len(u), -1)
    return solved(unexplained(factor, u, rest), right)


def _refitted(factor: Factor, u: Tensor, alphas: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """The same by fitting again, where features are fewer than the block's rows; and sizes.

    A row errs by rounding in proportion to these; pivots are 1 here.
    """
    rows, moments, s = refit(factor, u, z)
    weights = moments[:, None] / (s[:, None] + alphas)[:, :, None]
    p = rows @ weights.flatten(start_dim=1)
    return p.view(len(u), len(alphas), -1).transpose(0, 1), z.norm(dim=0).expand(len(alphas), -1)


def refit(factor: Factor, u: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A block's rows and the moments of targets in the principal components of the other rows.

    Together with the components' eigenvalues s: p = rows (moments / (s + α)). The covariance of the
    other rows is that of all rows without the block's share, about the other rows' mean m.
    """
    x, others = u * factor.s.sqrt(), len(factor.u) - len(u)
    m = -x.sum(dim=0) / others
    covariance = factor.s.diag() - x.T @ x - others * m[:, None] * m
    s, v = torch.linalg.eigh(covariance)
    moments = (v.T * factor.s.sqrt()).to(z.dtype) @ z
    return (x - m) @ v, moments, s.clamp(min=0)


@dataclass(frozen=True)
class Unexplained:
    """What fits leave unexplained of a block's own rows, one fit for each penalty.

    (I − H)_BB = base + sign · U_B diag(weights) U_Bᵀ.
    """

    u: Tensor  # [block, rank]
    base: Tensor  # [block, block]
    sign: float
    weights: Tensor  # [alphas, rank]


def unexplained(factor: Factor, u: Tensor, rest: Tensor) -> Unexplained:
    """The matrices of a block with rows `u` of U, where `rest` is 1 − w of each penalty.

    Where U and the constant span all rows, I − 11ᵀ/n is U Uᵀ, and nothing needs to cancel.
    """
    n = len(u)
    if factor.is_full:
        return Unexplained(u, u.new_zeros(n, n), 1.0, rest)
    return Unexplained(u, torch.eye(n).to(u) - 1 / len(factor.u), -1.0, 1 - rest)


def solved(matrices: Unexplained, right: Tensor) -> tuple[Tensor, Tensor]:
    """(I − H)_BB⁻¹ right, `[alphas, block, targets]`, and the least pivots; `right` may be lost."""
    if blas.serves(right):
        return _solved_in_turn(matrices, right)
    root = roots(matrices)
    return by_roots(root, right), root.diagonal(dim1=1, dim2=2).amin(dim=1) ** 2


def by_roots(root: Tensor, right: Tensor) -> Tensor:
    """(L Lᵀ)⁻¹ right for many roots at once, as a GPU does best: one at a time leaves it idle."""
    half = torch.linalg.solve_triangular(root, right, upper=False)
    return torch.linalg.solve_triangular(root.mT, half, upper=True)


def roots(matrices: Unexplained) -> Tensor:
    """Cholesky roots for every penalty, NaN where rounding left none."""
    scaled = matrices.u * (matrices.sign * matrices.weights)[:, None]
    root, failed = torch.linalg.cholesky_ex(matrices.base + product(scaled, matrices.u.T))
    root[failed > 0] = torch.nan
    return root


def _solved_in_turn(of: Unexplained, right: Tensor) -> tuple[Tensor, Tensor]:
    """`solved` on a CPU: half of each symmetric matrix is computed, in place.

    For more targets than rows an inverse, and a product with it, is faster than to solve for each.
    """
    left, scaled = torch.empty_like(of.base).T, torch.empty_like(of.u)
    rows, least = right.mT.contiguous(), right.new_empty(len(right))
    many = rows.shape[1] > len(left)
    solution = torch.empty_like(rows) if many else rows
    for k, root in enumerate(of.weights.sqrt()):
        left.T.copy_(of.base)  # which is symmetric
        blas.add_gram(torch.mul(of.u, root, out=scaled), left, of.sign)
        if many and blas.invert(left):
            product(rows[k], left, out=solution[k])
            least[k] = 1 / left.diagonal().amax()  # no pivot is less
        elif not many and blas.cholesky(left):
            blas.solve_by_root(left, rows[k])
            least[k] = left.diagonal().amin() ** 2
        else:
            solution[k], least[k] = torch.nan, torch.nan
    return solution.mT, least


def _gains_of_rows(
    factor: Factor, y: Tensor, alphas: Tensor, memory_mb: float, dtype: torch.dtype
) -> Gains:
    """`held_out_gains` where every block is a single row, so that (I − H)_BB is a number."""
    u, rows = factor.u.to(dtype), len(y)
    rest, weights = spectral_weights(factor, alphas)
    own, left, squares = _leverages(factor, rest, weights, dtype)
    error = y.T * (rows / (rows - 1))
    z = product(u.T, y.to(dtype))
    gains = torch.empty(len(alphas), y.shape[1], dtype=torch.float64, device=y.device)
    step = fit_in(memory_mb / 2, 4 * u.element_size() * rows * len(alphas))
    for start in range(0, y.shape[1], step):
        t = slice(start, start + step)
        weighted = weights.to(dtype)[:, None] * z.T[t]
        p = product(weighted.flatten(end_dim=1), u.T).view(*weighted.shape[:2], rows)
        p = ((p - own[:, None] * error[t].to(dtype)) / left[:, None]).double()
        gains[:, t] = ((2 * error[t] - p) * p).sum(dim=2)
    # Both terms of p are rounded, and what is left of them divided.
    e = error.norm(dim=1)
    terms = (weights**2 @ z.double() ** 2).sqrt() + own.abs().amax(dim=1)[:, None] * e
    off = torch.finfo(dtype).eps * terms / left.amin(dim=1).clamp(min=0)[:, None]
    # A row of the inverse over its diagonal: by that much leaving out the row amplifies errors.
    amplified = (squares / left**2).mean(dim=1).sqrt()
    shared = factor.uncertainty(z, alphas) * amplified[:, None]
    return _with_bounds(gains, off, shared, e**2)


def _of_rows(factor: Factor, y: Tensor, alphas: Tensor) -> Tensor:
    """What each penalty predicts for each row from the others, `[alphas, rows, targets]`."""
    u = factor.u.double()
    rest, weights = spectral_weights(factor, alphas)
    own, left, _ = _leverages(factor, rest, weights, u.dtype)
    weighted = weights.T[:, :, None] * product(u.T, y)[:, None]
    fitted = product(u, weighted.flatten(start_dim=1)).view(len(u), len(alphas), -1)
    error = y * (len(y) / (len(y) - 1))
    return (fitted.transpose(0, 1) - own[:, :, None] * error) / left[:, :, None]


def _leverages(
    factor: Factor, rest: Tensor, weights: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """How much a row's response is of what predicts it, and how little, `[alphas, rows]`.

    The third result is the sum of the squares of a row of I − H.
    """
    u = factor.u.to(dtype)
    squared = u**2
    sums = product(torch.cat([weights, rest, rest**2]).to(dtype), squared.T)
    own, left, squares = sums.split(len(weights))
    if not factor.is_full:
        complement = (1 - 1 / len(u) - squared.sum(dim=1, dtype=torch.float64)).to(dtype)
        left, squares = left + complement, squares + complement
    return own, left, squares


def fit_in(memory_mb: float, bytes_each: int) -> int:
    """How many things of a size fit in the budget; one at least."""
    return max(1, int(memory_mb * 2**20 / bytes_each))
