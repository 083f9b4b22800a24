"""Which penalty is best for every target: compared in float32, and in float64 where in doubt.

Each attempt says what the penalties save and how wrong that may be (`held_out.py`). Where more
than one may be the best, these are compared again by the next, more precise and dearer attempt.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from geomod.ridge.factor import FEW_ROWS, Factor
from geomod.ridge.folds import Block
from geomod.ridge.held_out import Gains, held_out_gains, single
from geomod.ridge.many_targets import gains_of_many

Attempt = Callable[[Tensor, Tensor], Gains]


def best_penalties(
    factor: Factor,
    y: Tensor,
    alphas: Tensor,
    blocks: list[Block],
    memory_mb: float = 512,
    exact: Callable[[], Factor] | None = None,
) -> tuple[Tensor, Tensor]:
    """The penalty of least error on rows held out in turn, and what it saves, for every target.

    The first one where several are as good. `exact` makes the factor in float64 where this one is
    not; it is called only if a choice depends on that.
    """
    rows = len(y)

    def gains(factor: Factor, dtype: torch.dtype, y: Tensor, alphas: Tensor) -> Gains:
        return held_out_gains(factor, y, alphas, blocks, memory_mb, dtype)

    def many(y: Tensor, alphas: Tensor) -> Gains:
        return gains_of_many(factor, y.float(), alphas, blocks, memory_mb)

    rough, double = (partial(gains, factor, dtype) for dtype in (torch.float32, torch.float64))
    attempts: list[Attempt] = [double]
    if exact is not None and not factor.is_exact:
        attempts.append(lambda y, alphas: gains(exact(), torch.float64, y, alphas))
    if not len(factor.s):
        return choose(y, alphas, attempts[:1], 0.0)
    lowest = float(factor.s.min())
    if y.shape[1] > rows and not single(blocks):
        return choose(y, alphas, [many, *attempts], lowest)
    if rows >= FEW_ROWS:
        attempts = [rough, *attempts]
    parts = [choose(part, alphas, attempts, lowest) for part in y.split(rows, dim=1)]
    best, gain = (torch.cat(part) for part in zip(*parts, strict=True))
    return best, gain


def choose(
    y: Tensor, alphas: Tensor, attempts: list[Attempt], lowest: float
) -> tuple[Tensor, Tensor]:
    """Which penalty is best, by the first attempt; what it leaves in doubt, by the next ones."""
    gains = attempts[0](y, alphas)
    gain, best = gains.saved.max(dim=0)
    if len(attempts) > 1:
        rivals = contenders(gains, alphas, lowest)
        doubt = torch.nonzero(rivals.sum(dim=0) > 1).flatten()
        for some in doubt.split(len(y)) if len(doubt) else ():
            again = torch.nonzero(rivals[:, some].any(dim=1)).flatten()
            chosen, gain[some] = choose(y[:, some], alphas[again], attempts[1:], lowest)
            best[some] = again[chosen]
    return best, gain


def contenders(gains: Gains, alphas: Tensor, lowest: float) -> Tensor:
    """Which penalties may be the best one.

    The factor's error moves the gains by a rational function of the penalty, whose poles are
    minus the eigenvalues, of which `lowest` is the least. Penalties that are much nearer to
    each other than to those are wrong alike.
    """
    top, best = gains.saved.max(dim=0)
    near = lowest + torch.minimum(alphas[:, None], alphas[best])
    apart = (alphas[:, None] - alphas[best]).abs() / near
    rounding = gains.rounding + gains.rounding.gather(0, best[None])
    shared = gains.shared + gains.shared.gather(0, best[None])
    return gains.saved + rounding + shared * (2 * apart).clamp(max=1) >= top
