"""Do the 95 % intervals of the five claims cover the truth in 95 of 100 simulated sweeps?

    PYTHONPATH=workflow python benchmarks/scrutiny/interval_coverage.py --sweeps 200 --jobs 2
    PYTHONPATH=workflow python benchmarks/scrutiny/interval_coverage.py --grids small --worlds all

Prints one line a claim, grid, world and truth, with how many of the intervals hold 0, and of those
without an effect how often the test of the verdict rejects. What counts as the truth of a sweep:
claim 1: the mean height of the step in the same models over twenty other draws of their noise, over
logarithms, as the claim has it over models;
claim 2: low − high of the same models as all participants there could be would show it, over the
whole last decade of training, of which the grid's checkpoints are a few;
claim 3: the planted lead; claims 4 and 5: the mean estimate over all sweeps, because the partial
correlation that is planted is thinned out by noise of the regions before anyone could measure it.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np

from geomod.claims.claim import Claim, Truth
from geomod.claims.registry import CLAIMS
from geomod.curves.curves import HEADLINE, Curves
from geomod.curves.settings import Settings
from geomod.modules.steps import complexity, heights
from geomod.scrutiny.calibration import find
from geomod.scrutiny.synthetic import (
    SWEEP,
    WORLDS,
    Design,
    Frame,
    Scatter,
    World,
    at_steps,
    simulate,
)

SETTINGS = Settings(permutations=99, bootstrap=100, null_draws=99)
BETWEEN = 8
SCATTER = Scatter(smooth=0.3, rough=0.1, noise=0.15, rho=0.6, rho_depth=0.3)
REGIONS = ("AntTemp", "IFG", "IFGorb", "MFG", "PostTemp", "netw")
TOY = (0, *(2**k for k in range(12)))
PYTHIA = (*(2**k for k in range(10)), *(1000 * 2**k for k in range(8)), 143000)
GRIDS = {
    "small": [("xs", 1e5, TOY, 3), ("s", 1e6, TOY, 5), ("m", 1e7, TOY, 7)],
    "paper": [
        ("70m", 7.04e7, PYTHIA, 6),
        ("160m", 1.623e8, PYTHIA, 12),
        ("410m", 4.053e8, PYTHIA, 24),
        ("1b", 1.0118e9, PYTHIA, 16),
    ],
}


def design_of(grid: str, rho: float = SCATTER.rho) -> Design:
    """The grid with five participants and middling noise, ρ from checkpoint to checkpoint."""
    frames = tuple(Frame(*row) for row in GRIDS[grid])
    scatter = replace(SCATTER, rho=rho)
    return Design(frames, REGIONS, 5, scatter, scatter, person=0.1)


def with_checkpoints_between(design: Design) -> Design:
    """The last decade of training alone, BETWEEN times as densely saved, and as alike in time."""
    frames = []
    for frame in design.frames:
        last = frame.steps[-1]
        late = [step for step in frame.steps if step * 10 >= last]
        dense = np.geomspace(last / 10, last, BETWEEN * len(late)).round().astype(int)
        frames.append(replace(frame, steps=tuple(sorted({*late, *dense.tolist()}))))
    score, geometry = (
        replace(scatter, rho=scatter.rho ** (1 / BETWEEN))
        for scatter in (design.score, design.geometry)
    )
    return replace(design, frames=tuple(frames), score=score, geometry=geometry)


def height(curves: list[Curves]) -> float:
    """Of the step of claim 1, from the blocks alone: no null is drawn."""
    clouds = [
        np.stack([c.metrics[name][c.trained].mean(axis=0) for name in HEADLINE], axis=-1)
        for c in curves
    ]
    found = [heights(complexity(cloud)[None])[0] for cloud in clouds if len(cloud) > 3]
    return float(np.exp(np.mean(np.log(found))))


def one_sweep(design: Design, claim: Claim, truth: Truth, world: str, sweep: int) -> list[float]:
    """Estimate, low, high, truth (NaN where it is the mean of all estimates) and p."""

    def made(other: Design, noise: int, world: World = WORLDS[world]) -> list[Curves]:
        rng = np.random.default_rng([sweep, claim.number])
        again = np.random.default_rng([sweep, claim.number, noise])
        return simulate(other, truth, rng, noise=again, world=world)

    every = design
    if claim.number == 1:  # reads no scores
        design = every = replace(design, regions=("netw",), participants=0)
    elif claim.number == 2:  # reads those of the network
        every = replace(with_checkpoints_between(design), regions=("netw",))
    saved = [
        at_steps(c, f.steps) for c, f in zip(made(every, 0), design.frames, strict=True)
    ]  # fmt: skip
    estimate = find(saved, claim, SETTINGS, sweep).estimate
    if estimate is None:
        return [np.nan] * 5
    target = np.nan
    if claim.number == 1:
        target = float(np.exp(np.mean([np.log(height(made(design, k))) for k in range(1, 21)])))
    elif claim.number == 2:
        # Gains of next to no spread, not of none, so that all other draws stay the same.
        alike = replace(WORLDS[world], gains=WORLDS[world].gains * 1e-9)
        quiet = find(made(replace(every, person=0.0), 0, alike), claim, SETTINGS, sweep).estimate
        target = np.nan if quiet is None else quiet.value
    elif claim.number == 3:
        target = -truth.lead
    return [estimate.value, estimate.low, estimate.high, target, estimate.p]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweeps", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--grids", nargs="+", default=list(GRIDS), choices=list(GRIDS))
    parser.add_argument("--rho", type=float, default=SCATTER.rho)
    parser.add_argument("--worlds", nargs="+", default=[SWEEP], choices=["all", *WORLDS])
    # Those about competence have benchmarks/competence/competence_claims.py.
    asked = [c.number for c in CLAIMS if not c.families]
    parser.add_argument("--claims", nargs="+", type=int, default=asked)
    parser.add_argument("--truths", nargs="+", default=["absent", "planted"])
    options = parser.parse_args()
    worlds = list(WORLDS) if "all" in options.worlds else options.worlds
    told = "estimate  SD     coverage  width  holds 0  level  sweeps"
    print(f"{'grid':6} claim  {'world':15} truth    {told}")
    with ProcessPoolExecutor(options.jobs) as pool:
        for grid, claim, world, name in product(options.grids, CLAIMS, worlds, options.truths):
            if claim.number not in options.claims:
                continue
            truth = claim.absent if name == "absent" else claim.planted
            task = partial(one_sweep, design_of(grid, options.rho), claim, truth, world)
            found = np.array(list(pool.map(task, range(options.sweeps), chunksize=5)))
            found = found[np.isfinite(found[:, 0])]
            value, low, high, target, p = found.T
            target = np.where(np.isfinite(target), target, value.mean())
            covered = np.mean((low <= target) & (target <= high))
            holds_zero = np.mean((low <= 0) & (high >= 0))
            level = (p <= SETTINGS.alpha).mean() if name == "absent" else np.nan
            print(
                f"{grid:6} {claim.number}      {world:15} {name:8} {value.mean():8.3f}  "
                f"{value.std():.3f}  {covered:7.3f}   {np.median(high - low):.3f}  "
                f"{holds_zero:7.3f}  {level:5.3f}  {len(found)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
