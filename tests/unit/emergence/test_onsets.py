"""Logistics against scipy, t50 against planted ones, and curves that never rise."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit
from scipy.special import expit

from geomod.curves.curves import log_step
from geomod.emergence.noise import autoregressive, lag_one, noisy_copies, step_noise
from geomod.emergence.onsets import (
    COLUMNS,
    emergence,
    jackknife_se,
    leave_one_out,
    plateau_variability,
    read_onset,
    rise_null,
    rise_p,
    robust_sd,
)
from geomod.emergence.sigmoids import errors_of_forms, fit_logistic, half_rise, likeliest_form

STEPS = [0, *(2**k for k in range(12))]
TIME = log_step(STEPS)


def logistic(x: np.ndarray, baseline: float, rise: float, t50: float, width: float) -> np.ndarray:
    return baseline + rise * expit((x - t50) / width)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.9, 2.4), st.floats(0.15, 0.5), st.floats(-1, 1), st.floats(0.01, 3))
def test_noise_free_logistic_comes_back(t50: float, width: float, base: float, rise: float) -> None:
    fit = fit_logistic(TIME, logistic(TIME, base, rise, t50, width)[None])
    assert fit.t50[0] == pytest.approx(t50, abs=0.03)
    assert fit.error[0] <= 1e-3 * rise**2


def test_fit_is_no_worse_than_scipys() -> None:
    rng = np.random.default_rng(0)
    compared = 0
    for _ in range(20):
        start = (0.1, 0.3, rng.uniform(1, 2.5), rng.uniform(0.15, 0.5))
        curve = logistic(TIME, *start) + 0.02 * rng.standard_normal(len(TIME))
        found, _ = curve_fit(logistic, TIME, curve, p0=start, maxfev=20000)
        other = ((curve - logistic(TIME, *found)) ** 2).sum()
        fit = fit_logistic(TIME, curve[None])
        if 0.1 <= found[3] <= 2 and TIME[0] <= found[2] <= TIME[-1]:
            assert fit.error[0] <= other * 1.02
            compared += 1
        np.testing.assert_allclose(((curve - fit.at(TIME)[0]) ** 2).sum(), fit.error[0])
    assert compared >= 15


def test_a_fall_is_no_rise() -> None:
    assert fit_logistic(TIME, -TIME[None]).rise[0] == 0
    assert read_onset(TIME, np.linspace(1, 0, len(TIME))).censoring in {"flat", "right"}
    assert np.isnan(half_rise(TIME, -TIME))


def test_half_rise_of_a_ramp_is_its_middle() -> None:
    assert half_rise(TIME, TIME) == pytest.approx((TIME[0] + TIME[-1]) / 2)


@pytest.mark.parametrize("form", ["constant", "linear", "logistic", "double"])
def test_the_true_form_is_likeliest(form: str) -> None:
    x = log_step([1, *(2**k for k in range(1, 20))])
    curves = {
        "constant": 0 * x,
        "linear": 0.2 * x,
        "logistic": expit((x - 2.5) / 0.2),
        "double": expit((x - 1.3) / 0.1) + expit((x - 4) / 0.1),
    }
    rng = np.random.default_rng(0)
    chosen = [
        likeliest_form(x, curves[form] + 0.02 * rng.standard_normal(len(x))) for _ in range(20)
    ]
    assert chosen.count(form) >= 15


def test_richer_forms_fit_better() -> None:
    errors = errors_of_forms(TIME, np.sin(TIME))
    assert errors["constant"] >= errors["linear"]
    assert errors["constant"] >= errors["logistic"] >= errors["double"] - 1e-3


def test_jackknife_of_a_mean_is_its_standard_error() -> None:
    people = np.random.default_rng(0).standard_normal((7, 1))
    expected = people.std(ddof=1) / np.sqrt(7)
    assert jackknife_se(leave_one_out(people)[:, 0]) == pytest.approx(expected)
    assert np.isnan(jackknife_se(np.array([1.0, 2.0])))


def test_robust_sd_ignores_wild_draws() -> None:
    draws = np.random.default_rng(0).standard_normal(20000)
    draws[:100] = 1e6
    assert robust_sd(draws) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_noise_is_read_back(rho: float) -> None:
    rng = np.random.default_rng(0)
    curves = [
        (TIME, logistic(TIME, 0, 1, 1.7, 0.3) + 0.05 * autoregressive(rho, (13,), rng, 0))
        for _ in range(60)
    ]
    found, share = step_noise(curves, rng)
    assert found == pytest.approx(rho, abs=0.15)
    assert 0.4 < share < 0.9
    residual = np.concatenate([c - fit_logistic(t, c[None]).at(t)[0] for t, c in curves])
    assert np.sqrt(residual.var() / share) == pytest.approx(0.05, rel=0.15)
    assert step_noise([(TIME, 0 * TIME)], rng) == (0.0, 1.0)


def test_autoregressive_and_copies_have_their_moments() -> None:
    rng = np.random.default_rng(0)
    series = autoregressive(0.6, (4000, 12), rng, axis=1)
    assert series.var() == pytest.approx(1, abs=0.03)
    assert lag_one(series) * 12 / 11 == pytest.approx(0.6, abs=0.03)
    residual = rng.standard_normal((12, 2)) @ np.array([[1.0, 0.8], [0, 0.6]])
    copies = noisy_copies(np.zeros((12, 2)), residual, 0.3, 0.5, 4000, rng)
    expected = residual.T @ residual / (12 * 0.5)
    found = np.einsum("dsi,dsj->ij", copies, copies) / (4000 * 12)
    np.testing.assert_allclose(found, expected, rtol=0.1, atol=0.05)


def encoding_of(t50: dict[str, float], people: int = 4, noise: float = 0.01) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for region, midpoint in t50.items():
        for layer in range(4):
            curve = logistic(TIME, 0.05, 0.2, midpoint, 0.25) * np.isfinite(midpoint)
            curve = np.nan_to_num(curve)
            each = curve + noise * rng.standard_normal((people, len(TIME)))
            named = {"average": each.mean(axis=0), **{f"p{i}": c for i, c in enumerate(each)}}
            rows += [
                ("a-1", step, layer, region, name, score)
                for name, scores in named.items()
                for step, score in zip(STEPS, scores, strict=True)
            ]
    names = ["model", "step", "layer", "region", "participant", "score"]
    return pd.DataFrame(rows, columns=names)


def test_planted_onsets_come_back() -> None:
    planted = {"AntTemp": 1.2, "IFG": 2.0, "null": np.nan}
    table = emergence(encoding_of(planted), seed=1, bootstrap=100).set_index("region")
    assert set(table.reset_index().columns) == set(COLUMNS)
    for region in ("AntTemp", "IFG"):
        row = table.loc[region]
        assert row["t50"] == pytest.approx(planted[region], abs=0.1)
        assert row["low"] < planted[region] < row["high"]
        assert row["plateau"] == pytest.approx(0.25, abs=0.02)
        assert not row["censored"]
    assert table.loc["null", "censored"]
    assert np.isnan(table.loc["null", "t50"])
    again = emergence(encoding_of(planted), seed=1, bootstrap=100).set_index("region")
    pd.testing.assert_frame_equal(table, again)


@pytest.mark.parametrize("rho", [0.8, 0.9])
def test_drift_is_no_rise_and_a_rise_is(rho: float) -> None:
    """Level .05 of 200 drifting curves (chance stays below .10 in 99.8 %), whatever their scale."""
    rng = np.random.default_rng(0)
    null = rise_null(TIME, rho, 199, rng)
    drifts = 3 + 7 * autoregressive(rho, (200, len(TIME)), rng, axis=1)
    p = np.array([rise_p(TIME, curve, null) for curve in drifts])
    assert 0.005 <= np.mean(p <= 0.05) <= 0.10
    rises = 10 * logistic(TIME, 0, 1, 1.8, 0.2) + drifts / 7
    assert np.mean([rise_p(TIME, curve, null) <= 0.05 for curve in rises]) > 0.95
    assert rise_p(TIME, np.ones(len(TIME)), null) == 1
    assert (null == rise_null(TIME, 0.1, 199, np.random.default_rng(0))).all() == (rho == 0.8)
    assert read_onset(TIME, rises[0], p_rise=0.2).censoring == "flat"


def test_plateaus_have_intervals_that_hold_the_truth() -> None:
    table = emergence(encoding_of({"AntTemp": 1.2, "IFG": 1.6, "MFG": 2.0}), bootstrap=100)
    assert (table["plateau_low"] < 0.25).all()
    assert (table["plateau_high"] > 0.25).all()
    assert (table["plateau_high"] - table["plateau_low"] < 0.1).all()


def test_a_rise_that_goes_on_is_censored() -> None:
    table = emergence(encoding_of({"IFG": 3.6}, noise=0.002), bootstrap=50)
    assert table.loc[0, "censoring"] == "right"


@pytest.mark.parametrize("fault", ["two steps", "all NaN", "no participants", "a gap"])
def test_faults_are_said_not_raised(fault: str) -> None:
    encoding = encoding_of({"IFG": 2.0})
    if fault == "two steps":
        encoding = encoding[encoding["step"].isin([0, 1])]
    elif fault == "all NaN":
        encoding["score"] = np.nan
    elif fault == "no participants":
        encoding = encoding[encoding["participant"] == "average"]
    else:
        encoding.loc[encoding["step"] == 4, "score"] = np.nan
    row = emergence(encoding, bootstrap=50).iloc[0]
    if fault in {"two steps", "all NaN"}:
        assert row["censored"]
        assert row["censoring"] == "too few steps"
    else:
        assert row["low"] < 2.0 < row["high"]


def test_variability_is_the_sd_after_the_rise() -> None:
    onset = read_onset(TIME, logistic(TIME, 0, 1, 1.0, 0.1))
    curve = np.where(TIME > 1.5, np.resize([0.9, 1.1], len(TIME)), 0.0)
    late = curve[onset.t50 + onset.fit.width[0] * np.log(9) <= TIME]
    sd, low, high = plateau_variability(TIME, curve, onset)
    assert sd == pytest.approx(late.std(ddof=1))
    assert low < sd < high
