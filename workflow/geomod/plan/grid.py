"""The grid of models, steps and layers, and the one place where a path is built."""

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from geomod.base.errors import InputError
from geomod.base.files import read_json
from geomod.base.shipped import shipped
from geomod.plan.config.suites import AnySuite, FolderSuite, HubSuite, TrainSuite
from geomod.plan.config.whole import Config
from geomod.plan.place import Place
from geomod.toy.shapes import LAST_STEP, TOY_SIZES, TOY_VOCABULARY

RESOURCES = shipped("resources")
KNOWN_OF_MODELS = ("blocks", "width", "vocab", "file_mb")


@dataclass(frozen=True)
class Model:
    """One size (and seed) of one suite: `layers` blocks, so layers 0 … `layers`."""

    name: str
    suite: str
    size: str
    seed: int | None
    steps: tuple[int, ...]
    layers: int | None


@dataclass(frozen=True)
class Block:
    """Steps of one suite that one job measures together, and what tells the block from others.

    Where every step is a job of its own, one block stands for all of them: its only step is the
    wildcard "{step}", so that a suite of 154 steps takes one rule a stage, not 154.
    """

    suite: str
    label: str
    steps: tuple[int, ...] | tuple[str]


ANY_STEP = "{step}"
MANY_STEPS = 100  # a suite of as many is fitted in larger jobs, where the config does not say
Plan = Mapping[str, Sequence[Sequence[int]]]


@dataclass(frozen=True)
class Paths:
    """Every path of a run. Arguments may be Snakemake wildcards such as "{model}"."""

    run: str
    moved: str | None = None  # where a workflow that uses this one as a module puts the results

    @property
    def root(self) -> str:
        return self.moved or f"results/{self.run}"

    def at(self, name: str) -> str:
        """A file of the whole run, such as `claims.json`."""
        return f"{self.root}/{name}"

    def beside(self, name: str) -> str:
        """A file beside the folders of all runs, such as `index.html`."""
        return f"{self.root.rpartition('/')[0]}/{name}"

    def data(self, dataset: str, name: str) -> str:
        """A file of one dataset, such as `stimuli.parquet`."""
        return self.at(f"data/{dataset}/{name}")

    def table(self, name: str, dataset: str | None = None) -> str:
        """A table of the whole run, or what one dataset brings to it."""
        file = f"tables/{name}.parquet"
        return self.at(file) if dataset is None else self.data(dataset, file)

    def figure(self, name: str, suffix: str, dataset: str | None = None) -> str:
        """A figure of the headline, or of another dataset."""
        return self.at("/".join(["figures", *([dataset] if dataset else []), f"{name}.{suffix}"]))

    def step(self, model: str, step: int | str, name: str, dataset: str | None = None) -> str:
        """A file of one checkpoint, such as `features.safetensors` with a dataset."""
        return self.at(Place(model, step, dataset).path(name))

    def steps(
        self, model: str, steps: Sequence[int], name: str, dataset: str | None = None
    ) -> list[str]:
        return [self.step(model, step, name, dataset) for step in steps]

    def block(self, model: str, block: Block, name: str, dataset: str) -> str:
        """A table of all checkpoints of a block, which is called by its first step."""
        return self.at(f"{model}/steps{block.label}/{dataset}/{name}")

    def voxels(self, place: Place, participant: str, layer: int, suffix: str) -> str:
        """The voxels of one participant, scored from one layer."""
        name = f"sub-{participant}_layer{layer:02d}.{suffix}"
        return self.at(f"maps/{place.path(name)}")

    def weights(self, model: str, step: int | str) -> str:
        """Folder of a checkpoint that was trained here."""
        return f"{self.root}/checkpoints/{model}/step{step}"

    def log(self, name: str) -> str:
        return f"logs/{self.run}/{name}.log"

    def benchmark(self, stage: str, job: str = "all") -> str:
        """What a job of a stage took, as Snakemake writes it down (`base/benchmarks.py` reads it).

        `job` has the same wildcards as the outputs of the rule: "{model}/{dataset}/0".
        """
        return self.at(f"benchmarks/{stage}/{job}.tsv")


