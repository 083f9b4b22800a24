"""Planted answers recovered from whole tables, and bad tables that end in `undecided`."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from geomod.base.tables import columns_of
from geomod.claims.claim import Evidence, Truth
from geomod.claims.curvature import CURVATURE
from geomod.claims.judge import claims, judge, verdict
from geomod.claims.low_complexity import LOW_COMPLEXITY
from geomod.claims.modularization import MODULARIZATION, better_smooth, more_than_two
from geomod.claims.registry import CLAIMS
from geomod.claims.size import SIZE
from geomod.coupling.paper import correlations
from geomod.curves.curves import NORM, gather
from geomod.curves.settings import Settings
from geomod.emergence.onsets import emergence
from geomod.modules.change_points import find_change_points
from geomod.modules.low_high import low_high_table
from geomod.modules.partition import find_modules
from geomod.scrutiny.calibration import find
from geomod.scrutiny.synthetic import Design, Frame, Scatter, as_tables, at_steps, simulate

STEPS = (0, *(2**k for k in range(12)))
REGIONS = ("AntTemp", "IFG", "IFGorb", "MFG", "PostTemp", "netw")
QUIET = Scatter(smooth=0.2, rough=0.05, noise=0.05, rho=0.3, rho_depth=0.3)
DESIGN = Design(
    frames=tuple(
        Frame(f"toy-{name}", parameters, STEPS, layers)
        for name, parameters, layers in (("xs", 1e5, 4), ("s", 1e6, 8), ("m", 1e7, 12))
    ),
    regions=REGIONS,
    participants=5,
    geometry=QUIET,
    score=QUIET,
    person=0.05,
)
ONE_STEP = replace(DESIGN, frames=(Frame("toy-1", 1e6, (1024,), 28),), participants=0)
SETTINGS = Settings(permutations=499, bootstrap=60, null_draws=79)
FEW = replace(SETTINGS, permutations=99, null_draws=19)  # where no p is looked at
ONE_MODEL = (Frame("toy-1", 1e5, (0, 1, 2, 4, 8), 3),)
Tables = dict[str, pd.DataFrame]


def tables_of(truth: Truth, seed: int = 0) -> Tables:
    return as_tables(simulate(DESIGN, truth, np.random.default_rng(seed)))


def answer(tables: Tables, settings: Settings = SETTINGS, **options: object) -> list[dict]:
    modules = find_modules(tables["geometry"], null_draws=0)
    when = emergence(tables["encoding"], bootstrap=30)
    found = claims(
        tables["geometry"],
        tables["encoding"],
        modules,
        when,
        tables["models"],
        settings=settings,
        **options,
    )
    json.dumps(found, allow_nan=False)
    assert [entry["claim"] for entry in found] == [1, 2, 3, 4, 5]
    assert [entry["name"] for entry in found] == [c.name for c in CLAIMS if not c.families]
    assert all(entry["why"] for entry in found)
    return found


@pytest.fixture(scope="module")
def planted() -> Tables:
    return tables_of(Truth(separation=1.5, advantage=0.6, lead=0.6))


def test_planted_answers_are_recovered(planted: Tables) -> None:
    found = answer(planted, planted={1: True, 2: True, 3: True})
    for entry in found[:3]:
        assert entry["verdict"] == "supported", entry["why"]
        assert entry["recovered"] is True
        assert entry["interval"][0] < entry["estimate"] < entry["interval"][1]
    assert found[2]["interval"][0] < -0.6 < found[2]["interval"][1]
    assert found[3]["planted"] is None
    assert found[4]["recovered"] is None
    assert {"paper", "regions", "mixed model", "tests"} <= set(found[3]["details"])


def test_of_every_claim_it_can_be_planted_that_it_is_true(planted: Tables) -> None:
    found = answer(planted, planted=dict.fromkeys(range(1, 6), True))
    assert all(type(entry["recovered"]) is bool for entry in found)


def test_the_same_tables_give_the_same_answers(planted: Tables) -> None:
    shuffled = {
        name: table.sample(frac=1, random_state=1, ignore_index=True)
        for name, table in planted.items()
    }
    assert answer(planted, FEW, seed=4) == answer(shuffled, FEW, seed=4)


def test_a_test_that_does_not_hold_its_level_decides_nothing(planted: Tables) -> None:
    table = pd.DataFrame({"test": ["t on the t50 contrast"], "level": [0.2]})
    entry = answer(planted, FEW, calibration=table)[2]
    assert entry["calibrated_level"] == 0.2
    assert entry["verdict"] == "undecided"
    assert "20.0%" in entry["why"]


def test_what_the_size_of_the_activations_explains_is_said() -> None:
    """Both follow the norm from layer to layer: an effect, but none beyond the norm."""
    rng = np.random.default_rng(0)
    curves = []
    for c in simulate(DESIGN, Truth(), rng):
        shape = c.metrics["curvature"].shape
        norm = rng.standard_normal(shape)
        metrics = {**c.metrics, "curvature": norm + 0.05 * rng.standard_normal(shape)}
        score = c.score - 0.2 * norm[..., None]
        curves.append(replace(c, metrics=metrics, score=score, controls={NORM: norm}))
    found = CURVATURE.find(Evidence(curves, SETTINGS))
    estimate, details = found.estimate, found.details
    assert estimate is not None
    assert estimate.high < -0.5
    assert abs(details["given_activation_norm"]["partial_r"]) < 0.3
    assert details["given_activation_norm"]["p"] > 0.05
    assert NORM in details["mixed model"]
    without = [replace(c, controls={}) for c in curves]
    again = CURVATURE.find(Evidence(without, SETTINGS))
    assert again.estimate == estimate
    assert np.isnan(again.details["given_activation_norm"]["p"])


def test_the_other_direction_is_not_supported() -> None:
    found = answer(tables_of(Truth(separation=1.5, advantage=-0.6, lead=-0.6)), planted={3: False})
    assert found[1]["verdict"] == "not supported"
    assert found[2]["verdict"] == "not supported"
    assert found[2]["recovered"] is True


def test_two_modules_where_the_gap_asks_for_more_are_undecided() -> None:
    """One model, one step: four levels over depth are more clustered in two than a gradient is."""
    depth = np.repeat([0.0, 1.0, 5.0, 6.0], 7)
    rng = np.random.default_rng(0)
    (curves,) = simulate(ONE_STEP, Truth(), rng)
    metrics = {name: depth + 0.02 * rng.standard_normal((1, 28)) for name in curves.metrics}
    curves = replace(curves, metrics=metrics)
    modules = find_modules(as_tables([curves])["geometry"], null_draws=0)
    found = MODULARIZATION.find(Evidence([curves], SETTINGS, modules=modules))
    (row,) = found.details["models"]
    assert row["k_selected"] == 4
    assert found.estimate is not None
    assert found.estimate.low > 0
    entries = judge([(MODULARIZATION, found)], alpha=0.05)
    assert entries[0]["q"] <= 0.05
    assert entries[0]["verdict"] == "undecided"
    assert "asks for 4 modules" in entries[0]["why"]


def test_more_than_two_modules_speak_against_two() -> None:
    assert "asks for 3 modules" in more_than_two(3)
    assert not more_than_two(2)
    assert not more_than_two(1)  # few blocks seldom ask for more


def test_blocks_that_change_smoothly_do_not_support_modules() -> None:
    """A smooth profile refutes a step; where neither is likelier, nothing is refuted."""
    (curves,) = simulate(ONE_STEP, Truth(), np.random.default_rng(0))
    depth = np.linspace(0, 1, 28)
    noise = np.random.default_rng(1).standard_normal((2, 1, 28))
    found = {}
    for name, scatter in (("smooth", 0.05), ("scattered", 5.0)):
        metrics = {
            metric: depth**2 + scatter * each
            for metric, each in zip(curves.metrics, noise, strict=True)
        }
        modules = find_modules(
            as_tables([replace(curves, metrics=metrics)])["geometry"], null_draws=0
        )
        evidence = Evidence([replace(curves, metrics=metrics)], SETTINGS, modules=modules)
        (found[name],) = judge([(MODULARIZATION, MODULARIZATION.find(evidence))], alpha=0.05)
    assert found["smooth"]["p"] > 0.5
    assert found["smooth"]["verdict"] == "not supported"
    assert "describes the blocks better" in found["smooth"]["why"]
    assert found["scattered"]["verdict"] == "undecided"
    assert not better_smooth(1.0, 0.001, 0.05)
    assert not better_smooth(-1.0, 0.2, 0.05)


def test_labels_that_point_the_other_way_beyond_depth_are_undecided() -> None:
    """Score falls over depth; within it the low blocks, which come first, score lower."""
    (curves,) = simulate(replace(ONE_STEP, participants=3), Truth(), np.random.default_rng(0))
    low = np.arange(28) < 14
    low[[5, 11, 16, 22]] ^= True
    score = np.linspace(1, 0, 28) - 0.2 * low
    shape = (1, 28, len(curves.regions))
    everyone = np.broadcast_to(score[None, :, None], shape)
    people = everyone + 0.001 * np.arange(3)[:, None, None, None] * low[:, None]
    curves = replace(curves, score=everyone, people=people)
    modules = pd.DataFrame(
        {"model": "toy-1", "step": 1024, "layer": range(1, 29),
         "module": np.where(low, "low", "high")}
    )  # fmt: skip
    found = LOW_COMPLEXITY.find(Evidence([curves], SETTINGS, modules=modules))
    assert found.estimate is not None
    assert found.estimate.low > 0
    assert found.details["models"][0]["beyond_depth"] < 0
    word, why = verdict(found, 0.001, LOW_COMPLEXITY)
    assert (word, "other way" in why) == ("undecided", True)


def test_contrasts_that_change_sides_from_step_to_step_are_undecided() -> None:
    """Participants agree to a hair, checkpoints do not: nothing is known of those nearby."""
    design = replace(DESIGN, frames=ONE_MODEL, participants=2)
    (curves,) = simulate(design, Truth(), np.random.default_rng(0))
    late = curves.trained
    sides = np.where(np.arange(late.sum()) % 2, 0.28, -0.30)
    layers = np.array([0.5, -0.5, 0.5])
    score = np.zeros_like(curves.score)
    score[late] = (sides[:, None] * layers)[..., None]
    hair = 0.001 * np.arange(len(curves.participants))[:, None, None, None] * layers[:, None]
    curves = replace(curves, score=score, people=score + hair)
    modules = pd.DataFrame(
        [(curves.model, s, layer, ("low", "high", "low")[layer - 1])
         for s in curves.steps for layer in curves.layers],
        columns=["model", "step", "layer", "module"],
    )  # fmt: skip
    found = LOW_COMPLEXITY.find(Evidence([curves], SETTINGS, modules=modules))
    assert found.details["units"] == "participants and late checkpoints"
    assert found.estimate is not None
    assert found.estimate.low < 0 < found.estimate.high
    assert verdict(found, 0.01, LOW_COMPLEXITY)[0] == "undecided"
    last = at_steps(curves, curves.steps[-1:])
    single = LOW_COMPLEXITY.find(Evidence([last], SETTINGS, modules=modules))
    assert "one late checkpoint" in single.note
    assert single.details["units"] == "participants"


def test_two_blocks_a_layer_each_are_no_modules() -> None:
    frames = (Frame("toy-xs", 1e5, STEPS, 2), Frame("toy-s", 1e6, STEPS, 8))
    truth = Truth(separation=1.5, advantage=0.6)
    both = simulate(replace(DESIGN, frames=frames), truth, np.random.default_rng(0))
    modules = find_modules(as_tables(both)["geometry"], null_draws=0)
    assert set(modules.loc[modules["model"] == "toy-xs", "module"]) == {"all"}
    alone = LOW_COMPLEXITY.find(Evidence(both[:1], SETTINGS, modules=modules))
    assert alone.estimate is None
    assert "toy-xs has 2 blocks" in verdict(alone, np.nan, LOW_COMPLEXITY)[1]
    found = LOW_COMPLEXITY.find(Evidence(both, SETTINGS, modules=modules))
    assert [row["model"] for row in found.details["models"]] == ["toy-s"]
    assert "toy-xs has 2 blocks" in found.note


def test_a_trend_toward_nothing_is_no_stronger_effect() -> None:
    """Curvature goes with higher alignment, the less so the larger the model."""
    design = replace(DESIGN, participants=0)
    truth = Truth(coupling=-0.9, growth=0.3)
    found = [
        SIZE.find(Evidence(simulate(design, truth, np.random.default_rng(i)), SETTINGS, i))
        for i in range(8)
    ]
    rising = [f for f in found if f.estimate is not None and f.estimate.value > 0]
    assert rising
    assert all("largest model" in f.against for f in rising)


@pytest.mark.parametrize("growth", [0.0, 0.5])
def test_coupling_and_growth_point_the_right_way(growth: float) -> None:
    effects, slopes = [], []
    design = replace(DESIGN, participants=0)
    for seed in range(25):
        curves = simulate(design, Truth(coupling=0.7, growth=growth), np.random.default_rng(seed))
        effects.append(find(curves, CURVATURE, SETTINGS, seed).estimate)
        slopes.append(find(curves, SIZE, SETTINGS, seed).estimate)
    assert np.mean([e.value for e in effects]) < -0.3
    mean = np.mean([s.value for s in slopes])
    assert (mean > 0.2) if growth else (abs(mean) < 0.2)


def damaged(tables: Tables, fault: str) -> Tables:
    geometry, encoding, models = (tables[n].copy() for n in ("geometry", "encoding", "models"))
    if fault == "two steps":
        geometry, encoding = (t[t["step"].isin([1024, 2048])] for t in (geometry, encoding))
    elif fault == "one size":
        geometry, encoding = (t[t["model"] == "toy-m"] for t in (geometry, encoding))
    elif fault == "one layer":
        geometry, encoding = (t[t["layer"] <= 1] for t in (geometry, encoding))
    elif fault == "all scores NaN":
        encoding["score"] = np.nan
    elif fault == "region missing in one model":
        gone = (encoding["model"] == "toy-s") & encoding["region"].isin(["AntTemp", "PostTemp"])
        encoding = encoding[~gone]
    elif fault == "geometry constant":
        geometry["mean"] = 1.0
    elif fault == "no participants":
        encoding = encoding[encoding["participant"] == "average"]
    elif fault == "no parameters":
        models = models.iloc[:0]
    elif fault == "empty":
        geometry, encoding = geometry.iloc[:0], encoding.iloc[:0]
    return {"geometry": geometry, "encoding": encoding, "models": models}


@pytest.mark.parametrize(
    ("fault", "undecided"),
    [
        ("two steps", [3, 4, 5]),
        ("one size", [5]),
        ("one layer", [1, 2, 4, 5]),
        ("all scores NaN", [2, 3, 4, 5]),
        ("region missing in one model", []),
        ("geometry constant", [1, 2, 4, 5]),
        ("no participants", []),
        ("no parameters", [5]),
        ("empty", [1, 2, 3, 4, 5]),
    ],
)
def test_bad_tables_end_in_undecided_and_why(
    planted: Tables, fault: str, undecided: list[int]
) -> None:
    tables = damaged(planted, fault)
    found = answer(tables, FEW)
    curves = gather(tables["geometry"], tables["encoding"], tables["models"])
    modules = find_modules(tables["geometry"], null_draws=0)
    for kind, table in {
        "low_high": low_high_table(curves, modules),
        "correlations": correlations(curves, FEW),
        "change_points": find_change_points(tables["geometry"]),
    }.items():
        assert set(table.assign(dataset="d").astype(columns_of(kind))) == set(columns_of(kind))
    for claim in undecided:
        entry = found[claim - 1]
        assert entry["verdict"] == "undecided"
        assert entry["interval"] is None, entry["why"]
    if fault == "region missing in one model":
        assert "toy-s" in found[2]["why"]
        assert found[2]["verdict"] == "supported"
