"""The same sweep through a cluster's queue; skipped where no Slurm answers."""

import copy
import shutil
import subprocess

import pytest

from tests.workflow.conftest import SMALL, Workflow


def answers() -> bool:
    if not shutil.which("sbatch"):
        return False
    try:
        subprocess.run(["sinfo"], capture_output=True, check=True, timeout=5)
    except subprocess.SubprocessError:
        return False
    return True


pytestmark = pytest.mark.skipif(not answers(), reason="no Slurm here")

SLURM = (
    *("--profile", "profiles/slurm", "--default-resources", "mem_mb=2000", "runtime=5"),
    # A test cannot wait as long as people do between two looks at the queue.
    *("--slurm-init-seconds-before-status-checks", "2", "--slurm-status-command", "squeue"),
)


def test_a_sweep_through_the_queue_equals_one_on_this_machine(fresh: Workflow) -> None:
    config = copy.deepcopy(SMALL)
    config["jobs"]["threads"] = 2
    config["suites"]["toy"]["steps"] = [0, 1, 16]
    fresh.write_config(config)
    fresh.run("--until", "encoding_tables")
    table = fresh.folder / "results/small/tables/encoding.parquet"
    expected = table.read_bytes()
    shutil.rmtree(fresh.folder / "results/small")
    done = fresh.run(*SLURM, "--until", "encoding_tables")
    assert "SLURM jobid" in done.stdout + done.stderr
    assert table.read_bytes() == expected
