"""The words of the stories and their times, from whatever they were aligned with.

One table may hold all stories (columns story, word, onset, offset; or the word table of Le Petit
Prince, whose stories are its sections), or every story has a file, with `{story}` in its name: a
Praat TextGrid, or what Gentle leaves (`align.json`, `align.csv`), or a table. Times are seconds
from the onset of the story.

A word without a time stays in the text, since the model should read it, and in no TR. What is no
word is left out. Both are counted; times that run backward are refused.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from geomod.base.errors import InputError
from geomod.base.files import read_json
from geomod.base.sheets import labels, listed, nearest, numbers, read_sheet, read_text
from geomod.stories.names import story_names, word_files
from geomod.stories.settings import Settings
from geomod.stories.textgrids import read_textgrid, word_tier

COLUMNS = ["story", "word", "onset", "offset"]

# Labels of silences and noises, not words, in lower case and without braces: those that the
# TextGrids of LeBel et al. 2023 are read without.
NO_WORDS = {"", "sentence_start", "sentence_end"} | {"br", "lg", "ls", "ns", "sp", "sl", "cg", "ig"}
# Rows (from 0, below the header) of the published word tables of Le Petit Prince that repeat a line
# or are not in the text that was read.
BROKEN = {
    "lppEN_word_information.csv": (3919, 6775, 6781),
    "lppFR_word_information.csv": (338, 1204, 3333),
}
# Words of these tables that are not the ones read (Bonnasse-Gahot and Pallier 2024): row, what
# stands there, what was read. Changed only where it does stand there.
MISTAKEN = {
    "lppFR_word_information.csv": (
        (3332, "du", "de"),
        (3379, "quatre", "trois"),
        (3405, "quatre", "trois"),
        (4587, "d", "l"),
        (5325, "le", "la"),
        (5326, "premier", "première"),
        (5328, "habité", "habitée"),
        (11257, "Â", "À"),
        (12249, "ll", "il"),
    ),
}


class Heard(NamedTuple):
    """What was told, and what was left out or is worth knowing."""

    words: pd.DataFrame  # story, word, onset, offset (s; both NaN where not known); maybe sentence
    notes: list[str]

    @property
    def stories(self) -> list[str]:
        """The names of the stories, in their order."""
        return list(dict.fromkeys(self.words["story"]))


def read_words(settings: Settings) -> Heard:
    """The words of all stories, in the order in which they were told, and notes.

    Columns: story, word, onset, offset, and `sentence` where a table has it.
    """
    if "{story}" in settings.words:
        names = story_names(settings)
        paths = [Path(path) for path in word_files(settings)]
        parts = [
            _of_file(path, settings).assign(story=name)
            for name, path in zip(names, paths, strict=True)
        ]
        table, source = pd.concat(parts), settings.words
    else:
        source = settings.words
        table = _chosen(_of_table(Path(source), settings), source, settings.stories)
    if table.empty:
        raise InputError(f"{source} has no words.")
    notes = list(dict.fromkeys(note for note in table.pop("note") if note))
    told = [_checked(story, source) for _, story in table.groupby("story", sort=False)]
    words = pd.concat([words for words, _ in told], ignore_index=True)
    notes += [note for _, more in told for note in more]
    if settings.lowercase:
        words["word"] = words["word"].str.lower()
    elif words["word"].str.isupper().all():
        notes.append("all words are in capitals; a model reads them better with `lowercase: true`")
    return Heard(words, notes)


def _chosen(table: pd.DataFrame, source: str, wanted: Sequence[str]) -> pd.DataFrame:
    there = list(dict.fromkeys(table["story"]))
    for name in wanted:
        if name not in there:
            raise InputError(
                f"{source} has no story {name!r}.{nearest(name, there)} It has {listed(there)}."
            )
    return table[table["story"].isin(wanted)] if wanted else table


# A reader gives the columns of COLUMNS (a file of one story those but `story`), NaN or "" where
# there is nothing, `note`, and `at`: where each word stands, for messages.


def _of_file(path: Path, settings: Settings) -> pd.DataFrame:
    suffix = path.suffix.lower()
    if suffix == ".textgrid":
        return _of_textgrid(path, settings)
    if suffix == ".json":
        return _of_gentle(path)
    if suffix in (".csv", ".tsv") and not _has_header(path, settings):
        return _of_gentle_csv(path)
    return _of_sheet(path, settings)


def _has_header(path: Path, settings: Settings) -> bool:
    first = next(csv.reader(io.StringIO(read_text(path))), [])
    return settings.columns.get("onset", "onset") in first or len(first) != 4


def _of_textgrid(path: Path, settings: Settings) -> pd.DataFrame:
    tier = word_tier(read_textgrid(path), path, settings.tier)
    rows = [
        (interval.label.strip(), interval.start, interval.stop, f"interval {number}")
        for number, interval in enumerate(tier.intervals, start=1)
        if interval.label.lower().strip("{} \t\r\n") not in NO_WORDS
    ]
    if not rows:
        raise InputError(f"{path}: the tier {tier.name!r} has no words.")
    return _frame(rows, path)


def _of_gentle(path: Path) -> pd.DataFrame:
    found = read_json(path).get("words")
    if not isinstance(found, list):
        raise InputError(f"{path} is no alignment by Gentle: it has no list `words`.")
    rows, unheard = [], 0
    for number, word in enumerate(found):
        case = word.get("case") if isinstance(word, dict) else None
        at = f"word {number} (from 0)"
        if case == "not-found-in-transcript":
            unheard += 1
        elif case == "not-found-in-audio":
            rows.append((str(word.get("word", "")), np.nan, np.nan, at))
        elif case == "success":
            try:
                times = float(word["start"]), float(word["end"])
            except (KeyError, TypeError, ValueError):
                raise InputError(f"{path}, {at}: it has no `start` and `end`.") from None
            rows.append((str(word.get("word", "")), *times, at))
        else:
            raise InputError(f"{path}, {at}: the case {case!r} is none of Gentle's.")
    note = f"{path}: {unheard} words were heard but are not in the transcript; left out"
    return _frame(rows, path, note if unheard else "")


def _of_gentle_csv(path: Path) -> pd.DataFrame:
    """Rows without a header: word, what was heard, start, end; empty where it was not found."""
    rows = []
    for number, row in enumerate(csv.reader(io.StringIO(read_text(path), newline="")), start=1):
        if not row:
            continue
        if len(row) != 4:
            raise InputError(
                f"{path}, row {number}: {len(row)} values; Gentle writes 4 (word, what was heard, "
                "start, end). A table of another kind needs a header with `word`, `onset`, "
                "`offset`."
            )
        times = []
        for text in row[2:]:
            try:
                times.append(float(text) if text.strip() else np.nan)
            except ValueError:
                raise InputError(f"{path}, row {number}: {text!r} is no time.") from None
        rows.append((row[0], *times, f"row {number}"))
    return _frame(rows, path)


def _frame(rows: list[tuple[Any, ...]], path: Path, note: str = "") -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["word", "onset", "offset", "at"])
    return table.assign(note=note, at=f"{path}, " + table["at"].astype(str))


def _of_sheet(path: Path, settings: Settings) -> pd.DataFrame:
    """A table with a header, of one story or of all."""
    sheet = read_sheet(path, settings.columns)
    for name in ("word", "onset", "offset"):
        if name not in sheet:
            raise InputError(
                f"{path} has no column {name!r}.{nearest(name, sheet.columns)} It has "
                f"{listed(sheet.columns)}. If yours has another name, say so in story.columns: "
                f"{{{name}: <your name>}}."
            )
    kept = [name for name in ("story", "section", "sentence") if name in sheet]
    return sheet[["word", *kept]].assign(
        onset=numbers(sheet, path, "onset"),
        offset=numbers(sheet, path, "offset"),
        note="",
        at=[f"{path}, row {row}" for row in sheet.index],
    )


def _of_table(path: Path, settings: Settings) -> pd.DataFrame:
    table = _of_sheet(path, settings)
    if "story" in table:
        return table.assign(story=labels(table, path, "story")).drop(
            columns="section", errors="ignore"
        )
    if "section" not in table:
        raise InputError(
            f"{path} has no column `story` (nor `section`), which says which story a word is of. "
            "Or give a file a story, with {story} in its name."
        )
    return _of_petit_prince(table, path)


def _of_petit_prince(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Sections are the stories; rows that are known to be broken, and repeated ones, go, and words
    that are known to be mistaken are set right."""
    sections = labels(table, path, "section").str.removesuffix(".0")
    table = table.drop(columns="section").assign(story=sections).reset_index(drop=True)
    for row, wrong, right in MISTAKEN.get(path.name, ()):
        if row < len(table) and table.loc[row, "word"].strip("'’ ") == wrong:
            table.loc[row, "word"] = table.loc[row, "word"].replace(wrong, right)
    broken = [row for row in BROKEN.get(path.name, ()) if row < len(table)]
    again = (
        table[["story", "onset", "offset"]] == table[["story", "onset", "offset"]].shift()
    ).all(axis=1)
    leave = again | table.index.isin(broken)
    if leave.any():
        rows = listed([at.rsplit(" ", 1)[1] for at in table["at"][leave]], 5)
        table["note"] = (
            f"{path.name}: {leave.sum()} rows repeat a word or are known to be wrong, and are left "
            f"out: {rows}"
        )
    return table[~leave]


