"""Sentences that the workflow reads in their passage are what the reading in Python gives."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from geomod.base.layers import read_features
from geomod.base.tables import read_table
from geomod.models.forward import read
from geomod.models.loading import load_model
from geomod.models.passages import Passages
from geomod.models.reading import Settings
from geomod.models.sentences import Sentences
from geomod.toy.language import make_language, sample_stimuli
from geomod.toy.training import train
from tests.workflow.conftest import Workflow

pytestmark = pytest.mark.slow

# A story of more tokens than the model takes, and short ones.
GROUPS = ["story"] * 90 + [f"text {row // 3}" for row in range(30)]
DATASET: dict[str, Any] = {
    "name": "mine",
    "sentences": "mine.csv",
    "responses": "mine.csv",
    "regions": ["netw"],
    "columns": {"group": "passage"},
}


def test_passages_are_those_of_the_reading_in_python(fresh: Workflow) -> None:
    train("xs", (8,), 0, fresh.folder / "mine/xs")
    make_data(fresh.folder / "mine.csv")
    found = {}
    for run, keys in {"alone": {}, "passage": {"context": "passage", "long": "cut"}}.items():
        suite = {"provider": "folder", "path": "mine/{size}/step{step}"}
        suites = {"mine": {**suite, "sizes": ["xs"], "steps": [8]}}
        fresh.write_config({"run": run, "suites": suites, "dataset": DATASET | keys})
        folder = Path(f"results/{run}/mine-xs/step8/mine")
        fresh.run(str(folder / "features.safetensors"))
        found[run] = fresh.folder / folder

    stimuli = read_table(fresh.folder / "results/passage/data/mine/stimuli.parquet")
    passages = Passages(stimuli, Settings(long="cut"))
    readings = {"alone": Sentences(stimuli), "passage": passages}
    read(*load_model(fresh.folder / "mine/xs/step8"), list(readings.values()))
    assert passages.n_cut > 0
    for run, reading in readings.items():
        for layer, features in read_features(found[run] / "features.safetensors").items():
            np.testing.assert_allclose(features, reading.features[layer], rtol=1e-4, atol=1e-6)
        surprisal = read_table(found[run] / "tokens.parquet")["surprisal"]
        np.testing.assert_allclose(surprisal, reading.tokens["surprisal"], rtol=1e-4)
    assert not np.allclose(readings["alone"].features[2], passages.features[2], rtol=1e-2)


def make_data(path: Path) -> None:
    sentences = sample_stimuli(make_language(0), len(GROUPS), 0)["sentence"]
    table = {"item_id": range(len(GROUPS)), "sentence": sentences, "passage": GROUPS}
    table["netw"] = np.random.default_rng(0).normal(size=len(GROUPS))
    pd.DataFrame(table).to_csv(path, index=False)
