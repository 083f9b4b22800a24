"""Stories through the workflow: words and scans in, rows of features and responses out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from geomod.base.layers import read_features
from geomod.base.seals import read_json
from geomod.base.tables import read_table
from geomod.toy.language import make_language, sample_stimuli
from tests.workflow.conftest import Workflow

TR, ROWS, STORIES = 2.0, 80, ["one", "two", "three"]


def write_world(folder: Path) -> None:
    """Words of the made-up language, and responses that follow their rate by 5 s."""
    rng = np.random.default_rng(0)
    said = " ".join(sample_stimuli(make_language(0), 300, seed=1)["sentence"]).split()
    words, responses, at = [], [], np.arange(ROWS) * TR + TR / 2
    for story in STORIES:
        pace, time, times = 0.0, 0.0, []
        while time < ROWS * TR - 2:
            pace = 0.97 * pace + 0.24 * rng.normal()
            time += 0.1 + 0.4 * np.exp(0.3 * rng.normal() + 0.5 * pace)
            words.append((story, said.pop(), time, time + 0.1))
            times.append(time)
        after = np.maximum(at[:, None] - np.array(times), 0)
        signal = (after**5 * np.exp(-after)).sum(axis=1)
        for who in ("p1", "p2"):
            speech = signal / signal.std() + rng.normal(size=ROWS) / 2
            table = {"story": story, "tr": range(ROWS), "participant": who, "speech": speech}
            responses.append(pd.DataFrame({**table, "rest": rng.normal(size=ROWS)}))
    columns = ["story", "word", "onset", "offset"]
    pd.DataFrame(words, columns=columns).to_csv(folder / "words.csv", index=False)
    pd.concat(responses).to_csv(folder / "responses.csv", index=False)


@pytest.fixture
def told(fresh: Workflow) -> Workflow:
    write_world(fresh.folder)
    fresh.write_config(
        {
            "run": "told",
            "suites": {"toy": {"provider": "train", "sizes": ["xs"], "steps": [0, 4]}},
            "datasets": {
                "stories": {
                    "story": {"words": "words.csv", "tr": TR, "trim": [5, 5]},
                    "responses": "responses.csv",
                    "regions": ["speech", "rest"],
                }
            },
        }
    )
    return fresh


def test_words_and_responses_become_rows_of_features(told: Workflow) -> None:
    root = told.folder / "results/told"
    features = [f"toy-xs/step{step}/stories/features.safetensors" for step in (0, 4)]
    wanted = ["data/stories/notes.json", "data/stories/lag_check.svg", *features]
    told.run(*(f"results/told/{name}" for name in wanted))
    rows = read_table(root / "data/stories/rows.parquet")
    assert rows["story"].drop_duplicates().tolist() == STORIES
    assert rows["time"][:2].tolist() == [1, 3]
    for path in features:
        layers = read_features(root / path)
        assert all(values.shape[0] == len(rows) for values in layers.values())
        assert all(np.isfinite(values).all() for values in layers.values())
    responses = read_table(root / "data/stories/responses.parquet")
    assert set(responses["participant"]) == {"p1", "p2", "average"}
    assert len(responses) == len(STORIES) * (ROWS - 10) * 2 * 3
    check = read_table(root / "data/stories/lag_check.parquet").set_index(["region", "participant"])
    assert check.loc[("speech", "average"), "verdict"] == "plausible"
    assert read_json(root / "data/stories/notes.json") == []
    assert "speech: plausible" in (root / "data/stories/lag_check.svg").read_text()
    # A new trim touches no forward pass.
    config = told.folder / "config/small.yaml"
    config.write_text(config.read_text().replace("- 5\n      - 5", "- 5\n      - 6"))
    assert "activations" not in told.planned(f"results/told/{features[0]}")


def test_a_config_of_stories_that_is_wrong_is_refused_before_any_job(told: Workflow) -> None:
    config = told.folder / "config/small.yaml"
    text = config.read_text()
    for old, new, said in (
        ("tr: 2.0", "tr: 0.0", "tr"),
        ("words: words.csv", "words: nothing.csv", "nothing.csv cannot be read"),
        ("responses: responses.csv", "sentences: words.csv", "scans"),
    ):
        assert old in text
        config.write_text(text.replace(old, new))
        done = told.run("-n", check=False)
        assert done.returncode != 0
        assert said in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
