"""The best layer of a region, and its interval."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from geomod.report.findings import best_layers
from tests.unit.report.test_figures import made_up


def test_the_best_layer_is_the_block_with_the_highest_score() -> None:
    table = made_up()["encoding"]
    found = best_layers(table, 5, "data")
    for row in found.itertuples():
        own = table.query("participant == 'average' and layer > 0")
        own = own[own["region"] == row.region]
        best = own.loc[own["score"].idxmax()]
        assert (row.model, row.step, row.layer) == (best["model"], best["step"], best["layer"])
        assert row.score == best["score"]
        assert row.share == best["score_normalized"]
        assert row.layers == 3


def test_the_network_stands_before_its_parts_in_every_dataset() -> None:
    table = made_up()["encoding"]
    table["region"] = table["region"].replace("noise", "netw")
    both = pd.concat([table.assign(dataset=name) for name in ("b", "a")])
    found = best_layers(both, 5, "data")
    assert list(found["dataset"]) == ["b"] * 3 + ["a"] * 3
    assert list(found["region"]) == ["netw", "IFG", "PostTemp"] * 2


def test_the_interval_is_that_of_a_t_test_corrected_for_shared_training_rows() -> None:
    """Of folds drawn at random, by the formula of Nadeau and Bengio for n₂/n₁ = 1/(k − 1)."""
    folds = np.random.default_rng(0).normal(0.3, 0.05, 5)
    table = made_up()["encoding"].query("region == 'IFG'")
    table = table.assign(score=folds.mean(), score_sd=folds.std(ddof=1))
    row = best_layers(table, 5, "data").iloc[0]
    scale = np.sqrt((1 / 5 + 1 / 4) * folds.var(ddof=1))
    low, high = stats.t.interval(0.95, 4, folds.mean(), scale)
    assert (row["low"], row["high"]) == pytest.approx((low, high))


def test_without_a_score_there_is_no_best_layer() -> None:
    table = made_up()["encoding"]
    assert best_layers(table.assign(score=np.nan), 5, "data").empty
    assert best_layers(table.iloc[:0], 5, "data").empty
