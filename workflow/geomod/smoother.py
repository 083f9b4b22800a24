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
mean's error: unlike the error itself, this tells strong penalties apart even in float32.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import eigh
from torch import Tensor

from geomod.folds import Rows

# Below this share of a kernel's largest eigenvalue a penalty cannot be told from zero in float64.
PENALTY_FLOOR = 1e-12

# Predictions are made for as many targets at a time as stay in a processor's cache.
CACHE_MB = 8

# How much of an operator, in its norm, may be lost when it is mixed from others.
SKELETON = 1e-7

# A sum of products in float32 is trusted to this share of its terms.
FLOAT32_ROUNDING = 2e-6


@dataclass(frozen=True)
class Factor:
    """A centred training matrix X = U √S Vᵀ, without V."""

    u: Tensor  # [rows, rank]
    s: Tensor  # [rank], the eigenvalues of X Xᵀ that are not zero, ascending

    @property
    def is_full(self) -> bool:
        """Whether U and the constant span all rows."""
        return self.u.shape[1] == len(self.u) - 1

    def penalties(self, alphas: Tensor) -> Tensor:
        """The penalties as they can be computed: none lower than the floor."""
        floor = PENALTY_FLOOR * self.s.max() if len(self.s) else 0.0
        return alphas.clamp(min=float(floor))


def factorize(x: Tensor, components: int | None = None) -> Factor:
    """Eigendecompose the smaller of X Xᵀ and Xᵀ X of centred rows, in float64.

    Directions without variance are dropped. `components` keeps the leading principal components:
    projecting on them and fitting a ridge there is the same as cutting the spectrum here.
    """
    rows, width = x.shape
    s, vectors = _spectrum(x if rows <= width else x.T)
    keep = torch.nonzero(s > rows * torch.finfo(s.dtype).eps * s.max().clamp(min=0)).flatten()
    if components is not None:
        keep = keep[-components:]  # the eigenvalues ascend
    s, vectors = s[keep], vectors[:, keep]
    return Factor(vectors if rows <= width else x @ vectors / s.sqrt(), s)


def leading(train: Tensor, test: Tensor, components: int | None) -> tuple[Tensor, Tensor]:
    """Training and test rows on the leading principal components of the training rows, if any."""
    if components is None:
        return train, test
    factor = factorize(train, components)
    axes = train.T @ factor.u / factor.s.sqrt()
    return train @ axes, test @ axes


def best_penalties(
    factor: Factor, y: Tensor, alphas: Tensor, blocks: list[Rows], memory_mb: float = 512
) -> tuple[Tensor, Tensor]:
    """The penalty of least error on rows held out in turn, and its `held_out_gains`, by target.

    The first one where several are as good. Thousands of targets are compared in float32, and
    again in float64 where that leaves a doubt.
    """
    rows, targets = y.shape
    fitted = rows - max(len(block) for block in blocks)
    benign = factor.is_full or len(factor.s) < fitted
    if targets <= rows or not benign or _single(blocks):
        parts = y.split(rows, dim=1)
        gains = [held_out_gains(factor, part, alphas, blocks, memory_mb) for part in parts]
        gain, best = torch.cat(gains, dim=1).max(dim=0)
        return best, gain
    rough, power = rough_gains(factor, y.float(), alphas, blocks, memory_mb)
    gain, best = rough.max(dim=0)
    rounding = FLOAT32_ROUNDING * (power + y.norm(dim=0) * power.sqrt())
    own = rounding.gather(0, best[None])
    doubt = torch.nonzero(((rough + rounding) >= gain - own).sum(dim=0) > 1).flatten()
    for some in doubt.split(rows) if len(doubt) else ():
        exact = held_out_gains(factor, y[:, some], alphas, blocks, memory_mb)
        gain[some], best[some] = exact.max(dim=0)
    return best, gain


def held_out_gains(
    factor: Factor, y: Tensor, alphas: Tensor, blocks: list[Rows], memory_mb: float = 512
) -> Tensor:
    """How much squared error each penalty saves over predicting the mean, `[alphas, targets]`.

    Each of the `blocks` is left out once and predicted by the model refitted, intercept included,
    on all other rows; `y` is centred. The penalty that saves most has the least error.
    """
    gains = torch.zeros(len(alphas), y.shape[1], dtype=torch.float64, device=y.device)
    if not len(factor.s):
        return gains
    if _single(blocks):
        return _gains_of_rows(factor, y, alphas, memory_mb)
    for some in _affordable(factor, alphas, blocks, memory_mb):
        for block, error, z in _held_out(factor, y, blocks):
            # Whether the features or the rows of the block make the smaller problem.
            refit = len(factor.s) <= len(block)
            p = (_refitted if refit else _predicted)(factor, block, alphas[some], z)
            gains[some] += 2 * (error * p).sum(dim=1) - (p**2).sum(dim=1)
    return gains


