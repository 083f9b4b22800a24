"""What is wrong with the input is the last thing on the screen, and says it alone."""

from typing import Any

import pytest

from tests.workflow.conftest import SMALL, Workflow

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("changes")]

DATASET = {
    "name": "mine",
    "sentences": "mine.csv",
    "responses": "mine.csv",
    "regions": ["IFG", "netw"],
}


def write_table(workflow: Workflow, response: str) -> None:
    rows = "".join(f"{row},a b c,{row},{row}\n" for row in range(30))
    text = f"item_id,sentence,IFG,netw\n{rows}30,a b c,{response},1\n"
    (workflow.folder / "mine.csv").write_text(text, encoding="utf-8")


def last_paragraph(*arguments: str, workflow: Workflow, **change: Any) -> str:
    workflow.write_config({**SMALL, "dataset": DATASET, **change})
    done = workflow.run(*arguments, check=False)
    assert done.returncode == 1
    return done.stderr.rstrip("\n").split("\n\n")[-1]


def test_a_config_that_is_refused_ends_with_why(fresh: Workflow) -> None:
    words = last_paragraph("-n", workflow=fresh, encoding={"fold": 5})
    assert words.startswith("config/small.yaml: `encoding.fold` is not a key; did you mean")
    assert "\n" not in words


def test_a_job_that_finds_a_fault_in_the_data_ends_the_run_with_it(fresh: Workflow) -> None:
    write_table(fresh, "much")
    words = last_paragraph("--until", "brain", workflow=fresh)
    assert words.startswith("mine.csv")
    assert "'much'" in words
    assert "\n" not in words
    write_table(fresh, "31")  # what the log of an earlier run says is not said again
    fresh.run("--until", "brain")


def test_a_folder_with_braces_in_its_path_is_refused(fresh: Workflow) -> None:
    braced = fresh.folder.rename(fresh.folder.with_name("a{model}b"))
    words = last_paragraph("-n", workflow=Workflow(braced))
    assert "has braces in it" in words
