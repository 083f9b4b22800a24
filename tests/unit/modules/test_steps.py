"""A step over depth against smooth profiles: likelihoods by the book, levels and power."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.stats import multivariate_normal

from geomod.modules.clusters import standardize
from geomod.modules.steps import (
    Family,
    StepTest,
    complexity,
    gain,
    heights,
    joint_p,
    mean_height,
    redrawn,
    shown_again,
    smooth_family,
    smooth_p,
    step_family,
    step_test,
    stepped_p,
)

Array = NDArray[np.float64]


def field(n: int, length: float, draws: int, rng: np.random.Generator) -> Array:
    depth = np.linspace(0, 1, n)
    covariance = np.exp(-0.5 * ((depth[:, None] - depth) / length) ** 2) + 1e-9 * np.eye(n)
    return rng.standard_normal((draws, n)) @ np.linalg.cholesky(covariance).T


def world(name: str, n: int, draws: int, rng: np.random.Generator) -> Array:
    depth = np.linspace(0, 1, n)
    if name == "parabola":
        found = (depth - rng.uniform(-0.2, 1.2, (draws, 1))) ** 2
    elif name == "walk":
        found = rng.standard_normal((draws, n)).cumsum(axis=1)
    elif name == "steep ends":
        height, decay = rng.uniform(0.5, 1.5, (2, draws, 1)), rng.uniform(0.03, 0.12, (draws, 1))
        found = height[0] * np.exp(-depth / decay) + height[1] * np.exp(-(1 - depth) / decay)
    elif name == "ends apart":
        found = field(n, 0.3, draws, rng)
        found[:, [0, -1]] += rng.normal(0, 4, (draws, 2))
    else:
        found = field(n, float(name), draws, rng)
    return standardize(found[..., None])[..., 0]


def clouds(profile: Array, scatter: float, rng: np.random.Generator) -> Array:
    """Two metrics that share a profile, each with scatter of its own."""
    noise = rng.standard_normal((2, *profile.shape))
    return np.stack([profile + scatter * each for each in noise], axis=-1)


@pytest.mark.parametrize("n", [12, 24])
@pytest.mark.parametrize("scatter", [0.05, 0.3])
@pytest.mark.parametrize(
    "name", ["parabola", "0.15", "0.3", "0.6", "walk", "steep ends", "ends apart"]
)
def test_smooth_profiles_are_taken_for_steps_no_more_often_than_the_level(
    name: str, n: int, scatter: float
) -> None:
    rng = np.random.default_rng(n)
    found = smooth_p(clouds(world(name, n, 600, rng), scatter, rng))
    assert (found <= 0.05).mean() <= 0.075


@pytest.mark.parametrize(("n", "power"), [(12, 0.8), (24, 0.95)])
def test_a_step_of_three_scatters_between_halves_is_found(n: int, power: float) -> None:
    rng = np.random.default_rng(0)
    step = np.broadcast_to(3.0 * (np.arange(n) >= n // 2), (1500, n))
    assert (smooth_p(clouds(step, 1.0, rng)) <= 0.05).mean() >= power


def test_ends_that_differ_hide_no_step_and_are_none() -> None:
    rng = np.random.default_rng(0)
    levels = np.zeros((300, 16)), np.broadcast_to(4.0 * (np.arange(16) >= 8), (300, 16))
    ends = np.zeros(16)
    ends[[0, -1]] = 6, -5
    without, with_step = (smooth_p(clouds(each + ends, 1.0, rng)) <= 0.05 for each in levels)
    assert without.mean() <= 0.075
    assert with_step.mean() >= 0.9


def test_p_by_draws_is_p_by_tails() -> None:
    rng = np.random.default_rng(0)
    some = np.concatenate(
        [clouds(world(name, 12, 4, rng), 0.5, rng) for name in ("walk", "0.3", "parabola")]
    )
    drawn = [joint_p([step_test(cloud, np.random.default_rng(1))]) for cloud in some]
    np.testing.assert_allclose(drawn, smooth_p(some), atol=0.04)


def test_likelihoods_are_those_of_scipy() -> None:
    """With the scale at its best, and coefficients by least squares under the covariance."""
    profile = standardize(np.random.default_rng(0).standard_normal((9, 1)))[:, 0]
    family = smooth_family(9)
    found = family.log_likelihood(profile[None])[0] - family.constants
    for member, value in zip(family.members, found, strict=True):
        root = np.linalg.cholesky(member.covariance)
        x, y = np.linalg.solve(root, member.trend), np.linalg.solve(root, profile)
        mean = member.trend @ np.linalg.lstsq(x, y, rcond=None)[0]
        left = np.linalg.solve(root, profile - mean)
        scale = left @ left / 9
        expected = multivariate_normal(mean, scale * member.covariance).logpdf(profile)
        log_det = np.linalg.slogdet(member.covariance)[1]
        assert value == pytest.approx(expected + log_det / 2 + 4.5 * (1 + np.log(2 * np.pi)))


@pytest.mark.parametrize("make", [smooth_family, step_family])
@pytest.mark.parametrize("n", [4, 7, 8, 30])
def test_priors_sum_to_one(make: Callable[[int], Family], n: int) -> None:
    family = make(n)
    log_det = np.array([np.linalg.slogdet(member.covariance)[1] for member in family.members])
    fit = np.array([member.trend.shape[1] for member in family.members])
    prior = np.exp(family.constants + (log_det + fit * np.log(n)) / 2)
    assert prior.sum() == pytest.approx(1)


def test_a_gain_knows_no_scale_and_no_direction() -> None:
    cloud = np.random.default_rng(0).standard_normal((10, 2))
    value = gain(complexity(cloud)[None])
    np.testing.assert_allclose(gain(complexity(7 - 3 * cloud)[None]), value)
    np.testing.assert_allclose(gain(complexity(cloud[::-1])[None]), value)


def test_the_height_of_a_step_is_in_scatters() -> None:
    """That of the best of all steps: between two means, over the SD about them."""
    step = 9.0 * (np.arange(30) >= 12) + np.random.default_rng(0).standard_normal(30)
    left, right = step[:12], step[12:]
    scatter = np.sqrt((left.var() * 12 + right.var() * 18) / 28)
    height = (right.mean() - left.mean()) / scatter
    np.testing.assert_allclose(heights(np.stack([step, 5 - step, step[::-1]])), height)
    assert np.log(heights(redrawn(step, 50, np.random.default_rng(1)))).mean() == pytest.approx(
        np.log(height), abs=0.1
    )


def test_the_same_model_shows_again_what_is_its_own_and_scatters_as_it_did() -> None:
    """Mean and covariance by Gaussian conditioning, trends as fields of great variance."""
    n = 9
    profile = complexity(np.random.default_rng(0).standard_normal((n, 2)).cumsum(axis=0))
    families = step_family(n), smooth_family(n)
    known = np.concatenate([f.log_likelihood(profile[None])[0] for f in families])
    weight = np.exp(known - known.max()) / np.exp(known - known.max()).sum()
    means, squares = [], []
    for member in (*families[0].members, *families[1].members):
        noise = member.scatter * np.eye(n)
        own = member.covariance - noise + 1e6 * member.trend @ member.trend.T
        across = own @ np.linalg.inv(own + noise)
        missed = profile @ np.linalg.solve(own + noise, profile)
        scale = missed / (n - member.trend.shape[1])
        means.append(across @ profile)
        squares.append(np.outer(means[-1], means[-1]) + scale * (own - across @ own + noise))
    mean = weight @ np.array(means)
    covariance = np.tensordot(weight, squares, 1) - np.outer(mean, mean)
    drawn = shown_again(profile, 100_000, np.random.default_rng(1))
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.02)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.02)


def test_the_mean_height_reaches_as_far_as_the_longer_tail_of_what_models_may_show() -> None:
    few, rng = np.empty((4, 0)), np.random.default_rng(0)
    skewed = 5.0 - np.log(rng.uniform(size=(2, 100_000))).sum(axis=0)  # of mean 7
    both = [StepTest(h, skewed, 0.0, few, np.empty(0)) for h in (2.0, 8.0)]
    value, low, high = mean_height(both, 0.05)
    farther = stats.gamma(2).ppf(0.975) - 2
    np.testing.assert_allclose([value, low, high], 4 * np.exp([0, -farther, farther]), rtol=0.1)


def test_models_decide_together_what_none_decides_alone() -> None:
    alone = StepTest(
        2.0, np.empty(0), 2.0, np.random.default_rng(0).normal(0, 1.5, (4, 500)), np.empty(0)
    )
    drawn = np.random.default_rng(1)
    several = [
        StepTest(2.0, np.empty(0), 2.0, drawn.permuted(alone.smooth, axis=1), np.empty(0))
        for _ in range(9)
    ]
    assert joint_p([alone]) > 0.05
    assert joint_p(several) < 0.01


def test_a_smooth_profile_speaks_against_the_step_that_fits_it_best() -> None:
    depth = np.linspace(0, 1, 20)[:, None]
    rng = np.random.default_rng(0)
    smooth = step_test(depth + 0.05 * rng.standard_normal((20, 2)), rng)
    assert smooth.gain < 0
    assert stepped_p([smooth]) < 0.05
    step = step_test(4.0 * (depth > 0.5) + rng.standard_normal((20, 2)), rng)
    assert step.gain > 0
    assert stepped_p([step]) > 0.05


def test_metrics_that_cancel_have_no_complexity() -> None:
    one = np.random.default_rng(0).standard_normal(8)
    assert not complexity(np.stack([one, -one], axis=-1)).any()


def test_nothing_has_no_p() -> None:
    assert np.isnan(joint_p([]))
    assert np.isnan(stepped_p([]))
    assert np.isnan(smooth_p(np.ones((2, 3, 2)))).all()
    some = np.random.default_rng(0).standard_normal((2, 6, 2))
    some[1] = 1
    np.testing.assert_array_equal(np.isnan(smooth_p(some)), [False, True])
