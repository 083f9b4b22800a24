"""Groups that do not allow the folds are told before any model has run."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr
from sklearn.model_selection import LeaveOneGroupOut

from geomod.base.errors import InputError
from geomod.encoding.groups import check_groups, check_splits, how_to_cut, with_splits
from geomod.encoding.scores import encode_checkpoint
from geomod.encoding.settings import Cut
from geomod.ridge.folds import inner_blocks, outer_folds
from tests.unit.encoding.test_scores import SETTINGS

CUT = Cut(folds=5, inner_folds=5, group_by="group", seed=0)
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
    check_groups(*tables(groups), replace(CUT, inner_folds=inner))


def test_no_groups_need_none() -> None:
    check_groups(*tables(1), replace(CUT, group_by=None))


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (4, "4 groups cannot be parted into 5 folds; lower `encoding.folds`"),
        (6, "without those of an outer fold, 4 groups .*; lower `encoding.inner_folds`"),
    ],
)
def test_too_few_groups_are_an_error(groups: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_groups(*tables(groups), CUT)


def test_the_column_must_be_there_and_filled() -> None:
    responses, stimuli = tables(8)
    with pytest.raises(InputError, match="'passage', which is no column"):
        check_groups(responses, stimuli, replace(CUT, group_by="passage"))
    with pytest.raises(InputError, match="sentence s3 has no group"):
        check_groups(responses, stimuli.replace({"group": {"story 3": ""}}), CUT)


def test_sentences_without_responses_need_no_group() -> None:
    responses, stimuli = tables(8)
    stimuli.loc[np.arange(0, 24, 8), "group"] = ""
    check_groups(
        responses[responses["item_id"].isin(stimuli["item_id"][stimuli["group"] != ""])],
        stimuli,
        CUT,
    )


# --- Folds that a column gives ------------------------------------------------------------------


def in_runs(runs: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    responses, stimuli = tables(8)
    splits = pd.DataFrame({"item_id": ITEMS, "split": np.resize(runs, len(ITEMS))})
    return responses, with_splits(stimuli, splits.sample(frac=1, random_state=0))


def test_each_run_is_tested_by_all_others_and_no_inner_fold_parts_one() -> None:
    _, stimuli = in_runs(["a", "b", "c", "d"])
    rows = np.arange(len(ITEMS))
    how = how_to_cut(replace(CUT, group_by=None), stimuli, rows)
    runs = stimuli["split"].to_numpy()
    folds = outer_folds(len(rows), how["folds"], 0, groups=how["groups"])
    theirs = LeaveOneGroupOut().split(rows, groups=runs)
    for (train, test), (their_train, their_test) in zip(folds, theirs, strict=True):
        np.testing.assert_array_equal(train, their_train)
        np.testing.assert_array_equal(test, their_test)
        blocks = inner_blocks(train, how["inner_folds"], 0, scheme="grouped", groups=how["groups"])
        held_out = [set(runs[train[block.held_out]]) for block in blocks]
        assert [len(together) for together in held_out] == [1, 1, 1]
        assert set().union(*held_out) == set(runs[train])


def test_of_two_runs_one_is_left_to_fit_on_and_is_parted_by_the_group() -> None:
    _, stimuli = in_runs(["a", "b"])
    how = how_to_cut(CUT, stimuli, np.arange(len(ITEMS)))
    assert len(how["folds"]) == 2
    assert list(how["groups"]) == list(stimuli["group"])
    assert how_to_cut(replace(CUT, group_by=None), stimuli, np.arange(24))["groups"] is None


def test_a_participants_own_runs_are_the_folds_of_that_participant() -> None:
    _, stimuli = in_runs(["a", "b", "c"])
    rows = np.flatnonzero(stimuli["split"] != "b")
    assert len(how_to_cut(CUT, stimuli, rows)["folds"]) == 2


def test_scores_over_runs_are_those_of_least_squares_with_a_run_left_out() -> None:
    """The oracle fits by hand; with one tiny penalty nothing is left to choose."""
    rng = np.random.default_rng(0)
    responses, stimuli = in_runs(["a", "b", "c", "d"])
    x = rng.normal(size=(24, 2))
    responses["response"] = y = x[:, 0] + rng.normal(size=24)
    ceiling = responses[["region", "participant"]].drop_duplicates().assign(ceiling=1.0)
    settings = replace(SETTINGS, penalties=(-9, -9, 1), permutations=0)
    _, folds = encode_checkpoint({1: x}, responses, stimuli, ceiling, settings)
    expected = []
    for run in "abcd":
        test = (stimuli["split"] == run).to_numpy()
        design = np.column_stack([np.ones(24), x])
        w = np.linalg.lstsq(design[~test], y[~test], rcond=None)[0]
        expected.append(pearsonr(design[test] @ w, y[test]).statistic)
    np.testing.assert_allclose(folds["r"], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        (["a"], "all 24 sentences of average have the value 'a'; two values"),
        (["a"] * 22 + ["b"] * 2, "average read 2 sentences of 'b', and at least 3"),
        (["a", "b", "c"], "parts group 'story 0', which has 'a' and 'c'; leave `group_by` out"),
    ],
)
def test_runs_that_make_no_folds_are_an_error(runs: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_splits(*in_runs(runs), CUT)


def test_runs_that_keep_groups_whole_pass() -> None:
    check_splits(*in_runs(["a", "b", "a", "b"]), CUT)
