"""The confound ladder spelled out: every model of it fitted alone, both bands side by side."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from geomod.ridge.banded import BALANCES, RUNGS, Ladder
from geomod.ridge.engine import checked
from geomod.ridge.factor import leading
from geomod.ridge.fits import Fit, fit_fold
from geomod.ridge.folds import Block, Scheme, inner_blocks, outer_folds
from geomod.ridge.scores import scores
from geomod.ridge.sides import RowSides, standardized


def plain_ladder(
    baseline: ArrayLike,
    features: ArrayLike,
    responses: ArrayLike,
    *,
    alphas: ArrayLike,
    balances: Sequence[float] = BALANCES,
    folds: int = 5,
    inner_folds: int | Literal["loo"] = 5,
    scheme: Scheme = "shuffled",
    groups: ArrayLike | None = None,
    standardize: bool = True,
    seed: int = 0,
    match_width: int | None = None,
) -> Ladder:
    """`geomod.ridge.banded.ladder`, by a factorization for each model."""
    base, y, _ = checked(baseline, responses, alphas)
    x, _, grid = checked(features, responses, alphas)
    if groups is not None:
        scheme = "grouped"
    splits = outer_folds(len(y), folds, seed, scheme=scheme, groups=groups)
    targets, penalties = torch.as_tensor(y), torch.as_tensor(grid)
    shape = (len(x), len(splits), y.shape[1])
    r, r2, alpha = ({rung: np.empty(shape) for rung in RUNGS} for _ in range(3))
    balance = np.empty(shape)
    for layer, fold in np.ndindex(*shape[:2]):
        split = splits[fold]
        blocks = inner_blocks(split[0], inner_folds, seed, scheme=scheme, groups=groups)

        fit = partial(_fit, targets[split[0]], penalties, blocks)
        own, rows = (
            leading(*standardized(values, split, scale=standardize), match_width)
            for values in (base[layer % len(base)], x[layer])
        )
        joint = [
            fit(*(torch.cat([beta**0.5 * b, v], dim=1) for b, v in zip(own, rows, strict=True)))
            for beta in balances
        ]
        alone = {"layer": fit(*rows), "baseline": fit(*own)}
        fits = [alone["layer"], *joint, alone["baseline"]]
        best = torch.stack([each.gain for each in fits]).argmax(dim=0).numpy()
        balance[layer, fold] = np.array([0.0, *balances, np.inf])[best]
        for k, chosen in enumerate(best):
            for rung, found in (*alone.items(), ("joint", fits[chosen])):
                at = layer, fold, k
                one = found.explained[:, [k]], targets[:, [k]], split
                r[rung][at], r2[rung][at] = (part.item() for part in scores(*one)[:2])
                alpha[rung][at] = grid[found.best[k]]
    return Ladder(r=r, r2=r2, alpha=alpha, balance=balance)


def _fit(y: Tensor, alphas: Tensor, blocks: list[Block], train: Tensor, test: Tensor) -> Fit:
    return fit_fold(RowSides(train, test), y, alphas, blocks)[0]
