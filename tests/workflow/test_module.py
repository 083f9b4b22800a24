"""geomod as a module of another workflow: its config stands alone, its prefix moves all, and all
that belongs to it is found, by path and out of a git repository."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.workflow.conftest import Workflow, copy_workflow, environment

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
    for name in (
        ".lock",
        "data/toy-world/responses.parquet",
        "toy-xs/step1/toy-world/features.safetensors",
    ):
        assert (run / name).is_file(), name
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert record["config_files"] == ["config/small.yaml", "Snakefile"]
    assert record["training"] == {"toy": [[0, 1]]}
    left = set(workflow.planned("--scheduler", "greedy"))
    assert "encoding" in left
    assert not left & {"sentences", "simulate", "stimuli", "brain", "train", "activations"}


def test_by_path_another_package_imported_before_is_refused(
    tmp_path: Path, installed: Path
) -> None:
    workflow = outer(tmp_path)
    workflow.edit("Snakefile", lambda text: f"import geomod\n{text}")
    shell = {**environment(), "PYTHONPATH": str(installed)}
    done = workflow.run("-n", check=False, shell=shell)
    assert done.returncode == 1
    assert f"or set PYTHONPATH={tmp_path}/inner/workflow" in done.stderr
    assert "Traceback" not in done.stderr


BY_GIT = """
configfile: "config/small.yaml"


module geomod:
    snakefile:
        {source}
    config:
        {{**config, "run": "changed"}}


use rule * from geomod


use rule sentences from geomod with:
    threads: 2


rule mine:
    input:
        "results/changed/data/toy-world/stimuli.parquet",
    output:
        "mine.txt",
    shell:
        "echo made > {{output}}"
"""
SOURCES = {
    "a local repository": 'gitfile("repository", path="workflow/Snakefile", tag="{tag}")',
    "github": 'github("lab/geomod", path="workflow/Snakefile", tag="{tag}")',
}
REPOSITORIES = {
    "a local repository": "file://{folder}/repository",
    "github": "https://github.com/lab/geomod",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Beside a repository with the tags v1 and v0, which is older, a folder of what Snakemake has
    cloned: the first alone, as though from GitHub."""
    folder = tmp_path_factory.mktemp("module")
    repository = folder / "repository"
    copy_workflow(repository)
    shutil.copy(ROOT / "pyproject.toml", repository)
    for tag in ("v1", "v0"):
        git(repository, "init", "--quiet")
        git(repository, "add", "--all")
        git(repository, "commit", "--quiet", "--message", tag)
        git(repository, "tag", tag)
        text = (repository / "pyproject.toml").read_text(encoding="utf-8")
        older = re.sub(r'\nversion = ".*"', '\nversion = "0.0.9"', text)
        (repository / "pyproject.toml").write_text(older, encoding="utf-8")
    clone = "cache/snakemake/snakemake/source-cache/snakemake-git-cache/github.com/lab/geomod"
    git(folder, "clone", "--quiet", "--bare", "repository", clone)
    (folder / "config").mkdir()
    Workflow(folder).write_config(CONFIG)
    return folder


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH that hides any geomod, as `make` installs one in its Python."""
    folder = tmp_path_factory.mktemp("without")
    hidden = "raise ModuleNotFoundError(\"No module named 'geomod'\", name='geomod')"
    (folder / "geomod.py").write_text(hidden, encoding="utf-8")
    return folder


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=lab", "-c", "user.email=lab@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def by_git(
    folder: Path, *arguments: str, source: str, installed: Path, tag: str = "v1"
) -> subprocess.CompletedProcess[str]:
    """Snakemake in a workflow that takes the module from `source`."""
    text = BY_GIT.format(source=SOURCES[source].format(tag=tag))
    (folder / "Snakefile").write_text(text, encoding="utf-8")
    shell = {"PYTHONPATH": str(installed), "XDG_CACHE_HOME": str(folder / "cache")}
    return Workflow(folder).run(*arguments, check=False, shell={**environment(), **shell})


@pytest.mark.parametrize("source", SOURCES)
def test_by_git_all_is_found(folder: Path, installed: Path, source: str) -> None:
    done = by_git(folder, "--forceall", "mine", source=source, installed=installed)
    assert done.returncode == 0, done.stderr
    assert (folder / "mine.txt").read_text() == "made\n"
    assert "threads: 2" in done.stderr  # of the rule that is changed
    done = by_git(folder, "-n", "mine", source=source, installed=installed)
    assert "Nothing to be done" in done.stdout + done.stderr
    done = by_git(folder, "-n", source=source, installed=installed)
    assert done.returncode == 0, done.stderr
    for name in ("resources/known_bad.tsv", "resources/suites.tsv", "report/report.html.j2"):
        assert f"_shipped/{'workflow/' * name.startswith('report')}{name}" in done.stdout


@pytest.mark.parametrize("source", SOURCES)
def test_by_git_a_missing_package_is_asked_for(folder: Path, source: str, without: Path) -> None:
    done = by_git(folder, "-n", source=source, installed=without)
    assert done.returncode == 1
    repository = REPOSITORIES[source].format(folder=folder)
    assert f'pip install "geomod[workflow] @ git+{repository}@v1"' in done.stderr
    assert "Traceback" not in done.stderr


def test_by_git_a_package_of_another_version_is_refused(folder: Path, installed: Path) -> None:
    done = by_git(folder, "-n", source="a local repository", tag="v0", installed=installed)
    assert done.returncode == 1
    assert "This workflow is geomod 0.0.9, and the package that is installed" in done.stderr
    assert "/repository@v0" in done.stderr


def test_by_git_conda_environments_are_refused(folder: Path, installed: Path) -> None:
    done = by_git(folder, "-n", "--sdm", "conda", source="a local repository", installed=installed)
    assert done.returncode == 1
    assert "leave `--sdm conda` out" in done.stderr
