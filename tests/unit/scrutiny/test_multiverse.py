"""The specification curve, on tables where it is known which variants carry the effect."""

import numpy as np
import pandas as pd
import pytest

from geomod.claims.claim import Truth
from geomod.claims.judge import claims
from geomod.curves.settings import Settings
from geomod.modules.partition import find_modules
from geomod.scrutiny.multiverse import specification_curve, survival
from geomod.scrutiny.synthetic import Design, Frame, Scatter, as_tables, simulate

STEPS, LAYERS, PEOPLE = (1, 8, 64, 512, 1000), range(1, 7), ("p1", "p2", "p3", "p4")
SETTINGS = Settings(permutations=200, bootstrap=20, null_draws=20)


def tables(seed=0):
    """Alignment falls with `hosseini`; `folded` is its mirror image, `lag2` noise.

    Low and high layers alternate, so that depth explains nothing.
    """
    rng = np.random.default_rng(seed)
    geometry, encoding = [], []
    for model in ("m-a", "m-b", "m-c"):
        for step in STEPS:
            for layer in LAYERS:
                where = {"model": model, "step": step, "layer": layer}
                complexity = layer % 2 + rng.normal(scale=0.2)
                values = {
                    ("entropy", "raw"): complexity + rng.normal(scale=0.1),
                    ("entropy", "centred"): rng.normal(),
                    ("curvature", "hosseini"): complexity,
                    ("curvature", "folded"): -complexity,
                    ("curvature", "lag2"): rng.normal(),
                }
                for (metric, variant), value in values.items():
                    geometry.append({**where, "metric": metric, "variant": variant, "mean": value})
                scores = {p: 0.3 - 0.1 * complexity + rng.normal(scale=0.01) for p in PEOPLE}
                scores["average"] = np.mean(list(scores.values()))
                for person, score in scores.items():
                    row = {**where, "region": "netw", "participant": person, "score": score}
                    encoding.append(row)
    return pd.DataFrame(geometry), pd.DataFrame(encoding)


@pytest.fixture(scope="module")
def curve():
    return specification_curve(
        *tables(),
        entropy=["raw", "centred"],
        curvature=["hosseini", "folded", "lag2"],
        settings=SETTINGS,
    )


def test_every_specification_has_its_row(curve):
    sizes = curve.groupby("quantity").size()
    assert sizes["low − high module"] == 6
    assert sizes["partial r of curvature"] == 3
    assert sizes["partial r of entropy"] == 2
    assert not curve.duplicated(["quantity", "entropy", "curvature"]).any()
    headline = curve[curve["headline"]]
    assert len(headline) == 3
    assert set(headline["entropy"]) == {"raw", ""}
    assert set(headline["curvature"]) == {"hosseini", ""}


def test_variant_decides_the_sign_of_the_correlation(curve):
    found = curve[curve["quantity"] == "partial r of curvature"].set_index("curvature")
    assert found.loc["hosseini", "estimate"] < -0.8
    assert found.loc["folded", "estimate"] == pytest.approx(-found.loc["hosseini", "estimate"])
    assert abs(found.loc["lag2", "estimate"]) < 0.4
    assert found["verdict"].to_dict() == {
        "hosseini": "supported",
        "folded": "not supported",
        "lag2": found.loc["lag2", "verdict"],
    }
    assert found.loc["lag2", "verdict"] != "supported"


def test_headline_equals_the_claims_themselves():
    """Layers without modules, whose partition would be the first to follow a generator."""
    scatter = Scatter(smooth=0.1, rough=0.3, noise=0.3, rho=0.3, rho_depth=0.0)
    frames = tuple(Frame(f"m-{n}", 10.0**n, STEPS, n) for n in (7, 12, 16))
    design = Design(frames, ("netw",), 4, scatter, scatter, person=0.1)
    given = as_tables(simulate(design, Truth(), np.random.default_rng(0)))
    geometry, encoding, models = (given[name] for name in ("geometry", "encoding", "models"))
    modules = find_modules(geometry, null_draws=20, seed=3)
    onsets = pd.DataFrame(columns=["region", "variability"])
    found = claims(geometry, encoding, modules, onsets, models, settings=SETTINGS, seed=3)
    curve = specification_curve(
        geometry, encoding, models, entropy=["raw"], curvature=["hosseini"], settings=SETTINGS,
        seed=3,
    )  # fmt: skip
    rows = curve.set_index("quantity")
    for quantity, claim in (("low − high module", found[1]), ("partial r of curvature", found[3])):
        row = rows.loc[quantity]
        assert row["headline"]
        assert [row["low"], row["high"]] == claim["interval"]
        assert (row["estimate"], row["p"]) == (claim["estimate"], claim["p"])


def test_ranks_go_up_with_the_estimate(curve):
    for _, rows in curve.groupby("quantity"):
        ordered = rows.sort_values("rank")
        assert ordered["rank"].tolist() == list(range(1, len(rows) + 1))
        assert ordered["estimate"].is_monotonic_increasing


def test_survival_counts_what_agrees_with_the_headline(curve):
    found = survival(curve).set_index("quantity")
    correlation = found.loc["partial r of curvature"]
    rows = curve[curve["quantity"] == "partial r of curvature"]
    assert correlation["specifications"] == correlation["estimated"] == 3
    assert correlation["supported"] == pytest.approx(1 / 3)
    assert correlation["same_sign"] == pytest.approx((rows["estimate"] < 0).mean())
    assert correlation["smallest"] == rows["estimate"].min()


def test_a_variant_that_was_not_measured_keeps_its_row():
    geometry, encoding = tables()
    geometry.loc[geometry["variant"] == "lag2", "mean"] = np.nan
    found = specification_curve(
        geometry, encoding, entropy=["raw"], curvature=["hosseini", "lag2"], settings=SETTINGS
    )
    row = found[(found["curvature"] == "lag2") & (found["quantity"] == "partial r of curvature")]
    assert row["estimate"].isna().all()
    assert row["rank"].isna().all()
    assert row["verdict"].item() == "undecided"
    assert row["why"].item()
    assert survival(found).set_index("quantity").loc["partial r of curvature", "estimated"] == 1
