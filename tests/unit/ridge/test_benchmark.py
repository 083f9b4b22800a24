"""The benchmark runs, and the engine agrees with every peer that it is timed against."""

import pytest

from benchmarks.ridge.ridge import Row, agree, markdown

pytest.importorskip("himalaya")


def test_the_engine_agrees_with_its_peers() -> None:
    differences = agree()
    assert len(differences) == 6
    assert max(differences.values()) < 1e-5, differences


def test_the_table_has_a_line_a_row() -> None:
    row = Row("regions", "a peer", 512, 1, 0.5, 2.0, 4.0, "5 : 1", 1e-7, 30.0)
    assert markdown([row]).splitlines()[-1] == (
        "| regions | a peer | 512 | 1 | 0.50 | 2.00 | 4.00 | 5 : 1 | 1e-07 | 30 |"
    )
