"""Tables hold what is written down, and files appear whole."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from geomod.base.errors import InputError
from geomod.base.files import whole
from geomod.base.layers import write_features
from geomod.base.tables import SCHEMAS, columns_of, key_of, read_provenance, read_table, write_table
from geomod.checkpoints.continuity import write_sketch
from geomod.geometry.grams import Grams, write_grams

LOSS = pd.DataFrame({"step": [0, 1], "loss": [5.0, 4.0]})


def test_a_table_comes_back_with_its_provenance(tmp_path: Path) -> None:
    path = tmp_path / "loss.parquet"
    write_table(LOSS[["loss", "step"]], path, "loss", {"code": "abc"})
    assert read_provenance(path) == {"code": "abc"}
    pd.testing.assert_frame_equal(read_table(path), LOSS)


@pytest.mark.parametrize(
    "table", [LOSS.drop(columns="loss"), LOSS.assign(extra=1)], ids=["missing", "extra"]
)
def test_a_column_that_is_not_written_down_is_refused(tmp_path: Path, table: pd.DataFrame) -> None:
    with pytest.raises(TypeError, match="'loss'"):
        write_table(table, tmp_path / "loss.parquet", "loss")
    assert list(tmp_path.iterdir()) == []


def test_every_column_has_a_type_and_a_meaning() -> None:
    for kind, table in yaml.safe_load(SCHEMAS.read_text(encoding="utf-8")).items():
        assert {"file", "rows", "key", "columns"} <= set(table), kind
        assert all(column["type"] and column["meaning"] for column in table["columns"].values())
        assert pd.DataFrame(columns=list(table["columns"])).astype(columns_of(kind)).empty


def test_every_key_is_of_the_columns_that_name_and_not_of_those_that_measure() -> None:
    for kind in yaml.safe_load(SCHEMAS.read_text(encoding="utf-8")):
        key = key_of(kind)
        assert key, kind
        assert len(set(key)) == len(key), kind
        # The size of an effect that is simulated names the row, and is a number all the same.
        types = {columns_of(kind)[name] for name in key if (kind, name) != ("power", "effect")}
        assert types <= {"string", "int64", "Int64"}, kind
        places = {"model", "step", "layer", "region", "participant", "item_id"}
        assert places & set(columns_of(kind)) <= set(key), kind


def test_a_doubled_row_is_refused_with_its_key(tmp_path: Path) -> None:
    doubled = pd.concat([LOSS, LOSS.tail(1).assign(loss=3.0)])
    with pytest.raises(InputError, match=r"loss.parquet: row 2 .*second with step 1\..*one row a"):
        write_table(doubled, tmp_path / "loss.parquet", "loss")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_place_in_a_key_is_one_value(tmp_path: Path) -> None:
    """Layers pooled have no layer: two such rows are doubled, one beside a layer is not."""
    row = dict.fromkeys(columns_of("correlations"), 0.5)
    row |= {"model": "all", "region": "mean", "predictor": "entropy", "method": "pearson", "n": 9}
    pooled, layer = {**row, "layer": None}, {**row, "layer": 1}
    path = tmp_path / "correlations.parquet"
    write_table(pd.DataFrame([pooled, layer]), path, "correlations")
    with pytest.raises(InputError, match=r"row 1 .*layer None"):
        write_table(pd.DataFrame([pooled, pooled]), path, "correlations")


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("geometry", "model step layer metric variant mean sd n"),
        (
            "encoding",
            "model step layer region participant score score_sd ceiling score_normalized "
            "alpha_median p_permutation",
        ),
        ("modules", "model step layer module silhouette null_p agreement"),
        ("emergence", "model region t50 low high plateau censored"),
    ],
)
def test_tables_keep_the_contract(kind: str, columns: str) -> None:
    assert set(columns.split()) <= set(columns_of(kind))


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o002])
def test_files_follow_the_umask(tmp_path: Path, umask: int) -> None:
    features = {0: np.zeros((2, 2), np.float32)}
    before = os.umask(umask)
    try:
        write_features(features, tmp_path / "features.safetensors")
        write_grams({0: Grams.of_states([np.eye(2)])}, tmp_path / "grams.safetensors")
        write_sketch({"w": features[0]}, tmp_path / "sketch.safetensors")
        write_table(LOSS, tmp_path / "loss.parquet", "loss")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert len(modes) == 4
    assert set(modes.values()) == {0o666 & ~umask}, modes


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail_half_way() -> None:
        with whole(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
