"""The exceptions that a person is meant to read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InputError(ValueError):
    """Something the user gave is wrong.

    The message says what was wrong, in which file and row, and what would be right. Scripts show
    it without a traceback and exit with code 1.
    """


class Damaged(InputError):
    """A file that the workflow wrote is no longer what it wrote.

    Never raised of a file that the user gave: `geomod.base.jobs` sets the file at `path` aside, so
    that the next run makes it again.
    """

    def __init__(self, path: str | Path, why: str) -> None:
        super().__init__(f"{path} {why}")
        self.path = Path(path)


@contextmanager
def called(key: str) -> Iterator[None]:
    """Let what is said of the section `dataset` call it what the config at hand does, such as
    `datasets.pereira2018`."""
    try:
        yield
    except Damaged:
        raise
    except InputError as error:
        raise InputError(str(error).replace("`dataset.", f"`{key}.")) from error
