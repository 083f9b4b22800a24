"""The rule of the verdict, declared in docs/statistics.md, in both directions."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomod.claims.claim import Estimate, Finding
from geomod.claims.curvature import CURVATURE
from geomod.claims.judge import verdict


@pytest.mark.parametrize(
    ("numbers", "q", "level", "word"),
    [
        ((-0.5, -0.7, -0.3), 0.01, None, "supported"),
        ((-0.5, -0.7, -0.3), 0.01, 0.05, "supported"),
        ((-0.5, -0.7, -0.3), 0.01, 0.10, "undecided"),
        ((-0.5, -0.7, -0.3), 0.20, None, "undecided"),
        ((-0.5, -0.7, -0.3), np.nan, None, "undecided"),
        ((-0.5, -1.1, 0.1), 0.01, None, "undecided"),
        ((0.5, 0.3, 0.7), 0.01, None, "not supported"),
        ((0.5, 0.3, 0.7), 0.01, 0.10, "undecided"),
        ((0.5, 0.3, 0.7), 0.20, None, "undecided"),
        ((0.5, 0.3, 0.7), np.nan, None, "undecided"),
        ((-0.01, -0.05, 0.03), 0.5, None, "not supported"),
        ((-0.05, -0.08, -0.02), 0.01, None, "not supported"),
        ((0.05, 0.02, 0.08), 0.01, None, "not supported"),
        ((np.nan, np.nan, np.nan), 0.01, None, "undecided"),
    ],
)
def test_the_verdict_rule(
    numbers: tuple[float, float, float], q: float, level: float | None, word: str
) -> None:
    finding = Finding(Estimate(*numbers, p=q), note="by the way")
    found, why = verdict(finding, q, CURVATURE, level=level)
    assert found == word
    assert why.endswith("; by the way")


@given(
    value=st.floats(-1, 1),
    reach=st.floats(0, 1),
    q=st.floats(0, 1),
    level=st.sampled_from([None, 0.05, 0.2]),
    against=st.sampled_from(["", "its own numbers"]),
)
def test_both_directions_are_judged_alike(
    value: float, reach: float, q: float, level: float | None, against: str
) -> None:
    """What is an effect on the one side is an effect on the other, and what is none is none."""

    def judged(sign: int, direction: int) -> tuple[str, str]:
        low, high = sorted((sign * value - reach, sign * value + reach))
        finding = Finding(Estimate(sign * value, low, high, q), against=against)
        return verdict(finding, q, replace(CURVATURE, direction=direction), level=level)

    assert judged(1, 1) == judged(-1, -1)
    here, there = judged(1, 1), judged(1, -1)
    if here[0] == "undecided" or "smaller than" in here[1]:
        assert here == there
    else:
        assert {here[0], there[0]} == {"supported", "not supported"}


@pytest.mark.parametrize("direction", [1, -1])
def test_what_its_own_numbers_contradict_is_undecided(direction: int) -> None:
    finding = Finding(Estimate(0.5, 0.3, 0.7, 0.001), against="its own table says 4")
    claim = replace(CURVATURE, direction=direction)
    assert verdict(finding, 0.001, claim) == (
        "undecided",
        "its own table says 4",
    )
    # That it is too small to matter is no matter of sides.
    small = replace(finding, estimate=Estimate(0.05, 0.02, 0.08, 0.001))
    assert verdict(small, 0.001, claim)[0] == "not supported"
