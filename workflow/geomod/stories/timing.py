"""The one place that turns rows of a scan into seconds of its story."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.base.errors import InputError
from geomod.stories.settings import Settings

Floats = NDArray[np.float64]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Timing:
    """When the rows of a story's scan were measured.

    The scan has `count` rows, one every `tr` seconds. The story begins `start` seconds after the
    first of them does, and the values of a row are those of `within` seconds after the row begins
    (the middle, tr / 2, unless a sidecar's `StartTime` says otherwise). Row i is therefore at

        i · tr + within − start   seconds of the story.

    `trim` rows at the beginning and at the end are fitted to nothing. The story goes on in them all
    the same: its words there are in the features of the rows around.
    """

    tr: float
    count: int
    start: float = 0.0
    within: float | None = None
    trim: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if not self.tr > 0 or not np.isfinite(self.tr):
            raise InputError(f"a TR of {self.tr} s; it must be above 0")
        if min(self.trim) < 0 or sum(self.trim) >= self.count:
            raise InputError(
                f"a trim of {list(self.trim)} rows leaves nothing of a story of {self.count} rows"
            )

    @property
    def times(self) -> Floats:
        """Seconds of the story, of every row."""
        within = self.tr / 2 if self.within is None else self.within
        return np.arange(self.count, dtype=np.float64) * self.tr + (within - self.start)

    @property
    def kept(self) -> slice:
        """The rows that are left when the trims are off."""
        return slice(self.trim[0], self.count - self.trim[1])


def timing_of(
    settings: Settings,
    story: str,
    count: int,
    *,
    start: float | None = None,
    within: float | None = None,
) -> Timing:
    """The timing of one story of `count` rows, by the settings; `start` where events tell it."""
    given = settings.start
    if isinstance(given, Mapping):
        given = _of_story(given, story, "start")
    own = given if start is None else start
    try:
        return Timing(settings.tr, count, own, within, trim_of(settings, story))
    except InputError as error:
        raise InputError(f"story {story!r}: {error}") from None


def trim_of(settings: Settings, story: str) -> tuple[int, int]:
    """How many rows of one story go at its beginning and at its end."""
    trim = settings.trim
    if isinstance(trim, Mapping):
        trim = _of_story(trim, story, "trim")
    first, last = trim
    return first, last


def _of_story(values: Mapping[str, Value], story: str, key: str) -> Value:
    if story not in values:
        raise InputError(f"story.{key} names no value for the story {story!r}")
    return values[story]


def row_name(story: str, tr: int) -> str:
    """What a row is called where rows of all kinds have a name: `souls@17`."""
    return f"{story}@{tr}"


def rows_of(timings: Mapping[str, Timing]) -> pd.DataFrame:
    """All rows of all stories, one after another: item_id, story, tr (from 0), time (s), kept."""
    parts = []
    for story, timing in timings.items():
        kept = np.zeros(timing.count, dtype=bool)
        kept[timing.kept] = True
        trs = range(timing.count)
        names = [row_name(story, tr) for tr in trs]
        columns = {"story": story, "tr": trs, "time": timing.times, "kept": kept}
        parts.append(pd.DataFrame({"item_id": names, **columns}))
    return pd.concat(parts, ignore_index=True)


def words_in_scan(words: pd.DataFrame, rows: pd.DataFrame, tr: float) -> list[str]:
    """What is said of words that were told while nothing was measured; an error if all were.

    Stories must be the same in both: one without words has no features, one without rows no
    responses.
    """
    told, measured = (list(dict.fromkeys(table["story"])) for table in (words, rows))
    lacking = [story for story in measured if story not in told]
    if lacking:
        raise InputError(f"story {lacking[0]!r} has responses but no words")
    notes = [
        f"story {story}: it has words but no responses, and is left out"
        for story in told
        if story not in measured
    ]
    for story in measured:
        times = rows.loc[rows["story"] == story, "time"].to_numpy()
        own = words[words["story"] == story]
        middle = ((own["onset"] + own["offset"]) / 2).dropna().to_numpy()
        first, last = times[0] - tr / 2, times[-1] + tr / 2
        outside = (middle < first) | (middle > last)
        if outside.all():
            raise InputError(
                f"story {story!r}: its words lie from {middle.min():.1f} to {middle.max():.1f} s, "
                f"but it was measured from {first:.1f} to {last:.1f} s. Are `start` and `tr` right?"
            )
        if outside.any():
            notes.append(
                f"story {story}: {outside.sum()} of {len(own)} words lie outside of the scan "
                f"({first:.1f} to {last:.1f} s of the story); models read them all the same"
            )
    return notes
