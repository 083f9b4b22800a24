"""λ against closed forms, Fieller's interval against its definition, and what models share."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from geomod.competence.position import (
    Means,
    means,
    position,
    positive,
    robust_covariance,
    shared_covariance,
)
from geomod.competence.times import Courses, alike, leads, times_of
from geomod.curves.curves import log_step
from geomod.curves.settings import Settings
from geomod.emergence.noise import autoregressive

STEPS = (0, *(2**k for k in range(10)), *(1000 * 2**k for k in range(8)), 143000)
TIME = log_step(STEPS)
NAMES = ("A", "F", "G")


def course(middles: tuple[float, float, float], model: str = "m") -> Courses:
    curves = {name: expit((TIME - m) / 0.3) for name, m in zip(NAMES, middles, strict=True)}
    people = np.stack([curves["A"]] * 3)
    return Courses(model, TIME, curves, {"A": people}, {}, {"A": 1.0})


@pytest.mark.parametrize("true", [-0.5, 0.0, 0.5, 1.0])
def test_lambda_of_logistics_is_where_their_midpoints_are(true: float) -> None:
    starts = [2.5, 2.8, 3.1]
    courses = [
        course((f + true * g, f, f + g), f"m{f}")
        for f, g in zip(starts, (0.7, 0.8, 0.9), strict=True)
    ]
    rng = np.random.default_rng(0)
    times = times_of(courses, ["A"], ["F", "G"], Settings(bootstrap=40), rng, draws=0)
    found = position(leads(times, "F", ["A", "G"]))
    assert found.value == pytest.approx(true, abs=0.01)
    assert found.low <= true + 0.01
    assert found.high >= true - 0.01
    assert found.gap == pytest.approx(0.8, abs=0.01)


def test_an_alignment_that_is_competence_lies_with_it_even_before_it_arrives() -> None:
    slow, fast = expit((TIME - 4.4) / 0.9), expit((TIME - 2.6) / 0.3)
    rng = np.random.default_rng(0)
    for true, alignment in ((0.0, fast), (1.0, slow)):
        people = {"A": np.empty((0, len(TIME)))}
        curves = {"A": alignment, "F": fast, "G": slow}
        one = Courses("m", TIME, curves, people, {}, {"A": 1.0})
        times = times_of([one], ["A"], ["F", "G"], Settings(bootstrap=40), rng, draws=0)
        assert position(leads(times, "F", ["A", "G"])).value == pytest.approx(true, abs=0.01)


def test_fiellers_bounds_are_where_the_t_of_a_minus_lambda_g_reaches_its_quantile() -> None:
    rng = np.random.default_rng(1)
    values = np.array([0.3, 0.8]) + 0.05 * rng.standard_normal((6, 2))
    found = position(means(values))
    reach = stats.t.ppf(0.975, 5)
    for bound in (found.low, found.high):
        t, _ = stats.ttest_1samp(values[:, 0] - bound * values[:, 1], 0)
        assert abs(t) == pytest.approx(reach, rel=1e-6)
    assert found.low < found.value < found.high
    midway = stats.ttest_1samp(values[:, 0] - values[:, 1] / 2, 0).pvalue
    assert found.p_midway == pytest.approx(midway)


def test_an_interval_excludes_the_middle_where_the_test_does() -> None:
    rng = np.random.default_rng(2)
    bounded = 0
    for _ in range(200):
        found = position(means(np.array([0.3, 0.8]) + 0.15 * rng.standard_normal((4, 2))))
        if np.isfinite(found.low):
            bounded += 1
            assert (found.low <= 0.5 <= found.high) == (found.p_midway >= 0.05)
    assert bounded > 100


def test_where_both_competences_come_together_there_is_no_interval() -> None:
    rng = np.random.default_rng(3)
    found = position(means(0.05 * rng.standard_normal((5, 2))))
    assert np.isnan([found.low, found.high]).all()
    assert found.gap_low < 0 < found.gap_high


def test_one_model_without_draws_has_a_value_and_no_interval() -> None:
    found = position(means(np.array([[0.2, 0.8]])))
    assert found.value == 0.25
    assert np.isnan([found.low, found.high, found.p_midway]).all()
    drawn = position(means(np.array([[0.2, 0.8]]), (), 0.01 * np.eye(2), 15.0))
    assert drawn.low < 0.25 < drawn.high


def test_only_what_moves_all_models_alike_is_shared() -> None:
    rng = np.random.default_rng(4)
    people, models = 40, 4
    found = {}
    for name, common, own in (("alike", 1.0, 0.0), ("apart", 0.0, 1.0), ("both", 1.0, 1.0)):
        sums = []
        for _ in range(200):
            each = common * rng.standard_normal((people, 1, 1))
            each = each + own * rng.standard_normal((people, models, 1))
            left_out = (each.sum(axis=0) - each) / (people - 1)
            sums.append(shared_covariance(left_out, jackknife=True)[0, 0])
        found[name] = np.mean(sums) * people
    assert found["alike"] == pytest.approx(1, rel=0.1)
    assert found["apart"] < 0.1
    assert found["both"] == pytest.approx(1, rel=0.15)


def test_robust_covariance_is_the_covariance_but_for_wild_draws() -> None:
    rng = np.random.default_rng(5)
    true = np.array([[1.0, 0.6], [0.6, 2.0]])
    draws = rng.multivariate_normal([0, 0], true, 20000)
    draws[:50] = 1e6
    np.testing.assert_allclose(robust_covariance(draws), true, atol=0.08)
    assert (np.linalg.eigvalsh(positive(np.array([[1.0, 2.0], [2.0, 1.0]]))) >= -1e-12).all()


def test_means_along_weights_are_those_of_the_weighted_values() -> None:
    values = np.random.default_rng(6).standard_normal((7, 3))
    found: Means = means(values)
    value, se = found.along([1.0, -2.0, 0.5])
    combined = values @ [1.0, -2.0, 0.5]
    assert value == pytest.approx(combined.mean())
    assert se == pytest.approx(stats.sem(combined))


@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_the_variance_of_alike_checkpoints_is_known_as_well_as_that_of_fewer(rho: float) -> None:
    """A variance from ν degrees of freedom scatters by √(2/ν) of itself."""
    noise = autoregressive(rho, (4000, 200), np.random.default_rng(7), axis=1)
    spread = (noise**2).mean(axis=1).std()
    assert spread == pytest.approx(np.sqrt(2 / alike(200.0, rho)), rel=0.06)
