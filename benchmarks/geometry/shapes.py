"""What all measures of the geometry of one checkpoint cost, the lens aside.

    python benchmarks/geometry/shapes.py --write

Made-up features and token Grams of the shape of Pythia-1b: 17 layers, 2,048 dimensions, 1,000 short
sentences, whose states drift from layer to layer and from step to step. Every registered measure is
taken: of each sentence, of their set, of pairs of layers, of the depth, and of the checkpoint's two
pairs of steps, with the next step and with the last: what a sweep of three steps takes beyond one
of two. Each part has a process of its own; times are its CPU seconds on one thread, and memory is
the most that it holds, with the features.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.documented import document
from benchmarks.models.activations import LENGTHS, SHAPES, alone, peak_gb

Features = dict[int, np.ndarray]


def make_features(layers: int, count: int, width: int, step: int) -> Features:
    """Features of a falling spectrum, of which each layer and each step keeps most."""
    rng, start = np.random.default_rng(0), np.random.default_rng(1)
    scale = np.arange(1, width + 1) ** -0.7
    states = start.standard_normal((count, width))
    features = {}
    for layer in range(layers):
        states = states + 0.3 * rng.standard_normal((count, width))
        moved = np.random.default_rng([step, layer]).standard_normal((count, width))
        features[layer] = ((states + 0.3 * step * moved) * scale).astype(np.float32)
    return features


def make_grams(layers: int, count: int, width: int) -> dict[int, Any]:
    """Token Grams of sentences of as many tokens as short written ones have."""
    from geomod.geometry.grams import Grams

    rng = np.random.default_rng(0)
    lengths = rng.choice(list(LENGTHS), size=count, p=list(LENGTHS.values()))
    return {
        layer: Grams.of_states([rng.standard_normal((n, width)) for n in lengths])
        for layer in range(layers)
    }


def of_sentences(layers: int, count: int, width: int) -> Callable[[], object]:
    from geomod.geometry.catalogue import names
    from geomod.geometry.measuring import measure, summarize

    grams, items = make_grams(layers, count, width), [str(row) for row in range(count)]
    return lambda: summarize(measure(grams, items, names()))


def of_set(layers: int, count: int, width: int) -> Callable[[], object]:
    from geomod.geometry.sets import measure_population

    features = make_features(layers, count, width, 0)
    return lambda: measure_population(features)


def of_pairs_of_layers(layers: int, count: int, width: int) -> Callable[[], object]:
    from geomod.geometry.sets import depth_similarity

    features = make_features(layers, count, width, 0)
    return lambda: depth_similarity(features)


def of_depth(layers: int, count: int, width: int) -> Callable[[], object]:
    from geomod.geometry.depth import measure_depth

    features = make_features(layers, count, width, 0)
    return lambda: measure_depth(features)


def of_steps(steps: int, layers: int, count: int, width: int) -> Callable[[], object]:
    from geomod.base.layers import read_features, write_features
    from geomod.geometry.steps import speed_of_training

    folder = tempfile.TemporaryDirectory()  # lives as long as what reads from it
    for step in range(steps):
        features = make_features(layers, count, width, step)
        write_features(features, Path(folder.name) / str(step))
    grams = make_grams(layers, count, width)
    return lambda: speed_of_training(
        range(steps), lambda step: read_features(Path(folder.name) / str(step)), lambda _: grams
    )


PARTS: dict[str, Callable[[int, int, int], Callable[[], object]]] = {
    "sentences": of_sentences,
    "set": of_set,
    "pairs_of_layers": of_pairs_of_layers,
    "depth": of_depth,
    "two_steps": partial(of_steps, 2),
    "pairs_of_steps": partial(of_steps, 3),
}


def run(part: str, layers: int, count: int, width: int) -> dict[str, float]:
    """CPU seconds and memory of one part."""
    import torch

    torch.set_num_threads(1)
    work = PARTS[part](layers, count, width)
    started = time.process_time()
    work()
    seconds = time.process_time() - started
    return {"seconds": seconds, "peak_gb": peak_gb()}


def benchmark(size: str, count: int) -> dict[str, Any]:
    """One row of the table."""
    blocks, width, _ = SHAPES[size]
    found = {part: alone(run, part, blocks + 1, count, width) for part in PARTS}
    seconds = {part: each["seconds"] for part, each in found.items()}
    seconds["pairs_of_steps"] -= seconds.pop("two_steps")
    return {
        "model": size,
        "layers": blocks + 1,
        "sentences": count,
        **{f"{part}_s": round(value, 1) for part, value in seconds.items()},
        "all_s": round(sum(seconds.values()), 1),
        "peak_gb": round(max(each["peak_gb"] for each in found.values()), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sizes", nargs="+", default=["1b"], choices=list(SHAPES))
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--write", action="store_true", help="put the rows into docs/")
    options = parser.parse_args()
    table = pd.DataFrame([benchmark(size, options.sentences) for size in options.sizes])
    print(table.T.to_string(header=False), flush=True)
    if options.write:
        document(table, "shapes", "geometry.md", "model")


if __name__ == "__main__":
    main()
