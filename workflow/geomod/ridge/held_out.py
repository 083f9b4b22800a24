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

from dataclasses import dataclass

import torch
from torch import Tensor

from geomod.ridge import blas
from geomod.ridge.blas import product
from geomod.ridge.factor import Factor
from geomod.ridge.folds import Rows

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
    blocks: list[Rows],
    memory_mb: float = 512,
    dtype: torch.dtype = torch.float64,
) -> Gains:
    """What each penalty saves: the one that saves most has the least error.

    Each of the `blocks` is left out once and predicted by the model refitted, intercept included,
    on all other rows; `y` is centred.
    """
    if not len(factor.s):
        nothing = torch.zeros(len(alphas), y.shape[1], dtype=torch.float64, device=y.device)
        return Gains(nothing, nothing, nothing)
    if single(blocks):
        return _gains_of_rows(factor, y, alphas, memory_mb, dtype)
    refit = len(factor.s) <= min(map(len, blocks))  # there the features make the smaller problem
    if refit:
        dtype = torch.float64
    u = factor.u.to(dtype)
    z = product(u.T, y.to(dtype))
    rest, weights = (part.to(dtype) for part in spectral_weights(factor, alphas))
    gains = torch.zeros(len(alphas), y.shape[1], dtype=torch.float64, device=y.device)
    of_mean, terms, least = torch.zeros_like(gains[0]), gains.clone(), torch.ones_like(alphas)
    together = affordable(factor, max(map(len, blocks)), memory_mb)
    for block in blocks:
        rows, error = u[block], mean_error(y, block).to(dtype)
        of_mean += (error.double() ** 2).sum(dim=0)
        filled = z - product(rows.T, error)
        for some in torch.arange(len(alphas), device=alphas.device).split(together):
            if refit:
                p, size = _refitted(factor, rows, alphas[some], filled)
            else:
                p, size, pivot = _predicted(factor, rows, rest[some], weights[some], filled)
                least[some] = torch.minimum(least[some], pivot.double())
            gains[some] += _saved(error, p)
            terms[some] = torch.maximum(terms[some], size)
    off = torch.finfo(dtype).eps * terms / least[:, None]
    # |(I − H)_BB⁻¹ (I − H)_B| at most: by that much leaving out a block amplifies errors.
    most = rest.double().amax(dim=1) if factor.is_full else torch.ones_like(least)
    shared = factor.uncertainty(z, alphas) * (most / least).clamp(min=1).sqrt()[:, None]
    return _with_bounds(gains, off, shared, of_mean)


def _saved(error: Tensor, p: Tensor) -> Tensor:
    """2⟨e, p⟩ − |p|² over the rows of p `[alphas, rows, targets]`, summed in float64."""
    p = p.double()
    return ((2 * error.double() - p) * p).sum(dim=1)


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


def single(blocks: list[Rows]) -> bool:
    return all(len(block) == 1 for block in blocks)


def affordable(factor: Factor, block: int, memory_mb: float) -> int:
    """How many penalties are dealt with together: operators, Cholesky factors, copies of either."""
    return fit_in(memory_mb / 2, 8 * block * (2 * block + 2 * len(factor.s)))


def mean_error(y: Tensor, block: Rows) -> Tensor:
    """The error on a block of the mean of the other rows of a centred `y`."""
    return y[block] + y[block].sum(dim=0) / (len(y) - len(block))


def spectral_weights(factor: Factor, alphas: Tensor) -> tuple[Tensor, Tensor]:
    """1 − w without cancelling, and what to weight z by: w, or as well w − 1, `[alphas, rank]`.

    Where U and the constant span all rows, U_B z = 0, because ỹ is 0 in B, and w z amplifies the
    rounding of that zero without bound as the penalty falls; the smaller of both is taken.
    """
    s, alphas = factor.s, alphas[:, None]
    w, rest = s / (s + alphas), alphas / (s + alphas)
    fill = factor.is_full & (rest.norm(dim=1) < w.norm(dim=1))
    return rest, torch.where(fill[:, None], -rest, w)


