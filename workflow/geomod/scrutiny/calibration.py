"""How often does each test reject what is not there, and find what is, on a given grid?

Sweeps are simulated with the steps, layers, regions and participants of the data, and with the
noise and the autocorrelations estimated from them. A test's level is the share of sweeps without
the effect in which p ≤ α, its power the share of those with it.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit

from geomod.claims.evidence import (
    POOLED,
    RANDOM_WALK,
    SLIDING_LABELS,
    curvature_predicts,
    low_complexity_aligns,
    modularization,
    stronger_with_size,
    temporal_before_frontal,
)
from geomod.claims.judge import DIRECTIONS, TESTS
from geomod.coupling.mixed import long_table, mixed_model
from geomod.coupling.other_tests import CURVES_TESTS, SINGLE_CURVE_TESTS, pooled_p
from geomod.coupling.within_depth import Pair
from geomod.curves.curves import Curves, log_step, mean_ignoring_nan
from geomod.curves.estimates import TOLERATED_LEVEL, Finding, Settings, network_of, rng_of
from geomod.emergence.noise import autoregressive, step_noise
from geomod.emergence.onsets import FEWEST_STEPS, rise_null, rise_p
from geomod.scrutiny.synthetic import Design, Scatter, Truth, design_like, label_modules, simulate

Array = NDArray[np.float64]

log = logging.getLogger(__name__)

# What is absent when a claim's level is measured: claim 2 asks about the score given that there
# are modules, claim 5 about growth given an effect.
NULLS = {
    1: Truth(),
    2: Truth(separation=1.0),
    3: Truth(),
    4: Truth(),
    5: Truth(coupling=0.5),
}
# What is planted when its power is measured.
PLANTED = {
    1: Truth(separation=1.0),
    2: Truth(separation=1.0, advantage=0.5),
    3: Truth(lead=0.5),
    4: Truth(coupling=0.5),
    5: Truth(coupling=0.5, growth=0.3),
}
COLUMNS = ["claim", "test", "null", "level", "low", "high", "power", "draws", "alpha", "holds"]
RISE = "rise of a region beyond drift"
# Inside a simulation p need only be known well enough to compare with α.
FEWER = {"permutations": 399, "bootstrap": 100, "null_draws": 99}


def calibrate(
    curves: Sequence[Curves] | Design,
    *,
    settings: Settings | None = None,
    seed: int = 0,
    draws: int = 200,
    jobs: int = 1,
) -> pd.DataFrame:
    """Level and power of every test that is reported, one row a test.

    Columns: claim, test, null (what was simulated: `sweep`, or `independent curves`, S-shaped
    and unrelated), level with a Wilson interval low … high, power, draws (those that gave a p),
    alpha, holds (the level is at most 7.5 %, or the grid is too small for the test).
    """
    settings = settings or Settings()
    quick = Settings(
        alpha=settings.alpha,
        temporal=settings.temporal,
        frontal=settings.frontal,
        network=settings.network,
        smallest=settings.smallest,
        **FEWER,
    )
    design = curves if isinstance(curves, Design) else design_like(curves)
    draw_of = partial(one_draw, design, quick, seed)
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


def find(curves: Sequence[Curves], claim: int, settings: Settings, seed: int) -> Finding:
    """One claim's finding on a simulated sweep."""
    if claim == 1:
        return modularization(curves, _no_table("model", "step", "layer", "module"), settings, seed)
    if claim == 2:
        return low_complexity_aligns(curves, label_modules(curves), settings, seed)
    if claim == 3:
        return temporal_before_frontal(curves, _no_table("region", "variability"), settings, seed)
    if claim == 4:
        return curvature_predicts(curves, settings, seed, beside=False)
    return stronger_with_size(curves, settings, seed)


def _no_table(*columns: str) -> pd.DataFrame:
    return pd.DataFrame(columns=list(columns))


