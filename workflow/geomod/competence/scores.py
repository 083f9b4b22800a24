"""The one table of what checkpoints know, from whatever source, and what in it says nothing."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from geomod.base.errors import InputError
from geomod.competence.task_set import TaskSet

KEY = ["model", "step", "task"]
LEAST = 0.1  # of the range from chance to ceiling: less than this is no gain
# All answers are of one class, so the score sits at the share of one answer or of the other.
ONE_CLASS = ("wsc",)


def score(items: pd.DataFrame, task_sets: Iterable[TaskSet]) -> pd.DataFrame:
    """A row a task from all `items` of one checkpoint."""
    found = [
        task_set.tasks(items[items["task"].isin(task_set.names)].reset_index(drop=True))
        for task_set in task_sets
    ]
    first = items.iloc[0]
    return pd.concat(found, ignore_index=True).assign(model=first["model"], step=first["step"])


def gather(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """All rows of `tables`, with the column `floor`; a task that two of them have is an error."""
    table = pd.concat(tables, ignore_index=True)
    twice = table[table.duplicated(KEY)]
    if len(twice):
        first = twice.iloc[0]
        same = table[table[KEY].eq(first[KEY]).all(axis=1)]
        raise InputError(
            f"task {first['task']!r} of {first['model']}, step {first['step']}, has two scores: "
            f"{' and '.join(same['source'])}. Leave it out of one of the two (`tasks` of the "
            "published ones chooses), or rename your own"
        )
    return table.assign(floor=at_floor(table))


def at_floor(table: pd.DataFrame) -> pd.Series:
    """Whether a task tells nothing of a model: at no step does it gain a tenth of its range, or it
    is known to answer one class. Where the ceiling is not known, a gain is one of two SE."""
    gain = table["score"] - table["chance"]
    share = (gain / (table["ceiling"] - table["chance"])).where(
        table["ceiling"].notna(), np.where(gain > 2 * table["se"], np.inf, 0.0)
    )
    best = share.groupby([table["model"], table["task"]]).transform("max")
    return ~(best >= LEAST) | table["task"].isin(ONE_CLASS)
