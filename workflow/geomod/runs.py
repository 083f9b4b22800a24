"""A run's own folder: whose it is, how its jobs were dealt, and who is working in it now."""

import fcntl
import json
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from geomod.errors import InputError
from geomod.files import whole

Record = dict[str, Any]


def read_record(root: str | Path) -> Record:
    """What an earlier start wrote into `root`, empty where there was none."""
    path = Path(root) / "run.json"
    if not path.is_file():
        return {}
    record: Record = json.loads(path.read_text(encoding="utf-8"))
    return record


def write_record(root: str | Path, config_files: Sequence[str], blocks: dict[str, Any]) -> None:
    """Remember which config files own the run, and which steps share a job."""
    record = {
        "config_files": list(config_files),
        "places": _places(config_files),
        "blocks": blocks,
    }
    with whole(Path(root) / "run.json") as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


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


def _places(config_files: Sequence[str]) -> list[str]:
    return [str(Path(path).resolve()) for path in config_files]


def hold(root: str | Path) -> IO[str]:
    """Lock `root` for this process. The lock goes with the process, however that ends.

    Snakemake's own lock stays behind when the process is killed, and asks for `--unlock`.
    """
    path = Path(root) / ".lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("w", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise InputError(f"another snakemake works in {root} now; wait for it to end") from None
    return handle
