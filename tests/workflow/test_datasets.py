"""Several datasets in one run: each as it would be alone, and none in the way of another."""

import copy
import json
import shutil
from typing import Any

import pandas as pd
import pytest

from tests.workflow.conftest import SMALL, Workflow
from tests.workflow.test_changes import ALL, DEAR, SIMULATED, SIZES, TABLE, config, pretend

pytestmark = pytest.mark.slow
pretended = pytest.mark.xdist_group("changes")

KEYS = {key: value for key, value in TABLE.items() if key != "name"}
BRAIN = {key: value for key, value in SIMULATED.items() if key != "name"}
THREE = {"toy-world": BRAIN, "mine": KEYS, "third": {**KEYS, "regions": ["IFG"]}}
STAGES = {"stimuli": 1, "brain": 1, "activations": ALL, "geometry": SIZES, "encoding": ALL}
JOINED = {"claims", "tables", "figures", "report"}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    folder = tmp_path_factory.mktemp("datasets") / "geomod"
    two = {name: THREE[name] for name in ("toy-world", "mine")}
    return pretend("train", folder, dataset=None, datasets=two)


def planned(done: Workflow, *names: str, **changes: Any) -> dict[str, int]:
    asked = {name: {**copy.deepcopy(THREE[name]), **changes.get(name, {})} for name in names}
    given = {key: value for key, value in config("train").items() if key != "dataset"}
    done.write_config({**given, "datasets": asked})
    return done.planned()


@pretended
def test_a_dataset_that_is_added_runs_its_own_stages_and_nothing_else(done: Workflow) -> None:
    jobs = planned(done, "toy-world", "mine", "third")
    assert {name: count for name, count in jobs.items() if name in DEAR} == STAGES
    assert jobs.pop("speed") == SIZES
    rest = {name: n for name, n in jobs.items() if name not in DEAR and name not in JOINED}
    assert set(rest.values()) == {1}
    assert "continuity_table" not in jobs
    assert "train" not in jobs


@pretended
@pytest.mark.parametrize("kept", ["toy-world", "mine"])
def test_a_dataset_that_is_taken_away_leaves_the_rest_untouched(done: Workflow, kept: str) -> None:
    assert set(planned(done, kept)) == JOINED


@pretended
def test_another_order_changes_the_headline_alone(done: Workflow) -> None:
    assert set(planned(done, "mine", "toy-world")) <= {"claims", "tables", "figures", "report"}


@pretended
def test_another_context_reads_that_dataset_alone_anew(done: Workflow) -> None:
    jobs = planned(done, "toy-world", "mine", mine={"context": "passage"})
    assert {name: count for name, count in jobs.items() if name in DEAR} == {
        name: STAGES[name] for name in ("activations", "geometry", "encoding")
    }


@pretended
def test_a_new_step_is_read_in_one_load_for_all(done: Workflow) -> None:
    given = {key: value for key, value in config("train").items() if key != "dataset"}
    given["suites"]["toy"]["steps"] = [0, 4, 8, 16]
    done.write_config({**given, "datasets": {name: THREE[name] for name in ("toy-world", "mine")}})
    jobs = done.planned()
    assert jobs["activations"] == SIZES
    assert (jobs["geometry"], jobs["encoding"]) == (2 * SIZES, 2 * SIZES)


@pretended
def test_a_run_of_the_former_layout_is_refused_in_a_sentence(fresh: Workflow) -> None:
    (fresh.folder / "results/small").mkdir(parents=True)
    (fresh.folder / "results/small/stimuli.parquet").touch()
    found = fresh.run("-n", check=False)
    last = found.stderr.strip().splitlines()[-1]
    assert found.returncode != 0
    assert "before datasets had folders of their own" in last
    assert "delete results/small" in last


@pytest.mark.xdist_group("dag")
def test_two_datasets_in_one_run_give_the_tables_that_each_gives_alone(
    finished: Workflow, fresh: Workflow
) -> None:
    """Byte for byte, in other company and as the second: the small demo beside another brain."""
    given = copy.deepcopy(SMALL)
    toy = {key: value for key, value in given.pop("dataset").items() if key != "name"}
    other = {"simulate": {"sentences": 60, "participants": 2, "seed": 7}, "regions": ["IFG"]}
    fresh.write_config({**given, "datasets": {"other": other, "toy-world": toy}})
    alone, beside = (w.folder / "results/small" for w in (finished, fresh))
    shutil.copytree(alone / "checkpoints", beside / "checkpoints")  # the models are not the matter
    fresh.run("tables", "claims")
    names = sorted(p.relative_to(alone) for p in (alone / "data/toy-world").rglob("*.parquet"))
    names += sorted(p.relative_to(alone) for p in alone.glob("toy-*/step*/*/*.parquet"))
    assert len(names) > 2 * 6 * 5  # models × steps × tables of a checkpoint
    assert [str(n) for n in names if (alone / n).read_bytes() != (beside / n).read_bytes()] == []
    together = pd.read_parquet(beside / "tables/encoding.parquet")
    assert list(dict.fromkeys(together["dataset"])) == ["other", "toy-world"]
    own = together[together["dataset"] == "toy-world"].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, pd.read_parquet(alone / "tables/encoding.parquet"))
    claims = json.loads((beside / "claims.json").read_text(encoding="utf-8"))
    assert [c["dataset"] for c in claims] == ["other"] * 5 + ["toy-world"] * 5
    drawn = fresh.run("--summary").stdout
    assert "figures/geometry.svg" in drawn
    assert "figures/toy-world/geometry.svg" in drawn
