"""Suites of regions: sentences, chance, and files that do not say what they should."""

import copy
import json

import numpy as np
import pytest

from geomod.base.errors import InputError
from geomod.competence.source import Source
from geomod.competence.syntaxgym import SyntaxGym
from tests.unit.competence.spans import spans_of


def condition(name, *contents):
    regions = [{"region_number": k, "content": c} for k, c in enumerate(contents, start=1)]
    return {"condition_name": name, "regions": regions}


def item(number, comma=","):
    return {
        "item_number": number,
        "conditions": [
            condition("plain", "As she", "shot", "", "the man", "ran"),
            condition("comma", "As she", "shot", comma, "the man", "ran"),
        ],
    }


def make_suite(*formulas, items=3, name="npz"):
    return {
        "meta": {"name": name, "metric": "sum", "comment": "", "author": ""},
        "region_meta": {str(k): "…" for k in range(1, 6)},
        "predictions": [{"type": "formula", "formula": formula} for formula in formulas],
        "items": [item(number) for number in range(1, items + 1)],
    }


@pytest.fixture
def suite(tmp_path):
    def make(values, name="npz.json", **more):
        text = values if isinstance(values, str) else json.dumps(values)
        (tmp_path / name).write_text(text)
        return SyntaxGym(Source("mine", "syntaxgym", [str(tmp_path / "*.json")], **more))

    return make


LATE = "(5;%plain%) > (5;%comma%)"


def test_sentences_are_their_regions_joined_by_one_space(suite):
    texts = suite(make_suite(LATE, items=1)).texts()
    assert [text.text for text in texts] == ["As she shot the man ran", "As she shot , the man ran"]
    spans = texts[1].spans
    assert [texts[1].text[span.start : span.stop] for span in spans] == [
        "As she", " shot", " ,", " the man", " ran",
    ]  # fmt: skip
    assert [span.part for span in texts[0].spans] == ["plain/1", "plain/2", "plain/4", "plain/5"]


def test_an_item_is_right_if_all_predictions_hold(suite):
    both = suite(make_suite(LATE, "(*;%plain%) < (*;%comma%)", items=3))
    # Surprisals of the regions of each item: plain 1 2 4 5, comma 1 2 3 4 5.
    surprisals = [
        *[1, 1, 1, 3, 1, 1, 1, 1, 2.5],  # 3 > 2.5; 6 < 6.5
        *[1, 1, 1, 3, 1, 1, 0, 0, 2.5],  # 3 > 2.5; 6 < 5.5 does not hold
        *[1, 1, 1, 2, 1, 1, 1, 1, 2.5],  # 2 > 2.5 does not hold
    ]
    items = both.items(spans_of(both, -np.array(surprisals, dtype=float), tokens=1))
    assert items["score"].tolist() == [1.0, 0.0, 0.0]
    assert items["uniform"].tolist() == [0.0, 0.0, 0.0]
    task = both.tasks(items).iloc[0]
    assert (task["task"], task["family"], task["n"]) == ("npz", "formal", 3)
    assert task["score"] == pytest.approx(1 / 3)


def test_empty_regions_have_no_surprisal(suite):
    comma = suite(make_suite("(3;%plain%) = 0", "(3;%comma%) > (3;%plain%)", items=1))
    items = comma.items(spans_of(comma, -np.ones(9)))
    assert items["score"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("formulas", "chance"),
    [
        ([LATE], 1 / 2),
        ([LATE, "(4;%plain%) > (4;%comma%)"], 1 / 4),
        ([f"({LATE}) & ((5;%plain%) > (4;%plain%))"], 1 / 3),
        (["(5;%plain%) - (5;%comma%) > (4;%plain%) - (4;%comma%)"], 1 / 2),
        (["(5;%plain%) = (5;%comma%)"], 0),
        (["(3;%comma%) > (3;%plain%)"], 1),  # one of them is empty
    ],
)
def test_chance_is_that_of_surprisals_in_any_order(suite, formulas, chance):
    items = suite(make_suite(*formulas))
    found = items.items(spans_of(items, -np.ones(27)))["chance"]
    np.testing.assert_allclose(found, chance, atol=0.012)  # 3 SE


def test_suites_are_tasks(suite):
    suite(make_suite(LATE, name="first"), "a.json")
    both = suite(make_suite(LATE, items=2, name="second"), "b.json")
    tasks = both.tasks(both.items(spans_of(both, -np.ones(45))))
    assert tasks["task"].tolist() == ["first", "second"]
    assert tasks["n"].tolist() == [3, 2]
    with pytest.raises(
        InputError, match=r"b.json: its suite is called 'first', as that of .*a.json"
    ):
        suite(make_suite(LATE, name="first"), "b.json")


def changed(change):
    values = copy.deepcopy(make_suite(LATE))
    change(values)
    return values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (make_suite("(5;%comm%) > (5;%plain%)"), r"prediction 1 .*'comm'.*Did you mean 'comma'"),
        (make_suite(LATE, "(7;%comma%) > 1"), r"prediction 2 .*region 7 of 'comma'.*1, 2, 3, 4, 5"),
        (make_suite("(5;%comma%) >"), r"npz.json, prediction 1 .*something is missing"),
        (changed(lambda v: v["predictions"][0].update(type="code")), "its type is 'code'"),
        (changed(lambda v: v["items"][1].update(item_number=1)), "item '1' of task 'npz' is in"),
        (
            changed(lambda v: v["items"][1].pop("conditions")),
            r"item 2 .*`conditions` must be a list",
        ),
        (changed(lambda v: v["items"].clear()), "one of them is empty"),
        (changed(lambda v: v["meta"].update(metric="mean")), "its metric is 'mean'"),
        (
            changed(
                lambda v: [r.update(content=" ") for r in v["items"][0]["conditions"][0]["regions"]]
            ),
            "item 1 .*condition 'plain': all of its regions are empty",
        ),
        ('{"meta": ', "is no JSON"),
    ],
)
def test_a_suite_that_cannot_be(suite, values, message):
    with pytest.raises(InputError, match=message):
        suite(values)
