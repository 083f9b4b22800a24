"""What penalties save for thousands of targets, where to apply a matrix to each is the cost.

The matrix of a penalty, z ↦ p, predicts held-out rows (`held_out.py`). It is made in float64,
and applied to all targets in float32. Where features are fewer than the rows that are held out, p
itself is never made: 2⟨e, p⟩ − |p|² is a quadratic form in the weights of the refit's components.
"""

import torch
from torch import Tensor

from geomod.ridge import blas
from geomod.ridge.blas import product
from geomod.ridge.factor import Factor
from geomod.ridge.folds import Block
from geomod.ridge.held_out import (
    Gains,
    affordable,
    at,
    by_roots,
    fit_in,
    mean_error,
    refit,
    refits,
    roots,
    single,
    spectral_weights,
    unexplained,
)

# Predictions are made for as many targets at a time as stay in a processor's cache.
CACHE_MB = 8

# A sum of products in float32 is trusted to this share of its terms.
FLOAT32_ROUNDING = 2e-6


def benign(factor: Factor, rows: int, blocks: list[Block]) -> bool:
    """Whether no smoother is close to interpolating, so that operators in float32 will do."""
    fitted = rows - max(len(block) for block in blocks)
    return not single(blocks) and (factor.is_full or len(factor.s) < fitted)


def gains_of_many(
    factor: Factor, y: Tensor, alphas: Tensor, blocks: list[Block], memory_mb: float
) -> Gains:
    """`held_out_gains` of thousands of targets, in float32."""
    if refits(factor, blocks):
        return _gains_of_refits(factor, y, alphas, blocks)
    gains = torch.zeros(len(alphas), y.shape[1], dtype=torch.float64, device=y.device)
    power, size = torch.zeros_like(gains), torch.zeros_like(gains)
    u = factor.u.to(y.dtype)
    z = product(u.T, y)
    rest, weights = spectral_weights(factor, alphas)
    everything = torch.arange(len(alphas), device=alphas.device)
    together = affordable(factor, max(map(len, blocks)), memory_mb)
    for block in blocks:
        error, rows = mean_error(y, block.rows), at(factor.u, block.rows)
        filled = z - product(at(u, block.rows).T, error)
        error, scored = error[: block.scored], slice(block.scored)
        for some in everything.split(together):
            root = roots(unexplained(factor, rows, rest[some]))
            weighted = rows * weights[some, None]
            if blas.serves(root):
                operators = product(torch.cholesky_inverse(root), weighted)
            else:
                operators = by_roots(root, weighted)
            size[some] += operators.norm(dim=(1, 2))[:, None] ** 2 * filled.norm(dim=0) ** 2
            stacked = operators[:, scored].to(y.dtype).flatten(end_dim=1)
            room = min(memory_mb / 2, CACHE_MB) if blas.serves(y) else memory_mb / 2
            step = fit_in(room, 4 * len(stacked))
            for start in range(0, y.shape[1], step):
                t = slice(start, start + step)
                p = product(stacked, filled[:, t]).view(len(some), block.scored, -1)
                gains[some, t] += 2 * (error[:, t] * p).sum(dim=1)
                power[some, t] += p.square_().sum(dim=1)
    # Where a smoother comes close to interpolating, large terms of p cancel: its sizes tell.
    terms = power if factor.is_full else torch.maximum(power, size)
    rounding = FLOAT32_ROUNDING * (power + y.double().norm(dim=0) * terms.sqrt())
    known = ~power.isnan()  # where rounding left anything
    saved = (gains - power).where(known, 0.0)
    return Gains(saved, rounding.where(known, torch.inf), torch.zeros_like(gains))


def _gains_of_refits(factor: Factor, y: Tensor, alphas: Tensor, blocks: list[Block]) -> Gains:
    """The same from fits to the other rows, in the basis of their own principal components.

    With rows p = A v, v = moments / (s + α): 2⟨e, p⟩ − |p|² = v'(2A'e − A'A v).
    """
    gains = torch.zeros(len(alphas), y.shape[1], dtype=torch.float64, device=y.device)
    power = torch.zeros_like(gains)
    z = product(factor.u.to(y.dtype).T, y)
    for block in blocks:
        error = mean_error(y, block.rows)
        own = at(factor.u, block.rows)
        filled = z - product(own.to(y.dtype).T, error)
        rows, moments, s = refit(factor, own, filled)
        rows = rows[: block.scored]
        twice = 2 * product(rows.to(y.dtype).T, error[: block.scored])
        gram = (rows.T @ rows).to(y.dtype)
        for k, alpha in enumerate(alphas):
            v = moments / (s + alpha).to(y.dtype)[:, None]
            own = product(gram, v)
            power[k] += (own * v).sum(dim=0)
            gains[k] += (twice * v).sum(dim=0)
    power = power.clamp(min=0)
    rounding = FLOAT32_ROUNDING * (power + y.double().norm(dim=0) * power.sqrt())
    return Gains(gains - power, rounding, torch.zeros_like(gains))
