"""Figures at paper size: as wide as columns of a page, no text on another, the right numbers."""

import re
import zlib
from collections.abc import Iterator
from io import BytesIO
from itertools import combinations, pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import seaborn as sns
from fontTools.ttLib import TTFont
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from geomod.report.drawing import (
    BASELINE_COLOURS,
    MODULE_COLOURS,
    ONE_COLUMN,
    PAGE,
    REGION_COLOURS,
    SIDE_COLOURS,
    STYLE,
    TWO_COLUMNS,
    VERDICT_COLOURS,
    declutter,
    module_colours,
    spacing,
)
from geomod.report.figures import FIGURES, SEEN, draw, save, seen
from geomod.report.gallery import Tables, of_dataset, with_claims
from geomod.report.plates.brain import CENTRES, REACH, patches
from geomod.report.plates.link import effects_by_size
from geomod.report.plates.ways import PHASE_COLOURS
from tests.unit.report.sweeps import BLOCKS, STEPS, paper_claims, paper_tables
from tests.unit.report.test_figures import made_up

# All figures are drawn once, for all tests of them.
pytestmark = pytest.mark.xdist_group("print")

DATASETS = ("tuckute2024", "lebel")


@pytest.fixture(scope="module")
def tables() -> Tables:
    found = with_claims(paper_tables(DATASETS[:1]), paper_claims(DATASETS))
    return of_dataset(found, DATASETS[0])


@pytest.fixture(scope="module")
def figures(tables: Tables) -> Iterator[dict[str, Figure]]:
    with sns.axes_style("ticks"), mpl.rc_context(STYLE):
        found = {name: draw(name, tables) for name in FIGURES}
        for figure in found.values():
            declutter(figure)
        yield found


def named(axes: Axes) -> str:
    return axes.get_title(loc="left")


