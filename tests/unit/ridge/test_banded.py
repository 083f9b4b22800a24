"""The confound ladder against explicit loops over two scaled bands, and against plain fits."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from geomod.ridge.banded import RUNGS, Baseline, Climb, Ladder, ladder
from geomod.ridge.engine import encode
from geomod.ridge.factor import factorize
from geomod.ridge.fits import fit_fold
from geomod.ridge.narrow import NARROW
from geomod.ridge.sides import RowSides
from tests.unit.ridge.ladder_oracle import plain_ladder

ALPHAS = np.logspace(-1, 6, 8)


def confounded(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Baseline, layer, and responses: of the baseline alone, of the layer alone, of neither."""
    rng = np.random.default_rng(seed)
    baseline = rng.standard_normal((120, 2))
    layer = rng.standard_normal((120, 30))
    noise = rng.standard_normal((120, 3))
    signal = np.stack([baseline[:, 0], layer[:, :3].sum(axis=1), np.zeros(120)], axis=1)
    return baseline, layer, signal + 0.5 * noise


def test_the_joint_model_equals_an_explicit_search_over_balances_and_penalties() -> None:
    baseline, layer, y = confounded()
    balances = (0.0, 1.0, 100.0, float("inf"))
    found = ladder(baseline, layer, y, alphas=ALPHAS, balances=balances[1:3])
    for fold, (train, test) in enumerate(KFold(5, shuffle=True, random_state=0).split(layer)):
        b = StandardScaler().fit(baseline[train]).transform(baseline)
        x = StandardScaler().fit(layer[train]).transform(layer)
        designs = [x, np.hstack([b, x]), np.hstack([10 * b, x]), b]
        errors = np.zeros((len(designs), len(ALPHAS), 3))
        for fitted, held in KFold(5, shuffle=True, random_state=0).split(train):
            for i, design in enumerate(designs):
                for j, alpha in enumerate(ALPHAS):
                    model = Ridge(alpha).fit(design[train][fitted], y[train][fitted])
                    miss = y[train][held] - model.predict(design[train][held])
                    errors[i, j] += (miss**2).sum(axis=0)
        for k in range(3):
            i, j = np.unravel_index(errors[:, :, k].argmin(), errors.shape[:2])
            assert found.balance[0, fold, k] == balances[i]
            assert found.alpha["joint"][0, fold, k] == ALPHAS[j]
            model = Ridge(ALPHAS[j]).fit(designs[i][train], y[train, k])
            expected = np.corrcoef(model.predict(designs[i][test]), y[test, k])[0, 1]
            assert found.r["joint"][0, fold, k] == pytest.approx(expected, abs=1e-8)


def test_unique_variance_goes_to_the_band_that_earned_it() -> None:
    baseline, layer, y = confounded()
    found = ladder(baseline, layer, y, alphas=ALPHAS)
    assert found.score("baseline")[0, 0] > 0.8
    assert found.unique[0, 0] == pytest.approx(0, abs=0.03)
    assert found.unique[0, 1] > 0.5
    assert found.unique_r2[0, 1] > 0.5
    assert found.score("joint")[0, 2] < 0.2


def test_each_rung_is_the_model_that_the_engine_fits_alone() -> None:
    baseline, layer, y = confounded()
    found = ladder(baseline, layer, y, alphas=ALPHAS)
    for rung, features in (("baseline", baseline), ("layer", layer)):
        alone = encode(features, y, alphas=ALPHAS)
        assert_array_equal(found.r[rung], alone.r)
        assert_array_equal(found.r2[rung], alone.r2)
        assert_array_equal(found.alpha[rung], alone.alpha)


def test_each_layer_may_have_its_own_baseline() -> None:
    baseline, layer, y = confounded()
    layers = np.stack([layer[:, :10], layer[:, 10:20]])
    own = np.stack([baseline, baseline[::-1]])
    both = ladder(own, layers, y, alphas=ALPHAS, balances=[1.0])
    for k in range(2):
        single = ladder(own[k], layers[k], y, alphas=ALPHAS, balances=[1.0])
        assert_array_equal(both.r["joint"][k], single.r["joint"][0])
    with pytest.raises(ValueError, match="3 baselines for 2 layers"):
        ladder(np.stack([baseline] * 3), layers, y, alphas=ALPHAS)


def test_a_layer_holds_nothing_that_it_does_not_share_with_itself() -> None:
    _, layer, y = confounded()
    assert_allclose(ladder(layer, layer, y, alphas=ALPHAS).unique[0, 1], 0, atol=0.02)


