"""A sweep through a queue in which everything goes wrong once equals one on this machine."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.slurm import Slurm, says, until
from tests.workflow import warm
from tests.workflow.conftest import Workflow, environment

# In the group of the run that it is held against.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dag")]

DRIVER = Path(__file__).with_name("driver.py")
# Tables of all checkpoints; what is made of those takes as long as the rest, and is like them.
TABLES = tuple(
    f"results/small/data/toy-world/tables/{kind}.parquet"
    for kind in ("encoding", "geometry", "speed", "tokens")
)
THROUGH_THE_QUEUE = (
    *("--profile", "profiles/slurm", "--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "1"),
)


class Driver:
    """Snakemake on the login node."""

    def __init__(self, workflow: Workflow) -> None:
        _, *arguments = workflow.command(*TABLES, *THROUGH_THE_QUEUE)
        self.said = (workflow.folder / "said.txt").open("a+", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, str(DRIVER), warm.python(environment()), *arguments],
            cwd=workflow.folder,
            env=environment(),
            stdout=self.said,
            stderr=subprocess.STDOUT,
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def ends(self) -> str:
        """All that was said, by this driver and those before it."""
        code = self.process.wait(400)
        self.said.seek(0)
        words = self.said.read()
        assert code == 0, words
        return words


def content(results: Path) -> dict[str, bytes]:
    """Every file of a run without figures, times and what belongs to the start."""
    left_out = ("benchmarks/", "figures/", "report.html", ".", "run.json")
    names = {path: path.relative_to(results).as_posix() for path in results.rglob("*")}
    return {
        name: path.read_bytes()
        for path, name in names.items()
        if path.is_file() and not name.startswith(left_out)
    }


def asked(job: dict[str, str]) -> tuple[int, int]:
    """MB and minutes of a job."""
    size, unit = int(job["MinMemoryNode"][:-1]), job["MinMemoryNode"][-1]
    hours, minutes, _ = job["TimeLimit"].split(":")
    return size * {"M": 1, "G": 1024}[unit], 60 * int(hours) + int(minutes)


def test_a_queue_in_which_everything_breaks_once_gives_the_bytes_of_this_machine(
    queue: Slurm, like_finished: Workflow
) -> None:
    results = like_finished.folder / "results/small"
    expected = content(results)
    shutil.rmtree(results / "toy-xs")
    for table in TABLES:
        (like_finished.folder / table).unlink()

    def job(rule: str) -> dict[str, str]:
        found: list[dict[str, str]] = []

        def runs() -> bool:
            assert driver.process.poll() is None, driver.ends()
            found.extend(filter(None, [queue.running(rule)]))
            return bool(found)

        until(runs, rule)
        return found[0]

    driver = Driver(like_finished)
    # A job hangs until its time is up, and somebody takes another out of the queue.
    hanging = job("activations_toy_1")
    os.kill(queue.script_of(hanging), signal.SIGSTOP)
    says("scancel", job("activations_toy_0")["JobId"])
    says("scontrol", "update", f"jobid={hanging['JobId']}", "timelimit=0")
    # The daemon of the node dies, and comes back.
    queue.kill("slurmd")
    queue.start("slurmd")
    # Memory runs out: the kernel kills the process, and Slurm counts the job as failed.
    starved = job("encoding_toy_xs_0")
    os.kill(queue.script_of(starved), signal.SIGKILL)
    until(lambda: len(attempts(queue, "encoding_toy_xs_0")) > 1, "the second attempt")
    # Snakemake dies with jobs in the queue, and starts again.
    left = job("encoding_toy_xs_16")
    os.kill(queue.script_of(left), signal.SIGSTOP)  # lest it be done before the next one looks
    driver.kill()
    driver = Driver(like_finished)
    until(lambda: state_of(queue, left) != "RUNNING", "the end of what was left")
    # The daemon of the queue starts anew.
    job("encoding_toy_xs_16")
    queue.restart("slurmctld")
    driver.ends()

    assert state_of(queue, left) == "CANCELLED"
    for first, rule, state in (
        (hanging, "activations_toy_1", "TIMEOUT"),
        (starved, "encoding_toy_xs_0", "FAILED"),
    ):
        one, two, *_ = attempts(queue, rule)
        assert (one["JobId"], one["JobState"]) == (first["JobId"], state)
        assert asked(two) == tuple(2 * amount for amount in asked(first))
    found = content(results)
    assert {name for name in {*found, *expected} if found.get(name) != expected.get(name)} == set()
    assert like_finished.planned(*TABLES) == {}


def attempts(queue: Slurm, rule: str) -> list[dict[str, str]]:
    """All jobs of a rule, the first one first."""
    found = [each for each in queue.jobs() if each.get("Comment", "").startswith(f"rule_{rule}")]
    return sorted(found, key=lambda each: int(each["JobId"]))


def state_of(queue: Slurm, job: dict[str, str]) -> str:
    return next(each["JobState"] for each in queue.jobs() if each["JobId"] == job["JobId"])
