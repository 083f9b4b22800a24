"""Files that hold one JSON object a line, as tests of language models are published."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from geomod.base.errors import InputError
from geomod.base.sheets import listed, nearest, read_text


def read_lines(path: str | Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the file, with the words that name its line; empty lines are passed over."""
    path = Path(path)
    lines = read_text(path).splitlines()
    if not any(line.strip() for line in lines):
        raise InputError(f"{path} is empty. It should hold one JSON object a line.")
    for number, line in enumerate(lines, start=1):
        where = f"{path}, line {number}"
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError as error:
            raise InputError(f"{where}: this is no JSON ({error}). Is the line whole?") from error
        if not isinstance(found, dict):
            raise InputError(f"{where}: expected keys and values in braces, not {line[:40]!r}")
        yield where, found


def text_of(row: Mapping[str, Any], key: str, where: str) -> str:
    """The text under `key`, outer spaces taken off; it may not be empty."""
    if key not in row:
        raise InputError(f"{where}: no key {key!r}.{nearest(key, row)} It has {listed(row)}.")
    value = row[key]
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise InputError(f"{where}: {key} is {value!r}, not text.")
    text = str(value).strip()
    if not text:
        raise InputError(f"{where}: {key} is empty.")
    return text
