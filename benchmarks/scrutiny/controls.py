"""What controls cost: CPU time of the encoding of a checkpoint without and with them.

    OMP_NUM_THREADS=1 PYTHONPATH=workflow:. python benchmarks/scrutiny/controls.py --width 48 1024
    OMP_NUM_THREADS=1 PYTHONPATH=workflow:. python benchmarks/scrutiny/controls.py --claims

Layers of a checkpoint as wide as said, 1,000 sentences, 6 regions of 5 participants and their
average, 200 permutations, 21 penalties, 5 × 5 folds, ladders beside three baselines. Controls are
four kinds of 20 draws, for 5 regions, 5 participants, their average and the signal. Both take
turns in one process, on one thread; medians of the rounds are printed, of seconds and of ratios.
"""

import argparse
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.ridge.ladder import world
from geomod.claims.claim import Truth
from geomod.curves.settings import Settings as Inference
from geomod.encoding.baselines import Baselines, Ladders
from geomod.encoding.controls import Beside, Controls, together
from geomod.encoding.scores import encode_checkpoint
from geomod.encoding.settings import Settings
from geomod.scrutiny.comeback import recovered
from geomod.scrutiny.controls import make_controls
from geomod.scrutiny.noise import Noise
from geomod.scrutiny.signals import Contrasts, parts_of
from geomod.scrutiny.synthetic import Design, Frame, Scatter, label_modules, simulate

KINDS, DRAWS = ("smooth", "rough", "length", "null"), 20
REGIONS = ("AntTemp", "IFG", "IFGorb", "PostTemp", "netw")
NOISE = Noise(REGIONS, tuple("abcde"), np.full((5, 5), 1.5))
TOLD = Settings(
    5, 5, None, 0, (-2, 8, 21), True, None, 200, ("length", "position", "untrained")
)  # fmt: skip
BLOCKS, STEPS = (6, 8, 10), 16  # of the demo's models


def cpu_seconds(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def of(features: dict[int, Any], early: dict[int, Any], stimuli: pd.DataFrame) -> Controls:
    """Controls from features of some layers, the first half of which are the low ones."""
    layers = [layer for layer in features if layer]
    middle = layers[len(layers) // 2]
    weights = {layer: (1.0 if layer < middle else -1.0) / len(layers) for layer in layers}
    parts = parts_of(features, early, Contrasts(weights, weights), stimuli)
    return make_controls(KINDS, DRAWS, parts, NOISE, seed=0)[0]


def cost(width: int, layers: int, rounds: int) -> None:
    features, before, responses, stimuli, ceiling = world(layers, 1000, width)
    controls, baselines = of(features, before, stimuli), Baselines(TOLD, stimuli, before)
    given = (features, responses, stimuli, ceiling, TOLD, "cpu")

    def alone() -> None:
        encode_checkpoint(*given, Ladders(baselines))

    def both() -> None:
        encode_checkpoint(*given, together(Ladders(baselines), Beside(controls)))

    alone()  # what a baseline predicts alone is found once a job
    seconds = np.array([[cpu_seconds(alone), cpu_seconds(both)] for _ in range(rounds)]) / layers
    without, with_them = np.median(seconds, axis=0)
    share = np.median(seconds[:, 1] / seconds[:, 0]) - 1
    print(
        f"width {width}: {without:.2f} s a layer, with controls {with_them:.2f} s, "
        f"{100 * share:.0f} % more",
        flush=True,
    )


def claims(draws: int) -> None:
    """Of made-up fits, as large as the demo's: what is fitted does not change what it takes."""
    scatter = Scatter(0.3, 0.1, 0.15, 0.6, 0.3)
    steps = (0, *(2**k for k in range(STEPS - 1)))
    frames = tuple(Frame(f"toy-{n}", 10.0**n, steps, n) for n in BLOCKS)
    design = Design(frames, REGIONS, 5, scatter, scatter, 0.1)
    curves = simulate(design, Truth(separation=1.0), np.random.default_rng(0))
    features = world(4, 200, 8)
    targets = of(features[0], features[1], features[3]).targets
    targets = targets[targets["draw"] < draws].reset_index(drop=True)
    rng = np.random.default_rng(0)
    rise = 1 / (1 + np.exp(3 - np.arange(STEPS)))
    fits = {
        (c.model, int(step)): {
            int(layer): up * (0.3 + 0.1 * rng.standard_normal((5, len(targets))))
            for layer in c.layers
        }
        for c in curves
        for step, up in zip(c.steps, rise, strict=True)
    }
    told = replace(Inference(), permutations=1000)
    seconds = cpu_seconds(
        lambda: recovered(targets, fits, curves, label_modules(curves), NOISE, told)
    )
    print(f"claims on {len(KINDS)} kinds of {draws} draws: {seconds:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, nargs="+", default=[48, 512, 1024])
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--claims", action="store_true")
    parser.add_argument("--draws", type=int, default=DRAWS)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    if options.claims:
        claims(options.draws)
    for width in [] if options.claims else options.width:
        cost(width, options.layers, options.rounds)


if __name__ == "__main__":
    main()
