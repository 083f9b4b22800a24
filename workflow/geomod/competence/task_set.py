"""What a set of tasks wants read, and what it makes of the answer.

A task set gives texts, some *spans* of which are to be scored. The reading of a checkpoint
(`geomod.models.scored`) gives ln p of every span; from these, and without a model, come the items
and from the items the score of each task.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

import numpy as np
import pandas as pd

from geomod.base.errors import InputError
from geomod.competence.source import Source

ITEM = ["task", "item_id"]


class Span(NamedTuple):
    """Characters `start` … `stop` − 1 of a text, and whose they are: a part of an item of a task.

    A token belongs to the span in which its last character lies.
    """

    task: str
    item_id: str
    part: str
    start: int
    stop: int


@dataclass(frozen=True)
class Text:
    """A text to be read, its spans in order, and the place in a file that it comes from.

    With `words` the spans are words, and ln p is that of the word, not of its tokens: a token that
    carries the space before a word says that the word before it has ended.
    """

    text: str
    spans: tuple[Span, ...]
    where: str
    words: bool = False


class TaskSet(ABC):
    """A set of tasks, read from the files of its `source`."""

    def __init__(self, source: Source) -> None:
        self.source = source

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """Its tasks."""

    @abstractmethod
    def texts(self) -> list[Text]:
        """What is to be read."""

    @abstractmethod
    def items(self, spans: pd.DataFrame) -> pd.DataFrame:
        """A row an item from the `spans` of one checkpoint, with the columns of `ITEMS`."""

    @property
    def left_out(self) -> dict[str, int]:
        """Task → items of it that cannot be scored, such as pairs of one sentence twice."""
        return {}

    @property
    def ceiling(self) -> float:
        """The best score that is possible, where the source says nothing else."""
        return 1.0

    def tasks(self, items: pd.DataFrame) -> pd.DataFrame:
        """A row a task from the `items` of one checkpoint: means over items, SE by items."""
        groups = items.groupby("task", sort=False)
        found = pd.DataFrame(
            {
                "family": groups["family"].first(),
                "score": groups["score"].mean(),
                "chance": groups["chance"].mean(),
                "ceiling": self.ceiling if self.source.ceiling is None else self.source.ceiling,
                "se": groups["score"].std(ddof=1) / np.sqrt(groups["score"].count()),
                "n": groups["score"].count(),
                "uniform": groups["uniform"].mean(),
                "alternative": groups["alternative"].mean(),
            }
        ).reset_index()
        return found.assign(
            left_out=found["task"].map(self.left_out).fillna(0).astype(int), source="scored"
        )


# The columns of a row that `items` gives, beside the checkpoint's own: schemas/tables.yaml.
ITEMS = [
    *ITEM,
    "family",
    *("log_p_good", "log_p_bad", "tokens_good", "tokens_bad"),
    *("score", "chance", "uniform", "alternative"),
]


def draw(tasks: Sequence[str], per_task: int, seed: int) -> list[int]:
    """Places of the items to keep, in order, where `tasks` names the task of each.

    A task's draw depends on its name, its number of items and the seed alone, and a smaller
    `per_task` draws some of what a larger one draws. 0 keeps all.
    """
    if not per_task:
        return list(range(len(tasks)))
    kept: list[int] = []
    for task, places in pd.Series(range(len(tasks))).groupby(list(tasks), sort=False):
        rng = np.random.default_rng([seed, crc32(str(task).encode())])
        kept += rng.permutation(places.to_numpy())[:per_task].tolist()
    return sorted(kept)


def wide(spans: pd.DataFrame, order: Sequence[tuple[str, str]]) -> dict[str, pd.DataFrame]:
    """`log_p` and `tokens` of the spans, a row an item in the given `order`, a column a part.

    ln p that is not a number is an error: no comparison with it means anything.
    """
    broken = spans[~np.isfinite(spans["log_p"])]
    if len(broken):
        first = broken.iloc[0]
        raise InputError(
            f"{first['model']}, step {first['step']}: ln p of item {first['item_id']!r} of task "
            f"{first['task']!r} is {first['log_p']}, and of {len(broken)} of {len(spans)} texts it "
            "is not a number. Has this checkpoint diverged? Take the step out of the suite's "
            "`steps`"
        )
    index = pd.MultiIndex.from_tuples(order, names=ITEM)
    return {
        name: spans.pivot_table(name, ITEM, "part", sort=False).reindex(index)
        for name in ("log_p", "tokens")
    }


def check_once(items: Sequence[tuple[str, str]], where: Sequence[str]) -> None:
    """An error where an item of a task comes a second time, with both places."""
    first: dict[tuple[str, str], str] = {}
    for item, place in zip(items, where, strict=True):
        if item in first:
            raise InputError(
                f"{place}: item {item[1]!r} of task {item[0]!r} is in {first[item]} already."
            )
        first[item] = place
