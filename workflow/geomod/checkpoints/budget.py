"""A bounded store for checkpoints, shared by every process of a sweep.

Each checkpoint has a folder in the store and, while a process uses it, a claim file beside it:
the number of bytes set aside, and a lock that the kernel drops when its holder dies. A claim whose
lock is free belongs to nobody. Its folder stays, so that the next run can resume the download, but
it is the first to go when somebody needs the room.
"""

import fcntl
import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from geomod.base.errors import InputError

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
GIGA = 1e9


class CheckpointError(InputError):
    """A checkpoint can't be had; the message says which, why, and what to do."""


class Abandoned(Exception):
    """Somebody who waits for a checkpoint no longer wants it."""


class Patience(threading.Event):
    """Waits that end at once when the event is set: the work is no longer wanted."""

    def pause(self, seconds: float) -> None:
        if self.wait(seconds):
            raise Abandoned


@contextmanager
def room(
    store: Path, name: str, size: int, limit: int, patience: Patience | None = None
) -> Iterator[Path]:
    """Wait until `size` bytes fit under `limit` with all other claims; give a folder to fill.

    The folder is nobody else's until the block ends, and may hold what an earlier, killed process
    left there. What still lies in it after the block gives way when room is short; see `evict`.
    """
    patience = patience or Patience()
    if size > limit:
        raise CheckpointError(
            f"needs {size / GIGA:.2f} GB of disk, the budget is {limit / GIGA:.2f} GB; "
            "raise features.max_disk_gb, best to twice that size, so that one checkpoint can be "
            "fetched while another is measured"
        )
    claims = _made(store / "claims")
    waiting = False
    while True:
        with _locked(store / "ledger.lock"):
            claim = _try_to_claim(store, name, size, limit)
        if claim is not None:
            break
        if not waiting:
            log.info("%s waits for %.2f GB of room in the budget", name, size / GIGA)
            waiting = True
        patience.pause(POLL_SECONDS)
    handle, taken = claim
    try:
        yield _made(store / "weights" / taken)
    finally:
        with _locked(store / "ledger.lock"):
            (claims / taken).unlink()
            handle.close()


@contextmanager
def turn(store: Path, places: int, patience: Patience | None = None) -> Iterator[None]:
    """Wait for one of `places` turns to download, shared by all processes of the store."""
    patience = patience or Patience()
    doors = [_made(store / "turns") / str(place) for place in range(places)]
    while (handle := next(filter(None, map(_lock, doors)), None)) is None:
        patience.pause(POLL_SECONDS)
    with handle:
        yield


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Let one process at a time into the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        yield


def evict(folder: Path) -> None:
    """Free a checkpoint's room now."""
    shutil.rmtree(folder, ignore_errors=True)


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder, 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _try_to_claim(store: Path, name: str, size: int, limit: int) -> tuple[IO[str], str] | None:
    """Claim `size` bytes under `name`, or under a variant of it where `name` is in use."""
    claimed = _living_claims(store / "claims")
    if sum(claimed.values()) + size > limit:
        return None
    taken = name
    while taken in claimed:
        taken += "+"
    weights = store / "weights"
    left_behind = sorted(
        (folder for folder in weights.glob("*") if folder.name not in {*claimed, taken}),
        key=lambda folder: folder.stat().st_mtime,
    )
    free = limit - size - sum(claimed.values()) - sum(map(size_of, left_behind))
    for folder in left_behind:
        if free >= 0:
            break
        free += size_of(folder)
        evict(folder)
    handle = _lock(store / "claims" / taken)
    if handle is None:  # nobody else can hold it: the ledger is ours
        raise RuntimeError(f"claim {taken} is locked, although no living process lists it")
    handle.write(str(size))
    handle.flush()
    return handle, taken


def _living_claims(claims: Path) -> dict[str, int]:
    """Bytes of every claim with a living holder; the others are removed."""
    living = {}
    for path in claims.iterdir():
        handle = _lock(path)
        if handle is None:
            living[path.name] = int(path.read_text(encoding="utf-8"))
        else:
            path.unlink()
            handle.close()
    return living


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _lock(path: Path) -> IO[str] | None:
    """Open and lock a file, or None where another handle has it locked."""
    handle = path.open("a", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    except OSError as error:
        handle.close()
        raise CheckpointError(
            f"files in {path.parent} can't be locked ({error.strerror}); put the checkpoints on "
            "another file system, such as a disk of the node"
        ) from error
    return handle


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
