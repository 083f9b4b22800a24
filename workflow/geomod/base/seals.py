"""Seals: what a file of the workflow says of itself, so that its reader can tell damage.

A seal is a short text somewhere in the file: a SHA-256 of all its bytes (taken with zeros in place
of the digest), and the place that the file was written for: its last names, from that of the run
on, such as `demo/toy-xs/step16/pereira2018/tokens.parquet`. Whoever reads the file checks both: a
bit that flipped, an end that is missing, another step's file in its place. A whole folder may be
moved; a table that was taken out of it is read with pandas.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from geomod.base.errors import Damaged, InputError
from geomod.base.files import STEP, whole

SEAL = re.compile(rb"geomod-seal:([0-9a-f]{64}):([\w.~/%-]+)", re.ASCII)
KEY = "seal"


def open_seal(path: str | Path) -> str:
    """The seal of a file that is to lie at `path`, before its digest is known."""
    return f"geomod-seal:{'0' * 64}:{quote('/'.join(_place(path)))}"


def _place(path: str | Path) -> list[str]:
    names = Path(path).as_posix().strip("/").split("/")
    is_of_dataset = len(names) > 3 and (STEP.fullmatch(names[-3]) or names[-4] == "data")
    return names[-5:] if is_of_dataset else names[-4:]


def sealed(data: bytes) -> bytes:
    """`data` with the digest in every open seal in it."""
    digest = hashlib.sha256(data).hexdigest().encode()
    return SEAL.sub(rb"geomod-seal:" + digest + rb":\2", data)


def check(data: bytes, path: str | Path) -> bytes:
    """Give back the `data` that were read from `path`, if they are what was written there."""
    if not data:
        raise Damaged(path, "is empty")
    seals = set(SEAL.findall(data))
    if not seals:
        raise Damaged(path, "is damaged or not whole: it has no seal of geomod")
    _, place = seals.pop()
    if sealed(SEAL.sub(rb"geomod-seal:" + b"0" * 64 + rb":\2", data)) != data:
        raise Damaged(path, "is damaged: it is not what was written")
    names = unquote(place.decode()).split("/")
    if any(a != b for a, b in zip(reversed(names), reversed(_place(path)), strict=False)):
        raise Damaged(path, f"is another file: it was written as {'/'.join(names)}")
    return data


def read_sealed(path: str | Path) -> bytes:
    """All bytes of a sealed file, checked."""
    return check(_bytes(path), path)


def _bytes(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; the next run makes it") from None


def write_json(value: Any, path: str | Path) -> None:
    """Write an object, or a list of objects or of texts, as JSON.

    An object holds the seal under the key `seal`, in a list each object does; a list of texts has
    it for its last.
    """
    seal = open_seal(path)
    if isinstance(value, dict):
        value = {**value, KEY: seal}
    elif value and isinstance(value[0], dict):
        value = [{**entry, KEY: seal} for entry in value]
    else:
        value = [*value, seal]
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    with whole(path) as temporary:
        temporary.write_bytes(sealed(text.encode()))


def read_json(path: str | Path) -> Any:
    """Read what `write_json` wrote, without its seals."""
    value = json.loads(read_sealed(path))
    if isinstance(value, dict):
        return {key: inner for key, inner in value.items() if key != KEY}
    if isinstance(value[0], dict):
        return [{key: v for key, v in entry.items() if key != KEY} for entry in value]
    return value[:-1]


def seal_svg(drawing: Path, path: str | Path) -> None:
    """Seal the SVG file `drawing`, which is to lie at `path`, by a last line that no one sees."""
    seal = f"<?{open_seal(path)}?>\n"
    drawing.write_bytes(sealed(drawing.read_bytes() + seal.encode()))


def read_svg(path: str | Path) -> str:
    """The text of a sealed SVG file, without its last line."""
    return read_sealed(path).decode().rpartition("<?")[0]
