"""The report in a real browser: what people do with it, and that its numbers are the tables'."""

import csv
import io
import itertools
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.browser.conftest import DATASETS, EVIL, Open
from tests.unit.report.test_figures import ONE, made_up

pytestmark = pytest.mark.xdist_group("browser")

CELL = ["dataset", "model", "step", "layer"]
SETTLED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 60)))"


def choose(page: Any, **values: str) -> None:
    for name, value in values.items():
        page.select_option(f'[name="{name.replace("_", ".", 1)}"]', value)
    page.evaluate(SETTLED)


def readout(page: Any) -> list[dict[str, str]]:
    lines = page.locator("#explorer-readout tr").all()
    head, *rows = [line.locator("th, td").all_inner_texts() for line in lines]
    return [dict(zip(head, row, strict=True)) for row in rows]


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def layer_of(row: dict[str, str]) -> int:
    return int(row["layer"].split()[0])


def score(tables: Any, dataset: str, model: str, region: str) -> pd.DataFrame:
    table = tables["encoding"].query("participant == 'average' and dataset == @dataset")
    return table[(table["model"] == model) & (table["region"] == region)]


def test_it_opens_at_the_highest_score_of_the_network(opened: Open, tables: Any) -> None:
    left, right = readout(opened())
    own = score(tables, DATASETS[0], "pythia-1b", "netw").query("layer > 0")
    best = own.loc[own["score"].idxmax()]
    assert (number(left["step"]), layer_of(left)) == (best["step"], best["layer"])
    assert number(left["value"]) == pytest.approx(best["score"], rel=1e-3)
    low, high = map(number, left["band"].split(" … "))
    assert (low, high) == pytest.approx((best["score"] - 0.03, best["score"] + 0.03), rel=1e-2)
    assert left["n"] == "5"
    assert right["measure"] == "curvature, hosseini (°)"


def test_each_control_changes_the_numbers_to_those_of_the_tables(opened: Open, tables: Any) -> None:
    page = opened()
    choose(page, dataset="lebel", left_model="pythia-410m", left_region="IFG")
    choose(page, right_model="pythia-160m", right_measure="entropy", right_variant="centred")
    for step, layer in ((3, 7), (18, 24)):
        page.locator('[name="step"]').fill(str(step))
        page.locator('[name="layer"]').fill(str(layer - 1))  # the embedding has no score
        page.locator('[name="layer"]').fill(str(layer))
        page.evaluate(SETTLED)
        left, right = readout(page)
        steps = sorted(tables["encoding"]["step"].unique())
        own = score(tables, "lebel", "pythia-410m", "IFG").set_index(["step", "layer"])["score"]
        assert layer_of(left) == layer
        assert number(left["value"]) == pytest.approx(own[steps[step], layer], rel=1e-3)
        # A model half as deep is read at the same relative depth.
        shapes = tables["geometry"].query("metric == 'entropy' and variant == 'centred'")
        shapes = shapes.query("dataset == 'lebel' and model == 'pythia-160m'")
        same = shapes.set_index(["step", "layer"])["mean"]
        assert abs(layer_of(right) - layer / 2) <= 0.5
        assert number(right["value"]) == pytest.approx(same[steps[step], layer_of(right)], rel=1e-3)


def test_one_model_at_one_step_can_be_explored(opened: Open, small_report: Path) -> None:
    page = opened(path=small_report)
    left = readout(page)[0]
    own = made_up(**ONE)["encoding"].query("participant == 'average' and region == 'IFG'")
    assert number(left["value"]) == pytest.approx(own["score"].max(), rel=1e-3)
    assert page.locator('[name="step"]').is_disabled()
    page.locator('[name="layer"]').fill("1")
    page.evaluate(SETTLED)
    assert layer_of(readout(page)[0]) == 1
    for view in ("map-left", "course-left", "profile-left", "plane"):
        assert page.locator(f"#{view} .role-mark path").count() > 0


def cells(page: Any, side: str) -> Any:
    return page.locator(f"#map-{side} .chart svg .mark-rect").first.locator("path")


def test_a_cell_is_read_on_hover_in_both_maps_and_kept_on_click(opened: Open) -> None:
    page = opened()
    before = readout(page)
    cell = cells(page, "left").nth(40)
    cell.scroll_into_view_if_needed()
    page.evaluate("scrollBy(0, -300)")
    cell.hover()
    page.evaluate(SETTLED)
    hovered = readout(page)
    tip = page.locator("#vg-tooltip-element").inner_text()
    assert hovered[0]["value"] in tip
    assert "undefined" not in tip
    assert [row["step"] for row in hovered] != [row["step"] for row in before]
    assert hovered[0]["step"] == hovered[1]["step"]
    assert hovered[0]["layer"] == hovered[1]["layer"]
    page.mouse.move(0, 0)
    page.evaluate(SETTLED)
    assert readout(page) == before
    cell.click()
    page.mouse.move(0, 0)
    page.evaluate(SETTLED)
    assert readout(page) == hovered
    course = page.locator("#course-left .chart").get_attribute("aria-label")
    assert course.endswith(f"layer {hovered[0]['layer']}")


