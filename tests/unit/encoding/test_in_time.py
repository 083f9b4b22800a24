"""The response in time of every region, and what shuffled TRs would have claimed."""

import numpy as np
import pandas as pd
import pytest

from geomod.encoding.in_time import bumps, impulses, shuffling, with_planted
from geomod.toy.stories import haemodynamic
from tests.unit.encoding.test_design import settings
from tests.unit.encoding.test_story_experiment import TRIM, TRS, told

REGIONS = ["rate", "noise"]


@pytest.fixture(scope="module")
def world() -> tuple[pd.DataFrame, pd.DataFrame, dict[int, np.ndarray]]:
    """Rows, responses of the average and of a single participant, features of one layer."""
    heard = told()
    story = heard.rows.stories
    tr = np.tile(np.arange(TRS), len(heard.words))
    item = [f"{name}@{t}" for name, t in zip(story, tr, strict=True)]
    rate = heard.down(heard.sees(1.0))[:, 0]
    rows = pd.DataFrame({"item_id": item, "story": story, "tr": tr, "word_rate": rate})
    rate, noise = (heard.response(heard.sees(value), 2.0, seed=0) for value in (1.0, 0.0))
    kept = np.flatnonzero((tr >= TRIM[0]) & (tr < TRS - TRIM[1]))
    table = pd.concat(
        [
            pd.DataFrame(
                {
                    "item_id": rows["item_id"].to_numpy()[kept],
                    "region": region,
                    "participant": who,
                    "response": y[kept, 0],
                }
            )
            for region, y in (("rate", rate), ("noise", noise))
            for who in ("average", "a")
        ]
    )
    return rows, table, {0: heard.down(heard.vectors(seed=0)).astype(np.float32)}


def test_a_region_that_counts_words_shows_how_blood_answers(
    world: tuple[pd.DataFrame, pd.DataFrame, dict[int, np.ndarray]],
) -> None:
    rows, responses, _ = world
    seconds = [2.0 * k for k in range(10)]
    truth = {
        "haemodynamic": {"seconds": seconds, "response": haemodynamic(np.array(seconds)).tolist()},
        "word_rate": "rate",
        "null": "noise",
    }
    found = with_planted(impulses(responses, rows, settings(), tr=2.0), truth)
    assert found["seconds"].max() == 18.0
    curves = found.set_index(["region", "participant"])
    for who in ("average", "a"):
        own = curves.loc[("rate", who)]
        assert np.corrcoef(own["weight"], own["planted"])[0, 1] > 0.95
        assert own["weight"].abs().max() / own["planted"].abs().max() == pytest.approx(1, abs=0.2)
    assert (curves.loc["noise", "planted"] == 0).all()
    assert with_planted(found, None)["planted"].isna().all()


def test_shuffled_rows_claim_what_other_stories_refuse(
    world: tuple[pd.DataFrame, pd.DataFrame, dict[int, np.ndarray]],
) -> None:
    rows, responses, features = world
    found = shuffling(features, responses, rows, settings(delays=(1, 2, 3, 4), folds=6))
    assert found["participant"].unique().tolist() == ["average"]
    noise = found[found["region"] == "noise"].iloc[0]
    assert noise["shuffled"] > noise["stories"] + 0.1
    time = shuffling({0: bumps(rows)}, responses, rows, settings(delays=(1, 2, 3, 4), folds=6))
    assert (time["shuffled"] > 0.5).all()
    assert (time["stories"].abs() < 0.1).all()
