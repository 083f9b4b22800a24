"""Reading people's tables: exactly what is written, or an error that names the file and the row."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.base.sheets import labels, numbers, read_sheet, require_columns

FUZZ = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def write(folder: Path, text: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    "raw",
    [
        b"a,b\n1,2\n3,4\n",
        b"\xef\xbb\xbfa,b\n1,2\n3,4\n",  # byte order mark
        b"a,b\r\n1,2\r\n3,4\r\n",
        b"a,b\r1,2\r3,4",
        b'"a", b \n"1",2\n3,4',
    ],
)
def test_one_table_in_many_dresses(tmp_path: Path, raw: bytes) -> None:
    sheet = read_sheet(write(tmp_path, raw))
    assert sheet.to_dict("list") == {"a": ["1", "3"], "b": ["2", "4"]}
    assert list(sheet.index) == [2, 3]


def test_a_tsv_is_separated_by_tabs(tmp_path: Path) -> None:
    sheet = read_sheet(write(tmp_path, "index\tregion\n1\tIFG, orbital\n", "labels.tsv"))
    assert sheet.loc[2].to_list() == ["1", "IFG, orbital"]


def test_blank_lines_are_skipped_and_counted_as_rows(tmp_path: Path) -> None:
    sheet = read_sheet(write(tmp_path, "\na,b\n\n1,2\n,\n3,4\n"))
    assert list(sheet.index) == [4, 6]


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@FUZZ
@given(rows=st.lists(st.tuples(text, text), max_size=8))
def test_any_text_survives_a_round_trip(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    path = tmp_path / "table.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *rows])
    kept = [row for row in rows if any(value.strip() for value in row)]
    if path.read_bytes().startswith(b"\xef\xbb\xbf"):
        return
    assert read_sheet(path).to_numpy().tolist() == [list(row) for row in kept]


@FUZZ
@given(raw=st.binary(max_size=200))
def test_any_bytes_are_a_table_or_an_error(tmp_path: Path, raw: bytes) -> None:
    path = write(tmp_path, raw)
    columns, message = [], ""
    try:
        columns = list(read_sheet(path).columns)
    except InputError as error:
        message = str(error)
    assert str(path) in message or columns
    assert len(set(columns)) == len(columns)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "is empty"),
        (b"a,b\n1,caf\xe9\n", "row 2: not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "row 1: not UTF-8"),
        (b"a,b\n1,\0\n", "row 2: holds a zero byte"),
        (b"a,b\n1,2\n3\n", "row 3: 1 values where the header has 2"),
        (b"a,b\n1,2\n3,4,5\n", "row 3: 3 values where the header has 2"),
        (b"a,b\n1,2,3\n4,5,6\n", "row 2: 3 values where the header has 2"),
        (b"a,a\n1,2\n", "two columns called 'a'"),
        (b"a;b\n1;2\n", "not separated by commas"),
        (b'a,b\n1,"2\n', "row 2: not a readable row"),
        (b'a,b\n1,"2"3\n', "row 2: not a readable row"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, raw: bytes, words: str) -> None:
    path = write(tmp_path, raw)
    with pytest.raises(InputError) as caught:
        read_sheet(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv cannot be read: No such file"):
        read_sheet(tmp_path / "nowhere.csv")


def test_columns_get_our_names(tmp_path: Path) -> None:
    path = write(tmp_path, "roi,x\nIFG,1\n")
    assert list(read_sheet(path, {"region": "roi", "response": "absent"})) == ["region", "x"]


def test_a_name_that_the_file_uses_otherwise_is_a_clash(tmp_path: Path) -> None:
    path = write(tmp_path, "roi,region\nIFG,left\n")
    with pytest.raises(InputError, match="has a column 'region' of its own"):
        read_sheet(path, {"region": "roi"})


def test_rows_can_be_chosen(tmp_path: Path) -> None:
    path = write(tmp_path, "cond,x\nB,1\nD,2\nS,3\nB,4\n")
    assert list(read_sheet(path, where={"cond": "B"})["x"]) == ["1", "4"]
    assert list(read_sheet(path, where={"cond": ["D", "S"]}).index) == [3, 4]
    with pytest.raises(InputError, match=r"no row has cond = X. It has B, D, S"):
        read_sheet(path, where={"cond": "X"})
    with pytest.raises(InputError, match=r"no column 'kond'. Did you mean 'cond'"):
        read_sheet(path, where={"kond": "B"})


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_the_nearest_float(value: float) -> None:
    sheet = pd.DataFrame({"x": [repr(value), f" {value!r} "]}, dtype="str")
    assert (numbers(sheet, Path("f"), "x").to_numpy() == value).all()


@pytest.mark.parametrize("text", ["", "NA", "NaN", "n/a", "null", " "])
def test_missing_numbers(text: str) -> None:
    assert np.isnan(numbers(pd.DataFrame({"x": [text]}, dtype="str"), Path("f"), "x").iloc[0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,5", "Write decimals with a point"),
        ("1_000", "not a number"),
        ("1,234.5", "not a number"),
        ("1e999", "too large"),
        ("inf", "not a number"),
        ("=1+1", "not a number"),
        ("0x1F", "not a number"),
        ("١", "not a number"),
        ("−1", "not a number"),
    ],
)
def test_what_is_no_number_is_refused(text: str, words: str) -> None:
    sheet = pd.DataFrame({"x": ["1", text]}, index=[2, 3], dtype="str")
    with pytest.raises(InputError, match=r"f, row 3: x is .*" + words):
        numbers(sheet, Path("f"), "x")


def test_labels_lose_spaces_and_must_not_be_empty() -> None:
    sheet = pd.DataFrame({"x": [" a", "b "], "y": ["a", " "]}, index=[2, 3], dtype="str")
    assert list(labels(sheet, Path("f"), "x")) == ["a", "b"]
    with pytest.raises(InputError, match="f, row 3: y is empty"):
        labels(sheet, Path("f"), "y")


def test_a_column_that_is_not_there() -> None:
    sheet = pd.DataFrame({"item": ["1"]})
    with pytest.raises(
        InputError, match=r"no column 'item_id'. Did you mean 'item'.*item_id: <your"
    ):
        require_columns(sheet.columns, Path("f"), ["item_id"])
