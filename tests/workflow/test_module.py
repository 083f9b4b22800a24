"""geomod as a module of another workflow: its config stands alone, and its prefix moves all."""

import json
from pathlib import Path

import pytest

from tests.workflow.conftest import Workflow, copy_workflow

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("changes")]

CONFIG = {
    "run": "small",
    "suites": {"toy": {"provider": "train", "sizes": ["xs"], "steps": [0, 1]}},
    "dataset": {
        "name": "toy-world",
        "simulate": {"sentences": 40, "participants": 2},
        "regions": ["IFG", "netw"],
    },
    "inference": {"temporal": ["IFG"], "frontal": ["IFG"]},
}
OUTER = """
configfile: "config/small.yaml"


onstart:
    print("the outer workflow begins")


module geomod:
    snakefile:
        "inner/workflow/Snakefile"
    config:
        {{**config, "run": "changed"}}
    {prefix}


use rule * from geomod
"""


def outer(folder: Path, prefix: str = "") -> Workflow:
    """A workflow with geomod in a folder below."""
    copy_workflow(folder / "inner")
    workflow = Workflow(folder)
    (folder / "config").mkdir()
    workflow.write_config(CONFIG)
    (folder / "Snakefile").write_text(OUTER.format(prefix=prefix), encoding="utf-8")
    return workflow


def test_the_config_of_a_module_stands_alone(tmp_path: Path) -> None:
    workflow = outer(tmp_path)
    done = workflow.run("-n", "--scheduler", "greedy")
    assert "results/changed/report.html" in done.stdout
    assert "results/small" not in done.stdout


def test_a_wrong_config_of_a_module_is_refused_as_any_other(tmp_path: Path) -> None:
    workflow = outer(tmp_path)
    workflow.write_config({**CONFIG, "encoding": {"fold": 5}})
    done = workflow.run("-n", check=False)
    assert done.returncode == 1
    assert "did you mean `folds`?" in done.stderr


def test_a_prefix_moves_outputs_parameters_the_lock_and_the_record(tmp_path: Path) -> None:
    workflow = outer(tmp_path, 'prefix: "deep/er"')
    done = workflow.run("--until", "brain", "activations_toy", "--scheduler", "greedy")
    assert "the outer workflow begins" in done.stdout + done.stderr
    assert {path.name for path in tmp_path.iterdir() if path.name[0] != "."} == {
        *("Snakefile", "config", "inner", "deep")
    }
    assert {path.name for path in (tmp_path / "deep/er").iterdir()} == {"results", "logs"}
    run = tmp_path / "deep/er/results/changed"
    for name in (".lock", "brain/responses.parquet", "toy-xs/step1/features.safetensors"):
        assert (run / name).is_file(), name
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert record["config_files"] == ["config/small.yaml", "Snakefile"]
    assert record["training"] == {"toy": [[0, 1]]}
    left = set(workflow.planned("--scheduler", "greedy"))
    assert "encoding" in left
    assert not left & {"sentences", "simulate", "stimuli", "brain", "train", "activations"}
