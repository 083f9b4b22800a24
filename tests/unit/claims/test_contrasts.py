"""Other groups of regions are judged as claim 3 is."""

import numpy as np
import pandas as pd
import pytest

from geomod.base.tables import columns_of
from geomod.claims.claim import Evidence, Truth
from geomod.claims.contrasts import contrasts
from geomod.claims.temporal_first import TEMPORAL_FIRST
from geomod.scrutiny.synthetic import simulate
from tests.unit.claims.test_judge import DESIGN, SETTINGS

TEMPORAL, FRONTAL = ("AntTemp", "PostTemp"), ("IFG", "IFGorb")


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    truth = Truth(separation=1.0, lead=0.8)
    return Evidence(simulate(DESIGN, truth, np.random.default_rng(0)), SETTINGS)


@pytest.fixture(scope="module")
def table(evidence: Evidence) -> pd.DataFrame:
    asked = {
        "claim 3": (TEMPORAL, FRONTAL),
        "turned": (FRONTAL, TEMPORAL),
        "within": (["IFG"], ["IFGorb"]),
        "unmeasured": (["V1"], ["IFG"]),
    }
    found = contrasts(evidence, asked)
    assert {"dataset", *found.columns} == set(columns_of("contrasts"))
    return found.set_index("contrast")


def test_the_regions_of_claim_3_give_its_own_numbers(
    evidence: Evidence, table: pd.DataFrame
) -> None:
    estimate = TEMPORAL_FIRST.find(evidence).estimate
    row = table.loc["claim 3"]
    found = (row["estimate"], row["low"], row["high"], row["p"])
    assert found == (estimate.value, estimate.low, estimate.high, estimate.p)
    assert (row["verdict"], row["models"], row["first"]) == ("supported", 3, "AntTemp, PostTemp")


def test_turned_round_a_contrast_changes_its_sign_and_its_verdict(table: pd.DataFrame) -> None:
    assert table.loc["turned", "estimate"] == pytest.approx(-table.loc["claim 3", "estimate"])
    assert table.loc["turned", "verdict"] == "not supported"
    assert abs(table.loc["within", "estimate"]) < abs(table.loc["claim 3", "estimate"]) / 2
    assert table.loc["within", "verdict"] != "supported"


def test_regions_without_scores_leave_a_contrast_undecided_and_say_so(table: pd.DataFrame) -> None:
    row = table.loc["unmeasured"]
    assert (row["verdict"], row["models"]) == ("undecided", 0)
    assert row["why"] == "no model has an onset on both sides among V1, IFG"
    assert np.isnan(row["estimate"])


def test_q_is_over_the_contrasts(table: pd.DataFrame) -> None:
    known = table["p"].dropna()
    assert len(known) == 3
    np.testing.assert_allclose(table["q"].min(), (3 * np.sort(known) / [1, 2, 3]).min())
