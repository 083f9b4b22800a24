"""Levels and power on small grids, and sweeps with known answers."""

from dataclasses import replace

import numpy as np
import pytest

from geomod.claims.claim import Truth
from geomod.claims.registry import CLAIMS
from geomod.claims.temporal_first import TEMPORAL_FIRST
from geomod.curves.settings import Settings
from geomod.emergence.noise import autoregressive
from geomod.scrutiny.calibration import COLUMNS, calibrate, find
from geomod.scrutiny.designs import design_like, scatter_of, unbiased_lag_one
from geomod.scrutiny.synthetic import (
    SWEEP,
    WORLDS,
    Design,
    Frame,
    Scatter,
    simulate,
)

PYTHIA = (*(2**k for k in range(10)), *(1000 * 2**k for k in range(8)), 143000)
TOY = (0, *(2**k for k in range(12)))
NOISE = Scatter(smooth=0.3, rough=0.1, noise=0.15, rho=0.6, rho_depth=0.3)
REGIONS = ("AntTemp", "IFG", "IFGorb", "PostTemp", "netw")
SMALL = Design(
    tuple(Frame(f"toy-{i}", 10.0 ** (5 + i), TOY, 4 + 3 * i) for i in range(3)),
    REGIONS,
    4,
    NOISE,
    NOISE,
    person=0.1,
)
SETTINGS = Settings(permutations=199, bootstrap=40, null_draws=49)
FEW = Settings(permutations=99, bootstrap=20, null_draws=19)  # where no level is looked at


def test_every_test_has_a_level_and_a_power() -> None:
    table = calibrate(SMALL, draws=1, settings=FEW)
    assert list(table.columns) == COLUMNS
    assert set(table["claim"]) == {1, 2, 3, 4, 5}
    assert table["level"].between(0, 1).all()
    elsewhere = table["null"].isin([name for name in WORLDS if name != SWEEP])
    assert table.loc[~elsewhere, "power"].between(0, 1).all()
    assert table.loc[elsewhere].groupby("null")["claim"].agg(list).map(sorted).tolist() == [
        [1, 2, 3, 4, 5]
    ] * (len(WORLDS) - 1)
    assert (table["low"] <= table["level"]).all()
    assert (table["holds"] == (table["level"] <= 0.075)).all()


def test_a_test_that_the_grid_is_too_small_for_is_not_marked() -> None:
    two = replace(SMALL, frames=SMALL.frames[:2])
    table = calibrate(two, draws=2, settings=FEW)
    trend = table[table["test"] == "t on the size trend"]
    assert trend["level"].isna().all()
    assert (trend["draws"] == 0).all()
    assert trend["holds"].all()
    # Two processes share the draws, and give the same.
    assert table.equals(calibrate(two, draws=2, settings=FEW, jobs=2))


@pytest.mark.parametrize("number", [2, 4, 5])
def test_verdicts_tests_hold_and_intervals_cover(number: int) -> None:
    """A small `interval_coverage.py` of the benchmarks; chance stays within bounds in 99.9 %."""
    claim, found = CLAIMS[number - 1], []
    for sweep in range(80):
        rng = np.random.default_rng([sweep, number])
        estimate = find(simulate(SMALL, claim.absent, rng), claim, SETTINGS, sweep).estimate
        assert estimate is not None
        found.append((estimate.p, estimate.low, estimate.high))
    p, low, high = np.array(found).T
    assert np.mean(p <= 0.05) <= 0.15
    if number != 2:  # the truth of claim 2 is each sweep's own, see the benchmark
        assert np.mean((low <= 0) & (high >= 0)) >= 0.85


def test_a_planted_lead_is_covered_and_found() -> None:
    truth = TEMPORAL_FIRST.planted
    sweeps = [simulate(SMALL, truth, np.random.default_rng(i)) for i in range(10)]
    estimates = [find(s, TEMPORAL_FIRST, SETTINGS, i).estimate for i, s in enumerate(sweeps)]
    covered = sum(e.low <= -truth.lead <= e.high for e in estimates)
    assert covered >= 7
    assert sum(e.p < 0.05 and e.value < 0 for e in estimates) >= 8


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_autocorrelation_is_read_back(rho: float) -> None:
    rng = np.random.default_rng(0)
    series = autoregressive(rho, (400, 19), rng, axis=1)
    series -= series.mean(axis=1, keepdims=True)
    assert unbiased_lag_one(series) == pytest.approx(rho, abs=0.08)


def test_design_is_that_of_the_data() -> None:
    design = design_like(simulate(SMALL, Truth(), np.random.default_rng(0)))
    assert design.frames == SMALL.frames
    assert design.regions == REGIONS
    assert design.participants == 4
    assert 0.05 < design.score.noise < 0.3
    assert scatter_of(np.ones((8, 8)), np.arange(8.0)) is None
    nothing = [
        replace(
            c,
            score=c.score * np.nan,
            metrics={"entropy": c.score[..., 0] * np.nan, "curvature": c.score[..., 0] * 0},
        )
        for c in simulate(SMALL, Truth(), np.random.default_rng(0))
    ]
    assert design_like(nothing).score.noise > 0


@pytest.mark.parametrize("name", list(WORLDS))
def test_a_world_is_as_uneven_as_it_says(name: str) -> None:
    design, rng = replace(SMALL, participants=200), np.random.default_rng(0)
    curves = simulate(design, Truth(), rng, world=WORLDS[name])[-1]
    assert np.isfinite(curves.score).all()
    gains = curves.people[:, -1].mean(axis=(1, 2)) / curves.score[-1].mean()
    assert np.log(gains).std() == pytest.approx(WORLDS[name].gains, abs=0.1)
    noise = (curves.people - gains[:, None, None, None] * curves.score).std(axis=(0, 3))
    spread = np.log(noise).std()
    assert spread == pytest.approx(np.sqrt(2) * WORLDS[name].uneven, abs=0.25)
    profiles = [WORLDS[name].profile(12, rng) for _ in range(500)]
    assert np.std(profiles) == pytest.approx(1, abs=0.25)


def test_the_same_models_can_be_measured_again() -> None:
    first, again, other = (
        simulate(SMALL, Truth(), np.random.default_rng(0), noise=np.random.default_rng(n))
        for n in (1, 1, 2)
    )
    np.testing.assert_array_equal(first[0].score, again[0].score)
    assert not np.array_equal(first[0].score, other[0].score)
