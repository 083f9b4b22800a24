"""What the explorer is given is what the tables hold, and opens in a page without a network."""

import base64
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from geomod.report import explorer
from geomod.report.charts import CHARTS
from geomod.report.series import SOURCES, WHOLE, all_series
from tests.unit.report.test_figures import made_up


def unpack(packed: dict[str, Any]) -> dict[tuple[str, ...], dict[str, Any]]:
    """The numbers of every series as the page's script reads them."""
    numbers = np.frombuffer(base64.b64decode(packed["numbers"]), "<f4")
    found = {}
    for entry in packed["series"]:
        axes = packed["axes"][entry["axes"]]
        shape = len(axes["steps"]), len(axes["layers"])
        size = shape[0] * shape[1]
        cut = {
            name: numbers[entry[name] : entry[name] + size].reshape(shape)
            for name in ("value", "half", "n")
            if name in entry
        }
        found[tuple(entry["key"])] = {**axes, **cut, "same_n": entry.get("same_n")}
    return found


def test_every_number_of_the_tables_can_be_explored() -> None:
    tables = made_up()
    tables["geometry"]["metric"] = tables["geometry"]["metric"].replace("curvature", "own")
    tables["geometry"]["n"] = 7
    found = unpack(explorer.pack(all_series(tables, "x")))
    for row in tables["geometry"].itertuples():
        series = found["x", row.model, row.metric, row.variant, ""]
        place = series["steps"].index(row.step), series["layers"].index(row.layer)
        assert series["value"][place] == np.float32(row.mean)
        assert series["half"][place] == np.float32(1.96 * row.sd / np.sqrt(row.n))
    scores = tables["encoding"].query("participant == 'average'")
    for row in scores.itertuples():
        series = found["x", row.model, "score", "", row.region]
        place = series["steps"].index(row.step), series["layers"].index(row.layer)
        assert series["value"][place] == np.float32(row.score)
        assert series["half"][place] == np.float32(row.score_sd)
        assert series["same_n"] == 1  # participant 01
    assert found["x", "toy-s", "surprisal", "", ""]["layers"] == [WHOLE]


def test_angles_are_in_degrees() -> None:
    table = made_up()["geometry"].query("metric == 'curvature'")
    rows = all_series({"geometry": table}, "data")
    np.testing.assert_allclose(rows["value"], np.degrees(table["mean"]))


def test_a_step_is_held_against_the_next_and_against_the_last() -> None:
    table = made_up()["speed"]
    rows = all_series({"speed": table}, "data").query("model == 'toy-s' and layer == 1")
    for name, other in (("change", {0: 1, 1: 16, 16: 128, 128: 1000}), ("likeness", 1000)):
        own = rows[(rows["measure"] == name) & (rows["variant"] == "flow")]
        assert list(own["step"]) == [0, 1, 16, 128]
        for row in own.itertuples():
            wanted = other[row.step] if isinstance(other, dict) else other
            same = table.query("model == 'toy-s' and layer == 1 and measure == 'flow'")
            same = same[(same["step"] == row.step) & (same["next"] == wanted)]
            assert row.value == same["value"].item()


def test_what_models_know_stands_for_every_dataset_with_what_guessing_gives() -> None:
    table = made_up()["competence"].assign(chance=0.25)
    packed = explorer.pack(all_series({"competence": table}, "data"))
    found = unpack(packed)
    for row in table.itertuples():
        series = found["", row.model, "task_score", row.family, row.task]
        assert series["layers"] == [WHOLE]
        place = series["steps"].index(row.step)
        assert series["value"][place, 0] == np.float32(row.score)
        assert series["half"][place, 0] == np.float32(1.96 * row.se)
    formal = table.query("model == 'toy-s' and step == 16 and family == 'formal'")
    series = found["", "toy-s", "task_score", "formal", "all tasks"]
    place = series["steps"].index(16), 0
    assert series["value"][place] == np.float32(formal["score"].mean())
    error = np.hypot(*formal["se"]) / 2  # of a mean of two independent scores
    assert series["half"][place] == pytest.approx(1.96 * error, rel=1e-6)
    assert {entry["chance"] for entry in packed["series"]} == {0.25}


def test_the_lens_and_likeness_can_be_explored() -> None:
    tables = made_up()
    likeness = tables["alignment"].assign(of="voxels", region="IFG")
    people = [
        likeness.assign(participant=who, value=number) for who, number in (("1", 1), ("2", 2))
    ]
    given = {"lens": tables["lens"], "alignment": pd.concat(people)}
    rows = all_series(given, "x")
    assert (rows.loc[rows["variant"] == "voxels", "value"] == 1.5).all()
    kl = rows[rows["measure"] == "lens_kl"].set_index(["model", "step", "layer"])["value"]
    pd.testing.assert_series_equal(
        kl, tables["lens"].set_index(["model", "step", "layer"])["kl"], check_names=False
    )
    average = all_series(
        {"alignment": pd.concat([*people, likeness.assign(participant="average", value=9)])}, "x"
    )
    assert (average["value"] == 9).all()


def test_datasets_are_kept_apart_and_named_where_a_table_does_not() -> None:
    table = made_up()["population"].drop(columns="dataset", errors="ignore")
    assert set(all_series({"population": table}, "data")["dataset"]) == {"data"}
    both = pd.concat([table.assign(dataset="a"), table.assign(dataset="b", value=-1.0)])
    rows = all_series({"population": both}, "data")
    assert (rows.loc[rows["dataset"] == "b", "value"] == -1).all()
    assert set(rows["dataset"]) == {"a", "b"}


def test_a_prediction_that_never_varies_is_no_score() -> None:
    table = made_up()["encoding"]
    table.loc[table["layer"] == 0, ["score", "score_sd"]] = 0
    rows = all_series({"encoding": table}, "data")
    scores = rows[rows["measure"].isin(["score", "score_normalized"])]
    assert scores.loc[scores["layer"] == 0, "value"].isna().all()
    assert scores.loc[scores["layer"] > 0, "value"].notna().all()


def test_what_was_not_measured_is_not_offered() -> None:
    empty = {name: table.iloc[:0] for name, table in made_up().items()}
    assert all_series(empty, "data").empty
    assert set(SOURCES) <= set(made_up())


def test_names_cannot_end_the_script_that_they_stand_in() -> None:
    table = made_up()["population"].assign(model="</script><script>alert(1)")
    text = explorer.payload(all_series({"population": table}, "data"), "<run>")
    assert "<" not in text
    content = json.loads(text)
    assert content["run"] == "<run>"
    assert content["series"][0]["key"][1] == "</script><script>alert(1)"


def test_the_libraries_stand_in_one_script() -> None:
    script = explorer.libraries()
    assert "</script" not in script
    assert "window.vegaEmbed" in script


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_is_understood_by_vega_lite(name: str) -> None:
    vl_convert = pytest.importorskip("vl_convert")
    vega = vl_convert.vegalite_to_vega(CHARTS[name](), vl_version=explorer.VEGA_LITE)
    assert {"rows"} <= {data["name"] for data in vega["data"]}
    assert "heading" in {signal["name"] for signal in vega["signals"]}
