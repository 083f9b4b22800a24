"""What could each claim find? Asked of a grid and assumed ceilings, before anything is downloaded.

Sweeps are simulated on the grid with effects of several sizes, and judged as real ones are. What
is not known before there are data is assumed: how curves of layers scatter (`synthetic.USUAL`, that
of the shipped demo), and how much of the noise ceiling a model explains at its best.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from geomod.claims.claim import Claim, Truth
from geomod.claims.judge import judge
from geomod.claims.registry import CLAIMS
from geomod.curves.estimates import rng_of
from geomod.curves.settings import Settings
from geomod.scrutiny.calibration import find
from geomod.scrutiny.synthetic import USUAL, Design, Frame, simulate

log = logging.getLogger(__name__)

COLUMNS = ["claim", "name", "percent", "effect", "unit", "found", "refuted", "draws"]
# Of what `Claim.planted` plants; 0 tells how often the claim is found where nothing is.
SHARES = (0.0, 0.25, 0.5, 1.0, 2.0)
UNITS = {
    "separation": "height of the step, share of the rise over training",
    "advantage": "score of the low module above the high one, share of the plateau",
    "lead": "decades by which temporal regions come first",
    "coupling": "Fisher z of curvature and score within depth",
    "growth": "its growth a tenfold of parameters",
}
OFTEN = 0.8


def assumed_design(
    frames: Sequence[Frame],
    regions: Sequence[str],
    *,
    participants: int,
    sentences: int,
    ceiling: float,
    explained: float = 0.5,
) -> Design:
    """The grid of a config, with noise as an assumed ceiling has it.

    `ceiling` is that of one participant, `explained` the share of it that scores reach: both
    together are the plateau, in r. A correlation over n sentences is known to about 1/√n, which
    over the plateau is a participant's own noise in units of the rise.
    """
    plateau = explained * ceiling
    person = 1 / (np.sqrt(sentences) * plateau)
    return Design(
        tuple(frames), tuple(regions), participants, USUAL, USUAL, float(person), float(plateau)
    )


def power(
    design: Design,
    *,
    settings: Settings | None = None,
    seed: int = 0,
    draws: int = 100,
    shares: Sequence[float] = SHARES,
    jobs: int = 1,
) -> pd.DataFrame:
    """A row a claim and size of effect: in which share of sweeps it is found.

    Columns: claim, name, percent (of what the calibration plants), effect, unit (its own), found
    (verdict *supported*, of this claim alone), refuted (*not supported*), draws.
    """
    settings = settings or Settings()
    rows = []
    with ProcessPoolExecutor(jobs) if jobs > 1 else nullcontext() as pool:
        for claim in (claim for claim in CLAIMS if design.answers(claim)):
            field = effect_of(claim)
            for share in shares:
                judged = partial(_verdict, design, settings.quick, seed, claim, share)
                words = list((pool.map if pool else map)(judged, range(draws)))
                size = share * getattr(claim.planted, field)
                counts = [np.mean([w == word for w in words]) for word in _WORDS]
                percent = round(100 * share)
                rows.append((claim.number, claim.name, percent, size, UNITS[field], *counts, draws))
            log.info("power of claim %d on %d sweeps an effect", claim.number, draws)
    return pd.DataFrame(rows, columns=COLUMNS)


_WORDS = ("supported", "not supported")


def effect_of(claim: Claim) -> str:
    """The field of `Truth` that a claim is about: in which its planted and absent one differ."""
    differ = (f for f in UNITS if getattr(claim.planted, f) != getattr(claim.absent, f))
    return next(differ)


def scaled(claim: Claim, share: float) -> Truth:
    """The claim's planted truth, its effect times `share`; 0 is its absent one."""
    field = effect_of(claim)
    truth = claim.planted if share else claim.absent
    return replace(truth, **{field: share * getattr(claim.planted, field)}) if share else truth


def _verdict(
    design: Design, settings: Settings, seed: int, claim: Claim, share: float, draw: int
) -> str:
    rng = rng_of(seed, "power", claim.number, draw, round(1000 * share))
    curves = simulate(
        design, scaled(claim, share), rng, temporal=settings.temporal, frontal=settings.frontal
    )
    (entry,) = judge([(claim, find(curves, claim, settings, draw))], settings.alpha)
    return str(entry["verdict"])


def as_sentences(table: pd.DataFrame) -> list[str]:
    """A line a claim: the smallest effect that is found in four of five sweeps, if any is."""
    lines = []
    for (number, name), rows in table.groupby(["claim", "name"], sort=False):
        often = rows[(rows["effect"] > 0) & (rows["found"] >= OFTEN)].sort_values("effect")
        if len(often):
            first = often.iloc[0]
            said = f"finds {first['effect']:.2g} in {first['found']:.0%} of sweeps"
        else:
            most = rows.loc[rows["effect"].idxmax()]
            said = f"finds {most['effect']:.2g} in {most['found']:.0%} of sweeps alone"
        lines.append(f"claim {number} ({name}) {said} [{rows['unit'].iloc[0]}]")
    return lines
