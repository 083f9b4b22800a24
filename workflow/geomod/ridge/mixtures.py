"""Thousands of responses that are mixes of a few columns, fitted for little more than those cost.

A mixture is a signal and a noise, y = s + ε, and many have the same signal, or the same noise. With
a penalty, what is predicted of held-out rows is linear in what is fitted: p_y = p_s + p_ε, and so
is the error e of the mean. What a penalty saves, 2⟨e, p⟩ − |p|² (`held_out.py`), is a quadratic
form, with B(y, y') = ½ (⟨2e − p, p'⟩ + ⟨p, 2e' − p'⟩) over the held-out rows of all blocks:

    saved(y) = B(s, s) + 2 B(s, ε) + B(ε, ε).

Signals in turn are mixes of a few *parts*, and B between parts, and between parts and noises, is
all that is needed of them. So it is of ⟨p, y⟩, |p|² and |y|² over the test rows, which make r.
Where a noise is the mean of others, so is its p, which is not solved for. Every mixture still
chooses the penalty that saves it most.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from geomod.ridge import blas
from geomod.ridge.blas import product
from geomod.ridge.factor import Factor
from geomod.ridge.fits import Fitted, Floats
from geomod.ridge.folds import Block, Rows
from geomod.ridge.held_out import (
    at,
    held_out_predictions,
    mean_error,
    predicted,
    refit,
    refits,
    single,
    spectral_weights,
)
from geomod.ridge.many_targets import benign
from geomod.ridge.scores import centred

# Their penalties are so many decades apart at least: within one what is predicted changes little.
APART = 1.5

# A fit is overfitted where it is worse than with a stronger penalty by this share of its noise.
OVERFITTED = 0.05

# So many penalties are tried before it is asked what is overfitted, where not one after another.
TOGETHER = 4

# Below this pivot of (I − H)_BB a fit comes near to interpolating a block, and rounding grows as
# much as it is less than 1.
NEAR = 0.01

# Makes columns and z in float64, of some of them.
Exact = Callable[[Tensor], tuple[Tensor, "Moments"]]

# A symmetric form B of some penalties, `[alphas, parts + 1, parts + noises]`: of each part with
# each column, and in the last row of each column with itself. Of these penalties and noises.
Forms = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Mixtures:
    """Responses `[n, targets]`, each a signal and a noise: parts · mix[:, signal] + noise."""

    parts: Tensor  # [n, parts]
    mix: Tensor  # [parts, signals]
    noises: Tensor  # [n, noises]
    averages: Tensor  # [averages, members]: each of the last noises is the mean of these others
    signal: Tensor  # [targets], the signal of each
    noise: Tensor  # [targets], the noise of each; that after the last one is none

    @cached_property
    def _known(self) -> dict[tuple[bytes, torch.dtype], Tensor]:
        return {}

    @cached_property
    def _mixed(self) -> Tensor:
        """The mix of each target's signal, `[targets, parts]`."""
        return self.mix.T[self.signal]

    def on(self, rows: Rows, dtype: torch.dtype) -> Tensor:
        """Parts and noises of some rows, about their mean, `[rows, parts + noises]`.

        They are kept: every layer has the same folds.
        """
        key = (rows.tobytes(), dtype)
        if key not in self._known:
            columns = torch.cat([self.parts[rows], self.noises[rows]], dim=1)
            self._known[key] = centred(columns)[0].to(dtype)
        return self._known[key]

    def only(self, targets: Tensor) -> "Mixtures":
        return replace(self, signal=self.signal[targets], noise=self.noise[targets])

    @property
    def needed(self) -> Tensor:
        """The noises of these targets."""
        noises = self.noise.unique()
        return noises[noises < self.noises.shape[1]]

    def following(self, noises: Tensor) -> tuple[Tensor, Tensor]:
        """Those of some noises to solve for, and of which of these each of the rest is the mean."""
        first = self.noises.shape[1] - len(self.averages)
        solved, averages = noises[noises < first], noises[noises >= first]
        members = self.averages[averages - first]
        if not torch.isin(members, solved).all():
            return noises, members[:0]
        return solved, torch.searchsorted(solved, members)

    def values(self, form: Tensor, noises: Tensor) -> Tensor:
        """B(y, y) of each mixture, `[targets]`, from the form of parts with some of the noises.

        It is −∞ where the noise is none of them.
        """
        k, mix, columns = len(self.mix), self.mix.to(form.dtype), self.noises.shape[1] + 1
        crossed = form.new_zeros(columns, k)
        squares = form.new_full((columns,), -torch.inf)
        crossed[noises], squares[noises], squares[-1] = form[:k, k:].T, form[k, k:], 0
        of_signals = (product(form[:k, :k], mix) * mix).sum(dim=0)
        both = torch.linalg.vecdot(self._mixed.to(form.dtype), crossed[self.noise])
        return of_signals[self.signal] + 2 * both + squares[self.noise]


