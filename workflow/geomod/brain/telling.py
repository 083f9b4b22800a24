"""A dataset of stories before anybody answers: its words, its units, and the rows of its scans."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.brain.dataset import Dataset
from geomod.brain.inputs import every_story
from geomod.brain.story_runs import Told, find_runs
from geomod.stories.downsampling import word_rate, word_times
from geomod.stories.lags import check_lags
from geomod.stories.timing import words_in_scan
from geomod.stories.words import cut, read_words


class Telling(NamedTuple):
    """What was told in which second, and what was left out or is worth knowing."""

    words: pd.DataFrame  # story, position, word, onset, offset: of stories that somebody heard
    stimuli: pd.DataFrame  # the units of their geometry, as a table of sentences
    rows: pd.DataFrame  # item_id, story, tr, time, word_rate: those of the features
    told: Told
    notes: list[str]


def read_telling(dataset: Dataset) -> Telling:
    """Words and rows of every story that has both, from headers alone: no response is read."""
    settings = dataset.told
    heard = read_words(settings)
    told = find_runs(dataset, heard.stories, every_story(dataset))
    notes = [*heard.notes, *words_in_scan(heard.words, told.rows, settings.tr)]
    words = heard.words[heard.words["story"].isin(told.timings)].reset_index(drop=True)
    rows = told.rows.drop(columns="kept").assign(word_rate=0.0)
    for story, rates in word_rates(words, told, settings.tr).items():
        rows.loc[rows["story"] == story, "word_rate"] = rates
    stimuli = cut(words, settings.span_words)
    words = words.assign(position=words.groupby("story", sort=False).cumcount())
    return Telling(words.drop(columns="sentence", errors="ignore"), stimuli, rows, told, notes)


def word_rates(words: pd.DataFrame, told: Told, tr: float) -> dict[str, NDArray[np.float64]]:
    """Words a TR of every row of every story, low-passed as the features are."""
    found = {}
    for story, timing in told.timings.items():
        own = words[words["story"] == story]
        at = word_times(own["onset"].to_numpy(), own["offset"].to_numpy())
        found[story] = word_rate(timing.times, at, tr)
    return found


def check_telling(
    dataset: Dataset, rows: pd.DataFrame, responses: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """The lag check: curves, verdicts, and what of them has to be said.

    Warned is of the participants' average alone, region by region; the tables have everybody.
    """
    rates = {
        str(story): own.to_numpy() for story, own in rows.groupby("story", sort=False)["word_rate"]
    }
    curves, verdicts = check_lags(rates, responses, rows, dataset.told.tr)
    of_all = verdicts[verdicts["participant"] == "average"]
    wrong = of_all[of_all["verdict"].isin(["early", "late"])]
    notes = [f"lag check: {sentence}" for sentence in wrong["sentence"]]
    if len(of_all) and (of_all["verdict"] == "silent").all():
        notes.append(
            "lag check: no region follows the word rate at any lag, so that nothing says whether "
            "words and responses are aligned"
        )
    return curves, verdicts, notes
