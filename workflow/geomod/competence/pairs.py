"""Minimal pairs: two sentences of which a speaker of the language takes one for better.

From tables of one's own (`item_id, task, family, good, bad`), and from BLiMP's files as published.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from geomod.base.errors import InputError
from geomod.base.sheets import labels, read_sheet, require_columns
from geomod.competence.lines import read_lines, text_of
from geomod.competence.source import Source
from geomod.competence.task_set import ITEMS, Span, TaskSet, Text, check_once, draw, wide

log = logging.getLogger(__name__)

# BLiMP's names of our columns.
BLIMP = {"good": "sentence_good", "bad": "sentence_bad", "task": "UID", "item_id": "pairID"}


class Pair(NamedTuple):
    """Two sentences of an item of a task."""

    task: str
    item_id: str
    family: str
    good: str
    bad: str
    where: str


class Pairs(TaskSet):
    """Of each pair, whether ln p(good) is the higher; a tie counts half, both sums are kept.

    A pair of one sentence twice says nothing: it is left out, and counted. The uniform model, all
    of whose tokens are equally likely, prefers the sentence of fewer tokens.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        pairs = [pair for path in source.paths() for pair in _read(path, source)]
        check_once([(pair.task, pair.item_id) for pair in pairs], [pair.where for pair in pairs])
        self._identical = Counter(pair.task for pair in pairs if pair.good == pair.bad)
        for task, count in self._identical.items():
            log.warning("%s: %d pairs are one sentence twice; they are left out", task, count)
        pairs = [pair for pair in pairs if pair.good != pair.bad]
        if not pairs:
            raise InputError(
                f"competence.{source.name}: no pair of two different sentences is left"
            )
        self.pairs = [
            pairs[k] for k in draw([pair.task for pair in pairs], source.per_task, source.seed)
        ]

    @property
    def left_out(self) -> dict[str, int]:
        return dict(self._identical)

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(pair.task for pair in self.pairs))

    def texts(self) -> list[Text]:
        return [
            Text(text, (Span(pair.task, pair.item_id, part, 0, len(text)),), pair.where)
            for pair in self.pairs
            for part, text in (("good", pair.good), ("bad", pair.bad))
        ]

    def items(self, spans: pd.DataFrame) -> pd.DataFrame:
        table = pd.DataFrame(self.pairs)[["task", "item_id", "family"]]
        parts = wide(spans, [(pair.task, pair.item_id) for pair in self.pairs])
        values = {
            f"{name}_{part}": parts[name][part].to_numpy()
            for name in parts
            for part in ("good", "bad")
        }
        table = table.assign(
            **values,
            score=better(values["log_p_good"], values["log_p_bad"]),
            chance=0.5,
            uniform=better(-values["tokens_good"], -values["tokens_bad"]),
            alternative=np.nan,
        )
        return table[ITEMS]


def better(good: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """1 where `good` is higher, ½ where both are the same."""
    return (good > bad) + 0.5 * (good == bad)


def _read(path: Path, source: Source) -> Iterator[Pair]:
    if path.suffix.lower() in (".jsonl", ".json"):
        yield from _from_lines(path, source)
        return
    sheet = read_sheet(path, source.columns)
    require_columns(sheet.columns, path, ["item_id", "good", "bad"])
    names = ["item_id", "good", "bad", *({"task", "family"} & set(sheet.columns))]
    columns = {name: labels(sheet, path, name) for name in names}
    for row in sheet.index:
        values = {name: column[row] for name, column in columns.items()}
        yield _pair(values, f"{path}, row {row}", source)


def _from_lines(path: Path, source: Source) -> Iterator[Pair]:
    for where, line in read_lines(path):
        names = {name: source.columns.get(name, name) for name in ("task", "item_id", "family")}
        names |= {name: source.columns.get(name, name) for name in ("good", "bad")}
        if BLIMP["good"] in line:
            names |= BLIMP
        needed = {"item_id", "good", "bad"}
        found = {
            ours: text_of(line, theirs, where)
            for ours, theirs in names.items()
            if ours in needed or theirs in line
        }
        yield _pair(found, where, source)


def _pair(values: dict[str, str], where: str, source: Source) -> Pair:
    family = source.check_family(values.get("family") or source.family or "formal", where)
    task = values.get("task", source.name)
    return Pair(task, values["item_id"], family, values["good"], values["bad"], where)