def _checked(table: pd.DataFrame, source: str) -> tuple[pd.DataFrame, list[str]]:
    """One story: its words in order, and what is said of them."""
    story, notes = str(table["story"].iloc[0]), []
    words = table.assign(word=table["word"].str.strip()).reset_index(drop=True)
    empty = words["word"] == ""
    if empty.any():
        notes.append(f"story {story}: {empty.sum()} empty words are left out")
        words = words[~empty].reset_index(drop=True)
    if words.empty:
        raise InputError(f"{source}: story {story!r} has no words.")
    onset, offset, at = words["onset"].to_numpy(), words["offset"].to_numpy(), words["at"]
    _refuse(np.isnan(onset) != np.isnan(offset), words, "has one of its two times")
    _refuse(offset < onset, words, "ends before it begins")
    timed = np.flatnonzero(~np.isnan(onset))
    if not len(timed):
        raise InputError(f"{source}: no word of story {story!r} has a time.")
    if len(timed) < len(words):
        notes.append(
            f"story {story}: {len(words) - len(timed)} of {len(words)} words have no time; models "
            "read them, but they are in no TR"
        )
    back = np.zeros(len(words), dtype=bool)
    back[timed[1:]] = np.diff(onset[timed]) < 0
    _refuse(back, words, "begins before the word before it does; sort the words by time")
    early = offset[timed[:-1]] - onset[timed[1:]]
    if (early > 1e-6).any():
        notes.append(
            f"story {story}: {(early > 1e-6).sum()} words begin before the one before them ends, "
            f"by up to {early.max():.2g} s, first {at[timed[1:][np.argmax(early > 1e-6)]]}; their "
            "times are taken as they are"
        )
    columns = [*COLUMNS, *(["sentence"] if "sentence" in words else [])]
    return words[columns], notes


