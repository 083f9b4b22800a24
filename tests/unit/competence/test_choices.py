"""Multiple choice: published formats, ties, lengths, and a right choice that is not there."""

import json

import numpy as np
import pytest

from geomod.base.errors import InputError
from geomod.competence.choices import Choices, highest
from geomod.competence.source import Source
from tests.unit.competence.spans import spans_of

HEADER = "item_id,task,family,context,choice,correct"


@pytest.fixture
def choices(tmp_path):
    def make(text, name="choices.csv", **more):
        if not isinstance(text, str):
            text = "\n".join([HEADER, *text])
        (tmp_path / name).write_text(text)
        return Choices(Source("mine", "choices", [str(tmp_path / name)], **more))

    return make


def rows(item, correct, choices=("ice", "steam", "rain")):
    return [
        f"{item},t,functional,Hot water is,{c},{k}" for c, k in zip(choices, correct, strict=True)
    ]


@pytest.mark.parametrize("correct", ["010", "111", ("false", "TRUE", "false"), ("1", "1", "1")])
def test_the_right_choice_by_its_mark_or_by_its_place(choices, correct):
    found = choices(rows(1, correct)).choices[0]
    assert found.choices == ("ice", "steam", "rain")
    assert found.correct == 1


def test_a_choice_is_scored_from_the_space_before_it(choices):
    texts = choices(rows(1, "010")).texts()
    assert [text.text for text in texts][:2] == ["Hot water is ice", "Hot water is steam"]
    assert texts[1].text[slice(*texts[1].spans[0][3:])] == " steam"
    alone = choices(["1,t,functional, ,ice,1", "1,t,functional,,steam,0"]).texts()
    assert [text.text for text in alone] == ["ice", "steam"]
    assert alone[0].spans[0][3:] == (0, 3)


def test_scores_from_sums(choices):
    found = choices([*rows(1, "010"), *rows(2, "100"), *rows(3, "01", ("a", "bb"))])
    log_p = [-3.0, -4.0, -9.0, -2.0, -2.0, -5.0, -1.5, -2.0]
    items = found.items(spans_of(found, log_p, tokens=[1, 1, 2, 2, 3, 4, 1, 1]))
    assert items["score"].tolist() == [0.0, 0.5, 0.0]
    # A character: -1, -.8, -2.25 · -.67, -.4, -1.25 · -1.5, -1.
    assert items["alternative"].tolist() == [1.0, 0.0, 1.0]
    assert items["uniform"].tolist() == [0.5, 1.0, 0.5]
    assert items["log_p_good"].tolist() == [-4.0, -2.0, -2.0]
    assert items["log_p_bad"].tolist() == [-3.0, -2.0, -1.5]
    np.testing.assert_allclose(items["chance"], [1 / 3, 1 / 3, 1 / 2])
    task = found.tasks(items).iloc[0]
    assert task["chance"] == pytest.approx(7 / 18)
    assert (task["score"], task["alternative"]) == (pytest.approx(1 / 6), pytest.approx(2 / 3))


def test_a_tie_counts_one_in_all_that_tie():
    values = np.array([[1.0, 1, 1], [1, 1, 0], [0, 1, 1], [2, 0, np.nan]])
    assert highest(values, np.zeros(4, dtype=int)).tolist() == [1 / 3, 1 / 2, 0, 1]


PUBLISHED = {
    "own": {"item_id": "x", "context": "Hot water is", "choices": ["ice", "steam"], "correct": 1},
    "arc": {
        "id": "x",
        "question": {
            "stem": "What boils?",
            "choices": [{"text": "ice", "label": "A"}, {"text": "water", "label": "B"}],
        },
        "answerKey": "B",
    },
    "arc on the hub": {
        "id": "x",
        "question": "What boils?",
        "choices": {"text": ["ice", "water"], "label": ["1", "2"]},
        "answerKey": "2",
    },
    "piqa": {"id": "x", "goal": "Boil water", "sol1": "Cool it.", "sol2": "Heat it.", "label": 1},
    "siqa": {
        "id": "x", "context": "Ann fell.", "question": "How is she?", "answerA": "glad",
        "answerB": "hurt", "answerC": "tall", "correct": "B",
    },
    "siqa on the hub": {
        "id": "x", "context": "Ann fell.", "question": "How is she?", "answerA": "glad",
        "answerB": "hurt", "answerC": "tall", "label": "2",
    },
    "hellaswag": {"ind": 3, "ctx": "A man sits", "endings": ["up.", "down."], "label": "1"},
}  # fmt: skip


