"""What runs again after a change, and what does not: counted in dry runs."""

import copy
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from geomod.report.gallery import GALLERY
from tests.workflow.conftest import SMALL, Workflow, environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dag")]

AFTER_ENCODING = {
    "encoding_tables",
    "low_high",
    "correlations",
    "emergence",
    "judge",
    "claims",
    "tables",
    "recovery",
    "report",
    "multiverse",
}
TABLES = ("tables", "claims")  # all but figures and report, which take as long as the rest
MODELS = 2
JOBS = 4  # 2 models × 6 steps, 3 steps a job


def test_a_second_run_does_nothing(finished: Workflow) -> None:
    assert finished.planned() == {}


def test_a_new_step_runs_that_step_and_the_tables(like_finished: Workflow) -> None:
    config = copy.deepcopy(SMALL)
    config["suites"]["toy"]["steps"].insert(3, 8)
    like_finished.write_config(config)
    jobs = like_finished.planned()
    for stage in ("activations", "geometry", "encoding"):
        assert jobs.pop(stage) == MODELS, stage
    assert jobs.pop("train") == MODELS
    assert "simulate" not in jobs
    assert "brain" not in jobs


def test_one_run_leaves_what_the_config_says(like_finished: Workflow) -> None:
    """A step put in and another taken out of the middle of a job: the rest is as it was."""
    before = {name: read(like_finished, name) for name in ("encoding", "geometry")}
    config = copy.deepcopy(SMALL)
    steps = config["suites"]["toy"]["steps"] = [0, 1, 8, 16, 64, 128]
    like_finished.write_config(config)
    like_finished.run(*TABLES)
    for path in (like_finished.folder / "results/small/tables").glob("*.parquet"):
        table = pd.read_parquet(path)
        if "step" in table:
            assert set(table["step"].dropna()) <= set(steps), path.name
    for name, old in before.items():
        new = read(like_finished, name)
        assert set(new["step"]) == set(steps)
        kept = [table[~table["step"].isin([4, 8])] for table in (old, new)]
        pd.testing.assert_frame_equal(*map(sort, kept))
    assert set(like_finished.planned()) == {"figures", "report"}


def test_new_penalties_fit_again_but_extract_nothing(like_finished: Workflow) -> None:
    config = copy.deepcopy(SMALL)
    config["encoding"]["alphas"]["count"] = 9
    like_finished.write_config(config)
    jobs = like_finished.planned()
    assert jobs["encoding"] == JOBS
    assert set(jobs) <= {"encoding", "figures", *AFTER_ENCODING}


def test_an_edit_in_the_ridge_fits_again(like_finished: Workflow) -> None:
    like_finished.edit("workflow/geomod/ridge/engine.py", lambda text: text + "\nEDITED = True\n")
    jobs = like_finished.planned()
    assert jobs["encoding"] == JOBS
    assert set(jobs) <= {"encoding", "figures", *AFTER_ENCODING}


def test_a_comment_in_the_ridge_runs_nothing(like_finished: Workflow) -> None:
    like_finished.edit("workflow/geomod/ridge/engine.py", lambda text: text + "\n# edited\n")
    assert like_finished.planned() == {}


def test_an_edit_in_the_figures_draws_again_and_no_more(like_finished: Workflow) -> None:
    like_finished.edit("workflow/geomod/report/figures.py", lambda text: text + "\nEDITED = True\n")
    assert set(like_finished.planned()) == {"figures", "report"}


def test_figures_need_the_tables_alone(finished: Workflow) -> None:
    """A reader has the tables and the claims, and neither models nor brains."""
    said = json.loads((finished.folder / "drawn.json").read_text(encoding="utf-8"))
    assert said["planned"] == {"figures": 1}
    drawn = {path.stem for path in (finished.folder / "results/small/figures").glob("*.svg")}
    assert drawn == set(GALLERY)


def test_a_killed_run_resumes_with_the_same_command(fresh: Workflow, finished: Workflow) -> None:
    """Killed with all its jobs as soon as the first features are there; nothing else is done."""
    # One model is trained already; the other is on its way when the features of the first come.
    trained = Path("results/small/checkpoints/toy-xs")
    shutil.copytree(finished.folder / trained, fresh.folder / trained)
    screen = fresh.folder / "screen.txt"
    with screen.open("w", encoding="utf-8") as said:
        run = subprocess.Popen(
            fresh.command(),
            cwd=fresh.folder,
            env=environment(),
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    results = fresh.folder / "results/small"
    deadline = time.monotonic() + 300
    while not list(results.glob("toy-*/step*/toy-world/features.safetensors")):
        assert run.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert not (results / "report.html").exists()
    # Here every Python has imported for itself, and none has said so.
    assert not re.search("Warning|Traceback", screen.read_text(encoding="utf-8"))
    fresh.run(*TABLES)
    for table in ("geometry", "encoding"):
        pd.testing.assert_frame_equal(sort(read(fresh, table)), sort(read(finished, table)))
    assert set(fresh.planned()) == {"figures", "report"}
    assert not left_behind(fresh.folder / "results")


def read(workflow: Workflow, table: str) -> pd.DataFrame:
    return pd.read_parquet(workflow.folder / f"results/small/tables/{table}.parquet")


def sort(table: pd.DataFrame) -> pd.DataFrame:
    keys = [c for c in table.columns if c in {"model", "step", "layer", "metric", "region"}]
    keys += [c for c in ("variant", "participant") if c in table.columns]
    return table.sort_values(keys, ignore_index=True)


def left_behind(folder: Path) -> list[Path]:
    """Temporary files of writers that were interrupted."""
    return [path for path in folder.rglob("*") if re.match(r"\.\d+\.", path.name)]
