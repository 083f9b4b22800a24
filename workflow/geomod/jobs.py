"""What every script needs around its work: its threads, its log, errors that people can read."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from threadpoolctl import threadpool_limits

from geomod.errors import Damaged, InputError
from geomod.files import set_aside


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
            logging.getLogger(__name__).error(
                "%s. It is set aside as %s; run the same command again, which makes it anew.",
                error,
                set_aside(error.path),
            )
            sys.exit(1)
        except InputError as error:
            logging.getLogger(__name__).error("%s", error)
            sys.exit(1)
