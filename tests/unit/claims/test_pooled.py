"""Pooling over datasets against statsmodels and closed forms."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from geomod.claims.pooled import pool, pooled
from geomod.claims.registry import CLAIMS

numbers = st.lists(st.tuples(st.floats(-2, 2), st.floats(0.05, 1)), min_size=3, max_size=8).map(
    lambda pairs: tuple(np.array(pairs).T)
)


@given(numbers)
def test_mean_heterogeneity_and_interval_are_those_of_statsmodels(given: Any) -> None:
    y, s = given
    found = pool(y, s)
    theirs = combine_effects(y, s**2, method_re="pm", use_t=False)
    assert found.mean == pytest.approx(theirs.mean_effect_re, abs=1e-3)
    assert found.tau**2 == pytest.approx(theirs.tau2, rel=1e-3, abs=1e-4)  # as far as theirs goes
    assert found.q == pytest.approx(theirs.q, rel=1e-8, abs=1e-10)
    reach = stats.t.ppf(0.975, len(y) - 1)
    unmodified = theirs.sd_eff_w_re_hksj
    plain = np.sqrt(1 / np.sum(1 / (s**2 + theirs.tau2)))
    assert (found.high - found.low) / 2 == pytest.approx(
        reach * max(unmodified, plain), rel=1e-3, abs=1e-4
    )
    assert found.low <= found.mean <= found.high
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_equal_errors_pool_to_the_plain_mean_and_its_t_interval() -> None:
    y = np.array([0.1, 0.5, 0.9, 0.3])
    found = pool(y, np.full(4, 1e-3))
    assert found.mean == pytest.approx(y.mean())
    assert found.p == pytest.approx(stats.ttest_1samp(y, 0).pvalue, rel=1e-3)
    assert found.tau == pytest.approx(y.std(ddof=1), rel=1e-3)


def test_level_and_coverage_hold_with_three_datasets_that_differ() -> None:
    rng = np.random.default_rng(0)
    covered, rejected = [], []
    for _ in range(1000):
        s = rng.uniform(0.05, 0.2, 3)
        y = rng.normal(0, np.hypot(0.1, s))
        found = pool(y, s)
        covered.append(found.low <= 0 <= found.high)
        rejected.append(found.p < 0.05)
    assert np.mean(covered) >= 0.93
    assert np.mean(rejected) <= 0.075


def entry(dataset: str, claim: int, estimate: float | None = 3.0, **changes: Any) -> dict[str, Any]:
    interval = None if estimate is None else [estimate - 0.1, estimate + 0.1]
    return {
        "dataset": dataset,
        "claim": claim,
        "estimate": estimate,
        "interval": interval,
        "verdict": "supported",
        "planted": None,
        **changes,
    }


def entries(*names: str, **changes: Any) -> list[dict[str, Any]]:
    return [entry(name, claim.number, **changes) for name in names for claim in CLAIMS]


def test_two_datasets_are_not_pooled() -> None:
    assert pooled(entries("a", "b")) == []


def test_three_datasets_have_an_entry_a_claim_judged_by_the_common_rule() -> None:
    found = pooled(entries("a", "b", "c"))
    assert [(each["dataset"], each["claim"]) for each in found] == [
        ("pooled", claim.number) for claim in CLAIMS
    ]
    for claim, each in zip(CLAIMS, found, strict=True):
        assert each["verdict"] == ("supported" if claim.direction > 0 else "not supported")
        assert each["estimate"] == pytest.approx(3.0)
        assert "Hartung" in each["test"]
        assert [row["dataset"] for row in each["details"]["datasets"]] == ["a", "b", "c"]


def test_a_claim_that_too_few_datasets_estimate_is_undecided_and_says_so() -> None:
    given = entries("a", "b", "c")
    given[0] = entry("a", 1, None)
    found = pooled(given)[0]
    assert found["verdict"] == "undecided"
    assert "2 of 3 datasets have an estimate" in found["why"]


def test_a_claim_that_no_dataset_was_asked_has_no_pooled_entry() -> None:
    given = [each for each in entries("a", "b", "c") if each["claim"] <= 5]
    assert [each["claim"] for each in pooled(given)] == [1, 2, 3, 4, 5]


def test_the_order_of_datasets_changes_no_number() -> None:
    given = [entry(n, c.number, 0.1 * i) for i, n in enumerate("abcd") for c in CLAIMS]
    for one, other in zip(pooled(given), pooled(given[::-1]), strict=True):
        assert one["estimate"] == pytest.approx(other["estimate"], rel=1e-12)
        assert one["interval"] == pytest.approx(other["interval"], rel=1e-12)


def test_what_is_planted_alike_in_all_is_held_against_the_pooled_estimate() -> None:
    found = pooled(entries("a", "b", "c", planted=True))
    assert [each["recovered"] for each in found] == [claim.direction > 0 for claim in CLAIMS]
    mixed = pooled([*entries("a", "b", planted=True), *entries("c", planted=False)])
    assert {each["planted"] for each in mixed} == {None}
