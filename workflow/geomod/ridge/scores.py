"""How good predictions are: Pearson r and R² of every target, and r of permuted ones."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geomod.ridge.blas import product
from geomod.ridge.folds import Split
from geomod.ridge.held_out import fit_in

Floats = NDArray[np.float64]

# What predicts the test rows from the responses of the training rows, of a penalty, in float32.
Smoother = Callable[[Tensor], Tensor]


def scores(explained: Tensor, targets: Tensor, split: Split) -> tuple[Floats, Floats, int]:
    """Pearson r and R² of predictions of the test rows; and of how many targets r is undefined."""
    actual, mean = centred(targets[split[1]])
    r, varies = pearson(explained, actual)
    spread = (actual**2).sum(dim=0)
    missed = ((actual + mean - targets[split[0]].mean(dim=0) - explained) ** 2).sum(dim=0)
    r2 = torch.where(spread > 0, 1 - missed / spread.where(spread > 0, 1.0), 0.0)
    return r.cpu().numpy(), r2.cpu().numpy(), int((~varies).sum())


def pearson(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Correlation of the columns of `a` with those of `b`, which are centred already.

    Where either does not vary the correlation is 0; the second result says where both do.
    """
    a = a - a.mean(dim=0)
    size = (a**2).sum(dim=0).sqrt() * (b**2).sum(dim=0).sqrt()
    varies = size > 0
    return torch.where(varies, (a * b).sum(dim=0) / size.where(varies, 1.0), 0.0), varies


def centred(y: Tensor) -> tuple[Tensor, Tensor]:
    """Columns minus their mean, 0 where they vary by no more than rounding; and the mean."""
    mean = y.mean(dim=0)
    deviation = y - mean
    rounding = len(y) * torch.finfo(y.dtype).eps * mean.abs()
    return deviation.mul_(deviation.norm(dim=0) / len(y) ** 0.5 > rounding), mean


def null_r(
    smoother: Smoother,
    targets: Tensor,
    split: Split,
    orders: Tensor,
    chosen: Tensor,
    memory_mb: float,
) -> Floats:
    """Test-row correlations of permuted targets, `[permutations, targets]`, in float32.

    `chosen` are the targets' penalties. Targets that share one share a smoother, which makes
    predictions from responses, whatever their order.
    """
    null = np.empty((orders.shape[1], targets.shape[1]))
    if not len(null):
        return null
    train, test = split
    y = targets.float()
    # A permuted target is held as rows, and its test rows four times more while it is scored.
    together = orders.split(fit_in(memory_mb, 4 * (len(train) + 5 * len(test))), dim=1)
    rows = [(order[train].flatten(), order[test].flatten()) for order in together]
    for alpha in chosen.unique():
        of_all = smoother(alpha)
        for target in torch.nonzero(chosen == alpha).flatten().tolist():
            column, r = y[:, target].contiguous(), []
            for fitted, scored in rows:
                shuffled = column.index_select(0, fitted).view(len(train), -1)
                actual, _ = centred(column.index_select(0, scored).view(len(test), -1))
                r.append(pearson(product(of_all, shuffled), actual)[0])
            null[:, target] = torch.cat(r).cpu().numpy()
    return null


def p_values(observed: Floats, null: Floats) -> Floats:
    """(1 + #{null ≥ observed}) / (1 + permutations), over the second axis of `null`.

    The null is computed in float32: closer than its rounding counts as equal.
    """
    return (1 + (null >= observed[:, None] - 1e-6).sum(axis=1)) / (1 + null.shape[1])
