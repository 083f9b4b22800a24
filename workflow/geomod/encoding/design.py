"""How rows of texts become rows of responses: a sentence answers for itself, a story by delays."""

import logging
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.encoding.groups import how_to_cut
from geomod.encoding.settings import Settings
from geomod.ridge.delays import Delays
from geomod.ridge.folds import outer_folds

log = logging.getLogger(__name__)


class Design:
    """What `geomod.ridge.encode` is told of one block of responses, and of which rows.

    `stimuli` are sentences, or the rows of stories (story, tr, …) where the settings have delays,
    and `rows` are those of them that were answered.
    """

    def __init__(self, settings: Settings, stimuli: pd.DataFrame, rows: NDArray[np.intp]) -> None:
        self.delays: Delays | None = None
        # Delays look back on rows that nobody answered, so that they are given all of them.
        self.rows: NDArray[np.intp] | slice = rows
        names = ("alphas", "standardize", "match_width", "seed")
        self.told: dict[str, Any] = {name: getattr(settings, name) for name in names}
        if settings.delays:
            stories = stimuli["story"].to_numpy(dtype=object)
            self.delays = Delays(stories, tuple(settings.delays), keep=rows)
            self.rows = slice(None)
            cut = _by_story(settings, self.delays)
        else:
            cut = how_to_cut(settings, stimuli, rows)
        self.told |= {"delays": self.delays, **cut}


def _by_story(settings: Settings, delays: Delays) -> dict[str, Any]:
    """Folds of whole stories, as many as there are at most; contiguous ones of less than three.

    Two stories leave one to choose the penalty on, whose own rows are then cut with gaps.
    """
    stories, inner = len(delays.kept_runs), settings.inner_folds
    if stories < 3:
        log.info("fewer than three stories: folds are contiguous, %d TRs apart", settings.gap)
        cut = {"scheme": "contiguous", "gap": settings.gap}
        return {**cut, "folds": settings.folds, "inner_folds": inner}
    folds = stories if settings.folds >= stories or stories == 3 else settings.folds
    if inner != "loo":
        how: dict[str, Any] = {"scheme": "grouped", "groups": delays.groups}
        splits = outer_folds(len(delays.kept), folds, settings.seed, **how)
        inner = min(inner, *(len(np.unique(delays.groups[train])) for train, _ in splits))
    return {"scheme": "grouped", "folds": folds, "inner_folds": inner}
