"""What a fit leaves unexplained of its own rows: the matrix (I − H)_BB of a block of rows B.

To leave the block out is to apply its inverse (`geomod.smoother`), one system for each penalty.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from geomod import blas
from geomod.blas import product
from geomod.factor import Factor


@dataclass(frozen=True)
class Unexplained:
    """(I − H)_BB = base + sign · U_B diag(weights) U_Bᵀ, for each penalty."""

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
