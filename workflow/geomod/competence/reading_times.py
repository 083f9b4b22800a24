"""Reading times of words: how much better they are foretold where a model's surprisal is known.

From a table with a row a word, in the order of reading: `item_id, story, word, time` (ms, the mean
over people; empty where there is none), and where it is known `frequency` (any positive number, its
logarithm is taken) and `sentence` (what sentence of the story the word is of).
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.base.errors import InputError
from geomod.base.sheets import labels, numbers, read_sheet, require_columns
from geomod.competence.source import Source
from geomod.competence.task_set import ITEMS, Span, TaskSet, Text, check_once

Values = NDArray[np.float64]
FEWEST = 2  # stories: each is foretold from the others


class ReadingTimes(TaskSet):
    """Of each word, the gain in log-likelihood of its reading time by surprisal, nats.

    Two linear models with normal errors are fitted to the times of all other stories, and foretell
    those of this one. Both know length (characters) and log frequency (where it is given) of a word
    and of the word before it, the second also the surprisal of both. The score is the mean over
    words of ln p(time) under the second less that under the first, its SE that of the means of the
    stories. The alternative score is |r| of surprisal and time, without the first word of each
    sentence. The uniform model's surprisal of a word is its number of tokens.

    The first word of a story and words after one without a time or a surprisal foretell nothing.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        where = f"competence.{source.name}"
        self.family = source.check_family(source.family or "behaviour", where)
        self.words = pd.concat([_read(path, source) for path in source.paths()], ignore_index=True)
        items = [(source.name, item) for item in self.words["item_id"]]
        check_once(items, self.words["where"].tolist())
        if self.words["story"].nunique() < FEWEST:
            raise InputError(
                f"{where}: the words are of one story, and those of a story are foretold from the "
                "others; at least two are needed. Name them in the column `story`"
            )

    @property
    def names(self) -> list[str]:
        return [self.source.name]

    @property
    def ceiling(self) -> float:
        return np.nan  # nobody knows how well reading times can be foretold

    def texts(self) -> list[Text]:
        found = []
        for _, words in self.words.groupby("story", sort=False):
            stops = np.cumsum([len(word) for word in words["word"]]) + np.arange(len(words))
            starts = [0, *stops[:-1]]
            spans = tuple(
                Span(self.source.name, item, "word", int(start), int(stop))
                for item, start, stop in zip(words["item_id"], starts, stops, strict=True)
            )
            found.append(Text(" ".join(words["word"]), spans, words["where"].iloc[0], words=True))
        return found

    def items(self, spans: pd.DataFrame) -> pd.DataFrame:
        found = spans.set_index("item_id").reindex(self.words["item_id"])
        log_p, tokens = found["log_p"].to_numpy(), found["tokens"].to_numpy()
        seen = ((found["unpredicted"] == 0) & (found["tokens"] > 0)).to_numpy()
        table = self.words[["item_id"]].assign(
            task=self.source.name,
            family=self.family,
            log_p_good=np.where(seen, log_p, np.nan),
            log_p_bad=np.nan,
            tokens_good=tokens,
            tokens_bad=0,
            score=gains(self.words, np.where(seen, -log_p, np.nan)),
            chance=0.0,
            uniform=gains(self.words, np.where(seen, tokens, np.nan).astype(float)),
            alternative=np.nan,
        )
        broken = table["item_id"][seen & ~np.isfinite(log_p)]
        if len(broken):
            first = found.iloc[0]
            raise InputError(
                f"{first['model']}, step {first['step']}: ln p of word {broken.iloc[0]!r} of task "
                f"{self.source.name!r} is not a number. Has this checkpoint diverged? Take the "
                "step out of the suite's `steps`"
            )
        return table[ITEMS]

    def tasks(self, items: pd.DataFrame) -> pd.DataFrame:
        """The row of the task; stories, not words, are what differs by chance."""
        stories = items["score"].groupby(self.words["story"].to_numpy()).mean().dropna()
        inner = ~self.words["first"].to_numpy()
        known = items["log_p_good"][inner], self.words["time"][inner]
        return (
            super()
            .tasks(items)
            .assign(
                se=stories.std(ddof=1) / np.sqrt(len(stories)),
                alternative=abs(known[0].corr(known[1].set_axis(known[0].index))),
            )
        )


