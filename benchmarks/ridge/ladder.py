"""Time the confound ladder beside the encoding that it stands on, and beside what it replaced.

    python benchmarks/ridge/ladder.py                     # one thread and two, five rounds each
    python benchmarks/ridge/ladder.py --threads 1 --rounds 3 --layers 7

Layers of a checkpoint, 512 wide, 1,000 sentences, 6 regions of 5 participants and their average,
200 permutations, 21 penalties, 5 × 5 folds. In each round these take turns in one process: the
encoding alone, the encoding with ladders, and the plain ladders (every model of them fitted by a
factorization of its own). A ladder costs what it makes the encoding longer by. Medians of the
rounds are printed, of seconds and of ratios to the encoding. What a baseline predicts alone is
found in a first round, which is not counted, as it is in the first checkpoint of a job.
"""

import argparse
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow")]
ALL = ["length", "position", "untrained"]
Features = dict[int, NDArray[np.float32]]


def steep(rng: np.random.Generator, n: int, width: int) -> NDArray[np.float32]:
    """Features whose singular values fall as 1/k, as a language model's do."""
    u, _, v = np.linalg.svd(rng.standard_normal((n, width)), full_matrices=False)
    return (100 * u / np.arange(1, len(v) + 1) @ v).astype(np.float32)


def world(layers: int, n: int, width: int) -> tuple[Features, Features, Any, Any, Any]:
    """Features, those before training, responses, sentences and ceilings."""
    rng = np.random.default_rng(0)
    features, before = ({k: steep(rng, n, width) for k in range(layers)} for _ in range(2))
    items = [f"s{i}" for i in range(n)]
    words = rng.integers(5, 25, n)
    columns = {"n_words": words, "n_characters": 5 * words + rng.integers(0, 30, n)}
    stimuli = pd.DataFrame({"item_id": items, **columns, "position": np.arange(n)})
    keys = [(f"r{i}", who) for i in range(6) for who in ("average", *"abcde")]
    signal = {f"r{i}": features[i % layers] @ rng.standard_normal(width) for i in range(6)}
    drift = 0.3 * (words - words.mean()) / words.std()
    responses = [
        pd.DataFrame({"item_id": items, "region": region, "participant": who, "response": y})
        for region, who in keys
        for y in [signal[region] / signal[region].std() + drift + 2 * rng.standard_normal(n)]
    ]
    ceiling = pd.DataFrame(keys, columns=["region", "participant"]).assign(ceiling=0.5)
    return features, before, pd.concat(responses), stimuli, ceiling


def rounds(threads: int, count: int, layers: int, n: int, width: int) -> pd.DataFrame:
    """Processor's and wall's seconds of each way in each round."""
    import torch

    from geomod.brain.responses import response_blocks
    from geomod.encoding.baselines import OF_SENTENCES, Baselines, Ladders
    from geomod.encoding.scores import cross_validation, encode_checkpoint
    from geomod.encoding.settings import Settings
    from tests.unit.ridge.ladder_oracle import plain_ladder

    torch.set_num_threads(threads)
    told = Settings(5, 5, None, 0, (-2, 8, 21), True, None, permutations=200)
    features, before, responses, stimuli, ceiling = world(layers, n, width)
    given = (features, responses, stimuli, ceiling)
    (block,) = response_blocks(responses, stimuli)
    average = (block.targets["participant"] == "average").to_numpy()

    def encode(names: list[str], baselines: Baselines) -> pd.DataFrame:
        settings, ladders = replace(told, baselines=names), Ladders(baselines)
        encode_checkpoint(*given, settings, beside=ladders)
        return ladders.table()

    def plain(names: list[str]) -> None:
        x = np.stack(list(features.values()))
        for name in names:
            base = stimuli[OF_SENTENCES[name]].to_numpy(float) if name in OF_SENTENCES else None
            beside = np.stack(list(before.values())) if base is None else base
            settings = cross_validation(told, stimuli, block.rows)
            settings.pop("delays")  # which sentences have none of
            plain_ladder(beside, x, block.matrix[:, average], **settings)

    def standing(names: list[str]) -> Callable[[], object]:
        baselines = Baselines(replace(told, baselines=names), stimuli, before)
        return lambda: encode(names, baselines)

    ways: dict[str, Callable[[], object]] = {
        "encoding": standing([]),
        "length + position": standing(ALL[:2]),
        "length + position + untrained": standing(ALL),
        "plain length + position": lambda: plain(ALL[:2]),
        "plain untrained": lambda: plain(ALL[2:]),
    }
    rows = []
    for turn in range(count + 1):
        for way, run in ways.items():
            if turn == 0 and way.startswith("plain"):
                continue
            wall, processor = time.perf_counter(), time.process_time()
            run()
            spent = time.process_time() - processor, time.perf_counter() - wall
            rows.append((turn, way, *spent))
    return pd.DataFrame(rows, columns=["round", "way", "cpu", "wall"])


def costs(timed: pd.DataFrame, clock: str) -> pd.DataFrame:
    """Median seconds of each way, the encoding taken off, and ratios to the encoding."""
    seconds = timed[timed["round"] > 0].pivot_table(clock, "round", "way")
    beside = [way for way in seconds if way != "encoding" and not way.startswith("plain")]
    encoding = seconds["encoding"]
    seconds[beside] = seconds[beside].sub(encoding, axis=0)
    ratios = seconds.div(encoding, axis=0).median()
    return pd.DataFrame({f"{clock}, s": seconds.median(), f"{clock} / encoding": ratios})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    size = given.rounds, given.layers, given.sentences, given.width
    if given.measure:
        print(rounds(given.measure, *size).to_csv(index=False))
        return
    flags = ("--rounds", "--layers", "--sentences", "--width")
    options = [word for flag, value in zip(flags, size, strict=True) for word in (flag, str(value))]
    for threads in given.threads:
        command = [sys.executable, __file__, "--measure", str(threads), *options]
        variables = os.environ | {"OMP_NUM_THREADS": str(threads)}
        out = subprocess.run(command, env=variables, check=True, capture_output=True, text=True)
        timed = pd.read_csv(io.StringIO(out.stdout))
        table = pd.concat([costs(timed, clock) for clock in ("cpu", "wall")], axis=1)
        print(f"threads: {threads}\n{table.round(2).to_string()}\n", flush=True)


if __name__ == "__main__":
    main()