def _predicted(
    factor: Factor, u: Tensor, rest: Tensor, weights: Tensor, z: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """p = (I − H)_BB⁻¹ U_B diag(weights) z of a few targets, `[alphas, block, targets]`.

    `u` are the block's rows of U, and `rest` is 1 − w. Rounding errs in proportion to the second
    result, `[alphas, targets]`, over the third, the least there is of (I − H)_BB, `[alphas]`.
    """
    weighted = weights.T[:, :, None] * z[:, None]
    right = product(u, weighted.flatten(start_dim=1)).view(len(u), len(weights), -1)
    p, pivots = solved(unexplained(factor, u, rest), right.transpose(0, 1))
    return p, weighted.norm(dim=0).double(), pivots


def _refitted(factor: Factor, u: Tensor, alphas: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """The same by fitting again, where features are fewer than the block's rows.

    The covariance of the other rows is that of all rows without the block's share, about the other
    rows' mean m.
    """
    x, others = u * factor.s.sqrt(), len(factor.u) - len(u)
    m = -x.sum(dim=0) / others
    covariance = factor.s.diag() - x.T @ x - others * m[:, None] * m
    s, v = torch.linalg.eigh(covariance)
    moments = v.T @ (factor.s.sqrt()[:, None] * z)
    weights = moments[:, None] / (s.clamp(min=0)[:, None] + alphas)[:, :, None]
    p = (x - m) @ v @ weights.flatten(start_dim=1)
    return p.view(len(u), len(alphas), -1).transpose(0, 1), z.norm(dim=0).expand(len(alphas), -1)


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
    """(I − H)_BB⁻¹ right, `[alphas, block, targets]`, and the least pivots, `[alphas]`."""
    if blas.serves(right):
        return _solved_in_turn(matrices, right)
    root = roots(matrices)
    return torch.cholesky_solve(right, root), root.diagonal(dim1=1, dim2=2).amin(dim=1) ** 2


def roots(matrices: Unexplained) -> Tensor:
    """Cholesky roots for every penalty, NaN where rounding left none."""
    scaled = matrices.u * (matrices.sign * matrices.weights)[:, None]
    root, failed = torch.linalg.cholesky_ex(matrices.base + product(scaled, matrices.u.T))
    root[failed > 0] = torch.nan
    return root


def _solved_in_turn(of: Unexplained, right: Tensor) -> tuple[Tensor, Tensor]:
    """`solved` on a CPU: half of each symmetric matrix is computed, in place."""
    left, scaled = torch.empty_like(of.base).T, torch.empty_like(of.u)
    solution, diagonals = right.transpose(1, 2).contiguous(), right.new_empty(right.shape[:2])
    for k, root in enumerate(of.weights.sqrt()):
        left.T.copy_(of.base)  # which is symmetric
        blas.add_gram(torch.mul(of.u, root, out=scaled), left, of.sign)
        if blas.cholesky(left):
            blas.solve_by_root(left, solution[k])
            diagonals[k] = left.diagonal()
        else:
            solution[k], diagonals[k] = torch.nan, torch.nan
    return solution.transpose(1, 2), diagonals.amin(dim=1) ** 2


def _gains_of_rows(
    factor: Factor, y: Tensor, alphas: Tensor, memory_mb: float, dtype: torch.dtype
) -> Gains:
    """`held_out_gains` where every block is a single row, so that (I − H)_BB is a number."""
    u, rows = factor.u.to(dtype), len(y)
    rest, weights = spectral_weights(factor, alphas)
    squared = u**2
    # [alphas, rows], how much a row's response is of what predicts it, and how little.
    sums = product(torch.cat([weights, rest, rest**2]).to(dtype), squared.T)
    own, left, squares = sums.split(len(alphas))
    if not factor.is_full:
        complement = (1 - 1 / rows - squared.sum(dim=1, dtype=torch.float64)).to(dtype)
        left, squares = left + complement, squares + complement
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


def fit_in(memory_mb: float, bytes_each: int) -> int:
    """How many things of a size fit in the budget; one at least."""
    return max(1, int(memory_mb * 2**20 / bytes_each))
