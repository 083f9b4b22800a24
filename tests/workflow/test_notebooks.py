"""The notebook that reads a finished run reads one."""

import pytest

from tests.docs.notebooks import run
from tests.workflow.conftest import Workflow

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dag")]


def test_the_tables_of_a_finished_run(finished: Workflow) -> None:
    found = run("finished_run", {"run": finished.folder / "results/small"})
    assert found["claims"]["claim"].tolist() == [1, 2, 3, 4, 5]
    assert {"geometry", "encoding", "emergence", "modules"} <= set(found["tables"])
    assert found["models"] == ["toy-xs", "toy-s"]
    assert len(found["both"]) > 0
