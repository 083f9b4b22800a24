"""Partial correlations, nulls and size trends against closed forms and libraries."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from geomod.claims.claim import Truth
from geomod.coupling.mixed import independent_columns, leave_one_size_out, mixed_model, spline
from geomod.coupling.other_tests import (
    CURVES_TESTS,
    circular_shift_p,
    whole_curve_null,
)
from geomod.coupling.size import trend
from geomod.coupling.within_depth import (
    depth_degree,
    mean_effect,
    partial_correlation,
    semi_partial_r2,
    wave_error,
    wave_null,
    within_depth,
)
from geomod.curves.curves import NORM, gather, last_decade, mean_ignoring_nan
from geomod.curves.estimates import (
    false_discovery_rate,
    mean_and_se,
    permutation_p,
    t_interval,
)
from geomod.modules.decade import errors_of_mean, places_in_decade
from geomod.modules.low_high import (
    beyond_depth,
    contrast,
    error_of,
    fold_variance,
    labels_and_score,
    late_contrast,
    low_high_table,
    sliding_null,
)
from geomod.scrutiny.synthetic import Design, Frame, Scatter, as_tables, simulate

NOISE = Scatter(smooth=0.3, rough=0.1, noise=0.1, rho=0.5, rho_depth=0.3)
ONE_MODEL = Design(
    (Frame("toy-1", 1e5, (0, 1, 2, 4, 8), 3),), ("IFG", "netw"), 2, NOISE, NOISE, person=0.1
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_partial_correlation_is_that_of_the_precision_matrix(rng: np.random.Generator) -> None:
    data = rng.standard_normal((50, 4)) @ rng.standard_normal((4, 4))
    r, p = partial_correlation(data[:, 0], data[:, 1], data[:, 2:])
    precision = np.linalg.inv(np.cov(data.T))
    assert r == pytest.approx(-precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1]))
    ols = sm.OLS(data[:, 1], sm.add_constant(data[:, [0, 2, 3]])).fit()
    assert p == pytest.approx(ols.pvalues[1])
    full = sm.OLS(data[:, 1], sm.add_constant(data[:, [0, 2, 3]])).fit().rsquared
    base = sm.OLS(data[:, 1], sm.add_constant(data[:, 2:])).fit().rsquared
    assert semi_partial_r2(data[:, 0], data[:, 1], data[:, 2:]) == pytest.approx(full - base)


def test_without_controls_it_is_scipys(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((2, 30))
    none = np.empty((30, 0))
    assert partial_correlation(x, y, none) == pytest.approx(tuple(stats.pearsonr(x, y)))
    ranks = [stats.rankdata(v) for v in (x, y)]
    r, p = partial_correlation(x, y, none, "spearman")
    assert r == pytest.approx(np.corrcoef(ranks)[0, 1])
    assert p == pytest.approx(stats.spearmanr(x, y).pvalue)


def test_nothing_left_is_nan(rng: np.random.Generator) -> None:
    x = rng.standard_normal(10)
    assert np.isnan(partial_correlation(np.ones(10), x, x[:, None])[0])
    assert np.isnan(partial_correlation(3 * x + 1, rng.standard_normal(10), x[:, None])[0])
    assert np.isnan(partial_correlation(x[:2], x[:2], x[:2, None])[0])


def test_within_depth_takes_out_step_depth_and_controls(rng: np.random.Generator) -> None:
    depth = np.linspace(0, 1, 8)
    steps = rng.standard_normal((6, 3))
    smooth = steps @ np.array([depth**0, depth, depth**2])
    values, control = rng.standard_normal((2, 6, 8))
    np.testing.assert_allclose(within_depth(smooth + values), within_depth(values), atol=1e-10)
    np.testing.assert_allclose(within_depth(smooth), 0, atol=1e-12)
    loss = np.repeat(rng.standard_normal((6, 1)), 8, axis=1)
    np.testing.assert_allclose(within_depth(values, [loss]), within_depth(values), atol=1e-12)
    rest = within_depth(values, [control])
    assert abs((rest * within_depth(control)).sum()) < 1e-10
    np.testing.assert_allclose(within_depth(3 * control + smooth, [control]), 0, atol=1e-10)


@pytest.mark.parametrize(("layers", "degree"), [(1, 0), (3, 0), (4, 1), (5, 2), (24, 2)])
def test_degree_leaves_layers_to_test_with(layers: int, degree: int) -> None:
    assert depth_degree(layers) == degree


def test_waves_keep_the_correlation_and_flip_its_sign(rng: np.random.Generator) -> None:
    x, y = (within_depth(a) for a in rng.standard_normal((2, 10, 12)))
    r, null = wave_null((x, y), 5000, rng)
    assert wave_null((x, x), 10, rng)[0] == pytest.approx(1)
    assert wave_null((x, -x), 10, rng)[0] == pytest.approx(-1)
    # Low waves are all but empty after the parabola, so that little of r is lost.
    assert r == pytest.approx((x * y).sum() / np.linalg.norm(x) / np.linalg.norm(y), abs=0.05)
    assert abs(null.mean()) < 0.02


def test_whole_curve_null_is_the_loop(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((2, 6, 4))
    value, null = whole_curve_null((x, y), 2000, rng)
    norm = np.linalg.norm(x) * np.linalg.norm(y)
    assert value == pytest.approx((x * y).sum() / norm)
    from itertools import permutations

    every = {round((x[:, list(o)] * y).sum() / norm, 9) for o in permutations(range(4))}
    assert {round(v, 9) for v in null} == every


def test_null_holds_its_level_where_neighbours_are_alike(rng: np.random.Generator) -> None:
    def curves() -> np.ndarray:
        return within_depth(np.cumsum(rng.standard_normal((8, 14)), axis=1).cumsum(axis=0))

    p = [permutation_p(*mean_effect([(curves(), curves())] * 1, 199, rng)[:2]) for _ in range(300)]
    assert np.mean(np.array(p) <= 0.05) <= 0.09  # P(> .09 | .05) < .002


def test_error_of_z_is_the_spread_over_repetitions(rng: np.random.Generator) -> None:
    found, errors = [], []
    for _ in range(300):
        x = within_depth(rng.standard_normal((5, 24)))
        y = within_depth(-0.6 * x + rng.standard_normal((5, 24)))
        found.append(np.arctanh(wave_null((x, y), 1, rng)[0]))
        errors.append(wave_error((x, y)))
    assert np.mean(errors) == pytest.approx(np.std(found), rel=0.15)
    assert np.isnan(wave_error((np.zeros((5, 24)), x)))


def test_coupling_is_found_by_every_test(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 10, 12))
    pairs = [(a, -2 * a + rng.standard_normal((10, 12))) for a in x]
    assert all(test(pairs, 199, rng) < 0.05 for test in CURVES_TESTS.values())
    z, null, by_model = mean_effect(
        [(within_depth(a), within_depth(b)) for a, b in pairs], 499, rng
    )
    assert permutation_p(z, null) < 0.05
    assert (by_model[:, 0] < 0).all()
    assert circular_shift_p(x[0, :, 0], pairs[0][1][:, 0], np.arange(10.0)) == pytest.approx(0.1)


def test_no_pairs_give_nothing(rng: np.random.Generator) -> None:
    z, null, by_model = mean_effect([], 9, rng)
    assert np.isnan(z)
    assert by_model.shape == (0, 2)
    assert np.isnan(permutation_p(z, null))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_q_is_the_step_up_procedure(p: list[float]) -> None:
    q = false_discovery_rate(p)
    order = np.sort(p)
    for alpha in (0.01, 0.05, 0.3):
        passing = np.flatnonzero(order <= alpha * np.arange(1, len(p) + 1) / len(p) + 1e-12)
        count = passing[-1] + 1 if len(passing) else 0
        assert (q <= alpha + 1e-9).sum() == count
    np.testing.assert_array_equal(
        np.isnan(false_discovery_rate([*p, np.nan])), [False] * len(p) + [True]
    )


def test_intervals_of_means(rng: np.random.Generator) -> None:
    values = rng.standard_normal(9)
    value, se, df = mean_and_se(np.append(values, np.nan))
    expected = stats.t.interval(0.95, 8, values.mean(), values.std(ddof=1) / 3)
    assert t_interval(value, se, df) == pytest.approx(expected)
    assert np.isnan(t_interval(1.0, np.nan, 3)[0])
    assert np.isnan(mean_and_se(np.array([np.nan]))[0])


def test_size_trend_is_weighted_least_squares() -> None:
    parameters = np.array([1e6, 1e7, 1e8, 1e9])
    effect, se = np.array([0.1, 0.35, 0.4, 0.8]), np.array([0.1, 0.2, 0.1, 0.3])
    found = trend(parameters, effect, se)
    assert found is not None
    fit = sm.WLS(effect, sm.add_constant(np.log10(parameters)), weights=1 / se**2).fit()
    assert found.slope == pytest.approx(fit.params[1])
    assert found.dispersion == pytest.approx(fit.scale)
    assert (found.low, found.high) == pytest.approx(tuple(fit.conf_int()[1]))
    assert found.p == pytest.approx(fit.pvalues[1])


def test_sizes_off_the_line_widen_the_interval() -> None:
    parameters, se = np.array([1e6, 1e7, 1e8, 1e9, 1e10]), np.full(5, 0.01)
    found = trend(parameters, np.array([0.0, 1.0, 0.0, 1.0, 0.0]), se)
    assert found is not None
    assert found.dispersion > 100
    assert found.high - found.low > 5 * (found.fixed_high - found.fixed_low)


@pytest.mark.parametrize("sizes", [0, 1, 2])
def test_few_sizes_have_no_trend(sizes: int) -> None:
    assert trend(np.array([1e6, 1e7])[:sizes], np.ones(sizes), np.ones(sizes)) is None
    assert trend(np.full(4, 1e6), np.arange(4.0), np.ones(4)) is None


def test_contrast_and_its_shifts() -> None:
    score = np.array([[1.0, 2.0, 5.0, 6.0]])
    low = np.array([[0.0, 0.0, 1.0, 1.0]])
    np.testing.assert_allclose(contrast(score, low), 4)
    np.testing.assert_allclose(sliding_null(score, low), [4, 0, -4, 0])
    assert np.isnan(contrast(score, np.ones((1, 4))))[0]


def test_errors_of_participants_and_folds_add(rng: np.random.Generator) -> None:
    people, folds = rng.standard_normal((2, 5))
    between = people.var(ddof=1) / 5
    overlap = fold_variance(folds)
    se, df, units = error_of(people, folds)
    assert se == pytest.approx(np.sqrt(between + overlap))
    assert df == pytest.approx((between + overlap) ** 2 / (between**2 / 4 + overlap**2 / 4))
    assert units == "participants and sentence folds"
    assert error_of(people, np.empty(0)) == (pytest.approx(np.sqrt(between)), 4, "participants")
    assert error_of(np.empty(0), folds)[2] == "sentence folds"
    assert np.isnan(error_of(people[:1], np.empty(0))[0])


def test_late_checkpoints_are_units_of_each_model(rng: np.random.Generator) -> None:
    people = rng.standard_normal(5)
    first = np.linspace(0.1, 1, 4), rng.standard_normal(4)
    second = np.linspace(0.2, 1, 3), rng.standard_normal(3)
    parts = [(people.var(ddof=1) / 5, 4), *errors_of_mean([first, second])]
    variances, freedom = np.array(parts).T
    se, df, units = error_of(people, np.empty(0), [first, second])
    assert se == pytest.approx(np.sqrt(variances.sum()))
    assert df == pytest.approx(variances.sum() ** 2 / (variances**2 / freedom).sum())
    assert units == "participants and late checkpoints"
    assert (
        error_of(people, people, [first])[2] == "participants, sentence folds and late checkpoints"
    )
    # One checkpoint says nothing of others; a model that has more speaks for itself alone.
    alone = first[0][:1], first[1][:1]
    assert error_of(people, np.empty(0), [alone]) == error_of(people, np.empty(0))
    both = error_of(np.empty(0), np.empty(0), [second, alone])
    assert both[0] == pytest.approx(error_of(np.empty(0), np.empty(0), [second])[0] / 2)


def test_late_checkpoints_are_judged_in_the_scores_that_the_estimate_is_made_of() -> None:
    """An average brain is less noisy than its people, so that its scores are higher."""
    (curves,) = simulate(ONE_MODEL, Truth(), np.random.default_rng(0))
    modules = pd.DataFrame(
        [(curves.model, s, layer, ("low", "high", "low")[layer - 1])
         for s in (2, 8) for layer in curves.layers],
        columns=["model", "step", "layer", "module"],
    )  # fmt: skip
    found = late_contrast(replace(curves, score=2 * curves.score), modules, ["netw"])
    assert found is not None
    places, course = found.course
    np.testing.assert_allclose(course, found.steps / 2)
    assert course.mean() == pytest.approx(found.people.mean())
    np.testing.assert_allclose(places, places_in_decade(curves.steps)[[2, 4]])
    alone = late_contrast(replace(curves, people=curves.people[:0]), modules, ["netw"])
    assert alone is not None
    assert len(alone.course[0]) == len(alone.people) == 0


@pytest.mark.parametrize(
    ("person", "step", "both"), [(1, 0, 0), (0, 1, 0), (0.3, 1, 0), (1, 0.3, 0), (0.5, 0.5, 1)]
)
def test_the_interval_covers_what_other_people_and_checkpoints_would_give(
    person: float, step: float, both: float
) -> None:
    """Three models, five participants, four late checkpoints: effects of each and of both."""
    rng, draws, covered, narrow = np.random.default_rng(0), 600, 0, 0
    places = np.arange(1, 5) / 4
    for _ in range(draws):
        values = (
            person * rng.standard_normal((1, 5, 1))
            + step * rng.standard_normal((3, 1, 4))
            + both * rng.standard_normal((3, 5, 4))
        )
        for late in (values.mean(axis=1), ()):
            se, df, _ = error_of(
                values.mean(axis=(0, 2)), np.empty(0), [(places, each) for each in late]
            )
            low, high = t_interval(float(values.mean()), se, df)
            covered += low <= 0 <= high if len(late) else 0
            narrow += low <= 0 <= high if not len(late) else 0
    assert covered / draws >= 0.93  # P(< .93 | .95) = .02, seed fixed
    if step > person:
        assert narrow / draws < 0.8  # without checkpoints as units


def test_low_minus_high_of_every_step_and_region() -> None:
    (curves,) = simulate(ONE_MODEL, Truth(), np.random.default_rng(0))
    modules = pd.DataFrame(
        [(curves.model, s, layer, ("low", "high", "low")[layer - 1])
         for s in curves.steps[1:] for layer in curves.layers],
        columns=["model", "step", "layer", "module"],
    )  # fmt: skip
    table = low_high_table([curves], modules).set_index(["step", "region"])
    assert len(table) == 5 * 2
    assert np.isnan(table.loc[(0, "IFG"), "low_minus_high"])
    row = table.loc[(8, "netw")]
    score = curves.of(["netw"])[-1]
    assert row["low_minus_high"] == pytest.approx((score[0] + score[2]) / 2 - score[1])
    assert row["low"] < row["low_minus_high"] < row["high"]
    assert row["units"] == "participants"


def test_beyond_depth_is_the_slope_given_a_parabola(rng: np.random.Generator) -> None:
    score, low = rng.standard_normal((5, 9)), np.tile(np.arange(9) >= 4, (5, 1)).astype(float)
    pair = labels_and_score(score, low)
    assert pair is not None
    depth = np.linspace(0, 1, 9)
    dummies = np.kron(np.eye(5), np.vander(depth, 3))
    ols = sm.OLS(score.ravel(), np.column_stack([low.ravel(), dummies])).fit()
    assert beyond_depth(pair) == pytest.approx(ols.params[0])
    assert labels_and_score(score[:, :2], low[:, :2]) is None


def test_variance_of_folds_counts_their_overlap() -> None:
    folds = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    assert fold_variance(folds) == pytest.approx((0.2 + 0.25) * folds.var(ddof=1))
    assert np.isnan(fold_variance(folds[:1]))


def table_with(rng: np.random.Generator, slope: float, models: int = 3) -> pd.DataFrame:
    rows = []
    for model in range(models):
        for layer in range(8):
            level = 0.1 * rng.standard_normal()
            for time in np.linspace(0, 3, 12):
                x, e = rng.standard_normal(2)
                y = slope * x + 0.1 * time + level + 0.1 * rng.standard_normal()
                rows.append((f"m{model}", layer, time, layer / 7, y, e, x))
    names = ["model", "layer", "time", "depth", "score", "entropy", "curvature"]
    return pd.DataFrame(rows, columns=names)


def test_mixed_model_finds_the_slope(rng: np.random.Generator) -> None:
    found = mixed_model(table_with(rng, -0.2))
    assert found["curvature"]["coefficient"] == pytest.approx(-0.2, abs=0.03)
    assert found["curvature"]["p"] < 1e-6
    assert found["entropy"]["p"] > 0.001
    assert "failed" in mixed_model(table_with(rng, 0.0, models=1))


def test_other_sizes_predict_the_one_left_out(rng: np.random.Generator) -> None:
    rows = leave_one_size_out(table_with(rng, -0.2))
    assert [row["model"] for row in rows] == ["m0", "m1", "m2"]
    assert all(row["r2"] > 0.4 for row in rows)
    assert all(row["r2"] < 0.05 for row in leave_one_size_out(table_with(rng, 0.0)))
    assert leave_one_size_out(table_with(rng, 0.0, models=1)) == []


def test_spline_spans_cubics_and_columns_are_independent() -> None:
    x = np.linspace(0, 5, 19)
    design = np.column_stack([np.ones(19), spline(x)])
    cubic = 1 + x - x**2 + 0.3 * x**3
    np.testing.assert_allclose(design @ np.linalg.lstsq(design, cubic, rcond=None)[0], cubic)
    assert independent_columns(np.column_stack([x, 2 * x, x**2, 0 * x])) == [0, 2]


def test_tables_become_cubes() -> None:
    geometry = pd.DataFrame(
        [
            ("a", s, layer, m, v, 10 * s + layer)
            for s in (0, 1, 8)
            for layer in range(3)
            for m, v in (("entropy", "raw"), ("curvature", "hosseini"))
        ],
        columns=["model", "step", "layer", "metric", "variant", "mean"],
    )
    encoding = pd.DataFrame(
        [
            ("a", s, layer, r, p, s + layer / 10)
            for s in (0, 1, 8)
            for layer in range(3)
            for r in ("IFG", "netw")
            for p in ("average", "x", "y")
        ],
        columns=["model", "step", "layer", "region", "participant", "score"],
    ).iloc[:-1]
    encoding = encoding[encoding["step"] != 1]
    (found,) = gather(geometry.sample(frac=1, random_state=0), encoding)
    assert list(found.steps) == [0, 8]
    assert list(found.layers) == [1, 2]
    assert found.participants == ("x", "y")
    np.testing.assert_allclose(found.metrics["curvature"], [[1, 2], [81, 82]])
    np.testing.assert_allclose(found.of(["netw", "absent"]), [[0.1, 0.2], [8.1, 8.2]])
    assert np.isnan(found.people[1, 1, 1, 1])
    assert found.controls == {}


def test_the_size_of_the_activations_is_a_control_where_it_was_measured() -> None:
    (curves,) = simulate(ONE_MODEL, Truth(), np.random.default_rng(0))
    tables = as_tables([curves])
    geometry, encoding = tables["geometry"], tables["encoding"]
    size = geometry[geometry["metric"] == "entropy"].assign(metric="norm", variant="log")
    surprisal = pd.DataFrame({"model": curves.model, "step": curves.steps, "surprisal": 1.5})
    (found,) = gather(pd.concat([geometry, size]), encoding, covariates=surprisal)
    entropy = curves.metrics["entropy"]
    np.testing.assert_array_equal(found.controls[NORM], entropy)
    np.testing.assert_array_equal(found.controls["surprisal"], np.full(entropy.shape, 1.5))


def test_tables_of_a_simulated_sweep_are_gathered_to_the_same_curves() -> None:
    (curves,) = simulate(ONE_MODEL, Truth(), np.random.default_rng(0))
    tables = as_tables([curves])
    (found,) = gather(tables["geometry"], tables["encoding"], tables["models"])
    for name in ("steps", "layers", "score", "people"):
        np.testing.assert_array_equal(getattr(found, name), getattr(curves, name))
    np.testing.assert_equal(found.metrics, curves.metrics)
    assert (found.model, found.regions, found.parameters) == ("toy-1", ("IFG", "netw"), 1e5)


def test_last_decade_and_means() -> None:
    np.testing.assert_array_equal(last_decade([0, 1, 10, 99, 100]), [0, 0, 1, 1, 1])
    values = np.array([[1.0, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(mean_ignoring_nan(values, axis=1), [1, np.nan])
