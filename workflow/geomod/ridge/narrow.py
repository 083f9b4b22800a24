"""A baseline of a few columns beside a layer: further targets of the layer's own fit.

Given the weights v of the columns Z, the joint model fits the layer to y − Zv, and the error on
held-out rows is linear in what is fitted: where the layer alone leaves d_y of y and D_Z of Z, both
together leave

    d = d_y − D_Z v,    v = (Zᵀ R Z + (α/β) I)⁻¹ Zᵀ R y,    R = α (K_L + αI)⁻¹,

all centred, K_L being the kernel of the rows that are fitted. Without a block B that is a smaller
one, and Zᵀ R y is less by (R Z)_Bᵀ d_y, with the R of all rows (a Schur complement; likewise for
Zᵀ R Z). One pass over blocks and penalties thus serves every β and every such baseline
(`geomod.ridge.banded`). Where one factorization serves both loops, R is that M = I − H, and B is
every two parts (`geomod.ridge.both_loops`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from geomod.ridge.blas import product
from geomod.ridge.both_loops import BothLoops, FittedInBoth, Pairs, in_a_row
from geomod.ridge.factor import Factor
from geomod.ridge.fits import Fit, Fitted
from geomod.ridge.folds import Block
from geomod.ridge.held_out import (
    fit_in,
    held_out_predictions,
    mean_error,
    spectral_weights,
)
from geomod.ridge.scores import centred
from geomod.ridge.sides import RowSides, Sides

# Baselines of no more columns than these are fitted so.
NARROW = 16

Joint = tuple[Fit, Tensor]  # the joint model at the best β of each target, and that β


def of_few_columns(sides: Mapping[str, Sides]) -> dict[str, RowSides]:
    return {
        name: rows
        for name, rows in sides.items()
        if isinstance(rows, RowSides) and rows.train.shape[1] <= NARROW
    }


@dataclass(frozen=True)
class Columns:
    """The columns Z of narrow baselines side by side, and R Z, what the layer's fit leaves of them.

    R = α (K + αI)⁻¹ = I − U diag(w) Uᵀ of centred columns.
    """

    factor: Factor  # of the layer, exact
    alphas: Tensor
    z: Tensor  # [rows, columns]
    left: Tensor  # R Z, [alphas, rows, columns]
    bands: list[slice]  # where each baseline's columns are

    @classmethod
    def beside(cls, fitted: Fitted, baselines: Sequence[Tensor]) -> "Columns":
        factor = fitted.factor if fitted.factor.is_exact else fitted.sides.factorize()
        alphas, z = factor.penalties(fitted.alphas), torch.cat(list(baselines), dim=1)
        seen = product(factor.u.T, z)
        rest = alphas[:, None] / (factor.s + alphas[:, None])  # 1 − w, without cancelling
        left = factor.u @ (rest[:, :, None] * seen)
        if not factor.is_full:
            left += z - product(factor.u, seen)
        ends = np.cumsum([baseline.shape[1] for baseline in baselines])
        bands = [slice(end - b.shape[1], end) for end, b in zip(ends, baselines, strict=True)]
        return cls(factor, alphas, z, left, bands)


def with_narrow(
    fitted: Fitted,
    y: Tensor,
    baselines: Sequence[RowSides],
    balances: Sequence[float],
) -> list[Joint]:
    """The layer with each of some baselines of few columns, from its own fit of y and of those."""
    if not baselines:
        return []
    columns = Columns.beside(fitted, [baseline.train for baseline in baselines])
    targets, betas = centred(y[fitted.split[0]])[0], y.new_tensor(balances)
    together = fit_in(fitted.memory_mb / 2, 4 * 8 * len(columns.alphas) * len(targets))
    parts = targets.split(together, dim=1)
    gains = torch.cat([_gains(fitted, columns, part, betas) for part in parts], dim=-1)
    each, joint = np.arange(targets.shape[1]), []
    for baseline, band, gain in zip(baselines, columns.bands, gains, strict=True):
        of_beta, of_alpha = gain.max(dim=1)
        most, chosen = of_beta.max(dim=0)
        best, beta = of_alpha[chosen, each], betas[chosen]
        alpha = columns.alphas[best]
        left = columns.left[best][:, :, band].mT  # [targets, columns, rows]
        z = baseline.train
        v = _weights(left @ z, left @ targets.T[:, :, None], alpha / beta)[:, :, 0].T
        of_layer = fitted.sides.predict(columns.factor, targets - z @ v, alpha)
        explained = of_layer + baseline.test @ v
        joint.append((Fit(best, most, explained), beta))
    return joint


def with_narrow_in_both(
    fitted: FittedInBoth, y: Tensor, baselines: Sequence[Tensor], balances: Sequence[float]
) -> list[list[Joint]]:
    """The same in every fold, `[baselines][folds]`, from one factorization of all rows."""
    if not baselines:
        return []
    columns = ColumnsInBoth(fitted, y, baselines, y.new_tensor(balances))
    gains = columns.gains()

    def fit(part: int) -> list[Joint]:
        return columns.fit(part, gains[:, :, :, part])

    return [list(each) for each in zip(*fitted.deal(fit, range(len(fitted.folds))), strict=True)]


class ColumnsInBoth:
    """The columns Z of narrow baselines and responses side by side, fitted by a layer as one."""

    def __init__(
        self, fitted: FittedInBoth, y: Tensor, baselines: Sequence[Tensor], betas: Tensor
    ) -> None:
        like, alphas = fitted.loops, fitted.folds[0].alphas
        self._deal, self._betas = fitted.deal, betas
        z = torch.cat(list(baselines), dim=1)
        self._k = z.shape[1]
        both = torch.cat([z, y], dim=1)
        self._loops = BothLoops(like.factor, both, alphas, like.splits, like.memory_mb)
        ends = np.cumsum([b.shape[1] for b in baselines])
        self._bands = [slice(end - b.shape[1], end) for end, b in zip(ends, baselines, strict=True)]

    def gains(self) -> Tensor:
        """Squared error saved over the mean, `[bands, betas, alphas, parts, targets]`."""
        loops = self._loops
        rows, parts = in_a_row(loops.parts)
        u, both = loops.factor.u[rows], loops.y[rows]
        rest, weights = spectral_weights(loops.factor, loops.penalties)

        def missed(place: int) -> Tensor:
            pairs = Pairs(u, both, loops.z, rest[place], weights[place])
            return self._missed(pairs, both, parts, loops.penalties[place])

        of_alphas = list(self._deal(missed, range(len(loops.penalties))))
        saved = loops.missed_by_the_mean()[:, self._k :] - torch.stack(of_alphas, dim=2)
        return saved.nan_to_num(nan=0.0)  # NaN where rounding left nothing

    def _missed(self, pairs: Pairs, both: Tensor, parts: list[slice], alpha: Tensor) -> Tensor:
        """Squared errors without each part, `[bands, betas, parts, targets]`."""
        k, left = self._k, pairs.c[:, : self._k]
        moments = product(left.T.contiguous(), both)
        shape = (len(self._bands), len(self._betas), len(parts), both.shape[1] - k)
        errors = both.new_zeros(shape)
        for first, second, on_first, on_second in pairs.errors(parts):
            others = moments - left[parts[first]].T @ on_first - left[parts[second]].T @ on_second
            # |d_y − D v|², for which any v needs no more than what D has in common with both.
            sides = [
                (part, d[:, k:].square().sum(dim=0), d[:, :k].T @ d)
                for part, d in ((first, on_second), (second, on_first))
            ]
            for i, band in enumerate(self._bands):
                for j, beta in enumerate(self._betas):
                    v = _weights(others[band, band], others[band, k:], alpha / beta)
                    for part, alone, shared in sides:
                        twice = 2 * shared[band, k:] - shared[band, band] @ v
                        errors[i, j, part] += alone - (twice * v).sum(dim=0)
        return errors

    def fit(self, part: int, gains: Tensor) -> list[Joint]:
        """Without a part: its best penalties and β beside each baseline, and what is predicted."""
        loops, k = self._loops, self._k
        of_beta, of_alpha = gains.max(dim=2)
        most, chosen = of_beta.max(dim=1)
        best = of_alpha.gather(1, chosen[:, None])[:, 0]  # [bands, targets]
        rows = loops.parts[part]
        explained = gains.new_zeros(len(self._bands), len(rows), best.shape[1])
        for place in best.unique().tolist():
            alpha = loops.penalties[place]
            own = torch.nonzero((best == place).any(dim=0)).flatten()
            there = torch.cat([torch.arange(k), k + own])
            both, z = loops.y[:, there], loops.z[:, there]
            block = [Block(rows, len(rows))]
            given = (loops.factor, both, alpha[None], block, loops.memory_mb, z)
            ((*_, p),) = held_out_predictions(*given)
            p = p[0, 0]
            left = self._left(alpha)
            d = mean_error(both, rows) - p
            others = left.T @ both - left[rows].T @ d
            for i, band in enumerate(self._bands):
                for j, beta in enumerate(self._betas):
                    here = (best[i, own] == place) & (chosen[i, own] == j)
                    of_these = k + torch.nonzero(here).flatten()
                    v = _weights(others[band, band], others[band][:, of_these], alpha / beta)
                    explained[i][:, own[here]] = p[:, of_these] + d[:, band] @ v
        return [
            (Fit(best[i], most[i], explained[i]), self._betas[chosen[i]])
            for i in range(len(self._bands))
        ]

    def _left(self, alpha: Tensor) -> Tensor:
        """M Z: what fits to all rows leave of the columns."""
        factor, k = self._loops.factor, self._k
        z, seen = self._loops.y[:, :k], self._loops.z[:, :k]
        left = product(factor.u, (alpha / (factor.s + alpha))[:, None] * seen)
        return left if factor.is_full else left + z - product(factor.u, seen)


def _gains(fitted: Fitted, columns: Columns, y: Tensor, betas: Tensor) -> Tensor:
    """Squared error saved over the mean on held-out rows, `[bands, betas, alphas, targets]`."""
    alphas, k = columns.alphas, columns.z.shape[1]
    both = torch.cat([columns.z, y], dim=1)
    moments = columns.left.mT @ both
    gains = y.new_zeros(len(columns.bands), len(betas), len(alphas), y.shape[1])
    given = (alphas, fitted.blocks, fitted.memory_mb)
    for blocks, scored, some, p in held_out_predictions(columns.factor, both, *given):
        error = mean_error(both, blocks)
        d = error - p
        others = moments[some, None] - columns.left[some][:, blocks].mT @ d
        for i, band in enumerate(columns.bands):
            square, right = others[..., band, band], others[..., band, k:]
            for j, beta in enumerate(betas):
                v = _weights(square, right, alphas[some, None] / beta)
                joint = p[:, :, :scored, k:] + d[:, :, :scored, band] @ v
                missed = 2 * error[:, :scored, k:] - joint
                gains[i, j, some] += (missed * joint).sum(dim=(1, 2))
    return gains.nan_to_num(nan=0.0)  # NaN where rounding left nothing


def _weights(square: Tensor, right: Tensor, ridge: Tensor) -> Tensor:
    """(square + ridge I)⁻¹ right, for stacks of small matrices."""
    one = torch.eye(square.shape[-1]).to(square)
    return torch.linalg.solve_ex(square + ridge[..., None, None] * one, right)[0]
