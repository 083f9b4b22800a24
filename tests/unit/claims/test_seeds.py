"""Other trainings of the same models are replicates of a claim."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from geomod.claims.claim import Claim, Estimate, Evidence, Finding, Truth
from geomod.claims.judge import judge
from geomod.claims.registry import CLAIMS
from geomod.claims.seeds import over_seeds, with_seeds
from geomod.claims.size import SIZE
from geomod.scrutiny.synthetic import Design, Frame, simulate
from tests.unit.claims.test_judge import QUIET, SETTINGS

SEEDED = {f"poly-{size}-seed{seed}": ("poly", seed) for size in "ab" for seed in (1, 2, 3)}
FRAMES = tuple(
    Frame(name, {"a": 1e6, "b": 1e7}[name[5]], (0, 1, 2, 4, 8, 16, 32, 64), 6) for name in SEEDED
)
DESIGN = Design((*FRAMES, Frame("other-c", 1e5, (0, 1, 8, 64), 4)), ("netw",), 3, QUIET, QUIET, 0.1)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    truth = Truth(coupling=1.0)
    return Evidence(simulate(DESIGN, truth, np.random.default_rng(0)), SETTINGS, beside=False)


def height(evidence: Evidence) -> Finding:
    value = float(np.mean([c.score[-1].mean() for c in evidence.curves]))
    return Finding(Estimate(value, value - 0.1, value + 0.1, 0.001))


HEIGHT = replace(CLAIMS[0], find=height)


def test_each_seed_is_its_models_alone_and_the_interval_that_of_a_t_test(
    evidence: Evidence,
) -> None:
    (found,) = over_seeds(HEIGHT, evidence, SEEDED)
    scores = {c.model: c.score[-1].mean() for c in evidence.curves}
    own = [np.mean([scores[f"poly-{size}-seed{seed}"] for size in "ab"]) for seed in (1, 2, 3)]
    assert [row["seed"] for row in found["seeds"]] == [1, 2, 3]
    np.testing.assert_allclose([row["estimate"] for row in found["seeds"]], own)
    test = stats.ttest_1samp(own, 0)
    np.testing.assert_allclose(
        (found["low"], found["high"]), test.confidence_interval(0.95), rtol=1e-9
    )
    assert (found["suite"], found["k"]) == ("poly", 3)
    assert (found["mean"], found["sd"]) == pytest.approx((np.mean(own), np.std(own, ddof=1)))


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_every_claim_can_be_found_in_a_seed(evidence: Evidence, claim: Claim) -> None:
    (found,) = over_seeds(claim, evidence, SEEDED)
    assert len(found["seeds"]) == 3


def test_two_suites_are_not_mixed_and_one_seed_is_no_replicate(evidence: Evidence) -> None:
    two = {model: (model[:6], seed) for model, (_, seed) in SEEDED.items()}
    assert [each["suite"] for each in over_seeds(HEIGHT, evidence, two)] == ["poly-a", "poly-b"]
    one = {model: own for model, own in SEEDED.items() if own[1] == 1}
    assert over_seeds(HEIGHT, evidence, one) == []
    assert with_seeds(HEIGHT, height(evidence), evidence, one) == height(evidence)


@pytest.mark.parametrize(
    ("seeds", "verdict"), [((0.4, 0.5, 0.6), "supported"), ((-0.3, 0.5, 0.9), "undecided")]
)
def test_a_claim_on_which_seeds_do_not_agree_is_undecided(
    evidence: Evidence, seeds: tuple[float, ...], verdict: str
) -> None:
    by_seed = dict(zip((1, 2, 3), seeds, strict=True))

    def find(evidence: Evidence) -> Finding:
        named = [SEEDED[c.model][1] for c in evidence.curves if c.model in SEEDED]
        value = float(np.mean([by_seed[seed] for seed in named]))
        return Finding(Estimate(value, value - 0.1, value + 0.1, 0.001))

    claim = replace(CLAIMS[0], find=find, smallest=0.05)
    (entry,) = judge([(claim, with_seeds(claim, find(evidence), evidence, SEEDED))], 0.05)
    assert entry["verdict"] == verdict
    assert ("over 3 seeds of poly the interval" in entry["why"]) == (verdict == "undecided")
    assert entry["details"]["over_seeds"][0]["mean"] == pytest.approx(np.mean(seeds))


def test_seeds_of_a_size_are_points_of_the_size_trend(evidence: Evidence) -> None:
    curves = [c for c in evidence.curves if c.model in SEEDED]
    finding = SIZE.find(replace(evidence, curves=curves))
    assert (finding.details["sizes"], finding.details["models"]) == (2, 6)
    assert finding.note == "6 models of 2 sizes leave 4 degrees of freedom"