def fit_mixtures(fitted: Fitted, mixtures: Mixtures) -> tuple[Floats, Floats]:
    """Pearson r and penalty, `[targets]`, in a layer and outer fold that were fitted just now.

    Penalties are compared, and predictions made, in float32 where that does no harm (`saved`): of
    two that save as much to six digits, either may be chosen. They are those that are `APART`.
    """
    if not len(mixtures.signal):
        return np.empty(0), np.empty(0)
    (train, test), factor = fitted.split, fitted.factor
    alphas = fitted.alphas[apart(fitted.alphas)]
    if not len(factor.s):  # nothing varies, and nothing is explained
        return np.zeros(len(mixtures.signal)), np.full(len(mixtures.signal), float(alphas[0]))
    penalties, blocks = factor.penalties(alphas), fitted.blocks

    def given(dtype: torch.dtype, there: Tensor | None = None) -> tuple[Tensor, Moments]:
        columns = mixtures.on(train, dtype)
        return columns, moments(columns, factor.u.to(dtype), blocks, there)

    harmless = benign(factor, len(train), blocks)
    by_block = not single(blocks) and not refits(factor, blocks)
    dtype = torch.float32 if harmless or by_block else torch.float64
    columns, z = given(dtype)
    exact = None if harmless else partial(given, torch.float64)
    best = saved(factor, mixtures, columns, z, penalties, blocks, exact).max(dim=0).indices
    actual = mixtures.on(test, dtype).T.contiguous()

    k, r, basis = len(mixtures.mix), actual.new_zeros(len(best)), fitted.basis()
    spread = mixtures.values(_form(actual, actual, k), mixtures.needed)
    for place in best.unique().tolist():
        chosen = torch.nonzero(best == place).flatten()
        some = mixtures.only(chosen)
        there = _places(k, some.needed)
        p = product(z.all[there], (basis / (factor.s + penalties[place])).to(dtype).T)
        p -= p.mean(dim=1, keepdim=True)
        shared, power = (some.values(_form(p, own, k), some.needed) for own in (actual[there], p))
        size = (power * spread[chosen]).clamp(min=0).sqrt()
        r[chosen] = torch.where(size > 0, shared / size.where(size > 0, 1.0), 0.0)
    return r.double().cpu().numpy(), alphas[best].cpu().numpy()


def apart(alphas: Tensor) -> list[int]:
    """The largest of some ascending penalties, and of the others those that are `APART`."""
    kept = [len(alphas) - 1]
    for place, log in reversed(list(enumerate(alphas.log10().tolist()))):
        if float(alphas[kept[0]].log10()) - log > APART - 1e-6:
            kept.insert(0, place)
    return kept


@dataclass(frozen=True)
class Moments:
    """z = columnsᵀ U of all rows, and of those of each block."""

    all: Tensor  # [columns, rank]
    of_blocks: list[Tensor]


def moments(
    columns: Tensor, u: Tensor, blocks: list[Block], there: Tensor | None = None
) -> Moments:
    """They are found at once: rows that blocks part are read once. 0 of all but columns `there`."""

    def of(rows: Rows) -> Tensor:
        own = at(columns, rows)
        if there is None:
            return product(own.T, at(u, rows))
        z = u.new_zeros(columns.shape[1], u.shape[1])
        z[there] = product(own[:, there].T, at(u, rows))
        return z

    everything = np.arange(len(u))
    if single(blocks):
        return Moments(of(everything), [])
    parts = [of(block.rows) for block in blocks]
    if np.array_equal(np.sort(np.concatenate([block.rows for block in blocks])), everything):
        return Moments(torch.stack(parts).sum(dim=0), parts)
    return Moments(of(everything), parts)


