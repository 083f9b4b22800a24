"""Dry runs: what is planned, how fast, and what is refused before any job starts."""

import copy
import json
import os
import subprocess
import time
from typing import Any

import pytest

from geomod.base.devices import has_gpu
from tests.conftest import ROOT
from tests.workflow.conftest import SMALL, Workflow, environment

SAY_SETTINGS = """

onstart:
    import json
    from pathlib import Path

    Path("settings.json").write_text(
        json.dumps(
            {
                "cores": workflow.resource_settings.cores,
                "scheduler": workflow.scheduling_settings.scheduler,
                "gpu_here": workflow.resource_settings.resources["gpu_here"].value,
                "rerun_incomplete": workflow.dag_settings.force_incomplete,
                "keep_going": workflow.execution_settings.keep_going,
                "show_failed_logs": workflow.output_settings.show_failed_logs,
                "lock": workflow.execution_settings.lock,
            }
        )
    )
"""


def refused(workflow: Workflow, change: dict[str, Any], *arguments: str) -> str:
    """What snakemake says of SMALL with some sections replaced; it must refuse."""
    workflow.write_config({**copy.deepcopy(SMALL), **change})
    done = workflow.run(*arguments, check=False)
    assert done.returncode == 1
    assert not (workflow.folder / "results").exists()
    output = done.stdout + done.stderr
    assert "Traceback" not in output
    return output


def test_the_paper_is_planned_without_network(
    fresh: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And docs/cluster.md says how many jobs that is."""
    for variable in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")  # where nobody answers
    stages = ("activations", "encoding")
    jobs = fresh.planned(config="paper.yaml")
    assert {stage for stage, count in jobs.items() if count == 4 * 19} == set(stages)
    assert jobs["geometry"] == 4 * 3
    text = " ".join((ROOT / "docs/cluster.md").read_text(encoding="utf-8").split())
    told = f"gives two jobs a checkpoint ({', '.join(stages)}), {2 * 4 * 19} for"
    assert told in text


def test_the_whole_of_pythia_is_planned_in_fifteen_seconds(fresh: Workflow) -> None:
    sizes = ["14m", "31m", "70m", "160m", "410m", "1b", "1.4b", "2.8b", "6.9b", "12b"]
    steps = [0, *(2**i for i in range(10)), *range(1000, 144000, 1000)]
    pythia = {
        "provider": "hub",
        "repo": "EleutherAI/pythia-{size}",
        "sizes": sizes,
        "steps": steps,
    }
    fresh.write_config({**SMALL, "suites": {"pythia": pythia}, "jobs": {"steps_per_job": 1}})
    start = time.monotonic()
    command = fresh.command("-n", "--quiet")  # with the imports that a person waits for, too
    subprocess.run(command, cwd=fresh.folder, env=environment(), check=True)
    assert time.monotonic() - start < 15 * 2  # 14 s alone; another test may run beside this one


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoding": {"fold": 5}}, "`encoding.fold` is not a key; did you mean `folds`?"),
        ({"encoding": {"folds": "five"}}, "`encoding.folds` is 'five'; it must be a whole number"),
        (
            {"suites": {"toy": {"provider": "train", "sizes": ["xs"], "steps": [9999]}}},
            "has no step 9999",
        ),
        (
            {
                "suites": {
                    "pythia": {
                        "provider": "hub",
                        "repo": "EleutherAI/pythia-{size}",
                        "sizes": ["70m"],
                        "steps": [3],
                    }
                }
            },
            "EleutherAI/pythia-{size} has no step 3; the nearest is 2",
        ),
        (
            {"dataset": {**SMALL["dataset"], "regions": ["IFG", "V1"]}},
            "a simulated brain has no region 'V1'; it has IFGorb",
        ),
    ],
    ids=["unknown key", "wrong type", "toy step", "hub step", "region"],
)
def test_a_wrong_config_is_refused_in_one_message(
    fresh: Workflow, change: dict[str, Any], words: str
) -> None:
    assert words in refused(fresh, change)


def test_a_region_that_a_table_lacks_is_refused(fresh: Workflow) -> None:
    table = fresh.folder / "mine.csv"
    table.write_text("item_id,sentence,IFG\n" + "".join(f"{i},a b c,{i}\n" for i in range(30)))
    dataset = {
        "name": "mine",
        "sentences": "mine.csv",
        "responses": "mine.csv",
        "regions": ["IFG", "MFG"],
    }
    output = refused(fresh, {"dataset": dataset})
    assert "mine.csv has no region 'MFG'" in output


@pytest.mark.skipif(has_gpu(), reason="there is a GPU")
def test_a_gpu_that_is_not_here_is_missed_before_any_job(fresh: Workflow) -> None:
    output = refused(fresh, {"device": "cuda"})
    assert "`device` is 'cuda', but this machine has no GPU" in output


def test_two_configs_may_not_share_a_run(fresh: Workflow) -> None:
    fresh.write_config(SMALL, "other.yaml")
    fresh.run("--until", "stimuli")
    done = fresh.run("-n", config="other.yaml", check=False)
    assert done.returncode == 1
    assert (
        "`run` is 'small', and results/small was made from config/small.yaml"
        in done.stdout + done.stderr
    )


def test_layers_may_be_spread_over_jobs(fresh: Workflow) -> None:
    fresh.write_config({**copy.deepcopy(SMALL), "jobs": {"steps_per_job": 6, "layers_per_job": 1}})
    jobs = fresh.planned()
    assert jobs["encoding"] == 3 + 4  # xs has 2 blocks, s has 3, and each an embedding
    assert jobs["join_layers"] == 2 * 6  # the tables of two models at six steps


def test_the_default_profile_is_in_force(fresh: Workflow) -> None:
    """Snakemake itself says what holds for a run with no option given."""
    fresh.edit("Snakefile", lambda text: text + SAY_SETTINGS)
    done = fresh.run("results/small/data/toy-world/stimuli.parquet", cores=None)
    settings = json.loads((fresh.folder / "settings.json").read_text(encoding="utf-8"))
    assert settings == {
        "cores": os.cpu_count(),
        "scheduler": "greedy",
        "gpu_here": 1,
        "rerun_incomplete": True,
        "keep_going": True,
        "show_failed_logs": True,
        "lock": False,
    }
    assert f"Provided cores: {os.cpu_count()}" in done.stdout + done.stderr
