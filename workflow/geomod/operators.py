"""What penalties save for thousands of targets, where to apply a matrix to each is the cost.

The matrix of a penalty, z ↦ p, predicts held-out rows (`geomod.smoother`). Those of neighbouring
penalties are nearly mixtures of each other, and only as many as differ are applied: about half
where the spectrum of the features is flat, most where it is steep.
"""

import torch
from torch import Tensor

from geomod.blas import product
from geomod.factor import Factor
from geomod.folds import Rows
from geomod.smoother import (
    Gains,
    affordable,
    fit_in,
    mean_error,
    single,
    spectral_weights,
)
from geomod.unexplained import roots, unexplained

# Predictions are made for as many targets at a time as stay in a processor's cache.
CACHE_MB = 8

# How much of an operator, in its norm, may be lost when it is mixed from others.
SKELETON = 1e-7

# A sum of products in float32 is trusted to this share of its terms.
FLOAT32_ROUNDING = 2e-6


def benign(factor: Factor, rows: int, blocks: list[Rows]) -> bool:
    """Whether operators can be applied in float32: no smoother is close to interpolating."""
    fitted = rows - max(len(block) for block in blocks)
    return not single(blocks) and (factor.is_full or len(factor.s) < fitted)


def gains_of_many(
    factor: Factor, y: Tensor, alphas: Tensor, blocks: list[Rows], memory_mb: float
) -> Gains:
    """`held_out_gains` of thousands of targets, in float32.

    The cost is to apply a matrix for each penalty, z ↦ p, to every target. The matrices of
    neighbouring penalties are nearly mixtures of each other, and only as many as differ are
    applied: about half where the spectrum of the features is flat, most where it is steep.
    """
    gains = torch.zeros(len(alphas), y.shape[1], dtype=torch.float64, device=y.device)
    power = torch.zeros_like(gains)
    u = factor.u.to(y.dtype)
    z = product(u.T, y)
    rest, weights = spectral_weights(factor, alphas)
    everything = torch.arange(len(alphas), device=alphas.device)
    together = affordable(factor, max(map(len, blocks)), memory_mb)
    for block in blocks:
        error, rows = mean_error(y, block), factor.u[block]
        filled = z - product(u[block].T, error)
        for some in everything.split(together):
            root = roots(unexplained(factor, rows, rest[some]))
            operators = product(torch.cholesky_inverse(root), rows * weights[some, None])
            picked, mix = skeleton(operators.flatten(start_dim=1), SKELETON)
            stacked, mix = operators[picked].to(y.dtype).flatten(end_dim=1), mix.to(y.dtype)
            step = fit_in(min(memory_mb / 2, CACHE_MB), 8 * len(block) * len(alphas))
            for start in range(0, y.shape[1], step):
                t = slice(start, start + step)
                p = product(stacked, filled[:, t]).view(len(picked), len(block), -1)
                gains[some, t] += 2 * mix @ (error[:, t] * p).sum(dim=1)
                p = product(mix, p.flatten(start_dim=1)).view(len(some), len(block), -1)
                power[some, t] += p.square_().sum(dim=1)
    rounding = FLOAT32_ROUNDING * (power + y.double().norm(dim=0) * power.sqrt())
    return Gains(gains - power, rounding, torch.zeros_like(gains))


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
