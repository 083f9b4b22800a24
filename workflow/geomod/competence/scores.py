"""The one table of what checkpoints know, from whatever source, and what in it says nothing."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from geomod.base.errors import InputError

KEY = ["model", "step", "task"]
LEAST = 0.1  # of the range from chance to ceiling: less than this is no gain
# All answers are of one class, so the score sits at the share of one answer or of the other.
ONE_CLASS = ("wsc",)


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
    is known to answer one class. Without a known ceiling any gain counts."""
    gain = table["score"] - table["chance"]
    share = (gain / (table["ceiling"] - table["chance"])).where(
        table["ceiling"].notna(), np.where(gain > 0, np.inf, 0.0)
    )
    best = share.groupby([table["model"], table["task"]]).transform("max")
    return ~(best >= LEAST) | table["task"].isin(ONE_CLASS)
