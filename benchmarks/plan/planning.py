"""How long Snakemake takes to plan a large sweep, beside a bare workflow of as many jobs.

    python benchmarks/plan/planning.py

Ten sizes of Pythia at 154 steps with three datasets. The bare one has rules of one input or a few
and no parameters, and the same numbers of checkpoints and tables: what Snakemake takes for jobs and
files whatever is said about them. CPU and wall seconds of `snakemake -n`, in turns.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.plan.sweep import snakemake, took

SIZES = ["14m", "31m", "70m", "160m", "410m", "1b", "1.4b", "2.8b", "6.9b", "12b"]
STEPS = [0, *(2**i for i in range(10)), *range(1000, 144000, 1000)]
DATASETS = ["one", "two", "three"]
BARE = """
FITS, STATES = ["encoding", "folds", "baselines"], ["features", "grams"]
OF_STEP = [f"r/{{m}}/step{{s}}/{d}/{f}" for d in DATASETS for f in [*STATES, "tokens"]]
TABLES = {
    "tokens": [f"r/{m}/step{s}/{{d}}/tokens" for m in MODELS for s in STEPS],
    "scores": [f"r/{m}/step{s}/{{d}}/{f}" for m in MODELS for s in STEPS for f in FITS],
    "geometry": [f"r/{m}/steps{b[0]}/{{d}}/geometry" for m in MODELS for b in BLOCKS],
}
rule all:
    input: [f"r/data/{d}/{t}" for d in DATASETS for t in TABLES]
rule activations:
    output: ["r/{m}/step{s}/sketch", *OF_STEP]
    script: "nothing.py"
for m in MODELS:
    for b in BLOCKS:
        rule:
            input: [f"r/{m}/step{s}/{{d}}/features" for s in b]
            output: [f"r/{m}/step{s}/{{d}}/{name}" for s in b for name in FITS]
            script: "nothing.py"
        rule:
            input: [f"r/{m}/step{s}/{{d}}/{name}" for s in b for name in STATES]
            output: f"r/{m}/steps{b[0]}/{{d}}/geometry"
            script: "nothing.py"
for t in TABLES:
    rule:
        input: TABLES[t]
        output: "r/data/{d}/" + t
        script: "nothing.py"
"""


def config() -> dict[str, object]:
    told = {"sentences": "words.csv", "responses": "words.csv", "regions": ["IFG", "netw"]}
    hub = {"provider": "hub", "repo": "EleutherAI/pythia-{size}", "sizes": SIZES, "steps": STEPS}
    return {"run": "plan", "suites": {"pythia": hub}, "datasets": dict.fromkeys(DATASETS, told)}


def bare(folder: Path) -> list[str]:
    """A workflow that says nothing of its jobs."""
    blocks = [STEPS[i : i + 8] for i in range(0, len(STEPS), 8)]
    grid = f"MODELS, STEPS, BLOCKS, DATASETS = {SIZES}, {STEPS}, {blocks}, {DATASETS}"
    (folder / "Bare").write_text(grid + BARE, encoding="utf-8")
    (folder / "nothing.py").touch()
    return [snakemake()[0], "-n", "-q", "--cores", "2", "-s", "Bare"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "sweep.yaml").write_text(json.dumps(config()), encoding="utf-8")
        words = "item_id,sentence,IFG,netw\n" + "".join(f"{i},a b,1,{i}\n" for i in range(20))
        (folder / "words.csv").write_text(words, encoding="utf-8")
        ways = {"workflow": snakemake("-n", "-q", "--cores", "2"), "bare": bare(folder)}
        rows = [
            {"way": way, "cpu": cpu, "wall": wall}
            for _ in range(given.rounds)
            for way, command in ways.items()
            for cpu, wall, _ in [took(command, folder)]
        ]
    print(pd.DataFrame(rows).groupby("way").median().round(1).to_string())


if __name__ == "__main__":
    main()
