"""What was planted beside what came back: every fact is judged by what it could have failed."""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from geomod.scrutiny.recovery import NOTHING, SIGN, TENTH, WIDE, WITHIN, compare

STEPS = (0, 1, 4, 16, 64, 256, 999)  # 0 … 3 in log10(step + 1)
REGIONS = ("IFG", "PostTemp", "noise")
MIDPOINT = {"IFG": 2.0, "PostTemp": 1.0, "noise": 1.5}
TRUTH = {
    "ceiling": {"IFG": 0.5, "PostTemp": 0.8, "noise": 0.0},
    "null": "noise",
    "first": ["PostTemp"],
    "later": ["IFG"],
}


def scores(steps: tuple[int, ...]) -> pd.DataFrame:
    """A logistic rise of each region about its midpoint, and people in whom the noise is 0."""
    axes = product(steps, REGIONS, ("average", "a", "b", "c"))
    table = pd.DataFrame(axes, columns=["step", "region", "participant"])
    late = np.log10(table["step"] + 1) - table["region"].map(MIDPOINT)
    noise = table["participant"].map({"average": 0, "a": -0.01, "b": 0.0, "c": 0.02})
    rise = (0.6 / (1 + np.exp(-8 * late))).where(table["region"] != "noise", noise)
    return table.assign(score=rise, model="m", layer=1)


def found(low: float, high: float, steps: tuple[int, ...] = STEPS) -> pd.DataFrame:
    """The comparison where IFG's half-time came back with this interval, PostTemp's with none."""
    table = scores(steps)
    ceiling = {"region": REGIONS, "participant": "average", "ceiling": [0.54, 0.7, 0.0]}
    ceiling |= {"low": [0.4, 0.6, 0.0], "high": [0.6, 0.8, 0.0]}
    times = {"model": "m", "region": REGIONS, "t50": [2.1, 1.2, 1.0]}
    times |= {"low": [low, np.nan, 0.0], "high": [high, np.nan, 3.0]}
    average = table[table["participant"] == "average"]
    given: Any = (TRUTH, average, pd.DataFrame(ceiling), table, pd.DataFrame(times), 0)
    return compare(*given).set_index(["fact", "where"])


def test_an_interval_says_how_much_of_the_training_it_covers() -> None:
    row = found(1.9, 2.2).loc[("t50", "m, IFG")]
    assert row["width"] == pytest.approx(0.3 / 3)
    assert (row["criterion"], row["agrees"]) == (WITHIN, True)


def test_an_interval_that_hardly_can_miss_is_judged_apart() -> None:
    row = found(1.22, 3.3).loc[("t50", "m, IFG")]
    assert row["width"] == pytest.approx((3 - 1.22) / 3), "beyond the training nothing is covered"
    assert (row["criterion"], row["agrees"]) == (WIDE, True)


def test_without_an_interval_there_is_nothing_to_judge_by() -> None:
    row = found(1.9, 2.2).loc[("t50", "m, PostTemp")]
    assert row["criterion"] == NOTHING
    assert row["agrees"] is pd.NA
    assert np.isnan(row["width"])


def test_ceilings_orders_and_the_null_region_are_judged_each_by_its_own_rule() -> None:
    table = found(1.9, 2.2)
    ceilings = table.loc["noise ceiling"]
    assert dict(ceilings["agrees"]) == {"IFG": True, "PostTemp": False}
    assert set(ceilings["criterion"]) == {TENTH}
    order = table.loc[("frontal − temporal t50", "m")]
    assert (order["criterion"], order["agrees"]) == (SIGN, True)
    null = table.loc[("null region", "noise, all models")]
    assert (null["criterion"], null["agrees"]) == (WITHIN, True)
    assert 0 < null["width"] < 0.1


def test_one_step_has_no_times_to_judge() -> None:
    table = found(np.nan, np.nan, steps=(64,))
    assert set(table.loc[["t50", "frontal − temporal t50"], "criterion"]) == {NOTHING}
