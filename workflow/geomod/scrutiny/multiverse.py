"""Which findings survive which choice of entropy and curvature: a specification curve.

Every pair of an entropy and a curvature variant is one specification. The layers are partitioned
and the claims tested under each, by the same functions and settings as under the headline pair
(Simonsohn, Simmons and Nelson 2020 on why one pair is not enough).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

import pandas as pd

from geomod.claims.claim import Claim, Evidence, Finding
from geomod.claims.curvature import ENTROPY_INSTEAD
from geomod.claims.judge import level_of, verdict
from geomod.claims.registry import CLAIMS
from geomod.curves.curves import Curves, gather
from geomod.curves.settings import Settings
from geomod.modules.partition import find_modules

# Headline numbers, each with the rule of the claim that judges it.
QUANTITIES = (*(claim for claim in CLAIMS if claim.quantity), ENTROPY_INSTEAD)


def specification_curve(
    geometry: pd.DataFrame,
    encoding: pd.DataFrame,
    models: pd.DataFrame | None = None,
    *,
    entropy: Sequence[str],
    curvature: Sequence[str],
    settings: Settings | None = None,
    seed: int = 0,
    k: int = 2,
    method: str = "kmeans",
    folds: pd.DataFrame | None = None,
    calibration: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The headline quantities under every specification; the first variants are the headline.

    Columns: quantity, entropy, curvature (empty where the quantity does not depend on it),
    headline, estimate, low, high, p, verdict, why, rank (by estimate within the quantity, from 1).
    p is that of the specification alone: it pays for no other. A specification that cannot be
    estimated keeps its row, with NaN and the reason.
    """
    settings = settings or Settings()
    rows = []
    for claim in QUANTITIES:
        for chosen in _specifications(claim, {"entropy": entropy, "curvature": curvature}):
            curves = gather(geometry, encoding, models, folds=folds, variants=chosen)
            evidence = Evidence(curves, settings, seed, beside=False)
            if claim.of_modules:
                late = _trained(geometry, curves)
                modules = find_modules(
                    late,
                    k=k,
                    method=method,
                    seed=seed,
                    null_draws=0,
                    entropy=chosen["entropy"],
                    curvature=chosen["curvature"],
                )
                evidence = replace(evidence, modules=modules)
            rows.append(
                {
                    "quantity": claim.quantity,
                    **{m: chosen[m] if m in claim.metrics else "" for m in chosen},
                    "headline": chosen == {"entropy": entropy[0], "curvature": curvature[0]},
                    **_judged(claim, claim.find(evidence), settings.alpha, calibration),
                }
            )
    table = pd.DataFrame(rows)
    ranks = table.groupby("quantity")["estimate"].rank(method="first")
    return table.assign(rank=ranks.astype("Int64"))


def _specifications(
    claim: Claim, variants: Mapping[str, Sequence[str]]
) -> Iterator[dict[str, str]]:
    """Every pair of variants; where a metric does not matter, its first variant stands in."""
    lists = [names if m in claim.metrics else names[:1] for m, names in variants.items()]
    for pair in product(*lists):
        yield dict(zip(variants, pair, strict=True))


def _trained(geometry: pd.DataFrame, curves: Sequence[Curves]) -> pd.DataFrame:
    """The rows of the last decade of training, where the difference between modules is read."""
    late = {c.model: c.steps[c.trained] for c in curves}
    rows = geometry[["model", "step"]].itertuples(index=False)
    return geometry[[step in late.get(model, ()) for model, step in rows]]


def _judged(
    claim: Claim, finding: Finding, alpha: float, calibration: pd.DataFrame | None
) -> dict[str, float | str]:
    estimate = finding.estimate
    p = math.nan if estimate is None else estimate.p
    word, why = verdict(finding, p, claim, alpha, level_of(claim.test, calibration))
    numbers = ("value", "low", "high", "p")
    value, low, high, p = (math.nan if estimate is None else getattr(estimate, n) for n in numbers)
    return {"estimate": value, "low": low, "high": high, "p": p, "verdict": word, "why": why}


def survival(table: pd.DataFrame) -> pd.DataFrame:
    """For each quantity: how many specifications, what they give, how many agree with the headline.

    Columns: quantity, specifications, estimated, median, smallest, largest, same_sign and
    same_verdict (shares of those estimated, compared with the headline), supported (their share).
    """
    rows = []
    for quantity, every in table.groupby("quantity", sort=False):
        known = every[every["estimate"].notna()]
        headline = every[every["headline"]].iloc[0]
        sign = (known["estimate"] > 0) == (headline["estimate"] > 0)
        comparable = len(known) > 0 and not math.isnan(headline["estimate"])
        same = known["verdict"] == headline["verdict"]
        rows.append(
            {
                "quantity": quantity,
                "specifications": len(every),
                "estimated": len(known),
                "median": known["estimate"].median(),
                "smallest": known["estimate"].min(),
                "largest": known["estimate"].max(),
                "same_sign": sign.mean() if comparable else math.nan,
                "same_verdict": same.mean() if comparable else math.nan,
                "supported": (known["verdict"] == "supported").mean() if len(known) else math.nan,
            }
        )
    return pd.DataFrame(rows)
