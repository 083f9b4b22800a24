"""Token Grams of sentences, and their file.

A sentence of T tokens at one layer is a matrix X of T × width. Its Gram X Xᵀ (T × T, float64) holds
every length and angle among the tokens, and so all of the geometry, in a hundredth of the bytes.
Sentences differ in T, so the Grams of a layer lie one after another in one flat array.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomod.base.layers import layer_key, read_layers
from geomod.base.tensors import Tensors, write_tensors

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Grams:
    """The token Grams of many sentences at one layer, flat and ragged.

    `values[offsets[i]:offsets[i + 1]]` is the row-major T_i × T_i Gram of sentence i, T_i being
    `lengths[i]`; `width` is the number of dimensions that the tokens had.
    """

    values: Floats
    lengths: NDArray[np.int64]
    width: int
    offsets: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        offsets = np.concatenate([[0], np.cumsum(np.square(self.lengths))]).astype(np.int64)
        if self.values.shape != (offsets[-1],):
            raise ValueError(
                f"{self.values.size} values cannot be Grams of lengths {self.lengths[:10]}…"
            )
        object.__setattr__(self, "offsets", offsets)

    @classmethod
    def empty(cls, lengths: NDArray[np.int64], width: int) -> "Grams":
        """Room for Grams that are still to be put in."""
        return cls(np.full(int(np.square(lengths).sum()), np.nan), lengths, width)

    @classmethod
    def of_states(cls, sentences: Iterable[NDArray[Any]]) -> "Grams":
        """The Grams of token states, one array of tokens × width per sentence."""
        states = [np.asarray(sentence, dtype=np.float64) for sentence in sentences]
        lengths = np.array([len(tokens) for tokens in states], dtype=np.int64)
        values = [(tokens @ tokens.T).ravel() for tokens in states]
        return cls(np.concatenate(values), lengths, states[0].shape[1])

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, sentence: int) -> Floats:
        size = int(self.lengths[sentence])
        start = int(self.offsets[sentence])
        return self.values[start : start + size * size].reshape(size, size)

    def _places(self, sentences: NDArray[np.int64], size: int) -> NDArray[np.int64]:
        return self.offsets[sentences][:, None] + np.arange(size * size)

    def put(self, sentences: NDArray[np.int64], stack: Floats) -> None:
        """Store the Grams `stack` [k, T, T] of `sentences` [k], which all have T tokens."""
        size = stack.shape[-1]
        if np.any(self.lengths[sentences] != size):
            raise ValueError(f"a stack of {size} × {size} Grams for sentences of other lengths")
        self.values[self._places(sentences, size)] = stack.reshape(len(sentences), -1)

    def take(self, sentences: NDArray[np.int64]) -> Floats:
        """The Grams [k, T, T] of `sentences` [k], which must all have the same number of tokens."""
        size = int(self.lengths[sentences[0]])
        if np.any(self.lengths[sentences] != size):
            raise ValueError("only sentences of equal length can be stacked")
        return self.values[self._places(sentences, size)].reshape(-1, size, size)

    def groups(self) -> Iterator[NDArray[np.int64]]:
        """The sentences of each length, shortest first: what `take` takes."""
        for size in np.unique(self.lengths):
            yield np.flatnonzero(self.lengths == size)


def write_grams(
    grams: Mapping[int, Grams], path: str | Path, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write the Grams of all layers of one checkpoint, which share their sentences."""
    first = next(iter(grams.values()))
    tensors: dict[str, NDArray[Any]] = {layer_key(k): gram.values for k, gram in grams.items()}
    tensors |= {
        "lengths": first.lengths,
        "offsets": first.offsets,
        "width": np.array([first.width], dtype=np.int64),
    }
    write_tensors(tensors, path, provenance)


def read_grams(path: str | Path, layers: Iterable[int] | None = None) -> dict[int, Grams]:
    """Layer → Grams; only the `layers` asked for are read."""
    file = Tensors(path)
    shape = {name: file[name] for name in ("lengths", "offsets", "width")}  # checks all three
    lengths, width = shape["lengths"], int(shape["width"][0])
    return {layer: Grams(values, lengths, width) for layer, values in read_layers(file, layers)}
