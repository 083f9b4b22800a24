"""The benchmark runs, its two ways agree, and its table reaches the page that quotes it."""

import os
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import documented
from benchmarks.models import activations


def test_a_measurement_has_a_process_of_its_own() -> None:
    assert activations.alone(os.getpid) != os.getpid()


def test_the_pass_gives_the_numbers_of_the_obvious_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a small model, and in this process: a new one imports torch first."""
    monkeypatch.setattr(activations, "alone", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(activations, "VOCABULARY", 500)
    monkeypatch.setitem(activations.SHAPES, "tiny", (2, 32, 4))
    row = activations.benchmark("tiny", count=20, loop_count=5, batch_tokens=64, threads=1)
    assert float(row["largest_difference"]) < 1e-5
    assert row["sentences"] == 20


def test_a_table_takes_the_place_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documented, "ROOT", tmp_path)
    monkeypatch.setattr(documented, "MEASURED", tmp_path / "docs/measured")
    page = tmp_path / "docs/speed.md"
    page.parent.mkdir()
    page.write_text("Above.\n\n<!-- speed -->\nold\n<!-- /speed -->\n\nBelow.\n", encoding="utf-8")
    for seconds in (1, 2):
        table = pd.DataFrame({"model": ["a"], "seconds": [seconds]})
        documented.document(table, "speed", "speed.md", "model")
    documented.document(
        pd.DataFrame({"model": ["b"], "seconds": [3]}), "speed", "speed.md", "model"
    )
    lines = ["| model | seconds |", "| --- | --- |", "| a | 2 |", "| b | 3 |"]
    written = "\n".join(["Above.", "", "<!-- speed -->", *lines, "<!-- /speed -->", "", "Below.\n"])
    assert page.read_text(encoding="utf-8") == written
