"""Jobs of a start that was killed leave the queue before the next sends its own."""

import os
from pathlib import Path

import pytest

from geomod.base.errors import InputError
from geomod.plan.queue import NOTE, take_over

# A queue whose jobs are lines of a file: `name`, or `name stays` for one that nobody can end.
QUEUE = """#!/bin/sh
echo "$0" "$@" >> {folder}/asked
case "$0" in
  *squeue) grep "^$4" {folder}/jobs || true ;;
  *scancel) grep -v "^$2$" {folder}/jobs > {folder}/left; mv {folder}/left {folder}/jobs ;;
esac
"""


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("squeue", "scancel"):
        (programs / name).write_text(QUEUE.format(folder=tmp_path), encoding="utf-8")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "asked").touch()
    return tmp_path


def jobs(queue: Path, *names: str) -> Path:
    (queue / "jobs").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return queue / "jobs"


def test_a_first_start_asks_nothing_and_a_second_ends_the_jobs_of_the_first(queue: Path) -> None:
    root = queue / "results/run"
    left = jobs(queue, "first", "first", "another")
    take_over(root, "first")
    assert (queue / "asked").read_text() == ""
    assert left.read_text().split() == ["first", "first", "another"]
    take_over(root, "second")
    assert left.read_text().split() == ["another"]
    assert (root / NOTE).read_text() == "second\n"


def test_a_start_without_a_queue_ends_them_too_and_leaves_no_note(queue: Path) -> None:
    left = jobs(queue, "first")
    take_over(queue / "run", "first")
    take_over(queue / "run", "")
    assert left.read_text() == ""
    assert not (queue / "run" / NOTE).exists()


def test_jobs_that_do_not_end_stop_the_start_and_are_not_forgotten(queue: Path) -> None:
    jobs(queue, "first stays")
    take_over(queue, "first")
    for _ in range(2):
        with pytest.raises(InputError, match="squeue --name first` shows none"):
            take_over(queue, "second", patience=0.1)


def test_a_queue_that_does_not_answer_stops_the_start(queue: Path) -> None:
    take_over(queue, "first")
    (queue / "bin/squeue").write_text("#!/bin/sh\necho no controller >&2\nexit 1\n")
    with pytest.raises(InputError, match=r"does not answer \(no controller\)"):
        take_over(queue, "second")


def test_where_there_is_no_queue_at_all_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_over(tmp_path, "first")
    monkeypatch.setenv("PATH", str(tmp_path))
    take_over(tmp_path, "")
    assert not (tmp_path / NOTE).exists()
