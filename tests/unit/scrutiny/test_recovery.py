"""What was planted beside what came back: every fact is judged by what it could have failed."""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from geomod.competence.question import POSITION
from geomod.curves.curves import HEADLINE
from geomod.curves.settings import Settings
from geomod.scrutiny.recovery import (
    MODULES,
    NOTHING,
    SIGN,
    TENTH,
    WIDE,
    WITHIN,
    Competence,
    compare,
    compare_claims,
    compare_competence,
    planted_claims,
)

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


MODELS = {"m": 0.0, "n": 0.1, "o": 0.2}  # by how many decades each is late
MANY = (0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 2047, 4095)  # .3 decades from one to the next
AT = {"agreement": 2.4, "topics": 1.4, "IFG": 2.4, "PostTemp": 1.4, "netw": 1.65}


def rising(names: tuple[str, ...], column: str) -> pd.DataFrame:
    """Logistics from 0 to 1 about the times of AT, later in one model than in another."""
    table = pd.DataFrame(product(MODELS, MANY, names), columns=["model", "step", column])
    late = np.log10(table["step"] + 1) - table[column].map(AT) - table["model"].map(MODELS)
    return table.assign(share=1 / (1 + np.exp(-late / 0.1)))


def of_competence(answers: pd.DataFrame, reader: tuple[str, str, int] | None = None) -> Any:
    tasks = rising(("agreement", "topics"), "task")
    tasks["family"] = tasks["task"].map({"agreement": "formal", "topics": "functional"})
    tasks = tasks.assign(score=0.5 + 0.4 * tasks["share"], chance=0.5, ceiling=0.9)
    reading = tasks[tasks["task"] == "topics"].assign(task="reading", family="behaviour")
    time = np.log10(reading["step"] + 1)
    reading = reading.assign(score=np.exp(-((time - 2.1) ** 2)), chance=0.0, ceiling=np.nan)
    tokens = tasks[["model", "step"]].drop_duplicates().assign(surprisal=5.0, vocabulary=300)
    tokens["surprisal"] -= np.log10(tokens["step"] + 1) / 4
    probes = rising(("IFG", "PostTemp", "netw"), "region")
    probes = probes.rename(columns={"share": "score"}).assign(layer=1, participant="average")
    given = Competence(pd.concat([tasks, reading]), tokens, None, answers, reader)
    table = compare_competence({"null": "noise"}, probes, given, Settings(bootstrap=20), 0)
    return table.set_index(["fact", "where"])


def answered(**positions: tuple[float, float, float]) -> pd.DataFrame:
    """What is said of the brain: region → λ with its interval."""
    rows = [(region, POSITION, *values) for region, values in positions.items()]
    return pd.DataFrame(rows, columns=["region", "quantity", "estimate", "low", "high"])


def test_a_region_lies_where_its_noise_free_signal_lies_between_the_competences() -> None:
    table = of_competence(answered(IFG=(0.1, -0.1, 0.2), PostTemp=(0.6, 0.5, 0.7)))
    assert table.loc[("position λ", "IFG"), "planted"] == pytest.approx(0, abs=0.02)
    assert table.loc[("position λ", "PostTemp"), "planted"] == pytest.approx(1, abs=0.02)
    assert dict(table.loc["position λ", "agrees"]) == {"IFG": True, "PostTemp": False}
    # Half-way at the first step is λ = 2.5, at the last −1.1: means over models of 2.5 and 1.5.
    width = 0.3 / (2.5 - (2.5 - np.log10(4096)) / 1.0)
    assert table.loc[("position λ", "IFG"), "width"] == pytest.approx(width, abs=1e-3)


def test_the_network_says_whether_claim_6_is_true() -> None:
    table = of_competence(answered(netw=(0.8, 0.65, 0.9), noise=(0.5, 0.4, 0.6)))
    row = table.loc[("position λ", "netw")]
    assert row["planted"] == pytest.approx(0.75, abs=0.02)
    assert row["agrees"]
    assert "noise" not in table.index.get_level_values("where"), "nothing is planted there"
    assert planted_claims(table.reset_index()) == {6: False}
    for planted, truth in ((0.45, False), (0.3, True)):  # what is below .1 counts as none
        assert planted_claims(table.assign(planted=planted).reset_index()) == {6: truth}
    unknown = table.assign(planted=np.nan).reset_index()
    assert planted_claims(unknown) == {}


def test_readers_are_foretold_best_by_whom_they_are_like() -> None:
    for step, agrees in ((127, True), (63, True), (31, False)):
        table = of_competence(answered(), ("reading", "n", step))
        row = table.loc[("peak of reading times", "n")]
        assert row["recovered"] == pytest.approx(np.log10(128))
        assert row["agrees"] == agrees


def of_modules(advantage: float, high: tuple[int, ...] = (1, 2, 3, 4)) -> pd.DataFrame:
    """Three models of eight blocks, the last four less complex and better by `advantage`.

    The noise-free signal has it whole; in the brain half of it is left.
    """
    table = pd.DataFrame(
        product("abc", (10, 20, 30), range(1, 9)), columns=["model", "step", "layer"]
    )
    low = (table["layer"] > 4).astype(float)
    rough = pd.Series(np.random.default_rng(0).normal(0, 0.1, len(table)))
    shapes = [
        table.assign(metric=metric, variant=variant, mean=2 - low + rough)
        for metric, variant in HEADLINE.items()
    ]
    signal = table.assign(region="netw", participant="average", score=0.3 + advantage * low)
    words = np.where(table["layer"].isin(high), "high", "low")
    return compare_claims(
        {"ceiling": {"netw": 0.8}},
        signal,
        signal.assign(score=0.3 + advantage / 2 * low),
        pd.concat(shapes),
        table.assign(module=words),
        pd.DataFrame({"model": list("abc"), "parameters": [1e4, 1e5, 1e6]}),
        {"a": 4},
        Settings(permutations=50),
        0,
        HEADLINE,
    ).set_index("fact")


def test_modules_and_what_they_have_to_do_with_the_network_are_known() -> None:
    table = of_modules(0.4)
    assert table.loc[MODULES, "agrees"]
    low_high = table.loc["low complexity aligns"]
    assert low_high["planted"] == pytest.approx(0.8 * 0.4)
    assert low_high["recovered"] == pytest.approx(0.2)
    assert low_high["agrees"]
    truth = planted_claims(table.reset_index())
    assert (truth[1], truth[2], truth[4]) == (True, True, True)
    reverse = planted_claims(of_modules(-0.4).reset_index())
    assert (reverse[1], reverse[2], reverse[4]) == (True, False, False)


def test_modules_that_lie_elsewhere_are_not_those_that_were_planted() -> None:
    assert not of_modules(0.4, high=(1, 2, 3, 5)).loc[MODULES, "agrees"]
