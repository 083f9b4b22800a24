"""What a start that was killed has left in a cluster's queue.

Slurm knows nothing of the Snakemake that a job came from: it goes on with jobs of one that is gone.
The next start would send the same jobs again, and both would write, and first remove, the same
files. All jobs of a start have one name, which is kept in the run's folder until the next.
"""

import shutil
import subprocess
import time
from pathlib import Path

from geomod.base.errors import InputError
from geomod.base.files import whole

NOTE = ".queue"
PATIENCE = 90.0  # seconds; Slurm gives jobs half a minute to end, where it is not told otherwise


def take_over(root: str | Path, name: str, patience: float = PATIENCE) -> None:
    """Take the jobs of the start before out of the queue; those of this one are called `name`,
    or nothing where it has no queue."""
    note = Path(root) / NOTE
    former = note.read_text("utf-8").strip() if note.is_file() else ""
    if former and shutil.which("scancel"):  # not where the folder was carried to another machine
        _cancel(former, patience)
    note.unlink(missing_ok=True)
    if name:
        with whole(note) as temporary:
            temporary.write_text(f"{name}\n", encoding="utf-8")


def _cancel(name: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    while _ask("squeue", "--noheader", "--format=%i", "--name", name):
        if time.monotonic() > deadline:
            raise InputError(
                f"jobs of an earlier start, which was killed, are still in the queue, and `scancel "
                f"--name {name}` does not end them. Start again once `squeue --name {name}` shows "
                "none"
            )
        _ask("scancel", "--name", name)
        time.sleep(0.5)


def _ask(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = done.stderr.strip() or "no reason given"
        raise InputError(
            f"Slurm does not answer ({words}), and jobs of an earlier start may be in its queue. "
            "Start again once `squeue` works here"
        )
    return done.stdout.strip()
