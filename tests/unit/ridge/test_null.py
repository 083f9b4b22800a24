"""Permutations: what the null is, and that p-values mean what they say."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import kstest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, KFold
from sklearn.preprocessing import StandardScaler

from geomod.ridge.engine import encode
from geomod.ridge.folds import permuted_rows
from tests.unit.ridge.ridge_oracle import planted

ALPHAS = np.logspace(-2, 8, 21)


@pytest.mark.parametrize("width", [6, 70])
@pytest.mark.parametrize("grouped", [False, True])
def test_the_null_is_a_refit_of_permuted_rows_with_the_chosen_penalties(
    width: int, grouped: bool
) -> None:
    x, y = planted(50, width)
    groups = np.repeat(np.arange(10), [1, 9, 2, 8, 3, 7, 4, 6, 5, 5]) if grouped else None
    found = encode(x, y, alphas=ALPHAS, permutations=4, groups=groups)
    folds = GroupKFold(5) if grouped else KFold(5, shuffle=True, random_state=0)
    assert found.null is not None
    for order, null in zip(permuted_rows(50, 4, 0, groups), found.null[0], strict=True):
        shuffled = y[order]
        r = []
        for fold, (train, test) in enumerate(folds.split(x, groups=groups)):
            scaler = StandardScaler().fit(x[train])
            model = Ridge(found.alpha[0, fold], solver="svd")
            model.fit(scaler.transform(x[train]), shuffled[train])
            predicted = model.predict(scaler.transform(x[test]))
            r.append([np.corrcoef(predicted[:, k], shuffled[test, k])[0, 1] for k in range(3)])
        assert_allclose(null, np.mean(r, axis=0), atol=2e-5)


def test_a_planted_response_is_found_and_noise_is_not() -> None:
    x, y = planted(80, 10)
    y[:, 2] = np.random.default_rng(1).standard_normal(80)
    found = encode(x, y, alphas=ALPHAS, permutations=99)
    assert found.p_permutation is not None
    assert found.p_permutation[0, 0] == 0.01
    assert found.p_permutation[0, 2] > 0.05


@pytest.mark.parametrize(("width", "sizes"), [(20, None), (120, None), (20, [2, 3, 5, 6])])
def test_p_values_of_unrelated_responses_are_uniform(width: int, sizes: list[int] | None) -> None:
    """Features with a falling spectrum; with groups, both sides share much within a group."""
    p, scores = [], []
    for seed in range(15):
        rng = np.random.default_rng([seed, width])
        n = 80
        groups = None if sizes is None else np.repeat(np.arange(20), sizes * 5)
        x = rng.standard_normal((n, width)) * np.arange(1, width + 1) ** -1.0
        y = rng.standard_normal((n, 20))
        if groups is not None:
            x += rng.standard_normal((20, width))[groups]
            y += rng.standard_normal((20, 20))[groups]
        found = encode(x, y, alphas=ALPHAS[::2], permutations=99, groups=groups, seed=seed)
        assert found.p_permutation is not None
        p.append(found.p_permutation.ravel())
        scores.append(found.score.ravel())
    values = np.concatenate(p)
    assert np.mean(values <= 0.05) < 0.09  # .05 plus four standard errors of 300 targets, rounded
    assert kstest(values, "uniform").pvalue > 1e-3
    assert abs(np.mean(scores)) < 0.03
