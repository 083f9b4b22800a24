"""The report says what the claims say, and cannot be broken by what it is given."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from geomod.report.gallery import GALLERY
from geomod.report.page import Part, number, render

CLAIM: dict[str, Any] = {
    "dataset": "made-up",
    "claim": 1,
    "name": "modularization",
    "statement": "Layers form modules.",
    "estimate": 0.1234,
    "unit": "r",
    "interval": [0.1, 0.2],
    "p": 0.02,
    "paper_direction": "negative",
    "q": 0.025,
    "test": "a test",
    "verdict": "not supported",
    "why": "because <b>",
    "planted": None,
    "recovered": None,
    "calibrated_level": 0.2,
    "details": {
        "tests": [{"test": "bad one", "p": 0.01}],
        "by_model": [{"model": "toy-s", "bad one": 0.5}],
        "n": 3,
    },
}
CALIBRATION = pd.DataFrame(
    {
        "claim": [1],
        "test": ["bad one"],
        "null": ["sweep"],
        "level": [0.21],
        "low": [0.1],
        "high": [0.3],
        "power": [0.9],
        "holds": [False],
    }
)
RECOVERY = pd.DataFrame(
    {
        "fact": ["noise ceiling", "t50"],
        "where": ["IFG", "toy-s, IFG"],
        "planted": [0.7, 2.0],
        "recovered": [0.69, 1.0],
        "low": [0.6, 0.9],
        "high": [0.8, 1.1],
        "width": [0.2, 0.1],
        "criterion": ["within a tenth", "in the interval"],
        "agrees": [True, False],
    }
)


def page(root: Path, **changes: Any) -> str:
    given: dict[str, Any] = {
        "config": {
            "run": "demo",
            "suites": {"toy": {"sizes": ["xs"], "steps": [0, 1]}},
        },
        "claims": [CLAIM],
        "notes": ["checkpoint <script>alert(1)</script>"],
        "names": ["made-up"],
    }
    part: dict[str, Any] = {
        "notes": ["sentence <script>alert(2)</script>"],
        "figures": dict.fromkeys(GALLERY, "<?xml?><svg id='drawn'></svg>"),
        "lacking": {},
        "recovery": RECOVERY,
    }
    given |= {key: value for key, value in changes.items() if key in given}
    part |= {key: value for key, value in changes.items() if key not in given}
    parts = {name: Part(**part) for name in given.pop("names")}
    return render(root / "workflow/report/report.html.j2", **given, parts=parts)


def test_a_verdict_stands_with_its_numbers(root: Path) -> None:
    text = page(root)
    parts = ("not supported", "0.123", "0.1 … 0.2", "0.02", "q 0.025", "paper: &lt; 0", "&lt;b&gt;")
    for part in parts:
        assert part in text


def test_what_did_not_come_back_is_said(root: Path) -> None:
    text = page(root)
    counts = re.findall(r"<td>(.*?)</td><td class=.n.>(\d of \d)</td><td>(.*?)</td>", text)
    assert counts == [
        ("noise ceiling", "1 of 1", "within a tenth"),
        ("t50", "0 of 1", "in the interval"),
    ]
    assert text.count('class="tag not">no<') == 1
    assert ">20%<" in text


def test_what_nothing_could_judge_is_counted_apart(root: Path) -> None:
    more = RECOVERY.assign(criterion="nothing", agrees=pd.array([None, None], dtype="boolean"))
    text = page(root, recovery=pd.concat([RECOVERY.astype({"agrees": "boolean"}), more]))
    assert text.count(">1 not judged<") == 2
    assert text.count(">not judged<") == 2
    assert text.count('class="tag not">no<') == 1


def test_a_test_that_exceeds_its_level_is_marked_wherever_it_appears(root: Path) -> None:
    text = page(root, calibration=CALIBRATION)
    assert 'level 0.2 <span class="tag not">exceeds' in text
    assert 'bad one <span class="tag not">exceeds its level' in " ".join(text.split())
    assert "0.21" in text
    assert text.count("exceeds its level") == 2, "as a test in a row and as the head of a column"
    assert "exceeds its level" not in page(root)


def test_a_real_brain_has_no_planted_answers(root: Path) -> None:
    assert "Planted" not in page(root, recovery=None)


def test_figures_stand_in_the_page_and_text_is_not_markup(root: Path) -> None:
    text = page(root)
    assert text.count("<svg id='drawn'>") == len(GALLERY)
    assert "<?xml" not in text
    assert "<script>" not in text


def test_a_figure_that_shows_nothing_is_left_out_and_its_sentence_stands_there(root: Path) -> None:
    text = page(root, lacking={"learning": "Left out: <two> steps."})
    assert text.count("<svg id='drawn'>") == len(GALLERY) - 1
    assert GALLERY["learning"].title in text
    assert "Left out: &lt;two&gt; steps." in text
    assert GALLERY["learning"].caption not in text


def test_one_step_is_one_step(root: Path) -> None:
    config = {
        "run": "one",
        "suites": {"toy": {"sizes": ["xs"], "steps": [16]}},
    }
    assert "1 step)" in page(root, config=config)
    assert "2 steps)" in page(root)


def test_each_dataset_has_claims_and_figures_of_its_own_and_the_pooled_come_first(
    root: Path,
) -> None:
    names = ["made-up", "other", "third"]
    claims = [{**CLAIM, "dataset": name} for name in (*names, "pooled")]
    text = page(root, claims=claims, names=names)
    heads = re.findall(r"<h2 id=.*?>(.*?)</h2>", text)
    assert heads[:2] == ["The claims over datasets", "The claims, made-up"]
    assert heads[2:4] == ["The claims, other", "The claims, third"]
    ids = re.findall(r'<h\d id="(.*?)"', text)
    assert len(ids) == len(set(ids))
    assert text.count("0.1 … 0.2") == 4


def test_a_claim_without_an_interval_has_a_dash(root: Path) -> None:
    text = page(root, claims=[{**CLAIM, "interval": None, "estimate": None, "p": None}])
    assert text.count(">–<") >= 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.123"),
        (-2.0, "−2"),
        (1023.6, "1,024"),
        (-1024, "−1,024"),
        (302208, "302,208"),
        (2e-8, "2e−08"),
        (None, "–"),
        (float("nan"), "–"),
        (True, "True"),
        ("x", "x"),
    ],
)
def test_numbers_are_short(value: Any, text: str) -> None:
    assert number(value) == text