def one_draw(design: Design, settings: Settings, seed: int, draw: int) -> list[dict[str, Any]]:
    """The p of every test on one sweep without and one with the effect."""
    rows: list[dict[str, Any]] = []

    def note(claim: int, test: str, null: str, planted: bool, p: float, least: float = 0.0) -> None:
        rows.append({"claim": claim, "test": test, "null": null, "planted": planted, "p": p,
                     "smallest_p": least})  # fmt: skip

    for planted, truths in ((False, NULLS), (True, PLANTED)):
        for claim, truth in truths.items():
            rng = rng_of(seed, "sweep", draw, claim, int(planted))
            curves = simulate(
                design, truth, rng, temporal=settings.temporal, frontal=settings.frontal
            )
            finding = find(curves, claim, settings, draw)
            estimate, details = finding.estimate, finding.details
            # Power is to find the effect on the side on which it was planted.
            right = estimate is not None and (not planted or estimate.value * DIRECTIONS[claim] > 0)
            p = np.nan if estimate is None else estimate.p if right else 1.0
            note(claim, TESTS[claim], "sweep", planted, p)
            if claim == 1:
                note(1, RANDOM_WALK, "sweep", planted, details.get(RANDOM_WALK, np.nan))
            if claim == 2:
                note(2, SLIDING_LABELS, "sweep", planted, details.get(SLIDING_LABELS, np.nan))
            if claim == 3:
                note(3, RISE, "flat curve", planted, flat_p(curves, design, settings, rng, planted))
            if claim == 4:
                for test, value in beside_p(curves, settings, rng).items():
                    note(4, test, "sweep", planted, value)
        rng = rng_of(seed, "curves", draw, int(planted))
        coupling = float(np.tanh(PLANTED[4].coupling)) if planted else 0.0
        time = log_step(design.frames[-1].steps)
        pair = independent_curves(
            time, max(frame.layers for frame in design.frames), coupling, design, rng
        )
        for test, p_of in SINGLE_CURVE_TESTS.items():
            least = 1 / len(time) if test.startswith("circular") else 0.0
            p = p_of(pair[0][:, 0], pair[1][:, 0], time)
            note(4, test, "independent curves", planted, p, least)
        note(4, POOLED, "independent curves", planted, pooled_p([pair], time))
        name = "whole curves permuted over layers"
        p = CURVES_TESTS[name]([pair], settings.permutations, rng)
        note(4, name, "independent curves", planted, p)
    return rows


def flat_p(
    curves: Sequence[Curves],
    design: Design,
    settings: Settings,
    rng: np.random.Generator,
    planted: bool,
) -> float:
    """p of the rise of a region that only drifts, or of one that rises, in the largest model.

    The likeness of neighbouring checkpoints is estimated, as it is from data, from all regions.
    """
    regions = [(c.time, mean_ignoring_nan(c.of([r]), axis=1)) for c in curves for r in c.regions]
    time, rising = regions[-1]
    if len(time) < FEWEST_STEPS:
        return np.nan
    drift = autoregressive(design.score.rho, (len(time),), rng, axis=0)
    curve = rising if planted else drift
    rho, _ = step_noise([*regions, (time, drift)], rng)
    return rise_p(time, curve, rise_null(time, rho, settings.bootstrap, rng))


def beside_p(
    curves: Sequence[Curves], settings: Settings, rng: np.random.Generator
) -> dict[str, float]:
    """The p of the tests of claim 4 that stand beside the verdict's."""
    pairs = [(c.curvature, c.of(network_of(c, settings))) for c in curves if len(c.layers) > 2]
    found = {name: p_of(pairs, settings.permutations, rng) for name, p_of in CURVES_TESTS.items()}
    found[POOLED] = float(
        np.median(
            [pooled_p([(c.curvature, c.of(network_of(c, settings)))], c.time) for c in curves]
        )
    )
    mixed = mixed_model(long_table(curves, lambda c: c.of(network_of(c, settings))))
    found["mixed model"] = mixed["curvature"]["p"] if "curvature" in mixed else np.nan
    return found


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
