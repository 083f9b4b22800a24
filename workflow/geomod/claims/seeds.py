"""Trainings of the same models from other seeds, as replicates of a claim.

A claim's own interval speaks of the models at hand. Where a suite has seeds, the claim is found
once more in the models of each seed, and the mean of these estimates has a t interval with
seeds − 1 degrees of freedom: it speaks of another training of the same models, read by the same
brains.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from geomod.claims.claim import Claim, Details, Evidence, Finding
from geomod.curves.estimates import mean_and_se, t_interval

FEWEST = 3  # of two seeds an interval is twelve times as wide as the two lie apart

Seeds = Mapping[str, tuple[str, int]]  # model → its suite and seed


def with_seeds(claim: Claim, finding: Finding, evidence: Evidence, seeds: Seeds) -> Finding:
    """The finding, with `over_seeds` among its details where suites have seeds.

    Where three seeds or more do not agree on the side of zero that the estimate is on, that is
    against it.
    """
    suites = over_seeds(claim, evidence, seeds)
    if not suites:
        return finding
    details = {**finding.details, "over_seeds": suites}
    against = [finding.against] if finding.against else []
    for suite in suites:
        bounds = np.array([suite["low"], suite["high"]])
        if finding.estimate is None or suite["k"] < FEWEST or not np.isfinite(bounds).all():
            continue
        if (np.sign(finding.estimate.value) * bounds).min() <= 0:
            against.append(
                f"over {suite['k']} seeds of {suite['suite']} the interval, {bounds[0]:.3g} to "
                f"{bounds[1]:.3g}, is not on that side of zero"
            )
    return replace(finding, details=details, against=" and ".join(against))


def over_seeds(claim: Claim, evidence: Evidence, seeds: Seeds) -> list[Details]:
    """For each suite with two seeds or more: the estimate of each, their mean, and its interval."""
    found: list[Details] = []
    for suite in dict.fromkeys(suite for suite, _ in seeds.values()):
        estimates = {
            seed: _of_seed(claim, evidence, {m for m, own in seeds.items() if own == (suite, seed)})
            for seed in sorted({seed for other, seed in seeds.values() if other == suite})
        }
        if len(estimates) < 2:
            continue
        values = np.array(list(estimates.values()))
        mean, se, df = mean_and_se(values)
        low, high = t_interval(mean, se, df, evidence.settings.alpha)
        rows = [{"seed": seed, "estimate": value} for seed, value in estimates.items()]
        known = int(np.isfinite(values).sum())
        sd = se * np.sqrt(known)
        found.append(
            {"suite": suite, "k": known, "mean": mean, "sd": sd, "low": low, "high": high}
            | {"seeds": rows}
        )
    return found


def _of_seed(claim: Claim, evidence: Evidence, models: set[str]) -> float:
    """The claim's estimate from some models alone; NaN where there is none."""
    curves = [c for c in evidence.curves if c.model in models]
    if not curves:
        return np.nan
    finding = claim.find(replace(evidence, curves=curves, beside=False))
    return np.nan if finding.estimate is None else finding.estimate.value
