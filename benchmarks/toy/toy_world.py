"""What the toy models learn, and when, in several worlds: a table of docs/demo.md.

    python benchmarks/toy/toy_world.py --seeds 0 1 2 --write

With --claims: what the demo decides in several worlds, a run each in results/world-{seed}.

    python benchmarks/toy/toy_world.py --claims --seeds 0 1 2 3 4 5 6 7 8 9 --write
"""

import argparse
import json
import logging
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.documented import ROOT, document
from geomod.competence.half_times import half_time
from geomod.competence.reading import read_task_set
from geomod.competence.shares import families
from geomod.competence.source import Source
from geomod.competence.task_set import TaskSet
from geomod.emergence.onsets import emergence
from geomod.models.forward import read
from geomod.models.loading import load_model
from geomod.models.scored import Scored
from geomod.models.sentences import extract
from geomod.scrutiny.recovery import probe_curves
from geomod.toy.language import EARLY, LATE, make_language, sample_stimuli
from geomod.toy.tasks import TOY_TASKS, make_task
from geomod.toy.training import train

DEMO = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
SIZES, STEPS = (DEMO["suites"]["toy"][key] for key in ("sizes", "steps"))
SENTENCES = DEMO["dataset"]["simulate"]["sentences"]


def learn(size: str, seed: int) -> dict[str, float]:
    """Train one model in one world; how well its latents can be probed, and since when."""
    stimuli = sample_stimuli(make_language(seed), SENTENCES, seed)
    with tempfile.TemporaryDirectory() as folder:
        losses = train(size, STEPS, seed, Path(folder)).set_index("step")["loss"]
        asked = task_sets(Path(folder), seed)
        checkpoints, known = [], []
        for step in STEPS:
            model, tokenizer = load_model(Path(folder) / f"step{step}")
            checkpoints.append((size, step, extract(model, tokenizer, stimuli["sentence"])))
            known.append(score_all(asked, model, tokenizer, size, step))
    curves = probe_curves(
        ((model, step, found.features) for model, step, found in checkpoints),
        stimuli[[*EARLY, *LATE]],
        seed,
    )
    onsets = emergence(curves).set_index("region")["t50_step"]
    blocks = curves[curves["layer"] > 0]
    scores = blocks.groupby(["region", "step"])["score"].mean()
    best = blocks.groupby(["region", "step"])["score"].max()
    row = {"loss, first": losses.iloc[0], "loss, last": losses.iloc[-1]}
    for name, latents in (("topics", EARLY), ("number", LATE)):
        for step in (STEPS[0], STEPS[-1]):
            row[f"{name}, step {step}"] = np.mean([scores[latent, step] for latent in latents])
        row[f"{name}, best block"] = np.mean([best[latent, STEPS[-1]] for latent in latents])
        row[f"{name}, t50"] = np.mean([onsets[latent] for latent in latents])
    shares = families(pd.concat(known))
    time = np.log10(shares["step"].to_numpy() + 1)
    for family, name in (("formal", "agreement"), ("functional", "verbs"), ("facts", "facts")):
        row[f"{name}, half-way"] = 10 ** half_time(time, shares[family].to_numpy(), 0.5).value - 1
    return row


def task_sets(folder: Path, seed: int) -> list[TaskSet]:
    """The pairs of the made-up language."""
    found = []
    for kind, task in TOY_TASKS.items():
        if kind != "reading_times":
            path = folder / f"{kind}.csv"
            make_task(kind, seed).to_csv(path, index=False)
            known = {"family": task.family, "families": task.families, "ceiling": task.ceiling}
            found.append(read_task_set(Source(kind, "pairs", [str(path)], **known)))
    return found


def score_all(
    asked: list[TaskSet], model: Any, tokenizer: Any, size: str, step: int
) -> pd.DataFrame:
    """Their scores at one checkpoint."""
    readings = [Scored(task_set) for task_set in asked]
    read(model, tokenizer, readings)
    place = {"model": size, "step": step}
    return pd.concat(
        [
            task_set.tasks(task_set.items(reading.spans.assign(**place))).assign(**place)
            for task_set, reading in zip(asked, readings, strict=True)
        ]
    )


def decide(seed: int) -> dict[str, str]:
    """Run the demo in one world as far as its claims: what is planted, and what is decided."""
    run = f"world-{seed}"
    asked = [f"results/{run}/claims.json", "--cores", "2", "--config", f"run={run}", f"seed={seed}"]
    snakemake = Path(sys.executable).with_name("snakemake")
    subprocess.run([snakemake, *asked, "--quiet", "all"], cwd=ROOT, check=True)
    claims = json.loads((ROOT / asked[0]).read_text(encoding="utf-8"))
    return {f"claim {each['claim']}": f"{each['planted']}, {each['verdict']}" for each in claims}


def rightly(cells: pd.Series) -> str:
    """In how many worlds a claim was supported where it is true, and refuted where it is not."""
    right = cells.isin(["True, supported", "False, not supported"])
    return f"{right.sum()} of {len(cells)}"


def learned(sizes: list[str], seeds: list[int]) -> pd.DataFrame:
    """A row a model and world."""
    table = pd.DataFrame(
        [{"model": f"toy-{size}", "seed": s, **learn(size, s)} for size in sizes for s in seeds]
    )
    for column in table.columns[2:]:
        places = 0 if column.endswith(("t50", "half-way")) else 2
        table[column] = table[column].map(lambda value, p=places: f"{value:.{p}f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    parser.add_argument("--claims", action="store_true", help="what is decided")
    parser.add_argument("--write", action="store_true", help="into docs/demo.md")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    if options.claims:
        table = pd.DataFrame([{"seed": seed, **decide(seed)} for seed in options.seeds])
        print(table.drop(columns="seed").apply(rightly).to_string())
    else:
        table = learned(options.sizes, options.seeds)
    print(table.to_string(index=False))
    if options.write:
        name, key = ("demo-claims", "seed") if options.claims else ("toy-world", "model")
        document(table, name, "demo.md", key=key)


if __name__ == "__main__":
    main()
