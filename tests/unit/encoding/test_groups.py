"""Groups that do not allow the folds are told before any model has run."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from geomod.base.errors import InputError
from geomod.encoding.groups import check_groups

SETTINGS: dict[str, Any] = {"group_by": "group", "folds": 5, "inner_folds": 5, "seed": 0}
ITEMS = [f"s{i}" for i in range(24)]


def tables(groups: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    stories = [f"story {i % groups}" for i in range(len(ITEMS))]
    stimuli = pd.DataFrame({"item_id": ITEMS, "sentence": "Hello.", "group": stories})
    responses = pd.DataFrame(
        {"item_id": ITEMS, "region": "IFG", "participant": "average", "response": 0.5}
    )
    return responses, stimuli


@pytest.mark.parametrize(("groups", "inner"), [(7, 5), (6, 4), (5, "loo")])
def test_groups_that_are_enough_pass(groups: int, inner: Any) -> None:
    check_groups(*tables(groups), {**SETTINGS, "inner_folds": inner})


def test_no_groups_need_none() -> None:
    check_groups(*tables(1), None)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (4, "4 groups cannot be parted into 5 folds; lower `encoding.folds`"),
        (6, "without those of an outer fold, 4 groups .*; lower `encoding.inner_folds`"),
    ],
)
def test_too_few_groups_are_an_error(groups: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_groups(*tables(groups), SETTINGS)


def test_the_column_must_be_there_and_filled() -> None:
    responses, stimuli = tables(8)
    with pytest.raises(InputError, match="'passage', which is no column"):
        check_groups(responses, stimuli, {**SETTINGS, "group_by": "passage"})
    with pytest.raises(InputError, match="sentence s3 has no group"):
        check_groups(responses, stimuli.replace({"group": {"story 3": ""}}), SETTINGS)


def test_sentences_without_responses_need_no_group() -> None:
    responses, stimuli = tables(8)
    stimuli.loc[np.arange(0, 24, 8), "group"] = ""
    check_groups(
        responses[responses["item_id"].isin(stimuli["item_id"][stimuli["group"] != ""])],
        stimuli,
        SETTINGS,
    )
