"""Thousands of responses that are mixes of a few columns, fitted for little more than those cost.

A mixture is a signal and a noise, y = s + ε, and many have the same signal, or the same noise. With
a penalty, what is predicted of held-out rows is linear in what is fitted: p_y = p_s + p_ε, and so
is the error e of the mean. What a penalty saves, 2⟨e, p⟩ − |p|² (`held_out.py`), is a quadratic
form, with B(y, y') = ⟨e, p'⟩ + ⟨p, e' − p'⟩ over the held-out rows of all blocks:

    saved(y) = B(s, s) + 2 B(s, ε) + B(ε, ε).

Signals in turn are mixes of a few *parts*, and B between parts, and between parts and noises, is
all that is needed of them. Every mixture still chooses the penalty that saves it most.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from geomod.ridge.blas import product
from geomod.ridge.engine import Fitted, Floats
from geomod.ridge.factor import Factor
from geomod.ridge.folds import Block, Rows
from geomod.ridge.held_out import at, held_out_predictions, mean_error, refit, refits, single
from geomod.ridge.many_targets import benign
from geomod.ridge.scores import centred, pearson

# Their penalties are so many decades apart at least: within one what is predicted changes little.
APART = 1.5

# A fit is overfitted where it is worse than with a stronger penalty by this share of its noise.
OVERFITTED = 0.05

# So many penalties are tried before it is asked which mixtures are overfitted.
TOGETHER = 4


@dataclass(frozen=True)
class Mixtures:
    """Responses `[n, targets]`, each a signal and a noise: parts · mix[:, signal] + noise."""

    parts: Tensor  # [n, parts]
    mix: Tensor  # [parts, signals]
    noises: Tensor  # [n, noises]
    signal: Tensor  # [targets], the signal of each
    noise: Tensor  # [targets], the noise of each; that after the last one is none

    def on(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Parts, and noises with none after the last one, of some rows: about their mean."""
        none = self.noises.new_zeros(len(rows), 1)
        parts, noises = centred(self.parts[rows])[0], centred(self.noises[rows])[0]
        return parts, torch.cat([noises, none], dim=1)

    def mixed(self, parts: Tensor, noises: Tensor) -> Tensor:
        """The mixtures of columns that are linear in these, `[…, targets]`."""
        signals = product(parts, self.mix.to(parts.dtype))
        return signals[:, self.signal] + noises[:, self.noise]


def fit_mixtures(fitted: Fitted, mixtures: Mixtures) -> tuple[Floats, Floats]:
    """Pearson r and penalty, `[targets]`, in a layer and outer fold that were fitted just now.

    Penalties are compared, and predictions made, in float32 where that does no harm: of two that
    save as much to six digits, either may be chosen. They are those that are `APART`.
    """
    if not len(mixtures.signal):
        return np.empty(0), np.empty(0)
    (train, test), factor = fitted.split, fitted.factor
    alphas = fitted.alphas[apart(fitted.alphas)]
    penalties = factor.penalties(alphas)
    exact = not benign(factor, len(train), fitted.blocks)
    dtype = torch.float64 if exact else torch.float32
    parts, noises = (columns.to(dtype) for columns in mixtures.on(train))
    given = (penalties, fitted.blocks, fitted.memory_mb)
    best = saved(factor, mixtures, parts, noises, *given).max(dim=0).indices

    u = factor.u.to(dtype)
    dual = mixtures.mixed(product(u.T, parts), product(u.T, noises))
    dual /= factor.s.to(dtype)[:, None] + penalties.to(dtype)[best]
    explained = product(fitted.sides.onto(factor.u.double()).to(dtype), dual)
    actual = mixtures.mixed(*(columns.to(dtype) for columns in mixtures.on(test)))
    r, _ = pearson(explained, actual)
    return r.double().cpu().numpy(), alphas[best].cpu().numpy()


def apart(alphas: Tensor) -> list[int]:
    """The largest of some ascending penalties, and of the others those that are `APART`."""
    kept = [len(alphas) - 1]
    for place, log in reversed(list(enumerate(alphas.log10().tolist()))):
        if float(alphas[kept[0]].log10()) - log > APART - 1e-6:
            kept.insert(0, place)
    return kept