def rough_gains(
    factor: Factor, y: Tensor, alphas: Tensor, blocks: list[Rows], memory_mb: float = 512
) -> tuple[Tensor, Tensor]:
    """`held_out_gains` of thousands of targets in float32, and Σ p², both `[alphas, targets]`.

    The cost is to apply a matrix for each penalty, z ↦ p, to every target. The matrices of
    neighbouring penalties are nearly mixtures of each other, and only as many as differ are
    applied: about half where the spectrum of the features is flat, most where it is steep.
    """
    gains = torch.zeros(len(alphas), y.shape[1], dtype=torch.float64, device=y.device)
    power = torch.zeros_like(gains)
    for some in _affordable(factor, alphas, blocks, memory_mb):
        for block, error, z in _held_out(factor, y, blocks):
            operators = _operators(factor, block, alphas[some])
            picked, mix = skeleton(operators.flatten(start_dim=1), SKELETON)
            stacked, mix = operators[picked].to(y.dtype).flatten(end_dim=1), mix.to(y.dtype)
            step = fit_in(min(memory_mb / 2, CACHE_MB), 8 * len(block) * len(alphas))
            for start in range(0, y.shape[1], step):
                t = slice(start, start + step)
                p = (stacked @ z[:, t]).view(len(picked), len(block), -1)
                gains[some, t] += 2 * mix @ (error[:, t] * p).sum(dim=1)
                p = (mix @ p.flatten(start_dim=1)).view(len(some), len(block), -1)
                power[some, t] += p.square_().sum(dim=1)
    return gains - power, power


def _single(blocks: list[Rows]) -> bool:
    return all(len(block) == 1 for block in blocks)


def _affordable(
    factor: Factor, alphas: Tensor, blocks: list[Rows], memory_mb: float
) -> tuple[Tensor, ...]:
    """Which penalties are dealt with together: operators, Cholesky factors, copies of either."""
    largest = max(len(block) for block in blocks)
    together = fit_in(memory_mb / 2, 8 * largest * (2 * largest + 2 * len(factor.s)))
    return torch.arange(len(alphas), device=alphas.device).split(together)


def _held_out(
    factor: Factor, y: Tensor, blocks: list[Rows]
) -> Iterator[tuple[Rows, Tensor, Tensor]]:
    """Every block, the error of the other rows' mean on it, and z = Uᵀỹ."""
    u = factor.u.to(y.dtype)
    z = u.T @ y
    for block in blocks:
        error = y[block] + y[block].sum(dim=0) / (len(y) - len(block))
        yield block, error, z - u[block].T @ error


