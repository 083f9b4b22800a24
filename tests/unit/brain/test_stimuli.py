"""The table of sentences: read as written, refused with file and row where it is wrong."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.brain.dataset import Dataset
from geomod.brain.stimuli import read_stimuli

HEADER = "item_id,sentence"


def rows(count: int = 20) -> list[str]:
    return [f"s{i},This is sentence {i}." for i in range(count)]


def dataset(folder: Path, lines: list[str], **more: object) -> dict[str, object]:
    path = folder / "sentences.csv"
    path.write_bytes("\n".join(lines).encode() + b"\n")
    return {"sentences": str(path), **more}


def test_sentences_in_the_order_of_the_file(tmp_path: Path) -> None:
    lines = [HEADER, *reversed(rows(25))]
    table = read_stimuli(Dataset.of(dataset(tmp_path, lines)))
    assert list(table["item_id"]) == [f"s{i}" for i in range(24, -1, -1)]
    assert table.loc[0].to_dict() == {
        "item_id": "s24",
        "sentence": "This is sentence 24.",
        "group": "",
        "n_words": 4,
        "n_characters": 20,
        "position": 0,
    }
    assert list(table["position"]) == list(range(25))


def test_position_counts_within_a_group(tmp_path: Path) -> None:
    lines = [HEADER + ",group", *(f"{row},{'ab'[i % 2]}" for i, row in enumerate(rows()))]
    table = read_stimuli(Dataset.of(dataset(tmp_path, lines)))
    assert list(table["group"][:3]) == ["a", "b", "a"]
    assert list(table["position"][:4]) == [0, 0, 1, 1]


def test_columns_by_other_names(tmp_path: Path) -> None:
    lines = ["nr,passage,text", *(f"{i},p,Words {i} here." for i in range(20))]
    table = read_stimuli(
        Dataset.of(
            dataset(
                tmp_path, lines, columns={"item_id": "nr", "sentence": "text", "group": "passage"}
            )
        )
    )
    assert table.loc[3, "sentence"] == "Words 3 here."
    assert table.loc[3, "group"] == "p"


@pytest.mark.parametrize(
    "sentence",
    [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "@SUM(A1)",
        "-2+3",
        "NA",
        "nan",
        "  two spaces  ",
        "日本語 😀",
        "a\tb",
    ],
)
def test_a_sentence_is_data(tmp_path: Path, sentence: str) -> None:
    table = read_stimuli(Dataset.of(dataset(tmp_path, [HEADER, *rows(), f'x,"{sentence}"'])))
    assert table["sentence"].iloc[-1] == sentence


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sentence=st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30
    )
)
def test_any_sentence_comes_back_or_is_refused(tmp_path: Path, sentence: str) -> None:
    quoted = '"' + sentence.replace('"', '""') + '"'
    given_dataset = dataset(tmp_path, [HEADER, *rows(), f"x,{quoted}"])
    if not sentence.strip():
        with pytest.raises(InputError, match="the sentence is empty"):
            read_stimuli(Dataset.of(given_dataset))
    else:
        assert read_stimuli(Dataset.of(given_dataset))["sentence"].iloc[-1] == sentence


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([HEADER, *rows(19)], "19 sentences, and at least 20 are needed"),
        ([HEADER], "0 sentences"),
        ([HEADER, *rows(), "s3,Another."], "row 22: item_id 's3' is in row 5 already"),
        ([HEADER, *rows(), "x, "], "row 22: the sentence is empty"),
        ([HEADER, *rows(), ",Hello there."], "row 22: item_id is empty"),
        (["id,sentence", *rows()], "no column 'item_id'"),
        ([HEADER, *rows(), "x,One, two."], "row 22: 3 values where the header has 2"),
        ([HEADER + ",group", *(f"{row},g" for row in rows()), "x,Hi.,"], "row 22: group is empty"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_row(
    tmp_path: Path, lines: list[str], words: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_stimuli(Dataset.of(dataset(tmp_path, lines)))
    assert words in str(caught.value)
    assert "sentences.csv" in str(caught.value)


def test_not_utf8_is_refused_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "sentences.csv"
    path.write_bytes("\n".join([HEADER, *rows(), "x,Un café."]).encode("latin-1"))
    with pytest.raises(InputError, match=r"sentences\.csv, row 22: not UTF-8"):
        read_stimuli(Dataset.of({"sentences": str(path)}))


def test_responses_in_the_same_file_repeat_a_sentence(tmp_path: Path) -> None:
    lines = [HEADER + ",participant", *(f"{row},{p}" for p in "ab" for row in rows())]
    both = dataset(tmp_path, lines)
    both["responses"] = both["sentences"]
    assert len(read_stimuli(Dataset.of(both))) == 20
    lines[30] = lines[30].replace("sentence", "sentense")
    both = dataset(tmp_path, lines, responses=both["sentences"])
    with pytest.raises(
        InputError, match="row 31: item_id 's9' has another sentence than in row 11"
    ):
        read_stimuli(Dataset.of(both))


def test_what_chooses_responses_need_not_be_a_column_of_the_sentences(tmp_path: Path) -> None:
    where = {"cond": "B"}
    assert len(read_stimuli(Dataset.of(dataset(tmp_path, [HEADER, *rows()], where=where)))) == 20
    lines = [
        HEADER + ",cond",
        *(f"{row},{'B' if i < 21 else 'D'}" for i, row in enumerate(rows(30))),
    ]
    assert len(read_stimuli(Dataset.of(dataset(tmp_path, lines, where=where)))) == 21


# --- Order and spaces ---------------------------------------------------------------------------

PARTS = 12


def in_parts(columns: list[str], rows: list[tuple[object, ...]], path: Path) -> Dataset:
    lines = [",".join(map(str, row)) for row in [columns, *rows]]
    path.write_text("\n".join(lines), encoding="utf-8")
    return Dataset(sentences=str(path), regions=["IFG"])


def parts(rng: np.random.Generator) -> list[tuple[object, ...]]:
    """Two stories of twelve parts, two a sentence, in no order; numbers that text sorts wrongly."""
    rows = [
        (f"{story}{i}", f"{story} says {i} ", story, i // 2 + 5, i % 2)
        for story in "ab"
        for i in range(PARTS)
    ]
    return [rows[i] for i in rng.permutation(len(rows))]


COLUMNS = ["item_id", "sentence", "group", "number", "part"]


def test_columns_put_the_parts_of_a_story_in_order_and_keep_it_together(tmp_path: Path) -> None:
    rows = parts(np.random.default_rng(0))
    dataset = in_parts(COLUMNS, rows, tmp_path / "s.csv")
    stimuli = read_stimuli(replace(dataset, sort_by=["number", "part"], strip=True))
    first, second = dict.fromkeys(row[2] for row in rows)
    assert list(stimuli["item_id"]) == [f"{g}{i}" for g in (first, second) for i in range(PARTS)]
    assert list(stimuli["position"]) == [*range(PARTS)] * 2
    assert stimuli["sentence"][1] == f"{first} says 1"
    as_written = read_stimuli(dataset)
    assert list(as_written["item_id"]) == [row[0] for row in rows]
    assert as_written["sentence"][0].endswith(" ")


def test_an_order_that_is_none_is_refused(tmp_path: Path) -> None:
    rows = parts(np.random.default_rng(0))
    dataset = in_parts(COLUMNS, rows, tmp_path / "s.csv")
    with pytest.raises(InputError, match=r"have the same place by `dataset.sort_by`, number;"):
        read_stimuli(replace(dataset, sort_by=["number"]))
    with pytest.raises(InputError, match=r"has no column 'nmber'\. Did you mean 'number'"):
        read_stimuli(replace(dataset, sort_by=["nmber"]))
    words = [(*row[:4], "first" if row[0] == "a3" else row[4]) for row in rows]
    dataset = in_parts(COLUMNS, words, tmp_path / "s.csv")
    with pytest.raises(InputError, match="'a3' has 'first' as its part, which is no number"):
        read_stimuli(replace(dataset, sort_by=["number", "part"]))
