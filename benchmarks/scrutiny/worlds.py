"""The level of every claim's test in every world, on a small grid or on the paper's.

    PYTHONPATH=workflow:. python benchmarks/scrutiny/worlds.py --grid small --draws 200 --jobs 2

A row is a claim: the share of sweeps without the effect in which the verdict's test rejects, in
each world of `geomod.scrutiny.synthetic`, and its power in the first.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

from benchmarks.scrutiny.interval_coverage import GRIDS, SETTINGS, design_of
from geomod.claims.claim import Claim
from geomod.claims.registry import CLAIMS
from geomod.curves.estimates import rng_of
from geomod.scrutiny.calibration import find
from geomod.scrutiny.synthetic import SWEEP, WORLDS, Design, simulate


def p_of(design: Design, claim: Claim, world: str, planted: bool, draw: int) -> float:
    """p of one sweep; power is to find an effect on its own side."""
    truth = claim.planted if planted else claim.absent
    rng = rng_of(0, world, draw, claim.number, int(planted))
    estimate = find(
        simulate(design, truth, rng, world=WORLDS[world]), claim, SETTINGS, draw
    ).estimate
    if estimate is None:
        return np.nan
    return estimate.p if not planted or estimate.value * claim.direction > 0 else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", default="small", choices=list(GRIDS))
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    asked = [claim.number for claim in CLAIMS if not claim.families]
    parser.add_argument("--claims", nargs="+", type=int, default=asked)
    options = parser.parse_args()
    design = design_of(options.grid)
    cases = [*((world, False) for world in WORLDS), (SWEEP, True)]
    print(f"| claim | {' | '.join(WORLDS)} | power |")
    print(f"|---|{'---|' * len(cases)}")
    with ProcessPoolExecutor(options.jobs) as pool:
        for claim in (claim for claim in CLAIMS if claim.number in options.claims):
            shares = []
            for world, planted in cases:
                task = partial(p_of, design, claim, world, planted)
                p = np.array(list(pool.map(task, range(options.draws), chunksize=5)))
                shares.append((p[np.isfinite(p)] <= SETTINGS.alpha).mean())
            print(f"| {claim.number} | {' | '.join(f'{x:.3f}' for x in shares)} |", flush=True)


if __name__ == "__main__":
    main()
