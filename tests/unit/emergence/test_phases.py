"""Phases of training: planted turns come back, and noise that drifts has none."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import isotonic_regression

from geomod.emergence.noise import autoregressive
from geomod.emergence.phases import (
    FEWEST_STEPS,
    PHASES,
    drift,
    find_turns,
    fit,
    phases,
    rising_error,
    scatter,
)

STEPS = np.array([0, *(2**k for k in range(18))])
TRUTH = np.interp(np.arange(19), [0, 5, 13, 18], [3.0, 2.5, 3.5, 3.0])


def population(curves, steps=STEPS, exponents=None, n=1000):
    """Tables of curves of ln RankMe, a model each."""
    tables = []
    for i, curve in enumerate(curves):
        own = {"model": f"m{i:03}", "step": steps, "layer": 4, "n": n}
        rank = {"metric": "rankme", "variant": "eigenvalues", "value": np.exp(curve)}
        tables.append(pd.DataFrame(own | rank))
        if exponents is not None:
            other = {"metric": "alpha_req", "variant": "alpha", "value": exponents}
            tables.append(pd.DataFrame(own | other))
    return pd.concat(tables, ignore_index=True)


def found_in(curves, **more):
    table = phases(population(curves), **more)
    return table.pivot_table(index="model", columns="phase", values="found", aggfunc="first")[
        list(PHASES)
    ]


def error_of(piece, *, rises):
    if len(piece) == 0:
        return 0.0
    return float(((piece - isotonic_regression(piece, increasing=rises)) ** 2).sum())


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_errors_of_rising_fits_are_those_of_a_library(seed):
    curves = np.random.default_rng(seed).normal(size=(3, 9)).round(1)  # with ties
    found = rising_error(curves)
    for row, curve in zip(found, curves, strict=True):
        expected = [error_of(curve[:k], rises=True) for k in range(10)]
        np.testing.assert_allclose(row, expected, atol=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_turns_are_the_best_of_all_pairs_of_places(seed):
    curves = np.random.default_rng(seed).normal(size=(2, 8))
    for curve, *cuts in zip(curves, *find_turns(curves), strict=True):
        every = [
            error_of(curve[:a], rises=False)
            + error_of(curve[a:b], rises=True)
            + error_of(curve[b:], rises=False)
            for a in range(9)
            for b in range(a, 9)
        ]
        fitted = fit(curve, cuts)
        assert ((curve - fitted) ** 2).sum() == pytest.approx(min(every), abs=1e-12)


def test_a_clean_curve_gives_its_turns_and_what_the_exponent_does():
    table = phases(population([TRUTH], exponents=-TRUTH)).set_index("phase")
    assert table["found"].all()
    assert table["start"].tolist() == [0, STEPS[5], STEPS[13]]
    assert table["stop"].tolist() == [STEPS[5], STEPS[13], STEPS[18]]
    np.testing.assert_allclose(table["change"], [-0.5, 1, -0.5])
    np.testing.assert_allclose(table["alpha_change"], [0.5, -1, 0.5])
    assert table["stop_high"].iloc[:2].tolist() == [STEPS[5], STEPS[13]]
    assert table.loc["warm-up", ["start_low", "start_high"]].isna().all()


def test_a_curve_that_only_rises_or_falls_does_not_turn():
    line = np.linspace(0, 1, len(STEPS))
    found = found_in([3 + line, 3 - line, np.full(len(STEPS), 3.0), 3 + np.minimum(line, 0.5)])
    assert found["entropy-seeking"].tolist() == [True, False, False, True]
    assert not found[["warm-up", "compression-seeking"]].any(axis=None)
    rise = phases(population([3 + line])).set_index("phase").loc["entropy-seeking"]
    assert (rise["start"], rise["stop"]) == (STEPS[0], STEPS[-1])


def test_noise_that_drifts_about_a_constant_or_a_slope_has_no_turn():
    steps = 12
    noise = 0.05 * autoregressive(0.8, (200, steps), np.random.default_rng(1), axis=1)
    slopes = np.repeat([0, 0, 1, -1], 50)[:, None] * np.linspace(0, 1, steps)
    table = phases(population(3 + slopes + noise, STEPS[:steps]))
    found = table.pivot_table(index="model", columns="phase", values="found", aggfunc="first")
    assert found[["warm-up", "compression-seeking"]].any(axis=1).mean() <= 0.075
    assert found.any(axis=1)[:100].mean() <= 0.075
    assert found["entropy-seeking"][100:150].mean() >= 0.9


def test_planted_turns_come_back_from_noise_within_their_intervals():
    rng = np.random.default_rng(2)
    noise = 0.02 * autoregressive(0.3, (40, len(STEPS)), rng, axis=1)
    table = phases(population(TRUTH + noise))
    assert table["found"].mean() >= 0.95
    rises = table[(table["phase"] == "entropy-seeking") & table["start_low"].notna()]
    for name, truth in (("start", STEPS[5]), ("stop", STEPS[13])):
        rises_known = rises[rises[f"{name}_low"].notna()]
        covered = rises_known[f"{name}_low"].le(truth) & rises_known[f"{name}_high"].ge(truth)
        assert covered.mean() >= 0.95
        assert rises_known[name].between(truth / 2, truth * 2).all()


@given(st.floats(0.01, 100), st.floats(-3, 3), st.floats(-1, 1))
@settings(max_examples=20, deadline=None)
def test_scatter_has_the_unit_of_the_curve_and_sees_no_slope(scale, shift, slope):
    curve = np.random.default_rng(0).normal(size=(1, 12))
    moved = scale * curve + shift + slope * np.arange(12)
    assert scatter(moved)[0] == pytest.approx(scale * scatter(curve)[0], rel=1e-6)


def test_drift_is_the_widest_move_in_units_of_the_scatter():
    widest, unit = drift(10, 40, np.random.default_rng(3))
    noise = autoregressive(0.8, (40, 10), np.random.default_rng(3), axis=1)
    for curve, found in zip(noise, widest, strict=True):
        moves = [abs(curve[j] - curve[i]) for i in range(10) for j in range(i)]
        assert found == pytest.approx(max(moves) / scatter(curve[None])[0])
    assert unit == pytest.approx(scatter(noise).mean())


def test_steps_that_rest_on_fewer_sentences_are_left_out_and_counted():
    table = population([TRUTH])
    table.loc[3, ["n", "value"]] = [900, 1.0]
    table.loc[7, "value"] = np.nan
    found = phases(table)
    assert found["n_unequal"].eq(1).all()
    assert found["n_steps"].eq(len(STEPS) - 2).all()
    assert found.set_index("phase")["found"]["entropy-seeking"]


def test_few_steps_have_no_phases():
    few = phases(population([TRUTH[: FEWEST_STEPS - 1]], STEPS[: FEWEST_STEPS - 1]))
    assert not few["found"].any()
    assert few[["change", "p", "start"]].isna().all(axis=None)
    assert phases(population([TRUTH])[:0]).empty
