"""The confound ladder as a table: right names, right rows, and what is left out."""

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from geomod.base.tables import columns_of
from geomod.encoding.baselines import Baselines, Ladders, against_baselines
from geomod.encoding.scores import encode_checkpoint
from tests.unit.encoding.test_scores import SETTINGS

N = 80
ALL = replace(SETTINGS, baselines=["length", "position", "untrained"])


@pytest.fixture
def world() -> tuple[dict[int, Any], dict[int, Any], pd.DataFrame, pd.DataFrame]:
    """Regions that follow the number of words, the layer, and the layer before training."""
    rng = np.random.default_rng(0)
    before = {0: np.ones((N, 4)), 1: rng.normal(size=(N, 4))}
    after = {0: np.ones((N, 4)), 1: np.hstack([before[1][:, :2], rng.normal(size=(N, 2))])}
    stimuli = pd.DataFrame(
        {
            "item_id": [f"s{i}" for i in range(N)],
            "n_words": rng.integers(3, 20, N),
            "n_characters": rng.integers(10, 90, N),
            "position": np.arange(N),
        }
    )
    words = (stimuli["n_words"] - stimuli["n_words"].mean()) / stimuli["n_words"].std()
    driven = {"words": words, "new": after[1][:, 3], "kept": after[1][:, 0]}
    responses = pd.concat(
        pd.DataFrame(
            {
                "item_id": stimuli["item_id"],
                "region": region,
                "participant": person,
                "response": values + 0.3 * rng.normal(size=N),
            }
        )
        for region, values in driven.items()
        for person in ("average", "p1")
    )
    return after, before, responses, stimuli


def found(world: Any, baseline: str, layer: int = 1) -> pd.DataFrame:
    table = against_baselines(*world, ALL)
    rows = table[(table["baseline"] == baseline) & (table["layer"] == layer)]
    return rows.set_index("region")


def test_a_row_a_baseline_layer_and_region_of_the_average(world: Any) -> None:
    table = against_baselines(*world, ALL)
    keys = ["baseline", "layer", "region"]
    assert len(table) == 3 * 2 * 3 == len(table.drop_duplicates(keys))
    assert set(table["participant"]) == {"average"}
    assert {"dataset", "model", "step", *table.columns} == set(columns_of("baselines"))
    np.testing.assert_allclose(table["unique"], table["score_joint"] - table["score_baseline"])


def test_what_a_baseline_explains_is_not_the_layers_own(world: Any) -> None:
    length, untrained = found(world, "length"), found(world, "untrained")
    assert length.loc["words", "score_baseline"] > 0.8
    assert abs(length.loc["words", "unique"]) < 0.05
    assert length.loc["new", "unique_r2"] > 0.6
    assert untrained.loc["kept", "score_layer"] > 0.8
    assert abs(untrained.loc["kept", "unique"]) < 0.05
    assert untrained.loc["new", "unique"] > 0.5


def test_a_constant_layer_adds_nothing(world: Any) -> None:
    rows = found(world, "length", layer=0)
    assert (rows["score_layer"] == 0).all()
    assert abs(rows.loc["words", "unique"]) < 1e-4
    np.testing.assert_allclose(rows["unique_r2"], 0, atol=0.05)


def test_without_untrained_features_the_baseline_is_left_out_and_the_log_says_so(
    world: Any, caplog: pytest.LogCaptureFixture
) -> None:
    after, _, responses, stimuli = world
    with caplog.at_level(logging.WARNING):
        table = against_baselines(after, None, responses, stimuli, ALL)
    assert set(table["baseline"]) == {"length", "position"}
    assert "no baseline `untrained`" in caplog.text


def test_layers_that_diverged_have_no_rows(world: Any) -> None:
    after, before, *rest = world
    after, before = {**after, 2: np.full((N, 4), np.inf)}, {**before, 2: np.ones((N, 4))}
    table = against_baselines(after, before, *rest, ALL)
    assert set(table["layer"]) == {0, 1}


def test_no_baselines_no_rows(world: Any) -> None:
    table = against_baselines(*world, SETTINGS)
    assert table.empty
    assert {"dataset", "model", "step", *table.columns} == set(columns_of("baselines"))


def test_ladders_climbed_beside_the_scores_are_those_climbed_alone(world: Any) -> None:
    """At two checkpoints of one job, of which the first is the untrained model itself."""
    after, before, responses, stimuli = world
    ceiling = responses[["region", "participant"]].drop_duplicates().assign(ceiling=1.0)
    baselines = Baselines(ALL, stimuli, before)
    for step, features in ((0, before), (1, after)):
        ladders = Ladders(baselines, untrained=step > 0)
        given = (features, responses, stimuli, ceiling, ALL)
        scores, folds = encode_checkpoint(*given, beside=ladders)
        expected = against_baselines(features, before if step else None, responses, stimuli, ALL)
        pd.testing.assert_frame_equal(ladders.table(), expected)
        for beside, alone in zip((scores, folds), encode_checkpoint(*given), strict=True):
            pd.testing.assert_frame_equal(beside, alone)