def saved(
    factor: Factor,
    mixtures: Mixtures,
    columns: Tensor,
    z: Moments,
    alphas: Tensor,
    blocks: list[Block],
    exact: Exact | None = None,
) -> Tensor:
    """Squared error that each penalty saves over predicting the mean, `[alphas, targets]`.

    `columns` are those of the training rows. Strong penalties come first; of a noise that is
    `OVERFITTED` with all of its signals no weaker ones are tried: they save −∞. `exact` makes
    columns and z in float64, where these are not and a fit comes near to interpolating.
    """
    k, noise = len(mixtures.mix), mixtures.noise
    most = torch.cat([(columns[:, k:] ** 2).sum(dim=0), columns.new_tensor([torch.inf])])
    found = columns.new_full((len(alphas), len(noise)), -torch.inf, dtype=torch.float64)
    if single(blocks):
        forms, together = _of_rows(factor, columns, alphas, blocks, k), TOGETHER
    elif refits(factor, blocks):
        forms, together = _of_refits(factor, columns, z, alphas, blocks, k), len(alphas)
    else:
        forms = _of_blocks(factor, mixtures, columns, z, alphas, blocks, exact)
        together = 1 if blas.serves(columns) else TOGETHER
    left = mixtures.needed
    for some in alphas.argsort(descending=True).split(together):
        save = torch.stack([mixtures.values(form, left) for form in forms(some, left)]).double()
        found[some] = save.where(~save.isnan(), -torch.inf)  # NaN where rounding left nothing
        goes_on = save[-1] > found.amax(dim=0) - OVERFITTED * most[noise]
        left = mixtures.only(goes_on).needed
    return found


def _of_blocks(
    factor: Factor,
    mixtures: Mixtures,
    columns: Tensor,
    z: Moments,
    alphas: Tensor,
    blocks: list[Block],
    exact: Exact | None,
) -> Forms:
    """B over blocks that are predicted by what fits leave of their own rows."""
    k = len(mixtures.mix)
    latest = _Blocks.of(factor, columns, z, alphas, blocks)

    def forms(some: Tensor, noises: Tensor) -> Tensor:
        nonlocal latest, exact
        form, pivots = in_precision(latest, some, noises)
        # NaN is no pivot either; and all weaker penalties are nearer.
        if exact is not None and not bool((torch.stack(pivots) >= NEAR).all()):
            latest, exact = _Blocks.of(factor, *exact(_numbers(k, noises)), alphas, blocks), None
            form, _ = in_precision(latest, some, noises)
        return form

    def in_precision(by: _Blocks, some: Tensor, noises: Tensor) -> tuple[Tensor, list[Tensor]]:
        solved, members = mixtures.following(noises)
        fitted, there, count = _places(k, solved), _places(k, noises), k + len(solved)
        form = by.rest.new_zeros(len(some), k + 1, k + len(noises))
        pivots = []
        for rows, twice, filled in by.blocks:
            each = (rows, by.rest[some], by.weights[some], filled[fitted].T)
            p, pivot = predicted(factor, *each)
            pivots.append(pivot)
            e = twice[there]
            for place, own in enumerate(p.mT[..., : twice.shape[1]]):
                form[place, :, :count] += _form_of_saved(e[:count], own, k)
                mean = own[k + members].mean(dim=1)
                form[place, k, count:] += torch.linalg.vecdot(e[count:] - mean, mean)
        form[:, :k, count:] = form[:, :k, k + members].mean(dim=-1)
        return form, pivots

    return forms


@dataclass(frozen=True)
class _Blocks:
    """What the forms of blocks are made of, in one precision."""

    rest: Tensor  # [alphas, rank]
    weights: Tensor
    blocks: list[tuple[Tensor, Tensor, Tensor]]  # rows of U, errors of the mean twice, z filled in

    @classmethod
    def of(
        cls, factor: Factor, columns: Tensor, z: Moments, alphas: Tensor, blocks: list[Block]
    ) -> "_Blocks":
        u, given = factor.u.to(columns.dtype), []
        rest, weights = (part.to(u.dtype) for part in spectral_weights(factor, alphas))
        for block, own in zip(blocks, z.of_blocks, strict=True):
            rows, error = at(u, block.rows), mean_error(columns, block.rows)
            twice = (2 * error[: block.scored]).T.contiguous()
            given.append((rows, twice, _filled(z.all, own, error, rows, len(u))))
        return cls(rest, weights, given)


