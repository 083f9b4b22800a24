"""Made-up people who listen: what is planted in them comes back through the workflow."""

import numpy as np
import pytest

from geomod.base.tables import read_table
from tests.workflow.conftest import Workflow

pytestmark = pytest.mark.slow


def test_what_is_planted_in_listeners_comes_back(fresh: Workflow) -> None:
    fresh.write_config(
        {
            "run": "heard",
            "suites": {"toy": {"provider": "train", "sizes": ["xs"], "steps": [0, 256]}},
            "datasets": {
                scans: {
                    "simulate": {"stories": 4, "trs": 100, "scans": scans},
                    "regions": ["semantic", "rate", "noise"],
                }
                for scans in ("surface", "volume")
            },
            "encoding": {"permutations": 20, "alphas": {"low": 0, "high": 6, "count": 7}},
        }
    )
    root = fresh.folder / "results/heard"
    figures = [f"results/heard/data/{scans}/in_time.svg" for scans in ("surface", "volume")]
    tables = [f"results/heard/toy-xs/step256/surface/{kind}.parquet" for kind in ("baselines",)]
    fresh.run(*figures, *tables)

    impulse = read_table(root / "data/surface/impulse.parquet").set_index(["region", "participant"])
    found = impulse.loc[("rate", "average")]
    assert np.corrcoef(found["weight"], found["planted"])[0, 1] > 0.9
    assert set(read_table(root / "data/volume/impulse.parquet")["participant"]) == {"03", "average"}

    shuffling = read_table(root / "data/surface/shuffling.parquet").set_index(["model", "region"])
    assert shuffling.loc[("time", "noise"), "shuffled"] > 0.4
    assert abs(shuffling.loc[("time", "noise"), "stories"]) < 0.2
    scores = read_table(root / "toy-xs/step256/surface/encoding.parquet")
    mean = scores[scores["participant"] == "average"].groupby("region")["score"].mean()
    assert mean["semantic"] > 0.25 > 0.2 > mean["noise"]

    ladders = read_table(root / "toy-xs/step256/surface/baselines.parquet")
    assert set(ladders["baseline"]) == {"word_rate", "position", "untrained"}
    over_rate = ladders[ladders["baseline"] == "word_rate"].groupby("region")["unique_r2"].max()
    assert over_rate["semantic"] > over_rate["rate"]
