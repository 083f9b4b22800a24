"""A browser, and reports to open in it. Where there is none, these tests are skipped."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from geomod.base.tables import empty_table
from geomod.report.gallery import GALLERY
from geomod.report.page import Part, render
from tests.unit.report.sweeps import paper_claims, paper_tables
from tests.unit.report.test_figures import ONE, made_up

DATASETS = ("tuckute2024", "pereira2018", "lebel")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CONFIG: dict[str, Any] = {
    "run": "paper",
    "seed": 0,
    "device": "auto",
    "suites": {"pythia": {"sizes": ["70m", "160m", "410m", "1b"], "steps": list(range(19))}},
    "encoding": {"folds": 5},
}
FIGURE = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><circle r='5'/></svg>"
EVIL = "the <script>document.title = 'broken'</script> & \"quoted\" cat"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no browser: pip install playwright"
    )
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    with playwright.sync_playwright() as driver:
        try:
            started = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except playwright.Error:
            pytest.skip("no browser: apt-get install chromium")
        yield started
        started.close()


@pytest.fixture(scope="session")
def tables() -> dict[str, Any]:
    return paper_tables(DATASETS)


# Tables of what is not asked for have no rows.
KINDS = ("alignment", "blocks", "depth", "hierarchy", "lens", "phases")


def write_report(path: Path, root: Path, tables: dict[str, Any], names: tuple[str, ...]) -> Path:
    """The page of these datasets, with small figures."""
    drawn = {"figures": dict.fromkeys(GALLERY, FIGURE), "lacking": {"sets": "Left out."}}
    wanted = {table for plate in GALLERY.values() for table in plate.tables}
    empty = {kind: empty_table(kind) for kind in wanted - tables.keys() if kind in KINDS}
    page = render(
        root / "workflow/report/report.html.j2",
        config=CONFIG,
        claims=paper_claims(names),
        notes=[],
        parts={name: Part(notes=[EVIL], **drawn) for name in names},
        tables=empty | tables,
    )
    path.write_text(page, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def report(tables: dict[str, Any], root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a sweep of paper size on three datasets; one has a region with an evil name."""
    region = tables["encoding"]["region"]
    tables["encoding"]["region"] = region.mask(region == "MFG", EVIL)
    return write_report(tmp_path_factory.mktemp("report") / "report.html", root, tables, DATASETS)


@pytest.fixture(scope="session")
def small_report(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of one model at one step."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    return write_report(path, root, made_up(**ONE), ("x",))


Open = Callable[..., Any]


@pytest.fixture
def opened(browser: Any, report: Path) -> Iterator[Open]:
    """Opens the report; at the end, nothing was said in the console and no request has left."""
    said: list[str] = []
    contexts = []

    def open_report(fragment: str = "", width: int = 1280, path: Path = report, **how: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **how)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url))
        page.goto(path.as_uri() + fragment)
        page.wait_for_selector("#explore[data-ready]")
        return page

    yield open_report
    for context in contexts:
        context.close()
    allowed = ("file:", "data:", "blob:")  # the report itself, and what stands in it
    assert [line for line in said if not line.startswith(allowed)] == []
