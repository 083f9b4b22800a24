"""Runs side by side: in the index of a folder, and compared."""

import os
import re
import xml.etree.ElementTree as ET
from base64 import b64decode
from pathlib import Path

from geomod.base.seals import write_json
from geomod.report.runs import compare, to_open, verdicts, write_index
from tests.unit.report.sweeps import paper_claims
from tests.unit.report.test_figures import made_up

TEMPLATE = "workflow/report/runs.html.j2"


def folder_of_runs(folder: Path) -> Path:
    for name, verdict in (("one", "supported"), ("<two>", "not supported")):
        claims = [{**claim, "verdict": verdict} for claim in paper_claims(("a", "b"))]
        (folder / name).mkdir()
        write_json(claims, folder / name / "claims.json")
    (folder / "unfinished").mkdir()
    return folder


def test_the_index_has_a_row_a_run_and_dataset_with_its_answers(tmp_path: Path, root: Path) -> None:
    write_index(folder_of_runs(tmp_path), root / TEMPLATE)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    rows = re.findall(r'<th scope="row"><a href="(.*?)">(.*?)</a></th><td>(.*?)</td>', text)
    assert rows == [
        ("%3Ctwo%3E/report.html", "&lt;two&gt;", "a"),
        ("%3Ctwo%3E/report.html", "&lt;two&gt;", "b"),
        ("one/report.html", "one", "a"),
        ("one/report.html", "one", "b"),
    ]
    assert text.count(">yes<") == text.count(">no<") == 2 * 4  # the fifth cannot be answered
    assert text.count("a trend needs three sizes") == 4
    assert "<script" not in text


def test_the_end_of_a_run_names_its_page_where_it_has_one_of_these_claims(tmp_path: Path) -> None:
    claims, page, index = (tmp_path / name for name in ("claims.json", "report.html", "index.html"))
    claims.touch()
    assert to_open(claims, page, index) == f"Open {index}, of all runs"
    page.touch()
    assert to_open(claims, page, index) == f"Open {page}; all runs: {index}"
    os.utime(page, (0, 0))  # the page of an earlier run
    assert to_open(claims, page, index) == f"Open {index}, of all runs"


def test_the_end_of_a_run_says_its_verdicts(tmp_path: Path) -> None:
    lines = verdicts(folder_of_runs(tmp_path) / "one/claims.json")
    assert len(lines) == 10
    assert lines[2] == "a: claim 3, temporal before frontal: supported"


def test_a_run_that_is_damaged_is_named_and_the_others_stand(tmp_path: Path, root: Path) -> None:
    folder = folder_of_runs(tmp_path)
    claims = folder / "one/claims.json"
    claims.write_text(claims.read_text(encoding="utf-8").replace("0.15", "0.95"), encoding="utf-8")
    write_index(folder, root / TEMPLATE)
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert "is damaged" in text
    assert text.count(">no<") == 8
    assert claims.exists()


def test_without_a_run_the_index_says_so(tmp_path: Path, root: Path) -> None:
    write_index(tmp_path, root / TEMPLATE)
    assert "No run has answered" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_two_runs_are_drawn_together(root: Path) -> None:
    runs = {name: (paper_claims(("x",)), made_up()) for name in ("first", "second")}
    text = compare(root / TEMPLATE, runs)
    assert "first beside second" in text
    forest, courses = (
        {e.text for e in ET.fromstring(b64decode(svg)).iter() if e.text}
        for svg in re.findall(r"svg\+xml;base64,(.*?)\"", text)
    )
    assert {"first, x", "second, x"} <= forest
    assert {"first", "second", "toy-m"} <= courses
