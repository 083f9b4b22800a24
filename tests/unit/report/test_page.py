"""The report says what the claims say, and cannot be broken by what it is given."""

import base64
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from geomod.claims.registry import CLAIMS
from geomod.report.findings import POOLED, TOLD
from geomod.report.gallery import GALLERY
from geomod.report.page import Part, by_stage, render
from geomod.report.templates import number, three_decimals
from geomod.report.words import duration
from tests.unit.report.test_figures import made_up

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
    "provenance": {"stages": {"encoding": ["abc123"]}},
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
CHECKPOINTS = pd.DataFrame(
    {"model": ["toy-s"], "step": [1], "commit": ["c0ffee"], "sha256": ["f00"]}
)
SVG = '<?xml version="1.0"?><svg id="drawn" width="7pt"></svg>'
PART: dict[str, Any] = {
    "notes": ["sentence <script>alert(1)</script>"],
    "figures": dict.fromkeys(GALLERY, SVG),
    "lacking": {},
    "recovery": RECOVERY,
}
CONFIG = {
    "run": "demo",
    "seed": 7,
    "device": "auto",
    "encoding": {"folds": 5},
    "suites": {"toy": {"sizes": ["xs"], "steps": [0, 1]}},
}


def page(root: Path, part: dict[str, Any] | None = None, **changes: Any) -> str:
    given: dict[str, Any] = {
        "config": CONFIG,
        "claims": [CLAIM],
        "notes": ["checkpoint <script>alert(2)</script>"],
        "parts": {"made-up": Part(**{**PART, **(part or {})})},
        "tables": made_up(),
        "checkpoints": CHECKPOINTS,
    }
    text = render(root / "workflow/report/report.html.j2", **{**given, **changes})
    return text.partition('<script type="application/json"')[0]  # what people read


def test_an_answer_stands_with_its_numbers_in_plain_words(root: Path) -> None:
    text = page(root)
    parts = (">no<", "0.123", "0.1 … 0.2", "p 0.02", "q 0.025", "Expected: &lt; 0", "Because &lt;b")
    for part in (*parts, TOLD["modularization"].question):
        assert part in text


def test_what_the_same_test_found_of_known_answers_stands_beside_its_claim(root: Path) -> None:
    line = "On your features this test finds a planted effect of 0.1 (smooth) in 17 of 20 draws."
    said = page(root, {"controls": {str(CLAIM["claim"]): line}})
    assert f"<p>{line}</p>" in said
    assert "On your features" not in page(root, {"controls": {"99": line}})


def test_every_claim_is_told_in_words_of_its_own(root: Path) -> None:
    assert set(TOLD) == {claim.name for claim in CLAIMS}
    text = page(root, claims=[{**CLAIM, "name": "my own", "statement": "Cats purr."}])
    assert "<h4>Cats purr.</h4>" in text


def test_what_the_run_took_stands_stage_by_stage_and_in_all(root: Path) -> None:
    jobs = [("encoding", "a", 61.0, 812.0), ("encoding", "b", 3.0, float("nan"))]
    jobs += [("report", "all", 3600.0, float("nan"))]
    took = pd.DataFrame(jobs, columns=["stage", "job", "seconds", "peak_mb"]).assign(cpu=1.0)
    stages = by_stage(took).set_index("stage")
    assert stages.loc["encoding"].to_list() == [2, 64.0, 61.0, 812.0]
    assert stages.loc["all"].to_list() == [3, 3664.0, 3600.0, 812.0]
    text = page(root, took=took)
    assert "3 jobs, 1 h 1 min one after another, 812 MB at most" in text
    assert "What it took" not in page(root, took=took.iloc[:0])
    assert "What it took" not in page(root)


def test_the_device_is_the_one_that_computed_not_the_one_that_was_asked_for(root: Path) -> None:
    def computed(**devices: list[str]) -> dict[str, Any]:
        return {**CLAIM, "provenance": {"devices": devices}}

    assert "<dt>device</dt><dd>auto</dd>" in page(root)  # of files that do not say
    both = computed(activations=["cpu"], encoding=["cpu"])
    assert "<dt>device</dt><dd>cpu</dd>" in page(root, claims=[CLAIM, both])
    mixed = computed(activations=["H100", "cpu"], encoding=["cpu"])
    said = "<dt>device</dt><dd>forward passes: H100, cpu; encoding models: cpu</dd>"
    assert said in page(root, claims=[both, mixed])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.6, "1 min"), (200, "3 min 20 s"), (18420, "5 h 7 min"), (float("nan"), "–")],
)
def test_a_duration_is_told_in_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_figures_that_are_left_out_stand_together_below_the_others(root: Path) -> None:
    text = page(root, {"lacking": {"lens": "Left out: it needs a lens.", "sets": "Left out."}})
    assert "2 figures that this run has no data for" in text
    assert text.index("it needs a lens") > text.index('id="planted"')
    assert 'id="lens"' not in text
    assert "has no data for" not in page(root)


def test_a_claim_that_data_cannot_carry_says_what_it_would_need(root: Path) -> None:
    nothing = {**CLAIM, "estimate": None, "interval": None, "p": None, "why": "it needs 3 sizes"}
    text = page(root, claims=[nothing])
    assert "What these data cannot answer" in text
    assert "It needs 3 sizes." in text
    assert 'class="claim"' not in text
    assert "What these data cannot answer" not in page(root)


