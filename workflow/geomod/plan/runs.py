"""A run's own folder: whose it is, how its jobs were dealt, and who is working in it now."""

import fcntl
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from geomod.base.errors import InputError
from geomod.base.files import whole

Record = dict[str, Any]
TEMPORARY = re.compile(r"\.(\d+)\..")  # as `files.whole` and `training.whole_folder` name them
MARK = "GEOMOD_RUN"  # in the environment of every process that a start has begun
_held: dict[Path, IO[str]] = {}
_watched: set[Path] = set()


def read_record(root: str | Path) -> Record:
    """What an earlier start wrote into `root`, empty where there was none."""
    path = Path(root) / "run.json"
    if not path.is_file():
        return {}
    try:
        record: Record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"{path} is damaged ({error}). Delete it: steps are dealt to jobs anew, and what then "
            "is in another job than before is made again"
        ) from error
    return record


def write_record(root: str | Path, config_files: Sequence[str], **plans: Mapping[str, Any]) -> None:
    """Remember which config files own the run, and which steps share a job."""
    record = {"config_files": list(config_files), "places": _places(config_files), **plans}
    with whole(Path(root) / "run.json") as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def check_place(folder: str | Path) -> None:
    """Refuse to work from a folder in whose path Snakemake would see wildcards."""
    if set(str(folder)) & set("{}"):
        raise InputError(
            f"{folder}: the path of the workflow has braces in it, which Snakemake takes for "
            "wildcards. Move it to a folder without."
        )


def check_owner(record: Record, run: str, config_files: Sequence[str]) -> None:
    """Refuse a run whose name another config has taken: their results would mix in one folder.

    A config is the same by its relative path or by its place on the disk: the first holds where
    both move together, the second where the folder moves and a config outside of it does not.
    """
    owner = record.get("config_files", list(config_files))
    if owner != list(config_files) and record.get("places") != _places(config_files):
        raise InputError(
            f"`run` is {run!r}, and results/{run} was made from {', '.join(owner)}, not from "
            f"{', '.join(config_files)}. Give this config another `run`, or delete results/{run}."
        )


def check_layout(root: str | Path) -> None:
    """Refuse results of the time when a run had one dataset, and that no folder of its own."""
    for former in ("stimuli.parquet", "brain"):
        if (Path(root) / former).exists():
            raise InputError(
                f"{root} was made by a former version, before datasets had folders of their own "
                f"({former} lies in it), and this one cannot go on with it. Give this config "
                f"another `run`, or delete {root}."
            )


def hold(root: str | Path) -> IO[str]:
    """Lock `root` for this process. The lock goes with the process, however that ends.

    Snakemake's own lock stays behind when the process is killed, and asks for `--unlock`.
    """
    path = Path(root).resolve() / ".lock"
    if path in _held:
        return _held[path]
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("w", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise InputError(f"another snakemake works in {root} now; wait for it to end") from None
    _held[path] = handle
    return handle


def end_orphans(root: str | Path) -> None:
    """End the jobs of a start that was killed, and mark those of this one, which holds the lock.

    They would go on, and write beside the same jobs of this start. Found where the system shows the
    environment of its processes (`/proc`); elsewhere they are left to end by themselves.
    """
    root = str(Path(root).resolve())
    deadline = time.monotonic() + 10  # one that waits for a disk ends when that answers
    while (left := _marked(root)) and time.monotonic() < deadline:
        for process in left:
            with suppress(OSError):  # it has ended, or is somebody else's
                os.kill(process, signal.SIGKILL)
        time.sleep(0.05)
    os.environ[MARK] = os.pathsep.join(filter(None, (os.environ.get(MARK), root)))


def _marked(root: str) -> list[int]:
    """Processes, other than this one and those it was started by, that have the mark of a run."""
    found, process = [], os.getpid()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            environment = os.fsdecode((folder / "environ").read_bytes()).split("\0")
            marks = [line for line in environment if line.startswith(f"{MARK}=")]
            if marks and root in marks[0].partition("=")[2].split(os.pathsep):
                found.append(int(folder.name))
    older = [process]
    while process := _parent(process):
        older.append(process)
    return [process for process in found if process not in older]


def _parent(process: int) -> int:
    with suppress(OSError):
        text = Path(f"/proc/{process}/stat").read_text("utf-8", "replace")
        return int(text.rpartition(")")[2].split()[1])
    return 0


def sweep(root: str | Path) -> None:
    """Remove what writers left half done in `root` when they were killed; those alive go on."""
    for path in list(Path(root).rglob(".*")):
        writer = TEMPORARY.match(path.name)
        if writer and not _is_alive(int(writer[1])):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def first_time(root: str | Path) -> bool:
    """Whether nobody in this process has asked for `root` yet.

    `use rule … with:` reads a whole module once more, and its handlers with it.
    """
    known = Path(root).resolve() in _watched
    _watched.add(Path(root).resolve())
    return not known


def one_after_another(
    first: Callable[[], object], second: Callable[[Any], object]
) -> Callable[[Any], None]:
    """One handler for Snakemake from two."""

    def both(log: Any) -> None:
        first()
        second(log)

    return both


def _places(config_files: Sequence[str]) -> list[str]:
    return [os.path.abspath(path) for path in config_files]


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is somebody else's
        return True
    except OverflowError:  # no process has such a number
        return False
    return True
