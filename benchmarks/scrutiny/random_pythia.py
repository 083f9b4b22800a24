"""Models of Pythia's shapes that nobody trained: what do the claims, and the controls, say of them?

    PYTHONPATH=workflow python benchmarks/scrutiny/random_pythia.py build/random
    .venv/bin/snakemake --cores 2 --configfile build/random/config.yaml
    PYTHONPATH=workflow python benchmarks/scrutiny/random_pythia.py build/random --tell

The first line writes checkpoints, sentences, responses and a config. The weights of a step turn
from one random initialization into another, cos φ A + sin φ B with φ from 0 to π/2 over log10(step
+ 1): features and geometry change, and nothing is learnt. Blocks, width and heads are Pythia's, the
words those of the toy language. Five people answer to something that they share, and that no model
knows.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml

from geomod.curves.curves import log_step
from geomod.scrutiny.comeback import summary
from geomod.toy.language import make_language, sample_stimuli
from geomod.toy.shapes import ToySize
from geomod.toy.training import make_model, make_tokenizer, save

SHAPES = {"70m": ToySize(6, 512, 8, 0.0), "160m": ToySize(12, 768, 12, 0.0)}
STEPS = (0, 1, 4, 16, 64, 256, 1000, 4000)
REGIONS = ("IFGorb", "IFG", "AntTemp", "PostTemp", "netw")
SENTENCES, PEOPLE, NOISE = 300, "abcde", 2.0
KINDS = ["smooth", "rough", "straight", "early", "late", "temporal_first", "length", "null"]


def make(folder: Path, sizes: list[str]) -> None:
    tokenizer = make_tokenizer(0)
    for size in sizes:
        one, other = (make_model(SHAPES[size], tokenizer, seed) for seed in (0, 1))
        first = {name: weight.clone() for name, weight in one.state_dict().items()}
        last = other.state_dict()
        angles = np.pi / 2 * log_step(STEPS) / log_step(STEPS)[-1]
        for step, angle in zip(STEPS, angles, strict=True):
            turned = {
                name: np.cos(angle) * a + np.sin(angle) * last[name] if a.ndim > 1 else a
                for name, a in first.items()
            }
            one.load_state_dict(turned)
            save(one, tokenizer, folder / size / f"step{step}")
    stimuli = sample_stimuli(make_language(0), SENTENCES, 0)
    sentences = pd.DataFrame({"item_id": stimuli["item_id"], "sentence": stimuli["sentence"]})
    sentences.to_csv(folder / "sentences.csv", index=False)
    rng = np.random.default_rng(0)
    rows = []
    for region in REGIONS:
        shared = rng.standard_normal(SENTENCES)
        for person in PEOPLE:
            answers = shared + NOISE * rng.standard_normal(SENTENCES)
            answered = zip(sentences["item_id"], answers, strict=True)
            rows += [(*each, region, person) for each in answered]
    columns = ["item_id", "response", "region", "participant"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "responses.csv", index=False)
    config = {
        "run": "random",
        "suites": {
            "pythia": {
                "provider": "folder",
                "path": f"{folder}/{{size}}/step{{step}}",
                "sizes": sizes,
                "steps": list(STEPS),
            }
        },
        "dataset": {
            "name": "nobody",
            "sentences": f"{folder}/sentences.csv",
            "responses": f"{folder}/responses.csv",
            "regions": list(REGIONS),
        },
        "encoding": {"permutations": 0},
        "controls": {"kinds": [*KINDS, "stepped", "graded"], "draws": 20},
        "jobs": {"steps_per_job": 4},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def tell() -> None:
    table = pd.read_parquet("results/random/tables/controls.parquet")
    print(summary(table).round(3).to_markdown(index=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--tell", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.tell:
        tell()
    else:
        options.folder.mkdir(parents=True, exist_ok=True)
        make(options.folder, options.sizes)


if __name__ == "__main__":
    main()
