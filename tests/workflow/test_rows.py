"""What a lab says of its rows, from files to scores: own folds, nuisances, contrasts of its own."""

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest

from geomod.base.layers import read_features
from geomod.ridge.engine import encode
from tests.workflow.conftest import SMALL, Workflow
from tests.workflow.test_changes import DEAR

pytestmark = pytest.mark.slow

N, ALPHAS = 48, np.logspace(-1, 6, 8)
RUNS = [f"run {row // 12}" for row in range(N)]
CONFIG: dict[str, Any] = {
    **SMALL,
    "suites": {"toy": {"provider": "train", "sizes": ["xs"], "steps": [0, 4]}},
    "dataset": {
        "name": "lab",
        "sentences": "lab.csv",
        "responses": "lab.csv",
        "regions": ["IFG", "V1", "V2"],
        "splits": "run",
        "nuisances": "motion.csv",
    },
}
CONTRASTS = {"visual": {"first": ["V1", "V2"], "later": ["IFG"]}}


def test_runs_nuisances_and_contrasts_reach_the_tables(fresh: Workflow) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"item_id": range(N), "run": RUNS, "session": np.arange(N) // 24})
    table["sentence"] = [f"mogu {row} tesa" for row in range(N)]
    table["group"] = np.arange(N) // 4
    table[["IFG", "V1", "V2"]] = rng.normal(size=(N, 3))
    table.to_csv(fresh.folder / "lab.csv", index=False)
    motion = pd.DataFrame({"item_id": range(N)[::-1], "motion": table["V1"][::-1]})
    motion.to_csv(fresh.folder / "motion.csv", index=False)
    fresh.write_config({**CONFIG, "inference": {**SMALL["inference"], "contrasts": CONTRASTS}})
    data = fresh.folder / "results/small/data/lab/tables"
    wanted = [f"{data.relative_to(fresh.folder)}/{n}.parquet" for n in ("contrasts", "baselines")]
    fresh.run(*wanted)

    # The scores are those of the engine, told of the very runs.
    folds = pd.read_parquet(fresh.folder / "results/small/toy-xs/step4/lab/folds.parquet")
    features = read_features(fresh.folder / "results/small/toy-xs/step4/lab/features.safetensors")
    run = np.array(RUNS)
    pairs = [(np.flatnonzero(run != name), np.flatnonzero(run == name)) for name in pd.unique(run)]
    told = {"folds": pairs, "inner_folds": 3, "groups": run, "alphas": ALPHAS}
    expected = encode(features[2], table["V1"].to_numpy(), **told).r.ravel()
    found = folds.query("layer == 2 and region == 'V1'").sort_values("fold")["r"]
    np.testing.assert_allclose(found, expected, atol=1e-9)

    # Motion is the response of V1 itself, and place in a passage says nothing of noise.
    baselines = pd.read_parquet(data / "baselines.parquet").query("step == 4 and layer == 2")
    score = baselines.set_index(["baseline", "region"])["score_baseline"]
    names = {"length", "position", "smooth", "untrained", "nuisances"}
    assert set(score.index.get_level_values("baseline")) == names
    assert score["nuisances", "V1"] > 0.99
    assert abs(score["nuisances", "IFG"]) < 0.6
    np.testing.assert_allclose(score["smooth"], 0, atol=1e-6)

    (row,) = pd.read_parquet(data / "contrasts.parquet").to_dict("records")
    assert (row["dataset"], row["contrast"], row["first"]) == ("lab", "visual", "V1, V2")
    assert row["verdict"] == "undecided"  # of two steps

    # Other folds, nuisances or contrasts send nothing through a model again.
    for changes, dear in (
        ({"splits": "session"}, {"encoding": 1}),
        ({"splits": None, "nuisances": None}, {"encoding": 1}),
        ({}, {}),
    ):
        other = copy.deepcopy(CONFIG)
        dataset = {**other["dataset"], **changes}
        other["dataset"] = {key: value for key, value in dataset.items() if value is not None}
        fresh.write_config(other)
        jobs = fresh.planned(wanted[1])
        assert {name: count for name, count in jobs.items() if name in DEAR} == dear
