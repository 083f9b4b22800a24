"""Which sentences belong together, so that no fold parts them, and folds that a lab has chosen."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.base.errors import InputError
from geomod.brain.responses import response_blocks
from geomod.encoding.settings import Cut
from geomod.ridge.folds import Split, inner_blocks, outer_folds


def groups_of(
    stimuli: pd.DataFrame, column: str | None, rows: NDArray[np.intp]
) -> NDArray[Any] | None:
    """The group of each of the `rows`, by `encoding.group_by`."""
    if column is None:
        return None
    if column not in stimuli:
        raise InputError(
            f"`encoding.group_by` is {column!r}, which is no column of the sentences; "
            f"they have {', '.join(stimuli.columns)}. What belongs together (passages, stories) is "
            f"called `group`: `dataset.columns: {{group: {column}}}` gives it that name"
        )
    groups = stimuli[column].to_numpy(dtype=object)[rows]
    if (groups == "").any():
        item = stimuli["item_id"].to_numpy()[rows][groups == ""][0]
        raise InputError(f"`encoding.group_by`: sentence {item} has no {column}; each needs one")
    return groups


SPLIT = "split"  # the column of the sentences that a job has beside it, where folds are chosen
FEWEST_TESTED = 3  # of two sentences the correlation is 1 or −1


def with_splits(stimuli: pd.DataFrame, splits: pd.DataFrame | None = None) -> pd.DataFrame:
    """The sentences, with the value of `dataset.splits` beside each where there are such."""
    return stimuli if splits is None else stimuli.merge(splits, on="item_id", validate="1:1")


def how_to_cut(cut: Cut, stimuli: pd.DataFrame, rows: NDArray[np.intp]) -> dict[str, Any]:
    """`folds`, `inner_folds` and `groups` of `geomod.ridge.encode`, for `rows` of the sentences.

    Where sentences have a split, each of its values is tested once, by what is fitted on all
    others, and the inner folds part no value, unless one alone is left to fit on.
    """
    groups = groups_of(stimuli, cut.group_by, rows)
    if SPLIT not in stimuli:
        return {"folds": cut.folds, "inner_folds": cut.inner_folds, "groups": groups}
    splits = stimuli[SPLIT].to_numpy(dtype=object)[rows]
    folds = leave_one_out(splits)
    inner, left = cut.inner_folds, len(folds) - 1
    if left < 2:
        return {"folds": folds, "inner_folds": inner, "groups": groups}
    return {
        "folds": folds,
        "inner_folds": inner if inner == "loo" else min(inner, left),
        "groups": splits,
    }


def leave_one_out(names: NDArray[Any]) -> list[Split]:
    """Training and test rows for each name, in the order in which they first appear."""
    return [
        (np.flatnonzero(names != name), np.flatnonzero(names == name)) for name in pd.unique(names)
    ]


def check_splits(responses: pd.DataFrame, stimuli: pd.DataFrame, cut: Cut) -> None:
    """An error where the splits of the sentences that were responded to make no folds."""
    for block in response_blocks(responses, stimuli):
        who = ", ".join(dict.fromkeys(block.targets["participant"]))
        names = stimuli[SPLIT].iloc[block.rows]
        counts = names.value_counts(sort=False)
        if len(counts) < 2:
            raise InputError(
                f"`dataset.splits`: all {len(names)} sentences of {who} have the value "
                f"{counts.index[0]!r}; two values are needed, one to fit on and one to test"
            )
        if counts.min() < FEWEST_TESTED:
            raise InputError(
                f"`dataset.splits`: {who} read {counts.min()} sentences of {counts.idxmin()!r}, "
                f"and at least {FEWEST_TESTED} are needed to correlate on"
            )
        groups = groups_of(stimuli, cut.group_by, block.rows)
        if groups is not None:
            parted = names.groupby(groups).nunique()
            if (parted > 1).any():
                group = parted.index[parted > 1][0]
                values = names[groups == group].unique()
                raise InputError(
                    f"`dataset.splits` parts {cut.group_by} {group!r}, which has {values[0]!r} and "
                    f"{values[1]!r}; leave `group_by` out, or give each {cut.group_by} one value"
                )


def check_groups(responses: pd.DataFrame, stimuli: pd.DataFrame, cut: Cut) -> None:
    """An error where the groups do not allow the folds, before any model has run."""
    if cut.group_by is None:
        return
    for block in response_blocks(responses, stimuli):
        groups = groups_of(stimuli, cut.group_by, block.rows)
        few = f"`encoding.group_by` is {cut.group_by!r}, but"
        how: dict[str, Any] = {"seed": cut.seed, "scheme": "grouped", "groups": groups}
        try:
            splits = outer_folds(len(block.rows), cut.folds, **how)
        except ValueError as error:
            raise InputError(f"{few} {error}; lower `encoding.folds`") from None
        try:
            for train, _ in splits:
                inner_blocks(train, cut.inner_folds, **how)
        except ValueError as error:
            raise InputError(
                f"{few} without those of an outer fold, {error}; lower `encoding.inner_folds`"
            ) from None
