"""Half-times of constructed curves: logistics, unsaturated ones, and those that fall again."""

import numpy as np
import pytest
from scipy.special import expit

from geomod.competence.half_times import half_time, has_own_range
from geomod.curves.curves import log_step
from geomod.emergence.noise import autoregressive

STEPS = (0, *(2**k for k in range(10)), *(1000 * 2**k for k in range(8)), 143000)
TIME = log_step(STEPS)


@pytest.mark.parametrize("width", [0.2, 0.4, 0.9])
def test_a_known_level_is_crossed_where_it_is_whether_or_not_a_curve_arrives(width: float) -> None:
    found = half_time(TIME, expit((TIME - 4.4) / width), 0.5)
    assert found.value == pytest.approx(4.4, abs=0.01)
    assert found.censoring == "no"


def test_without_a_known_range_only_a_plateau_makes_one() -> None:
    arrived = half_time(TIME, 0.1 + 0.3 * expit((TIME - 3) / 0.3))
    assert arrived.value == pytest.approx(3, abs=0.01)
    slow = half_time(TIME, expit((TIME - 4.5) / 0.9))
    assert (np.isnan(slow.value), slow.censoring) == (True, "right")
    assert slow.with_plateau().value == pytest.approx(4.5, abs=0.05)
    assert arrived.with_plateau() is arrived


@pytest.mark.parametrize("level", [0.5, None])
def test_a_curve_that_peaks_is_read_on_its_way_up(level: float | None) -> None:
    rise, fall = expit((TIME - 2.5) / 0.2), expit((TIME - 4.2) / 0.2)
    rng = np.random.default_rng(0)
    for depth in (0.4, 0.9):
        curve = rise - depth * fall + 0.02 * rng.standard_normal(len(TIME))
        found = half_time(TIME, curve, level)
        assert (found.method, found.censoring) == ("isotonic", "no")
        assert found.rising < len(TIME) - 3
        assert found.value == pytest.approx(2.5, abs=0.08)
        # All of it rises in no reading: what comes after the peak does not count.
        later = np.where(np.arange(len(TIME)) >= found.rising, curve - 5, curve)
        assert found.again(TIME, later[None])[0] == pytest.approx(found.value)


def test_curves_that_never_cross_are_censored() -> None:
    assert half_time(TIME, 0.7 + 0.01 * TIME, 0.5).censoring == "left"
    assert half_time(TIME, 0.1 + 0.01 * TIME, 0.5).censoring == "right"
    assert half_time(TIME, expit((TIME - 6) / 0.3), 0.5).censoring == "right"
    assert half_time(TIME, 0 * TIME).censoring == "flat"
    assert half_time(TIME, -TIME).censoring in {"flat", "right"}


def test_a_range_is_their_own_where_most_curves_arrive() -> None:
    arrived, slow = (half_time(TIME, expit((TIME - 3) / w)) for w in (0.3, 1.5))
    assert has_own_range([arrived, arrived, slow])
    assert has_own_range([slow.flat(), arrived])
    assert not has_own_range([arrived, slow, slow])


def test_noise_moves_a_half_time_as_much_as_the_slope_allows() -> None:
    """σ_t = σ / slope for a single point; a fit over all of them does better."""
    rng = np.random.default_rng(0)
    curve, sd = expit((TIME - 3) / 0.3), 0.05
    noise = autoregressive(0.0, (300, len(TIME)), rng, axis=1)
    drawn = half_time(TIME, curve, 0.5).again(TIME, curve + sd * noise)
    assert drawn.mean() == pytest.approx(3, abs=0.01)
    assert drawn.std() < sd * 4 * 0.3