def _system(factor: Factor, block: Rows, alphas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What makes p of z = Uᵀỹ: p = first z + (I − H)_BB⁻¹ U_B diag(weights) z, for every penalty.

    `first` [block, rank], the Cholesky roots of (I − H)_BB [alphas, block, block], and `weights`
    [alphas, rank]. By the formula above `first` is 0 and `weights` are w. But where U and the
    constant span all rows, U_B z = 0, because ỹ is 0 in B, and w z amplifies the rounding of that
    zero without bound as the penalty falls. It is taken out: `weights` are w − 1, and `first`
    is (I − 11ᵀ/n)_BB⁻¹ U_B.
    """
    u, rows = factor.u[block], len(factor.u)
    rest = alphas[:, None] / (factor.s + alphas[:, None])  # 1 − w, without cancelling
    left = _weighted_grams(u, rest)
    if factor.is_full:
        first, weights = u + u.sum(dim=0) / (rows - len(block)), -rest
    else:
        first, weights = torch.zeros_like(u), factor.s / (factor.s + alphas[:, None])
        left += torch.eye(len(block)).to(u) - 1 / rows - u @ u.T
    return first, torch.linalg.cholesky(left), weights


def _operators(factor: Factor, block: Rows, alphas: Tensor) -> Tensor:
    """The matrices that make p of z, `[alphas, block, rank]`."""
    first, root, weights = _system(factor, block, alphas)
    return first + torch.cholesky_inverse(root) @ (factor.u[block] * weights[:, None])


def _predicted(factor: Factor, block: Rows, alphas: Tensor, z: Tensor) -> Tensor:
    """p of a few targets, `[alphas, block, targets]`, without making those matrices."""
    first, root, weights = _system(factor, block, alphas)
    weighted = (weights.T[:, :, None] * z[:, None]).flatten(start_dim=1)
    right = (factor.u[block] @ weighted).view(len(block), len(alphas), -1).transpose(0, 1)
    return first @ z + torch.cholesky_solve(right, root)


def _refitted(factor: Factor, block: Rows, alphas: Tensor, z: Tensor) -> Tensor:
    """p of a few targets by fitting again, where features are fewer than the block's rows.

    The covariance of the other rows is that of all rows without the block's share, about the other
    rows' mean m.
    """
    x, others = factor.u[block] * factor.s.sqrt(), len(factor.u) - len(block)
    m = -x.sum(dim=0) / others
    covariance = factor.s.diag() - x.T @ x - others * m[:, None] * m
    s, v = torch.linalg.eigh(covariance)
    moments = v.T @ (factor.s.sqrt()[:, None] * z)
    weights = moments[:, None] / (s.clamp(min=0)[:, None] + alphas)[:, :, None]
    p = (x - m) @ v @ weights.flatten(start_dim=1)
    return p.view(len(block), len(alphas), -1).transpose(0, 1)


def _gains_of_rows(factor: Factor, y: Tensor, alphas: Tensor, memory_mb: float) -> Tensor:
    """`held_out_gains` where every block is a single row, so that (I − H)_BB is a number."""
    u, s = factor.u, factor.s
    rows, targets = y.shape
    w = (s / (s + alphas[:, None])).T
    leverage = u**2 @ w  # [rows, alphas], without the intercept's 1/n
    left = 1 - 1 / rows - leverage
    error = y * (rows / (rows - 1))
    z = u.T @ y
    gains = torch.empty(len(alphas), targets, dtype=torch.float64, device=y.device)
    step = fit_in(memory_mb / 2, 4 * y.element_size() * rows * len(alphas))
    for start in range(0, targets, step):
        t = slice(start, start + step)
        p = (u @ (w[:, :, None] * z[:, None, t]).flatten(start_dim=1)).view(rows, len(alphas), -1)
        p = (p - leverage[:, :, None] * error[:, None, t]) / left[:, :, None]
        gains[:, t] = 2 * (error[:, None, t] * p).sum(dim=0) - (p**2).sum(dim=0)
    return gains


def skeleton(operators: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
    """Rows from which all rows of `operators` can be mixed: their indices, and the mixture.

    Rows are picked greedily (pivoted Cholesky of the Gram of the normalized rows) until what is
    left of each is below `tolerance` of its norm.
    """
    norm = operators.norm(dim=1).clamp(min=torch.finfo(operators.dtype).tiny)
    gram = (operators @ operators.T) / norm / norm[:, None]
    gram.fill_diagonal_(1)  # also for a row of zeros, which is a mixture of no others
    left = gram.clone()
    picked: list[int] = []
    while len(picked) < len(gram) and left.diagonal().max() > tolerance**2:
        k = int(left.diagonal().argmax())
        picked.append(k)
        left = left - left[:, k, None] * left[k] / left[k, k]
    some = torch.tensor(picked, device=gram.device)
    mix = torch.linalg.solve(gram[some][:, some], gram[some]).T
    return some, mix * norm[:, None] / norm[some]


def _spectrum(x: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, ascending, and eigenvectors of X Xᵀ."""
    if x.device.type != "cpu":
        return torch.linalg.eigh(x @ x.T)
    # LAPACK's divide and conquer, in place: a tenth faster than through NumPy or torch.
    kernel = x.numpy() @ x.numpy().T
    s, vectors = eigh(kernel.T, driver="evd", overwrite_a=True, check_finite=False)
    return torch.from_numpy(s), torch.from_numpy(vectors)


def _weighted_grams(u: Tensor, weights: Tensor) -> Tensor:
    """U diag(weights) Uᵀ for every row of positive `weights`."""
    if u.device.type != "cpu":
        return (u * weights[:, None]) @ u.T
    # NumPy sees that A Aᵀ is symmetric and computes half of it.
    scaled = (u.numpy() * root for root in weights.sqrt().numpy())
    return torch.from_numpy(np.stack([a @ a.T for a in scaled]))


def fit_in(memory_mb: float, bytes_each: int) -> int:
    """How many things of a size fit in the budget; one at least."""
    return max(1, int(memory_mb * 2**20 / bytes_each))
