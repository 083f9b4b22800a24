"""The map of the house: every station that a page names is where the page says."""

import ast
import re
from pathlib import Path

import pytest

ADDING = re.compile(
    r"^\| \[[^|]*\|(?P<file>[^|]*\.py`[^|]*)\|[^|]*\|[^|]*\|(?P<test>[^|]*)\|$", re.MULTILINE
)
STATION = re.compile(r"^\|[^|]*\|(?P<files>[^|]*\.py`[^|]*)\|(?P<names>[^|]*)\|$", re.MULTILINE)


def defined_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


@pytest.mark.parametrize(("page", "fewest"), [("docs/design.md", 20)])
def test_every_function_on_the_map_is_in_its_file(root: Path, page: str, fewest: int) -> None:
    stations = list(STATION.finditer((root / page).read_text(encoding="utf-8")))
    assert len(stations) >= fewest
    for station in stations:
        files = re.findall(r"`([^`]+\.py)`", station["files"])
        there = set().union(*(defined_in(root / "workflow/geomod" / file) for file in files))
        assert set(re.findall(r"`(\w+)`", station["names"])) <= there, station[0]


def test_what_is_added_has_a_file_and_a_test_to_copy(root: Path) -> None:
    rows = list(ADDING.finditer((root / "docs/adding.md").read_text(encoding="utf-8")))
    assert len(rows) >= 8
    for row in rows:
        assert (root / "workflow/geomod" / row["file"].strip(" `")).is_file(), row[0]
        assert (root / row["test"].strip(" `")).is_file(), row[0]


@pytest.mark.parametrize("page", ["README.md", "config/README.md", "docs"])
def test_every_file_that_a_page_names_is_there(root: Path, page: str) -> None:
    pages = sorted((root / page).glob("*.md")) if (root / page).is_dir() else [root / page]
    for path in pages:
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"\b(?:tests|benchmarks|geomod)/[\w/]+\.py\b", text):
            places = [root / name, root / "workflow" / name]
            example = name.endswith("steady.py")  # the claim that docs/adding.md makes up
            assert example or any(place.is_file() for place in places), f"{path.name}: {name}"


def test_at_most_eight_files_lie_flat(root: Path) -> None:
    flat = [path for path in (root / "workflow/geomod").iterdir() if path.is_file()]
    assert len(flat) <= 8
