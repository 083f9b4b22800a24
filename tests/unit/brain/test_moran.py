"""Moran's I against closed forms and a double loop, and maps that keep it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from geomod.brain.moran import (
    basis,
    correlation_p,
    expected,
    moran,
    neighbours,
    spectral_draws,
    variance,
)


def grid(*shape, count=6):
    return neighbours(np.arange(np.prod(shape)), shape, count)


def test_checkerboard_ramp_and_halves():
    x, y = np.indices((8, 8))
    board = np.where((x + y) % 2, 1.0, -1.0).ravel(order="F")
    assert moran(board, grid(8, 8, 1)) == pytest.approx(-1)
    halves = np.where(x < 4, 1.0, -1.0).ravel(order="F")
    assert moran(halves, grid(8, 8, 1)) == pytest.approx(6 / 7)
    for n in (5, 12):
        assert moran(np.arange(float(n)), grid(n, 1, 1)) == pytest.approx((n - 3) / (n - 1))


@pytest.mark.parametrize("count", [6, 18, 26])
def test_against_a_double_loop_over_voxels_of_a_mask(count):
    rng = np.random.default_rng(count)
    shape = (4, 5, 3)
    positions = np.flatnonzero(rng.random(60) < 0.7)
    values = rng.normal(size=len(positions))
    places = [np.unravel_index(p, shape, order="F") for p in positions]
    reach = {6: 1, 18: 2, 26: 3}[count]
    total = cross = 0.0
    mean = values.mean()
    for a, first in zip(places, values, strict=True):
        for b, second in zip(places, values, strict=True):
            apart = [abs(int(i) - int(j)) for i, j in zip(a, b, strict=True)]
            if 0 < sum(apart) <= reach and max(apart) == 1:
                total += 1
                cross += (first - mean) * (second - mean)
    found = moran(values, neighbours(positions, shape, count))
    lonely = len(positions) - len(np.unique(neighbours(positions, shape, count).nonzero()[0]))
    if not lonely:
        power = ((values - mean) ** 2).mean()
        assert found == pytest.approx(cross / total / power, abs=1e-9)
    else:
        assert np.isfinite(found)


def test_values_without_order_have_the_mean_and_variance_that_theory_says():
    weights = grid(12, 12, 1)
    rng = np.random.default_rng(0)
    found = [moran(rng.normal(size=144), weights) for _ in range(800)]
    assert np.mean(found) == pytest.approx(expected(144), abs=0.01)
    assert np.var(found) == pytest.approx(variance(weights), rel=0.15)


def test_smoothing_alone_makes_it_large():
    rng = np.random.default_rng(0)
    smooth = gaussian_filter(rng.normal(size=(28, 28)), 2 / 2.355)
    assert moran(smooth.ravel(order="F"), grid(28, 28, 1, count=26)) > 0.4


@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 100))
@settings(max_examples=15, deadline=None)
def test_draws_keep_mean_variance_and_i_exactly_and_scale_changes_nothing(seed, scale):
    weights = grid(5, 4, 2, count=18)
    values = np.random.default_rng(seed).normal(size=40)
    own = moran(values, weights)
    assert moran(3 + scale * values, weights) == pytest.approx(own, abs=1e-9)
    for drawn in spectral_draws(values, basis(weights), 5, np.random.default_rng(seed)):
        assert moran(drawn, weights) == pytest.approx(own, abs=1e-9)
        assert (drawn.mean(), drawn.std()) == (
            pytest.approx(values.mean(), abs=1e-9),
            pytest.approx(values.std(), abs=1e-9),
        )


def test_smooth_maps_that_share_nothing_correlate_no_more_often_than_chance():
    vectors = basis(grid(14, 14, 1, count=6))
    rng = np.random.default_rng(0)
    p = []
    for _ in range(100):
        x, y = (gaussian_filter(rng.normal(size=(14, 14)), 1.0).ravel(order="F") for _ in range(2))
        p.append(correlation_p(x, y, vectors, 99, rng)[1])
    assert np.mean(np.array(p) <= 0.05) <= 0.11
    r, least = correlation_p(x, x + 0.1 * y, vectors, 99, rng)
    assert r > 0.9
    assert least == pytest.approx(0.01)


def test_voxels_without_value_or_neighbour_are_left_out_and_constant_maps_have_none():
    weights = neighbours(np.array([0, 1, 2, 3, 9]), (10, 1, 1))
    values = np.array([1.0, 2, 4, 5, 100])
    assert moran(values, weights) == pytest.approx(moran(values[:4], grid(4, 1, 1)))
    values[3] = np.nan
    assert moran(values, weights) == pytest.approx(moran(values[:3], grid(3, 1, 1)))
    assert np.isnan(moran(np.ones(5), weights))
    assert np.isnan(correlation_p(np.ones(5), values, None, 9, np.random.default_rng(0))).all()