def saved(
    factor: Factor,
    mixtures: Mixtures,
    parts: Tensor,
    noises: Tensor,
    alphas: Tensor,
    blocks: list[Block],
    memory_mb: float,
) -> Tensor:
    """Squared error that each penalty saves over predicting the mean, `[alphas, targets]`.

    `parts` and `noises` are those of the training rows, centred. Strong penalties come first; of
    what is `OVERFITTED` with all of its signals no weaker ones are tried: they save −∞.
    """
    k, mix = parts.shape[1], mixtures.mix.to(parts.dtype)
    signal, noise = mixtures.signal, mixtures.noise
    lost = OVERFITTED * (noises**2).sum(dim=0)
    lost[-1] = torch.inf  # signals without a noise are few
    found = parts.new_full((len(alphas), len(signal)), -torch.inf)
    left = torch.arange(noises.shape[1], device=noises.device)
    refitted = len(factor.s) > 0 and refits(factor, blocks) and not single(blocks)
    order, everything = alphas.argsort(descending=True), torch.cat([parts, noises], dim=1)
    z = product(factor.u.to(parts.dtype).T, everything)
    for some in [order] if refitted else order.split(TOGETHER):
        there = torch.cat([torch.arange(k).to(left), k + left])
        columns = everything[:, there]
        with_parts = parts.new_zeros(len(some), k, k + len(left))
        of_noises = parts.new_zeros(len(some), len(left))
        given = (factor, columns, z[:, there], k, alphas[some], blocks)
        for places, part, own in _refitted(*given) if refitted else _forms(*given, memory_mb):
            with_parts[places] += part
            of_noises[places] += own
        crossed = parts.new_zeros(len(some), k, noises.shape[1])
        squares = parts.new_full((len(some), noises.shape[1]), -torch.inf)
        crossed[..., left], squares[:, left] = with_parts[..., k:], of_noises
        of_signals = ((with_parts[..., :k] @ mix) * mix).sum(dim=1)
        # One penalty at a time, which stays in a processor's cache.
        twice = [2 * each[:, noise].mul_(mix[:, signal]).sum(dim=0) for each in crossed]
        save = of_signals[:, signal].add_(torch.stack(twice)).add_(squares[:, noise])
        found[some] = save.nan_to_num_(nan=-torch.inf)
        goes_on = found[some[-1]] > found.amax(dim=0) - lost[noise]
        left = noise[goes_on].remainder(noises.shape[1]).unique()
    return found


Forms = Iterator[tuple[slice, Tensor, Tensor]]


def _forms(
    factor: Factor,
    columns: Tensor,
    z: Tensor,
    k: int,
    alphas: Tensor,
    blocks: list[Block],
    memory_mb: float,
) -> Forms:
    """Penalties, B of each of the `k` parts with each column, and of each noise with itself.

    One block's share of them, `[alphas, parts, columns]` and `[alphas, noises]`.
    """
    given = (factor, columns, alphas, blocks, memory_mb, z)
    for rows, scored, some, p in held_out_predictions(*given):
        # Columns in rows: on a CPU predictions lie that way.
        error = mean_error(columns, rows)[:, :scored].flatten(end_dim=1).T.contiguous()
        of_parts, of_noises = [], []
        for held_out in p[:, :, :scored].flatten(start_dim=1, end_dim=2).mT:
            own = held_out.to(columns.dtype)
            missed = error[:k] - own[:k]
            of_parts.append(product(missed, own.T) + product(own[:k], error.T))
            twice = torch.sub(error[k:], own[k:], alpha=0.5)
            of_noises.append(2 * torch.linalg.vecdot(twice, own[k:]))
        places = slice(int(some[0]), int(some[-1]) + 1)
        yield places, torch.stack(of_parts), torch.stack(of_noises)


def _refitted(
    factor: Factor, columns: Tensor, z: Tensor, k: int, alphas: Tensor, blocks: list[Block]
) -> Forms:
    """The same from fits to the other rows, in the basis of their own principal components.

    With held-out rows A = Q R and p = A v, v = moments / (s + α): ⟨e, p⟩ = (A'e)' v, |p| = |R v|.
    """
    u, dtype = factor.u.to(columns.dtype), columns.dtype
    for block in blocks:
        error = mean_error(columns, block.rows)
        filled = z - product(at(u, block.rows).T, error)
        rows, moments, s = refit(factor, at(factor.u, block.rows), filled)
        rows, inverse = rows[: block.scored], (1 / (s + alphas[:, None])).to(dtype)
        root = torch.linalg.qr(rows, mode="r").R.to(dtype)
        seen = product(rows.T.to(dtype), error[: block.scored])  # A'e
        v = inverse[..., None] * moments[:, :k]
        missed = seen[:, :k] - (root.T @ root) @ v  # A'(e − p)
        left = torch.cat([missed * inverse[..., None], v], dim=1).mT
        right = torch.cat([moments, seen])
        of_parts = product(left.flatten(end_dim=1), right).view(len(alphas), k, len(z.T))
        crossed = product(2 * inverse, (seen * moments)[:, k:])
        noises = moments[:, k:].contiguous()
        squares = [product(root * each, noises).square_().sum(dim=0) for each in inverse]
        yield slice(None), of_parts, crossed - torch.stack(squares)
