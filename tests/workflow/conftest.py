"""A copy of the workflow to run in, so that tests may edit it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.workflow import warm

SNAKEMAKE = Path(sys.executable).with_name("snakemake")
COPIED = ("Snakefile", "workflow", "config", "profiles", "envs", "resources")

# The demo, smaller: the same stages, fewer steps and sentences.
SMALL: dict[str, Any] = {
    "run": "small",
    "suites": {"toy": {"provider": "train", "sizes": ["xs", "s"], "steps": [0, 1, 4, 16, 64, 128]}},
    "dataset": {
        "name": "toy-world",
        "simulate": {"sentences": 200, "participants": 3},
        "regions": ["IFGorb", "IFG", "MFG", "AntTemp", "PostTemp", "netw", "noise"],
    },
    "encoding": {"permutations": 20, "alphas": {"low": -1, "high": 6, "count": 8}},
    "jobs": {"steps_per_job": 3},
    "inference": {"permutations": 100, "bootstrap": 50, "null_draws": 20},
}


class Workflow:
    """A folder with the workflow in it, and snakemake to run there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write_config(self, config: dict[str, Any], name: str = "small.yaml") -> None:
        text = yaml.safe_dump(config, sort_keys=False)
        (self.folder / "config" / name).write_text(text, encoding="utf-8")

    def run(
        self,
        *arguments: str,
        config: str = "small.yaml",
        check: bool = True,
        cores: int | None = 2,
        shell: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        shell = shell or environment()
        done = subprocess.run(
            [warm.python(shell), *self.command(*arguments, config=config, cores=cores)],
            cwd=self.folder,
            env=shell,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"snakemake failed:\n{done.stdout}\n{done.stderr}")
        return done

    def command(
        self, *arguments: str, config: str = "small.yaml", cores: int | None = 2
    ) -> list[str]:
        # pytest-xdist runs other tests beside this one: two cores are enough.
        given = [] if cores is None else ["--cores", str(cores)]
        return [str(SNAKEMAKE), *arguments, *given, "--configfile", f"config/{config}"]

    def planned(self, *arguments: str, config: str = "small.yaml") -> dict[str, int]:
        """Job counts of a dry run, without the blocks' numbers: {"encoding": 4, …}."""
        output = self.run("-n", *arguments, config=config).stdout
        counts: dict[str, int] = {}
        table = re.search(r"Job stats:\n.*?\n-.*?\n(.*?)\ntotal", output, re.DOTALL)
        for line in table.group(1).splitlines() if table else []:
            name, count = line.split()
            stage = re.sub(r"_(toy|pythia)(_\d*[a-z]+)?(_\d+)?(_load\d+)?$", "", name)
            counts[stage] = counts.get(stage, 0) + int(count)
        counts.pop("all", None)
        return counts

    def edit(self, path: str, change: Callable[[str], str]) -> None:
        file = self.folder / path
        file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")


def environment() -> dict[str, str]:
    """As on a person's machine: nothing of pytest's own paths, one thread for each library."""
    left_out = {"PYTHONPATH", "PYTEST_CURRENT_TEST"}
    kept = {key: value for key, value in os.environ.items() if key not in left_out}
    return {**kept, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


def copy_workflow(folder: Path) -> Workflow:
    folder.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():  # with what Python has compiled, which each copy would do again
            shutil.copytree(source, folder / name)
        else:
            shutil.copy(source, folder / name)
    return Workflow(folder)


@pytest.fixture
def fresh(tmp_path: Path) -> Workflow:
    """A workflow in which nothing has run."""
    workflow = copy_workflow(tmp_path / "geomod")
    workflow.write_config(SMALL)
    return workflow


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A workflow in which the small demo has run. Copy it (`like_finished`) to change it.

    What a person saw on the screen meanwhile is in screen.txt.
    """
    return small_demo(tmp_path_factory.getbasetemp())


@cache
def small_demo(folder: Path) -> Workflow:
    """The demo, run once whichever folder of tests asks for it.

    Its figures are drawn where neither models nor brains are: drawn.json says what that took.
    """
    workflow = copy_workflow(folder / "finished/geomod")
    workflow.write_config(SMALL)
    done = [workflow.run("tables", "claims")]
    with aside(workflow.folder, "data", "checkpoints", "toy-xs", "toy-s"):
        drawn = {"planned": workflow.planned("figures")}
        done.append(workflow.run("figures"))
    (workflow.folder / "drawn.json").write_text(json.dumps(drawn), encoding="utf-8")
    done.append(workflow.run())
    screen = "".join(each.stdout + each.stderr for each in done)
    (workflow.folder / "screen.txt").write_text(screen, encoding="utf-8")
    return workflow


@contextmanager
def aside(folder: Path, *names: str) -> Iterator[None]:
    """Without these parts of the run, which lie beside it meanwhile."""
    for name in names:
        (folder / "results/small" / name).rename(folder / name)
    yield
    for name in names:
        (folder / name).rename(folder / "results/small" / name)


@pytest.fixture
def like_finished(finished: Workflow, tmp_path: Path) -> Workflow:
    """A copy of the finished workflow, times and Snakemake's memory included, to change."""
    shutil.copytree(finished.folder, tmp_path / "geomod", copy_function=shutil.copy2)
    return Workflow(tmp_path / "geomod")