def test_how_far_a_test_can_be_trusted_stands_with_its_claim(root: Path) -> None:
    own = CALIBRATION.assign(test="a test", level=0.04)
    text = page(root, {"calibration": own})
    assert "in 4.0% of those without one (5% are meant), and finds it in 90%" in text
    text = page(root, {"calibration": own.assign(level=float("nan"))})
    assert "could not be tried" in text


def test_several_datasets_stand_side_by_side_and_pooled(root: Path) -> None:
    names = ("made-up", "other")
    claims = [{**CLAIM, "dataset": name} for name in (*names, "pooled")]
    parts = {name: Part(**PART) for name in names}
    tables = {
        name: pd.concat([table.assign(dataset=d) for d in names])
        for name, table in made_up().items()
    }
    text = page(root, claims=claims, parts=parts, tables=tables)
    assert "Over all datasets" in text
    assert text.count('class="claim"') == 3
    assert text.count(POOLED) == 1
    assert text.count(TOLD["modularization"].test) == 2
    assert text.count("Look at it in the explorer") == 2  # which shows no pooled numbers
    assert '<th scope="col">other</th>' in text
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert "Over all datasets" not in page(root)


def test_the_page_opens_with_the_best_layer_of_each_region(root: Path) -> None:
    tables = made_up()
    text = page(root, tables=tables)
    scores = tables["encoding"].query("participant == 'average' and layer > 0")
    for _, rows in scores.groupby("region"):
        assert f">{three_decimals(rows['score'].max())}<" in text
    assert text.index("The best layer of each region") < text.index("The claims")


def test_what_did_not_come_back_is_said(root: Path) -> None:
    text = page(root, claims=[])
    counts = re.findall(r"<td>(.*?)</td><td class=.n.>(\d of \d)</td><td>(.*?)</td>", text)
    assert counts == [
        ("noise ceiling", "1 of 1", "within a tenth"),
        ("t50", "0 of 1", "in the interval"),
    ]
    assert text.count('class="tag not">no<') == 1
    assert ">20%<" in text


def test_what_nothing_could_judge_is_counted_apart(root: Path) -> None:
    more = RECOVERY.assign(criterion="nothing", agrees=pd.array([None, None], dtype="boolean"))
    recovery = pd.concat([RECOVERY.astype({"agrees": "boolean"}), more])
    text = page(root, {"recovery": recovery}, claims=[])
    assert text.count(">1 not judged<") == 2
    assert text.count(">not judged<") == 2
    assert text.count('class="tag not">no<') == 1


def test_a_test_that_exceeds_its_level_is_marked_wherever_it_appears(root: Path) -> None:
    text = page(root, {"calibration": CALIBRATION})
    assert 'level 0.2 <span class="tag not">exceeds' in text
    assert 'bad one <span class="tag not">exceeds its level' in " ".join(text.split())
    assert "0.21" in text
    assert text.count("exceeds its level") == 2, "as a test in a row and as the head of a column"
    assert "exceeds its level" not in page(root)


def test_a_real_brain_has_no_planted_answers(root: Path) -> None:
    assert "Planted" not in page(root, {"recovery": None})
    assert "Planted" not in page(root, {"recovery": RECOVERY.iloc[:0]})


def test_figures_stand_in_the_page_and_text_is_not_markup(root: Path) -> None:
    text = page(root)
    drawn = base64.b64encode(SVG.encode()).decode()
    assert text.count(f'src="data:image/svg+xml;base64,{drawn}" width="12"') == len(GALLERY)
    assert "<script" not in text
    assert "sentence &lt;script&gt;" in text


def test_a_figure_that_shows_nothing_is_left_out_and_its_sentence_stands_there(root: Path) -> None:
    text = page(root, {"lacking": {"learning": "Left out: <two> steps."}})
    assert text.count("<img ") == len(GALLERY) - 1
    assert GALLERY["learning"].title in text
    assert "Left out: &lt;two&gt; steps." in text
    assert GALLERY["learning"].caption not in text


def test_what_is_seen_stands_before_what_is_shown(root: Path) -> None:
    tables = {name: table.assign(dataset="made-up") for name, table in made_up().items()}
    tables["tokens"]["model"] = tables["tokens"]["model"].replace("toy-s", "<toy>")
    text = page(root, tables=tables)
    assert '<p class="seen">Surprisal over training, nats a token: &lt;toy&gt; from' in text
    assert f"</p><p>{GALLERY['learning'].caption[:20]}" in text


def test_one_step_is_one_step(root: Path) -> None:
    config = {**CONFIG, "suites": {"toy": {"sizes": ["xs"], "steps": [16]}}}
    assert "1 step)" in page(root, config=config)
    assert "2 steps)" in page(root)


def test_where_numbers_come_from_is_said(root: Path) -> None:
    text = page(root)
    for part in ("<dd>7</dd>", "c0ffee", "f00", "abc123", "arXiv 2602.07539", "numpy "):
        assert part in text


def test_the_glossary_defines_what_was_measured_and_nothing_else(root: Path) -> None:
    text = page(root)
    glossary = text[text.index('id="glossary"') :]
    assert "<dt>curvature</dt>" in glossary
    assert "path length" not in glossary


def test_a_page_without_a_score_still_stands(root: Path) -> None:
    tables = {name: table.iloc[:0] for name, table in made_up().items()}
    text = page(root, tables=tables)
    assert "No layer has an encoding score." in text
    assert 'id="explore"' not in text


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
