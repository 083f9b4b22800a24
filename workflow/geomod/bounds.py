"""How much a penalty can save at most, told by a few products where a system would tell it exactly.

Left out, the rows of a block B are missed by A⁻¹ r, where A = (I − H)_BB and r are their residuals
in the fit on all rows (`geomod.smoother`). A step or two of the Lanczos process on A from r give a
small tridiagonal T with

    |A⁻¹ r|² ≥ |r|² (T⁻²)₁₁,

because Gauss quadrature of x⁻² errs on the low side (Golub & Meurant 2010, Matrices, Moments and
Quadrature, ch. 6). One step gives |r| / a, with a the mean of A over r's direction (which is
Jensen's inequality), two steps what A does to the rest of A r as well. A penalty that must err more
than another one does need not be tried.
"""

from dataclasses import astuple, dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from geomod import blas
from geomod.blas import product
from geomod.smoother import (
    TRUST,
    Gains,
    Hopes,
    LeftOut,
    gains_of_blocks,
    norm_bound,
    spectral_weights,
)

# Penalties guessed to err by this much more than the best one are not tried before their bounds.
PLAUSIBLE = 1.1

# Fewer penalties are all tried. So are all where targets are more than this share of a block's
# rows, since products cost by the target and systems hardly; or where blocks, padded to the size of
# the largest, would hold more than so many times the rows.
MANY_PENALTIES = 4
FEW_TARGETS = 0.2
PADDED = 1.5


@dataclass(frozen=True)
class Stack:
    """The blocks side by side, the shorter ones padded with rows of zeros."""

    u: Tensor  # [blocks, size, rank]
    inside: Tensor  # [blocks, size, 1, 1], 0 where padded
    rows: int  # of all blocks
    full: bool


@dataclass(frozen=True)
class Direction:
    """Unit vectors v, `[blocks, size, alphas, targets]`, and what A does to them."""

    stack: Stack
    rest: Tensor  # [alphas, rank], 1 − w
    v: Tensor
    moments: Tensor  # U_Bᵀ v
    mean: Tensor  # vᵀAv

    @classmethod
    def along(cls, stack: Stack, rest: Tensor, v: Tensor) -> "Direction":
        moments = _times(stack.u.mT, v)
        if stack.full:
            mean = (_by_penalty(rest) * moments**2).sum(dim=1)
        else:
            explained = (_by_penalty(1 - rest) * moments**2).sum(dim=1)
            mean = (v**2).sum(dim=1) - v.sum(dim=1) ** 2 / stack.rows - explained
        return cls(stack, rest, v, moments, mean)

    def besides(self, some: Tensor) -> tuple["Direction", Tensor]:
        """Where A v points besides v, for some penalties; and how far."""
        stack, rest = self.stack, self.rest[some]
        v, moments = self.v[:, :, some], self.moments[:, :, some]
        if stack.full:
            image = _times(stack.u, _by_penalty(rest) * moments)
        else:
            image = v - _times(stack.u, _by_penalty(1 - rest) * moments)
            image -= v.sum(dim=1, keepdim=True) / stack.rows * stack.inside
        image -= self.mean[:, None, some] * v
        size = image.norm(dim=1)
        return Direction.along(stack, rest, image / size[:, None]), size


def _times(matrices: Tensor, v: Tensor) -> Tensor:
    """The product with a matrix for each block."""
    return product(matrices, v.flatten(start_dim=2)).view(len(v), -1, *v.shape[2:])


def _by_penalty(weights: Tensor) -> Tensor:
    """[alphas, rank] → [rank, alphas, 1]"""
    return weights.T[:, :, None]


def bounds_pay(left: LeftOut, alphas: Tensor) -> bool:
    """Whether to tell the hopeless penalties takes less time than to try them.

    Where all systems are solved in one batch, it does not.
    """
    sizes = left.sizes
    few = left.y.shape[1] <= FEW_TARGETS * min(sizes)
    even = len(sizes) * max(sizes) <= PADDED * len(left.y)
    return blas.serves(left.u) and few and even and len(alphas) >= MANY_PENALTIES


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
    rest = spectral_weights(left.factor, alphas)[0].to(left.u.dtype)
    shrunk = (_by_penalty(rest) * left.z[:, None]).flatten(start_dim=1)
    r = product(left.u, shrunk).view(len(left.u), len(alphas), -1)
    if left.factor.is_full:
        return r
    return r + (left.y.to(r.dtype) - product(left.u, left.z))[:, None]


def likely_best(left: LeftOut, alphas: Tensor, residuals: Tensor) -> Tensor:
    """Which penalties may well be the best of a target, by generalized cross-validation."""
    rest = spectral_weights(left.factor, alphas)[0]
    free = len(left.y) - 1 - left.u.shape[1] + rest.sum(dim=1)  # the trace of I − H
    error = (residuals.norm(dim=0) / free[:, None]) ** 2
    return (error <= PLAUSIBLE * error.amin(dim=0)).any(dim=1)


def stacked(left: LeftOut) -> Stack:
    u = pad_sequence([part.u for part in left.parts], batch_first=True)
    ones = [part.u.new_ones(len(part.u), 1, 1) for part in left.parts]
    inside = pad_sequence(ones, batch_first=True)
    return Stack(u, inside, len(left.y), left.factor.is_full)


def most_saved(left: LeftOut, alphas: Tensor, residuals: Tensor, beat: Tensor) -> Tensor:
    """No penalty saves more of a block's squared error, `[blocks, alphas, targets]`.

    The second step is made for penalties that may save what is to `beat` by the first.
    """
    factor, dtype = left.factor, left.u.dtype
    rest = spectral_weights(factor, alphas)[0].to(dtype)
    # What rounding and the factor's precision do, to first order, to A and to r.
    most, eps = TRUST * norm_bound(factor, rest.double())[:, None], torch.finfo(dtype).eps
    off_a = most * (eps + factor.eps * factor.s.max() / (factor.s.min() + alphas)[:, None])
    off_r = most * (eps * left.y.norm(dim=0) + factor.uncertainty(left.z, alphas))
    of_mean = torch.stack([(part.error.double() ** 2).sum(dim=0) for part in left.parts])[:, None]
    everything = torch.arange(len(alphas), device=alphas.device)

    def at_most(some: Tensor, missed: Tensor, amplified: Tensor) -> Tensor:
        missed = missed * (1 - off_a[some] * amplified) - off_r[some] * amplified
        return of_mean - missed.nan_to_num(0).clamp(min=0) ** 2

    r = pad_sequence([residuals[part.rows] for part in left.parts], batch_first=True)
    size = r.norm(dim=1)
    first = Direction.along(stacked(left), rest, r / size[:, None])
    saved = at_most(everything, size.double() / first.mean, 1 / first.mean.double())
    some = everything[(saved.sum(dim=0) >= beat).any(dim=1)]
    if len(some):
        second, away = first.besides(some)
        a, b, c = first.mean[:, some].double(), away.double(), second.mean.double()
        det = (a * c - b**2).clamp(min=0)  # of T = [[a, b], [b, c]]
        missed = size[:, some].double() * (b**2 + c**2).sqrt() / det
        closer = at_most(some, missed, (a**2 + 2 * b**2 + c**2).sqrt() / det)
        saved[:, some] = torch.minimum(saved[:, some], closer)
    return saved
