"""What every script needs around its work: its threads, its log, errors that people can read."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from threadpoolctl import threadpool_limits

from geomod.errors import Damaged, InputError


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
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
    )
    logging.captureWarnings(True)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    with threadpool_limits(limits=threads):
        try:
            yield
        except Damaged as error:
            _set_aside(error)
            sys.exit(1)
        except InputError as error:
            logging.getLogger(__name__).error("%s", error)
            sys.exit(1)


def _set_aside(error: Damaged) -> None:
    """Rename the damaged file: what is not there, Snakemake makes. Nothing is ever deleted."""
    aside = error.path.with_name(f"{error.path.name}.damaged")
    with suppress(FileNotFoundError):  # another job that read it was first
        os.replace(error.path, aside)
    logging.getLogger(__name__).error(
        "%s. It is set aside as %s; run the same command again, which makes it anew.", error, aside
    )
