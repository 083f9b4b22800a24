"""The paper's five claims, each with an estimate, an interval, a test and a verdict.

Every claim has one estimate, one interval and one test, chosen beforehand (docs/statistics.md);
what else is worth knowing, the paper's own numbers among it, goes to `details`.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from geomod.claims.evidence import (
    curvature_predicts,
    low_complexity_aligns,
    modularization,
    stronger_with_size,
    temporal_before_frontal,
)
from geomod.curves.curves import gather
from geomod.curves.estimates import (
    Details,
    Estimate,
    Finding,
    Settings,
    false_discovery_rate,
    verdict,
)

log = logging.getLogger(__name__)

NAMES = {
    1: "modularization",
    2: "low complexity aligns",
    3: "temporal before frontal",
    4: "curvature predicts alignment",
    5: "stronger with size",
}
STATEMENTS = {
    1: "The blocks of a trained model form two modules, one of low and one of high complexity.",
    2: "The module of low complexity predicts the language network better.",
    3: "Alignment emerges earlier in training in temporal than in frontal regions.",
    4: "Lower curvature goes with higher alignment, training progress held fixed.",
    5: "The effect of curvature is stronger in larger models.",
}
UNITS = {
    1: "silhouette above the smooth-gradient null",
    2: "Pearson r, low − high",
    3: "decades of training, temporal − frontal",
    4: "partial r",
    5: "Fisher z toward the paper's direction, per tenfold parameters",
}
# The sign that the paper reports for each estimate.
DIRECTIONS = {1: 1, 2: 1, 3: -1, 4: -1, 5: 1}
TESTS = {
    1: "silhouette against a smooth gradient",
    2: "module labels, signs of depth waves flipped",
    3: "t on the t50 contrast",
    4: "signs of depth waves flipped",
    5: "t on the size trend",
}


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
    checkpoints: pd.DataFrame | None = None,
    covariates: pd.DataFrame | None = None,
    calibration: pd.DataFrame | None = None,
    planted: Mapping[int, bool] | None = None,
    entropy: str = "raw",
    curvature: str = "hosseini",
) -> list[Details]:
    """Five entries for claims.json; NaN is given as None.

    `calibration` is the table that `geomod.scrutiny` makes; `planted` says of a simulated brain
    which claims are true in it. `recovered`: a true claim's interval lies on its side of zero, a
    false one is not found supported.
    """
    settings = settings or Settings()
    curves = gather(
        geometry,
        encoding,
        models,
        checkpoints=checkpoints,
        folds=folds,
        covariates=covariates,
        entropy=entropy,
        curvature=curvature,
    )
    return judge(
        [
            modularization(curves, modules, settings, seed),
            low_complexity_aligns(curves, modules, settings, seed),
            temporal_before_frontal(curves, emergence, settings, seed),
            curvature_predicts(curves, settings, seed),
            stronger_with_size(curves, settings, seed),
        ],
        settings,
        calibration,
        planted or {},
    )


def judge(
    findings: Sequence[Finding],
    settings: Settings,
    calibration: pd.DataFrame | None = None,
    planted: Mapping[int, bool] | None = None,
) -> list[Details]:
    """Adjust the five p for each other (Benjamini–Hochberg) and give each claim its verdict."""
    q = false_discovery_rate([f.estimate.p if f.estimate else np.nan for f in findings])
    entries = []
    for claim, finding in enumerate(findings, start=1):
        estimate, direction = finding.estimate, DIRECTIONS[claim]
        level = level_of(TESTS[claim], calibration)
        word, why = verdict(
            finding,
            q[claim - 1],
            direction=direction,
            smallest=settings.smallest[claim],
            alpha=settings.alpha,
            level=level,
        )
        truth = (planted or {}).get(claim)
        entries.append(
            {
                "claim": claim,
                "name": NAMES[claim],
                "statement": STATEMENTS[claim],
                "estimate": _plain(estimate.value if estimate else math.nan),
                "unit": UNITS[claim],
                "interval": [_plain(b) for b in (estimate.low, estimate.high)]
                if estimate and np.isfinite([estimate.low, estimate.high]).all()
                else None,
                "paper_direction": "positive" if direction > 0 else "negative",
                "test": TESTS[claim],
                "p": _plain(estimate.p if estimate else math.nan),
                "q": _plain(q[claim - 1]),
                "calibrated_level": _plain(math.nan if level is None else level),
                "verdict": word,
                "why": why,
                "planted": truth,
                "recovered": None
                if truth is None
                else _recovered(truth, estimate, direction, word),
                "details": _plain(finding.details),
            }
        )
        log.info("claim %d: %s (%s)", claim, word, why)
    return entries


def _recovered(truth: bool, estimate: Estimate | None, direction: int, word: str) -> bool:
    if not truth:
        return word != "supported"
    return estimate is not None and min(direction * estimate.low, direction * estimate.high) > 0


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
