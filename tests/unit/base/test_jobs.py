"""A job's log holds all that is said, and errors for people have no traceback."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from geomod.base.errors import InputError
from geomod.base.files import set_aside, to_make_anew
from geomod.base.jobs import complaints, import_first, last_words

SCRIPT = """
import logging, sys
from geomod.base.errors import InputError
from geomod.base.jobs import job
with job(sys.argv[1], 1):
    logging.getLogger("geomod.x").info("step 3")
    print("printed")
    {work}
"""


def run(work: str, log: Path, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.format(work=work), str(log)],
        env={**os.environ, "PYTHONPATH": str(root / "workflow")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_everything_goes_to_the_log(tmp_path: Path, root: Path) -> None:
    done = run("pass", tmp_path / "logs/a.log", root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    said = (tmp_path / "logs/a.log").read_text()
    assert "step 3" in said
    assert "printed" in said


def test_lines_name_the_checkpoint_that_they_are_about_and_errors_stay_as_they_are(
    tmp_path: Path, root: Path
) -> None:
    work = (
        "from geomod.base.jobs import at_checkpoint; at_checkpoint('toy-xs', 16); "
        "logging.getLogger('x').info('3 of 4 layers'); raise InputError('a.csv is empty')"
    )
    run(work, tmp_path / "a.log", root)
    lines = [line.partition(" ")[2] for line in (tmp_path / "a.log").read_text().splitlines()]
    assert "toy-xs step 16: 3 of 4 layers" in lines
    assert "Error: a.csv is empty" in lines


def test_an_input_error_is_one_line_and_exit_code_1(tmp_path: Path, root: Path) -> None:
    done = run("raise InputError('a.csv, row 3: no number')", tmp_path / "a.log", root)
    assert done.returncode == 1
    said = (tmp_path / "a.log").read_text()
    assert "a.csv, row 3: no number" in said
    assert "Traceback" not in said


def test_a_damaged_file_is_named_and_set_aside(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "step16" / "tokens.parquet"
    path.parent.mkdir()
    path.write_bytes(b"not a table")
    read = f"from geomod.base.tables import read_table; read_table({str(path)!r})"
    assert run(read, tmp_path / "a.log", root).returncode == 1
    said = (tmp_path / "a.log").read_text()
    assert f"{path} is damaged or not whole" in said
    assert "the same command run again" in said
    assert "Traceback" not in said
    # Whoever reads it in the same run is told the same; the next start takes it away.
    assert run(read, tmp_path / "a.log", root).returncode == 1
    assert f"{path} is damaged or not whole" in (tmp_path / "a.log").read_text()
    assert to_make_anew(tmp_path, []) == ["step16/tokens.parquet"]
    assert [file.name for file in path.parent.iterdir()] == ["tokens.parquet.damaged"]
    assert run(read, tmp_path / "a.log", root).returncode == 1
    assert "no such file" in (tmp_path / "a.log").read_text()


def test_what_was_set_aside_is_wanted_until_it_is_there_again(tmp_path: Path) -> None:
    names = ["claims.json", "toy-xs/step16/tokens.parquet", "toy-xs/step1/tokens.parquet"]
    names.append("toy-xs/steps0/mine/depth.parquet")
    for name in [*names, "maps/toy-xs/step16/a.parquet"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        set_aside(tmp_path / name)
    wanted = names[:2]
    assert to_make_anew(tmp_path, ["toy-xs/step16/"], starts=False) == []
    assert to_make_anew(tmp_path, ["toy-xs/step16/"]) == wanted
    (tmp_path / "claims.json").touch()
    assert to_make_anew(tmp_path, ["toy-xs/step16/"]) == wanted[1:]
    assert to_make_anew(tmp_path / "absent", []) == []


def test_a_file_that_the_user_gave_stays_where_it_is(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "responses.csv"
    path.write_text("region\n")
    run(f"raise InputError('{path}: no column response')", tmp_path / "a.log", root)
    assert path.exists()


def test_a_mistake_in_the_code_keeps_its_traceback(tmp_path: Path, root: Path) -> None:
    assert run("1 / 0", tmp_path / "a.log", root).returncode == 1
    assert "ZeroDivisionError" in (tmp_path / "a.log").read_text()


@pytest.mark.parametrize(
    ("work", "words"),
    [
        ("open('/dev/full', 'w', 1).write('x\\n')", "the disk is full"),
        ("raise OSError(errno.EROFS, 'x', 'results/a')", "results/a: the disk cannot be written"),
        ("raise PermissionError(errno.EACCES, 'x', 'a')", "a: the permissions forbid it"),
        ("raise RuntimeError('Error writing: No space left on device')", "the disk is full"),
        (
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
            "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); "
            "from geomod.base.tables import write_table; import pandas; "
            "write_table(pandas.DataFrame({'step': range(9999), 'loss': .1 / (1 + "
            "numpy.arange(9999))}), sys.argv[1] + '.parquet', 'loss')",
            "may not grow as large",
        ),
    ],
)
def test_a_disk_that_takes_nothing_more_is_told_in_a_sentence(
    tmp_path: Path, root: Path, work: str, words: str
) -> None:
    done = run(f"import errno, numpy, resource, signal; {work}", tmp_path / "a.log", root)
    said = (tmp_path / "a.log").read_text()
    assert done.returncode == 1, said
    assert words in complaints(tmp_path, since=0)[0]
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]


def test_a_full_disk_is_told_where_no_log_could_say_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert complaints(tmp_path, since=0) == []
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(100, 100, 0))
    assert "the disk is full" in complaints(tmp_path, since=0)[0]
    assert complaints(tmp_path / "absent", since=0) == []


def test_a_start_ends_with_a_sentence_where_there_is_one() -> None:
    for error, words in [
        (InputError("a is b"), "\na is b"),
        (OSError(30, "", "r"), "\nr: the disk"),
    ]:
        with pytest.raises(SystemExit, match=words), last_words():
            raise error
    with pytest.raises(ZeroDivisionError), last_words():
        raise ZeroDivisionError


def test_threads_are_held_to_what_the_job_has(tmp_path: Path, root: Path) -> None:
    work = (
        "import numpy, threadpoolctl; "
        "print({pool['num_threads'] for pool in threadpoolctl.threadpool_info()})"
    )
    run(work, tmp_path / "a.log", root)
    assert "{1}" in (tmp_path / "a.log").read_text()


def test_a_folder_comes_before_all_others_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/other", "/mine"]))
    import_first("/mine")
    assert os.environ["PYTHONPATH"].split(os.pathsep) == ["/mine", "/other"]
    monkeypatch.delenv("PYTHONPATH")
    import_first("/mine")
    assert os.environ["PYTHONPATH"] == "/mine"


def test_complaints_are_the_last_words_of_logs_each_once(tmp_path: Path, root: Path) -> None:
    sentence = "a.csv, row 3: no number;\nwrite one"
    for name in ("a", "b"):
        run(f"raise InputError({sentence!r})", tmp_path / f"model/{name}.log", root)
    run("print('12:00 all is well')", tmp_path / "good.log", root)
    run("1 / 0", tmp_path / "mistake.log", root)
    assert complaints(tmp_path, since=0) == [sentence]
    assert complaints(tmp_path, since=time.time() + 60) == []