def test_both_bands_are_cut_to_one_width() -> None:
    """On components found beforehand from all rows, which are nearly those of the folds."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((120, 3))
    wide = latent @ rng.standard_normal((3, 40)) + 1e-3 * rng.standard_normal((120, 40))
    y = latent + 0.5 * rng.standard_normal((120, 3))
    baseline = rng.standard_normal((120, 2))
    cut = ladder(baseline, wide, y, alphas=ALPHAS, match_width=3)
    assert_allclose(cut.r["layer"], encode(wide, y, alphas=ALPHAS, match_width=3).r, atol=1e-9)
    assert_allclose(cut.score("joint"), cut.score("layer"), atol=0.05)


def test_features_that_do_not_vary_have_no_components_to_match() -> None:
    rng = np.random.default_rng(0)
    y, nothing = rng.normal(size=(60, 2)), np.ones((60, 8))
    found = ladder(nothing[:, :3], nothing, y, alphas=ALPHAS, match_width=4)
    assert all((found.r[rung] == 0).all() for rung in found.r)


def draw(n: int, width: int, columns: int, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Baseline, layer, and responses of the baseline, of the layer, of both, of neither."""
    rng = np.random.default_rng([n, width, columns])
    layer, baseline = rng.standard_normal((n, width)), rng.standard_normal((n, columns))
    if kind == "steep":
        layer /= np.arange(1, width + 1)
    elif kind == "one column is constant":
        baseline[:, 0] = 3
    elif kind == "the layer holds it":
        baseline[:, 0] = layer[:, -1]
    elif kind == "of few rows":
        baseline[:, 0] = np.arange(n) < n // 8
    elif kind == "constant":
        baseline = np.ones((n, columns))
    elif kind == "the layer is constant":
        layer = np.ones((n, width))
    parts = np.stack([baseline[:, 0], layer[:, :3].sum(axis=1)], axis=1)
    signal = parts @ np.array([[1, 0, 1, 0], [0, 1, 1, 0]])
    return baseline, layer, signal + 0.7 * rng.standard_normal((n, 4))


def assert_same(found: Ladder, expected: Ladder) -> None:
    for rung in RUNGS:
        assert_allclose(found.r[rung], expected.r[rung], atol=1e-6)
        assert_allclose(found.r2[rung], expected.r2[rung], atol=1e-6)


KINDS = ["random", "steep", "one column is constant", "the layer holds it", "of few rows"]
SCHEMES: dict[str, dict[str, Any]] = {
    "folds": {},
    "loo": {"inner_folds": "loo"},
    "groups": {"groups": np.arange(60) // 5},
    "loo of groups": {"groups": np.arange(60) % 11, "inner_folds": "loo"},
    "components": {"match_width": 4, "standardize": False},
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [5, 30, 90])
@pytest.mark.parametrize("kind", KINDS)
def test_a_narrow_baseline_stands_as_if_both_bands_were_factorized(
    kind: str, width: int, scheme: str
) -> None:
    drawn = draw(60, width, 1 + width % 4, kind)
    settings: Any = {"alphas": ALPHAS, **SCHEMES[scheme]}
    found, expected = ladder(*drawn, **settings), plain_ladder(*drawn, **settings)
    assert_same(found, expected)
    assert_array_equal(found.balance, expected.balance)
    for rung in RUNGS:
        assert_array_equal(found.alpha[rung], expected.alpha[rung])


@pytest.mark.parametrize("kind", ["constant", "the layer is constant"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_so_it_does_where_a_band_does_not_vary(kind: str, scheme: str) -> None:
    """There several penalties and balances are the same model."""
    drawn, settings = draw(60, 30, 2, kind), {"alphas": ALPHAS, **SCHEMES[scheme]}
    assert_same(ladder(*drawn, **settings), plain_ladder(*drawn, **settings))


def test_so_it_does_beside_a_layer_that_was_factorized_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("geomod.ridge.factor.FEW_ROWS", 50)
    baseline, layer, y = draw(100, 30, 2, "random")
    train = torch.as_tensor(layer[:80] - layer[:80].mean(axis=0))
    assert not factorize(train, fast=True).is_exact
    assert_same(
        ladder(baseline, layer, y, alphas=ALPHAS), plain_ladder(baseline, layer, y, alphas=ALPHAS)
    )


@pytest.mark.parametrize("width", [NARROW, NARROW + 1])
def test_a_baseline_is_the_same_on_either_side_of_narrow(width: int) -> None:
    drawn = draw(60, 30, width, "random")
    assert_same(ladder(*drawn, alphas=ALPHAS), plain_ladder(*drawn, alphas=ALPHAS))


def test_little_memory_changes_no_result() -> None:
    drawn = draw(60, 30, 2, "random")
    for scheme in ("folds", "loo"):
        settings: Any = {"alphas": ALPHAS, **SCHEMES[scheme]}
        assert_same(ladder(*drawn, memory_mb=0.001, **settings), ladder(*drawn, **settings))


def test_what_a_baseline_predicts_alone_is_found_once_a_fold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And a narrow baseline is the only thing that is fitted beside the layers."""
    fitted: list[int] = []

    def counting(sides: RowSides, *rest: Any) -> Any:
        fitted.append(sides.train.shape[1])
        return fit_fold(sides, *rest)

    monkeypatch.setattr("geomod.ridge.banded.fit_fold", counting)
    baseline, layer, y = draw(60, 30, 2, "random")
    shared = {"length": Baseline(baseline)}
    for checkpoint in (layer, layer[::-1]):
        layers = np.stack([checkpoint, 2 * checkpoint])
        encode(layers, y, alphas=ALPHAS, beside=Climb(shared, range(2)))
    assert fitted == [2] * 5


def test_balances_must_lie_between_the_rungs() -> None:
    drawn = draw(60, 5, 1, "random")
    for balances in ([], [0.0], [np.inf]):
        with pytest.raises(ValueError, match="balances must be finite numbers above 0"):
            ladder(*drawn, alphas=ALPHAS, balances=balances)
