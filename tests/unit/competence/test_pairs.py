"""Minimal pairs: what is read from the files, what comes of two sums, what is refused."""

import json

import numpy as np
import pandas as pd
import pytest

from geomod.base.errors import InputError
from geomod.competence.pairs import Pairs, better
from geomod.competence.source import Source
from geomod.competence.task_set import draw
from tests.unit.competence.spans import spans_of

HEADER = "item_id,task,family,good,bad"
ROWS = [
    "1,agreement,formal,The dogs bark.,The dogs barks.",
    "2,agreement,formal,A dog barks.,A dog bark.",
    "1,topic,functional,He drinks water.,He drinks stone.",
]


@pytest.fixture
def pairs(tmp_path):
    def make(rows=ROWS, header=HEADER, name="pairs.csv", **more):
        text = rows if isinstance(rows, str) else "\n".join([header, *rows])
        (tmp_path / name).write_text(text)
        return Pairs(Source("mine", "pairs", [str(tmp_path / name)], **more))

    return make


def test_a_table_of_ones_own(pairs):
    texts = pairs().texts()
    assert [text.text for text in texts[:2]] == ["The dogs bark.", "The dogs barks."]
    assert [(text.spans[0].task, text.spans[0].part) for text in texts[4:]] == [
        ("topic", "good"),
        ("topic", "bad"),
    ]
    assert all(text.spans[0][3:] == (0, len(text.text)) for text in texts)


def test_task_and_family_may_be_left_to_the_entry(pairs):
    found = pairs(["1,a b,c d"], "item_id,good,bad").pairs[0]
    assert (found.task, found.family) == ("mine", "formal")
    named = pairs(["1,a b,c d"], "nr,good,bad", columns={"item_id": "nr"}, family="functional")
    assert named.pairs[0].family == "functional"


def blimp(uid="passive_1", pair="0", good="It ran.", bad="It run."):
    return {
        "sentence_good": good, "sentence_bad": bad, "field": "syntax", "UID": uid, "pairID": pair,
        "linguistics_term": "argument_structure", "simple_LM_method": True,
        "one_prefix_method": False, "two_prefix_method": False, "lexically_identical": False,
    }  # fmt: skip


def test_blimps_files_as_published(pairs, tmp_path):
    lines = [json.dumps(blimp(pair=str(k), good=f"It ran {k}.")) for k in range(3)]
    (tmp_path / "b.jsonl").write_text("\n".join(lines) + "\n\n")
    pairs("\n".join(json.dumps(blimp("npi", str(k))) for k in range(2)), name="a.jsonl")
    found = Pairs(Source("blimp", "pairs", [str(tmp_path / "*.jsonl")]))
    assert [(pair.task, pair.item_id) for pair in found.pairs] == [
        ("npi", "0"), ("npi", "1"), ("passive_1", "0"), ("passive_1", "1"), ("passive_1", "2"),
    ]  # fmt: skip
    assert {pair.family for pair in found.pairs} == {"formal"}


def test_scores_from_sums(pairs):
    found = pairs()
    spans = spans_of(found, [-5.0, -6.0, -7.0, -7.0, -9.0, -8.5], tokens=[4, 5, 4, 4, 3, 2])
    items = found.items(spans)
    assert items["score"].tolist() == [1.0, 0.5, 0.0]
    assert items["uniform"].tolist() == [1.0, 0.5, 0.0]
    assert items["log_p_good"].tolist() == [-5.0, -7.0, -9.0]
    assert items["tokens_bad"].tolist() == [5, 4, 2]
    tasks = found.tasks(items).set_index("task")
    assert tasks.loc["agreement", ["score", "uniform", "chance", "ceiling"]].tolist() == [
        0.75, 0.75, 0.5, 1.0,
    ]  # fmt: skip
    assert tasks.loc["agreement", "se"] == pytest.approx(np.std([1, 0.5], ddof=1) / np.sqrt(2))
    assert tasks["n"].tolist() == [2, 1]
    assert np.isnan(tasks.loc["topic", "se"])


def test_the_order_of_the_spans_is_of_no_account(pairs):
    found = pairs()
    spans = spans_of(found, np.arange(6) - 9.0)
    expected = found.items(spans)
    pd.testing.assert_frame_equal(found.items(spans.iloc[::-1]), expected)


def test_identical_pairs_are_left_out_and_counted(pairs):
    found = pairs([*ROWS, "3,agreement,formal,It runs.,It  runs. ", "4,agreement,formal,A b.,A b."])
    assert len(found.pairs) == 4  # two spaces make another sentence
    assert found.left_out == {"agreement": 1}
    tasks = found.tasks(found.items(spans_of(found, np.zeros(8)))).set_index("task")
    assert tasks["left_out"].to_dict() == {"agreement": 1, "topic": 0}
    with pytest.raises(InputError, match="no pair of two different sentences is left"):
        pairs(["1,t,formal,A b.,A b."])