def _of_refits(
    factor: Factor, columns: Tensor, z: Moments, alphas: Tensor, blocks: list[Block], k: int
) -> Forms:
    """The same from fits to the other rows, in the basis of their own principal components.

    With held-out rows A = Q R and p = A v, v = moments / (s + α): ⟨e, p⟩ = (A'e)' v, |p| = |R v|.
    """
    u, dtype = factor.u.to(columns.dtype), columns.dtype

    def forms(some: Tensor, noises: Tensor) -> Tensor:
        there = _places(k, noises)
        form = columns.new_zeros(len(some), k + 1, k + len(noises))
        for block, own in zip(blocks, z.of_blocks, strict=True):
            error = mean_error(columns[:, there], block.rows)
            filled = _filled(z.all[there], own[there], error, at(u, block.rows), len(u)).T
            rows, moments, s = refit(factor, at(factor.u, block.rows), filled)
            rows, inverse = rows[: block.scored], (1 / (s + alphas[some, None])).to(dtype)
            root = torch.linalg.qr(rows, mode="r").R.to(dtype)
            seen = product(rows.T.to(dtype), error[: block.scored])  # A'e
            v = inverse[..., None] * moments[:, :k]
            missed = seen[:, :k] - (root.T @ root) @ v  # A'(e − p)
            left = torch.cat([missed * inverse[..., None], v], dim=1).mT
            right = torch.cat([moments, seen])
            form[:, :k] += product(left.flatten(end_dim=1), right).view_as(form[:, :k])
            squares = [product(root * each, moments).square_().sum(dim=0) for each in inverse]
            form[:, k] += product(2 * inverse, seen * moments) - torch.stack(squares)
        return form

    return forms


def _filled(z: Tensor, own: Tensor, error: Tensor, rows: Tensor, n: int) -> Tensor:
    """z of all n rows where a block has the mean of the others, [columns, rank].

    It is less by U_Bᵀ of the block's errors. These are its values, which are `own` of z, minus that
    mean, which is minus the sum of the errors over n.
    """
    return z - own - torch.outer(error.sum(dim=0) / n, rows.sum(dim=0))


def _of_rows(factor: Factor, columns: Tensor, alphas: Tensor, blocks: list[Block], k: int) -> Forms:
    """The same of single rows."""

    def forms(some: Tensor, noises: Tensor) -> Tensor:
        own = columns[:, _places(k, noises)]
        ((rows, _, _, p),) = held_out_predictions(factor, own, alphas[some], blocks)
        twice = 2 * mean_error(own, rows)[:, 0].T
        return torch.stack([_form_of_saved(twice, each, k) for each in p[:, :, 0].mT])

    return forms


def _form(a: Tensor, b: Tensor, k: int) -> Tensor:
    """½ (⟨a, b'⟩ + ⟨b, a'⟩) of the first `k` rows with each row; and ⟨a, b⟩ of each with itself."""
    crossed = a[:k] @ b.T + b[:k] @ a.T  # of so few rows PyTorch is the faster one
    return torch.cat([crossed / 2, torch.linalg.vecdot(a, b)[None]])


def _form_of_saved(twice: Tensor, p: Tensor, k: int) -> Tensor:
    """The same of a = 2e − p and b = p, without making a."""
    crossed = (twice[:k] - 2 * p[:k]) @ p.T + p[:k] @ twice.T
    own = torch.linalg.vecdot(twice, p) - torch.linalg.vecdot(p, p)
    return torch.cat([crossed / 2, own[None]])


def _places(k: int, noises: Tensor) -> Tensor | slice:
    """Where all parts and some noises, which ascend, are among the columns."""
    if not len(noises) or int(noises[-1]) == len(noises) - 1:
        return slice(k + len(noises))  # which is no copy
    return _numbers(k, noises)


def _numbers(k: int, noises: Tensor) -> Tensor:
    return torch.cat([torch.arange(k).to(noises), k + noises])
