"""How often does each test reject what is not there, and find what is, on a given grid?

Sweeps are simulated with the steps, layers, regions and participants of the data, and with the
noise and the autocorrelations estimated from them. A test's level is the share of sweeps without
the effect in which p ≤ α, its power the share of those with it. The level of the verdicts' tests is
measured in other worlds, too (`synthetic.WORLDS`).
"""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit

from geomod.claims.claim import Claim, Finding, Trial, Truth
from geomod.claims.curvature import CURVATURE, POOLED
from geomod.claims.judge import TOLERATED_LEVEL
from geomod.claims.registry import CLAIMS
from geomod.coupling.other_tests import CIRCULAR, CURVES_TESTS, SINGLE_CURVE_TESTS, pooled_p
from geomod.coupling.within_depth import Pair
from geomod.curves.curves import Curves, log_step
from geomod.curves.estimates import rng_of
from geomod.curves.settings import Settings
from geomod.emergence.noise import autoregressive
from geomod.scrutiny.designs import design_like
from geomod.scrutiny.synthetic import (
    SWEEP,
    WORLDS,
    Design,
    Scatter,
    evidence_of,
    simulate,
)

Array = NDArray[np.float64]

log = logging.getLogger(__name__)

OTHER_WORLDS = tuple(name for name in WORLDS if name != SWEEP)

COLUMNS = ["claim", "test", "null", "level", "low", "high", "power", "draws", "alpha", "holds"]


def calibrate(
    curves: Sequence[Curves] | Design,
    *,
    settings: Settings | None = None,
    seed: int = 0,
    draws: int = 200,
    jobs: int = 1,
) -> pd.DataFrame:
    """Level and power of every test that is reported, one row a test.

    Columns: claim, test, null (what was simulated: `sweep`, another of the worlds, or `independent
    curves`, S-shaped and unrelated), level with a Wilson interval low … high, power (in the first
    and the last of these), draws (those that gave a p),
    alpha, holds (the level is at most 7.5 %, or the grid is too small for the test).
    """
    settings = settings or Settings()
    design = curves if isinstance(curves, Design) else design_like(curves)
    draw_of = partial(one_draw, design, settings.quick, seed)
    with ProcessPoolExecutor(jobs) if jobs > 1 else nullcontext() as pool:
        found = []
        for rows in (pool.map if pool else map)(draw_of, range(draws)):
            found.append(rows)
            if len(found) % 10 == 0:
                log.info("%d of %d simulated sweeps", len(found), draws)
    p = pd.DataFrame([row for rows in found for row in rows])
    rows = []
    for (claim, test, null), group in p.groupby(["claim", "test", "null"], sort=False):
        known = group.dropna(subset="p")
        absent, present = (known.loc[known["planted"] == truth, "p"] for truth in (False, True))
        # A circular shift over 19 steps knows no p below 1/19 = .053; that is its .05.
        alpha = max(settings.alpha, float(group["smallest_p"].iloc[0]))
        level = float((absent <= alpha + 1e-9).mean()) if len(absent) else np.nan
        interval = (
            stats.binomtest(int((absent <= alpha + 1e-9).sum()), len(absent)).proportion_ci(
                method="wilson"
            )
            if len(absent)
            else (np.nan, np.nan)
        )
        rows.append(
            {
                "claim": claim,
                "test": test,
                "null": null,
                "level": level,
                "low": float(interval[0]),
                "high": float(interval[1]),
                "power": float((present <= alpha + 1e-9).mean()) if len(present) else np.nan,
                "draws": len(absent),
                "alpha": alpha,
                "holds": not level > TOLERATED_LEVEL,
            }
        )
    log.info("calibrated %d tests on %d simulated sweeps", len(rows), draws)
    return pd.DataFrame(rows, columns=COLUMNS)


def find(curves: Sequence[Curves], claim: Claim, settings: Settings, seed: int) -> Finding:
    """A claim's finding on a simulated sweep."""
    return claim.find(evidence_of(curves, claim, settings, seed))


