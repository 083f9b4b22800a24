"""Claim 1: the blocks of a trained model form two modules.

Mean silhouette of two modules above its null, in the last decade of training.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geomod.claims.claim import Claim, Details, Estimate, Evidence, Finding, Truth, in_details
from geomod.curves.curves import mean_ignoring_nan
from geomod.curves.estimates import permutation_p, t_interval
from geomod.modules.partition import FEWEST_LAYERS, exceedance_p, partition, persistence, select_k

Array = NDArray[np.float64]

RANDOM_WALK = "p against a random walk over depth"


def find(evidence: Evidence) -> Finding:
    """The silhouettes of all models against the means of their nulls."""
    modules, settings = evidence.modules, evidence.settings
    method = str(modules["method"].iloc[0]) if len(modules) else "kmeans"
    found = {}
    for c in evidence.curves:
        metrics = (c.metrics["entropy"], c.metrics["curvature"])
        cloud = np.stack([mean_ignoring_nan(m[c.trained], axis=0) for m in metrics], axis=-1)
        cloud = cloud[np.isfinite(cloud).all(axis=1)]
        if len(cloud) < FEWEST_LAYERS:
            continue
        rng = evidence.rng("claim 1", c.model)
        result = partition(
            cloud, 2, method=method, rng=rng, draws=settings.null_draws, alpha=settings.alpha
        )
        if len(result.null):
            found[c.model] = result
    details: Details = {
        "models": [
            {
                "model": model,
                "silhouette": each.silhouette,
                "null_mean": each.null.mean(),
                "null_p": each.p,
                RANDOM_WALK: each.walk_p,
                "k_selected": each.k_selected,
            }
            for model, each in found.items()
        ]
    }
    if evidence.beside:
        details["persistence"] = persistence(modules).to_dict("records")
    if not found:
        reason = f"no model has {FEWEST_LAYERS} blocks whose geometry differs"
        return Finding(None, reason, details)
    value, null = _mean_excess([(each.silhouette, each.null) for each in found.values()])
    walk_p = exceedance_p(*_mean_excess([(each.silhouette, each.walk) for each in found.values()]))
    asked = select_k([each.gaps for each in found.values()], settings.alpha)
    details |= {RANDOM_WALK: walk_p, "k_selected": asked}
    se = float(np.sqrt(np.sum([each.se**2 for each in found.values()]))) / len(found)
    # A silhouette is free of scale: its spread does not inherit the doubt about the scatter's size,
    # which degrees of freedom would pay for.
    low, high = t_interval(value, se, math.inf, settings.alpha)
    estimate = Estimate(value, low, high, permutation_p(value, null))
    return Finding(estimate, "", details, against_two(value, asked, walk_p, settings.alpha))


def _mean_excess(found: Sequence[tuple[float, Array]]) -> tuple[float, Array]:
    """Mean over models of a silhouette above its null's mean, and its null draws."""
    value = float(np.mean([silhouette - null.mean() for silhouette, null in found]))
    return value, np.mean([null - null.mean() for _, null in found], axis=0)


def against_two(value: float, asked: int, walk_p: float, alpha: float) -> str:
    """What speaks against two modules where the silhouette speaks for them, or the other way.

    `asked`: how many modules the gap statistic asks for, over all models.
    """
    doubts = []
    if asked != 2:
        doubts.append(f"the gap statistic asks for {asked} module{'s' * (asked > 1)}, not for 2")
    if walk_p > alpha:
        doubts.append(f"a random walk over depth is as clustered, p = {walk_p:.3f} > {alpha:g}")
    if value > 0:
        return " and ".join(doubts)
    return "" if doubts else "the gap statistic and the random walk speak for two modules"


MODULARIZATION = Claim(
    number=1,
    name="modularization",
    statement=(
        "The blocks of a trained model form two modules, one of low and one of high complexity."
    ),
    unit="silhouette above the smooth-gradient null",
    direction=1,
    test="silhouette against a smooth gradient",
    smallest=0.05,
    find=find,
    absent=Truth(),
    planted=Truth(separation=1.0),
    others=(in_details(RANDOM_WALK),),
    metrics=("entropy", "curvature"),
)
