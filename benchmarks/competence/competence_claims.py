"""Do the tests behind claims 6 and 7 hold their level, and their intervals their coverage?

    PYTHONPATH=workflow python benchmarks/competence/competence_claims.py --sweeps 200 --jobs 2

Prints one line a world and number of models. A sweep is logistics in log10(step + 1) at step 0 and
the 19 steps of config/paper.yaml: midpoints of formal competence between 2.6 and 3.2, .8 decades to
that of functional competence, widths .3, .06 decades of scatter of every midpoint between models,
AR(1) noise of .05 (alignment), .02 (formal) and .06 (functional) of the range, ρ = .6 from step to
step.
Each world says what it changes; a single model has no scatter. `formal`, `functional`: share of
sweeps with that answer at α = .05, whose sum is the level where the truth is midway or there is
none; `covers`: share of the intervals that there are which hold the true λ. The last two columns
are how often the paper's tests of R² find a difference.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import expit

from geomod.claims.claim import Estimate, Evidence
from geomod.claims.follows_formal import FOLLOWS_FORMAL, MENG, WILCOXON
from geomod.claims.saturates import SATURATES
from geomod.curves.curves import FORMAL, FUNCTIONAL, LOSS, Curves, log_step
from geomod.curves.settings import Settings
from geomod.emergence.noise import autoregressive

STEPS = np.array((0, *(2**k for k in range(10)), *(1000 * 2**k for k in range(8)), 143000))
SETTINGS = Settings(bootstrap=100, permutations=99)
RHO = 0.6


@dataclass(frozen=True)
class World:
    """What is true in a sweep; times in decades, noise in units of the range."""

    position: float = 0.5
    gap: float = 0.8
    scatter: float = 0.06
    widths: tuple[float, float, float] = (0.3, 0.3, 0.3)  # alignment, formal, functional
    noise: tuple[float, float, float] = (0.05, 0.02, 0.06)
    base: float = 0.05  # alignment of the untrained model, r
    rise: float = 0.2
    ceiling: float = 0.4
    growth: float = 0.0  # of alignment once it is there, share of the rise a decade


WORLDS = {
    "midway": World(),
    "one latent, noise .01 and .10": World(gap=0, scatter=0, noise=(0.05, 0.01, 0.10)),
    "one latent, noise .02 and .04": World(gap=0, noise=(0.05, 0.02, 0.04)),
    "midway, functional slow": World(widths=(0.3, 0.3, 0.9)),
    "midway, alignment slow": World(widths=(0.9, 0.3, 0.3), base=0.0, rise=0.4),
    "midway, nothing arrives": World(widths=(0.9, 0.9, 0.9), base=0.0, rise=0.4),
    "λ = 0": World(position=0.0),
    "λ = 1": World(position=1.0),
    "λ = 0, functional slow": World(position=0.0, widths=(0.3, 0.3, 0.9)),
    "λ = 1, functional slow": World(position=1.0, widths=(0.9, 0.3, 0.9), base=0.0, rise=0.4),
}
LATE = {
    "all three are one curve": World(position=0.0, gap=0.0),
    "alignment grows .1 a decade": World(position=-0.5, gap=1.0, growth=0.115),
    "alignment saturates": World(position=0.0, gap=1.2),
}


def sweep_of(world: World, models: int, rng: np.random.Generator) -> list[Curves]:
    """The curves of one sweep, one block and one region a model."""
    time = log_step(STEPS)
    blocks = []
    for i in range(models):
        formal = rng.uniform(2.6, 3.2)
        middle = formal + world.gap * np.array([world.position, 0.0, 1.0])
        if models > 1:  # the interval of a single model speaks of no other
            middle += world.scatter * rng.standard_normal(3)
        shares = expit((time - middle[:, None]) / np.array(world.widths)[:, None])
        later = np.maximum(time - middle[0] - 3 * world.widths[0], 0)
        shares[0] += world.growth * later
        shares += np.array(world.noise)[:, None] * autoregressive(RHO, shares.shape, rng, axis=1)
        loss = expit((time - 2.0) / 0.3) + 0.01 * autoregressive(RHO, time.shape, rng, axis=0)
        blocks.append(
            Curves(
                model=f"toy-{i}",
                steps=STEPS,
                layers=np.array([1]),
                regions=("netw",),
                metrics={},
                score=(world.base + world.rise * shares[0])[:, None, None],
                participants=(),
                people=np.empty((0, len(time), 1, 1)),
                folds=np.empty((0, len(time), 1, 1)),
                parameters=10.0 ** (6 + i),
                ceilings={"netw": world.ceiling},
                competence={FORMAL: shares[1], FUNCTIONAL: shares[2], LOSS: loss},
            )
        )
    return blocks


def one_sweep(world: World, models: int, sweep: int) -> list[float]:
    """The interval and p of ½ − λ, and the p of what is concluded from R²; NaN where none."""
    rng = np.random.default_rng([sweep, models])
    evidence = Evidence(sweep_of(world, models, rng), SETTINGS, sweep, beside=False)
    found = FOLLOWS_FORMAL.find(evidence)
    beside = [float(found.details.get(name, np.nan)) for name in (WILCOXON, MENG)]
    return [*_interval(found.estimate), *beside]


def late_sweep(world: World, models: int, sweep: int) -> list[float]:
    """The interval and p of the margin of saturation."""
    rng = np.random.default_rng([sweep, models])
    evidence = Evidence(sweep_of(world, models, rng), SETTINGS, sweep, beside=False)
    return _interval(SATURATES.find(evidence).estimate)


def _interval(estimate: Estimate | None) -> list[float]:
    e = estimate
    return [np.nan] * 3 if e is None else [e.low, e.high, e.p]


def share(rows: np.ndarray) -> float:
    return float(np.mean(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweeps", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--models", type=int, nargs="+", default=[1, 2, 3, 4, 8])
    parser.add_argument("--worlds", nargs="+", default=[*WORLDS, *LATE])
    options = parser.parse_args()
    with ProcessPoolExecutor(options.jobs) as pool:
        print(f"{'claim 6':32} models  interval formal functional covers width  R²:ranks  Meng")
        for name in (name for name in options.worlds if name in WORLDS):
            for models in options.models:
                task = partial(one_sweep, WORLDS[name], models)
                found = np.array(list(pool.map(task, range(options.sweeps), chunksize=10)))
                print(
                    f"{name:32} {models:6}  {_line(found, 0.5 - WORLDS[name].position)}", flush=True
                )
        print(f"{'claim 7':32} models  interval supported opposed  width")
        for name in (name for name in options.worlds if name in LATE):
            for models in options.models:
                task = partial(late_sweep, LATE[name], models)
                low, high, p = np.array(list(pool.map(task, range(options.sweeps), chunksize=10))).T
                print(
                    f"{name:32} {models:6}  {share(np.isfinite(low)):8.3f} "
                    f"{share((low > 0) & (p <= 0.05)):9.3f} {share((high < 0) & (p <= 0.05)):7.3f} "
                    f"{np.nanmedian(high - low):6.2f}",
                    flush=True,
                )


def _line(found: np.ndarray, truth: float) -> str:
    low, high, p, ranks, meng = found.T
    known = np.isfinite(low)
    covers = np.mean((low <= truth) & (truth <= high), where=known) if known.any() else np.nan
    width = np.nanmedian(high - low) if known.any() else np.nan
    return (
        f"{share(known):8.3f} {share((low > 0) & (p <= 0.05)):6.3f} "
        f"{share((high < 0) & (p <= 0.05)):10.3f} {covers:6.3f} {width:5.2f} "
        f"{share(ranks <= 0.05):8.3f} {share(meng <= 0.05):6.3f}"
    )


if __name__ == "__main__":
    main()
