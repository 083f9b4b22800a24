"""Encoding models as tables."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from geomod.base.errors import InputError
from geomod.brain.voxels import Voxels
from geomod.encoding.alignment import linear_cka, rsa, trsa
from geomod.encoding.scores import encode_checkpoint, encode_voxels, layers_in

N = 60
SETTINGS: dict[str, Any] = {
    "alphas": {"low": -1, "high": 5, "count": 7},
    "folds": 5,
    "inner_folds": 5,
    "group_by": None,
    "standardize": True,
    "permutations": 19,
    "seed": 0,
    "baselines": [],
    "match_width": None,
}


@pytest.fixture
def world() -> tuple[dict[int, np.ndarray], pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Layer 1 drives region A of both people; region B is noise. Layer 0 is constant."""
    rng = np.random.default_rng(0)
    features = {
        0: np.ones((N, 4), dtype=np.float32),
        1: rng.normal(size=(N, 4)).astype(np.float32),
    }
    items = [f"s{i}" for i in range(N)]
    stimuli = pd.DataFrame({"item_id": items, "group": ["x"] * N})
    rows = []
    for person in ("p1", "p2", "average"):
        a = features[1][:, 0] + 0.3 * rng.normal(size=N)
        for region, response in (("A", a), ("B", rng.normal(size=N))):
            rows.append(
                pd.DataFrame(
                    {
                        "item_id": items,
                        "region": region,
                        "participant": person,
                        "response": response,
                    }
                )
            )
    responses = pd.concat(rows).sort_values(
        "item_id", kind="stable", key=lambda k: k.str[1:].astype(int)
    )
    ceiling = pd.DataFrame(
        {
            "region": ["A", "B"] * 3,
            "participant": np.repeat(["average", "p1", "p2"], 2),
            "ceiling": [0.9, 0.0] * 3,
        }
    )
    return features, responses, stimuli, ceiling


def test_a_row_a_layer_region_and_participant(world: Any) -> None:
    scores, folds = encode_checkpoint(*world, SETTINGS)
    keys = ["layer", "region", "participant"]
    assert len(scores) == 2 * 2 * 3 == len(scores.drop_duplicates(keys))
    assert len(folds) == 5 * len(scores)
    mean = folds.groupby(keys)["r"].mean().reindex(pd.MultiIndex.from_frame(scores[keys]))
    np.testing.assert_allclose(mean.to_numpy(), scores["score"])


def test_each_score_stands_in_its_own_row(world: Any) -> None:
    scores, _ = encode_checkpoint(*world, SETTINGS)
    driven = scores[(scores["layer"] == 1) & (scores["region"] == "A")]
    assert (driven["score"] > 0.85).all()
    assert (driven["p_permutation"] == 1 / 20).all()
    np.testing.assert_allclose(driven["score_normalized"], driven["score"] / 0.9)
    others = scores.drop(driven.index)
    assert (others["score"].abs() < 0.5).all()


def test_a_constant_layer_explains_nothing(world: Any) -> None:
    scores, _ = encode_checkpoint(*world, SETTINGS)
    assert (scores.loc[scores["layer"] == 0, "score"] == 0).all()


def test_without_a_ceiling_nothing_is_normalized(world: Any) -> None:
    scores, _ = encode_checkpoint(*world, SETTINGS)
    assert scores.loc[scores["region"] == "B", "score_normalized"].isna().all()


def test_a_diverged_layer_has_no_score_and_the_others_have(world: Any) -> None:
    features, *rest = world
    features[2] = np.full((N, 4), np.nan, dtype=np.float32)
    scores, folds = encode_checkpoint(features, *rest, SETTINGS)
    assert scores.loc[scores["layer"] == 2, "score"].isna().all()
    assert scores.loc[scores["layer"] < 2, "score"].notna().all()
    assert set(folds["layer"]) == {0, 1}


def test_other_measures_are_those_of_the_average(world: Any) -> None:
    features, responses, *_ = world
    scores, _ = encode_checkpoint(*world, SETTINGS)
    measures = ["rsa", "trsa", "cka"]
    assert scores.loc[scores["participant"] != "average", measures].isna().all(axis=None)
    assert scores.loc[scores["layer"] == 0, measures].isna().all(axis=None)  # constant features
    for region in ("A", "B"):
        averaged = f"region == '{region}' and participant == 'average'"
        y = responses.query(averaged)[["response"]].to_numpy()
        found = scores.query(f"layer == 1 and {averaged}")
        expected = [rsa(features[1], y), trsa(features[1], y), linear_cka(features[1], y)]
        np.testing.assert_allclose(found[measures].to_numpy()[0], expected, atol=1e-6)


def test_wide_layers_may_be_matched_to_narrow_ones(world: Any) -> None:
    features, *rest = world
    noise = np.random.default_rng(1).normal(size=(N, 3)).astype(np.float32)
    wide = {1: np.hstack([10 * noise, features[1]])}  # what drives A varies least
    matched = {**SETTINGS, "match_width": 3, "standardize": False}
    driven = "region == 'A' and participant == 'average'"
    scores, _ = encode_checkpoint(wide, *rest, matched)
    assert scores.query(driven)["score"].item() < 0.3
    scores, _ = encode_checkpoint(wide, *rest, {**matched, "match_width": None})
    assert scores.query(driven)["score"].item() > 0.85


def test_groups_must_be_a_column_that_is_filled(world: Any) -> None:
    features, responses, stimuli, ceiling = world
    with pytest.raises(InputError, match="'passage', which is no column"):
        encode_checkpoint(*world, {**SETTINGS, "group_by": "passage"})
    with pytest.raises(InputError, match="sentence s0 has no group"):
        encode_checkpoint(
            features,
            responses,
            stimuli.assign(group=""),
            ceiling,
            {**SETTINGS, "group_by": "group"},
        )


def test_labels_of_layer_blocks() -> None:
    assert layers_in("all") is None
    assert list(layers_in("3-5") or []) == [3, 4, 5]


def test_voxels_are_fitted_as_regions_are(world: Any) -> None:
    """A voxel with a region's responses has the region's score; sentences may be missing."""
    features, responses, stimuli, ceiling = world
    rows = np.delete(np.arange(N), [5, 17])
    kept = responses[responses["item_id"].isin(stimuli["item_id"][rows])]
    table, _ = encode_checkpoint(features, kept, stimuli, ceiling, SETTINGS)
    of_p1 = kept[kept["participant"] == "p1"]
    matrix = np.stack([of_p1.loc[of_p1["region"] == r, "response"] for r in "AB"], axis=1)
    voxels = Voxels(rows, matrix, np.array([4, 7]), [])
    broken = np.full_like(features[1], np.nan)
    scores = encode_voxels({**features, 2: broken}, voxels, stimuli, SETTINGS)
    expected = table[(table["participant"] == "p1") & (table["layer"] == 1)].set_index("region")
    np.testing.assert_allclose(scores[1], expected.loc[["A", "B"], "score"], atol=1e-9)
    assert np.isnan(scores[2]).all()
