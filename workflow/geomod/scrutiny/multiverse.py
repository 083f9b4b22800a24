"""Which findings survive which choice of entropy and curvature: a specification curve.

Every pair of an entropy and a curvature variant is one specification. The layers are partitioned
and the claims tested under each, by the same functions and settings as under the headline pair
(Simonsohn, Simmons and Nelson 2020 on why one pair is not enough).
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import pandas as pd

from geomod.claims.evidence import curvature_predicts, low_complexity_aligns
from geomod.claims.judge import TESTS, level_of
from geomod.curves.curves import Curves, gather
from geomod.curves.estimates import Finding, Settings, verdict
from geomod.modules.partition import find_modules


@dataclass(frozen=True)
class Quantity:
    """A headline number, the claim whose rule judges it, and the metrics that it depends on."""

    name: str
    claim: int
    direction: int
    metrics: tuple[str, ...]
    find: Callable[[Sequence[Curves], pd.DataFrame, Settings, int], Finding]


def _of_curvature(
    curves: Sequence[Curves], modules: pd.DataFrame, settings: Settings, seed: int
) -> Finding:
    return curvature_predicts(curves, settings, seed, beside=False)


def _of_entropy(
    curves: Sequence[Curves], modules: pd.DataFrame, settings: Settings, seed: int
) -> Finding:
    swapped = [replace(c, curvature=c.entropy) for c in curves]
    return curvature_predicts(swapped, settings, seed, beside=False)


QUANTITIES = (
    Quantity("low − high module", 2, 1, ("entropy", "curvature"), low_complexity_aligns),
    Quantity("partial r of curvature", 4, -1, ("curvature",), _of_curvature),
    Quantity("partial r of entropy", 4, -1, ("entropy",), _of_entropy),
)


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
    checkpoints: pd.DataFrame | None = None,
    folds: pd.DataFrame | None = None,
    covariates: pd.DataFrame | None = None,
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
    for quantity in QUANTITIES:
        for chosen in _specifications(quantity, {"entropy": entropy, "curvature": curvature}):
            curves = gather(
                geometry,
                encoding,
                models,
                checkpoints=checkpoints,
                folds=folds,
                covariates=covariates,
                entropy=chosen["entropy"],
                curvature=chosen["curvature"],
            )
            modules = pd.DataFrame()
            if len(quantity.metrics) == 2:
                modules = find_modules(
                    _trained(geometry, curves),
                    k=k,
                    method=method,
                    seed=seed,
                    null_draws=0,
                    checkpoints=checkpoints,
                    entropy=chosen["entropy"],
                    curvature=chosen["curvature"],
                )
            finding = quantity.find(curves, modules, settings, seed)
            rows.append(
                {
                    "quantity": quantity.name,
                    **{m: chosen[m] if m in quantity.metrics else "" for m in chosen},
                    "headline": chosen == {"entropy": entropy[0], "curvature": curvature[0]},
                    **_judged(quantity, finding, settings, calibration),
                }
            )
    table = pd.DataFrame(rows)
    ranks = table.groupby("quantity")["estimate"].rank(method="first")
    return table.assign(rank=ranks.astype("Int64"))


def _specifications(
    quantity: Quantity, variants: Mapping[str, Sequence[str]]
) -> Iterator[dict[str, str]]:
    """Every pair of variants; where a metric does not matter, its first variant stands in."""
    lists = [names if m in quantity.metrics else names[:1] for m, names in variants.items()]
    for pair in product(*lists):
        yield dict(zip(variants, pair, strict=True))


def _trained(geometry: pd.DataFrame, curves: Sequence[Curves]) -> pd.DataFrame:
    """The rows of the last decade of training, where the difference between modules is read."""
    late = {c.model: c.steps[c.trained] for c in curves}
    rows = geometry[["model", "step"]].itertuples(index=False)
    return geometry[[step in late.get(model, ()) for model, step in rows]]


def _judged(
    quantity: Quantity, finding: Finding, settings: Settings, calibration: pd.DataFrame | None
) -> dict[str, float | str]:
    estimate = finding.estimate
    word, why = verdict(
        finding,
        math.nan if estimate is None else estimate.p,
        direction=quantity.direction,
        smallest=settings.smallest[quantity.claim],
        alpha=settings.alpha,
        level=level_of(TESTS[quantity.claim], calibration),
    )
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
