"""Folds are scikit-learn's, inner folds never see the test rows, permutations keep groups."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    LeaveOneOut,
    RepeatedKFold,
    ShuffleSplit,
)

from geomod.base.errors import InputError
from geomod.ridge.folds import inner_blocks, outer_folds, permuted_rows


@pytest.mark.parametrize("seed", [0, 7])
def test_shuffled_folds_are_those_of_scikit_learn(seed: int) -> None:
    expected = KFold(5, shuffle=True, random_state=seed).split(np.zeros(53))
    for (train, test), (their_train, their_test) in zip(
        outer_folds(53, 5, seed), expected, strict=True
    ):
        assert_array_equal(train, their_train)
        assert_array_equal(test, their_test)


def test_contiguous_folds_are_runs() -> None:
    for _, test in outer_folds(23, 4, 0, scheme="contiguous"):
        assert_array_equal(np.diff(test), 1)


def test_grouped_folds_are_those_of_scikit_learn() -> None:
    groups = np.random.default_rng(0).choice(list("abcdefg"), 40)
    expected = GroupKFold(3).split(groups, groups=groups)
    found = outer_folds(40, 3, 0, scheme="grouped", groups=groups)
    for (train, test), (_, their_test) in zip(found, expected, strict=True):
        assert not set(groups[train]) & set(groups[test])
        assert_array_equal(test, their_test)


@given(n=st.integers(6, 60), folds=st.integers(2, 6), seed=st.integers(0, 1000))
def test_every_row_is_tested_once_and_held_out_once(n: int, folds: int, seed: int) -> None:
    splits = outer_folds(n, folds, seed)
    assert_array_equal(np.sort(np.concatenate([test for _, test in splits])), np.arange(n))
    for train, test in splits:
        assert not set(train) & set(test)
        held_out = np.concatenate([block.held_out for block in inner_blocks(train, 2, seed)])
        assert_array_equal(np.sort(held_out), np.arange(len(train)))


def test_inner_folds_are_the_same_over_the_training_rows() -> None:
    train, _ = outer_folds(50, 5, 3)[0]
    expected = [test for _, test in KFold(4, shuffle=True, random_state=3).split(train)]
    for block, theirs in zip(inner_blocks(train, 4, 3), expected, strict=True):
        assert_array_equal(block.held_out, theirs)


def test_leaving_one_out_leaves_out_a_row_or_a_group() -> None:
    train = np.arange(6)
    assert [len(block) for block in inner_blocks(train, "loo", 0)] == [1] * 6
    blocks = inner_blocks(train, "loo", 0, scheme="grouped", groups=list("aabbbc"))
    assert [block.rows.tolist() for block in blocks] == [[0, 1], [2, 3, 4], [5]]


def test_permutations_are_permutations_and_follow_the_seed() -> None:
    orders = permuted_rows(20, 7, seed=1)
    assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(20), (7, 1)))
    assert_array_equal(orders, permuted_rows(20, 7, seed=1))
    assert (orders != permuted_rows(20, 7, seed=2)).any()


def test_permuted_groups_of_one_size_move_as_a_whole() -> None:
    groups = np.array([2, 0, 2, 1, 0, 1, 2, 1, 0])
    for order in permuted_rows(9, 50, seed=0, groups=groups):
        for name in range(3):
            moved = order[groups == name]
            assert len(set(groups[moved])) == 1
            assert (np.diff(moved) > 0).all()


def test_a_group_gets_the_rows_of_one_group_whatever_their_sizes() -> None:
    groups = np.repeat([0, 1, 2, 3], [1, 5, 3, 7])
    for order in permuted_rows(16, 50, seed=0, groups=groups):
        sources = [groups[order[groups == name]] for name in range(4)]
        assert sorted(source[0] for source in sources) == [0, 1, 2, 3]
        for source in sources:
            assert len(set(source)) == 1
    longest_from_second = next(
        order[9:] for order in permuted_rows(16, 50, 0, groups) if order[9] == 1
    )
    assert_array_equal(longest_from_second, [1, 2, 3, 4, 5, 1, 2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"folds": 1}, "cannot be parted"),
        ({"folds": 11}, "cannot be parted"),
        ({"folds": 2, "scheme": "grouped"}, "need the group of every row"),
        ({"folds": 2, "scheme": "grouped", "groups": [1, 2]}, "10 rows need 10 groups"),
        ({"folds": 3, "scheme": "grouped", "groups": [1, 2] * 5}, "2 groups cannot be parted"),
        ({"folds": 2, "scheme": "stratified"}, "unknown scheme"),
    ],
)
def test_impossible_folds_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        outer_folds(10, seed=0, **arguments)


@pytest.mark.parametrize("folds", [2.5, "5", True, None])
def test_folds_are_a_number_a_splitter_or_pairs(folds: Any) -> None:
    with pytest.raises(InputError, match=r"folds must be a number, such as 5, a splitter .*KFold"):
        outer_folds(30, folds, 0)
    assert len(outer_folds(30, np.int64(5), 0)) == 5


@pytest.mark.parametrize("scheme", ["shuffled", "contiguous"])
def test_a_splitter_and_its_pairs_are_taken_as_they_are(scheme: Any) -> None:
    splitter = ShuffleSplit(4, test_size=7, random_state=1)
    pairs = list(splitter.split(np.empty(30)))
    for folds in (splitter, pairs, ((list(train), list(test)) for train, test in pairs)):
        for found, expected in zip(outer_folds(30, folds, 0, scheme=scheme), pairs, strict=True):
            assert_array_equal(found[0], expected[0])
            assert_array_equal(found[1], expected[1])


def test_a_splitter_is_given_the_groups() -> None:
    groups = np.repeat(list("abcde"), 4)
    found = outer_folds(20, LeaveOneGroupOut(), 0, scheme="grouped", groups=groups)
    assert [set(groups[test]) for _, test in found] == [{name} for name in "abcde"]


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ([], "empty list"),
        ([(range(5), range(4, 9))], "fold 0: row 4 is fitted on and tested too"),
        ([(range(5), [5]), (range(5), [10])], "fold 1: its test rows must lie within 0 and 9"),
        ([([-1, 2], [5])], "fold 0: its training rows must lie within"),
        ([([1, 1], [5])], "fold 0: one of its training rows is there twice"),
        ([([1, 2], [])], "fold 0: its test rows are no list of row numbers"),
        ([(np.arange(10) < 5, np.arange(10) >= 5)], "training rows are no list of row numbers"),
        ([range(5)], "a list of .train, test. pairs"),
        (KFold(11), "cannot part 10 rows"),
    ],
)
def test_own_folds_that_cannot_be_are_refused_in_words(folds: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        outer_folds(10, folds, 0)


@pytest.mark.parametrize("folds", [KFold(5), [(range(1, 20), [0])]])
def test_own_folds_may_not_part_a_group(folds: Any) -> None:
    with pytest.raises(InputError, match=r"fold 0: group [ab] is on both sides"):
        outer_folds(20, folds, 0, scheme="grouped", groups=list("baaaaabbbbcccccddddd"))


def test_inner_folds_may_be_a_splitter() -> None:
    train = np.arange(5, 25)
    splitter = KFold(4, shuffle=True, random_state=9)
    expected = [test for _, test in splitter.split(train)]
    for block, theirs in zip(inner_blocks(train, splitter, 0), expected, strict=True):
        assert_array_equal(block.held_out, theirs)
    rows = [block.rows.tolist() for block in inner_blocks(train, LeaveOneOut(), 0)]
    assert rows == [block.rows.tolist() for block in inner_blocks(train, "loo", 0)]


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        (ShuffleSplit(3), "does not hold out each row once"),
        (RepeatedKFold(n_splits=3, n_repeats=2), "does not hold out each row once"),
        ([([0, 1], [2])], "differ from outer fold to outer fold"),
        ("all", "a number, 'loo', or a splitter"),
    ],
)
def test_inner_folds_hold_out_each_row_once(folds: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        inner_blocks(np.arange(20), folds, 0)


def test_more_folds_than_rows_are_refused_in_words() -> None:
    with pytest.raises(InputError, match="30 rows cannot be parted into 31 folds"):
        outer_folds(30, 31, 0)
