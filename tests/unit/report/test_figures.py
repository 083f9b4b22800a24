"""Every figure can be drawn, is the same file twice, and says what is in its tables."""

import re
import xml.etree.ElementTree as ET
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from geomod.base.tables import columns_of
from geomod.claims.registry import CLAIMS
from geomod.report import registry
from geomod.report.drawing import network_score, region_colours, short, tick_steps, varying
from geomod.report.figures import FIGURES, save
from geomod.report.gallery import GALLERY, Tables, lacking, with_claims
from tests.unit.report.sweeps import paper_claims

MODELS, STEPS, LAYERS = ("toy-s", "toy-m"), (0, 1, 16, 128, 1000), (0, 1, 2, 3)
REGIONS = ("IFG", "PostTemp", "noise")


ONE = {"models": ("toy-s",), "steps": (16,)}  # what a pretrained model gives


def made_up(models: tuple = MODELS, steps: tuple = STEPS) -> dict[str, pd.DataFrame]:
    """Tables of the right columns, filled at random; the caller's own, to change."""
    return {name: table.copy() for name, table in _made_up(models, steps).items()}


@cache
def _made_up(models: tuple, steps: tuple) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(0)

    def table(kind: str, **axes: tuple) -> pd.DataFrame:
        rows = pd.DataFrame(list(product(*axes.values())), columns=list(axes))
        for column, dtype in columns_of(kind).items():
            if column not in rows:
                values = rng.uniform(0, 1, len(rows))
                values = values.round() if dtype in ("Int64", "boolean") else values
                rows[column] = "x" if dtype == "string" else values
        return rows.astype(columns_of(kind))

    sweep = {"model": models, "step": steps}
    modules = table("modules", **sweep, layer=LAYERS[1:])
    modules["module"] = np.where(modules["layer"] > 1, "low", "high")
    metrics = table("geometry", **sweep, layer=LAYERS, metric=("entropy", "curvature"))
    population = table("population", **sweep, layer=LAYERS, metric=("rankme", "twonn", "alpha_req"))
    variants = {"rankme": "eigenvalues", "twonn": "raw", "alpha_req": "alpha"}
    population["variant"] = population["metric"].map(variants)
    scales = table("population", **sweep, layer=LAYERS, metric=("gride",), variant=("k1", "k2"))
    population = pd.concat([population, scales])
    pairs = {"entropy": ("raw", "centred"), "curvature": ("hosseini", "folded")}
    curve = table("specification_curve", quantity=("low − high module",), **pairs)
    curve["verdict"] = ["supported", "undecided", "not supported", "undecided"]
    curve["headline"] = [True, False, False, False]
    curve["rank"] = pd.array([2, 1, 3, None], dtype="Int64")
    curve.loc[3, ["estimate", "low", "high"]] = np.nan
    jumps = table("change_points", model=models, over=("depth", "training"))
    jumps[["step", "layer"]] = [16, 2]
    paper = table("correlations", model=models, region=REGIONS, predictor=("curvature", "entropy"))
    paper = paper.assign(method="pearson", layer=pd.array([pd.NA] * len(paper), dtype="Int64"))
    mean = paper[paper["region"] == "IFG"].assign(region="mean", r=-0.25)
    emergence = table("emergence", model=models, region=REGIONS)
    emergence.loc[0, ["t50", "low", "high", "t50_step"]] = np.nan
    measures = ("cka_debiased", "procrustes", "procrustes_shuffled", "flow")
    speed = table("speed", **sweep, next=steps, layer=LAYERS, measure=measures)
    speed = speed[speed["next"] > speed["step"]]
    names = ("warm-up", "entropy-seeking", "compression-seeking")
    phases = table("phases", model=models, layer=LAYERS, phase=names)
    phases[["start", "stop", "stop_low", "stop_high"]] = [1.0, 128.0, 16.0, np.nan]
    blocks = table("blocks", **sweep, blocks=(2, 3)).assign(
        starts="2", walk_p=[0.01, 0.2] * len(list(product(models, steps)))
    )
    walk = ("turning", "to_last", "straightness", "stable_rank", "length")
    facts = table("recovery", fact=("noise ceiling", "t50"), where=REGIONS)
    facts["agrees"] = pd.array([True, False, pd.NA] * 2, dtype="boolean")
    tokens = table("tokens_summary", **sweep)
    tokens["parameters"] = [10 ** (6 + len(name)) for name in tokens["model"]]
    known = table("competence", **sweep, task=("agreement", "islands", "facts"))
    known["family"] = np.where(known["task"] == "facts", "functional", "formal")
    earlier = table("contrasts", contrast=("temporal first", "sounds first"))
    earlier["verdict"] = ["supported", "undecided"]
    people = ("average", "01")
    heard = table("lag_check", region=REGIONS, participant=people)
    heard["verdict"] = [("plausible", "late", "silent")[k // 2] for k in range(len(heard))]
    seconds = {"region": REGIONS, "participant": people, "lag": tuple(range(-10, 11))}
    shuffled = table("shuffling", model=(*models, "time"), layer=LAYERS, region=REGIONS)
    controls = table("controls", control=("smooth", "null"), draw=(0, 1, 2), claim=(2, 3))
    controls["verdict"] = ["supported", "undecided"] * 6
    tables = {
        "controls": controls,
        "competence": known,
        "contrasts": earlier,
        "lags": table("lags", **seconds),
        "lag_check": heard,
        "impulse": table("impulse", **seconds),
        "shuffling": shuffled,
        "phases": phases.assign(found=True),
        "lens": table("lens", **sweep, layer=LAYERS),
        "hierarchy": table("hierarchy", **sweep, quantity=("best_layer", "mean_layer")),
        "competence_lags": table(
            "competence_lags",
            model=(*models, "all"),
            region=(*REGIONS, "netw"),
            family=("behaviour", "formal", "functional"),
        ),
        "alignment": table("alignment", **sweep, layer=LAYERS, measure=("rsa", "cka")),
        "depth": table("depth", **sweep, layer=LAYERS, measure=walk),
        "blocks": blocks,
        "recovery": facts,
        "tokens": tokens,
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
        "speed": speed,
    }
    return with_claims(tables, paper_claims(("x",), models))


def svg(name: str, folder: Path, tables: Tables | None = None) -> str:
    save(name, tables or made_up(), folder / "figure.svg")
    return (folder / "figure.svg").read_text(encoding="utf-8")


def test_the_gallery_and_the_figures_are_the_same() -> None:
    assert set(GALLERY) == set(FIGURES)


def test_the_figure_that_the_page_adds_is_drawn_and_says_what_is_seen(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for known in ("FIGURES", "SEEN"):
        monkeypatch.setattr(registry, known, {})
    page = (root / "docs/adding.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (example,) = [text for text in examples if "@in_gallery" in text]
    exec(example, {})
    (name,) = registry.FIGURES
    assert f'a `Plate` of\nthe same name, `"{name}"`' in page
    axes = registry.FIGURES[name](made_up()).axes
    assert [axis.get_title() for axis in axes] == list(MODELS)
    angles = made_up()["geometry"].query("metric == 'curvature'").groupby("model")["mean"].max()
    for model, angle in angles.items():
        assert f"{model} {np.degrees(angle):.0f}°" in registry.SEEN[name](made_up())


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_whole_and_repeats_itself(name: str, tmp_path: Path) -> None:
    drawn = svg(name, tmp_path)
    text = {element.text for element in ET.fromstring(drawn).iter() if element.text}
    titles = {f"{model}, step {short(step)}" for model in MODELS for step in STEPS}
    named = {*MODELS, *titles, "PostTemp", "entropy centred", "x", "noise ceiling"}
    named |= {"temporal first", "IFG: plausible", "smooth"}
    assert text & named, "no model, region, contrast or variant is named"
    assert drawn == svg(name, tmp_path)


def test_a_test_that_exceeds_its_level_is_named_under_every_figure_that_shows_it(
    tmp_path: Path,
) -> None:
    shown = {test for plate in GALLERY.values() for test in plate.tests}
    tested = {test for claim in CLAIMS for test in (claim.test, *(o.name for o in claim.others))}
    assert shown <= tested, "no calibration knows these tests"
    for holds in (True, False):
        levels = pd.DataFrame({"test": sorted(shown), "level": 0.123, "holds": holds})
        for name, plate in GALLERY.items():
            if plate.tests:
                drawn = svg(name, tmp_path, made_up() | {"calibration": levels})
                assert drawn.count("rejects 12.3% of true nulls") == len(plate.tests) * (not holds)


def test_jumps_and_the_papers_correlation_are_drawn(tmp_path: Path) -> None:
    tables = made_up()
    assert svg("coupling", tmp_path).count(">r = −0.25<") == len(MODELS)
    without = tables | {"change_points": tables["change_points"].iloc[:0]}
    save("modules", without, tmp_path / "without.svg")
    plain = (tmp_path / "without.svg").read_text(encoding="utf-8")
    drawn = svg("modules", tmp_path)
    assert drawn.count('id="line2d_') - plain.count('id="line2d_') == 2 * len(MODELS)


def test_a_model_without_modules_has_no_panel_of_their_contrast(tmp_path: Path) -> None:
    tables = made_up()
    assert 'id="axes_2"' in svg("low_high", tmp_path, tables)
    contrast = tables["low_high"]
    contrast.loc[contrast["model"] == "toy-s", ["low_minus_high", "low", "high"]] = np.nan
    drawn = svg("low_high", tmp_path, tables)
    assert 'id="axes_2"' not in drawn
    assert "toy-m" in drawn
    assert "toy-s" not in drawn


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_with_nothing_to_show_says_what_it_needs(name: str, tmp_path: Path) -> None:
    empty = {kind: table.iloc[:0] for kind, table in made_up().items()}
    assert set(lacking(empty)) == set(GALLERY)
    drawn = svg(name, tmp_path, empty)
    assert GALLERY[name].title in drawn
    assert "Left out: this figure needs" in drawn
    assert 'id="axes_1"' not in drawn


def test_a_sweep_has_every_figure_and_one_step_those_that_are_not_about_training() -> None:
    assert lacking(made_up()) == {}
    needing = {"learning", "encoding", "emergence", "speed", "scale", "phases"}
    assert set(lacking(made_up(**ONE))) == needing


LEFT_OUT = lacking(made_up(**ONE))


@pytest.mark.parametrize("name", [name for name in FIGURES if name not in LEFT_OUT])
def test_what_one_model_at_one_step_shows_can_be_seen(name: str) -> None:
    """No axes without data: a point has a marker, a map its cells; a line at 0 is no datum."""
    for axis in FIGURES[name](made_up(**ONE)).axes:
        lines = [line for line in axis.lines if line.get_transform() == axis.transData]
        seen = [line for line in lines if len(line.get_xdata()) > 1 or line.get_marker() != "None"]
        assert seen or axis.collections or axis.patches


def test_one_step_has_one_matrix_of_layers() -> None:
    for tables, matrices in ((made_up(**ONE), 1), (made_up(), 2)):
        labels = [axis.get_ylabel() for axis in FIGURES["sets"](tables).axes]
        assert labels.count("linear CKA") == matrices


def test_scores_over_depth_are_those_of_every_region_at_the_last_step() -> None:
    table = made_up()["encoding"]
    first, *_ = FIGURES["profiles"]({"encoding": table}).axes
    own = table.query("model == 'toy-s' and step == 1000 and participant == 'average'")
    lines = {str(line.get_label()): line for line in first.lines}
    for region, rows in own.groupby("region"):
        np.testing.assert_allclose(lines[str(region)].get_ydata(), rows["score"])


def test_a_prediction_that_never_varies_is_grey_and_not_a_score_of_zero() -> None:
    table = made_up()["encoding"]
    table.loc[table["layer"] == 0, ["score", "score_sd"]] = 0
    shown = network_score(varying(table))
    assert shown.loc[shown["layer"] == 0, "score"].isna().all()
    assert shown.loc[shown["layer"] > 0, "score"].notna().all()


def test_a_baseline_is_dashed_wherever_it_is_drawn() -> None:
    figure = FIGURES["baselines"](made_up())
    above, below = figure.axes[0], figure.axes[len(MODELS)]
    styles = {line.get_label(): line.get_linestyle() for line in above.lines}
    assert (styles["layer"], styles["length"], styles["untrained"]) == ("-", "--", "--")
    assert [line.get_linestyle() for line in below.lines[:2]] == ["--", "--"]


def test_regions_of_ones_own_can_be_told_apart() -> None:
    colours = region_colours(pd.Series(["V1", "IFG", "V2", "noise"]))
    assert len(set(colours.values())) == 4
    assert colours["IFG"] == region_colours(pd.Series(["IFG"]))["IFG"]


def test_a_further_metric_has_a_row_of_its_own(tmp_path: Path) -> None:
    tables = made_up()
    own = tables["geometry"].query("metric == 'entropy'").assign(metric="my_metric")
    tables["geometry"] = pd.concat([tables["geometry"], own])
    tables["geometry"] = pd.concat([tables["geometry"], own.assign(metric="norm")])
    drawn = svg("geometry", tmp_path, tables)
    assert ">my metric<" in drawn
    assert ">(ln of the states' unit)<" in drawn


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


STEP_NAMES = [(0, "0"), (512, "512"), (1000, "1k"), (143000, "143k"), (1048576, "1048576")]


@pytest.mark.parametrize(("step", "text"), STEP_NAMES)
def test_steps_are_written_short(step: int, text: str) -> None:
    assert short(step) == text
