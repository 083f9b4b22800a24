"""The table of partial correlations against its parts and a plain loop over shifts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from geomod.claims.claim import Truth
from geomod.coupling.other_tests import circular_shift_p
from geomod.coupling.paper import COLUMNS, POOLED, correlations, of_network
from geomod.coupling.within_depth import partial_correlation
from geomod.curves.estimates import false_discovery_rate
from geomod.curves.settings import Settings
from geomod.scrutiny.synthetic import Design, Frame, Scatter, simulate

QUIET = Scatter(smooth=0.2, rough=0.1, noise=0.1, rho=0.3, rho_depth=0.3)
FRAMES = tuple(Frame(f"toy-{n}", 10.0**n, (0, 1, 2, 4, 8, 16, 32, 64), n) for n in (3, 4))
CURVES = simulate(
    Design(FRAMES, ("IFG", "PostTemp", "netw"), 2, QUIET, QUIET, 0.1),
    Truth(coupling=1.0),
    np.random.default_rng(0),
)


def test_every_model_region_layer_and_both_methods_have_a_row() -> None:
    table = correlations(CURVES, Settings())
    assert list(table.columns) == COLUMNS
    # regions × predictors × methods × (layers, layers pooled, and models pooled)
    assert len(table) == 3 * 2 * 2 * ((3 + 1) + (4 + 1) + 1)
    row = table[
        (table["model"] == "toy-4") & (table["region"] == "IFG") & (table["layer"] == 2)
    ].iloc[0]
    c = CURVES[1]
    r, p = partial_correlation(c.metrics["curvature"][:, 1], c.of(["IFG"])[:, 1], c.time)
    assert (row["r"], row["p"], row["n"]) == (pytest.approx(r), pytest.approx(p), 8)
    pooled = table[table["model"] == POOLED]
    assert pooled["layer"].isna().all()
    assert pooled["p_shift"].isna().all()
    assert set(pooled["n"]) == {8 * 7}


def test_q_is_over_rows_of_one_kind() -> None:
    table = correlations(CURVES, Settings())
    one = table[
        (table["predictor"] == "entropy") & (table["method"] == "spearman") & table["layer"].notna()
    ]
    expected = false_discovery_rate(one["p"].to_numpy())
    # A curve that only falls has ranks that the step explains whole, and so no p.
    assert one["q"].to_numpy() == pytest.approx(expected, nan_ok=True)
    assert one["q"].notna().any()


def test_rows_of_pooled_layers_are_the_same_without_those_of_single_ones() -> None:
    table = correlations(CURVES, Settings())
    pooled = correlations(CURVES, Settings(), single_layers=False)
    expected = table[table["layer"].isna()].reset_index(drop=True)
    pd.testing.assert_frame_equal(pooled, expected)
    assert 0 < len(pooled) < len(table)


def test_the_networks_rows_are_those_of_its_region_or_of_the_mean() -> None:
    rows = of_network(correlations(CURVES, Settings()), CURVES, Settings())
    assert set(rows["region"]) == {"netw"}
    assert set(rows["model"]) == {"toy-3", "toy-4", POOLED}
    without = [replace(c, regions=("IFG", "PostTemp", "other")) for c in CURVES]
    assert set(of_network(correlations(without, Settings()), without, Settings())["region"]) == {
        "mean"
    }


@pytest.mark.parametrize("method", ["pearson", "spearman"])
@pytest.mark.parametrize("layers", [1, 3])
def test_circular_shifts_are_the_loop(method: str, layers: int) -> None:
    rng = np.random.default_rng(layers)
    x, y = rng.standard_normal((2, 9, layers))
    time = np.broadcast_to(np.arange(9.0)[:, None], x.shape)
    values = [
        abs(partial_correlation(np.roll(x, k, axis=0).ravel(), y.ravel(), time.ravel(), method)[0])
        for k in range(9)
    ]
    expected = np.mean(np.array(values) >= values[0] - 1e-12)
    assert circular_shift_p(x, y, time, method) == pytest.approx(expected)
    assert np.isnan(circular_shift_p(np.ones_like(x), y, time, method))


def test_steps_with_a_gap_are_left_out() -> None:
    score = CURVES[0].score.copy()
    score[:5] = np.nan
    few = replace(CURVES[0], score=score)
    table = correlations([few], Settings())
    assert set(table["n"].unique()) == {9}  # three steps of three layers; of one layer, too few


def test_at_one_step_nothing_is_correlated_given_the_step() -> None:
    frames = tuple(Frame(f"toy-{n}", 10.0**n, (64,), 8) for n in (3, 4))
    design = Design(frames, ("IFG", "netw"), 2, QUIET, QUIET, 0.1)
    curves = simulate(design, Truth(coupling=1.0), np.random.default_rng(0))
    table = correlations(curves, Settings())
    assert list(table.columns) == COLUMNS
    assert table.empty
    assert of_network(table, curves, Settings()).empty