def gains(words: pd.DataFrame, surprisal: Values) -> Values:
    """ln p(time) of each word with surprisal less that without; NaN where it is not foretold.

    `words` has the columns story, word, time and frequency (NaN for all where there is none).
    """
    own = pd.DataFrame({"surprisal": surprisal, "length": words["word"].str.len().astype(float)})
    if words["frequency"].notna().any():
        own["frequency"] = np.log(words["frequency"])
    before = own.groupby(words["story"].to_numpy()).shift(1).add_suffix(" before")
    known = own.join(before)
    usable = known.notna().all(axis=1).to_numpy() & words["time"].notna().to_numpy()
    story, time = words["story"].to_numpy(), words["time"].to_numpy(dtype=float)
    full = known.to_numpy(dtype=float)
    base = known[[name for name in known if not name.startswith("surprisal")]].to_numpy(dtype=float)
    found = np.full(len(words), np.nan)
    for name in pd.unique(story):
        test = usable & (story == name)
        train = usable & (story != name)
        if test.any():
            found[test] = _foretold(full, time, train, test) - _foretold(base, time, train, test)
    return found


def _foretold(known: Values, time: Values, train: NDArray, test: NDArray) -> Values:
    """ln p(time) of the `test` words under the normal linear model of the `train` words."""
    mean, sd = known[train].mean(axis=0), known[train].std(axis=0)
    design = np.column_stack([np.ones(len(known)), (known - mean) / np.where(sd > 0, sd, 1)])
    if train.sum() <= design.shape[1] + 1:
        raise InputError(
            f"{train.sum()} words of other stories have a reading time and a surprisal, which is "
            f"too few to fit {design.shape[1]} coefficients to"
        )
    weights, *_ = np.linalg.lstsq(design[train], time[train], rcond=None)
    errors = time - design @ weights
    variance = np.mean(errors[train] ** 2)
    return -0.5 * (np.log(2 * np.pi * variance) + errors[test] ** 2 / variance)


def _read(path: Path, source: Source) -> pd.DataFrame:
    sheet = read_sheet(path, source.columns)
    require_columns(sheet.columns, path, ["item_id", "story", "word", "time"])
    words = pd.DataFrame({name: labels(sheet, path, name) for name in ("item_id", "story", "word")})
    for name in ("time", "frequency"):
        words[name] = numbers(sheet, path, name) if name in sheet.columns else np.nan
        wrong = words.index[words[name] <= 0]
        if len(wrong):
            raise InputError(
                f"{path}, row {wrong[0]}: {name} is {sheet[name][wrong[0]]}, not above 0."
            )
    spaced = words.index[words["word"].str.contains(r"\s")]
    if len(spaced):
        raise InputError(
            f"{path}, row {spaced[0]}: {words['word'][spaced[0]]!r} is more than one word; each "
            "has a row of its own."
        )
    if words["frequency"].notna().any() and words["frequency"].isna().any():
        row = words.index[words["frequency"].isna()][0]
        raise InputError(f"{path}, row {row}: frequency is empty, though other words have one.")
    turns = words["story"] != words["story"].shift()
    again = words.index[turns & words["story"].duplicated()]
    if len(again):
        raise InputError(
            f"{path}, row {again[0]}: story {words['story'][again[0]]!r} goes on here, after "
            "another; sort the table, so that the words of a story stand together and in order."
        )
    if "sentence" in sheet.columns:
        turns |= labels(sheet, path, "sentence") != labels(sheet, path, "sentence").shift()
    return words.assign(first=turns, where=[f"{path}, row {row}" for row in words.index])