def one_draw(design: Design, settings: Settings, seed: int, draw: int) -> list[dict[str, Any]]:
    """The p of every test on one sweep without and one with the effect, and in other worlds."""
    rows: list[dict[str, Any]] = []

    def note(claim: Claim, test: str, null: str, p: float, least: float = 0.0) -> None:
        rows.append({"claim": claim.number, "test": test, "null": null, "planted": planted, "p": p,
                     "smallest_p": least})  # fmt: skip

    def in_world(name: str, truth: Truth, rng: np.random.Generator) -> list[Curves]:
        return simulate(
            design,
            truth,
            rng,
            world=WORLDS[name],
            temporal=settings.temporal,
            frontal=settings.frontal,
        )

    for planted in (False, True):
        for claim in (claim for claim in CLAIMS if design.answers(claim)):
            rng = rng_of(seed, "sweep", draw, claim.number, int(planted))
            truth = claim.planted if planted else claim.absent
            curves = in_world(SWEEP, truth, rng)
            finding = find(curves, claim, settings, draw)
            note(claim, claim.test, SWEEP, _verdicts_p(claim, finding, planted))
            trial = Trial(curves, finding, settings, rng, planted, design.score.rho)
            for other in claim.others:
                note(claim, other.name, other.null, other.p(trial))
            for name in () if planted else OTHER_WORLDS:
                rng = rng_of(seed, name, draw, claim.number)
                found = find(in_world(name, truth, rng), claim, settings, draw)
                note(claim, claim.test, name, _verdicts_p(claim, found, planted))
        for test, p, least in _on_independent_curves(design, settings, seed, draw, planted):
            note(CURVATURE, test, "independent curves", p, least)
    return rows


def _verdicts_p(claim: Claim, finding: Finding, planted: bool) -> float:
    """The claim's own p; power is to find the effect on the side on which it was planted."""
    estimate = finding.estimate
    if estimate is None:
        return np.nan
    return estimate.p if not planted or estimate.value * claim.direction > 0 else 1.0


def _on_independent_curves(
    design: Design, settings: Settings, seed: int, draw: int, planted: bool
) -> Iterator[tuple[str, float, float]]:
    """Tests on S-shaped curves that have no depth in common, their p and the least that it can be.

    `planted`: the noise of the one follows that of the other.
    """
    time, pair, rng = curves_of_draw(design, seed, draw, planted)
    for test, p_of in SINGLE_CURVE_TESTS.items():
        least = 1 / len(time) if test == CIRCULAR else 0.0
        yield test, p_of(pair[0][:, 0], pair[1][:, 0], time), least
    yield POOLED, pooled_p([pair], time), 0.0
    name = "whole curves permuted over layers"
    yield name, CURVES_TESTS[name]([pair], settings.permutations, rng), 0.0


def curves_of_draw(
    design: Design, seed: int, draw: int, planted: bool
) -> tuple[Array, Pair, np.random.Generator]:
    """Times of the largest model, a draw's `independent_curves`, and the rest of its generator."""
    rng = rng_of(seed, "curves", draw, int(planted))
    coupling = float(np.tanh(CURVATURE.planted.coupling)) if planted else 0.0
    time = log_step(design.frames[-1].steps)
    layers = max(frame.layers for frame in design.frames)
    return time, independent_curves(time, layers, coupling, design, rng), rng


def independent_curves(
    time: Array, layers: int, coupling: float, design: Design, rng: np.random.Generator
) -> Pair:
    """Two arrays [steps, layers] of S-shaped curves, each with its own midpoint, width and sign.

    With `coupling`, the noise of the second follows that of the first; the shapes never do.
    """

    def shapes() -> Array:
        t50 = rng.uniform(0.4, 0.87, layers) * time[-1]
        width = rng.uniform(0.15, 0.5, layers)
        rise = rng.choice([-1.0, 1.0], layers) * rng.uniform(0.3, 1.5, layers)
        return rise * expit((time[:, None] - t50) / width)

    def noise(scatter: Scatter) -> Array:
        return autoregressive(scatter.rho, (len(time), layers), rng, axis=0)

    first, second = noise(design.geometry), noise(design.score)
    second = coupling * first + np.sqrt(1 - coupling**2) * second
    return (
        shapes() + design.geometry.noise * first,
        shapes() + design.score.noise * second,
    )
