"""What all tests share."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return ROOT


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
