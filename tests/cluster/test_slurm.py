"""A sweep through a queue in which everything goes wrong once equals one on this machine."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.slurm import Slurm, says, until
from tests.workflow.conftest import Workflow, environment

# In the group of the run that it is held against.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dag")]

DRIVER = Path(__file__).with_name("driver.py")
TABLES = ("tables", "claims")  # all but figures and report
THROUGH_THE_QUEUE = ("--profile", "profiles/slurm", "--slurm-status-command", "squeue")
AGAIN = ("toy-xs", "checkpoints/toy-xs", "data/toy-world/tables", "tables")


class Driver:
    """Snakemake on the login node."""

    def __init__(self, workflow: Workflow) -> None:
        _, *arguments = workflow.command(*TABLES, *THROUGH_THE_QUEUE)
        self.said = (workflow.folder / "said.txt").open("a+", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, str(DRIVER), *arguments],
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
        code = self.process.wait(240)
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
    hours, minutes, _ = job["TimeLimit"].split(":")
    return int(job["MinMemoryNode"].removesuffix("M")), 60 * int(hours) + int(minutes)


def test_a_queue_in_which_everything_breaks_once_gives_the_bytes_of_this_machine(
    queue: Slurm, like_finished: Workflow
) -> None:
    results = like_finished.folder / "results/small"
    expected = content(results)
    for name in AGAIN:
        shutil.rmtree(results / name)

    def job(rule: str) -> dict[str, str]:
        until(lambda: queue.running(rule) or driver.process.poll() is not None, rule)
        found = queue.running(rule)
        assert found, f"{rule} does not run\n{says('squeue', '--states=all')}"
        return found

    driver = Driver(like_finished)
    # Out of memory: the kernel kills the process, and Slurm counts the job as failed.
    trained = job("train_toy")
    os.kill(queue.script_of(trained), signal.SIGKILL)
    until(lambda: queue.running("train_toy"), "the second attempt")
    # The node's daemon dies; the job goes on.
    queue.kill("slurmd")
    queue.start("slurmd")
    # Somebody takes a job out of the queue, and another hangs until its time is up.
    says("scancel", job("activations_toy_0")["JobId"])
    hanging = job("activations_toy_1")
    os.kill(queue.script_of(hanging), signal.SIGSTOP)
    says("scontrol", "update", f"jobid={hanging['JobId']}", "timelimit=0")
    until(lambda: state_of(queue, hanging) == "TIMEOUT", "the end of its time")
    # Snakemake dies with jobs in the queue, and the queue's own daemon after the next start.
    job("encoding_toy_0")
    driver.kill()
    left = {each["JobId"] for each in queue.jobs() if each["JobState"] in ("RUNNING", "PENDING")}
    driver = Driver(like_finished)
    job("encoding_toy")
    queue.kill("slurmctld")
    queue.start("slurmctld")
    said = driver.ends()

    assert left
    for rule, state in (("train_toy", "FAILED"), ("activations_toy_1", "TIMEOUT")):
        first, second, *_ = attempts(queue, rule)
        assert first["JobState"] == state
        assert asked(second)[0] == 2 * asked(trained)[0] if rule == "train_toy" else True
    assert content(results) == expected
    assert like_finished.planned(*TABLES) == {}
    assert "Traceback" not in said


def attempts(queue: Slurm, rule: str) -> list[dict[str, str]]:
    found = [each for each in queue.jobs() if each.get("Comment", "").startswith(f"rule_{rule}")]
    return sorted(found, key=lambda each: int(each["JobId"]))


def state_of(queue: Slurm, job: dict[str, str]) -> str:
    return next(each["JobState"] for each in queue.jobs() if each["JobId"] == job["JobId"])
