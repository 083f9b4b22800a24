"""The confound ladder: what a layer predicts over and above a baseline.

Three models of the same responses, on the same folds: the baseline alone (sentence length,
position, the untrained model), the layer alone, and both together. Together they have a penalty
each. With kernels K_B of the baseline and K_L of the layer, both standardized in the training fold,
the joint kernel is

    K = β K_B + K_L,

which penalizes the baseline's weights by α/β and the layer's by α. β = 1 is plain concatenation,
β = 0 the layer alone, β = ∞ the baseline alone. Every target chooses (β, α) by the error on inner
held-out rows, as in `engine.py`: exact nested cross-validation, one factorization for each β.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from geomod.base.workers import Result, in_threads
from geomod.ridge.engine import ALPHAS, Fit, checked, fit_fold, scores, standardized
from geomod.ridge.factor import leading
from geomod.ridge.folds import Folds, InnerFolds, Scheme, inner_blocks, outer_folds

Floats = NDArray[np.float64]
Rung = Literal["baseline", "layer", "joint"]
RUNGS: tuple[Rung, ...] = ("baseline", "layer", "joint")

# The β between 0 and ∞: few, because each costs a fit of every layer, and the optimum is flat.
BALANCES = (1.0, 100.0)


@dataclass(frozen=True)
class Ladder:
    """Pearson r and R² of the baseline, of the layer, and of both, `[layers, folds, targets]`."""

    r: dict[Rung, Floats]
    r2: dict[Rung, Floats]
    alpha: dict[Rung, Floats]
    balance: Floats  # the β that the joint model chose

    def score(self, rung: Rung) -> Floats:
        """Mean over the outer folds of Pearson r, `[layers, targets]`."""
        return self.r[rung].mean(axis=1)

    @property
    def unique(self) -> Floats:
        """What the layer adds to the baseline's score, in r, `[layers, targets]`."""
        return self.score("joint") - self.score("baseline")

    @property
    def unique_r2(self) -> Floats:
        """The same in explained variance: mean R² of the joint model minus the baseline's."""
        return (self.r2["joint"] - self.r2["baseline"]).mean(axis=1)


def ladder(
    baseline: ArrayLike | Mapping[Any, ArrayLike],
    features: ArrayLike | Mapping[Any, ArrayLike],
    responses: ArrayLike,
    *,
    alphas: ArrayLike = ALPHAS,
    balances: Sequence[float] = BALANCES,
    folds: Folds = 5,
    inner_folds: InnerFolds = 5,
    scheme: Scheme = "shuffled",
    groups: ArrayLike | None = None,
    standardize: bool = True,
    seed: int = 0,
    device: str = "cpu",
    match_width: int | None = None,
    memory_mb: float = 512,
) -> Ladder:
    """Climb the ladder for every layer. All arguments but two are those of `engine.encode`.

    `baseline` is `[n, width]`, or `[layers, n, width]` where each layer has its own (the same layer
    of the untrained model). `balances` are the values of β between 0 and ∞, which are always among
    the choices. `match_width` cuts the layer and the baseline, each by its own components.
    """
    base, y, _ = checked(baseline, responses, alphas)
    x, _, grid = checked(features, responses, alphas)
    if len(base) not in (1, len(x)):
        raise ValueError(f"{len(base)} baselines for {len(x)} layers: give one, or one a layer")
    if groups is not None:
        scheme = "grouped"
    splits = outer_folds(len(y), folds, seed, scheme=scheme, groups=groups)
    inner = [inner_blocks(t, inner_folds, seed, scheme=scheme, groups=groups) for t, _ in splits]
    targets = torch.as_tensor(y, device=device)
    penalties = torch.as_tensor(grid, device=device)
    workers = torch.get_num_threads() if device == "cpu" else 1

    def band(values: NDArray[np.floating], fold: int) -> tuple[Tensor, Tensor]:
        train, test = standardized(values, splits[fold], scale=standardize, device=device)
        return leading(train, test, match_width)

    def fit(rows: tuple[Tensor, Tensor], fold: int) -> Fit:
        y_train = targets[splits[fold][0]]
        memory = memory_mb / workers
        return fit_fold(*rows, y_train, penalties, inner[fold], memory)[0]

    def baseline_alone(task: tuple[int, int]) -> Fit:
        return fit(band(base[task[0]], task[1]), task[1])

    def with_layer(task: tuple[int, int]) -> list[Fit]:
        layer, fold = task
        own, rows = band(base[layer % len(base)], fold), band(x[layer], fold)
        mixtures = [
            tuple(torch.cat([beta**0.5 * b, v], dim=1) for b, v in zip(own, rows, strict=True))
            for beta in balances
        ]
        return [fit(rows, fold), *(fit((train, test), fold) for train, test in mixtures)]

    shape = (len(x), len(splits), y.shape[1])
    r, r2, alpha = ({rung: np.empty(shape) for rung in RUNGS} for _ in range(3))
    balance = np.empty(shape)
    choices = np.array([0.0, *balances, np.inf])
    below = dict(_each(baseline_alone, (len(base), len(splits)), workers))
    for (layer, fold), fits in _each(with_layer, shape[:2], workers):
        alone = below[layer % len(base), fold]
        joint, chosen = _best([*fits, alone])
        balance[layer, fold] = choices[chosen.cpu().numpy()]
        for rung, found in zip(RUNGS, (alone, fits[0], joint), strict=True):
            r[rung][layer, fold], r2[rung][layer, fold], _ = scores(
                found.explained, targets, splits[fold]
            )
            alpha[rung][layer, fold] = grid[found.best.cpu().numpy()]
    return Ladder(r=r, r2=r2, alpha=alpha, balance=balance)


def _each(
    function: Callable[[tuple[int, int]], Result], shape: tuple[int, ...], workers: int
) -> Iterator[tuple[tuple[int, int], Result]]:
    """`function` of every (layer, fold), with its place."""
    tasks = [(layer, fold) for layer, fold in np.ndindex(*shape)]
    return zip(tasks, in_threads(function, tasks, workers), strict=True)


def _best(fits: list[Fit]) -> tuple[Fit, Tensor]:
    """Of several fits each target's best by the inner held-out rows, and which one that is."""
    gain, chosen = torch.stack([fit.gain for fit in fits]).max(dim=0)
    each = torch.arange(len(chosen), device=chosen.device)
    best = torch.stack([fit.best for fit in fits])[chosen, each]
    explained = torch.stack([fit.explained for fit in fits])[chosen, :, each].T
    return Fit(best, gain, explained), chosen
