"""One factorization of the training rows, which serves every fit made on them.

Centred rows X = U √S Vᵀ are factorized by the eigenvectors of the smaller of X Xᵀ and Xᵀ X. That is
most of what an encoding model costs, and float32 halves it, but a Gram matrix squares the condition
number: float32 is taken where the eigenvalues stand clear of its rounding, which a Cholesky root
tells beforehand, and float64 elsewhere. A factor says how precise it is, a penalty whose choice
depends on more is chosen by the exact one (`geomod.smoother`), and the model with the
chosen penalty is always solved to float64 (`solve`).
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import eigh, lapack
from torch import Tensor

# Below this share of a kernel's largest eigenvalue a penalty cannot be told from zero in float64.
PENALTY_FLOOR = 1e-12

# Eigenvalues below this share of the largest one are not computed in float32.
RESOLVED = 1e-5

# The least reciprocal condition (in the 1-norm, as LAPACK estimates it) for which that is tried.
WELL_CONDITIONED = 6e-7

# Fewer rows than these are factorized in float64: there is nothing to save.
FEW_ROWS = 256

# A solution is not corrected further where this share of it is still missing.
SOLVED = 1e-10


@dataclass(frozen=True)
class Factor:
    """A centred training matrix X = U √S Vᵀ, without V, in the precision it was computed in."""

    u: Tensor  # [rows, rank]
    s: Tensor  # [rank], the eigenvalues of X Xᵀ that are not zero, ascending, in float64
    vectors: Tensor  # [rows or columns, rank], U or V: the eigenvectors of the smaller side

    @property
    def eps(self) -> float:
        """Relative rounding of the numbers."""
        return torch.finfo(self.u.dtype).eps

    @property
    def is_exact(self) -> bool:
        return self.u.dtype == torch.float64

    @property
    def is_full(self) -> bool:
        """Whether U and the constant span all rows."""
        return self.u.shape[1] == len(self.u) - 1

    def penalties(self, alphas: Tensor) -> Tensor:
        """The penalties as they can be computed: none lower than the floor."""
        floor = PENALTY_FLOOR * self.s.max() if len(self.s) else 0.0
        return alphas.clamp(min=float(floor))

    def uncertainty(self, y: Tensor, alphas: Tensor) -> Tensor:
        """By how much predictions of `y` may be off, `[alphas, targets]`, to first order.

        A kernel that is wrong by E is seen through the dual coefficients, |E| |(X Xᵀ + αI)⁻¹ y|.
        """
        dual = (1 / (self.s + alphas[:, None])) ** 2 @ (self.u.T @ y.to(self.u.dtype)).double() ** 2
        return self.eps * self.s.max() * dual.sqrt()


def factorize(x: Tensor, components: int | None = None, *, fast: bool = False) -> Factor:
    """Eigendecompose the smaller of X Xᵀ and Xᵀ X of centred rows.

    Directions without variance are dropped. `components` keeps the leading principal components:
    projecting on them and fitting a ridge there is the same as cutting the spectrum here. `fast`
    allows float32, where the features are conditioned well enough.
    """
    if fast and components is None and len(x) >= FEW_ROWS:
        factor = _in_float32(x)
        if factor is not None:
            return factor
    rows = len(x)
    s, vectors = _eigenpairs(_gram(x))
    keep = torch.nonzero(s > rows * torch.finfo(s.dtype).eps * s.max().clamp(min=0)).flatten()
    if components is not None:
        keep = keep[-components:]  # the eigenvalues ascend
    return _factor(x, s[keep], vectors[:, keep])


def leading(train: Tensor, test: Tensor, components: int | None) -> tuple[Tensor, Tensor]:
    """Training and test rows on the leading principal components of the training rows, if any."""
    if components is None:
        return train, test
    factor = factorize(train, components)
    axes = train.T @ factor.u / factor.s.sqrt()
    return train @ axes, test @ axes


def solve(factor: Factor, x: Tensor, y: Tensor, alphas: Tensor) -> Tensor:
    """Weights of the features, `[width, targets]`, with a penalty for each of the centred targets.

    A factor of float32 gives a first solution and corrects it by what it misses of the normal
    equations, computed in float64, until nothing is left to correct.
    """
    wide = x.shape[0] <= x.shape[1]
    a, right = (x, y.T) if wide else (x.T, y.T @ x)  # targets in rows: products are faster so
    inverse = 1 / (factor.s + alphas[:, None])

    def solution(missed: Tensor) -> Tensor:
        moments = missed.to(factor.vectors.dtype) @ factor.vectors
        return ((moments * inverse).to(moments.dtype) @ factor.vectors.T).double()

    v = solution(right)
    if factor.is_exact:
        return (v @ a if wide else v).T
    rates: list[float] = []
    while not rates or rates[0] * rates[-1] > SOLVED:
        change = solution(right - (v @ a) @ a.T - alphas[:, None] * v)
        v += change
        # A round corrects all but the share that the first one corrected.
        rates.append(float((change.norm(dim=1) / v.norm(dim=1)).nan_to_num(0).max()))
    return (v @ a if wide else v).T


def _in_float32(x: Tensor) -> Factor | None:
    """The factor computed in float32, or None where that does not tell its directions apart."""
    single = x.float()
    gram = _gram(single)
    centred_rows = len(gram) == len(x)
    if not _well_conditioned(gram, singular=centred_rows):
        return None
    s, vectors = _eigenpairs(gram)
    if (
        centred_rows
    ):  # they do not vary along the constant, which rounding mixes with its neighbours
        s, vectors = s[1:], vectors[:, 1:] - vectors[:, 1:].mean(dim=0)
    if s[0] < RESOLVED * s[-1]:
        return None
    return _factor(single, s, vectors)


def _factor(x: Tensor, s: Tensor, vectors: Tensor) -> Factor:
    u = vectors if len(vectors) == len(x) else x @ vectors / s.sqrt()
    return Factor(u, s.double(), vectors)


def _gram(x: Tensor) -> Tensor:
    """The smaller of X Xᵀ and Xᵀ X."""
    a = x if x.shape[0] <= x.shape[1] else x.T
    # NumPy sees that A Aᵀ is symmetric and computes half of it.
    return a @ a.T if a.device.type != "cpu" else torch.from_numpy(a.numpy() @ a.numpy().T)


def _well_conditioned(gram: Tensor, singular: bool) -> bool:
    """Whether the condition number leaves room for float32; `singular` along the constant."""
    matrix = gram + gram.diagonal().mean() / len(gram) if singular else gram
    if matrix.device.type != "cpu":
        root, failed = torch.linalg.cholesky_ex(matrix)
        spread = root.diagonal()
        return not bool(failed) and bool(spread.min() ** 2 > RESOLVED * spread.max() ** 2)
    values = matrix.numpy()
    root, failed = lapack.spotrf(values.T, lower=0, overwrite_a=False)
    if failed:
        return False
    reciprocal, _ = lapack.spocon(root, np.abs(values).sum(axis=0).max())
    return bool(reciprocal > WELL_CONDITIONED)


def _eigenpairs(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, ascending, and eigenvectors of a symmetric matrix, which is overwritten."""
    if gram.device.type != "cpu":
        return torch.linalg.eigh(gram)
    # LAPACK's divide and conquer, in place: a tenth faster than through NumPy or torch.
    s, vectors = eigh(gram.numpy().T, driver="evd", overwrite_a=True, check_finite=False)
    return torch.from_numpy(s), torch.from_numpy(vectors)
