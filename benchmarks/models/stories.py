"""What a story costs, against a window of context for every word.

    python benchmarks/models/stories.py --write

A story of made-up words, a token each, through a model of random weights in the shape of Pythia's.
The other way is the common one: for every word the tokens before it are passed through the model,
one text at a time, and the last state of each layer is kept. It runs over the first words only, and
its time is scaled to all. Each measurement has a process of its own; times are its CPU seconds.
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
from benchmarks.models.activations import SHAPES, VOCABULARY, alone, build, peak_gb

TR = 2.0


def tell(count: int) -> pd.DataFrame:
    """A story of so many words, three a second."""
    rng = np.random.default_rng(0)
    said = [f"w{word}" for word in rng.integers(VOCABULARY - 2, size=count)]
    onset = np.arange(count) / 3
    return pd.DataFrame({"story": "a", "word": said, "onset": onset, "offset": onset + 0.3})


def windows(folder: Path, count: int, threads: int) -> dict[str, Any]:
    """The reading `story`: rows of every layer, Grams and surprisal of its units."""
    import torch

    from geomod.models.loading import find_blocks, load_model
    from geomod.models.story import extract_story
    from geomod.stories.settings import Settings
    from geomod.stories.timing import Timing, rows_of

    torch.set_num_threads(threads)
    words = tell(count)
    rows = rows_of({"a": Timing(TR, int(count / 3 / TR) + 1)})
    model, tokenizer = load_model(folder)
    seen = []
    find_blocks(model)[0].register_forward_hook(lambda *call: seen.append(call[-1].shape[:2]))
    before, started = peak_gb(), time.process_time()
    extract_story(model, tokenizer, words, rows, how=Settings(tr=TR))
    tokens = sum(texts * length for texts, length in seen)
    return {
        "tokens": tokens,
        "seconds": time.process_time() - started,
        "above_gb": peak_gb() - before,
    }


def word_by_word(
    folder: Path, count: int, context: int, sample: int, threads: int
) -> dict[str, Any]:
    """A window of `context` tokens for each word; time scaled from the first `sample` of those
    whose window is full."""
    import torch

    from geomod.models.loading import load_model

    torch.set_num_threads(threads)
    model, tokenizer = load_model(folder)
    ids = tokenizer(" ".join(tell(count)["word"]))["input_ids"]
    started = time.process_time()
    with torch.inference_mode():
        for end in range(context, context + sample):
            text = torch.tensor([ids[end - context : end]])
            states = model.base_model(text, output_hidden_states=True).hidden_states
            [layer[0, -1].numpy().copy() for layer in states]
    each = (time.process_time() - started) / sample
    tokens = sum(min(end, context) for end in range(1, count + 1))
    return {"tokens": tokens, "seconds": each * tokens / context}


def benchmark(size: str, count: int, context: int, sample: int, threads: int) -> dict[str, Any]:
    """One row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        alone(build, size, Path(folder))
        ours = alone(windows, Path(folder), count, threads)
        theirs = alone(word_by_word, Path(folder), count, context, sample, threads)
    return {
        "model": size,
        "threads": threads,
        "words": count,
        "tokens": ours["tokens"],
        "times_the_text": round(ours["tokens"] / count, 2),
        "seconds": round(ours["seconds"], 1),
        "above_gb": round(ours["above_gb"], 2),
        "context": context,
        "word_by_word_times_the_text": round(theirs["tokens"] / count, 1),
        "word_by_word_seconds": round(theirs["seconds"], 1),
        "times_faster": round(theirs["seconds"] / ours["seconds"], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sizes", nargs="+", default=["70m"], choices=list(SHAPES))
    parser.add_argument("--words", type=int, default=2000)
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--sample", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the rows into docs/")
    options = parser.parse_args()
    given = (options.words, options.context, options.sample, options.threads)
    table = pd.DataFrame([benchmark(size, *given) for size in options.sizes])
    print(table.T.to_string(header=False), flush=True)
    if options.write:
        document(table, "stories", "stories.md", "model")


if __name__ == "__main__":
    main()
