"""Claim 1: the blocks of a trained model form two modules.

In the last decade of training complexity steps over depth, beyond what smooth profiles look like.
The estimate is the height of that step in units of the scatter about it. It has no sign: that its
interval excludes zero says nothing, the test does.
"""

import numpy as np

from geomod.claims.claim import Claim, Details, Estimate, Evidence, Finding, Truth, in_details
from geomod.curves.curves import mean_ignoring_nan
from geomod.curves.estimates import permutation_p
from geomod.modules.partition import Partition, partition, persistence, select_k
from geomod.modules.steps import (
    FEWEST_LAYERS,
    StepTest,
    complexity,
    joint_p,
    mean_height,
    step_test,
    stepped_p,
)

GRADIENT = "silhouette against a smooth gradient"


def find(evidence: Evidence) -> Finding:
    """The steps of all models against smooth profiles."""
    modules, settings = evidence.modules, evidence.settings
    method = str(modules["method"].iloc[0]) if len(modules) else "kmeans"
    found: dict[str, tuple[Partition, StepTest]] = {}
    for c in evidence.curves:
        metrics = (c.metrics["entropy"], c.metrics["curvature"])
        cloud = np.stack([mean_ignoring_nan(m[c.trained], axis=0) for m in metrics], axis=-1)
        cloud = cloud[np.isfinite(cloud).all(axis=1)]
        if len(cloud) < FEWEST_LAYERS or not complexity(cloud).any():
            continue
        rng = evidence.rng("claim 1", c.model)
        result = partition(
            cloud, 2, method=method, rng=rng, draws=settings.null_draws, alpha=settings.alpha
        )
        found[c.model] = result, step_test(cloud, rng)
    details: Details = {
        "models": [
            {
                "model": model,
                "height": step.height,
                "gain": step.gain,
                "null_p": joint_p([step]),
                "silhouette": result.silhouette,
                "null_mean": result.null.mean(),
                "k_selected": result.k_selected,
            }
            for model, (result, step) in found.items()
        ]
    }
    if evidence.beside:
        details["persistence"] = persistence(modules).to_dict("records")
    if not found:
        reason = f"no model has {FEWEST_LAYERS} blocks whose geometry differs"
        return Finding(None, reason, details)
    partitions, steps = zip(*found.values(), strict=True)
    asked = select_k([each.gaps for each in partitions], settings.alpha)
    reverse = stepped_p(steps)
    excess = np.mean([each.silhouette - each.null.mean() for each in partitions])
    null = np.mean([each.null - each.null.mean() for each in partitions], axis=0)
    details |= {
        "silhouette above a smooth gradient": float(excess),
        GRADIENT: permutation_p(float(excess), null),
        "p of the smooth profile if the step were real": reverse,
        "k_selected": asked,
    }
    return Finding(
        Estimate(*mean_height(steps, settings.alpha), joint_p(steps)),
        "",
        details,
        against=more_than_two(asked),
        refuted=better_smooth(sum(step.gain for step in steps), reverse, settings.alpha),
    )


def more_than_two(asked: int) -> str:
    """What speaks against two modules: that the gap statistic, over all models, asks for more."""
    return f"the gap statistic asks for {asked} modules, not for 2" if asked > 2 else ""


def better_smooth(gain: float, p: float, alpha: float) -> str:
    """What refutes a step: smooth profiles are likelier, and p of it is small if it were real."""
    if gain >= 0 or p > alpha:
        return ""
    return f"a smooth profile describes the blocks better than the best step does, p = {p:.3f}"


MODULARIZATION = Claim(
    number=1,
    name="modularization",
    statement=(
        "The blocks of a trained model form two modules, one of low and one of high complexity."
    ),
    unit="height of the step, scatters",
    direction=1,
    test="step against smooth profiles",
    smallest=1.0,
    find=find,
    absent=Truth(),
    planted=Truth(separation=1.0),
    others=(in_details(GRADIENT),),
    metrics=("entropy", "curvature"),
    of_responses=False,
)
