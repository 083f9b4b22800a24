"""How figures become files, and sentences. What they show: `gallery.py`."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import Any

import pandas as pd

from geomod.base.extras import extra
from geomod.report import in_time, lags  # noqa: F401  (they register figures)
from geomod.report.drawing import OTHER, STYLE, VERDICT_COLOURS, declutter
from geomod.report.gallery import GALLERY, Tables
from geomod.report.plates import (  # noqa: F401  (importing them registers their figures)
    brain,
    judged,
    known,
    language,
    layers,
    link,
    scores,
    shapes,
    ways,
)
from geomod.report.registry import FIGURES, SEEN
from geomod.report.sinks import sinks

with extra("report"):
    import matplotlib as mpl
    import seaborn as sns
    from matplotlib.figure import Figure

# Those that show entropy and curvature say where the first token decides them.
OF_GEOMETRY = ("geometry", "modules", "low_high", "coupling", "multiverse")
# The PDFs' fonts are cut to their letters, and no log wants to hear of each table of them.
logging.getLogger("fontTools").setLevel(logging.WARNING)
# What a font knows of setting type: in a PDF every letter has its place, and nobody looks there.
TYPESETTING = ("GDEF", "GPOS", "GSUB", "kern")

# No file says when it was written: the same figure is the same file.
UNDATED = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


def save(name: str, tables: Tables, *paths: Path) -> None:
    """Draw the figure called `name` into SVG, PDF or PNG files: of the same tables the same ones.

    Where there is a table `calibration`, tests in the figure that exceed their level are named.
    Where the tables have nothing to show, the file holds the sentence that says what they lack.
    """
    drawn_by(partial(draw, name), tables, *paths)


def drawn_by(function: Callable[[Tables], Figure], tables: Tables, *paths: Path) -> None:
    """Write what a function draws, in the style of all figures."""
    with sns.axes_style("ticks"), mpl.rc_context(STYLE), letters_alone():
        figure = function(tables)
        declutter(figure)
        # What the figure covers is found once, which costs as much as to draw it.
        covered = figure.get_tightbbox().padded(mpl.rcParams["savefig.pad_inches"])
        for path in paths:
            figure.savefig(path, dpi=300, bbox_inches=covered, metadata=UNDATED.get(path.suffix))


@contextmanager
def letters_alone() -> Iterator[None]:
    """Embed fonts without their tables of typesetting: to cut those is a third of all drawing."""
    from fontTools import subset  # comes with matplotlib, for PDFs alone

    whole = subset.load_font

    def bare(*given: Any, **how: Any) -> Any:
        font = whole(*given, **how)
        for table in TYPESETTING:
            if table in font:
                del font[table]
        return font

    subset.load_font = bare
    try:
        yield
    finally:
        subset.load_font = whole


def draw(name: str, tables: Tables) -> Figure:
    """The figure as it is printed."""
    plate = GALLERY[name]
    lacking = plate.lacking(tables)
    if lacking:
        return left_out(plate.title, lacking)
    figure = FIGURES[name](tables)
    taken_over = sinks(tables["geometry"]) if name in OF_GEOMETRY else []
    warnings = [*beyond_level(plate.tests, tables.get("calibration")), *taken_over]
    warning = "\n".join(fill(line, 110) for line in warnings)
    figure.text(0, 0, warning, va="top", color=VERDICT_COLOURS["not supported"])
    return figure


def seen(name: str, tables: Tables) -> str:
    """What the figure called `name` shows of these tables; empty where it is left out."""
    return "" if GALLERY[name].lacking(tables) else " ".join(SEEN[name](tables).split())


def left_out(title: str, sentence: str) -> Figure:
    """What stands in the file of a figure that has nothing to show."""
    figure = Figure(figsize=(5, 1))
    figure.text(0, 0.6, title, weight="bold")
    figure.text(0, 0.5, fill(sentence, 80), va="top", color=OTHER)
    return figure


def beyond_level(tests: Sequence[str], calibration: pd.DataFrame | None) -> list[str]:
    """A line for each of `tests` that rejects too often what is not there."""
    if calibration is None:
        return []
    rows = calibration[calibration["test"].isin(tests) & ~calibration["holds"]]
    return [
        f"✗ {test}: exceeds its level, rejects {level:.1%} of true nulls on this grid"
        for test, level in zip(rows["test"], rows["level"], strict=True)
    ]