def title_of(axes: Axes) -> Text:
    return next(
        t for t in axes.get_children() if isinstance(t, Text) and t.get_text() == named(axes)
    )


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_as_wide_as_one_column_or_two_and_no_higher_than_a_page(
    figures: dict[str, Figure], name: str
) -> None:
    width = figures[name].get_figwidth()
    assert width <= TWO_COLUMNS
    assert width == pytest.approx(ONE_COLUMN, abs=0.5) or width > ONE_COLUMN
    assert figures[name].get_figheight() <= PAGE


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_lies_on_another(figures: dict[str, Figure], name: str) -> None:
    figure = figures[name]
    figure.draw_without_rendering()
    for axes in figure.axes:
        for axis, side in ((axes.xaxis, "x"), (axes.yaxis, "y")):
            if not axis.get_visible() or not axes.axison:
                continue
            labels = [text for text in axis.get_ticklabels() if text.get_visible()]
            shown = [text.get_window_extent() for text in labels if text.get_text()]
            low, high = axis.get_view_interval()
            assert shown or not len(axis.get_majorticklocs()) or low == high or not labels
            spans = sorted(tuple(getattr(box, f"interval{side}")) for box in shown)
            assert all(a[1] <= b[0] + 1 for a, b in pairwise(spans)), (name, side)
    titles = [title_of(axes) for axes in figure.axes if named(axes)]
    labels = [axis.get_label() for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    boxes = [text.get_window_extent() for text in (*titles, *labels) if text.get_text()]
    for a, b in combinations(boxes, 2):
        assert not a.overlaps(b), name


@pytest.mark.parametrize("name", FIGURES)
def test_what_is_seen_is_said_in_a_sentence(name: str, tables: Tables) -> None:
    assert list(SEEN) == list(FIGURES)
    told = seen(name, tables)
    assert told.endswith(".")
    assert "nan" not in told
    empty = {kind: table.iloc[:0] for kind, table in made_up().items()}
    assert seen(name, empty) == ""


def test_what_is_said_is_what_is_in_the_tables(tables: Tables) -> None:
    scores = tables["encoding"].query("region == 'netw' and participant == 'average'")
    best = scores.query("layer > 0").groupby("model")["score"].max()
    for model, score in best.items():
        assert f"{model} {score:.3f} in layer" in seen("encoding", tables)
    assert seen("forest", tables).startswith("Of 10 answers: 4 undecided, 4 supported")
    surprisal = tables["tokens"].query("model == 'pythia-1b'")["surprisal"]
    ends = f"pythia-1b from {surprisal.iloc[0]:.2f} to {surprisal.iloc[-1]:.2f}"
    assert ends in seen("learning", tables)


def test_maps_hold_the_numbers_of_the_tables(tables: Tables, figures: dict[str, Figure]) -> None:
    geometry = tables["geometry"].query("variant == 'hosseini'")
    axes = figures["geometry"].axes  # a row a metric, a column a model; entropy comes first
    for axis, model in zip(axes[len(BLOCKS) : 2 * len(BLOCKS)], BLOCKS, strict=True):
        own = geometry[geometry["model"] == model]
        grid = own.pivot_table(index="layer", columns="step", values="mean")
        drawn = np.asarray(axis.collections[0].get_array()).reshape(grid.shape)
        np.testing.assert_allclose(drawn, np.degrees(grid))
        assert grid.shape == (BLOCKS[model] + 1, len(STEPS))


def test_every_module_has_a_colour_of_its_own() -> None:
    names = ["high", "middle2", "low", "middle1", "all"]
    colours = module_colours(pd.Series(names))
    assert list(colours) == ["low", "middle1", "middle2", "high", "all"]
    assert len(set(colours.values())) == 5


def test_the_forest_holds_every_answer(figures: dict[str, Figure]) -> None:
    claims = [claim for claim in paper_claims(DATASETS) if claim["estimate"] is not None]
    axes = figures["forest"].axes
    points = [line for axis in axes for line in axis.lines if line.get_marker() == "o"]
    assert len(axes) == 4
    assert len(points) == len(claims)
    for axis in axes:
        own = [c for c in claims if named(axis).startswith(f"{c['claim']}.")]
        dots = [line for line in axis.lines if line.get_marker() == "o"]
        assert [dot.get_xdata()[0] for dot in dots] == [claim["estimate"] for claim in own]
        colours = {VERDICT_COLOURS[claim["verdict"]] for claim in own}
        assert {dot.get_color() for dot in dots} == colours
        band = axis.patches[0].get_extents().transformed(axis.transData.inverted())
        assert band.x1 == pytest.approx(own[0]["smallest"])


def test_the_trend_with_size_passes_through_the_weighted_middle(tables: Tables) -> None:
    claims = paper_claims(DATASETS[:1])
    claims[4] |= {"estimate": 0.3, "interval": [0.1, 0.5]}
    given = with_claims(tables, claims)
    effects, trend = effects_by_size(given)
    assert trend is not None
    np.testing.assert_allclose(np.tanh(effects["z"]), [0, -0.1, -0.2, -0.3], atol=1e-12)
    (axis,) = FIGURES["scale"](given).axes
    line = max(axis.lines, key=lambda drawn: len(drawn.get_xdata()))
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert np.polyfit(x, y, 1)[0] == pytest.approx(-0.3)
    middle = np.log10(effects["parameters"]).mean()  # all errors are the same
    assert np.interp(middle, x, y) == pytest.approx(effects["z"].mean())


def test_planted_and_recovered_stand_against_each_other() -> None:
    table = made_up()["recovery"]
    axes = FIGURES["planted"](made_up()).axes
    for axis, (_, rows) in zip(axes, table.groupby("fact", sort=False), strict=True):
        points = [line for line in axis.lines if line.get_marker() == "o"]
        drawn = [(line.get_xdata()[0], line.get_ydata()[0]) for line in points]
        np.testing.assert_allclose(drawn, rows[["planted", "recovered"]].to_numpy(float))
        assert "1 of 2 came back" in named(axis)


def test_a_region_is_the_cortex_about_its_centre() -> None:
    regions = ["IFG", "PostTemp"]
    middle = np.array([CENTRES[region] for region in regions])
    inside = middle + np.array([0, REACH - 0.1, 0])
    outside = middle - np.array([0, 0, REACH + 0.1])
    assert list(patches(np.vstack([inside, outside]), regions)) == [0, 1, -1, -1]


def test_a_figure_has_the_same_files_twice_and_fonts_in_its_pdf(tmp_path: Path) -> None:
    for turn in ("a", "b"):
        files = [tmp_path / f"{turn}.{suffix}" for suffix in ("svg", "pdf", "png")]
        save("learning", made_up(), *files)
    for suffix in ("svg", "pdf", "png"):
        a, b = ((tmp_path / f"{turn}.{suffix}").read_bytes() for turn in ("a", "b"))
        assert a == b
    pdf = (tmp_path / "a.pdf").read_bytes()
    packed = re.findall(rb"/Length1 \d+.*?stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    assert len(packed) == pdf.count(b"/FontFile2") > 0
    for each in packed:  # letters and how wide they are; where each stands, the PDF says itself
        tables = set(TTFont(BytesIO(zlib.decompress(each))).keys())
        assert tables >= {"glyf", "loca", "hmtx"}
        assert not tables & {"GDEF", "GPOS", "GSUB", "kern"}


# Machado et al. (2009): what readers without the middle or the long cones see, in linear RGB.
BLIND = {
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
}


def seen_by(kind: str, colour: str) -> np.ndarray:
    rgb = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    mixed = np.clip(np.array(BLIND[kind]) @ linear, 0, 1)
    return np.where(mixed <= 0.0031308, mixed * 12.92, 1.055 * mixed ** (1 / 2.4) - 0.055)


def apart(colours: list[str], kind: str) -> float:
    pairs = combinations([seen_by(kind, colour) for colour in colours], 2)
    return min(float(np.linalg.norm(a - b)) for a, b in pairs)


@pytest.mark.parametrize("kind", BLIND)
def test_colours_can_be_told_apart_by_the_colour_blind(kind: str) -> None:
    for palette in (
        MODULE_COLOURS,
        VERDICT_COLOURS,
        SIDE_COLOURS,
        REGION_COLOURS,
        BASELINE_COLOURS,
        PHASE_COLOURS,
    ):
        assert apart(list(palette.values()), kind) > 0.1


def test_no_colour_stands_for_two_things_that_are_drawn() -> None:
    palettes = (REGION_COLOURS, MODULE_COLOURS, VERDICT_COLOURS, PHASE_COLOURS)
    colours = [colour for palette in palettes for colour in palette.values()]
    assert len(colours) == len(set(colours))


@pytest.mark.parametrize(
    ("stretches", "every"),
    [
        ([(0, 1), (2, 3), (4, 5)], 1),
        ([(0, 2.5), (2, 4.5), (4, 6.5), (6, 8.5)], 2),
        ([(4, 6.5), (2, 4.5), (0, 2.5)], 2),  # an axis that runs down
        ([(0, 9), (1, 10)], 2),
        ([], 1),
    ],
)
def test_labels_are_thinned_evenly(stretches: list[tuple[float, float]], every: int) -> None:
    assert spacing([np.array(stretch) for stretch in stretches], gap=0) == every
