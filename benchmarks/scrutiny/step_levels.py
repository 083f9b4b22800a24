"""How often is a smooth profile over depth taken for two modules, and how often is a step found?

    PYTHONPATH=workflow python benchmarks/scrutiny/step_levels.py --draws 1000

Blocks of one model with two metrics, which share a profile (or have one each), each with scatter of
its own. `scatter` is the SD of that, in units of the profile's SD over depth; the height of a step
is in units of the scatter. Numbers are shares of draws with p < .05.
"""

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from geomod.curves.curves import relative_depth
from geomod.modules.clusters import standardize
from geomod.modules.steps import smooth_p
from geomod.scrutiny.synthetic import smooth_profile, steep_ends, walk

Array = NDArray[np.float64]
Profile = Callable[[int, np.random.Generator], Array]
BLOCKS = (6, 8, 12, 16, 24)
SCATTERS = (0.05, 0.2, 0.5)


def parabola(blocks: int, rng: np.random.Generator) -> Array:
    return (relative_depth(blocks) - rng.uniform(-0.2, 1.2)) ** 2


def white(blocks: int, rng: np.random.Generator) -> Array:
    return rng.standard_normal(blocks)


def ends_apart(blocks: int, rng: np.random.Generator) -> Array:
    """A Gaussian field whose first and last block are somewhere else."""
    profile = smooth_profile(blocks, rng, 0.3)
    profile[[0, -1]] += rng.normal(0, 3, 2)
    return profile


def step(blocks: int, rng: np.random.Generator, share: float = 0.5) -> Array:
    return (np.arange(blocks) >= round(share * blocks)).astype(float)


WORLDS: dict[str, Profile] = {
    "parabola": parabola,
    "Gaussian field, length .15": partial(smooth_profile, length=0.15),
    "Gaussian field, length .3": partial(smooth_profile, length=0.3),
    "Gaussian field, length .6": partial(smooth_profile, length=0.6),
    "random walk": walk,
    "U with steep ends": steep_ends,
    "Gaussian field, ends apart": ends_apart,
    "scatter alone": white,
}
STEPS = {
    "step of 3 between halves": (3.0, 0.5),
    "step of 2 between halves": (2.0, 0.5),
    "step of 4 after a third": (4.0, 1 / 3),
}


def smooth(
    profile: Profile, scatter: float, shared: bool, blocks: int, rng: np.random.Generator
) -> Array:
    shapes = np.stack([profile(blocks, rng) for _ in range(1 if shared else 2)])
    return clouded(standardize(shapes.T), scatter, rng)


def stepped(height: float, share: float, blocks: int, rng: np.random.Generator) -> Array:
    return clouded(height * step(blocks, rng, share)[:, None], 1.0, rng)


def clouded(profiles: Array, scatter: float, rng: np.random.Generator) -> Array:
    """Two metrics [blocks, 2] with these profiles [blocks, 1 or 2], and scatter of their own."""
    return profiles + scatter * rng.standard_normal((len(profiles), 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000)
    options = parser.parse_args()
    print(f"| profile | scatter | {' | '.join(f'{n} blocks' for n in BLOCKS)} |")
    print(f"|---|---|{'---|' * len(BLOCKS)}")

    def tell(name: str, scatter: str, draw: Profile) -> None:
        rng = np.random.default_rng(0)
        shares = [
            (smooth_p(np.stack([draw(n, rng) for _ in range(options.draws)])) < 0.05).mean()
            for n in BLOCKS
        ]
        print(f"| {name} | {scatter} | {' | '.join(f'{x:.3f}' for x in shares)} |", flush=True)

    for name, profile in WORLDS.items():
        for scatter in SCATTERS:
            tell(name, f"{scatter:g}", partial(smooth, profile, scatter, True))
        tell(f"{name}, one for each metric", "0.2", partial(smooth, profile, 0.2, False))
    for name, (height, share) in STEPS.items():
        tell(name, "1", partial(stepped, height, share))


if __name__ == "__main__":
    main()
