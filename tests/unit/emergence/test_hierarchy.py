"""Best layers and half-times against an order of regions: exact, planted, and by chance."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from geomod.emergence.hierarchy import hierarchy, orders, spearman

ORDER = {"V1": 1, "V2": 2, "V4": 3, "IT": 4, "TPJ": 5, "PFC": 6}
NONE = pd.DataFrame({"model": [], "region": [], "t50": [], "censored": []}).astype(
    {"censored": bool}
)


def scores(peaks, layers=10, width=2.0, step=8):
    """Scores that peak at a layer of each region."""
    rows = [
        {"region": region, "layer": layer, "score": np.exp(-(((layer - peak) / width) ** 2))}
        for region, peak in peaks.items()
        for layer in range(layers + 1)
    ]
    return pd.DataFrame(rows).assign(model="m", step=step, participant="average")


def test_rho_is_scipys_and_p_counts_all_orders() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 6))
    y[2] = y[3]  # a tie
    rho, p = spearman(x, y, rng)
    assert rho == pytest.approx(spearmanr(x, y).statistic)
    null = [spearmanr(x, np.array(each)).statistic for each in permutations(y)]
    assert p == pytest.approx(np.mean([abs(value) >= abs(rho) - 1e-9 for value in null]))
    assert len(orders(6)) == 720
    assert spearman(np.arange(6.0), np.arange(6.0), rng) == (pytest.approx(1), 2 / 720)
    assert np.isnan(spearman(np.ones(6), np.arange(6.0), rng)).all()


def test_a_planted_order_of_layers_comes_back_at_its_step() -> None:
    ordered = scores({region: 1.5 * place for region, place in ORDER.items()})
    turned = scores({region: 10 - 1.5 * place for region, place in ORDER.items()}, step=16)
    flat = scores(dict.fromkeys(ORDER, 5), step=32)
    table = hierarchy(pd.concat([ordered, turned, flat]), NONE, ORDER)
    rho = table.pivot_table(index="step", columns="quantity", values="rho", dropna=False)
    np.testing.assert_allclose(rho.loc[8], 1)
    np.testing.assert_allclose(rho.loc[16], -1)
    assert rho.loc[32].isna().all()
    assert table[table["step"] == 8]["p"].eq(2 / 720).all()


def test_half_times_follow_the_order_and_censored_ones_do_not_count() -> None:
    times = pd.DataFrame({"region": list(ORDER), "t50": np.arange(6.0), "model": "m"})
    times["censored"] = [False] * 5 + [True]
    times.loc[5, "t50"] = -9.0
    row = hierarchy(scores(ORDER), times, ORDER).iloc[-1]
    assert (row["quantity"], row["n"], row["n_unknown"]) == ("t50", 5, 1)
    assert row["rho"] == pytest.approx(1)
    assert row["p"] == pytest.approx(2 / 120)
    assert pd.isna(row["step"])


def test_regions_that_have_no_place_are_counted_and_few_have_no_score() -> None:
    peaks = {region: 1.5 * place for region, place in ORDER.items()} | {"netw": 3}
    table = hierarchy(scores(peaks), NONE, ORDER)
    assert table["n"].eq(6).all()
    assert table["n_unknown"].eq(1).all()
    few = hierarchy(scores(peaks), NONE, {"V1": 1, "V2": 2, "V4": 3})
    assert few[["rho", "p"]].isna().all(axis=None)
    assert few["n"].eq(3).all()


def test_random_layers_are_ordered_no_more_often_than_chance() -> None:
    rng = np.random.default_rng(0)
    p = [spearman(rng.normal(size=7), np.arange(7.0), rng)[1] for _ in range(200)]
    assert np.mean(np.array(p) <= 0.05) <= 0.075
    many = [spearman(rng.normal(size=12), np.arange(12.0), rng)[1] for _ in range(100)]
    assert np.mean(np.array(many) <= 0.05) <= 0.1