def test_the_ceiling_is_the_entrys(pairs):
    found = pairs(ceiling=0.886)
    assert found.tasks(found.items(spans_of(found, np.zeros(6))))["ceiling"].eq(0.886).all()


class TestDraws:
    tasks = ["a"] * 40 + ["b"] * 5 + ["a"] * 20

    def test_each_task_gives_as_many_in_order(self):
        kept = draw(self.tasks, 10, seed=0)
        assert kept == sorted(kept)
        assert [self.tasks[k] for k in kept].count("a") == 10
        assert [self.tasks[k] for k in kept].count("b") == 5

    def test_fewer_are_some_of_more(self):
        assert set(draw(self.tasks, 7, seed=3)) < set(draw(self.tasks, 20, seed=3))

    def test_a_task_does_not_depend_on_the_others(self):
        alone = draw(self.tasks[:40], 10, seed=1)
        beside = draw(["b"] * 5 + self.tasks[:40], 10, seed=1)
        assert alone == [k - 5 for k in beside if k >= 5]

    def test_another_seed_draws_others(self):
        assert draw(self.tasks, 10, seed=0) != draw(self.tasks, 10, seed=1)
        assert draw(self.tasks, 0, seed=0) == list(range(65))


def test_per_task_keeps_the_same_pairs_every_time(pairs):
    rows = [f"{k},t{k % 2},formal,good {k},bad {k}" for k in range(40)]
    first, second = (pairs(rows, per_task=6, seed=5).texts() for _ in range(2))
    assert first == second
    assert len(first) == 2 * 2 * 6


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("4,agreement,formal,,A b.", r"pairs.csv, row 5: good is empty"),
        ("4,agreement,formal,A b.", r"row 5: 4 values where the header has 5"),
        ("4,agreement,formel,A b.,A c.", r"row 5: there is no family 'formel'.*mean 'formal'"),
        ("1,topic,formal,A b.,A c.", r"row 5: item '1' of task 'topic' is in .*row 4 already"),
    ],
)
def test_a_row_that_cannot_be_is_named(pairs, row, message):
    with pytest.raises(InputError, match=message):
        pairs([*ROWS, row])


def test_a_family_of_ones_own_is_declared(pairs):
    rows = ["1,t,pragmatic,A b.,A c."]
    with pytest.raises(InputError, match=r"`families: \[pragmatic\]` in `competence.mine`"):
        pairs(rows)
    assert pairs(rows, families=["pragmatic"]).pairs[0].family == "pragmatic"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"sentence_good": "It ran.", ', r"b.jsonl, line 3: this is no JSON"),
        ("[1, 2]", r"b.jsonl, line 3: expected keys and values"),
        (json.dumps(blimp(good="")), r"b.jsonl, line 3: sentence_good is empty"),
        (
            json.dumps({"sentence_good": "a b", "pairID": 1, "UID": "x"}),
            r"line 3: no key 'sentence_bad'",
        ),
        (json.dumps({"godo": "a b", "bad": "c"}), r"line 3: no key 'item_id'"),
        (json.dumps(blimp(pair="1")), r"line 3: item '1' of task 'passive_1' is in .*line 2"),
    ],
)
def test_a_line_that_cannot_be_is_named(pairs, line, message):
    lines = [json.dumps(blimp(pair="0")), json.dumps(blimp(pair="1"))]
    with pytest.raises(InputError, match=message):
        pairs("\n".join([*lines, line]), name="b.jsonl")


def test_files_that_are_not_there(pairs, tmp_path):
    with pytest.raises(InputError, match=r"no file is called like .*nothing\*.jsonl"):
        Pairs(Source("mine", "pairs", [str(tmp_path / "nothing*.jsonl")]))
    with pytest.raises(InputError, match="cannot be read"):
        Pairs(Source("mine", "pairs", [str(tmp_path / "nothing.csv")]))
    with pytest.raises(InputError, match="is empty"):
        pairs("", name="b.jsonl")


def test_a_number_that_is_none_is_an_error(pairs):
    found = pairs()
    for value in (np.nan, np.inf):
        spans = spans_of(found, [-1, -2, -3, value, -5, -6])
        with pytest.raises(InputError, match="m, step 7: ln p of item '2' of task 'agreement'"):
            found.items(spans)


def test_half_a_point_for_a_tie():
    assert better(np.array([1.0, 2, 3]), np.array([2.0, 2, 2])).tolist() == [0, 0.5, 1]
