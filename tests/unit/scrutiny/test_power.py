"""What a grid could find, before there are data."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from geomod.claims.registry import CLAIMS
from geomod.scrutiny.power import (
    COLUMNS,
    UNITS,
    as_sentences,
    assumed_design,
    effect_of,
    power,
    scaled,
)
from geomod.scrutiny.synthetic import Frame, simulate

TOY = (0, *(2**k for k in range(12)))
REGIONS = ("AntTemp", "IFG", "IFGorb", "PostTemp", "netw")
FRAMES = tuple(Frame(f"toy-{i}", 10.0 ** (5 + i), TOY, 12) for i in range(2))


def test_an_assumed_ceiling_sets_scores_and_their_noise() -> None:
    design = assumed_design(FRAMES, REGIONS, participants=4, sentences=400, ceiling=0.5)
    assert design.plateau == pytest.approx(0.25)
    assert design.person * design.plateau == pytest.approx(1 / 20)  # of r over 400 sentences
    curves = simulate(design, CLAIMS[1].absent, np.random.default_rng(0))
    assert np.median(curves[0].score[-1]) == pytest.approx(0.25, rel=0.6)


def test_every_claim_has_an_effect_with_a_unit() -> None:
    assert [effect_of(claim) for claim in CLAIMS] == list(UNITS)
    for claim in CLAIMS:
        assert scaled(claim, 0) == claim.absent
        assert scaled(claim, 1) == claim.planted
    assert scaled(CLAIMS[2], 0.5) == replace(CLAIMS[2].planted, lead=CLAIMS[2].planted.lead / 2)


def test_larger_effects_are_found_more_often() -> None:
    design = assumed_design(FRAMES, REGIONS, participants=5, sentences=1000, ceiling=0.5)
    table = power(design, draws=6, shares=(0.0, 2.0))
    assert list(table.columns) == COLUMNS
    found = table.set_index(["claim", "effect"])["found"]
    for claim in (1, 2, 3, 4):
        none, large = found.loc[claim]
        assert none <= 0.5  # of six draws; P(> 3) < .001 at .05
        assert large >= 0.7
    assert (table["refuted"] + table["found"] <= 1).all()
    alone, dealt = (power(design, draws=2, shares=(1.0,), jobs=jobs) for jobs in (1, 2))
    assert alone.equals(dealt)


def test_a_line_a_claim_says_what_could_be_found() -> None:
    rows = [
        (3, "temporal_first", 100, effect, "decades", found, 0.0, 100)
        for effect, found in ((0.0, 0.03), (0.25, 0.5), (0.5, 0.85), (1.0, 1.0))
    ]
    weak = [(5, "size", 100, effect, "growth", 0.1, 0.0, 100) for effect in (0.0, 0.3)]
    assert as_sentences(pd.DataFrame(rows + weak, columns=COLUMNS)) == [
        "claim 3 (temporal_first) finds 0.5 in 85% of sweeps [decades]",
        "claim 5 (size) finds 0.3 in 10% of sweeps alone [growth]",
    ]
