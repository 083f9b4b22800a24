"""The claims as objects; one more is judged and calibrated like those of the paper."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from geomod.claims import judge
from geomod.claims.claim import Claim, Estimate, Evidence, Finding, Truth
from geomod.claims.registry import CLAIMS
from geomod.curves.curves import Curves
from geomod.curves.settings import Settings
from geomod.scrutiny import calibration
from geomod.scrutiny.synthetic import Design, Frame, Scatter, as_tables, simulate

NOISE = Scatter(smooth=0.2, rough=0.1, noise=0.1, rho=0.3, rho_depth=0.3)
DESIGN = Design((Frame("toy-1", 1e6, (0, 1, 8, 64), 3),), ("netw",), 0, NOISE, NOISE, person=0.1)
SETTINGS = Settings(permutations=19, bootstrap=10, null_draws=9)


def test_numbers_names_and_tests_are_each_claims_own() -> None:
    assert [claim.number for claim in CLAIMS] == list(range(1, len(CLAIMS) + 1))
    for names in (
        [claim.name for claim in CLAIMS],
        [claim.quantity for claim in CLAIMS if claim.quantity],
        [test for claim in CLAIMS for test in (claim.test, *(o.name for o in claim.others))],
    ):
        assert len(set(names)) == len(names)
    assert all(claim.absent != claim.planted for claim in CLAIMS)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_a_claim_reaches_another_process(claim: Claim) -> None:
    assert pickle.loads(pickle.dumps(claim)).name == claim.name


def find_height(evidence: Evidence) -> Finding:
    height = float(np.mean([c.score[-1].mean() for c in evidence.curves]))
    return Finding(Estimate(height, height - 0.1, height + 0.1, 0.001 if height > 1 else 0.8))


def raise_scores(curves: Curves, rng: np.random.Generator) -> Curves:
    return replace(curves, score=curves.score + 5)


HIGH = Claim(
    number=8,
    name="high",
    statement="Scores end above 1.",
    unit="r",
    direction=1,
    test="a look",
    smallest=0.01,
    find=find_height,
    absent=Truth(),
    planted=Truth(more=raise_scores),
    in_brain=lambda truth: truth["high"],
)


def test_one_more_claim_is_judged_and_calibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (judge, calibration):
        monkeypatch.setattr(module, "CLAIMS", (*CLAIMS, HIGH))
    curves = simulate(DESIGN, HIGH.planted, np.random.default_rng(0))
    tables = as_tables(curves)
    nothing = Evidence(curves)
    entries = judge.claims(
        tables["geometry"], tables["encoding"], nothing.modules, nothing.emergence,
        settings=SETTINGS, planted={8: True},
    )  # fmt: skip
    assert [entry["claim"] for entry in entries] == [1, 2, 3, 4, 5, 8]
    assert (entries[5]["verdict"], entries[5]["recovered"]) == ("supported", True)
    table = calibration.calibrate(DESIGN, settings=SETTINGS, draws=2)
    table = table[table["null"] == "sweep"].set_index("test")
    found = table.loc["a look"]
    assert (found["claim"], found["level"], found["power"]) == (8, 0, 1)
    assert pd.isna(table.loc["t on the size trend", "level"])


def test_a_simulated_brain_says_which_claims_are_true(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = {
        "high": False,
        "early_share": {"a": 0.9, "b": 0.2},
        "first": ["a"],
        "later": ["b"],
    }
    assert judge.planted_claims(truth) == {3: True}
    monkeypatch.setattr(judge, "CLAIMS", (*CLAIMS, HIGH))
    assert judge.planted_claims(truth | {"first": ["b"], "later": ["a"]}) == {3: False, 8: False}
