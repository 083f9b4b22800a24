"""How far the mean of a few checkpoints lies from that of the decade."""

from collections.abc import Callable

import numpy as np
import pytest

from geomod.modules.decade import (
    common_drift,
    errors_of_mean,
    linear_error,
    places_in_decade,
    share_new,
)

SAVED = {
    "even": np.array([0.1, 0.4, 0.7, 1.0]),
    "crowded at the end": np.array([0.05, 0.35, 0.65, 0.95, 1.0]),
}


def brownian(draws: int, rng: np.random.Generator, fine: int = 400) -> np.ndarray:
    """Paths over the decade, [draws, fine + 1]."""
    moves = rng.standard_normal((draws, fine)) / np.sqrt(fine)
    return np.concatenate([np.zeros((draws, 1)), moves.cumsum(axis=1)], axis=1)


@pytest.mark.parametrize("places", SAVED.values(), ids=SAVED)
def test_the_error_of_a_mean_is_that_of_brownian_motion_by_plain_loops(places: np.ndarray) -> None:
    # γ of Brownian motion is h/2; its covariance min(s, t), that of its mean over the decade ⅓.
    n, variance = len(places), 1 / 3
    for s in places:
        variance -= 2 / n * (s - s**2 / 2)  # ∫ min(s, t) dt
        for t in places:
            variance += min(s, t) / n**2
    assert linear_error(places) / 2 == pytest.approx(variance)


@pytest.mark.parametrize("places", SAVED.values(), ids=SAVED)
def test_values_that_walk_differ_from_the_mean_of_the_decade_as_much_as_estimated(
    places: np.ndarray,
) -> None:
    paths = brownian(2000, np.random.default_rng(0))
    values = paths[:, np.round(places * 400).astype(int)]
    error = ((values.mean(axis=1) - paths.mean(axis=1)) ** 2).mean()
    courses = [(places, each) for each in values]
    assert share_new(courses) < 0.1
    *models, _ = errors_of_mean(courses)
    assert sum(v for v, _ in models) * len(values) == pytest.approx(error, rel=0.15)


@pytest.mark.parametrize("places", SAVED.values(), ids=SAVED)
def test_what_is_new_at_each_checkpoint_counts_as_independent_draws(places: np.ndarray) -> None:
    values = np.random.default_rng(0).standard_normal((2000, len(places)))
    courses = [(places, each) for each in values]
    assert share_new(courses) > 0.9
    *models, _ = errors_of_mean(courses)
    expected = 1 / len(places)
    assert sum(v for v, _ in models) * len(values) == pytest.approx(expected, rel=0.1)


def test_freedom_is_that_of_a_quadratic_form_in_independent_values() -> None:
    rng = np.random.default_rng(0)
    for n in (2, 3, 5, 8):
        form = np.zeros((n, n))
        for i in range(n - 1):
            form[i, i] += 1
            form[i + 1, i + 1] += 1
            form[i, i + 1] = form[i + 1, i] = -1
        (_, df), _ = errors_of_mean([(np.linspace(0.1, 1, n), rng.standard_normal(n))])
        assert df == pytest.approx(np.trace(form) ** 2 / np.trace(form @ form))


def test_the_share_that_is_new_lies_on_the_line_through_two_lags() -> None:
    places, values = np.array([0.1, 0.4, 0.7, 1.0]), np.array([0.0, 3.0, 2.0, 4.0])
    assert share_new([(places, values)]) == 1  # the line falls: all is new
    values = np.array([0.0, 1.0, 1.0, 2.0])
    near, far = (1 + 0 + 1) / 3 / 2, (1 + 1) / 2 / 2
    assert share_new([(places, values)]) == pytest.approx((2 * near - far) / near)
    assert share_new([(places, 3 * places)]) == 0  # a course is no noise
    assert share_new([(places[:2], values[:2])]) == 1  # nobody knows
    assert share_new([(places, np.ones(4))]) == 1


@pytest.mark.parametrize("places", SAVED.values(), ids=SAVED)
@pytest.mark.parametrize("shape", [lambda t: t, np.square, np.sqrt, lambda t: np.exp(-3 * t)])
def test_a_course_that_all_models_follow_stays_within_the_error(
    shape: Callable[[np.ndarray], np.ndarray], places: np.ndarray
) -> None:
    off = shape(places).mean() - shape(np.linspace(0, 1, 2001)).mean()
    courses = [(places, shape(places))] * 4
    variances = np.array([v for v, _ in errors_of_mean(courses)])
    assert abs(off) < 1.96 * np.sqrt(variances.sum())
    # Models that go opposite ways have nothing in common, and one has nobody to have it with.
    assert common_drift(courses) > 0
    assert common_drift([(places, sign * shape(places)) for sign in (1, -1)]) == 0
    assert common_drift(courses[:1]) == 0


def test_places_are_shares_of_the_decade_in_log_time() -> None:
    steps = np.array([10, 100, 1000])
    expected = (np.log10(steps + 1) - np.log10(101)) / (np.log10(1001) - np.log10(101))
    np.testing.assert_allclose(places_in_decade(steps), expected)
    assert places_in_decade(np.array([0])) == 1
