"""What every script needs around its work: its threads, its log, errors that people can read."""

import errno
import logging
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from threadpoolctl import threadpool_limits

from geomod.base.errors import Damaged, InputError
from geomod.base.files import set_aside

# What a disk may say to a writer, in the system's own words.
DISK = {
    errno.ENOSPC: "the disk is full. Make room",
    errno.EDQUOT: "no more may be written there (quota). Make room",
    errno.EFBIG: "files may not grow as large there (ulimit, or the disk). Allow it",
    errno.EROFS: "the disk cannot be written to. See why",
    errno.EIO: "the disk does not answer. See why",
    errno.EACCES: "the permissions forbid it. Change them",
    errno.EPERM: "the permissions forbid it. Change them",
}

NOTHING = 1 << 16  # bytes of a disk that is full: less than a log or a table may take
LAST_WORDS = re.compile(r"^\d\d:\d\d:\d\d Error: ", re.MULTILINE)


def import_first(folder: str) -> None:
    """Let every Python that this process starts import modules from `folder` before all others."""
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [folder, *(path for path in others if path not in ("", folder))]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)


@contextmanager
def job(log: str | Path, threads: int = 1) -> Iterator[None]:
    """Run a job's work: everything said goes to `log`, no more than `threads` threads are used.

    An `InputError` ends the process with its message and exit code 1, without a traceback. A file
    that is damaged is set aside, so that the next run makes it again.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    stream = open(log, "w", encoding="utf-8", buffering=1)  # noqa: SIM115 (lives as long as the job)
    for descriptor in (1, 2):  # also what C libraries and warnings say
        os.dup2(stream.fileno(), descriptor)
    form = "%(asctime)s %(checkpoint)s%(message)s"
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=form, datefmt="%H:%M:%S")
    for handler in logging.getLogger().handlers:
        handler.addFilter(_with_checkpoint)
    logging.captureWarnings(True)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    with threadpool_limits(limits=threads):
        try:
            yield
        except Damaged as error:
            logging.getLogger(__name__).error(
                "Error: %s. It is set aside as %s; the same command run again makes it anew.",
                error,
                set_aside(error.path),
            )
            sys.exit(1)
        except InputError as error:
            logging.getLogger(__name__).error("Error: %s", error)
            sys.exit(1)
        except Exception as error:
            if not (words := about_the_disk(error)):
                raise
            logging.getLogger(__name__).error("Error: %s", words)
            sys.exit(1)


def about_the_disk(error: BaseException) -> str:
    """What an error says of the disk, and nothing where it is about something else.

    Libraries that are not Python's own have the system's words in a text, without its number.
    """
    for number, words in DISK.items():
        if getattr(error, "errno", None) == number or os.strerror(number) in str(error):
            where = getattr(error, "filename", None)
            place = f"{where}: " if where else ""
            return f"{place}{words}; the same command run again goes on from here ({error})"
    return ""


@contextmanager
def last_words() -> Iterator[None]:
    """End with what an error says to people, which then is the last thing on the screen."""
    try:
        yield
    except Exception as error:
        words = str(error) if isinstance(error, InputError) else about_the_disk(error)
        if not words:
            raise
        sys.exit(f"\n{words}")


def at_checkpoint(model: str, step: int) -> None:
    """From here on, what is logged names the checkpoint that it is about; an error says its own."""
    global _checkpoint
    _checkpoint = f"{model} step {step}: "


_checkpoint = ""


def _with_checkpoint(record: logging.LogRecord) -> bool:
    record.checkpoint = _checkpoint if record.levelno < logging.ERROR else ""
    return True


def complaints(folder: str | Path, since: float) -> list[str]:
    """What jobs that failed after `since`, in seconds of the epoch, said to people in their logs.

    Several jobs often fail for one reason: each sentence comes once. On a disk that is full, logs
    are too.
    """
    if Path(folder).exists() and shutil.disk_usage(folder).free < NOTHING:
        return [f"{folder}: {DISK[errno.ENOSPC]}; the same command run again goes on from here"]
    logs = [log for log in sorted(Path(folder).rglob("*.log")) if log.stat().st_mtime >= since]
    texts = [log.read_text(encoding="utf-8", errors="replace") for log in logs]
    endings = [LAST_WORDS.split(text)[1:] for text in texts]
    return list(dict.fromkeys(ending[-1].strip() for ending in endings if ending))
