"""Responses with a known answer as further columns of a fit; `scrutiny/controls.py` makes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from geomod.brain.responses import AVERAGE, Block
from geomod.encoding.scores import Beside as Along
from geomod.ridge.fits import Fitted
from geomod.ridge.mixtures import Mixtures, fit_mixtures

TARGET = ["control", "draw", "region", "participant"]
COLUMNS = ["parts", "mix", "noises", "averages"]
NOISE_FREE = "noise-free"  # the participant whose responses are the signal itself


@dataclass(frozen=True)
class Controls:
    """Responses, each the sum of a signal, which is a mix of parts, and of a noise.

    `targets` has columns control, draw, region, participant (`TARGET`), and which signal and noise
    it is: their columns, −1 for no noise.
    """

    targets: pd.DataFrame
    parts: NDArray[np.floating]  # [sentences, parts]
    mix: NDArray[np.floating]  # [parts, signals]
    noises: NDArray[np.floating]  # [sentences, noises]
    averages: NDArray[np.intp]  # [averages, members]: the last noises are means of these others

    @classmethod
    def nothing(cls, sentences: int) -> "Controls":
        """No control at all."""
        kinds = dict.fromkeys(("draw", "signal", "noise"), int)
        targets = pd.DataFrame({name: [] for name in [*TARGET, "signal", "noise"]}).astype(kinds)
        empty, none = np.empty((sentences, 0)), np.empty((0, 0))
        return cls(targets, empty, none, empty, none.astype(int))

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """What the responses are made of (`COLUMNS`)."""
        return {name: getattr(self, name) for name in COLUMNS}

    @property
    def matrix(self) -> NDArray[np.floating]:
        """The responses [sentences, targets]."""
        noises = np.column_stack([self.noises, np.zeros(len(self.noises))])
        signals = self.parts @ self.mix
        return signals[:, self.targets["signal"]] + noises[:, self.targets["noise"]]


@dataclass
class Beside:
    """Fits of the controls beside those of real responses, while a checkpoint is encoded.

    Hand it over as `encode_checkpoint(..., beside=…)`, and ask for `r` afterwards. They are fitted
    to the sentences that the participants' average has.
    """

    controls: Controls
    _layers: list[int] = field(default_factory=list)
    _r: dict[tuple[int, int], NDArray[np.float64]] = field(default_factory=dict)

    def __call__(self, block: Block, layers: Sequence[int]) -> Callable[[Fitted], object] | None:
        """What `encode` is to do beside its fits of these layers to a block of responses."""
        if AVERAGE not in set(block.targets["participant"]) or self._layers:
            return None
        self._layers = list(layers)
        mixtures = cache(partial(self._mixtures, block))

        def fit(fitted: Fitted) -> None:
            there = mixtures(str(fitted.targets.device))
            self._r[fitted.layer, fitted.fold] = fit_mixtures(fitted, there)[0]

        return fit

    def _mixtures(self, block: Block, device: str) -> Mixtures:
        known, targets = self.controls, self.controls.targets
        parts, mix, noises, averages, signal, noise = (
            torch.as_tensor(np.array(values), device=device)
            for values in (
                known.parts[block.rows],
                known.mix,
                known.noises[block.rows],
                known.averages,
                targets["signal"],
                targets["noise"] % (known.noises.shape[1] + 1),
            )
        )
        return Mixtures(parts.double(), mix.double(), noises.double(), averages, signal, noise)

    @property
    def r(self) -> dict[int, NDArray[np.float32]]:
        """Layer → Pearson r [folds, targets]; no layer that is not finite."""
        folds = sorted({fold for _, fold in self._r})
        return {
            layer: np.array([self._r[i, fold] for fold in folds], dtype=np.float32)
            for i, layer in enumerate(self._layers)
        }


def together(*several: Along) -> Along:
    """Several things to do beside the fits, as one."""

    def beside(block: Block, layers: Sequence[int]) -> Callable[[Fitted], object] | None:
        each = [then for one in several if (then := one(block, layers)) is not None]
        if len(each) == 1:  # which may know more than to go on from a fold
            return each[0]

        def do(fitted: Fitted) -> None:
            for then in each:
                then(fitted)

        return do if each else None

    return beside
