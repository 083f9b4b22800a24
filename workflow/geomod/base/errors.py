"""The exceptions that a person is meant to read."""

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
