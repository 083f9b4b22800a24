"""Which sentences belong together, so that no fold parts them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.base.errors import InputError
from geomod.brain.responses import response_blocks
from geomod.ridge.folds import inner_blocks, outer_folds


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


def check_groups(
    responses: pd.DataFrame, stimuli: pd.DataFrame, settings: Mapping[str, Any] | None
) -> None:
    """An error where the groups do not allow the folds, before any model has run.

    `settings` are those of `geomod.plan.config.Encoding.grouping`.
    """
    if settings is None:
        return
    for block in response_blocks(responses, stimuli):
        groups = groups_of(stimuli, settings["group_by"], block.rows)
        few = f"`encoding.group_by` is {settings['group_by']!r}, but"
        cut = {"seed": settings["seed"], "scheme": "grouped", "groups": groups}
        try:
            splits = outer_folds(len(block.rows), settings["folds"], **cut)
        except ValueError as error:
            raise InputError(f"{few} {error}; lower `encoding.folds`") from None
        try:
            for train, _ in splits:
                inner_blocks(train, settings["inner_folds"], **cut)
        except ValueError as error:
            raise InputError(
                f"{few} without those of an outer fold, {error}; lower `encoding.inner_folds`"
            ) from None
