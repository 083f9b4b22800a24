"""Claim 3: alignment emerges earlier in training in temporal than in frontal regions.

t50 of temporal minus frontal regions, paired within models, mean over models.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from geomod.claims.claim import (
    Claim,
    Details,
    Estimate,
    Evidence,
    Finding,
    OtherTest,
    Trial,
    Truth,
)
from geomod.curves.curves import mean_ignoring_nan
from geomod.curves.estimates import t_interval
from geomod.curves.settings import Settings
from geomod.emergence.contrasts import mean_contrast, timing_contrasts
from geomod.emergence.noise import autoregressive, step_noise
from geomod.emergence.onsets import FEWEST_STEPS, rise_null, rise_p

RISE = "rise of a region beyond drift"


def find(evidence: Evidence) -> Finding:
    """The contrast of the models that have an onset on both sides."""
    curves, settings = evidence.curves, evidence.settings
    known = timing_contrasts(
        curves,
        settings.temporal,
        settings.frontal,
        evidence.rng("claim 3"),
        settings.bootstrap,
        settings.alpha,
    )
    missing = [c.model for c in curves if c.model not in known]
    details: Details = {
        "models": [
            {
                "model": model,
                "temporal_minus_frontal": each.value,
                "t50": {region: onset.t50 for region, onset in each.onsets.items()},
                "censoring": {region: onset.censoring for region, onset in each.onsets.items()},
            }
            for model, each in known.items()
        ],
        "models_without_onset": missing,
        "variability": _variability(evidence.emergence, settings),
    }
    if not known:
        regions = ", ".join((*settings.temporal, *settings.frontal))
        return Finding(None, f"no model has an onset on both sides among {regions}", details)
    same_people = len({c.participants for c in curves if c.model in known}) == 1
    value, se, df = mean_contrast(list(known.values()), same_people)
    p = float(2 * stats.t.sf(abs(value) / se, df)) if se > 0 and df > 0 else math.nan
    note = f"no onset on one side in {', '.join(missing)}" if missing else ""
    return Finding(Estimate(value, *t_interval(value, se, df, settings.alpha), p), note, details)


def _variability(emergence: pd.DataFrame, settings: Settings) -> dict[str, float]:
    """Mean SD after the rise, temporal and frontal: is the one steady and the other dynamic?"""
    groups = {"temporal": settings.temporal, "frontal": settings.frontal}
    return {
        name: float(emergence.loc[emergence["region"].isin(regions), "variability"].mean())
        for name, regions in groups.items()
    }


def flat_p(trial: Trial) -> float:
    """p of the rise of a region that only drifts, or of one that rises, in the largest model.

    The likeness of neighbouring checkpoints is estimated, as it is from data, from all regions.
    """
    regions = [
        (c.time, mean_ignoring_nan(c.of([r]), axis=1)) for c in trial.curves for r in c.regions
    ]
    time, rising = regions[-1]
    if len(time) < FEWEST_STEPS:
        return np.nan
    drift = autoregressive(trial.rho, (len(time),), trial.rng, axis=0)
    curve = rising if trial.planted else drift
    rho, _ = step_noise([*regions, (time, drift)], trial.rng)
    return rise_p(time, curve, rise_null(time, rho, trial.settings.bootstrap, trial.rng))


def in_brain(truth: Mapping[str, Any]) -> bool:
    """Regions that lean on early latents come before those that lean on late ones."""
    share = truth["early_share"]
    return min(share[r] for r in truth["first"]) > max(share[r] for r in truth["later"])


TEMPORAL_FIRST = Claim(
    number=3,
    name="temporal before frontal",
    statement="Alignment emerges earlier in training in temporal than in frontal regions.",
    unit="decades of training, temporal − frontal",
    direction=-1,
    test="t on the t50 contrast",
    smallest=0.15,
    find=find,
    absent=Truth(),
    planted=Truth(lead=0.5),
    others=(OtherTest(RISE, flat_p, null="flat curve"),),
    in_brain=in_brain,
)
