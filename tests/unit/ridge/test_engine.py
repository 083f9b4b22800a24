"""The ridge engine gives what explicit loops give, on every shape and for every awkward input."""

import logging

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, KFold
from sklearn.preprocessing import StandardScaler

from geomod.ridge import blas, factor, penalties
from geomod.ridge.engine import encode, normalize
from geomod.ridge.scores import p_values
from tests.unit.ridge.ridge_oracle import nested_loop, planted

ALPHAS = np.logspace(-2, 8, 21)


@pytest.fixture(autouse=True, params=["float64", "float32", "as on a GPU"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything holds for small problems too where float32 is tried first, as for large ones.

    And where PyTorch computes everything, as it does on a GPU.
    """
    if request.param == "as on a GPU":
        monkeypatch.setattr(blas, "serves", lambda a: False)
    if request.param != "float64":
        monkeypatch.setattr(factor, "FEW_ROWS", 0)
        monkeypatch.setattr(penalties, "FEW_ROWS", 0)


# Longer than wide; inner training rows just fewer than columns; as many; wider than long.
SHAPES = [(60, 5), (60, 42), (60, 48), (60, 59), (60, 60), (40, 150)]


@pytest.mark.parametrize(("n", "width"), SHAPES)
@pytest.mark.parametrize("decay", [0.0, 2.0])
def test_scores_penalties_and_predictions_equal_the_explicit_loop(
    n: int, width: int, decay: float
) -> None:
    x, y = planted(n, width, decay=decay)
    found = encode(x, y, alphas=ALPHAS[::2], keep_predictions=True)
    oracle = nested_loop(x, y, ALPHAS[::2])
    assert_array_equal(found.alpha[0], oracle.alpha)
    assert found.predictions is not None
    assert_allclose(found.predictions[0], oracle.predictions, rtol=1e-6, atol=1e-8)
    assert_allclose(found.r[0], oracle.r, atol=1e-8)
    assert_allclose(found.r2[0], oracle.r2, atol=1e-7)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize(("n", "width"), [(30, 6), (30, 60)])
def test_leaving_one_out_equals_the_explicit_loop(n: int, width: int, standardize: bool) -> None:
    x, y = planted(n, width)
    alphas = np.logspace(-2, 8, 6)
    found = encode(x, y, alphas=alphas, inner_folds="loo", standardize=standardize)
    oracle = nested_loop(
        x, y, alphas, inner=lambda rows: [[k] for k in range(len(rows))], standardize=standardize
    )
    assert_array_equal(found.alpha[0], oracle.alpha)
    assert_allclose(found.r[0], oracle.r, atol=1e-8)


def test_leaving_one_out_equals_scikit_learns_ridge_cv() -> None:
    x, y = planted(80, 12)
    found = encode(x, y, alphas=ALPHAS, inner_folds="loo")
    folds = KFold(5, shuffle=True, random_state=0).split(x)
    for fold, (train, test) in enumerate(folds):
        scaler = StandardScaler().fit(x[train])
        model = RidgeCV(ALPHAS, alpha_per_target=True).fit(scaler.transform(x[train]), y[train])
        predicted = model.predict(scaler.transform(x[test]))
        assert_array_equal(found.alpha[0, fold], model.alpha_)
        for k in range(y.shape[1]):
            expected = np.corrcoef(predicted[:, k], y[test, k])[0, 1]
            assert found.r[0, fold, k] == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("width", [8, 150])
def test_himalaya_chooses_and_scores_the_same(width: int) -> None:
    kernel_ridge = pytest.importorskip("himalaya.kernel_ridge")
    x, y = planted(100, width)  # inner folds of one size, whose scores himalaya averages
    found = encode(x, y, alphas=ALPHAS)
    for fold, (train, test) in enumerate(KFold(5, shuffle=True, random_state=0).split(x)):
        scaler = StandardScaler().fit(x[train])
        model = kernel_ridge.KernelRidgeCV(
            alphas=ALPHAS,
            fit_intercept=True,
            cv=KFold(5, shuffle=True, random_state=0),
            warn=False,
        ).fit(scaler.transform(x[train]), y[train])
        predicted = model.predict(scaler.transform(x[test]))
        assert_allclose(found.alpha[0, fold], model.best_alphas_)
        for k in range(y.shape[1]):
            expected = np.corrcoef(predicted[:, k], y[test, k])[0, 1]
            assert found.r[0, fold, k] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("width", [5, 80])
def test_grouped_folds_with_groups_of_unequal_size(width: int) -> None:
    x, y = planted(60, width)
    groups = np.repeat(np.arange(12), [1, 2, 3, 4, 5, 6, 7, 8, 9, 5, 5, 5])

    def by_group(folds: int) -> object:
        return lambda rows: [test for _, test in GroupKFold(folds).split(rows, groups=groups[rows])]

    found = encode(x, y, alphas=ALPHAS, folds=4, inner_folds=3, groups=groups)
    oracle = nested_loop(x, y, ALPHAS, outer=by_group(4), inner=by_group(3))
    assert_array_equal(found.alpha[0], oracle.alpha)
    assert_allclose(found.r[0], oracle.r, atol=1e-8)


def test_contiguous_folds() -> None:
    x, y = planted(50, 8)
    found = encode(x, y, alphas=ALPHAS, scheme="contiguous")
    runs = lambda rows: np.array_split(np.arange(len(rows)), 5)  # noqa: E731
    oracle = nested_loop(x, y, ALPHAS, outer=runs, inner=runs)
    assert_allclose(found.r[0], oracle.r, atol=1e-8)


@pytest.mark.parametrize(("n", "width"), [(60, 20), (60, 100)])
def test_matched_width_is_a_pca_of_the_training_rows(n: int, width: int) -> None:
    x, y = planted(n, width)
    found = encode(x, y, alphas=ALPHAS, match_width=7)
    oracle = nested_loop(x, y, ALPHAS, components=7)
    assert_array_equal(found.alpha[0], oracle.alpha)
    assert_allclose(found.r[0], oracle.r, atol=1e-8)


def test_a_width_that_matches_already_is_left_alone() -> None:
    x, y = planted(60, 7)
    assert_allclose(
        encode(x, y, alphas=ALPHAS, match_width=512).r, encode(x, y, alphas=ALPHAS).r, atol=1e-12
    )


# With 58 columns what is left of the training rows is fitted whatever the responses are, or nearly.
@pytest.mark.parametrize(
    ("width", "inner_folds"), [(30, 5), (30, "loo"), (58, 5), (120, 5), (120, "loo")]
)
def test_thousands_of_targets_score_as_a_few_do(width: int, inner_folds: int | str) -> None:
    x, y = planted(80, width, targets=150)
    many = encode(x, y, alphas=ALPHAS, inner_folds=inner_folds, keep_predictions=True)
    few = [
        encode(x, part, alphas=ALPHAS, inner_folds=inner_folds, keep_predictions=True)
        for part in np.array_split(y, 15, axis=1)
    ]
    assert_array_equal(many.alpha, np.concatenate([f.alpha for f in few], axis=2))
    assert_allclose(many.r, np.concatenate([f.r for f in few], axis=2), atol=2e-5)
    expected = np.concatenate([f.predictions for f in few], axis=2)
    assert_allclose(many.predictions, expected, rtol=1e-5, atol=1e-5 * np.abs(y).max())


@pytest.mark.parametrize("targets", [3, 120])
@pytest.mark.parametrize("inner_folds", [5, "loo"])
def test_a_tight_memory_budget_changes_no_number(targets: int, inner_folds: int | str) -> None:
    x, y = planted(60, 80, targets=targets)
    arguments = {"alphas": ALPHAS, "inner_folds": inner_folds, "permutations": 7}
    tight = encode(x, y, memory_mb=0.01, **arguments)
    roomy = encode(x, y, **arguments)
    assert_array_equal(tight.alpha, roomy.alpha)
    assert_allclose(tight.r, roomy.r, atol=1e-5)
    assert_allclose(tight.null, roomy.null, atol=1e-5)


def test_layers_in_one_batch_are_single_layers_side_by_side() -> None:
    x, y = planted(50, 24)
    layers = np.stack([x[:, :8], x[:, 8:16], x[:, 16:]])
    batch = encode(layers, y, alphas=ALPHAS, permutations=5)
    for layer, features in enumerate(layers):
        single = encode(features, y, alphas=ALPHAS, permutations=5)
        assert_array_equal(batch.r[layer], single.r[0])
        assert_array_equal(batch.null[layer], single.null[0])


# Awkward features


@pytest.mark.parametrize("width", [40, 120])
def test_penalties_next_to_zero_stay_finite(width: int) -> None:
    x, y = planted(60, width)
    found = encode(x, y, alphas=np.logspace(-30, 29, 60))
    assert np.isfinite(found.r).all()
    likewise = encode(x, y, alphas=np.logspace(-9, 29, 39))
    assert_allclose(found.r, likewise.r, atol=1e-3)


def test_leaving_out_a_row_remembers_the_intercept() -> None:
    """Centred rows sum to zero; without 1/n in H the row that is left out is given away.

    Where width ≥ rows the smallest penalty then wins for pure noise; it must not.
    """
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 200)), rng.standard_normal((60, 20))
    for inner_folds in ("loo", 5):
        found = encode(x, y, alphas=ALPHAS, inner_folds=inner_folds)
        assert np.median(found.alpha) >= 1e2
        assert found.at_edge[0] < found.alpha.size / 10


def test_rank_deficient_features() -> None:
    x, y = planted(60, 6)
    x = x @ np.random.default_rng(1).standard_normal((6, 100))
    found = encode(x, y, alphas=ALPHAS)
    oracle = nested_loop(x, y, ALPHAS)
    assert_array_equal(found.alpha[0], oracle.alpha)
    assert_allclose(found.r[0], oracle.r, atol=1e-7)


def test_half_precision_features_are_computed_in_full() -> None:
    x, y = planted(60, 20)
    half = (300 * x).astype(np.float16)
    assert_array_equal(
        encode(half, y, alphas=ALPHAS).r, encode(half.astype(np.float64), y, alphas=ALPHAS).r
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_column_of_rounding_noise_is_constant(dtype: type) -> None:
    x, y = planted(60, 10)
    x = x.astype(dtype)
    noise = np.full((60, 3), 7.3, dtype)
    noise[::2, 1] = np.nextafter(dtype(7.3), dtype(8))  # carries nothing but looks like a code
    noise[:, 2] = 0
    assert_array_equal(
        encode(np.hstack([x, noise]), y, alphas=ALPHAS).alpha, encode(x, y, alphas=ALPHAS).alpha
    )
    assert_allclose(
        encode(np.hstack([x, noise]), y, alphas=ALPHAS).r,
        encode(x, y, alphas=ALPHAS).r,
        atol=1e-10,
    )


def test_an_outlying_column_with_a_small_spread_is_kept() -> None:
    rng = np.random.default_rng(0)
    signal = rng.standard_normal(60)
    x = (1000 + 0.1 * signal).astype(np.float32)[:, None]
    found = encode(x, signal[:, None], alphas=ALPHAS)
    assert found.score[0, 0] > 0.99


@pytest.mark.parametrize("targets", [2, 40])
def test_constant_features_explain_nothing(targets: int, caplog: pytest.LogCaptureFixture) -> None:
    y = np.random.default_rng(0).standard_normal((30, targets))
    with caplog.at_level(logging.WARNING):
        found = encode(np.full((30, 4), 0.1), y, alphas=ALPHAS, permutations=9)
    assert (found.r == 0).all()
    assert (found.p_permutation == 1).all()
    assert found.constant == found.r.size
    assert "constant predictions or responses scored 0" in caplog.text


def test_features_that_vary_in_few_rows_alone() -> None:
    """In some inner folds nothing varies that was not held out."""
    rng = np.random.default_rng(0)
    x, y = np.zeros((40, 3)), rng.standard_normal((40, 50))
    x[:2] = rng.standard_normal((2, 3))
    found = encode(x, y, alphas=ALPHAS)
    assert np.isfinite(found.r).all()
    assert_allclose(found.r[..., :5], encode(x, y[:, :5], alphas=ALPHAS).r, atol=1e-6)


@pytest.mark.parametrize("inner_folds", [5, "loo"])
def test_more_cores_change_no_number(inner_folds: int | str) -> None:
    x, y = planted(60, 80)
    layers = np.stack([x[:, :40], x[:, 40:]])
    arguments = {"alphas": ALPHAS, "inner_folds": inner_folds, "permutations": 5}
    before = torch.get_num_threads()
    found = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        found.append(encode(layers, y, **arguments))
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert_array_equal(found[0].r, found[1].r)
    assert_array_equal(found[0].null, found[1].null)


def test_a_constant_response_is_explained_by_nothing() -> None:
    x, y = planted(40, 6)
    y[:, 1] = 0.1
    found = encode(x, y, alphas=ALPHAS, permutations=9)
    assert (found.r[..., 1] == 0).all()
    assert (found.r2[..., 1] == 0).all()
    assert (found.p_permutation[..., 1] == 1).all()
    assert (found.alpha[..., 1] == ALPHAS[0]).all()  # every penalty is as good: the first
    assert found.constant == 5
    assert_allclose(found.r[..., [0, 2]], encode(x, y[:, [0, 2]], alphas=ALPHAS).r, atol=1e-9)


def test_ties_between_penalties_go_to_the_first() -> None:
    x, y = planted(40, 6)
    assert (encode(x, np.zeros_like(y), alphas=[5.0, 1.0, 5.0]).alpha == 5).all()


def test_choices_at_the_edge_of_the_grid_are_counted_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    x, y = planted(60, 5, targets=2)
    y = x[:, :2]
    with caplog.at_level(logging.WARNING):
        found = encode(x, y, alphas=[1e4, 1e5])
    assert found.at_edge == (10, 0)
    assert "10 are the grid's smallest (10000)" in caplog.text


# Properties


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), width=st.integers(2, 60))
def test_rotating_features_changes_nothing(seed: int, width: int) -> None:
    x, y = planted(30, width, seed=seed)
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((width, width)))[0]
    arguments = {"alphas": np.logspace(-1, 6, 8), "folds": 3, "standardize": False}
    assert_allclose(encode(x @ rotation, y, **arguments).r, encode(x, y, **arguments).r, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), width=st.integers(2, 60))
def test_duplicating_features_is_halving_the_penalty(seed: int, width: int) -> None:
    x, y = planted(30, width, seed=seed)
    alphas = np.logspace(-1, 6, 8)
    twice = encode(np.hstack([x, x]), y, alphas=2 * alphas, folds=3)
    once = encode(x, y, alphas=alphas, folds=3)
    assert_allclose(twice.alpha, 2 * once.alpha)
    assert_allclose(twice.r, once.r, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(-50, 50), scale=st.floats(0.01, 100))
def test_shifting_and_scaling_responses_changes_no_score(
    seed: int, shift: float, scale: float
) -> None:
    x, y = planted(30, 20, seed=seed)
    arguments = {"alphas": np.logspace(-1, 6, 8), "folds": 3}
    moved = encode(x, scale * y + shift, **arguments)
    assert_allclose(moved.r, encode(x, y, **arguments).r, atol=1e-6)


# Results


def test_summaries_over_folds() -> None:
    x, y = planted(50, 6)
    found = encode(x, y, alphas=ALPHAS)
    assert_allclose(found.score, found.r.mean(axis=1))
    assert_allclose(found.score_sd[0, 0], np.std(found.r[0, :, 0], ddof=1))
    assert_allclose(found.alpha_median, np.median(found.alpha, axis=1))


def test_normalized_scores_are_neither_clipped_nor_made_up() -> None:
    found = normalize([0.3, 0.6, -0.1, 0.2, 0.2, 0.2], [0.5, 0.5, 0.5, 0, -0.1, np.nan])
    assert_allclose(found[:3], [0.6, 1.2, -0.2])
    assert np.isnan(found[3:]).all()


def test_p_values_count_the_observed_among_the_null() -> None:
    null = np.arange(9.0).reshape(1, 9, 1)
    assert p_values(np.array([[7.0]]), null)[0, 0] == pytest.approx(0.3)
    assert p_values(np.array([[99.0]]), null)[0, 0] == pytest.approx(0.1)
    assert p_values(np.array([[-1.0]]), null)[0, 0] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.ones((9, 2))}, "same n"),
        ({"responses": np.ones((10, 2, 2))}, "same n"),
        ({"features": {0: np.ones((10, 3)), 1: np.ones((9, 3))}}, "same n"),
        ({"features": np.array([[np.nan, 1.0]] * 10)}, "features must be finite.*row 0, column 0"),
        ({"responses": np.array([[1.0, np.inf]] * 10)}, "responses must be finite.*column 1"),
        ({"alphas": [0.0, 1.0]}, "above 0"),
        ({"alphas": []}, "above 0"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change: dict, message: str) -> None:
    x, y = planted(10, 3)
    arguments = {"features": x, "responses": y, "alphas": ALPHAS} | change
    with pytest.raises(ValueError, match=message):
        encode(**arguments)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("targets", [3, 200])
def test_a_gpu_gives_the_same(targets: int) -> None:
    x, y = planted(80, 100, targets=targets)
    on_gpu = encode(x, y, alphas=ALPHAS, permutations=11, device="cuda")
    on_cpu = encode(x, y, alphas=ALPHAS, permutations=11)
    assert_array_equal(on_gpu.alpha, on_cpu.alpha)
    assert_allclose(on_gpu.r, on_cpu.r, atol=1e-5)
    assert_allclose(on_gpu.null, on_cpu.null, atol=1e-5)
