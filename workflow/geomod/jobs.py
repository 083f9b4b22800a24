"""What every script needs around its work: its threads, its log, errors that people can read."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from threadpoolctl import threadpool_limits

from geomod.errors import InputError


def import_first(folder: str) -> None:
    """Let every Python that this process starts import modules from `folder` before all others."""
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [folder, *(path for path in others if path not in ("", folder))]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)


@contextmanager
def job(log: str | Path, threads: int = 1) -> Iterator[None]:
    """Run a job's work: everything said goes to `log`, no more than `threads` threads are used.

    An `InputError` ends the process with its message and exit code 1, without a traceback.
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
        except InputError as error:
            logging.getLogger(__name__).error("%s", error)
            sys.exit(1)
