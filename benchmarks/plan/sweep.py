"""What the workflow adds to its work: a sweep beside a plain loop over the same functions.

    python benchmarks/plan/sweep.py                                 # one core, about eight minutes
    python benchmarks/plan/sweep.py --cores 2 --rounds 3
    python benchmarks/plan/sweep.py --checkpoints 2 --sentences 300 # a look, in two minutes

Checkpoints of the shape of Pythia 70M, with random weights on a smooth way from one draw to another
(so that none is a copy of its neighbour or off the way), are read with random words, six regions of
five participants beside them. The workflow runs as anybody runs it; the loop (`Loop` below) is what
one would write in a script, and ends with the same tables, claims, figures and page. Both use as
many cores, the loop as threads of its linear algebra.

CPU seconds are user and system time of all processes. `ratio` is the workflow's over the loop's. A
second table says where the seconds go: of the loop by stage (CPU), of the workflow by rule, as
Snakemake wrote them down (wall; start of Python and imports are in them), and in `snakemake` what
is left. Beside them stands what `snakemake estimate` says, on the machine as `snakemake benchmark`
has measured it a moment before.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow")]
from benchmarks.models.activations import alone, build, make_sentences  # noqa: E402
from geomod.base.benchmarks import read_benchmarks  # noqa: E402
from geomod.plan.costs import Machine  # noqa: E402

REGIONS = ["IFGorb", "IFG", "MFG", "AntTemp", "PostTemp", "netw"]
PEOPLE = list("abcde")
STEPS = [0, 1, 4, 16, 64, 256, 1024, 4096, 16384, 65536]
RUN = Path("results/sweep")


def config(size: str, checkpoints: int, per_job: int) -> dict[str, Any]:
    """As config/paper.yaml, on checkpoints in folders."""
    place = {"provider": "folder", "path": "models/{size}/step{step}", "sizes": [size]}
    return {
        "run": "sweep",
        "suites": {"random": {**place, "steps": STEPS[:checkpoints]}},
        "dataset": {
            "name": "words",
            "sentences": "words.csv",
            "responses": "words.csv",
            "regions": REGIONS,
            "participants": PEOPLE,
        },
        "jobs": {"steps_per_job": per_job},
        "device": "cpu",
    }


def make_checkpoints(size: str, count: int, folder: Path) -> None:
    """Weights on a quarter of a circle from one random draw to another, in float16."""
    import torch
    from safetensors.torch import load_file, save_file

    build(size, folder / "first")
    first = load_file(folder / "first/model.safetensors")
    draw = torch.Generator().manual_seed(1)
    for place, step in enumerate(STEPS[:count]):
        angle = np.pi / 2 * place / max(count - 1, 1)
        shutil.copytree(folder / "first", folder / f"step{step}")
        draw.manual_seed(1)
        weights = {
            name: (
                np.cos(angle) * value.float()
                + np.sin(angle) * value.float().std() * torch.randn(value.shape, generator=draw)
            ).half()
            if value.ndim > 1
            else value
            for name, value in first.items()
        }
        save_file(weights, folder / f"step{step}/model.safetensors", {"format": "pt"})
    shutil.rmtree(folder / "first")


def make_responses(count: int) -> pd.DataFrame:
    """Every participant's responses to random words: what they share, and noise."""
    rng = np.random.default_rng(0)
    sentences = make_sentences(count)
    shared = rng.standard_normal((count, len(REGIONS)))
    return pd.concat(
        pd.DataFrame(shared + rng.standard_normal(shared.shape), columns=REGIONS).assign(
            item_id=[f"s{row}" for row in range(count)], sentence=sentences, participant=person
        )
        for person in PEOPLE
    )


