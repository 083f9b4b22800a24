"""Rows of stories through the tables: what is fitted on what, and what scores are held against."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from geomod.brain.responses import AVERAGE
from geomod.encoding.baselines import Baselines, Ladders
from geomod.encoding.design import Design
from geomod.encoding.scores import encode_checkpoint, encode_voxels
from geomod.encoding.settings import Settings
from geomod.ridge.banded import ladder
from geomod.ridge.delays import Delays
from geomod.ridge.engine import encode

TRS, STORIES = 40, 4


def settings(**changes: Any) -> Settings:
    given: dict[str, Any] = {
        "folds": 5,
        "inner_folds": 5,
        "group_by": None,
        "seed": 0,
        "penalties": (-1, 4, 6),
        "standardize": True,
        "match_width": None,
        "delays": (1, 2),
        "gap": 5,
        "baselines": ("length", "word_rate", "position", "smooth", "nuisances", "untrained"),
    }
    return Settings(**{**given, **changes})


def rows_of(stories: int = STORIES, trs: int = TRS) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame(
            {
                "item_id": [f"s{k}@{tr}" for tr in range(trs)],
                "story": f"s{k}",
                "tr": range(trs),
                "time": np.arange(trs) * 2.0 + 1,
                "word_rate": rng.uniform(2, 8, trs),
            }
        )
        for k in range(stories)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def world() -> dict[str, Any]:
    rng, rows = np.random.default_rng(1), rows_of()
    features = {layer: rng.standard_normal((len(rows), 6)).astype("f4") for layer in (0, 1)}
    kept = np.flatnonzero(rows["tr"].between(3, TRS - 3))
    signal = np.roll(features[1][:, 0], 2) + np.roll(rows["word_rate"] - 5, 1)
    responses = pd.DataFrame(
        {
            "item_id": rows["item_id"].to_numpy()[kept],
            "region": "IFG",
            "participant": AVERAGE,
            "response": (signal + rng.standard_normal(len(rows)))[kept],
        }
    )
    ceiling = pd.DataFrame({"region": ["IFG"], "participant": [AVERAGE], "ceiling": [0.8]})
    return {
        "rows": rows,
        "features": features,
        "kept": kept,
        "responses": responses,
        "ceiling": ceiling,
    }


def test_scores_are_those_of_delayed_rows_left_out_by_story(world: dict[str, Any]) -> None:
    given = (world["responses"], world["rows"], world["ceiling"])
    scores, folds = encode_checkpoint(world["features"], *given, settings(permutations=5))
    delays = Delays(world["rows"]["story"], (1, 2), keep=world["kept"])
    found = encode(
        np.stack([world["features"][layer] for layer in (0, 1)]),
        world["responses"]["response"].to_numpy(),
        alphas=np.logspace(-1, 4, 6),
        delays=delays,
        folds=4,
        inner_folds=3,
        permutations=5,
    )
    assert_allclose(scores["score"], found.score[:, 0])
    assert found.p_permutation is not None
    assert_allclose(scores["p_permutation"], found.p_permutation[:, 0])
    assert set(folds["fold"]) == set(range(4))
    # Rows that are near in time are alike, whatever is said: other measures would show that.
    assert scores[["rsa", "trsa", "cka"]].isna().all(axis=None)
    assert_allclose(scores["score_normalized"], scores["score"] / 0.8)


def test_bands_are_delayed_as_the_layers_are(world: dict[str, Any]) -> None:
    rng = np.random.default_rng(3)
    rows = world["rows"]
    half = rows["item_id"][rows["story"].isin(["s0", "s1"])]
    confounds = pd.concat(
        [
            pd.DataFrame(
                {
                    "item_id": items,
                    "participant": who,
                    "confound": "trans_x",
                    "value": rng.standard_normal(len(items)),
                }
            )
            for who, items in (("a", rows["item_id"]), ("b", half))
        ]
    )
    untrained = {0: rng.standard_normal((len(rows), 6)).astype("f4")}
    ladders = Ladders(Baselines(settings(), rows, untrained, confounds))
    given = (world["responses"], rows, world["ceiling"])
    encode_checkpoint(world["features"], *given, settings(), beside=ladders)
    table = ladders.table().set_index(["baseline", "layer"])
    layers_of = table.reset_index().groupby("baseline")["layer"].agg(list).to_dict()
    both = [0, 1]
    assert layers_of == {"word_rate": both, "position": both, "nuisances": both, "untrained": [0]}
    wide = confounds.pivot_table(index="item_id", columns="participant", values="value")
    bands = {
        "word_rate": rows[["word_rate"]].to_numpy(),
        "position": rows[["tr"]].to_numpy(dtype=float),
        "nuisances": wide.reindex(rows["item_id"]).fillna(0).to_numpy(),
        "untrained": untrained[0],
    }
    for name, band in bands.items():
        found = ladder(
            band,
            world["features"][0],
            world["responses"]["response"].to_numpy(),
            alphas=np.logspace(-1, 4, 6),
            delays=Delays(rows["story"], (1, 2), keep=world["kept"]),
            folds=4,
            inner_folds=3,
        )
        assert_allclose(table.loc[(name, 0), "unique_r2"], found.unique_r2[0, 0], atol=1e-9)
    assert table.loc[("word_rate", 1), "score_baseline"] > 0.3


def test_sentences_have_no_word_rate_and_are_not_delayed() -> None:
    stimuli = pd.DataFrame(
        {"item_id": range(9), "n_words": 1, "n_characters": 2, "position": range(9)}
    )
    plain = settings(delays=())
    assert Baselines(plain, stimuli).names == ["length", "position", "untrained"]
    design = Design(plain, stimuli, np.arange(4))
    assert design.delays is None
    assert design.told["folds"] == 5


@pytest.mark.parametrize(
    ("stories", "folds", "inner", "expected"),
    [
        (6, 5, 5, ("grouped", 5, 4)),
        (6, 6, 5, ("grouped", 6, 5)),
        (3, 2, 5, ("grouped", 3, 2)),
        (4, 5, "loo", ("grouped", 4, "loo")),
        (2, 5, 4, ("contiguous", 5, 4)),
        (1, 4, 3, ("contiguous", 4, 3)),
    ],
)
def test_folds_are_stories_as_many_as_there_are_at_most(
    stories: int, folds: int, inner: Any, expected: tuple[str, int, Any]
) -> None:
    rows = rows_of(stories)
    told = Design(settings(folds=folds, inner_folds=inner), rows, np.arange(len(rows))).told
    assert (told["scheme"], told["folds"], told["inner_folds"]) == expected
    x = np.random.default_rng(0).standard_normal((len(rows), 2))
    assert encode(x, x[:, :1], **told).r.shape == (1, expected[1], 1)
    assert told.get("gap", 5) == 5


def test_voxels_are_scored_as_regions_are(world: dict[str, Any]) -> None:
    from geomod.brain.voxels import Voxels

    matrix = world["responses"]["response"].to_numpy(dtype=np.float32)[:, None]
    voxels = Voxels(world["kept"], matrix, np.array([7]), [])
    scores = encode_voxels(world["features"], voxels, world["rows"], settings())
    given = (world["responses"], world["rows"], world["ceiling"])
    table, _ = encode_checkpoint(world["features"], *given, settings())
    assert_allclose([scores[0][0], scores[1][0]], table["score"], atol=1e-5)
