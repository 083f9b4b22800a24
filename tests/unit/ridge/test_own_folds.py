"""Scores over folds of one's own are those of scikit-learn, and of the explicit loop."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
)
from sklearn.preprocessing import StandardScaler

from geomod.base.errors import InputError
from geomod.plan.config.encoding import Alphas
from geomod.ridge.banded import ladder
from geomod.ridge.engine import ALPHAS, encode
from tests.unit.ridge.ridge_oracle import nested_loop, planted

GRID = np.logspace(-1, 5, 7)
OUTER = KFold(5, shuffle=True, random_state=3)


def by_scikit_learn(
    x: Any, y: Any, outer: Any, search: Any, groups: Any = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pearson r of each target, and its penalty, in each fold of the splitter `outer`."""
    for train, test in outer.split(x, groups=groups):
        scaler = StandardScaler().fit(x[train])
        models = [search(train).fit(scaler.transform(x[train]), column[train]) for column in y.T]
        predicted = [model.predict(scaler.transform(x[test])) for model in models]
        r = [np.corrcoef(p, c[test])[0, 1] for p, c in zip(predicted, y.T, strict=True)]
        alpha = [getattr(m, "alpha_", None) or m.best_params_["alpha"] for m in models]
        yield np.array(r), np.array(alpha)


@pytest.mark.parametrize("outer", [OUTER, TimeSeriesSplit(4), ShuffleSplit(3, random_state=0)])
def test_a_splitter_with_leaving_one_out_gives_what_ridge_cv_gives(outer: Any) -> None:
    x, y = planted(80, 12)
    found = encode(x, y, alphas=GRID, folds=outer, inner_folds="loo")
    for fold, (r, alpha) in enumerate(by_scikit_learn(x, y, outer, lambda _: RidgeCV(GRID))):
        assert_array_equal(found.alpha[0, fold], alpha)
        assert_allclose(found.r[0, fold], r, atol=1e-8)


def test_splitters_for_both_loops_give_what_grid_search_cv_gives() -> None:
    x, y = planted(100, 20)  # inner folds of one size: a mean of their means is the mean
    inner = KFold(4, shuffle=True, random_state=8)
    score = {"scoring": "neg_mean_squared_error", "cv": inner}
    found = encode(x, y, alphas=GRID, folds=OUTER, inner_folds=inner)
    search = by_scikit_learn(
        x, y, OUTER, lambda _: GridSearchCV(Ridge(solver="svd"), {"alpha": GRID}, **score)
    )
    for fold, (r, alpha) in enumerate(search):
        assert_array_equal(found.alpha[0, fold], alpha)
        assert_allclose(found.r[0, fold], r, atol=1e-8)


def test_a_splitter_of_groups_keeps_them_whole_in_both_loops() -> None:
    x, y = planted(96, 10)
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(12), 8))
    outer = LeaveOneGroupOut()
    found = encode(x, y, alphas=GRID, folds=outer, inner_folds=11, groups=groups)
    score = {"scoring": "neg_mean_squared_error"}

    def search(train: np.ndarray) -> GridSearchCV:
        cv = list(GroupKFold(11).split(train, groups=groups[train]))
        return GridSearchCV(Ridge(solver="svd"), {"alpha": GRID}, cv=cv, **score)

    for fold, (r, alpha) in enumerate(by_scikit_learn(x, y, outer, search, groups)):
        assert_array_equal(found.alpha[0, fold], alpha)
        assert_allclose(found.r[0, fold], r, atol=1e-8)


@pytest.mark.parametrize("width", [6, 90])
def test_pairs_of_rows_give_what_the_explicit_loop_gives(width: int) -> None:
    x, y = planted(60, width)
    tests = np.array_split(np.random.default_rng(1).permutation(60), 4)
    pairs = [(np.setdiff1d(np.arange(60), test).tolist(), test.tolist()) for test in tests]
    found = encode(x, y, alphas=GRID, folds=pairs, inner_folds=KFold(3), keep_predictions=True)
    cut = lambda rows: [test for _, test in KFold(3).split(rows)]  # noqa: E731
    oracle = nested_loop(x, y, GRID, outer=lambda rows: tests, inner=cut)
    assert_array_equal(found.alpha[0], oracle.alpha)
    assert_allclose(found.r[0], oracle.r, atol=1e-8)
    assert found.predictions is not None
    assert_allclose(found.predictions[0], oracle.predictions, atol=1e-8)


def test_a_number_is_the_splitter_that_it_stands_for() -> None:
    x, y = planted(50, 8)
    splitter = KFold(5, shuffle=True, random_state=0)
    named = encode(x, y, alphas=GRID, folds=splitter, inner_folds=splitter)
    assert_array_equal(named.r, encode(x, y, alphas=GRID).r)
    climbed = ladder(x[:, :2], x, y, alphas=GRID, folds=splitter, inner_folds=splitter)
    assert_array_equal(climbed.r["joint"], ladder(x[:, :2], x, y, alphas=GRID).r["joint"])


def test_rows_that_no_fold_tests_have_no_prediction() -> None:
    x, y = planted(50, 8)
    pairs = [(range(10, 50), range(10))]
    found = encode(x, y, alphas=GRID, folds=pairs, keep_predictions=True)
    assert found.predictions is not None
    assert np.isfinite(found.predictions[0, :10]).all()
    assert np.isnan(found.predictions[0, 10:]).all()
    twice = RepeatedKFold(n_splits=5, n_repeats=2)
    assert encode(x, y, alphas=GRID, folds=twice).r.shape == (1, 10, 3)
    with pytest.raises(InputError, match="test some rows twice"):
        encode(x, y, alphas=GRID, folds=twice, keep_predictions=True)


def test_layers_may_be_named_and_differ_in_width() -> None:
    x, y = planted(50, 8)
    found = encode({"b": x[:, :5], "a": x}, y, alphas=GRID)
    for layer, values in enumerate((x[:, :5], x)):
        assert_array_equal(found.r[layer], encode(values, y, alphas=GRID).r[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_tensors_are_arrays(dtype: torch.dtype) -> None:
    x, y = planted(50, 8)
    tensor = torch.tensor(x, dtype=dtype)
    wide = tensor.float() if dtype is torch.bfloat16 else tensor
    found = encode(tensor.clone().requires_grad_(), torch.tensor(y), alphas=GRID)
    assert_array_equal(found.r, encode(wide.numpy(), y, alphas=GRID).r)


def test_one_target_may_be_a_plain_row_of_numbers() -> None:
    x, y = planted(50, 8)
    assert_array_equal(encode(x, y[:, 0]).r, encode(x, y[:, :1]).r)


def test_the_penalties_are_the_configs_where_none_are_given() -> None:
    config = Alphas()
    assert_array_equal(ALPHAS, np.logspace(config.low, config.high, config.count))
