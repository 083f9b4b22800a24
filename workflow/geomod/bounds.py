"""How much a penalty can save at most, told by a few products where a system would tell it exactly.

Left out, the rows of a block B are missed by A⁻¹ r, where A = (I − H)_BB and r are their residuals
in the fit on all rows (`geomod.smoother`). Some steps of the Lanczos process on A, from r, give a
small tridiagonal T with

    |A⁻¹ r|² ≥ |r|² (T⁻²)₁₁,

because Gauss quadrature of x⁻² errs on the low side (Golub & Meurant 2010, Matrices, Moments and
Quadrature, ch. 6). One step gives |r| / a, with a the mean of A over r's direction (which is
Jensen's inequality), two steps what A does to the rest of A r as well. A penalty that must err more
than another one does need not be tried.
"""

from dataclasses import astuple, dataclass, replace

import torch
from torch import Tensor

from geomod import blas
from geomod.blas import product
from geomod.smoother import TRUST, Gains, Hopes, LeftOut, gains_of_blocks, spectral_weights
from geomod.unexplained import Unexplained, unexplained

# Penalties guessed to err by this much more than the best one are not tried before their bounds.
PLAUSIBLE = 1.1

# Fewer penalties are all tried. So are all where targets are more than this share of a block's
# rows: products cost by the target, systems hardly.
MANY_PENALTIES = 4
FEW_TARGETS = 0.2


@dataclass(frozen=True)
class Direction:
    """Unit vectors v, `[block, alphas, targets]`, and what A does to them."""

    a: Unexplained
    v: Tensor
    moments: Tensor  # U_Bᵀ v
    mean: Tensor  # vᵀAv

    @classmethod
    def along(cls, a: Unexplained, v: Tensor) -> "Direction":
        moments = _times(a.u.T, v)
        explained = (a.weights.T[:, :, None] * moments**2).sum(dim=0)
        return cls(a, v, moments, (v * _times(a.base, v)).sum(dim=0) + a.sign * explained)

    def besides(self, some: Tensor) -> tuple["Direction", Tensor]:
        """Where A v points besides v, for some penalties; and how far."""
        a, v = replace(self.a, weights=self.a.weights[some]), self.v[:, some]
        explained = _times(a.u, a.weights.T[:, :, None] * self.moments[:, some])
        image = _times(a.base, v) + a.sign * explained - self.mean[some] * v
        size = image.norm(dim=0)
        return Direction.along(a, image / size), size


def _times(matrix: Tensor, v: Tensor) -> Tensor:
    return product(matrix, v.flatten(start_dim=1)).view(-1, *v.shape[1:])


def bounds_pay(left: LeftOut, alphas: Tensor) -> bool:
    """Whether to tell the hopeless penalties takes less time than to try them.

    Where all systems are solved in one batch, it does not.
    """
    few = left.y.shape[1] <= FEW_TARGETS * min(len(part.u) for part in left.parts)
    return blas.serves(left.u) and few and len(alphas) >= MANY_PENALTIES


def gains_of_hopeful(left: LeftOut, alphas: Tensor, memory_mb: float) -> Gains:
    """`gains_of_blocks` of penalties that may be the best; the others save minus infinity."""
    residuals = residuals_of(left, alphas)
    likely = likely_best(left, alphas, residuals)
    first, others = torch.nonzero(likely).flatten(), torch.nonzero(~likely).flatten()
    tried = gains_of_blocks(left, alphas[first], memory_mb)
    if not len(others):
        return tried
    beat = tried.lowest.amax(dim=0)
    hopes = Hopes(most_saved(left, alphas[others], residuals[:, others], beat), beat)
    found = gains_of_blocks(left, alphas[others], memory_mb, hopes)
    order = torch.cat([first, others]).argsort()
    both = zip(astuple(tried), astuple(found), strict=True)
    return Gains(*(torch.cat(pair)[order] for pair in both))


def residuals_of(left: LeftOut, alphas: Tensor) -> Tensor:
    """r = (I − H) y, `[rows, alphas, targets]`."""
    u, z = left.u, left.z
    rest = spectral_weights(left.factor, alphas)[0].to(u.dtype)
    r = _times(u, rest.T[:, :, None] * z[:, None])
    return r if left.factor.is_full else r + (left.y.to(u.dtype) - product(u, z))[:, None]


def likely_best(left: LeftOut, alphas: Tensor, residuals: Tensor) -> Tensor:
    """Which penalties may well be the best of a target, by generalized cross-validation."""
    rest = spectral_weights(left.factor, alphas)[0]
    free = len(left.u) - 1 - left.u.shape[1] + rest.sum(dim=1)  # the trace of I − H
    error = (residuals.norm(dim=0) / free[:, None]) ** 2
    return (error <= PLAUSIBLE * error.amin(dim=0)).any(dim=1)


def most_saved(left: LeftOut, alphas: Tensor, residuals: Tensor, beat: Tensor) -> Tensor:
    """No penalty saves more of a block's squared error, `[blocks, alphas, targets]`.

    The second step is made for penalties that may save what is to `beat` by the first.
    """
    factor, dtype = left.factor, left.u.dtype
    rest = spectral_weights(factor, alphas)[0].to(dtype)
    # What rounding and the factor's precision do, to first order, to A and to r.
    eps = TRUST * max(factor.eps, torch.finfo(dtype).eps)
    off_a = eps * (1 + factor.s.max() / (factor.s.min() + alphas))[:, None]
    off_r = eps * left.y.norm(dim=0) + TRUST * factor.uncertainty(left.z, alphas)
    of_mean = torch.stack([(part.error.double() ** 2).sum(dim=0) for part in left.parts])
    saved = of_mean[:, None].repeat(1, len(alphas), 1)
    everything = torch.arange(len(alphas), device=alphas.device)

    def lower(k: int, some: Tensor, missed: Tensor, amplified: Tensor) -> None:
        missed = missed * (1 - off_a[some] * amplified) - off_r[some] * amplified
        saved[k, some] = torch.fmin(saved[k, some], of_mean[k] - missed.clamp(min=0) ** 2)

    directions, sizes = [], []
    for k, part in enumerate(left.parts):
        r = residuals[part.rows]
        sizes.append(r.norm(dim=0))
        directions.append(Direction.along(unexplained(factor, part.u, rest), r / sizes[k]))
        mean = directions[k].mean.double()
        lower(k, everything, sizes[k] / mean, 1 / mean)
    some = everything[(saved.sum(dim=0) >= beat).any(dim=1)]
    for k, direction in enumerate(directions if len(some) else ()):
        then, away = direction.besides(some)
        a, b, c = direction.mean[some].double(), away.double(), then.mean.double()
        det = (a * c - b**2).clamp(min=0)  # of T = [[a, b], [b, c]]
        missed = sizes[k][some] * (b**2 + c**2).sqrt() / det
        lower(k, some, missed, (a**2 + 2 * b**2 + c**2).sqrt() / det)
    return saved