class Grid:
    """Which models, steps and layers a config asks for, and how they are dealt into jobs."""

    def __init__(
        self,
        config: Config,
        planned: Plan | None = None,
        trained: Plan | None = None,
        measured: Plan | None = None,
        fitted: Plan | None = None,
    ) -> None:
        """`planned`, `trained`, `measured`, `fitted`: the blocks of an earlier start, by suite, to
        be left alone."""
        self.config = config
        self.models = [
            Model(model, name, size, seed, tuple(sorted(suite.steps)), _layers(name, suite, size))
            for name, suite in config.suites.items()
            for model, (size, seed) in suite.models(name).items()
        ]
        self._planned, self._trained = planned or {}, trained or {}
        self._measured, self._fitted = measured or {}, fitted or {}

    def model(self, name: str) -> Model:
        return next(model for model in self.models if model.name == name)

    def models_of(self, suite: str) -> list[str]:
        return [model.name for model in self.models if model.suite == suite]

    def checkpoints(self) -> Iterator[tuple[str, int]]:
        """Every (model, step), in order."""
        for model in self.models:
            for step in model.steps:
                yield model.name, step

    def planted_modules(self) -> dict[str, int]:
        """How many first blocks of a model trained here are planted as one module, where any."""
        shapes = {
            model.name: TOY_SIZES[model.size]
            for model in self.models
            if isinstance(self.config.suites[model.suite], TrainSuite)
        }
        return {name: shape.words for name, shape in shapes.items() if shape.words}

    def shapes(self) -> list[tuple[str, float, tuple[int, ...], int]]:
        """Name, weights in the blocks, steps and blocks of every model, known without a network.

        A block of width d has about 12 d² weights.
        """
        found = []
        for model in self.models:
            width = width_of(self.config.suites[model.suite], model.size)
            if model.layers is None or width is None:
                raise InputError(
                    f"the shape of {model.name} is not known before its weights are here; "
                    "resources/suites.tsv lists the models whose is"
                )
            found.append((model.name, 12.0 * model.layers * width**2, model.steps, model.layers))
        return found

    def largest(self) -> Model:
        """The model of most weights; the last one where shapes are not known beforehand."""
        try:
            weights = [shape[1] for shape in self.shapes()]
        except InputError:
            return self.models[-1]
        return self.models[weights.index(max(weights))]

    def blocks(self) -> list[Block]:
        """The steps of every suite, dealt into jobs of `steps_per_job`."""
        grain = self.config.jobs.steps_per_job
        if grain == 1:
            return [Block(name, ANY_STEP, (ANY_STEP,)) for name in self.config.suites]
        return [
            Block(name, str(index), steps)
            for name, suite in self.config.suites.items()
            for index, steps in enumerate(deal(suite.steps, grain, self._planned.get(name, [])))
        ]

    def training(self) -> list[Block]:
        """The steps of the suites that are trained here, all in one job, since training to the last
        passes by every other; steps that come later are a job of their own."""
        return [
            Block(name, str(index), steps)
            for name, suite in self.config.suites.items()
            if isinstance(suite, TrainSuite)
            for index, steps in enumerate(
                deal(suite.steps, len(suite.steps), self._trained.get(name, []))
            )
        ]

    def measuring(self) -> list[Block]:
        """The steps of every suite, dealt into jobs of geometry, which take a second or two a
        checkpoint: to plan and start a job for each would cost as much. A block is called by its
        first step, since files are named after it."""
        jobs = self.config.jobs
        grain = max(jobs.steps_per_job, jobs.steps_per_geometry_job)
        return [
            Block(name, str(steps[0]), steps)
            for name, suite in self.config.suites.items()
            for steps in deal(suite.steps, grain, self._measured.get(name, []))
        ]

    def fitting(self) -> list[Block]:
        """The steps of every suite, dealt into jobs of encoding models, named as in `measuring`."""
        blocks = []
        for name, suite in self.config.suites.items():
            planned = self._fitted.get(name, [])
            grain = self._fitted_at_once(suite, planned)
            if grain == 1:
                blocks.append(Block(name, ANY_STEP, (ANY_STEP,)))
            else:
                dealt = deal(suite.steps, grain, planned)
                blocks += [Block(name, str(steps[0]), steps) for steps in dealt]
        return blocks

    def _fitted_at_once(self, suite: AnySuite, planned: Sequence[Sequence[int]]) -> int:
        """Steps of a job of encoding models. Planning and starting a job for each step costs little
        where they are few; where they are many it is done in the blocks of geometry. A suite that
        grows, or becomes smaller, goes on as it was dealt."""
        jobs = self.config.jobs
        if jobs.steps_per_encoding_job != "auto":
            return max(jobs.steps_per_job, jobs.steps_per_encoding_job)
        longest = max(map(len, planned), default=0)
        alone = any(ANY_STEP in block for block in planned)
        many = longest > jobs.steps_per_job or (len(suite.steps) >= MANY_STEPS and not alone)
        if many and jobs.layers_per_job == "all":
            return max(jobs.steps_per_job, jobs.steps_per_geometry_job, longest)
        return jobs.steps_per_job

    def folders(self) -> list[str]:
        """Where a run keeps what belongs to a checkpoint or to a block of them."""
        places = [Place(*checkpoint).path("") for checkpoint in self.checkpoints()]
        blocks = self.of_models(self.measuring())
        return places + [f"{model}/steps{block.label}/" for block, model in blocks]

    def of_models(self, blocks: Iterable[Block]) -> list[tuple[Block, str]]:
        """Each block with each model of its suite."""
        return [(block, model) for block in blocks for model in self.models_of(block.suite)]

    def layer_blocks(self, model: str) -> list[str]:
        """The layers of a model, dealt into jobs of `layers_per_job`, as "first-last"."""
        grain, layers = self.config.jobs.layers_per_job, self.model(model).layers
        if grain == "all" or layers is None:
            return ["all"]
        starts = range(0, layers + 1, grain)
        return [f"{start}-{min(start + grain - 1, layers)}" for start in starts]