def test_a_cell_without_a_value_has_no_colour_of_the_scale(opened: Open) -> None:
    page = opened()
    fills = [cells(page, "left").nth(place).get_attribute("fill") for place in (0, 1)]
    assert fills[0] == "#88888840"  # layer 0, where all predictions are the same
    assert fills[1].startswith("rgb")


def download(page: Any, view: str, form: str) -> Path:
    with page.expect_download() as waiting:
        page.locator(f'#{view} [data-save="{form}"]').click()
    return Path(waiting.value.path())


def test_the_table_behind_a_view_is_that_of_the_run(opened: Open, tables: Any) -> None:
    page = opened()
    text = download(page, "map-left", "csv").read_text(encoding="utf-8")
    table = pd.read_csv(io.StringIO(text))
    own = score(tables, DATASETS[0], "pythia-1b", "netw")
    merged = table.merge(own, on=CELL)
    assert len(merged) == len(own) == len(table)
    blocks = merged[merged["layer"] > 0]
    np.testing.assert_allclose(blocks["value"], blocks["score"], rtol=1e-6)
    assert merged.loc[merged["layer"] == 0, "value"].isna().all()  # all predictions are the same


@pytest.mark.parametrize(("form", "start"), [("svg", b"<svg"), ("png", b"\x89PNG")])
def test_a_view_can_be_taken_away_as_a_picture(opened: Open, form: str, start: bytes) -> None:
    assert download(opened(), "plane", form).read_bytes().startswith(start)


def test_names_are_text_wherever_they_stand(opened: Open) -> None:
    page = opened()
    choose(page, left_region=EVIL)
    assert EVIL in readout(page)[0]["measure"]
    text = download(page, "course-left", "csv").read_text(encoding="utf-8")
    assert EVIL in next(csv.DictReader(io.StringIO(text)))["measure"]
    assert page.title() == "geomod · paper"
    assert EVIL in page.locator("#notes + ul, #notes ~ ul").first.inner_text()


def test_a_link_opens_the_view_that_it_was_taken_from(opened: Open) -> None:
    page = opened()
    choose(page, dataset="pereira2018", left_measure="rsa", left_region="PostTemp")
    choose(page, right_model="pythia-70m")
    page.locator('[name="step"]').fill("5")
    page.evaluate(SETTLED)
    fragment = page.url.partition("#")[2]
    other = opened(f"#{fragment}")
    assert readout(other) == readout(page)
    assert other.url.partition("#")[2] == fragment


def test_a_claim_leads_to_the_view_that_shows_it(opened: Open) -> None:
    page = opened()
    page.locator('[data-claim="3"] a').first.click()
    page.evaluate(SETTLED)
    left, right = readout(page)
    assert "PostTemp" in left["measure"]
    assert "IFG" in right["measure"]


def test_what_models_know_stands_beside_alignment_with_chance(opened: Open, tables: Any) -> None:
    page = opened()
    choose(page, right_measure="task_score", right_variant="functional", right_region="facts1")
    own = tables["competence"].query("model == 'pythia-1b' and task == 'facts1'")
    step = number(readout(page)[1]["step"])
    score = own.loc[own["step"] == step, "score"].iloc[0]
    assert number(readout(page)[1]["value"]) == pytest.approx(score, rel=1e-3)
    course = page.locator("#course-right .chart")
    assert course.get_attribute("aria-label").endswith("the model as a whole; dotted: chance, 0.25")
    assert page.locator("#course-right .mark-rule.role-mark line").count() == 2  # and the cursor
    assert page.locator("#course-left .mark-rule.role-mark line").count() == 1


def test_headings_are_folded_where_there_is_no_room(opened: Open) -> None:
    page = opened(width=400)
    for heading in page.locator(".view svg .role-title text").all():
        assert heading.bounding_box()["x"] + heading.bounding_box()["width"] <= 400
    lines = page.locator("#course-left svg .role-title tspan").all_text_contents()
    label = page.locator("#course-left .chart").get_attribute("aria-label")
    assert len(lines) > 1
    assert " ".join(lines) == label


def test_the_scrubber_moves_the_layers_through_the_plane(opened: Open) -> None:
    page = opened()
    points = page.locator("#plane .chart svg .mark-symbol").nth(1).locator("path")
    before = [point.get_attribute("transform") for point in points.all()]
    page.locator('[name="step"]').fill("2")
    page.evaluate(SETTLED)
    after = [point.get_attribute("transform") for point in points.all()]
    assert len(before) == len(after) == 17  # of pythia-1b, with the embedding
    assert before != after


