"""A run has one owner, and one process at a time."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from geomod.base.errors import InputError
from geomod.plan import runs


def test_another_config_may_not_take_the_name(tmp_path: Path) -> None:
    runs.write_record(tmp_path, ["config/a.yaml"], blocks={"toy": [[0, 1]]})
    record = runs.read_record(tmp_path)
    assert record["blocks"] == {"toy": [[0, 1]]}
    runs.check_owner(record, "demo", ["config/a.yaml"])
    with pytest.raises(InputError, match=r"made from config/a\.yaml, not from config/b\.yaml"):
        runs.check_owner(record, "demo", ["config/b.yaml"])


@pytest.mark.parametrize(
    ("place", "config"),
    [("deeper/geomod", "../../mine.yaml"), ("elsewhere/geomod", "config/mine.yaml")],
    ids=["without its config", "with it"],
)
def test_a_folder_may_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, config: str
) -> None:
    before = config if "/mine" not in config[2:5] else "../mine.yaml"
    home = tmp_path / "geomod"
    home.mkdir()
    monkeypatch.chdir(home)
    runs.write_record("run", [before])
    (tmp_path / place).parent.mkdir()
    monkeypatch.chdir(home.rename(tmp_path / place))
    record = runs.read_record("run")
    runs.check_owner(record, "demo", [config])
    with pytest.raises(InputError, match="was made from"):
        runs.check_owner(record, "demo", ["../mine.yaml"])


def test_a_fresh_run_has_no_owner(tmp_path: Path) -> None:
    assert runs.read_record(tmp_path / "new") == {}
    runs.check_owner({}, "demo", ["config/a.yaml"])


HOLDER = """
import sys, time
from geomod.plan.runs import hold
lock = hold(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


def test_a_killed_process_leaves_no_lock(tmp_path: Path, root: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root / "workflow")},
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(InputError, match="another snakemake"):
        runs.hold(tmp_path)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    for _ in range(50):  # the kernel frees the lock as soon as the process is gone
        try:
            runs.hold(tmp_path).close()
            return
        except InputError:
            time.sleep(0.1)
    pytest.fail("the lock outlived the process that held it")


def test_a_run_knows_its_config_after_a_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside, folder = tmp_path / "x.yaml", tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    runs.write_record("results/demo", ["../x.yaml"])
    deeper = tmp_path / "there" / "below"
    deeper.parent.mkdir()
    folder.rename(deeper)
    monkeypatch.chdir(deeper)
    record = runs.read_record("results/demo")
    runs.check_owner(record, "demo", ["../../x.yaml"])  # where it was
    runs.check_owner(record, "demo", ["../x.yaml"])  # moved along
    assert str(outside) in record["places"]
    with pytest.raises(InputError, match="was made from"):
        runs.check_owner(record, "demo", ["../../y.yaml"])


@pytest.mark.parametrize("content", [b"", b'{"blocks": {', b"\xff"])
def test_a_damaged_record_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(InputError, match=r"run\.json is damaged .* Delete it"):
        runs.read_record(tmp_path)


def test_one_process_may_ask_for_its_lock_twice(tmp_path: Path) -> None:
    assert runs.hold(tmp_path) is runs.hold(tmp_path)


def test_what_dead_writers_left_is_swept_and_what_live_ones_write_stays(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = [f".{dead.pid}.tokens.parquet", f"toy-xs/.{dead.pid}.step0/model.safetensors"]
    kept = [
        f".{os.getpid()}.tokens.parquet",
        ".lock",
        ".1a.txt",
        f"toy-xs/step0/.{os.getpid()}.entropy.parquet",
        f"a.{dead.pid}.b",
    ]
    for name in (*left, *kept):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    runs.sweep(tmp_path)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == set(kept)
    assert not (tmp_path / left[1]).parent.exists()


def test_jobs_that_outlived_their_start_are_ended_and_nobody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(runs.MARK, raising=False)
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    runs.end_orphans(tmp_path / "one")  # marks what is started from here on
    job = subprocess.Popen(["sh", "-c", shlex.join(sleep) + "; true"])
    monkeypatch.delenv(runs.MARK)
    runs.end_orphans(tmp_path / "one2")
    other = subprocess.Popen(sleep)
    assert (job.poll(), other.poll()) == (None, None)
    code = f"from geomod.plan import runs; runs.end_orphans({str(tmp_path / 'one')!r})"
    environment = {**os.environ, "PYTHONPATH": str(Path(runs.__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert job.wait(5) == -signal.SIGKILL
    assert other.poll() is None
    other.kill()
    other.wait()


def test_a_start_within_a_job_of_the_run_does_not_end_that_job(tmp_path: Path) -> None:
    code = f"from geomod.plan import runs; runs.end_orphans({str(tmp_path)!r}); print('on')"
    paths = {"PYTHONPATH": str(Path(runs.__file__).parents[2]), runs.MARK: str(tmp_path.resolve())}
    done = subprocess.run(
        ["sh", "-c", shlex.join([sys.executable, "-c", code]) + "; true"],
        env={**os.environ, **paths},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "on\n"), done.stderr


@pytest.mark.parametrize("name", ["a{model}b", "}", "{"])
def test_braces_in_the_path_of_the_workflow_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="braces"):
        runs.check_place(f"/data/{name}/workflow")
    runs.check_place("/data/a b'c/workflow")


def test_a_run_is_watched_once_by_whatever_path_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert [runs.first_time(root) for root in ("run", "other", tmp_path / "run")] == [
        *(True, True, False)
    ]
