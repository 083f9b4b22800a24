"""Captions say what the page says, whatever names are in them."""

import jinja2
import pytest
from docutils.core import publish_parts

from geomod.report.captions import as_text, caption
from geomod.report.figures import seen
from geomod.report.gallery import GALLERY
from tests.unit.report.test_figures import made_up

TABLES = made_up()


def as_snakemake_shows(text: str) -> str:
    return str(publish_parts(jinja2.Template(text).render(), writer_name="html")["body"])


@pytest.mark.parametrize("name", ["encoding", "competence", "in_time"])
def test_a_caption_begins_with_what_is_seen_in_this_run(name: str) -> None:
    shown = caption(name, TABLES)
    assert shown.startswith(as_text(seen(name, TABLES)))
    assert as_text(GALLERY[name].caption) in shown


def test_a_figure_that_is_left_out_says_why() -> None:
    empty = {kind: table.iloc[:0] for kind, table in TABLES.items()}
    assert caption("lens", empty) == as_text(GALLERY["lens"].lacking(empty)) + "\n"


def test_names_are_text() -> None:
    evil = "my_region_ *bold* |sub| `code` {{ 1 + 1 }} {% if x %} \\ <b>"
    shown = as_snakemake_shows(as_text(evil))
    assert "my_region_ *bold* |sub| `code` {{ 1 + 1 }} {% if x %} \\ &lt;b&gt;" in shown
    assert "problematic" not in shown
