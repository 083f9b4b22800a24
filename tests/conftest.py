"""What all tests share."""

import gc
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def pytest_collection_finish() -> None:
    """Thousands of tests and all that they import stay to the end: to look through them for what
    is dead, as Python does by itself and nilearn at every image, takes longer than some tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this very code, built from a copy, since setuptools leaves things behind."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("workflow", "resources"):
        ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, source / name, ignore=ignore)
    _pip("wheel", "--no-build-isolation", "--wheel-dir", target, source)
    return next(target.glob("*.whl"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which geomod is installed from its wheel, for PYTHONPATH."""
    folder = tmp_path_factory.mktemp("installed")
    _pip("install", "--target", folder, wheel)
    return folder


def _pip(command: str, *arguments: str | Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", command, "--no-deps"]
    done = subprocess.run([*pip, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(autouse=True)
def _group_on_one_worker(request: pytest.FixtureRequest) -> None:
    """A group's tests share what is dear to build, so no two workers may run any of them.

    Each worker leaves its name beside those of the others: a version of pytest that loses the
    marks on the way to pytest-xdist is found by the first test that runs in the wrong place.
    """
    if not hasattr(request.config, "workerinput"):
        return
    worker = request.config.workerinput["workerid"]
    temporary: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    for mark in request.node.iter_markers("xdist_group"):
        group = temporary.getbasetemp().parent / f"group-{mark.args[0]}"
        group.mkdir(exist_ok=True)
        (group / worker).touch()
        workers = sorted(path.name for path in group.iterdir())
        assert workers == [worker], f"the group {mark.args[0]!r} is spread over {workers}"
