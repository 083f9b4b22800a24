"""Files appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary name to write to; rename it to `path` once the block ends without error.

    The temporary file lies in the same folder, so that the rename is atomic, and keeps the suffix,
    because writers such as nibabel choose a format by it.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{os.getpid()}.{final.name}")
    try:
        yield temporary
        os.replace(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


def step_of(path: str | Path) -> int:
    """The step of the checkpoint that a file belongs to: it lies in the folder `step{N}`."""
    return int(Path(path).parent.name.removeprefix("step"))
