"""Every figure can be drawn, is the same file twice, and says what is in its tables."""

import xml.etree.ElementTree as ET
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from geomod.calibration import RISE
from geomod.claims import TESTS
from geomod.drawing import network_score, short, tick_steps
from geomod.figures import FIGURES, save
from geomod.gallery import GALLERY
from geomod.tables import columns_of

MODELS, STEPS, LAYERS = ("toy-s", "toy-m"), (0, 1, 16, 128, 1000), (0, 1, 2, 3)
REGIONS = ("IFG", "PostTemp", "noise")


def made_up() -> dict[str, pd.DataFrame]:
    """Tables of the right columns, filled at random."""
    rng = np.random.default_rng(0)

    def table(kind: str, **axes: tuple) -> pd.DataFrame:
        rows = pd.DataFrame(list(product(*axes.values())), columns=list(axes))
        for column, dtype in columns_of(kind).items():
            if column not in rows:
                values = rng.uniform(0, 1, len(rows))
                values = values.round() if dtype == "Int64" else values
                rows[column] = "x" if dtype == "string" else values
        return rows.astype(columns_of(kind))

    sweep = {"model": MODELS, "step": STEPS}
    modules = table("modules", **sweep, layer=LAYERS[1:])
    modules["module"] = np.where(modules["layer"] > 1, "low", "high")
    metrics = table("geometry", **sweep, layer=LAYERS, metric=("entropy", "curvature"))
    population = table("population", **sweep, layer=LAYERS, metric=("rankme", "twonn"))
    population["variant"] = population["metric"].map({"rankme": "eigenvalues", "twonn": "raw"})
    pairs = {"entropy": ("raw", "centred"), "curvature": ("hosseini", "folded")}
    curve = table("specification_curve", quantity=("low − high module",), **pairs)
    curve["verdict"] = ["supported", "undecided", "not supported", "undecided"]
    curve["headline"] = [True, False, False, False]
    curve["rank"] = pd.array([2, 1, 3, None], dtype="Int64")
    curve.loc[3, ["estimate", "low", "high"]] = np.nan
    jumps = table("change_points", model=MODELS, over=("depth", "training"))
    jumps[["step", "layer"]] = [16, 2]
    paper = table("correlations", model=MODELS, region=REGIONS, predictor=("curvature", "entropy"))
    paper = paper.assign(method="pearson", layer=pd.array([pd.NA] * len(paper), dtype="Int64"))
    mean = paper[paper["region"] == "IFG"].assign(region="mean", r=-0.25)
    emergence = table("emergence", model=MODELS, region=REGIONS)
    emergence.loc[0, ["t50", "low", "high", "t50_step"]] = np.nan
    return {
        "tokens": table("tokens_summary", **sweep),
        "geometry": metrics,
        "modules": modules,
        "change_points": jumps,
        "low_high": table("low_high", **sweep, region=(*REGIONS, "netw")),
        "correlations": pd.concat([paper, mean]),
        "encoding": table(
            "encoding", **sweep, layer=LAYERS, region=REGIONS, participant=("average", "01")
        ),
        "emergence": emergence,
        "baselines": table(
            "baselines",
            **sweep,
            layer=LAYERS,
            region=REGIONS,
            participant=("average",),
            baseline=("length", "untrained"),
        ),
        "ceiling": table("ceiling", region=REGIONS, participant=("average",)),
        "population": population,
        "depth_similarity": table("depth_similarity", **sweep, layer=LAYERS, other=LAYERS),
        "specification_curve": curve,
    }


def svg(name: str, folder: Path) -> str:
    save(name, made_up(), folder / "figure.svg")
    return (folder / "figure.svg").read_text(encoding="utf-8")


