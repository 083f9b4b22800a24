"""A reader of the user's is one function in a file, and its table is checked as any other."""

from pathlib import Path

import pandas as pd
import pytest

from geomod.base.errors import InputError
from geomod.brain.dataset import Dataset
from geomod.brain.inputs import formats, reader_file, response_files
from geomod.brain.responses import read_responses

ITEMS = [f"s{number:02d}" for number in range(30)]
STIMULI = pd.DataFrame({"item_id": ITEMS, "sentence": ITEMS})

READER = """
import json
import pandas as pd
from geomod.brain import reader

@reader
def read(files, item_ids):
    rows = [row for file in files for row in json.loads(file.read_text())]
    return {what}
"""


def lab(folder: Path, what: str = "pd.DataFrame(rows)", **change: object) -> Dataset:
    rows = [
        {"item_id": item, "region": region, "participant": person, "response": place * 0.1}
        for person in ("01", "02")
        for region in ("IFG", "MFG", "elsewhere")
        for place, item in enumerate(ITEMS)
    ]
    rows[0] |= change
    pd.DataFrame(rows).to_json(folder / "all.json", orient="records")
    (folder / "mine.py").write_text(READER.format(what=what))
    values = {"plugin": str(folder / "mine.py"), "files": [str(folder / "all.json")]}
    return Dataset.of({"name": "own", "regions": ["IFG", "MFG"], "reader": values})


def test_an_own_reader_is_read_and_averaged_as_all_others(tmp_path: Path) -> None:
    dataset = lab(tmp_path)
    table = read_responses(dataset, STIMULI).table
    assert set(table["region"]) == {"IFG", "MFG"}
    assert set(table["participant"]) == {"average", "01", "02"}
    assert len(table) == 30 * 2 * 3
    assert response_files(dataset) == [str(tmp_path / "mine.py"), str(tmp_path / "all.json")]


def test_without_participants_the_responses_are_the_average(tmp_path: Path) -> None:
    what = 'pd.DataFrame(rows).query("participant == \'01\'").drop(columns="participant")'
    table = read_responses(lab(tmp_path, what), STIMULI).table
    assert set(table["participant"]) == {"average"}


def test_a_layout_that_is_built_in_goes_by_its_name(tmp_path: Path) -> None:
    for person, sign in (("01", 1.0), ("02", -1.0)):
        values = [sign * place for place in range(len(ITEMS))]
        table = pd.DataFrame({"item_id": ITEMS, "IFG": values, "MFG": values, "elsewhere": 0})
        table.loc[len(table)] = ["not a sentence", 1.0, 1.0, 1.0]
        table.to_csv(tmp_path / f"{person}.csv", index=False)
    files = [str(tmp_path / f"{person}.csv") for person in ("01", "02")]
    told = {"plugin": reader_file("table_each"), "files": files}
    dataset = Dataset.of({"name": "own", "regions": ["IFG", "MFG"], "reader": told})
    table = read_responses(dataset, STIMULI).table.set_index(["region", "participant", "item_id"])
    assert table.loc[("MFG", "02", "s03"), "response"] == -3
    assert table.loc[("IFG", "average", "s03"), "response"] == 0
    assert len(table) == 30 * 2 * 3
    assert Path(response_files(dataset)[0]).name == "table_each.py"
    assert (reader_file("mine.py"), formats()) == ("mine.py", ["table_each"])


@pytest.mark.parametrize(
    ("what", "change", "words"),
    [
        ("rows", {}, "gave a list, not a table"),
        ('pd.DataFrame(rows).drop(columns="region")', {}, "no column region"),
        ("pd.DataFrame(rows)", {"item_id": "s99"}, r"row 0 .* 's99' is not among"),
        ("pd.DataFrame(rows)", {"item_id": "s01"}, "more than one response of s01, IFG, 01"),
        ("pd.DataFrame(rows)", {"response": "high"}, "must hold numbers"),
        ('pd.DataFrame(rows).replace("IFG", "ifg")', {}, "no region 'IFG'"),
    ],
)
def test_what_is_wrong_in_its_table_is_told(
    tmp_path: Path, what: str, change: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        read_responses(lab(tmp_path, what, **change), STIMULI)


def test_a_file_without_a_reader_is_told(tmp_path: Path) -> None:
    dataset = lab(tmp_path)
    (tmp_path / "mine.py").write_text("x = 1\n")
    with pytest.raises(InputError, match="no function stands under `@reader`"):
        read_responses(dataset, STIMULI)
