"""Files appear whole or not at all."""

import glob
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from geomod.base.errors import InputError

ASIDE = ".damaged"


def set_aside(path: Path) -> Path:
    """Keep a file that is damaged under another name: what is not there can be made anew.

    It lies in both places until the next start takes it away (`to_make_anew`). Were it gone at
    once, Snakemake would stop at the next job that it has already chosen, and say that instead.
    """
    aside = path.with_name(path.name + ASIDE)
    with suppress(FileNotFoundError, FileExistsError):  # another job that read it was first
        if not (aside.exists() and aside.samefile(path)):
            aside.unlink(missing_ok=True)
            try:
                os.link(path, aside)
            except PermissionError:  # a file system that knows no second name
                os.replace(path, aside)
    return aside


def to_make_anew(root: str | Path, folders: Iterable[str], starts: bool = True) -> list[str]:
    """Files, as named in the run folder `root`, that were set aside and not yet made anew.

    Snakemake makes a missing file only where something that is to run needs it; as targets, these
    are made, and what follows from them. Those of checkpoints in none of the `folders` are left
    out, and maps, which are asked for by name. Where a run `starts`, what was set aside is taken
    away from where it lies; jobs that look meanwhile leave it to those who read it.
    """
    wanted, found = set(folders), []
    for aside in sorted(Path(root).rglob(f"*{ASIDE}")):
        path = aside.with_name(aside.name.removesuffix(ASIDE))
        inside = path.relative_to(root).as_posix()
        asked = "/step" not in inside or any(folder in inside for folder in wanted)
        if starts and path.exists() and path.samefile(aside):
            path.unlink()
        if asked and not inside.startswith("maps/") and not path.exists():
            found.append(inside)
    return found


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


def read_json(path: str | Path) -> dict[str, Any]:
    """The keys and values in a JSON file that somebody else wrote."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # not JSON, or not UTF-8
        raise InputError(f"{path} is no JSON ({error}). Is it complete?") from error
    if not isinstance(found, dict):
        raise InputError(
            f"{path} must hold keys and values in braces, not a {type(found).__name__}"
        )
    return found


STEP = re.compile(r"step(\d+)", re.ASCII)


def checkpoint_folder(path: str | Path) -> Path:
    """The folder `step{N}` of a checkpoint's file, which lies in it or in a dataset's within."""
    return next(folder for folder in Path(path).parents if STEP.fullmatch(folder.name))


def step_of(path: str | Path) -> int:
    """The step of the checkpoint that a file belongs to."""
    return int(checkpoint_folder(path).name.removeprefix("step"))


def sha256_of(path: Path) -> str:
    """The hash of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def names_on_disk(pattern: str, key: str) -> list[str]:
    """What stands in the place of `{key}` in the names of files and folders, in natural order."""
    parts = pattern.split(f"{{{key}}}")
    first, *rest = (re.escape(part) for part in parts)
    if not rest:
        return []
    name_of = re.compile(first + "([^/]+?)" + r"\1".join(rest))  # the same name in every place
    paths = glob.glob("*".join(glob.escape(part) for part in parts))
    names = [match[1] for path in paths if (match := name_of.fullmatch(path))]
    return sorted(
        names, key=lambda name: [int(c) if c.isdigit() else c for c in re.split(r"(\d+)", name)]
    )
