"""The queue that the tests share, and the run that they hold theirs against."""

from collections.abc import Iterator

import pytest

from tests.cluster.slurm import NoSlurm, Slurm, slurm
from tests.workflow.conftest import finished, fresh, like_finished

__all__ = ["finished", "fresh", "like_finished"]


@pytest.fixture(scope="session")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """A Slurm of this machine alone; where none can be started, the tests are skipped."""
    try:
        with slurm(tmp_path_factory.mktemp("slurm")) as queue:
            yield queue
    except NoSlurm as why:
        pytest.skip(f"no Slurm: {why}")
