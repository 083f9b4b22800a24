"""What the claims say of responses with a known answer, beside the truth: what came back.

The truth is what the same statistics give for the noise-free signal (`recovered`). Claim 1, which
no response changes, has controls of its own (`profiles.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.brain.responses import AVERAGE
from geomod.claims.claim import Claim, Evidence, Finding
from geomod.claims.judge import judge
from geomod.claims.modularization import MODULARIZATION
from geomod.claims.registry import CLAIMS
from geomod.curves.curves import Curves, mean_ignoring_nan
from geomod.curves.settings import Settings
from geomod.encoding.controls import NOISE_FREE
from geomod.scrutiny.controls import NULL
from geomod.scrutiny.noise import Noise
from geomod.scrutiny.profiles import GRADED, PROFILES, STEPPED, drawn

Array = NDArray[np.float64]

# (model, step) → layer → Pearson r [folds, targets], as `encoding.controls.Beside` leaves them.
Fits = Mapping[tuple[str, int], Mapping[int, NDArray[Any]]]

COLUMNS = ["control", "draw", "claim", "planted", "estimate", "low", "high", "verdict", "recovered"]
SUMMARY = ["control", "claim", "planted", "draws", "supported", "recovered", "coverage"]


def recovered(
    targets: pd.DataFrame,
    fits: Fits,
    real: Sequence[Curves],
    modules: pd.DataFrame,
    noise: Noise | None,
    settings: Settings | None = None,
    seed: int = 0,
    claims: Sequence[Claim] = CLAIMS,
) -> pd.DataFrame:
    """What the claims say of every control and draw, beside the truth (columns `COLUMNS`).

    `real` are the curves of the real responses, whose geometry and grid the controls share.
    `planted` is the estimate from noise-free responses, times the ceilings that noise takes from
    every score; 0 where nothing was planted. A control is recovered where the interval covers that
    and the verdicts agree: both are *supported*, or neither is.
    """
    settings = (settings or Settings()).quick
    if noise is None or targets.empty:
        return pd.DataFrame(columns=COLUMNS)
    chosen = [claim for claim in claims if claim.of_responses and claim.askable(real)]
    cubes = [_cube(c, fits) for c in real]
    rows = []
    for (control, draw), group in targets.groupby(["control", "draw"], sort=False):
        said, truth = (
            judge(
                [(claim, _find(claim, curves, settings, seed, modules)) for claim in chosen],
                settings.alpha,
            )
            for curves in (
                [
                    _with_scores(c, cube, group, noise, free)
                    for c, cube in zip(real, cubes, strict=True)
                ]
                for free in (False, True)
            )
        )
        for claim, found, known in zip(chosen, said, truth, strict=True):
            nothing = control == NULL
            planted = 0.0 if nothing else _number(known["estimate"])
            wanted = not nothing and known["verdict"] == "supported"
            rows.append((control, draw, *_row(claim, found, planted, wanted)))
    return pd.DataFrame(rows, columns=COLUMNS)


def recovered_profiles(
    kinds: Sequence[str],
    draws: int,
    real: Sequence[Curves],
    modules: pd.DataFrame,
    settings: Settings | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """The same of the kinds that are profiles over depth, and of claim 1, judged by itself.

    A `graded` profile has no step whose height could come back: `planted` is NaN, and recovered is
    what is not *supported*.
    """
    settings = (settings or Settings()).quick
    rows = []
    for kind, draw in product([kind for kind in kinds if kind in PROFILES], range(draws)):
        curves, height = drawn(real, kind, draw, seed)
        if curves:
            finding = _find(MODULARIZATION, curves, settings, seed, modules)
            (found,) = judge([(MODULARIZATION, finding)], settings.alpha)
            rows.append((kind, draw, *_row(MODULARIZATION, found, height, kind == STEPPED)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(claim: Claim, found: Mapping[str, Any], planted: float, wanted: bool) -> tuple[Any, ...]:
    """Columns from `claim` on; `wanted` is whether the verdict should be *supported*."""
    low, high = found["interval"] or (np.nan, np.nan)
    covered = low <= planted <= high or np.isnan(planted)
    agree = wanted == (found["verdict"] == "supported")
    told = (claim.number, planted, _number(found["estimate"]), low, high, found["verdict"])
    return (*told, agree and covered)


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _find(
    claim: Claim, curves: Sequence[Curves], settings: Settings, seed: int, modules: pd.DataFrame
) -> Finding:
    return claim.find(Evidence(curves, settings, seed, modules, beside=False))


def _cube(real: Curves, fits: Fits) -> Array:
    """r of a model [folds, steps, layers, targets], NaN where nothing was fitted."""
    shapes = {r.shape for layers in fits.values() for r in layers.values()}
    folds, targets = max(shapes, default=(0, 0))
    cube = np.full((folds, len(real.steps), len(real.layers), targets), np.nan)
    for i, step in enumerate(real.steps):
        found = fits.get((real.model, int(step)), {})
        for k, layer in enumerate(real.layers):
            if int(layer) in found:
                cube[:, i, k] = found[int(layer)]
    return cube


def _with_scores(
    real: Curves, cube: Array, targets: pd.DataFrame, noise: Noise, free: bool
) -> Curves:
    """The curves of a model with the scores of one control, or of its noise-free signal.

    A noise-free score is the same for everyone but for the ceiling.
    """
    place = {
        (name, region): column
        for column, name, region in zip(
            targets.index, targets["participant"], targets["region"], strict=True
        )
    }
    everyone = (*noise.participants, AVERAGE)
    names = [NOISE_FREE] * len(everyone) if free else everyone
    columns = [[place[name, region] for region in noise.regions] for name in names]
    scores = np.moveaxis(cube[..., columns], -2, 0)  # [people, folds, steps, layers, regions]
    if free:
        scores = scores * noise.ceilings[:, None, None, None]
    means = mean_ignoring_nan(scores, axis=1)
    return replace(
        real,
        regions=noise.regions,
        score=means[-1],
        participants=noise.participants,
        people=means[:-1],
        folds=scores[-1],
    )


def together(*tables: pd.DataFrame) -> pd.DataFrame:
    """Tables of controls on top of one another; those without rows do not count."""
    known = [table for table in tables if len(table)]
    return pd.concat(known, ignore_index=True) if known else pd.DataFrame(columns=COLUMNS)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row a control and claim: of how many draws it says what (columns `SUMMARY`).

    `planted` is the mean of the truths, `supported` how many draws found the claim so, `coverage`
    the share of intervals with the truth in them, of those that have one.
    """
    rows = []
    for (control, claim), group in table.groupby(["control", "claim"], sort=False):
        known = group.dropna(subset=["planted", "low", "high"])
        inside = known["planted"].between(known["low"], known["high"])
        supported = int((group["verdict"] == "supported").sum())
        counts = (len(group), supported, int(group["recovered"].sum()))
        coverage = float(inside.mean()) if len(known) else np.nan
        rows.append((control, claim, group["planted"].mean(), *counts, coverage))
    return pd.DataFrame(rows, columns=SUMMARY)


def sentences_on(table: pd.DataFrame) -> Iterator[tuple[int, str]]:
    """Claim and one line for the report: how often it is found where it is planted, and where not.

    Planted is, per claim, the control whose noise-free effect is largest on the claim's side.
    """
    told = summary(table)
    for claim in CLAIMS:
        rows = told[told["claim"] == claim.number].set_index("control")
        if rows.empty:
            continue
        effect = (claim.direction * rows["planted"]).drop([NULL], errors="ignore").dropna()
        parts = []
        if len(effect) and effect.max() > 0:
            best = effect.idxmax()
            size, found, draws = (rows.loc[best, c] for c in ("planted", "supported", "draws"))
            parts.append(f"a planted effect of {size:.2g} ({best}) in {found} of {draws} draws")
        for nothing in rows.index.intersection([NULL, GRADED]):
            found, draws = (rows.loc[nothing, c] for c in ("supported", "draws"))
            name = "null" if nothing == NULL else "smooth profile"
            parts.append(f"a {name} in {found} of {draws}")
        if parts:
            yield claim.number, f"On your features this test finds {', and '.join(parts)}."
