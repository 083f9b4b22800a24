"""The paper's claims, each with an estimate, an interval, a test and a verdict.

Every claim has one estimate, one interval and one test, chosen beforehand (docs/statistics.md);
what else is worth knowing, the paper's own numbers among it, goes to `details`.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from geomod.claims.claim import Claim, Details, Estimate, Evidence, Finding
from geomod.claims.registry import CLAIMS
from geomod.claims.seeds import Seeds, with_seeds
from geomod.curves.curves import HEADLINE, gather
from geomod.curves.estimates import false_discovery_rate
from geomod.curves.settings import Settings

log = logging.getLogger(__name__)

# A test that rejects true nulls more often than this at the .05 level is not used for a verdict.
TOLERATED_LEVEL = 0.075


def claims(
    geometry: pd.DataFrame,
    encoding: pd.DataFrame,
    modules: pd.DataFrame,
    emergence: pd.DataFrame,
    models: pd.DataFrame | None = None,
    *,
    settings: Settings | None = None,
    seed: int = 0,
    folds: pd.DataFrame | None = None,
    covariates: pd.DataFrame | None = None,
    competence: pd.DataFrame | None = None,
    retaken: pd.DataFrame | None = None,
    calibration: pd.DataFrame | None = None,
    planted: Mapping[int, bool] | None = None,
    variants: Mapping[str, str] = HEADLINE,
    seeds: Seeds | None = None,
) -> list[Details]:
    """An entry a claim for claims.json; NaN is given as None.

    `calibration` is the table that `geomod.scrutiny` makes; `planted` says of a simulated brain
    which claims are true in it, `seeds` of which suite and seed a model is. `competence` has a
    column a family (`geomod.competence.shares`); claims about competence have an entry only where
    it was measured. `recovered`: a true claim's interval lies on its side of zero, a false one is
    not found supported.
    """
    curves = gather(
        geometry,
        encoding,
        models,
        folds=folds,
        covariates=covariates,
        competence=competence,
        retaken=retaken,
        variants=variants,
    )
    evidence = Evidence(curves, settings or Settings(), seed, modules, emergence)
    return judge(
        [
            (claim, with_seeds(claim, claim.find(evidence), evidence, seeds or {}))
            for claim in CLAIMS
            if claim.askable(curves)
        ],
        evidence.settings.alpha,
        calibration,
        planted,
    )


def judge(
    found: Sequence[tuple[Claim, Finding]],
    alpha: float,
    calibration: pd.DataFrame | None = None,
    planted: Mapping[int, bool] | None = None,
) -> list[Details]:
    """Adjust the claims' p for each other (Benjamini–Hochberg) and give each its verdict."""
    estimates = [finding.estimate for _, finding in found]
    q = false_discovery_rate([np.nan if each is None else each.p for each in estimates])
    return [
        _entry(claim, finding, float(own_q), alpha, calibration, (planted or {}).get(claim.number))
        for (claim, finding), own_q in zip(found, q, strict=True)
    ]


def _entry(
    claim: Claim,
    finding: Finding,
    q: float,
    alpha: float,
    calibration: pd.DataFrame | None,
    truth: bool | None,
) -> Details:
    estimate = finding.estimate
    level = level_of(claim.test, calibration)
    word, why = verdict(finding, q, claim, alpha, level)
    log.info("claim %d: %s (%s)", claim.number, word, why)
    return {
        "claim": claim.number,
        "name": claim.name,
        "statement": claim.statement,
        "estimate": _plain(estimate.value if estimate else math.nan),
        "unit": claim.unit,
        "interval": [_plain(b) for b in (estimate.low, estimate.high)]
        if estimate and np.isfinite([estimate.low, estimate.high]).all()
        else None,
        "paper_direction": "positive" if claim.direction > 0 else "negative",
        "smallest": claim.smallest,
        "test": claim.test,
        "p": _plain(estimate.p if estimate else math.nan),
        "q": _plain(q),
        "calibrated_level": _plain(math.nan if level is None else level),
        "verdict": word,
        "why": why,
        "planted": truth,
        "recovered": None if truth is None else _recovered(truth, estimate, claim.direction, word),
        "details": _plain(finding.details),
    }


def planted_claims(truth: Mapping[str, Any]) -> dict[int, bool]:
    """Which claims a simulated brain makes true, of those that it plants anything of.

    The geometry of the models, and what it has to do with their alignment, is their own.
    """
    return {claim.number: claim.in_brain(truth) for claim in CLAIMS if claim.in_brain}


def _recovered(truth: bool, estimate: Estimate | None, direction: int, word: str) -> bool:
    if not truth:
        return word != "supported"
    if estimate is None:
        return False
    return bool(min(direction * estimate.low, direction * estimate.high) > 0)


def verdict(
    finding: Finding,
    q: float,
    claim: Claim,
    alpha: float = 0.05,
    level: float | None = None,
) -> tuple[str, str]:
    """Supported, not supported or undecided, and why: the rule declared in docs/statistics.md.

    `q` is the adjusted p of the claim's test, `level` that test's false-positive rate in a
    calibration, where one was run.
    """
    estimate = finding.estimate
    if estimate is None:
        return "undecided", finding.note
    direction, smallest = claim.direction, claim.smallest
    numbers = (estimate.value, estimate.low, estimate.high)
    if not all(np.isfinite(numbers)):
        word, why = "undecided", "there is no estimate with an interval"
    elif -smallest < estimate.low and estimate.high < smallest:
        word, why = "not supported", f"the whole interval is smaller than ±{smallest:g}"
    elif finding.refuted:
        word, why = "not supported", finding.refuted
    elif doubt := _doubt(finding, estimate, q, alpha, level):
        word, why = "undecided", doubt
    elif direction * estimate.low > 0 and direction * estimate.high > 0:
        word, why = "supported", f"the interval excludes zero in the paper's direction, q = {q:.3g}"
    else:
        word, why = "not supported", f"the interval lies on the other side of zero, q = {q:.3g}"
    return word, f"{why}; {finding.note}" if finding.note else why


def _doubt(
    finding: Finding, estimate: Estimate, q: float, alpha: float, level: float | None
) -> str:
    """Why an effect on either side cannot be believed; nothing where it can."""
    if estimate.low <= 0 <= estimate.high:
        return "the interval includes zero"
    if level is not None and level > TOLERATED_LEVEL:
        return f"the test rejects {level:.1%} of true nulls on this grid"
    if not np.isfinite(q):
        return "the level-holding test could not be computed"
    if q > alpha:
        return f"the level-holding test gives q = {q:.3f} > {alpha:g}"
    return finding.against


def level_of(test: str, calibration: pd.DataFrame | None) -> float | None:
    """A test's false-positive rate, where it was measured."""
    if calibration is None:
        return None
    rows = calibration.loc[calibration["test"] == test, "level"]
    return float(rows.iloc[0]) if len(rows) and np.isfinite(rows.iloc[0]) else None


def _plain(value: Any) -> Any:
    """Python numbers, lists and dicts that JSON knows; NaN and infinity become None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
