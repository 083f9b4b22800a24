"""One factorization of the training rows, which serves every fit made on them.

Centred rows X = U √S Vᵀ are factorized by the eigenvectors of the smaller of X Xᵀ and Xᵀ X. That is
most of what an encoding model costs, and float32 halves it, but a Gram matrix squares the condition
number: float32 is taken where the eigenvalues stand clear of its rounding, which a Cholesky root
tells beforehand, and float64 elsewhere. A factor says how precise it is, a penalty whose choice
depends on more is chosen by the exact one (`geomod.ridge.penalties`), and the model with the chosen
penalty is always solved to float64 (`solve`).

A LayerNorm leaves one direction of the features empty. Where they are fewer than the rows, that
takes float64: without the direction float32 would do for some, and leave so many choices open that
nothing was gained (docs/performance.md).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from geomod.ridge import blas
from geomod.ridge.blas import product

# Below this share of a kernel's largest eigenvalue a penalty cannot be told from zero in float64.
PENALTY_FLOOR = 1e-12

# Eigenvalues below this share of the largest one are not computed in float32.
RESOLVED = 1e-5

# Fewer rows than these are factorized in float64: there is nothing to save.
FEW_ROWS = 256

# A solution is not corrected further where this share of it is still missing.
SOLVED = 1e-10

# Many more rounds of correction than a factor that passed as well conditioned needs.
ROUNDS = 50


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

    def uncertainty(self, z: Tensor, alphas: Tensor) -> Tensor:
        """By how much predictions of y may be off, `[alphas, targets]`, to first order; z = Uᵀ y.

        A kernel that is wrong by E is seen through the dual coefficients, |E| |(X Xᵀ + αI)⁻¹ y|.
        """
        dual = (1 / (self.s + alphas[:, None])) ** 2 @ z.double() ** 2
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
    return _factor(x, *_varying(_gram(x), len(x), components))


def factorize_kernel(kernel: Tensor, components: int | None = None) -> Factor:
    """The same from X Xᵀ itself, the kernel of centred rows."""
    s, vectors = _varying(kernel.clone(), len(kernel), components)
    return _with_vectors_of_rows(s, vectors)


def _varying(gram: Tensor, rows: int, components: int | None) -> tuple[Tensor, Tensor]:
    """The eigenpairs that are not zero, or the leading ones of these, ascending."""
    s, vectors = _eigenpairs(gram)
    keep = torch.nonzero(s > rows * torch.finfo(s.dtype).eps * s.max().clamp(min=0)).flatten()
    if components is not None:
        keep = keep[-components:]  # the eigenvalues ascend
    return s[keep], vectors[:, keep]


def leading(train: Tensor, test: Tensor, components: int | None) -> tuple[Tensor, Tensor]:
    """Training and test rows on the leading principal components of the training rows, if any."""
    if components is None:
        return train, test
    return on_components(factorize(train, components), train, test)


def on_components(factor: Factor, train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """The same where the training rows are factorized already, into those components."""
    if not len(factor.s):  # nothing varies: there are no components to look along
        return train, test
    axes = product(train.T, factor.u) / factor.s.sqrt()
    return product(train, axes), product(test, axes)


def solve(factor: Factor, x: Tensor, y: Tensor, alphas: Tensor) -> Tensor:
    """Weights of the features, `[width, targets]`, with a penalty for each of the centred targets.

    They are mixtures of the rows of X where those are fewer. A factor of float32 gives a first
    solution and corrects it by what it misses of the normal equations, computed in float64, until
    nothing is left to correct.
    """
    mix = len(factor.vectors) == len(x)
    a, right = (x, y.T) if mix else (x.T, product(y.T, x))  # targets in rows
    inverse = 1 / (factor.s + alphas[:, None])

    def solution(missed: Tensor) -> Tensor:
        moments = product(missed.to(factor.vectors.dtype), factor.vectors)
        return product((moments * inverse).to(moments.dtype), factor.vectors.T).double()

    v = solution(right)
    rates: list[float] = []
    while not factor.is_exact and (not rates or rates[0] * rates[-1] > SOLVED):
        if len(rates) == ROUNDS:
            raise ArithmeticError(f"weights still change by {rates[-1]:.0e} after {ROUNDS} rounds")
        change = solution(right - product(product(v, a), a.T) - alphas[:, None] * v)
        v += change
        # A round corrects all but the share that the first one corrected.
        rates.append(float((change.norm(dim=1) / v.norm(dim=1)).nan_to_num(0).max()))
    return (product(v, x) if mix else v).T


def _in_float32(x: Tensor) -> Factor | None:
    """The factor computed in float32, or None where that does not tell its directions apart."""
    single, rank = x.float(), min(len(x) - 1, x.shape[1])
    gram = _gram(single)
    if not _promising(gram[:rank, :rank]):
        return None
    s, vectors = (part[..., -rank:] for part in _eigenpairs(gram))
    if s[0] < RESOLVED * s[-1]:
        return None
    return _factor(single, s, vectors)


def _factor(x: Tensor, s: Tensor, vectors: Tensor) -> Factor:
    if len(vectors) < len(x):
        return Factor(product(x, vectors) / s.sqrt(), s.double(), vectors)
    return _with_vectors_of_rows(s, vectors)


def _with_vectors_of_rows(s: Tensor, vectors: Tensor) -> Factor:
    # There is no variance along the constant, which rounding mixes with the others.
    u = vectors - vectors.mean(dim=0)
    return Factor(u, s.double(), u)


def _gram(x: Tensor) -> Tensor:
    """The lower triangle of the smaller of X Xᵀ and Xᵀ X."""
    a = x if len(x) <= x.shape[1] else x.T
    if not blas.serves(a):
        return (a @ a.T).tril()
    gram = a.new_zeros(len(a), len(a))
    blas.add_gram(a, gram)
    return gram


def _promising(gram: Tensor) -> bool:
    """Whether the smallest eigenvalue may be resolved: a root is left when a share is taken away.

    Half the share is, since rounding must not refuse here what the eigenvalues would pass.
    """
    part = gram.clone(memory_format=torch.contiguous_format)
    # Σλ² / Σλ, which is near the largest eigenvalue where they differ much.
    squares = 2 * part.norm() ** 2 - part.diagonal().norm() ** 2
    part.diagonal().sub_(0.5 * RESOLVED * (squares / part.trace()).nan_to_num())
    if blas.serves(part):
        return blas.cholesky(part)
    return not bool(torch.linalg.cholesky_ex(part).info)


def _eigenpairs(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, ascending, and eigenvectors of a symmetric matrix, which is overwritten."""
    return blas.eigenpairs(gram) if blas.serves(gram) else torch.linalg.eigh(gram)
