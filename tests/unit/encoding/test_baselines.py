"""The confound ladder as a table: right names, right rows, and what is left out."""

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from geomod.base.tables import columns_of
from geomod.encoding.baselines import SPANS, Baselines, Ladders, against_baselines, smooth
from geomod.encoding.scores import encode_checkpoint
from geomod.ridge.engine import encode
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


# --- Place in time ------------------------------------------------------------------------------

PASSAGES = pd.DataFrame({"group": np.repeat([f"p{i}" for i in range(40)], 4)}).assign(
    item_id=[f"s{i}" for i in range(160)],
    position=np.tile(np.arange(4), 40),
    n_words=7,
)


def drifting(rng: np.random.Generator) -> pd.DataFrame:
    """Responses that know no sentence: neighbours in a passage are alike, passages are not."""
    noise = rng.normal(size=(40, 4))
    for i in range(1, 4):
        noise[:, i] = 0.9 * noise[:, i - 1] + np.sqrt(1 - 0.81) * noise[:, i]
    names = {"region": "IFG", "participant": "average"}
    return pd.DataFrame({"item_id": PASSAGES["item_id"], **names, "response": noise.ravel()})


def test_smooth_is_a_bump_about_each_row_of_the_group_whatever_the_order_of_the_table() -> None:
    values = smooth(PASSAGES)
    expected = np.mean([np.exp(-0.5 * (2 / span) ** 2) for span in SPANS])
    assert values[0, 2] == values[2, 0] == pytest.approx(expected)
    assert values[0, 0] == 1
    assert not values[:4, 4:].any()
    shuffled = PASSAGES.sample(frac=1, random_state=0)
    back = np.argsort(shuffled.index)
    np.testing.assert_array_equal(smooth(shuffled)[np.ix_(back, back)], values)


def test_smooth_predicts_drift_through_shuffled_folds_and_nothing_where_passages_are_whole() -> (
    None
):
    rng = np.random.default_rng(0)
    layers, settings = {1: rng.normal(size=(160, 5))}, replace(SETTINGS, baselines=["smooth"])
    given = (layers, None, drifting(rng), PASSAGES)
    (leaking,) = against_baselines(*given, settings).itertuples()
    assert leaking.score_baseline > 0.6
    assert abs(leaking.score_layer) < 0.2
    assert abs(leaking.unique) < 0.05
    (whole,) = against_baselines(*given, replace(settings, group_by="group")).itertuples()
    assert whole.score_baseline == 0
    runs = PASSAGES.assign(split=np.repeat(["a", "b", "c", "d"], 40))
    (apart,) = against_baselines(*given[:3], runs, settings).itertuples()
    assert apart.score_baseline == 0
    parted = PASSAGES.assign(split=np.tile(["a", "b", "c", "d"], 40))
    (leaking,) = against_baselines(*given[:3], parted, settings).itertuples()
    assert leaking.score_baseline > 0.6


def test_what_is_not_fitted_where_passages_are_whole_would_have_scored_nothing() -> None:
    """The bumps themselves, fitted: they predict the same of all rows of the test passages."""
    y = drifting(np.random.default_rng(0))["response"].to_numpy()
    found = encode(smooth(PASSAGES), y, groups=PASSAGES["group"])
    np.testing.assert_allclose(found.score, 0, atol=1e-6)


@pytest.mark.parametrize("groups", [[""] * N, [f"g{i}" for i in range(N)]])
def test_rows_without_neighbours_have_no_smooth_baseline(world: Any, groups: list[str]) -> None:
    after, before, responses, stimuli = world
    settings = replace(SETTINGS, baselines=["position", "smooth"])
    table = against_baselines(after, before, responses, stimuli.assign(group=groups), settings)
    assert set(table["baseline"]) == {"position"}


# --- Nuisances ----------------------------------------------------------------------------------


def test_nuisances_are_one_band_whatever_the_order_of_their_rows(world: Any) -> None:
    after, before, responses, stimuli = world
    settings = replace(SETTINGS, baselines=["length", "nuisances"])
    values = stimuli[["item_id", "n_words", "n_characters"]].melt("item_id", var_name="nuisance")
    shuffled = values.sample(frac=1, random_state=0)
    ladders = Ladders(Baselines(settings, stimuli, before, shuffled))
    ceiling = responses[["region", "participant"]].drop_duplicates().assign(ceiling=1.0)
    encode_checkpoint(after, responses, stimuli, ceiling, settings, beside=ladders)
    table = ladders.table().set_index(["baseline", "layer", "region", "participant"])
    assert len(table) == 2 * 2 * 3
    # The same two columns by another way, in another order.
    pd.testing.assert_frame_equal(table.loc["nuisances"], table.loc["length"], atol=1e-9)


def test_a_dataset_without_nuisances_has_no_such_baseline(world: Any) -> None:
    after, before, *rest = world
    settings = replace(SETTINGS, baselines=["length", "nuisances"])
    assert set(against_baselines(after, before, *rest, settings)["baseline"]) == {"length"}
