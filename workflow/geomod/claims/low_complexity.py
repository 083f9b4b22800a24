"""Claim 2: the module of low complexity predicts the language network better.

Score of the low minus the high module in the last decade of training, mean over models.
"""

import math

import numpy as np
import pandas as pd

from geomod.claims.claim import Claim, Details, Estimate, Evidence, Finding, Truth, in_details
from geomod.coupling.trends import beyond_trends
from geomod.curves.curves import Curves
from geomod.curves.estimates import mean_and_se, network_of, t_interval
from geomod.modules.low_high import (
    LateContrast,
    beyond_depth,
    combined_p,
    error_of,
    late_contrast,
    low_blocks,
)

SLIDING_LABELS = "module labels slid over depth"


def find(evidence: Evidence) -> Finding:
    """The contrast over participants, folds and late checkpoints; its p beyond smooth depth."""
    curves, modules, settings = evidence.curves, evidence.modules, evidence.settings
    tried = {c.model: late_contrast(c, modules, network_of(c, settings)) for c in curves}
    found = [each for each in tried.values() if each is not None]
    notes = [_why_no_contrast(c, modules) for c in curves if tried[c.model] is None]
    notes += [
        f"{each.model} has one late checkpoint: the interval speaks of no other"
        for each in found
        if len(each.steps) == 1
    ]
    details: Details = {"models": [_row_of(each) for each in found]}
    if not found:
        reason = "no model has both modules and scores in the last decade of training"
        return Finding(None, "; ".join([reason, *notes]), details)
    averages = np.array([each.steps.mean() for each in found])
    details["average_brain"] = float(averages.mean())
    draws, sliding = settings.permutations, [each.sliding for each in found]
    details[SLIDING_LABELS] = combined_p(sliding, draws, evidence.rng("claim 2", SLIDING_LABELS))
    pairs = [each.pair for each in found if each.pair is not None]
    z, p = beyond_trends(pairs, draws, evidence.rng("claim 2"))
    same_people = len({c.participants for c in curves}) == 1
    if same_people and all(len(each.people) > 1 for each in found):
        people = np.mean([each.people for each in found], axis=0)
        same_folds = len({len(each.folds) for each in found}) == 1
        folds = np.mean([each.folds for each in found], axis=0) if same_folds else np.empty(0)
        value = float(np.nanmean(people))
        se, df, details["units"] = error_of(people, folds, [each.course for each in found])
    else:
        value, se, df = mean_and_se(averages)
        details["units"] = "models"
    if not np.isfinite(se):
        reason = "one model without participants gives no interval"
        return Finding(None, "; ".join([reason, *notes]), {**details, "p": p})
    estimate = Estimate(value, *t_interval(value, se, df, settings.alpha), p)
    against = "beyond a smooth trend over depth the labels point the other way"
    return Finding(estimate, "; ".join(notes), details, against if value * z < 0 else "")


def _row_of(found: LateContrast) -> Details:
    return {
        "model": found.model,
        "low_minus_high": found.steps.mean(),
        "beyond_depth": math.nan if found.pair is None else beyond_depth(found.pair),
        "steps": len(found.steps),
        "steps_positive": (found.steps > 0).mean(),
        "sd_over_steps": found.steps.std(ddof=1) if len(found.steps) > 1 else math.nan,
    }


def _why_no_contrast(curves: Curves, modules: pd.DataFrame) -> str:
    blocks = len(curves.layers)
    if blocks <= 2:
        return f"{curves.model} has {blocks} block{'s' * (blocks > 1)}, and a block is no module"
    if not np.isfinite(low_blocks(modules, curves)[curves.trained]).any():
        return f"{curves.model} has no low and high module"
    return f"{curves.model} has no scores of its modules"


LOW_COMPLEXITY = Claim(
    number=2,
    name="low complexity aligns",
    statement="The module of low complexity predicts the language network better.",
    unit="Pearson r, low − high",
    direction=1,
    test="module labels, signs of depth waves flipped",
    smallest=0.01,
    find=find,
    absent=Truth(separation=1.0),  # given that there are modules
    planted=Truth(separation=1.0, advantage=0.5),
    others=(in_details(SLIDING_LABELS),),
    metrics=("entropy", "curvature"),
    quantity="low − high module",
)
