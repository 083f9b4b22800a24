"""Responses with a known answer as further columns of a fit; `scrutiny/controls.py` makes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from geomod.brain.responses import AVERAGE, Block
from geomod.encoding.scores import Beside as Along
from geomod.ridge.engine import Fitted, further

TARGET = ["control", "draw", "region", "participant"]
NOISE_FREE = "noise-free"  # the participant whose responses are the signal itself


@dataclass(frozen=True)
class Controls:
    """Responses [sentences, targets]; `targets` has columns control, draw, region, participant."""

    targets: pd.DataFrame
    matrix: NDArray[np.floating]

    @classmethod
    def nothing(cls, sentences: int) -> "Controls":
        """No control at all."""
        targets = pd.DataFrame({name: [] for name in TARGET})
        return cls(targets.astype({"draw": int}), np.empty((sentences, 0)))


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
        responses = torch.as_tensor(self.controls.matrix[block.rows]).double()

        def fit(fitted: Fitted) -> None:
            there = responses.to(fitted.targets.device)
            self._r[fitted.layer, fitted.fold] = further(fitted, there)[0]

        return fit

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

        def do(fitted: Fitted) -> None:
            for then in each:
                then(fitted)

        return do if each else None

    return beside