def deal(
    steps: Sequence[int], per_job: int, planned: Sequence[Sequence[int]] = ()
) -> list[tuple[int, ...]]:
    """Deal steps into blocks of at most `per_job`, leaving blocks that were planned before alone.

    A new step thus gets a block of its own in place of shifting every later one, whose jobs would
    then run again for nothing.
    """
    wanted = set(steps)
    kept = [tuple(step for step in block if step in wanted) for block in planned]
    kept = [block for block in kept if 0 < len(block) <= per_job]
    rest = sorted(wanted.difference(*kept))
    return kept + [tuple(rest[i : i + per_job]) for i in range(0, len(rest), per_job)]


def layers_in(label: str) -> int | None:
    """How many layers are in a block of `Grid.layer_blocks`; None where it is all of them."""
    if label == "all":
        return None
    first, last = label.split("-")
    return int(last) - int(first) + 1


def halfway(steps: Sequence[int]) -> int:
    """The step in the middle of training, counted in orders of magnitude."""
    middle = (1 + max(steps)) ** 0.5 - 1
    return min(steps, key=lambda step: abs(math.log((1 + step) / (1 + middle))))


def known_steps(suite: TrainSuite | HubSuite) -> set[int] | None:
    """Every step that a suite has, where that is known without a network."""
    if isinstance(suite, TrainSuite):
        return set(range(LAST_STEP + 1))
    return _suite_steps().get(suite.repo)


def width_of(suite: AnySuite, size: str) -> int | None:
    """Width of a model's layers, where it is known without a network."""
    if isinstance(suite, TrainSuite):
        return TOY_SIZES[size].width if size in TOY_SIZES else None
    if isinstance(suite, FolderSuite):
        return _in_folder(suite, size, "hidden_size")
    return _suite_models().get((suite.repo, size), {}).get("width")


def vocabulary_and_file(suite: AnySuite, size: str) -> tuple[int | None, float]:
    """Tokens that a model knows, and bytes to download; without a network, as `width_of`."""
    if isinstance(suite, TrainSuite):
        return TOY_VOCABULARY, 0.0
    if isinstance(suite, FolderSuite):
        return _in_folder(suite, size, "vocab_size"), 0.0
    known = _suite_models().get((suite.repo, size), {})
    return known.get("vocab"), 1e6 * known.get("file_mb", 0)


@cache
def _suite_steps() -> dict[str, set[int]]:
    """Steps of the suites that resources/steps.tsv knows: lists and ranges `first:last:stride`."""
    steps: dict[str, set[int]] = {}
    with (RESOURCES / "steps.tsv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            for part in row["steps"].split(","):
                first, last, stride = (*part.split(":"), *part.split(":")[:1], "1")[:3]
                steps.setdefault(row["repo"], set()).update(
                    range(int(first), int(last) + 1, int(stride))
                )
    return steps


@cache
def _suite_models() -> dict[tuple[str, str], dict[str, int]]:
    """Repository and size → what resources/suites.tsv knows of a model in whole numbers."""
    with (RESOURCES / "suites.tsv").open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t")
        return {
            (row["repo"], row["size"]): {name: int(row[name]) for name in KNOWN_OF_MODELS}
            for row in rows
        }


def _layers(name: str, suite: AnySuite, size: str) -> int | None:
    """Number of blocks of a model, known without a network: None where it is not."""
    if isinstance(suite, TrainSuite):
        if size not in TOY_SIZES:
            raise InputError(
                f"`suites.{name}.sizes`: there is no toy size {size!r}; "
                f"there are {', '.join(TOY_SIZES)}"
            )
        return TOY_SIZES[size].blocks
    if size in suite.layers:
        return suite.layers[size]
    if isinstance(suite, FolderSuite):
        return _in_folder(suite, size, "num_hidden_layers")
    return _suite_models().get((suite.repo, size), {}).get("blocks")


def _in_folder(suite: FolderSuite, size: str, key: str) -> int | None:
    """A number in the `config.json` of a model's first checkpoint, where that has it."""
    path = Path(suite.path.format(size=size, step=min(suite.steps))) / "config.json"
    found = read_json(path).get(key) if path.is_file() else None
    return found if isinstance(found, int) else None
