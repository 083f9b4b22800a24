"""What scoring text adds to a checkpoint, and how near it is to one sentence at a time in float64.

    python benchmarks/competence/competence.py --write

50 pairs for each of 67 tasks, as many tokens as BLiMP's have (9.9 a sentence and one that begins
it; good and bad share the first 40 %, and one in seven has a token more than the other), in a
model of random weights and of the shape of Pythia's. Beside it what three datasets and two task
sets cost from one load, against each of them alone. Every measurement has a process of its own.
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
from benchmarks.models.activations import SHAPES, VOCABULARY, alone, build, make_sentences, peak_gb

TASKS, PER_TASK = 67, 50
BOS = "<|endoftext|>"


def make_pairs(path: Path, tasks: int = TASKS, seed: int = 0) -> None:
    """A table of pairs of random words, a token each."""
    rng = np.random.default_rng(seed)
    rows = []
    for pair in range(tasks * PER_TASK):
        length = int(rng.integers(6, 15))
        good = rng.integers(VOCABULARY - 2, size=length)
        shared = rng.integers(int(0.8 * length) + 1)
        bad = good.copy()
        bad[shared] = (bad[shared] + 1) % (VOCABULARY - 2)
        bad = bad[: length - (pair % 7 == 0)]
        sentences = [" ".join(f"w{word}" for word in words) for words in (good, bad)]
        rows.append((pair, f"task{pair % tasks:02d}", *sentences))
    pd.DataFrame(rows, columns=["item_id", "task", "good", "bad"]).to_csv(path, index=False)


def run(folder: Path, chosen: list[int], tables: list[Path], threads: int) -> dict[str, Any]:
    """One load, and one pass for the chosen readings: two task sets, and three datasets."""
    import torch

    from geomod.competence.reading import read_task_set
    from geomod.competence.source import Source
    from geomod.models.forward import read
    from geomod.models.loading import load_model
    from geomod.models.scored import Scored
    from geomod.models.sentences import Sentences

    torch.set_num_threads(threads)
    scored = [
        Scored(read_task_set(Source(path.stem, "pairs", [str(path)])), BOS) for path in tables
    ]
    words = make_sentences(900)
    datasets = [
        Sentences(pd.DataFrame({"item_id": range(300), "sentence": words[k : k + 300]}))
        for k in (0, 300, 600)
    ]
    readings = [*scored, *datasets]
    model, tokenizer = load_model(folder)
    wall, cpu = time.perf_counter(), time.process_time()
    read(model, tokenizer, [readings[k] for k in chosen])
    return {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "peak_gb": peak_gb(),
        "log_p": {k: readings[k].spans["log_p"].to_numpy() for k in chosen if k < len(scored)},
    }


def run_loop(folder: Path, table: Path, count: int) -> np.ndarray:
    """The first `count` sentences one at a time, summed in float64, good and bad in turn."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    sentences = pd.read_csv(table)[["good", "bad"]].to_numpy().ravel()[:count]
    found = []
    with torch.no_grad():
        for sentence in sentences:
            ids = tokenizer(BOS + sentence, add_special_tokens=False)["input_ids"]
            log_p = model(torch.tensor([ids])).logits[0, :-1].double().log_softmax(-1)
            found.append(log_p[range(len(ids) - 1), ids[1:]].sum().item())
    return np.array(found)


def benchmark(size: str, loop_count: int, threads: int) -> dict[str, Any]:
    """One row of the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = [folder / "first.csv", folder / "second.csv"]
        make_pairs(tables[0])
        make_pairs(tables[1], tasks=6, seed=1)
        alone(build, size, folder)
        each = [alone(run, folder, [k], tables, threads) for k in range(5)]
        together = alone(run, folder, list(range(5)), tables, threads)
        loop = alone(run_loop, folder, tables[0], loop_count)
    ours = each[0]["log_p"][0]
    return {
        "model": size,
        "threads": threads,
        "pairs": TASKS * PER_TASK,
        "wall_s": round(each[0]["wall_s"], 1),
        "cpu_s": round(each[0]["cpu_s"], 1),
        "peak_gb": round(each[0]["peak_gb"], 2),
        "largest_difference_nats": f"{np.abs(ours[:loop_count] - loop).max():.1e}",
        "five_alone_cpu_s": round(sum(one["cpu_s"] for one in each), 1),
        "five_together_cpu_s": round(together["cpu_s"], 1),
        "same_bits": all(np.array_equal(each[k]["log_p"][k], together["log_p"][k]) for k in (0, 1)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sizes", nargs="+", default=["70m"], choices=list(SHAPES))
    parser.add_argument("--loop-sentences", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="put the rows into docs/")
    options = parser.parse_args()
    rows = [benchmark(size, options.loop_sentences, options.threads) for size in options.sizes]
    print(pd.DataFrame(rows).T.to_string(header=False), flush=True)
    if options.write:
        document(pd.DataFrame(rows), "competence", "competence.md", "model")


if __name__ == "__main__":
    main()
