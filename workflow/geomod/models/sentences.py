"""Sentences, each read alone: pooled features, token Grams, surprisal."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from operator import setitem
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.base.arrivals import Arrivals
from geomod.base.errors import InputError
from geomod.base.layers import Features, write_features
from geomod.base.tables import write_table
from geomod.geometry.grams import Grams, write_grams
from geomod.models.reading import Inputs, Reading, Settings, reading
from geomod.models.surprisal import surprisal

if TYPE_CHECKING:
    from torch import Tensor

    from geomod.models.forward import Opened

log = logging.getLogger(__name__)


class Spans(NamedTuple):
    """Where the units lie: unit i is the tokens starts[i] … stops[i] − 1 of input inputs[i]."""

    inputs: NDArray[np.int64]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]


@reading("sentences")
class Sentences(Reading):
    """Features, Grams and surprisal of every sentence at every layer.

    After a pass `features` and `grams` hold them by layer, and `tokens` has a row a sentence:
    n_tokens (those in the Gram), n_fragments (those of them that are unknown or one byte or letter
    alone), read (the unit's tokens themselves), surprisal (mean −ln p of a token given the ones
    before it, nats) and predictive_entropy (mean entropy of the distributions that predicted them,
    nats). The first token of the input is not predicted; where nothing is, or the model has no
    language-modelling head, both are NaN.

    `stimuli` has the columns item_id and sentence, a row a unit: here a sentence, which is an input
    by itself. Other units, which share inputs, are another `locate`.
    """

    files = ("features.safetensors", "grams.safetensors", "tokens.parquet")
    logits = True

    def __init__(self, stimuli: pd.DataFrame, settings: Settings = Settings()) -> None:  # noqa: B008
        self.stimuli, self.settings = stimuli.reset_index(drop=True), settings
        self.last_layer = settings.last_layer

    def locate(self, opened: "Opened") -> tuple[Sequence[Sequence[int]], Spans]:
        """Token ids of every input, and where in them the units lie."""
        ids = opened.tokenize(self.stimuli["sentence"].tolist(), self.settings.bos)
        count = len(ids)
        lengths = np.array([len(tokens) for tokens in ids], dtype=np.int64)
        return ids, Spans(np.arange(count), np.full(count, self.head(opened)), lengths)

    def head(self, opened: "Opened") -> int:
        """How many tokens of a chat template begin every input, and are no unit's."""
        return len(opened.chat_head()) if self.settings.bos == "chat" else 0

    def begin(self, opened: "Opened") -> Sequence[Sequence[int]]:
        ids, spans = self.locate(opened)
        first = 1 if self.settings.first_token == "drop" else 0
        self._starts, self._stops = np.maximum(spans.starts, first), spans.stops
        lengths = self._stops - self._starts
        if np.any(lengths <= 0):
            row = int(np.argmin(lengths))
            raise InputError(
                f"sentences, row {row} (from 0): {self.stimuli['sentence'][row]!r} has one token, "
                "and features.first_token: drop leaves none of it"
            )
        bounds = zip(spans.inputs, self._starts, self._stops, strict=True)
        self._fragments = opened.fragments([ids[k][start:stop] for k, start, stop in bounds])
        units = zip(*spans, strict=True)
        self._read = opened.spell([ids[k][start:stop] for k, start, stop in units])
        # Units in the order of their inputs, and where those of each input begin.
        self._order = np.argsort(spans.inputs, kind="stable")
        self._bounds = np.searchsorted(spans.inputs[self._order], np.arange(len(ids) + 1))
        self.features = self.room(opened)
        self.grams = {k: Grams.empty(lengths, opened.width) for k in opened.layers}
        self._predicted = np.full((len(lengths), 2), np.nan)
        self._arrivals = Arrivals()
        return ids

    def keep(self, layer: int, inputs: Inputs, states: "Tensor") -> None:
        if layer == 0:
            self._batch = self._same_length(inputs)
        for units, rows, tokens in self._batch:
            own = states[rows[:, None], tokens].float()
            self.pool(layer, units, own)
            # In float32 the Gram would be wrong in the third decimal of a curvature.
            wide = own.double()
            self._arrivals.send(wide @ wide.mT, partial(self.grams[layer].put, units))

    def room(self, opened: "Opened") -> Features:
        """Features that are still to be filled in."""
        shape = (len(self.stimuli), opened.width)
        return {layer: np.full(shape, np.nan, np.float32) for layer in opened.layers}

    def pool(self, layer: int, units: Inputs, own: "Tensor") -> None:
        """Make features of the states `own` [k, T, width] of `units` [k]."""
        pooled = own[:, -1] if self.settings.pooling == "last" else own.mean(dim=1)
        self._arrivals.send(pooled, partial(setitem, self.features[layer], units))

    def predict(self, inputs: Inputs, ids: "Tensor", logits: "Tensor") -> None:
        self._arrivals.send(surprisal(logits, ids), partial(self._note, inputs))

    def _note(self, inputs: Inputs, foreseen: NDArray[np.float32]) -> None:
        """Means over the units of `inputs`, of what is said of their tokens but the first."""
        import torch  # here, so that planning the jobs need not wait for it

        for place, each in zip(inputs, torch.from_numpy(foreseen), strict=True):
            for unit in self._units(place):
                # What predicts a token stands before it.
                start, stop = max(self._starts[unit], 1) - 1, self._stops[unit] - 1
                if start < stop:
                    self._predicted[unit] = [of[start:stop].mean().item() for of in each.T]

    def end(self) -> None:
        self._arrivals.wait()
        broken = [k for k, grams in self.grams.items() if not np.isfinite(grams.values).all()]
        if broken:
            log.warning("activations are not finite in layers %s: a diverged checkpoint?", broken)
        self.tokens = pd.DataFrame(
            {
                "n_tokens": self._stops - self._starts,
                "n_fragments": self._fragments,
                "read": self._read,
                "surprisal": self._predicted[:, 0],
                "predictive_entropy": self._predicted[:, 1],
            }
        )

    def write(self, folder: Path, place: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
        features, grams, tokens = (folder / name for name in self.files)
        write_features(self.features, features, provenance)
        write_grams(self.grams, grams, provenance)
        table = self.tokens.assign(item_id=self.stimuli["item_id"], **place)
        write_table(table, tokens, "tokens", provenance)

    def _units(self, place: int) -> NDArray[np.int64]:
        """The units of one input."""
        return self._order[self._bounds[place] : self._bounds[place + 1]]

    def _same_length(self, inputs: Inputs) -> list[tuple[Inputs, Inputs, Inputs]]:
        """The units of a batch by their number of tokens: units [k], rows [k], tokens [k, T]."""
        units = np.concatenate([self._units(place) for place in inputs])
        counts = self._bounds[inputs + 1] - self._bounds[inputs]
        rows = np.repeat(np.arange(len(inputs)), counts)
        starts, lengths = self._starts[units], (self._stops - self._starts)[units]
        groups = []
        for length in np.unique(lengths):
            same = np.flatnonzero(lengths == length)
            tokens = starts[same, None] + np.arange(length)
            groups.append((units[same], rows[same], tokens))
        return groups


def extract(
    model: Any,
    tokenizer: Any,
    sentences: Sequence[str],
    *,
    blocks: str | None = None,
    batch_tokens: int = 512,
    **settings: Any,
) -> Sentences:
    """Read `sentences`, each alone: features, Grams and surprisals in one call.

    `settings` are those of `geomod.models.reading.Settings`.
    """
    from geomod.models.forward import read

    stimuli = pd.DataFrame({"sentence": list(sentences)}, dtype=object)
    found = Sentences(stimuli, Settings(**settings))
    read(model, tokenizer, [found], blocks=blocks, batch_tokens=batch_tokens)
    return found
