"""Safetensors files that tell damage: a sealed header, and in it a hash of every tensor.

The seal covers the header alone, and each hash one tensor, so that a reader who wants one layer of
a file of hundreds of megabytes reads, and checks, no more than that.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from geomod.base.errors import Damaged, InputError
from geomod.base.files import whole
from geomod.base.seals import check, open_seal, sealed

PROVENANCE, HASHES, SEAL = "geomod", "sha256", "seal"


def write_tensors(
    tensors: Mapping[str, NDArray[Any]],
    path: str | Path,
    provenance: Mapping[str, Any] | None = None,
    *,
    place: str | Path | None = None,
    **metadata: str,
) -> None:
    """Write named arrays; `provenance` goes into the header, with any further `metadata`.

    `place` is where the file is to lie in the end, if `path` is in a folder yet to be renamed.
    """
    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    header = {
        **metadata,
        PROVENANCE: json.dumps(dict(provenance or {}), sort_keys=True),
        HASHES: json.dumps({name: _hash(array) for name, array in arrays.items()}),
        SEAL: open_seal(place or path),
    }
    with whole(path) as temporary:
        save_file(arrays, temporary, metadata=header)
        with temporary.open("r+b") as file:
            head = _head(file.read(8), file)
            file.seek(0)
            file.write(sealed(_in_order(head)))


class Tensors:
    """A file of `write_tensors`, open for reading: every tensor is checked as it is read."""

    def __init__(self, path: str | Path) -> None:
        self.path = path
        try:
            with open(path, "rb") as file:
                head = _head(file.read(8), file)
            check(head, path)
            self._file = safe_open(path, framework="numpy")
        except FileNotFoundError:
            raise InputError(f"{path}: no such file; the next run makes it") from None
        except SafetensorError as error:
            raise Damaged(path, f"is damaged or not whole ({error})") from None
        self.metadata: dict[str, str] = self._file.metadata()
        self.provenance: dict[str, Any] = json.loads(self.metadata[PROVENANCE])
        self._hashes: dict[str, str] = json.loads(self.metadata[HASHES])

    def __iter__(self) -> Iterator[str]:
        return iter(self._hashes)

    def __getitem__(self, name: str) -> NDArray[Any]:
        array: NDArray[Any] = self._file.get_tensor(name)
        if _hash(array) != self._hashes[name]:
            raise Damaged(self.path, f"is damaged: {name} is not what was written")
        return array


def _head(length: bytes, file: Any) -> bytes:
    """The length and the header at the start of a safetensors file, as they are read."""
    return length + file.read(min(int.from_bytes(length, "little"), 1 << 27))


def _in_order(head: bytes) -> bytes:
    """The same header with its metadata sorted: safetensors shuffles them from run to run."""
    header = json.loads(head[8:])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return head[:8] + text.ljust(len(head) - 8)


def _hash(array: NDArray[Any]) -> str:
    return hashlib.sha256(array.reshape(-1).view(np.uint8).data).hexdigest()