def test_the_gallery_and_the_figures_are_the_same() -> None:
    assert list(GALLERY) == list(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_whole_and_repeats_itself(name: str, tmp_path: Path) -> None:
    drawn = svg(name, tmp_path)
    text = {element.text for element in ET.fromstring(drawn).iter() if element.text}
    named = {*MODELS, *(f"{model}, step 0" for model in MODELS), "PostTemp", "entropy centred"}
    assert text & named, "no model, region or variant is named"
    assert drawn == svg(name, tmp_path)


def test_a_test_that_exceeds_its_level_is_named_under_every_figure_that_shows_it(
    tmp_path: Path,
) -> None:
    shown = {test for plate in GALLERY.values() for test in plate.tests}
    assert shown <= {*TESTS.values(), RISE}, "no calibration knows these tests"
    for holds in (True, False):
        levels = pd.DataFrame({"test": sorted(shown), "level": 0.123, "holds": holds})
        for name, plate in GALLERY.items():
            save(name, made_up() | {"calibration": levels}, tmp_path / "figure.svg")
            drawn = (tmp_path / "figure.svg").read_text(encoding="utf-8")
            assert drawn.count("rejects 12.3% of true nulls") == len(plate.tests) * (not holds)


def test_jumps_and_the_papers_correlation_are_drawn(tmp_path: Path) -> None:
    tables = made_up()
    assert svg("coupling", tmp_path).count(">r = −0.25<") == len(MODELS)
    without = tables | {"change_points": tables["change_points"].iloc[:0]}
    save("modules", without, tmp_path / "without.svg")
    plain = (tmp_path / "without.svg").read_text(encoding="utf-8")
    drawn = svg("modules", tmp_path)
    assert drawn.count('id="line2d_') - plain.count('id="line2d_') == 2 * len(MODELS)


@pytest.mark.parametrize("name", ["modules", "low_high"])
def test_models_without_geometry_leave_an_empty_figure(name: str, tmp_path: Path) -> None:
    tables = made_up()
    empty = {kind: tables[kind].iloc[:0] for kind in ("modules", "low_high", "change_points")}
    save(name, tables | empty, tmp_path / "figure.svg")
    assert "<svg" in (tmp_path / "figure.svg").read_text(encoding="utf-8")


def test_a_further_metric_has_a_row_of_its_own(tmp_path: Path) -> None:
    tables = made_up()
    own = tables["geometry"].query("metric == 'entropy'").assign(metric="my_metric")
    tables["geometry"] = pd.concat([tables["geometry"], own])
    save("geometry", tables, tmp_path / "figure.svg")
    assert ">my metric<" in (tmp_path / "figure.svg").read_text(encoding="utf-8")


def test_the_curve_counts_the_choices_that_agree_with_the_headline(tmp_path: Path) -> None:
    assert ">supported 1/4<" in svg("multiverse", tmp_path)


def test_the_network_is_its_own_region_where_there_is_one() -> None:
    table = made_up()["encoding"]
    mean = network_score(table)["score"].mean()
    assert mean == pytest.approx(table.loc[table["participant"] == "average", "score"].mean())
    table.loc[table["region"] == "noise", ["region", "score"]] = ["netw", 7.0]
    assert (network_score(table)["score"] == 7).all()


def test_ticks_are_steps_that_were_measured() -> None:
    steps = [0, 1, 2, 4, 512, 1000, 143000]
    ticks = tick_steps(steps)
    assert set(ticks) <= set(steps)
    assert (ticks[0], ticks[-1]) == (0, 143000)


@pytest.mark.parametrize(("step", "text"), [(0, "0"), (512, "512"), (1000, "1k"), (143000, "143k")])
def test_steps_are_written_short(step: int, text: str) -> None:
    assert short(step) == text


def test_without_baselines_the_figure_says_so(tmp_path: Path) -> None:
    empty = {"baselines": made_up()["baselines"].iloc[:0]}
    save("baselines", empty, tmp_path / "figure.svg")
    assert "no baselines" in (tmp_path / "figure.svg").read_text(encoding="utf-8")
