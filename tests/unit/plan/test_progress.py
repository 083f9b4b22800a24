"""A run says what is left of it, not too often."""

import logging

from geomod.plan.progress import Progress, pace


def test_what_is_left_takes_as_long_as_what_was_done() -> None:
    assert pace(30, 90, 300.0) == "30 of 90 jobs done, 60 left: about 10 min more at this pace"


def test_it_is_said_once_a_minute_and_not_at_the_end() -> None:
    said: list[str] = []
    times = iter([0.0, 1.0, 59.0, 60.0, 90.0, 125.0, 300.0, 301.0])
    logger = logging.Logger("scheduler")
    logger.addHandler(Progress(said.append, lambda: next(times)))
    for done in (1, 2, 3, 4, 5, 10):
        logger.info(None, extra={"done": done, "total": 10})
    logger.info("something else")
    assert [line.split()[0] for line in said] == ["3", "5"]
