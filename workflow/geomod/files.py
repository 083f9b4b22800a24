"""Files appear whole or not at all."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary name to write to; rename it to `path` once the block ends without error.

    The temporary file lies in the same folder, so that the rename is atomic, and keeps the suffix,
    because writers such as nibabel choose a format by it. The permissions are those of any new file
    there (umask, and the folder's own rules), whatever the writer takes: safetensors says 0600, and
    colleagues could not read a shared folder.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{os.getpid()}.{final.name}")
    try:
        temporary.touch()
        permissions = stat.S_IMODE(temporary.stat().st_mode)
        yield temporary
        temporary.chmod(permissions)
        os.replace(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)
