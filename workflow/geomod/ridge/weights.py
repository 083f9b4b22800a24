"""Weights on request: what a fit on all rows makes of each column, at each delay.

Scores need none. For a plot of responses in time (a finite impulse response) they are made here.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from geomod.base.errors import InputError
from geomod.ridge.blas import product
from geomod.ridge.delays import Delays
from geomod.ridge.engine import ALPHAS, checked, cutting
from geomod.ridge.fits import Designs
from geomod.ridge.folds import InnerFolds, Scheme, inner_blocks
from geomod.ridge.penalties import best_penalties
from geomod.ridge.scores import centred

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Coefficients:
    """Of z-scored columns, and the penalty that each target chose."""

    weights: Floats  # [delays, width, targets]
    alpha: Floats  # [targets]


def coefficients(
    features: ArrayLike,
    responses: ArrayLike,
    *,
    delays: Delays,
    alphas: ArrayLike = ALPHAS,
    folds: InnerFolds = "loo",
    scheme: Scheme | None = None,
    gap: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    memory_mb: float = 512,
) -> Coefficients:
    """Weights of `features` `[rows, width]`, fitted on all rows with each target's best penalty.

    The penalty has the least squared error on stories that are left out in turn, or on the other
    `folds` that are asked for, cut as `engine.encode` cuts them.
    """
    x, y, grid = checked(features, responses, alphas, delays)
    if len(x) != 1:
        raise ValueError("coefficients are those of one layer: features [rows, width]")
    cut = cutting(scheme, None, gap, delays)
    if folds == "loo" and cut["groups"] is None:
        raise InputError("one story cannot be left out: give a number of (contiguous) folds")
    everything = np.arange(len(y))
    blocks = inner_blocks(everything, folds, seed, **cut)
    sides = Designs(x, delays, standardize=False, device=device)(0, (everything, everything[:1]))
    factor = sides.factorize()
    targets = centred(torch.as_tensor(y, device=device).double())[0]
    penalties = factor.penalties(torch.as_tensor(grid, device=device))
    best, _ = best_penalties(factor, targets, penalties, blocks, memory_mb)
    dual = product(factor.u.T, targets) / (factor.s[:, None] + penalties[best])
    weights = delays.weights(x[0], product(factor.u, dual))
    return Coefficients(weights.cpu().numpy(), grid[best.cpu().numpy()])
