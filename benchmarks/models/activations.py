"""Speed and memory of one forward pass at the true sizes of Pythia, against the obvious loop.

    python benchmarks/models/activations.py --sizes 70m 160m --write

Models of random weights are built here, stored in float16 as Pythia's are, and loaded as float32.
The obvious loop takes one sentence at a time with `output_hidden_states=True` and computes the same
features, Grams and surprisals from what comes out. Each measurement has a process of its own, and
times are its CPU seconds, which a busy machine changes least.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.documented import document

VOCABULARY = 50304
# blocks, width, heads
SHAPES = {
    "14m": (6, 128, 4),
    "70m": (6, 512, 8),
    "160m": (12, 768, 12),
    "410m": (24, 1024, 16),
    "1b": (16, 2048, 8),
}
# Numbers of tokens of short written sentences, about six words each.
LENGTHS = {6: 0.15, 7: 0.25, 8: 0.25, 9: 0.15, 10: 0.10, 11: 0.05, 12: 0.05}


def make_sentences(count: int, seed: int = 0) -> list[str]:
    """Random words, a token each."""
    rng = np.random.default_rng(seed)
    lengths = rng.choice(list(LENGTHS), size=count, p=list(LENGTHS.values()))
    return [" ".join(f"w{word}" for word in rng.integers(VOCABULARY - 2, size=n)) for n in lengths]


def build(size: str, folder: Path) -> None:
    """A GPT-NeoX folder of the shape of Pythia-`size`, random weights in float16."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

    blocks, width, heads = SHAPES[size]
    config = GPTNeoXConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        num_hidden_layers=blocks,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        max_position_embeddings=2048,
    )
    torch.manual_seed(0)
    GPTNeoXForCausalLM._from_config(config, dtype=torch.float16).save_pretrained(folder)
    words = ["<|endoftext|>", "[UNK]", *(f"w{word}" for word in range(VOCABULARY - 2))]
    vocabulary = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=words[0], unk_token=words[1]
    ).save_pretrained(folder)


def run_extract(
    folder: Path, sentences: list[str], batch_tokens: int, threads: int
) -> dict[str, Any]:
    """The forward pass of this repository."""
    import torch

    from geomod.models.loading import load_model
    from geomod.models.sentences import extract

    torch.set_num_threads(threads)
    started = time.process_time()
    model, tokenizer = load_model(folder)
    loaded = time.process_time()
    found = extract(model, tokenizer, sentences, last_layer="normed", batch_tokens=batch_tokens)
    seconds = time.process_time() - loaded
    weights = sum(w.numel() * w.element_size() for w in model.parameters())
    return {
        "load_s": loaded - started,
        "seconds": seconds,
        "peak_gb": peak_gb(),
        "weights_gb": weights / 1e9,
        "features": found.features,
        "grams": found.grams,
        "surprisal": found.tokens["surprisal"].to_numpy(),
    }


def run_loop(folder: Path, sentences: list[str], threads: int) -> dict[str, Any]:
    """One sentence at a time, as first written by anyone."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    started = time.process_time()
    features: list[list[np.ndarray]] = []
    grams: list[list[np.ndarray]] = []
    surprisal = []
    with torch.no_grad():
        for sentence in sentences:
            ids = torch.tensor([tokenizer(sentence, add_special_tokens=False)["input_ids"]])
            output = model(ids, output_hidden_states=True, labels=ids)
            states = [state[0].numpy() for state in output.hidden_states]
            features.append([tokens[-1].copy() for tokens in states])
            wide = [tokens.astype(np.float64) for tokens in states]
            grams.append([tokens @ tokens.T for tokens in wide])
            surprisal.append(output.loss.item())
    layers = range(len(features[0]))
    return {
        "seconds": time.process_time() - started,
        "peak_gb": peak_gb(),
        "features": {k: np.stack([row[k] for row in features]) for k in layers},
        "grams": {k: [row[k] for row in grams] for k in layers},
        "surprisal": np.array(surprisal),
    }


def peak_gb() -> float:
    """The most memory that this process has held, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run `function` in a new process, whose memory is its own."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(function, *arguments).result()


def run_geometry(grams: dict[int, Any], features: dict[int, Any]) -> dict[str, float]:
    """Seconds that all variants of all measures take, of sentences and of their set."""
    from geomod.geometry.catalogue import names
    from geomod.geometry.measuring import measure, summarize
    from geomod.geometry.sets import measure_population

    items = [str(row) for row in range(len(features[0]))]
    started = time.process_time()
    summarize(measure(grams, items, names()))
    half = time.process_time()
    measure_population(features)
    return {"geometry_s": half - started, "population_s": time.process_time() - half}


def difference(ours: dict[str, Any], loop: dict[str, Any]) -> float:
    """The largest disagreement, relative to the largest value of its layer."""
    worst = np.abs(ours["surprisal"][: len(loop["surprisal"])] - loop["surprisal"]).max()
    for layer, features in loop["features"].items():
        apart = np.abs(ours["features"][layer][: len(features)] - features)
        worst = max(worst, apart.max() / np.abs(features).max())
        for row, theirs in enumerate(loop["grams"][layer]):
            apart = np.abs(ours["grams"][layer][row] - theirs)
            worst = max(worst, apart.max() / np.abs(theirs).max())
    return float(worst)


def benchmark(
    size: str, count: int, loop_count: int, batch_tokens: int, threads: int
) -> dict[str, Any]:
    """One row of the table."""
    sentences = make_sentences(count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        alone(build, size, folder)
        ours = alone(run_extract, folder, sentences, batch_tokens, threads)
        loop = alone(run_loop, folder, sentences[:loop_count], threads)
    geometry = alone(run_geometry, ours["grams"], ours["features"])
    here, there = ours["seconds"] / count, loop["seconds"] / loop_count
    bound = 1.3 * ours["weights_gb"] + 1
    return {
        "model": size,
        "threads": threads,
        "sentences": count,
        "load_s": round(ours["load_s"], 1),
        "extract_s": round(ours["seconds"], 1),
        "ms_a_sentence": round(1000 * here, 2),
        "loop_ms_a_sentence": round(1000 * there, 2),
        "times_faster": round(there / here, 1),
        "largest_difference": f"{difference(ours, loop):.1e}",
        "weights_gb": round(ours["weights_gb"], 2),
        "peak_gb": round(ours["peak_gb"], 2),
        "allowed_gb": round(bound, 2),
        "loop_peak_gb": round(loop["peak_gb"], 2),
        **{name: round(seconds, 1) for name, seconds in geometry.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sizes", nargs="+", default=["70m", "160m"], choices=list(SHAPES))
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--loop-sentences", type=int, default=200)
    parser.add_argument("--batch-tokens", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the rows into docs/")
    arguments = parser.parse_args()
    rows = []
    for size in arguments.sizes:
        rows.append(
            benchmark(
                size,
                arguments.sentences,
                arguments.loop_sentences,
                arguments.batch_tokens,
                arguments.threads,
            )
        )
        print(pd.DataFrame(rows[-1:]).T.to_string(header=False), flush=True)
    if arguments.write:
        document(pd.DataFrame(rows), "activations", "performance-activations.md", "model")


if __name__ == "__main__":
    main()
