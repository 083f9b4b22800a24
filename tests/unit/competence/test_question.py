"""The tables of every region: planted lags come back, and what moves all models is counted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from benchmarks.competence.competence_claims import SETTINGS, World, sweep_of
from geomod.competence.question import ANSWERS, LAGS, answers, half_times, lags
from geomod.competence.times import leads
from geomod.coupling.mixed import long_table
from geomod.coupling.paper import correlations
from geomod.curves.curves import FORMAL, FUNCTIONAL, LOSS, Curves, gather
from geomod.curves.settings import Settings
from geomod.scrutiny.synthetic import as_tables

QUIET = World(position=0.25, noise=(0.02, 0.01, 0.02), scatter=0.03)


def two_regions(models: int = 4) -> list[Curves]:
    """`netw` and a region of pure noise; reading times are predicted best half-way."""
    rng = np.random.default_rng(0)
    found = []
    for c in sweep_of(QUIET, models, rng):
        noise = 0.05 + 0.01 * rng.standard_normal(c.score.shape)
        peak = expit((c.time - 2.5) / 0.2) - 0.7 * expit((c.time - 4) / 0.2)
        found.append(
            replace(
                c,
                regions=("netw", "noise"),
                score=np.concatenate([c.score, noise], axis=2),
                people=np.empty((0, len(c.time), 1, 2)),
                folds=np.empty((0, len(c.time), 1, 2)),
                competence={**c.competence, "behaviour": 0.01 * peak},
            )
        )
    return found


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    courses, times = half_times(two_regions(), SETTINGS, own_range=("behaviour",))
    return lags(times, SETTINGS), answers(courses, times, SETTINGS)


def test_lags_are_the_planted_ones_and_have_intervals(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    table = tables[0]
    assert list(table.columns) == LAGS
    assert not table.duplicated(["model", "region", "family"]).any()
    mean = table[(table["model"] == "all") & (table["region"] == "netw")].set_index("family")
    for family, planted in ((FORMAL, 0.2), (FUNCTIONAL, -0.6)):
        row = mean.loc[family]
        assert row["low"] <= planted <= row["high"]
        assert row["lag"] == pytest.approx(planted, abs=0.1)
        assert row["models"] == 4
    own = table[(table["model"] == "toy-0") & (table["region"] == "netw")].set_index("family")
    assert (own["low"] < own["lag"]).all()
    assert (own["lag"] < own["high"]).all()
    assert own.loc["behaviour", "family_half_time"] == pytest.approx(2.5, abs=0.05)
    flat = table[(table["region"] == "noise") & (table["model"] != "all")]
    assert (flat["alignment_censoring"] == "flat").mean() >= 0.75


def test_answers_say_where_a_region_lies(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table = tables[1]
    assert list(table.columns) == ANSWERS
    assert not table.duplicated(["region", "quantity"]).any()
    netw = table[table["region"] == "netw"].set_index("quantity")
    row = netw.loc["position between formal and functional"]
    assert row["low"] <= 0.25 <= row["high"]
    assert row["p"] < 0.05
    assert netw.loc["functional − formal half-time", "estimate"] == pytest.approx(0.8, abs=0.1)
    assert 0 < netw.loc["mean R² with formal", "estimate"] <= 1
    assert {"margin of saturation", "late slope of alignment"} <= set(netw.index)


def test_without_competence_the_tables_are_empty() -> None:
    bare = [replace(c, competence={}) for c in two_regions(1)]
    courses, times = half_times(bare, SETTINGS)
    assert lags(times, SETTINGS).empty
    assert answers(courses, times, SETTINGS).empty
    formal = [replace(c, competence={FORMAL: c.competence[FORMAL]}) for c in two_regions(1)]
    courses, times = half_times(formal, SETTINGS)
    assert set(lags(times, SETTINGS)["family"]) == {FORMAL}
    assert answers(courses, times, SETTINGS).empty


def test_items_and_people_widen_what_models_agree_on() -> None:
    """A draw of items or a participant who moves all models moves their mean by as much."""
    plain = two_regions()
    drawn = 0.05 * np.random.default_rng(1).standard_normal((60, 1))
    lucky = [
        replace(c, retaken={FORMAL: c.competence[FORMAL] + drawn}) for c in plain
    ]  # fmt: skip
    times = 1 + 0.2 * np.linspace(-1, 1, 6)
    social = [
        replace(
            c,
            participants=tuple("abcdef"),
            people=np.stack(
                [expit((c.time - 3 * t) / 0.3)[:, None, None] * np.ones(2) for t in times]
            ),
        )
        for c in plain
    ]
    errors = {}
    for name, curves in (("plain", plain), ("items", lucky), ("people", social)):
        _, found = half_times(curves, Settings(bootstrap=40), own_range=("behaviour",))
        errors[name] = leads(found, FORMAL, ["netw", FUNCTIONAL]).covariance
    # .05 of the range over a slope of 1 / (4 × .3) a decade
    moved = errors["items"] - errors["plain"]
    assert np.sqrt(moved[0, 0]) == pytest.approx(0.05 * 4 * 0.3, rel=0.35)
    assert moved[0, 1] == pytest.approx(moved[0, 0], rel=0.2)
    moved = errors["people"] - errors["plain"]
    assert np.sqrt(moved[0, 0]) == pytest.approx(3 * times.std(ddof=1) / np.sqrt(6), rel=0.35)
    assert moved[1, 1] == pytest.approx(0, abs=1e-12)


def test_competence_joins_the_curves_at_their_steps() -> None:
    curves = [
        replace(c, metrics={"entropy": c.score[..., 0], "curvature": c.score[..., 0]})
        for c in sweep_of(QUIET, 2, np.random.default_rng(0))
    ]
    tables = as_tables(curves)
    shares = pd.concat(
        pd.DataFrame({"model": c.model, "step": c.steps, **c.competence}) for c in curves
    )
    retaken = shares.melt(["model", "step"], [FORMAL], "family", "share").assign(draw=0)
    encoding = tables["encoding"].assign(ceiling=0.4)
    found = gather(
        tables["geometry"],
        encoding,
        tables["models"],
        competence=shares.sample(frac=1, random_state=0).iloc[1:],
        retaken=retaken,
    )
    missing = 0
    for new, old in zip(found, curves, strict=True):
        for family in (FORMAL, FUNCTIONAL, LOSS):
            known = np.isfinite(new.competence[family])
            missing += (~known).sum()
            np.testing.assert_allclose(new.competence[family][known], old.competence[family][known])
        np.testing.assert_allclose(new.retaken[FORMAL][0], old.competence[FORMAL])
        assert new.ceilings == pytest.approx({"netw": 0.4})
    assert missing == 3  # a step of one model, in all families


def test_correlations_hold_competence_fixed_where_it_was_measured() -> None:
    """Curvature follows formal competence alone: nothing is left once that is held fixed."""
    rng = np.random.default_rng(0)
    curves = []
    for c in sweep_of(QUIET, 2, rng):
        formal, noise = c.competence[FORMAL], 0.05 * rng.standard_normal((2, len(c.time), 1))
        metrics = {"curvature": formal[:, None] + noise[0], "entropy": noise[1]}
        score = (formal[:, None] + 0.05 * rng.standard_normal((len(c.time), 1)))[..., None]
        curves.append(replace(c, metrics=metrics, score=score))
    table = correlations(curves, SETTINGS)
    pooled = table[table["layer"].isna() & (table["method"] == "pearson")]
    r = pooled.set_index(["predictor", "model"])["r"]
    assert set(pooled["predictor"]) == {
        "curvature", "entropy", FORMAL, FUNCTIONAL, LOSS,
        "curvature given competence", "entropy given competence",
    }  # fmt: skip
    assert r["curvature", "all"] > 0.8
    assert r[FORMAL, "all"] > 0.8
    assert abs(r["curvature given competence", "all"]) < 0.45
    assert {FORMAL, FUNCTIONAL} <= set(long_table(curves, SETTINGS))
    bare = [replace(c, competence={}) for c in curves]
    assert set(correlations(bare, SETTINGS)["predictor"]) == {"curvature", "entropy"}
    same = correlations(bare, SETTINGS).set_index(["predictor", "model", "layer", "method"])
    new = table.set_index(["predictor", "model", "layer", "method"]).loc[same.index]
    pd.testing.assert_frame_equal(same, new)
    assert FORMAL not in long_table([curves[0], bare[1]], SETTINGS)
