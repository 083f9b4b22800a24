"""How far a run is, and about how long it goes on."""

import logging
import time
from collections.abc import Callable

from geomod.report.words import duration

FIRST, EVERY = 60.0, 60.0  # s: before that the pace is not known, and more often nobody wants it


class Progress(logging.Handler):
    """Listens to the log of a scheduler, whose records of a job that ends have `done` and `total`.

    Says now and then how many jobs are left and, if they take as long as those before, until when.
    """

    def __init__(
        self,
        say: Callable[[str], object] = print,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.say, self.clock = say, clock
        self.start = clock()
        self.said = self.start + FIRST - EVERY

    def emit(self, record: logging.LogRecord) -> None:
        done, total = getattr(record, "done", 0), getattr(record, "total", 0)
        now = self.clock()
        if 0 < done < total and now >= self.said + EVERY:
            self.said = now
            self.say(pace(done, total, now - self.start))


def pace(done: int, total: int, seconds: float) -> str:
    """What is left, where `done` of `total` jobs have taken so many seconds."""
    left = total - done
    about = duration(seconds / done * left)
    return f"{done} of {total} jobs done, {left} left: about {about} more at this pace"