def test_all_is_reached_by_the_keyboard_alone(opened: Open) -> None:
    page = opened()
    page.locator('[name="dataset"]').focus()
    reached = []
    for _ in range(60):
        reached.append(
            page.evaluate(
                "() => { const e = document.activeElement;"
                " return e.name || e.id || e.dataset.save || e.tagName }"
            )
        )
        page.keyboard.press("Tab")
    wanted = {"left.model", "left.measure", "left.region", "right.variant", "step", "layer"}
    assert wanted | {"explorer-highest", "csv", "svg", "png", "SUMMARY"} <= set(reached)
    page.locator('[name="step"]').focus()
    before = readout(page)
    page.keyboard.press("ArrowLeft")
    page.evaluate(SETTLED)
    assert readout(page)[0]["step"] != before[0]["step"]


@pytest.mark.parametrize(("width", "scheme"), [(400, "light"), (1280, "dark")])
def test_nothing_sticks_out_and_all_can_be_read(opened: Open, width: int, scheme: str) -> None:
    page = opened(width=width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    charts = page.locator(".chart svg")
    assert charts.count() == 7
    for chart in charts.all():
        assert 250 < chart.bounding_box()["width"] <= width
    axe = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
    if not axe.exists():
        pytest.skip("no axe-core: npm install --prefix tests/browser axe-core")
    opening = "document.querySelectorAll('details:not(.view details)').forEach(d => d.open = true)"
    page.evaluate(opening)
    page.locator("#profile-left summary").click()
    page.evaluate(axe.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    grave = [each for each in found if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in grave] == []


def test_no_chart_is_cut_off_at_its_edges(opened: Open) -> None:
    """From the first view on, before anything was changed."""
    boxes = """[...document.querySelectorAll('.view svg')].map((svg) => {
        const box = svg.getBBox();
        return [box.x, box.x + box.width - svg.clientWidth];
    })"""
    found = opened().evaluate(boxes)
    assert len(found) >= 6
    assert [box for box in found if box[0] < 0 or box[1] > 0] == []


def test_tick_labels_do_not_lie_on_one_another(opened: Open) -> None:
    for width in (400, 1280):
        page = opened(width=width)
        for view in ("map-left", "course-left", "profile-left", "plane"):
            for labels in page.locator(f"#{view} .role-axis-label").all():
                boxes = [
                    box
                    for text in labels.locator("text").all()
                    if (box := text.bounding_box()) and text.get_attribute("opacity") != "0"
                ]
                for a, b in itertools.pairwise(boxes):
                    aside = (
                        a["x"] + a["width"] <= b["x"] + 0.5 or b["x"] + b["width"] <= a["x"] + 0.5
                    )
                    above = a["y"] + a["height"] * 0.7 <= b["y"] + a["height"] * 0.3 or (
                        b["y"] + b["height"] * 0.7 <= a["y"] + a["height"] * 0.3
                    )
                    assert aside or above, view


def seconds(page: Any, address: str, ready: str) -> float:
    start = time.perf_counter()
    page.goto(address)
    page.wait_for_selector(ready, state="attached")
    return time.perf_counter() - start


def test_it_is_small_and_quick_at_paper_size(browser: Any, report: Path, tmp_path: Path) -> None:
    assert report.stat().st_size < 15e6
    page = browser.new_page()
    empty = tmp_path / "empty.html"
    empty.write_text("<!doctype html><body>", encoding="utf-8")
    blank = statistics.median(seconds(page, empty.as_uri(), "body") for _ in range(5))
    ready = "#explore[data-ready]"
    loads = statistics.median(seconds(page, report.as_uri(), ready) for _ in range(5))
    changes = []
    for region in ("IFG", "AntTemp", "IFGorb", "PostTemp", "netw"):
        changes.append(
            page.evaluate(
                """async (region) => {
                  const control = document.querySelector('[name="left.region"]');
                  control.value = region;
                  const start = performance.now();
                  control.dispatchEvent(new Event("input", { bubbles: true }));
                  const heading = document.querySelector("#course-left .chart");
                  await new Promise((done) => setTimeout(done, 0));
                  while (!heading.textContent.includes(region)) {
                    await new Promise((done) => setTimeout(done, 1));
                  }
                  return performance.now() - start;
                }""",
                region,
            )
        )
    page.close()
    change = statistics.median(changes)
    print(f"empty page {blank:.2f} s, report {loads:.2f} s, a change {change:.0f} ms")
    assert loads - blank <= 2
    assert change <= 200