class Loop:
    """The sweep as a plain script: one checkpoint after the other, then the tables, in memory."""

    def __init__(self, told: dict[str, Any], folder: Path, threads: int) -> None:
        from geomod.brain.ceiling import dataset_ceilings
        from geomod.brain.responses import read_responses
        from geomod.brain.stimuli import read_stimuli
        from geomod.plan.datasets import as_files
        from geomod.plan.reading import parse_config

        self.spent: dict[str, float] = {}
        self.config, self.folder, self.threads = parse_config(told), folder, threads
        with self.timed("brain"):
            dataset = as_files(self.config.each_dataset["words"], "")
            self.stimuli = read_stimuli(dataset)
            self.responses = read_responses(dataset, self.stimuli).table
            self.ceiling = dataset_ceilings(dataset, self.responses, seed=self.config.seed)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        begun = time.process_time()
        yield
        self.spent[stage] = self.spent.get(stage, 0.0) + time.process_time() - begun

    def checkpoints(self) -> dict[str, pd.DataFrame]:
        """Every checkpoint read, measured and fitted, and the tables of all."""
        from geomod.checkpoints.continuity import sketch, write_sketch
        from geomod.encoding.baselines import Baselines, Ladders
        from geomod.encoding.scores import encode_checkpoint
        from geomod.geometry.depth import measure_depth
        from geomod.geometry.measuring import measure, summarize
        from geomod.geometry.sets import depth_similarity, measure_population
        from geomod.geometry.steps import speed_of_training
        from geomod.models.forward import read
        from geomod.models.loading import load_model, parameters_of
        from geomod.models.reading import Settings
        from geomod.models.sentences import Sentences
        from geomod.models.tokens import summarize_tokens
        from geomod.plan.settings import encoding_settings

        ((name, suite),) = self.config.suites.items()
        model_name = f"{name}-{suite.sizes[0]}"
        told = encoding_settings(self.config, "words")
        tables: dict[str, list[pd.DataFrame]] = {}
        features: dict[int, Any] = {}
        grams: dict[int, Any] = {}

        def keep(step: int, **found: pd.DataFrame) -> None:
            for kind, table in found.items():
                place = {"dataset": "words", "model": model_name, "step": step}
                tables.setdefault(kind, []).append(table.assign(**place))

        for step in suite.steps:
            path = self.folder / f"models/{suite.sizes[0]}/step{step}"
            with self.timed("activations"):
                model, tokenizer = load_model(path)
                write_sketch(sketch(parameters_of(model)), self.folder / f"{step}.safetensors", {})
                reading = Sentences(
                    self.stimuli,
                    Settings(
                        **self.config.features.model_dump(
                            include={"pooling", "bos", "first_token", "last_layer"}
                        )
                    ),
                )
                read(model, tokenizer, [reading])
                features[step], grams[step] = reading.features, reading.grams
                known = {"parameters": model.num_parameters(), "vocabulary": len(tokenizer)}
                keep(step, tokens=reading.tokens.assign(**known))
                del model
            with self.timed("geometry"):
                values = measure(
                    grams[step], self.stimuli["item_id"], self.config.geometry.measured()
                )
                keep(
                    step,
                    geometry=summarize(values),
                    population=measure_population(features[step]),
                    depth_similarity=depth_similarity(features[step]),
                    depth=measure_depth(features[step]),
                )
            with self.timed("encoding"):
                if step == 0:
                    baselines = Baselines(told, self.stimuli, features[0])
                ladders = Ladders(baselines, untrained=step > 0)
                given = (self.responses, self.stimuli, self.ceiling, told)
                scores, folds = encode_checkpoint(features[step], *given, beside=ladders)
                keep(step, encoding=scores, folds=folds, baselines=ladders.table())
        with self.timed("speed"):
            moved = speed_of_training(
                suite.steps, features.__getitem__, grams.__getitem__, seed=self.config.seed
            )
        found = {kind: pd.concat(parts, ignore_index=True) for kind, parts in tables.items()}
        with self.timed("tables"):
            found["tokens"] = summarize_tokens(tables["tokens"])
        return found | {"speed": moved.assign(dataset="words", model=model_name)}

    def conclude(self, tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
        """What the tables say: modules, times, claims."""
        from geomod.claims.judge import claims
        from geomod.coupling.paper import correlations
        from geomod.curves.curves import gather
        from geomod.curves.settings import Settings
        from geomod.emergence.onsets import emergence
        from geomod.emergence.phases import phases
        from geomod.modules.blocks import find_blocks
        from geomod.modules.change_points import find_change_points
        from geomod.modules.low_high import low_high_table
        from geomod.modules.partition import find_modules
        from geomod.report.gallery import with_claims
        from geomod.scrutiny.multiverse import specification_curve, survival

        settings = Settings(**self.config.inference.told_of("words"))
        metrics = self.config.geometry.metrics()
        headline = {metric: variants[0] for metric, variants in metrics.items()}
        two = {name: headline[name] for name in ("entropy", "curvature")}
        seed, draws = self.config.seed, settings.null_draws
        again = {"seed": seed, "bootstrap": settings.bootstrap, "alpha": settings.alpha}
        geometry, encoding = tables["geometry"], tables["encoding"]
        tokens = tables["tokens"]
        models = tokens[["model", "parameters"]].drop_duplicates()
        found: dict[str, pd.DataFrame] = {}
        with self.timed("modules"):
            found["modules"] = find_modules(
                geometry, seed=seed, null_draws=draws, alpha=settings.alpha, **two
            )
        with self.timed("change_points"):
            found["change_points"] = find_change_points(geometry, **two)
        with self.timed("low_high"):
            curves = gather(geometry, encoding, folds=tables["folds"], variants=headline)
            found["low_high"] = low_high_table(curves, found["modules"], settings.alpha)
        with self.timed("correlations"):
            found["correlations"] = correlations(
                gather(geometry, encoding, variants=headline), settings
            )
        with self.timed("emergence"):
            found["emergence"] = emergence(encoding, **again)
        with self.timed("phases"):
            found["phases"] = phases(tables["population"], **again)
        with self.timed("blocks"):
            found["blocks"] = find_blocks(tables["depth_similarity"], seed=seed, null_draws=draws)
        with self.timed("judge"):
            answers = claims(
                geometry,
                encoding,
                found["modules"],
                found["emergence"],
                models,
                settings=settings,
                seed=seed,
                variants=headline,
                folds=tables["folds"],
                covariates=tokens[["model", "step", "surprisal"]],
            )
        with self.timed("multiverse"):
            curve = specification_curve(
                geometry,
                encoding,
                models,
                settings=settings,
                folds=tables["folds"],
                entropy=metrics["entropy"],
                curvature=metrics["curvature"],
                k=self.config.modules.k,
                method=self.config.modules.method,
                seed=seed,
            )
            found |= {"specification_curve": curve, "survival": survival(curve)}
        told = [{"dataset": "words", **answer} for answer in answers]
        (self.folder / "claims.json").write_text(json.dumps(told), encoding="utf-8")
        whole = {**tables, **{k: t.assign(dataset="words") for k, t in found.items()}}
        return with_claims({**whole, "ceiling": self.ceiling.assign(dataset="words")}, told)

    def draw(self, tables: dict[str, pd.DataFrame]) -> None:
        from geomod.base.tables import empty_table
        from geomod.report.figures import save
        from geomod.report.gallery import GALLERY, of_dataset

        unasked = ("lens", "alignment", "hierarchy", "competence_lags")
        nothing = {name: empty_table(name) for name in unasked}
        with self.timed("figures"):
            for name in GALLERY:
                files = [self.folder / f"{name}.{suffix}" for suffix in ("svg", "pdf", "png")]
                save(name, of_dataset(tables | nothing, "words"), *files)

    def run(self) -> dict[str, float]:
        import torch
        from threadpoolctl import threadpool_limits

        torch.set_num_threads(self.threads)
        with threadpool_limits(self.threads):
            self.draw(self.conclude(self.checkpoints()))
        return self.spent


def took(command: list[str], folder: Path) -> tuple[float, float, str]:
    """CPU and wall seconds of a command and all that it starts, and what it printed."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{done.stdout}\n{done.stderr}\n{command} failed")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall, done.stdout


def snakemake(*more: str) -> list[str]:
    program = str(Path(sys.executable).with_name("snakemake"))
    files = ["-s", str(ROOT / "Snakefile"), "--workflow-profile", str(ROOT / "profiles/default")]
    return [program, *more, *files, "--configfile", "sweep.yaml"]


def estimated(told: dict[str, Any], folder: Path, machine: Any) -> pd.Series:
    """Seconds of every rule, as `snakemake estimate` has them."""
    from geomod.plan.datasets import how_read
    from geomod.plan.estimate import Sweep
    from geomod.plan.grid import Grid, Paths
    from geomod.plan.loads import deal_loads
    from geomod.plan.reading import parse_config

    os.chdir(folder)
    config = parse_config(told)
    loads = deal_loads({name: how_read(each) for name, each in config.each_dataset.items()})
    sweep = Sweep(config, Grid(config), loads, Paths("sweep"), machine)
    jobs = pd.DataFrame([(jobs.stage, jobs.all.cpu) for jobs in sweep.jobs()])
    return jobs.groupby(0)[1].sum().rename("estimate, s")


def of_rules(folder: Path) -> pd.DataFrame:
    """Jobs and seconds of every rule."""
    jobs = read_benchmarks(folder / RUN).groupby("stage")["seconds"]
    return pd.DataFrame({"jobs": jobs.size(), "workflow, s": jobs.sum()})


def one_round(
    folder: Path, told: dict[str, Any], cores: int
) -> tuple[dict[str, float], pd.DataFrame]:
    """CPU and wall of both, and where the seconds of this round went."""
    shutil.rmtree(folder / "results", ignore_errors=True)
    took(snakemake("benchmark", "--cores", "1"), folder)  # and what Python compiles is compiled
    machine = Machine.at(folder / "results/machine.json")
    plain = [sys.executable, __file__, "--loop", str(folder), "--cores", str(cores)]
    loop_cpu, loop_wall, said = took(plain, folder)
    cpu, wall, _ = took(snakemake("--cores", str(cores)), folder)
    spent = json.loads(said.splitlines()[-1])
    rules = of_rules(folder)
    rules.loc["snakemake", "workflow, s"] = cpu - rules["workflow, s"].sum()
    spent["imports"] = loop_cpu - sum(spent.values())
    where = rules.join(pd.Series(spent, name="loop, s"), how="outer")
    where = where.join(estimated(told, folder, machine))
    return {"loop cpu": loop_cpu, "cpu": cpu, "loop wall": loop_wall, "wall": wall}, where


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", default="70m")
    parser.add_argument("--checkpoints", type=int, default=8, choices=range(2, len(STEPS) + 1))
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--steps-per-job", type=int, default=4)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where it runs; kept, and used again")
    parser.add_argument("--loop", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.loop:
        told = json.loads((given.loop / "sweep.yaml").read_text(encoding="utf-8"))
        os.chdir(given.loop)
        with tempfile.TemporaryDirectory() as scratch:
            (Path(scratch) / "models").symlink_to(given.loop / "models")
            print(json.dumps(Loop(told, Path(scratch), given.cores).run()))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = (given.folder or Path(scratch)).absolute()
        if not (folder / "models").exists():
            alone(make_checkpoints, given.size, given.checkpoints, folder / "models" / given.size)
        make_responses(given.sentences).to_csv(folder / "words.csv", index=False)
        told = config(given.size, given.checkpoints, given.steps_per_job)
        (folder / "sweep.yaml").write_text(json.dumps(told, indent=1), encoding="utf-8")
        rounds = [one_round(folder, told, given.cores) for _ in range(given.rounds)]
    totals = pd.DataFrame([total for total, _ in rounds])
    totals["cpu ratio"] = totals["cpu"] / totals["loop cpu"]
    totals["wall ratio"] = totals["wall"] / totals["loop wall"]
    print(rounds[-1][1].round(1).to_string(na_rep=""), "\n")
    print(totals.round(2).to_string(), "\n")
    print(totals.median().round(2).to_string())


if __name__ == "__main__":
    main()
