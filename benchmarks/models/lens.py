"""What the lens costs beside the pass that it is read in.

    python benchmarks/models/lens.py --write

A model of random weights in the shape of Pythia's reads sentences with and without the lens, with
features, Grams and surprisal either way. The sentences are once of random words, of which hardly
one comes twice, and once English, from what is written in the sources of NumPy, SciPy and pandas,
as many of each length: there words repeat, and so do beginnings. `looked_at` is the share of the
states, over layers, of which logits are made. Each measurement has a process of its own; times are
its CPU seconds.
"""

import argparse
import importlib
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.documented import document
from benchmarks.models.activations import LENGTHS, SHAPES, alone, build, make_sentences

SOURCES = ("numpy", "scipy", "pandas")
SENTENCE = re.compile(r"(?<=[.!?] )[A-Z][a-z]*(?:,? [A-Za-z'-]+){3,}\.(?= )")


def english(count: int) -> list[str]:
    """Sentences of other people's, a word or a mark a token: its number in order of appearance."""
    folders = [Path(importlib.import_module(name).__file__ or "").parent for name in SOURCES]
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    texts = (" ".join(file.read_text("utf-8").split()) for file in files)
    unique = dict.fromkeys(found for text in texts for found in SENTENCE.findall(text))
    by_length: dict[int, list[list[str]]] = {}
    for sentence in unique:
        tokens = re.findall(r"[A-Za-z'-]+|[,.]", sentence)
        by_length.setdefault(len(tokens), []).append(tokens)
    rng = np.random.default_rng(0)
    chosen = [
        by_length[length][row]
        for length, share in LENGTHS.items()
        for row in rng.choice(len(by_length[length]), round(share * count), replace=False)
    ]
    numbers: dict[str, int] = {}
    return [
        " ".join(f"w{numbers.setdefault(token, len(numbers))}" for token in tokens)
        for tokens in chosen
    ]


def run(folder: Path, sentences: list[str], with_lens: bool, threads: int) -> dict[str, float]:
    """CPU seconds of a pass, and the share of the states that are looked at."""
    import torch

    from geomod.models import lens
    from geomod.models.forward import read
    from geomod.models.loading import load_model
    from geomod.models.sentences import Sentences

    torch.set_num_threads(threads)
    items = [str(row) for row in range(len(sentences))]
    stimuli = pd.DataFrame({"item_id": items, "sentence": sentences})
    model, tokenizer = load_model(folder)
    readings = [Sentences(stimuli), *([lens.Lens(stimuli)] if with_lens else [])]
    looked, distinct = [], lens.distinct

    def counting(*arguments: Any) -> Any:
        rows, where = distinct(*arguments)
        looked.append(sum(len(own) for own in rows))
        return rows, where

    lens.distinct = counting
    started = time.process_time()
    read(model, tokenizer, readings)
    seconds = time.process_time() - started
    every = sum(len(sentence.split()) - 1 for sentence in sentences)
    layers = model.config.num_hidden_layers
    return {"seconds": seconds, "looked_at": sum(looked) / (layers * every)}


def benchmark(size: str, count: int, threads: int, repeats: int) -> list[dict[str, Any]]:
    """The rows of the table, the ways taking turns."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        alone(build, size, folder)
        for words, sentences in (("random", make_sentences(count)), ("English", english(count))):
            found = [
                [alone(run, folder, sentences, with_lens, threads) for with_lens in (False, True)]
                for _ in range(repeats)
            ]
            without, both = np.median([[r["seconds"] for r in pair] for pair in found], axis=0)
            rows.append(
                {
                    "model": size,
                    "words": words,
                    "sentences": len(sentences),
                    "threads": threads,
                    "looked_at": round(found[0][1]["looked_at"], 2),
                    "pass_s": round(without, 1),
                    "with_lens_s": round(both, 1),
                    "lens_in_passes": round(both / without - 1, 2),
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sizes", nargs="+", default=["70m"], choices=list(SHAPES))
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="put the rows into docs/")
    options = parser.parse_args()
    table = pd.DataFrame(
        row
        for size in options.sizes
        for row in benchmark(size, options.sentences, options.threads, options.repeats)
    )
    print(table.T.to_string(header=False), flush=True)
    if options.write:
        document(table, "lens", "lens.md", "model")


if __name__ == "__main__":
    main()
