"""Every Python example of the pages runs as it is printed."""

import re
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from geomod.encoding import alignment
from geomod.geometry import catalogue, depth, registry, sets, steps
from geomod.models import reading
from geomod.report import figures
from geomod.report import registry as drawn
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLE = re.compile(
    r"(?:<!-- not run by the tests: (?P<why>[^\n]*) -->\n)?^```python\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


class Example(NamedTuple):
    page: Path
    line: int
    code: str
    why_not: str | None

    def __str__(self) -> str:
        return f"{self.page.name}, line {self.line}"


def examples(page: Path) -> list[Example]:
    text = page.read_text(encoding="utf-8")
    return [
        Example(page, text[: found.start("code")].count("\n") + 1, found["code"], found["why"])
        for found in EXAMPLE.finditer(text)
    ]


ALL = {page: examples(page) for page in PAGES}


@pytest.mark.parametrize(
    "page", [page for page, found in ALL.items() if found], ids=lambda page: page.name
)
def test_examples_run_one_after_another(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # The built-in measures are here already; those of the examples end with them.
    assert catalogue.names()
    assert {sets.__name__, depth.__name__, steps.__name__} <= sys.modules.keys()
    assert reading.reading_of("sentences")
    assert figures.FIGURES
    known = {name: dict(variants) for name, variants in registry.REGISTRY.items()}
    monkeypatch.setattr(registry, "REGISTRY", known)
    for module, name in (
        (registry, "SETS"),
        (registry, "LAYERS"),
        (registry, "STEPS"),
        (alignment, "MEASURES"),
        (reading, "READINGS"),
        (drawn, "FIGURES"),
        (drawn, "SEEN"),
    ):
        monkeypatch.setattr(module, name, dict(getattr(module, name)))
    to_run = [example for example in ALL[page] if example.why_not is None]
    if not to_run:
        pytest.skip("; ".join(f"{example}: {example.why_not}" for example in ALL[page]))
    namespace: dict[str, object] = {"__name__": page.stem}
    for example in to_run:
        # Lines are counted from the top of the page, as an error is to name them.
        program = compile("\n" * (example.line - 1) + example.code, str(page), "exec")
        exec(program, namespace)


def test_every_example_is_found() -> None:
    for page, found in ALL.items():
        assert len(found) == page.read_text(encoding="utf-8").count("```python"), page
    assert len(ALL[ROOT / "docs/api.md"]) > 10