@pytest.mark.parametrize("form", PUBLISHED)
def test_files_as_published(choices, form):
    found = choices(json.dumps(PUBLISHED[form]), "test.jsonl")
    item = found.choices[0]
    assert item.correct == 1
    assert (item.task, item.family) == ("mine", "functional")
    assert item.item_id == str(PUBLISHED[form].get("ind", "x"))
    context = {
        "arc": "Question: What boils?\nAnswer:",
        "piqa": "Question: Boil water\nAnswer:",
        "siqa": "Q: Ann fell. How is she?\nA:",
        "hell": "A man sits",
        "own": "Hot water is",
    }
    assert item.context == context[form[:4].strip()]
    assert f"{item.context} {item.choices[1]}" == found.texts()[1].text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (rows(1, "333"), r"choices.csv, row 2: correct is 3, but there are 3 choices: 0 to 2"),
        (rows(1, "110"), r"row 2: of this item's 3 choices 2 are marked"),
        (rows(1, "020"), r"row 2: of this item's 3 choices 0 are marked"),
        ([*rows(1, "010"), *rows(2, "000")], r"row 5: of this item's 3 choices 0 are marked"),
        ([*rows(1, "010"), *rows(2, "111")], r"row 5: of this item's 3 choices 3 are marked"),
        (rows(1, ["0", "B", "0"]), r"row 3: correct is 'B'"),
        (rows(1, ["-1"] * 3), r"row 2: correct is '-1'"),
        (rows(1, "1", ["ice"]), r"row 2: 1 choice, and there must be two"),
        (
            ["1,t,functional,A b,c,1", "1,t,functional,A c,d,0"],
            r"row 3: item '1' of task 't' has another context than in row 2",
        ),
        (rows(1, "010", ("ice", "", "rain")), r"row 3: choice is empty"),
    ],
)
def test_a_row_that_cannot_be_is_named(choices, text, message):
    with pytest.raises(InputError, match=message):
        choices(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"correct": 2}, r"test.jsonl, line 2: correct is 2, but there are 2 choices: 0 to 1"),
        ({"correct": "B"}, r"line 2: correct is 'B'"),
        ({"choices": "ice"}, r"line 2: choices is 'ice', not a list"),
        ({"choices": ["ice"]}, r"line 2: 1 choice"),
        ({"item_id": "x"}, r"line 2: item 'x' of task 'mine' is in .*line 1 already"),
        ({"family": "knowledge"}, r"line 2: there is no family 'knowledge'"),
    ],
)
def test_a_line_that_cannot_be_is_named(choices, change, message):
    lines = [PUBLISHED["own"], {**PUBLISHED["own"], "item_id": "y", **change}]
    with pytest.raises(InputError, match=message):
        choices("\n".join(map(json.dumps, lines)), "test.jsonl")


def test_a_key_of_an_answer_that_is_no_choice(choices):
    with pytest.raises(InputError, match=r"line 1: answerKey is 'E', but the choices are A, B"):
        choices(json.dumps({**PUBLISHED["arc"], "answerKey": "E"}), "test.jsonl")
    with pytest.raises(InputError, match=r"line 1: correct is -1, but there are 3 choices"):
        choices(json.dumps({**PUBLISHED["siqa"], "correct": "D"}), "test.jsonl")
    with pytest.raises(InputError, match=r"line 1: this is no item of multiple choice.*prompt"):
        choices(json.dumps({"prompt": "a"}), "test.jsonl")