def _refuse(wrong: np.ndarray, words: pd.DataFrame, what: str) -> None:
    if wrong.any():
        word = words.iloc[int(np.argmax(wrong))]
        raise InputError(
            f"{word['at']}: the word {word['word']!r} of story {word['story']!r} {what} (from "
            f"{word['onset']:g} to {word['offset']:g} s)."
        )


def cut(words: pd.DataFrame, span_words: int) -> pd.DataFrame:
    """The units of the stories' geometry: sentences, or spans of `span_words` words.

    A row a unit, in the order of the words, with the columns of a table of sentences: item_id,
    sentence (its words, joined by one space), group (the story), n_words, n_characters, position.
    Where the words have a column `sentence`, a unit is a run of words of one sentence.
    """
    number = words.groupby("story", sort=False).cumcount() // span_words
    if "sentence" in words:
        known = words["sentence"].astype(str)
        number = (known != known.shift()).cumsum()
    story = words["story"]
    unit = ((story != story.shift()) | (number != number.shift())).cumsum()
    units = words.groupby(unit, sort=False)
    table = pd.DataFrame(
        {
            "sentence": units["word"].agg(" ".join),
            "group": units["story"].first(),
            "n_words": units.size(),
        }
    ).reset_index(drop=True)
    table["n_characters"] = table["sentence"].str.len()
    table["position"] = table.groupby("group", sort=False).cumcount()
    table.insert(0, "item_id", table["group"] + ":" + table["position"].astype(str))
    return table
