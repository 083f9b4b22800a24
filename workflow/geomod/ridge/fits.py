"""A layer in an outer fold: its features there, and what the best penalties predict with them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geomod.ridge.blas import product
from geomod.ridge.delays import Delays
from geomod.ridge.factor import Factor
from geomod.ridge.folds import Block, Split
from geomod.ridge.penalties import best_penalties
from geomod.ridge.scores import Smoother, centred
from geomod.ridge.sides import RowSides, Sides, sides_of_kernel, standardized

Floats = NDArray[np.float64]
Layers = Sequence[NDArray[np.floating]]  # [n, width] each; widths may differ


class Designs:
    """The features of each layer in each fold, standardized, or delayed and centred.

    The delayed features of a layer are the same in every fold: they are made once for all of them.
    """

    def __init__(
        self,
        layers: Layers | Mapping[int, NDArray[np.floating]],
        delays: Delays | None,
        *,
        standardize: bool,
        device: str,
        rows: NDArray[np.intp] | slice = slice(None),
    ) -> None:
        self._layers, self._rows_of_all, self._delays = layers, rows, delays
        self._scale, self._device = standardize and delays is None, device
        self._one_at_a_time = Lock()
        # Workers take folds in turn, so that two layers at most are at work together.
        self._delayed = lru_cache(maxsize=2)(self._delay)

    def __call__(self, layer: int, split: Split) -> Sides:
        if self._delays is None:
            return self._rows(self._values(layer), split)
        with self._one_at_a_time:
            whole = self._delayed(layer)
        if not torch.is_tensor(whole):
            return self._rows(whole, split)
        sides = sides_of_kernel(whole, split)
        if whole.is_cuda:  # its memory is not given away while another fold's stream reads it
            whole.record_stream(torch.cuda.current_stream())
        return sides

    def _values(self, layer: int) -> NDArray[np.floating]:
        return self._layers[layer][self._rows_of_all]

    def _rows(self, values: NDArray[np.floating], split: Split) -> RowSides:
        return RowSides(*standardized(values, split, scale=self._scale, device=self._device))

    def _delay(self, layer: int) -> Floats | Tensor:
        assert self._delays is not None
        whole = self._delays.whole(self._values(layer), self._device)
        if torch.is_tensor(whole) and whole.is_cuda:  # other streams take it as it is
            torch.cuda.current_stream().synchronize()
        return whole


@dataclass(frozen=True)
class Fit:
    """One layer in one outer fold: what each target's best penalty makes of the test rows."""

    best: Tensor  # [targets], index of the penalty
    gain: Tensor  # [targets], squared error saved over the mean, on the inner held-out rows
    explained: Tensor  # [test rows, targets], prediction minus the mean of the training rows


@dataclass(frozen=True)
class Fold:
    """An outer fold: what is fitted on what, with which penalties."""

    fold: int
    split: Split
    blocks: list[Block]  # what the inner folds leave out, within the training rows
    alphas: Tensor
    memory_mb: float


@dataclass(frozen=True)
class Fitted(Fold):
    """A layer in an outer fold, with all that was at hand to fit it: for further fits beside it."""

    layer: int  # its place among those given
    sides: Sides  # the features of training and test rows, standardized
    targets: Tensor  # [n, targets]
    factor: Factor
    fit: Fit
    basis: Callable[[], Tensor]  # the test rows' kernel times U, made once, in float64


def fit_fold(
    sides: Sides,
    y_train: Tensor,
    alphas: Tensor,
    blocks: list[Block],
    memory_mb: float = 512,
    components: int | None = None,
) -> tuple[Fit, Factor]:
    """Choose a penalty for each target by the inner `blocks`, and predict the test rows with it.

    `components` are principal components to keep. Returns the factor too, for more fits like it.
    """
    factor = sides.factorize(components, fast=y_train.shape[1] <= len(sides))
    return fit_targets(sides, factor, y_train, alphas, blocks, memory_mb, components), factor


def fit_targets(
    sides: Sides,
    factor: Factor,
    y_train: Tensor,
    alphas: Tensor,
    blocks: list[Block],
    memory_mb: float = 512,
    components: int | None = None,
) -> Fit:
    """The same of some targets, where the training rows are factorized already."""
    y = centred(y_train)[0]
    penalties = factor.penalties(alphas)
    best, gain = best_penalties(
        factor, y, penalties, blocks, memory_mb, lambda: sides.factorize(components)
    )
    chosen = penalties[best]
    if y.shape[1] <= len(sides):
        return Fit(best, gain, sides.predict(factor, y, chosen))
    # With thousands of targets the products are the cost, and float32 is enough for them.
    bulk = torch.float32 if y.shape[1] > len(y) else torch.float64
    u = factor.u.to(bulk)
    dual = product(u, product(u.T, y.to(bulk)) / (factor.s.to(bulk)[:, None] + chosen.to(bulk)))
    return Fit(best, gain, product(sides.across().to(bulk), dual).double())


def smoothers(factor: Factor, basis: Callable[[], Tensor]) -> Smoother:
    """What predicts the test rows from the responses of the others, for each penalty."""

    @cache
    def single() -> tuple[Tensor, Tensor]:
        return basis().float(), factor.u.float()

    def smoother(alpha: Tensor) -> Tensor:
        across, u = single()
        return product(across / (factor.s + alpha).float(), u.T)

    return smoother
