"""What several readings of one loaded model cost, against each alone and one load.

    python benchmarks/models/readings.py --write

Three datasets of as many sentences as each other, of other words: two read alone, one in passages.
The model has random weights in the shape of Pythia's. Every measurement has a process of its own
and is repeated, the ways taking turns; times are medians of CPU seconds, which a busy machine
changes least. The passages are also read the slow way, the growing text again for every unit.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.documented import document
from benchmarks.models.activations import SHAPES, alone, build, make_sentences, peak_gb

UNITS = 5  # sentences in a passage


def make_stimuli(count: int, seed: int) -> pd.DataFrame:
    """Sentences of random words, `UNITS` to a passage."""
    return pd.DataFrame(
        {
            "item_id": [str(row) for row in range(count)],
            "sentence": make_sentences(count, seed),
            "group": [f"passage {row // UNITS}" for row in range(count)],
        }
    )


def run(folder: Path, chosen: list[int], count: int, threads: int) -> dict[str, Any]:
    """One load, and one pass for the `chosen` of the three readings; 3 re-reads growing texts."""
    import torch

    from geomod.models.forward import read
    from geomod.models.loading import load_model
    from geomod.models.passages import Passages
    from geomod.models.sentences import Sentences

    torch.set_num_threads(threads)
    tables = [make_stimuli(count, seed) for seed in (0, 1, 2)]
    passages = tables[2].groupby("group", sort=False)["sentence"]
    growing = [" ".join(units[: k + 1]) for _, units in passages for k in range(len(units))]
    readings = [
        Sentences(tables[0]),
        Sentences(tables[1]),
        Passages(tables[2]),
        Sentences(tables[2].assign(sentence=growing)),
    ]
    started = time.process_time()
    model, tokenizer = load_model(folder)
    loaded = time.process_time()
    read(model, tokenizer, [readings[k] for k in chosen])
    weights = sum(w.numel() * w.element_size() for w in model.parameters())
    return {
        "load_s": loaded - started,
        "seconds": time.process_time() - loaded,
        "peak_gb": peak_gb(),
        "weights_gb": weights / 1e9,
        "features": {k: readings[k].features for k in chosen},
    }


def benchmark(size: str, count: int, threads: int, repeats: int) -> dict[str, Any]:
    """One row of the table."""
    ways = {"first": [0], "second": [1], "passages": [2], "together": [0, 1, 2], "growing": [3]}
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        alone(build, size, Path(folder))
        for _ in range(repeats):
            for name, chosen in ways.items():
                runs[name].append(alone(run, Path(folder), chosen, count, threads))
    seconds = {name: float(np.median([r["seconds"] for r in runs[name]])) for name in ways}
    load = float(np.median([r["load_s"] for each in runs.values() for r in each]))
    each = seconds["first"] + seconds["second"] + seconds["passages"]
    found, together = (runs[name][0] for name in ("passages", "together"))
    same = all(
        np.array_equal(features, together["features"][k][layer])
        for name, k in (("first", 0), ("second", 1), ("passages", 2))
        for layer, features in runs[name][0]["features"][k].items()
    )
    reread = runs["growing"][0]["features"][3]
    apart = max(
        np.abs(features - reread[layer]).max() / np.abs(features).max()
        for layer, features in found["features"][2].items()
    )
    return {
        "model": size,
        "threads": threads,
        "sentences": f"3 × {count}",
        "load_s": round(load, 1),
        "alone_s": round(each, 1),
        "together_s": round(seconds["together"], 1),
        "ratio": round((load + seconds["together"]) / (load + each), 3),
        "same_bits": same,
        "peak_gb": round(together["peak_gb"], 2),
        "allowed_gb": round(1.3 * together["weights_gb"] + 1, 2),
        "passages_s": round(seconds["passages"], 1),
        "growing_s": round(seconds["growing"], 1),
        "largest_difference": f"{apart:.1e}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sizes", nargs="+", default=["70m"], choices=list(SHAPES))
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="put the rows into docs/")
    options = parser.parse_args()
    rows = [
        benchmark(size, options.sentences, options.threads, options.repeats)
        for size in options.sizes
    ]
    print(pd.DataFrame(rows).T.to_string(header=False), flush=True)
    if options.write:
        document(pd.DataFrame(rows), "readings", "performance-activations.md", "model")


if __name__ == "__main__":
    main()
