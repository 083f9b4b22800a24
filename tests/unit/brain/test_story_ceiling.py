"""Ceilings of stories, against what was planted."""

import numpy as np
import pandas as pd
import pytest

from geomod.brain.ceiling import ceilings, resamples
from geomod.brain.dataset import Dataset
from geomod.brain.story import zscored
from geomod.brain.story_ceiling import block_of, explainable_variance, story_ceilings
from geomod.stories.timing import Timing, rows_of

SHARE = 0.4  # of the signal in one hearing


def rough(rng, shape, phi=0.7):
    """AR(1) along the last axis, variance 1."""
    values = rng.normal(size=shape)
    for k in range(1, shape[-1]):
        values[..., k] = phi * values[..., k - 1] + np.sqrt(1 - phi**2) * values[..., k]
    return values


def hearings(rng, repeats, rows):
    signal = np.sqrt(SHARE) * rough(rng, (rows,))
    return signal, zscored((signal + np.sqrt(1 - SHARE) * rough(rng, (repeats, rows))).T).T


def test_explainable_variance_is_the_mean_correlation_between_hearings():
    rng = np.random.default_rng(0)
    _, each = hearings(rng, 5, 300)
    correlations = np.corrcoef(each)[np.triu_indices(5, 1)]
    assert explainable_variance(each)[0] == pytest.approx(correlations.mean(), abs=1e-12)
    assert explainable_variance(rng.normal(size=(2, 5000)))[0] == pytest.approx(0, abs=0.05)


def long(items, region, who, values, **more):
    names = {"item_id": items, "region": region, "participant": who, **more}
    return pd.DataFrame({**names, "response": values})


def world(seed, repeats=10, people=1):
    rng = np.random.default_rng(seed)
    rows = rows_of({"once": Timing(2.0, 400), "often": Timing(2.0, 300)})
    items = {story: own["item_id"].tolist() for story, own in rows.groupby("story")}
    table, again, signals = [], [], {}
    for who in [f"S{k}" for k in range(people)]:
        signals[who, "once"], [one] = hearings(rng, 1, 400)
        signals[who, "often"], each = hearings(rng, repeats, 300)
        table.append(long(items["once"], "speech", who, one))
        table.append(long(items["often"], "speech", who, zscored(each.mean(axis=0)[:, None])[:, 0]))
        again += [long(items["often"], "speech", who, own, repeat=k) for k, own in enumerate(each)]
    whole = pd.concat(table, ignore_index=True)
    average = whole.groupby("item_id", sort=False)["response"].mean()
    table = pd.concat([long(average.index, "speech", "average", average.to_numpy()), whole])
    return rows, table, pd.concat(again, ignore_index=True), signals


def test_a_participant_with_repeats_is_bounded_by_what_repeats():
    rows, table, repeats, signals = world(0)
    dataset = Dataset(regions=["speech"])
    found = story_ceilings(dataset, table, repeats, rows, seed=0).set_index("participant")
    assert found["method"].tolist() == ["repeats", "repeats"]
    # A model that knows the signal, on the rows that were heard once and those heard often.
    own = table.query("participant == 'S0'").set_index("item_id")["response"]
    true = np.concatenate([signals["S0", "once"], signals["S0", "often"]])
    reached = np.corrcoef(true, own)[0, 1]
    assert found.loc["S0", "ceiling"] == pytest.approx(reached, abs=0.08)
    assert found.loc["S0", "low"] < found.loc["S0", "ceiling"] < found.loc["S0", "high"]
    assert found.loc["average", "ceiling"] == found.loc["S0", "ceiling"]
    assert found.loc["S0", "sd_signal"] ** 2 == pytest.approx(SHARE, abs=0.08)


def test_the_interval_covers_the_planted_share():
    inside = []
    for seed in range(12):
        rows, table, repeats, _ = world(seed, repeats=5)
        own = story_ceilings(Dataset(regions=["speech"]), table, repeats, rows, seed=0).iloc[1]
        n = 700 / (400 + 300 / 5)
        inside.append(own["low"] < 1 / np.sqrt(1 + (1 - SHARE) / SHARE / n) < own["high"])
    assert np.mean(inside) >= 0.75


def test_without_repeats_participants_are_held_against_each_other():
    rows, table, repeats, _ = world(1, people=3)
    dataset = Dataset(regions=["speech"])
    nothing = repeats.iloc[:0]
    found = story_ceilings(dataset, table, nothing, rows, seed=0)
    assert set(found["method"]) == {"participants"}
    plain = ceilings(table, seed=0)
    np.testing.assert_allclose(found["ceiling"], plain["ceiling"])  # the interval alone differs
    halves = story_ceilings(
        Dataset(regions=["speech"], ceiling="split_half"), table, nothing, rows, seed=0
    )
    assert set(halves["method"]) == {"split_half"}
    both = story_ceilings(dataset, table, repeats, rows, seed=0).set_index("participant")
    assert both.loc["average", "method"] == "participants"
    assert both.loc["S1", "method"] == "repeats"


def test_blocks_stay_together_and_within_their_story():
    rows = rows_of({"a": Timing(2.0, 45), "b": Timing(2.0, 20)})
    blocks = block_of(rows)
    assert [blocks[f"a@{tr}"] for tr in (0, 19, 20, 44)] == [0, 0, 1, 2]
    assert blocks["b@0"] == 3
    codes = np.array([blocks[item] for item in rows["item_id"]])
    drawn = resamples(65, 50, np.random.default_rng(0), codes)
    for block in range(4):
        assert (drawn[:, codes == block] == drawn[:, codes == block][:, :1]).all()
    assert (drawn[0] == 1).all()
