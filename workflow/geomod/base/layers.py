"""Arrays of one checkpoint in a file, one a layer: pooled features, and whatever has layers."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomod.base.errors import InputError
from geomod.base.tensors import Tensors, write_tensors

Features = dict[int, NDArray[np.float32]]


def layer_key(layer: int) -> str:
    """The name of a layer in both files."""
    return f"layer{layer:02d}"


def write_features(
    features: Mapping[int, NDArray[np.float32]],
    path: str | Path,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write one float32 array of sentences × width a layer; `provenance` goes into the header."""
    write_tensors({layer_key(layer): x for layer, x in features.items()}, path, provenance)


def read_features(path: str | Path, layers: Iterable[int] | None = None) -> Features:
    """Layer → float32 features [sentences, width]; only the `layers` asked for are read."""
    return dict(read_layers(Tensors(path), layers))


def read_header(path: str | Path) -> dict[str, Any]:
    """The provenance that the writer of the file at `path` put into its header."""
    return Tensors(path).provenance


def read_layers(
    file: Tensors, layers: Iterable[int] | None = None
) -> Iterator[tuple[int, NDArray[Any]]]:
    """The arrays of the `layers` asked for, or of all."""
    present = {int(name[5:]): name for name in file if name.startswith("layer")}
    wanted = sorted(present) if layers is None else list(layers)
    missing = sorted(set(wanted) - set(present))
    if missing:
        raise InputError(f"{file.path}: no layer {missing}; it holds layers {sorted(present)}")
    for layer in wanted:
        yield layer, file[present[layer]]
