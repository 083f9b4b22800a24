"""Rows in time: the kernel of delayed features is that of the wide matrix, and so are its fits."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from geomod.base.errors import InputError
from geomod.ridge.banded import RUNGS, ladder
from geomod.ridge.delays import Delays
from geomod.ridge.engine import encode
from geomod.ridge.sides import KernelSides, RowSides, sides_of_kernel, standardized
from geomod.ridge.weights import coefficients
from tests.unit.ridge.story_oracle import delayed, kept_responses, nested

ALPHAS = np.logspace(-1, 5, 7)


def stories_of(*lengths: int) -> np.ndarray:
    return np.repeat([f"s{k}" for k in range(len(lengths))], lengths)


def parts(values: np.ndarray, lengths: tuple[int, ...]) -> list[np.ndarray]:
    return np.split(values, np.cumsum(lengths)[:-1])


def slow(rows: int, width: int, seed: int = 0) -> np.ndarray:
    """Features that drift, each from a level of its own, float32 as those of a model."""
    steps = np.random.default_rng(seed).standard_normal((rows, width))
    for t in range(1, rows):
        steps[t] += 0.8 * steps[t - 1]
    return (steps + 5 * np.arange(width)).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(6, 14), min_size=1, max_size=4),
    delays=st.lists(st.integers(0, 8), min_size=1, max_size=4, unique=True),
    trim=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    width=st.integers(1, 5),
)
def test_matrix_and_kernel_are_those_of_rows_delayed_one_by_one(
    lengths: list[int], delays: list[int], trim: tuple[int, int], width: int
) -> None:
    x = slow(sum(lengths), width, seed=len(lengths))
    x[:, 0] = x[0, 0]  # silence: a constant column is 0, not NaN
    rows = Delays(stories_of(*lengths), tuple(delays), trim)
    wide = delayed(parts(x, tuple(lengths)), delays, trim)
    assert_allclose(rows.matrix(x), wide, atol=1e-12)
    assert_allclose(rows.kernel(x).numpy(), wide @ wide.T, atol=1e-10)
    dual = np.random.default_rng(0).standard_normal((len(wide), 2))
    weights = rows.weights(x, torch.as_tensor(dual)).numpy()
    assert_allclose(weights.reshape(len(delays) * width, 2), wide.T @ dual, atol=1e-10)


def test_what_is_said_in_trimmed_rows_still_counts_later() -> None:
    x = np.zeros((20, 1))
    x[1] = 1.0  # in a row that is trimmed, and heard four rows later in the first that is kept
    wide = Delays(stories_of(20), (4,), (5, 0)).matrix(x)
    assert wide[0] > 4
    assert (wide[1:] < 0).all()


def test_a_kernel_is_centred_on_the_training_rows() -> None:
    x = np.random.default_rng(0).standard_normal((30, 6)) + 3
    split = np.arange(20), np.arange(20, 30)
    rows = RowSides(*standardized(x, split, scale=False)).kernels()
    kernel = sides_of_kernel(torch.as_tensor(x @ x.T), split)
    for ours, theirs in ((kernel.within, rows.within), (kernel.between, rows.between)):
        assert_allclose(ours, theirs, atol=1e-11)


@pytest.mark.parametrize("width", [4, 40])
def test_leaving_stories_out_is_what_refits_of_the_wide_matrix_give(width: int) -> None:
    """Wider than rows are many, by the kernel; narrower, by the rows."""
    lengths, trim, n = (30, 24, 36, 28), (3, 2), 118
    x = slow(n, width)
    y = x[:, :3] @ np.random.default_rng(1).standard_normal((3, 3))
    y = np.roll(y, 2, axis=0) + np.random.default_rng(2).standard_normal((n, 3))
    rows = Delays(stories_of(*lengths), (1, 2, 3, 4), trim)
    assert torch.is_tensor(rows.whole(x)) == (width == 40)
    found = encode(x, y, alphas=ALPHAS, folds=4, inner_folds="loo", delays=rows)

    wide, kept = (
        delayed(parts(x, lengths), (1, 2, 3, 4), trim),
        kept_responses(parts(y, lengths), trim),
    )
    story = rows.groups
    assert_allclose(rows.responses(y), kept, atol=1e-12)
    outer, inner = [], []
    for test in ("s2", "s0", "s3", "s1"):  # GroupKFold deals out the longest first
        train = np.flatnonzero(story != test)
        outer.append((train, np.flatnonzero(story == test)))
        others = [name for name in np.unique(story) if name != test]
        inner.append(
            [(train[story[train] != name], np.flatnonzero(story == name)) for name in others]
        )
    r, alpha = nested(wide, kept, ALPHAS, outer, inner)
    assert_allclose(found.alpha[0], alpha)
    assert_allclose(found.r[0], r, atol=1e-9)


@pytest.mark.parametrize("width", [3, 40])
@pytest.mark.parametrize("targets", [3, 120])
def test_a_gap_removes_training_rows_in_both_loops(width: int, targets: int) -> None:
    x = slow(110, width)
    y = np.roll(x[:, :2] @ np.random.default_rng(1).standard_normal((2, targets)), 2, axis=0)
    y = y + np.random.default_rng(2).standard_normal((110, targets))
    rows = Delays(stories_of(110), (1, 2), (5, 5))
    found = encode(x, y, alphas=ALPHAS, folds=4, inner_folds=3, gap=4, delays=rows)

    wide, kept = delayed([x], (1, 2), (5, 5)), kept_responses([y], (5, 5))
    outer, inner = [], []
    for test in np.split(np.arange(100), 4):
        train = np.array([t for t in range(100) if np.abs(test - t).min() > 4])
        outer.append((train, test))
        splits = []
        for held in np.array_split(train, 3):
            fitted = np.array([t for t in train if np.abs(held - t).min() > 4])
            splits.append((fitted, held))
        inner.append(splits)
    r, alpha = nested(wide, kept, ALPHAS, outer, inner)
    assert (found.alpha[0] == alpha).mean() > 0.99
    assert_allclose(found.r[0][found.alpha[0] == alpha], r[found.alpha[0] == alpha], atol=1e-5)


def test_many_targets_are_fitted_in_parts_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    x = slow(90, 30)
    y = np.roll(x, 1, axis=0) @ np.random.default_rng(1).standard_normal((30, 50))
    settings: dict[str, Any] = {
        "alphas": ALPHAS,
        "folds": 3,
        "inner_folds": 2,
        "delays": Delays(stories_of(30, 30, 30)),
        "permutations": 3,
        "keep_predictions": True,
    }
    whole = encode(x, y, **settings)
    monkeypatch.setattr("geomod.ridge.engine.TOGETHER", 21)
    in_parts = encode(x, y, **settings)
    assert_array_equal(in_parts.alpha, whole.alpha)
    for name in ("r", "r2", "null", "predictions"):
        assert_allclose(getattr(in_parts, name), getattr(whole, name), atol=1e-5)


def test_components_are_those_of_the_delayed_columns() -> None:
    x, y = slow(90, 30), np.random.default_rng(1).standard_normal((90, 2))
    y += np.roll(x[:, :2], 2, axis=0)
    rows = Delays(stories_of(30, 30, 30))
    settings: dict[str, Any] = {"alphas": ALPHAS, "folds": 3, "inner_folds": 2, "match_width": 5}
    by_kernel = encode(x, y, delays=rows, **settings)
    wide = encode(
        rows.matrix(x), rows.responses(y), standardize=False, groups=rows.groups, **settings
    )
    assert_allclose(by_kernel.r, wide.r, atol=1e-9)


@pytest.mark.parametrize("band", [1, 20])
@pytest.mark.parametrize("width", [2, 30])
def test_the_ladder_of_delayed_bands_is_that_of_their_wide_matrices(band: int, width: int) -> None:
    """A band of one column with delays is narrow; one of twenty has a kernel of its own."""
    x, base = slow(90, width), slow(90, band, seed=1)
    y = np.roll(x[:, :1] + base[:, :1] / 2, 2, axis=0).repeat(2, axis=1)
    y = y + np.random.default_rng(2).standard_normal((90, 2))
    rows = Delays(stories_of(30, 30, 30))
    settings: dict[str, Any] = {"alphas": ALPHAS, "folds": 3, "inner_folds": 2}
    ours = ladder(base, x, y, delays=rows, **settings)
    theirs = ladder(
        rows.matrix(base),
        rows.matrix(x),
        rows.responses(y),
        standardize=False,
        groups=rows.groups,
        **settings,
    )
    assert_allclose(ours.balance, theirs.balance)
    for rung in RUNGS:
        assert_allclose(ours.r[rung], theirs.r[rung], atol=1e-8)


def test_a_null_turns_responses_round_within_their_stories() -> None:
    rows = Delays(stories_of(70, 30), (1,), (5, 5))
    orders = rows.shifts(40, seed=3)
    for order in orders:
        for run, least in ((np.arange(60), 15), (np.arange(60, 80), 5)):
            turned = order[run]
            assert sorted(turned) == run.tolist()
            by = (turned[0] - run[0]) % len(run)
            assert_array_equal(np.roll(turned, by), run)
            assert least <= by <= len(run) - least
    assert len(np.unique(orders, axis=0)) > 30


def test_the_null_is_a_refit_of_shifted_responses_with_the_chosen_penalties() -> None:
    x = slow(90, 30)
    y = np.roll(x[:, :2], 2, axis=0) + np.random.default_rng(2).standard_normal((90, 2))
    rows = Delays(stories_of(30, 30, 30))
    settings: dict[str, Any] = {"folds": 3, "inner_folds": 2, "delays": rows}
    found = encode(x, y, alphas=ALPHAS, permutations=3, seed=5, **settings)
    assert found.null is not None
    wide, kept = rows.matrix(x), rows.responses(y)
    for order, null in zip(rows.shifts(3, 5), found.null[0], strict=True):
        r = np.zeros(2)
        for k in range(2):
            for fold, story in enumerate(("s2", "s1", "s0")):
                train, test = (np.flatnonzero(rows.groups == story) for _ in range(2))
                train = np.setdiff1d(np.arange(90), test)
                x_train, y_train = wide[train] - wide[train].mean(0), kept[order, k][train]
                w = np.linalg.solve(
                    x_train @ x_train.T + found.alpha[0, fold, k] * np.eye(60),
                    y_train - y_train.mean(),
                )
                guess = (wide[test] - wide[train].mean(0)) @ x_train.T @ w
                r[k] += np.corrcoef(guess, kept[order, k][test])[0, 1] / 3
        assert_allclose(null, r, atol=2e-5)


def test_without_a_word_stories_are_parted_whole_and_one_story_with_a_gap() -> None:
    x = slow(120, 3)
    y = x[:, :1]
    three = Delays(stories_of(40, 40, 40), (1,))
    by_story = encode(x, y, folds=3, inner_folds=2, delays=three)
    assert_allclose(
        by_story.r, encode(x, y, folds=3, inner_folds=2, delays=three, scheme="grouped").r
    )
    one = Delays(stories_of(120), (1,))
    default = encode(x, y, folds=3, inner_folds=2, delays=one)
    explicit = encode(x, y, folds=3, inner_folds=2, delays=one, scheme="contiguous", gap=10)
    assert_allclose(default.r, explicit.r)
    assert not np.allclose(
        default.r, encode(x, y, folds=3, inner_folds=2, delays=one, scheme="contiguous", gap=0).r
    )


def test_weights_are_those_of_a_refit_on_all_rows() -> None:
    lengths = (30, 30, 30)
    for width in (2, 30):
        x = slow(90, width)
        y = np.roll(x[:, :2], 2, axis=0) + np.random.default_rng(2).standard_normal((90, 2))
        rows = Delays(stories_of(*lengths), (1, 2, 3))
        found = coefficients(x, y, delays=rows, alphas=ALPHAS)
        assert found.weights.shape == (3, width, 2)
        wide, kept = rows.matrix(x), rows.responses(y)
        errors = np.zeros((len(ALPHAS), 2))
        for story in np.unique(rows.groups):
            held = rows.groups == story
            for k, alpha in enumerate(ALPHAS):
                w, b = ridge(wide[~held], kept[~held], alpha)
                errors[k] += ((kept[held] - wide[held] @ w - b) ** 2).sum(axis=0)
        assert_allclose(found.alpha, ALPHAS[errors.argmin(axis=0)])
        for k in range(2):
            w, _ = ridge(wide, kept[:, [k]], found.alpha[k])
            assert_allclose(found.weights[..., k].ravel(), w[:, 0], atol=1e-9)


def ridge(x: np.ndarray, y: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    mean, level = x.mean(axis=0), y.mean(axis=0)
    w = np.linalg.solve(
        (x - mean).T @ (x - mean) + alpha * np.eye(x.shape[1]), (x - mean).T @ (y - level)
    )
    return w, level - mean @ w


def test_a_factor_of_a_kernel_is_exact_however_fast_it_may_be() -> None:
    kernel = torch.eye(300, dtype=torch.float64) - 1 / 300
    assert KernelSides(kernel, kernel[:2]).factorize(fast=True).is_exact


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"delays": (1, 1)}, "different whole numbers"),
        ({"delays": (-1,)}, "0 or more"),
        ({"delays": ()}, "different whole numbers"),
        ({"trim": (-1, 0)}, "trim must be"),
        ({"trim": (10, 9)}, "story s0 has 20 TRs: trimming 10 at its start and 9"),
        ({"keep": np.array([3, 3])}, "row numbers that ascend"),
        ({"keep": np.array([39, 40])}, "row numbers that ascend"),
        ({"stories": np.array(["a", "b", "a"])}, "rows of story a are not together"),
    ],
)
def test_what_cannot_be_delayed_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Delays(**{"stories": stories_of(20, 20), **given})


def test_responses_may_lack_only_what_is_trimmed() -> None:
    rows = Delays(stories_of(20, 20), (1,), (3, 2))
    y = np.random.default_rng(0).standard_normal((40, 2))
    y[[0, 2, 19, 22]] = np.nan
    assert np.isfinite(rows.responses(y)).all()
    y[25, 1] = np.nan
    with pytest.raises(InputError, match="column 1 is not at row 25, TR 5 of story s1"):
        encode(slow(40, 2), y, folds=2, inner_folds=2, delays=rows)


def test_a_gap_is_for_contiguous_folds_and_must_leave_rows_to_fit_on() -> None:
    x, y = slow(40, 2), slow(40, 1)
    with pytest.raises(InputError, match="contiguous folds"):
        encode(x, y, gap=3)
    with pytest.raises(InputError, match="leaves none to fit on"):
        encode(x, y, scheme="contiguous", folds=2, gap=20)
    with pytest.raises(InputError, match="leaves an inner fold without rows"):
        encode(x, y, scheme="contiguous", folds=2, inner_folds=2, gap=10)


def test_rows_may_be_kept_one_by_one() -> None:
    """A participant who heard two of three stories, with a TR that was lost."""
    x, stories = slow(90, 30), stories_of(30, 30, 30)
    some = np.setdiff1d(np.r_[5:30, 60:85], [70])
    y = np.random.default_rng(2).standard_normal((90, 2))
    rows, every = Delays(stories, (1, 3), keep=some), Delays(stories, (1, 3))
    wide = every.matrix(x)[some]
    assert_allclose(rows.matrix(x), wide, atol=1e-12)
    assert_allclose(rows.kernel(x).numpy(), wide @ wide.T, atol=1e-10)
    settings: dict[str, Any] = {"folds": 2, "inner_folds": "loo", "scheme": "contiguous", "gap": 0}
    ours = encode(x, y, delays=rows, **settings)
    assert_allclose(ours.r, encode(x, y[some], delays=rows, **settings).r)
    theirs = encode(wide, rows.responses(y), standardize=False, **settings)
    assert_allclose(ours.r, theirs.r, atol=1e-8)
