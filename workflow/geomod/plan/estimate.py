"""What a sweep costs: which jobs a config has, what each takes, and what all of them come to.

`costs.py` says what one job costs. Here the grid says which jobs there are; what is not known
before the data are here (how many sentences, of how many tokens) is assumed, and said.
"""

import math
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from geomod.competence.source import Source
from geomod.plan import costs
from geomod.plan.config.dataset import Dataset as Section
from geomod.plan.config.suites import AnySuite, TrainSuite
from geomod.plan.config.whole import Config
from geomod.plan.costs import GIGA, MEGA, Cost, Data, Machine, Shape
from geomod.plan.grid import ANY_STEP, Block, Grid, Model, Paths, vocabulary_and_file, width_of
from geomod.plan.loads import Load

# Where a table of the dataset does not say it yet.
ROWS, TOKENS, PEOPLE, STORY_ROWS = 1000, 12.0, 5, 9000
TOY_TOKENS = 8.0
VOXELS = 30_000
BYTES_OF_A_TOKEN = 4.5
TOKENS_OF_A_WORD, WORDS_OF_A_TR, TOKENS_OF_A_SPAN = 1.3, 5.0, 16
UNKNOWN = Shape(blocks=12, width=768)

# In the order in which they run, those of one line beside each other. What is named nowhere here
# reads tables, and runs after all of these and before the figures.
FIRST = (("train",), ("activations",), ("geometry", "encoding", "speed", "items"))
LAST = (("figures",), ("report",))
PLANNING, A_JOB = 6.0, 0.2  # s of Snakemake: to plan, and around each job


@dataclass(frozen=True)
class Jobs:
    """So many jobs of a stage, each at this cost."""

    stage: str
    count: int
    each: Cost

    @property
    def all(self) -> Cost:
        return self.each.times(self.count)


@dataclass(frozen=True)
class Room:
    """What a machine has: cores, bytes of memory, free bytes of disk."""

    cores: int
    memory: float
    disk: float

    @classmethod
    def here(cls, folder: str = ".") -> "Room":
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return cls(os.cpu_count() or 1, memory, shutil.disk_usage(folder).free)


@dataclass(frozen=True)
class Sweep:
    """The jobs of a config, and what they cost on a machine."""

    config: Config
    grid: Grid
    loads: Sequence[Load]
    paths: Paths  # where datasets lie that are there already
    machine: Machine
    scored: float = 0.0  # tokens of the task sets that are here
    on_gpu: bool = False

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        suites = self.config.suites
        return {
            model.name: shape_of(suites[model.suite], model) or UNKNOWN
            for model in self.grid.models
        }

    @cached_property
    def data(self) -> dict[str, Data]:
        return {
            name: data_of(self.config, name, told, self.paths.data(name, "stimuli.parquet"))
            for name, told in self.config.each_dataset.items()
        }

    @cached_property
    def cells(self) -> int:
        """Layers of all checkpoints."""
        return sum(self.shapes[m.name].layers * len(m.steps) for m in self.grid.models)

    def job(
        self,
        stage: str,
        model: str = "",
        dataset: str = "",
        steps: int = 1,
        layers: int | None = None,
        load: int = 0,
    ) -> Cost:
        """One job of a stage, on `steps` checkpoints where it is about checkpoints."""
        machine, shape, data = self.machine, self.shapes.get(model), self.data.get(dataset)
        if shape and stage == "train":
            return costs.train(machine, shape, steps, max(self.grid.model(model).steps))
        if shape and stage == "activations":
            wanted = self.loads[load]
            known = {name: self.data[name] for name in wanted.datasets if name in self.data}
            read = {name: data for name, data in known.items() if name in wanted.planned}
            others = sum(data.tokens for name, data in known.items() if name not in read)
            others += self.scored if wanted.task_sets else 0.0
            lens = [name for name in known if f"{name}/lens" in wanted.planned]
            seen = sum(known[name].tokens for name in lens)
            return costs.activations(machine, shape, read, others, seen, steps, self.on_gpu)
        if self.config.maps and stage in ("voxel_map", "moran"):
            return self._mapped(stage, model)
        if shape and data and stage == "geometry":
            return costs.geometry(machine, shape, data, steps)
        if shape and data and stage == "encoding":
            return costs.encoding(machine, shape, data, steps, layers)
        if shape and data and stage == "speed":
            return costs.speed(machine, shape, data, len(self.grid.model(model).steps))
        return costs.tables(machine, stage, self.cells)

    def _mapped(self, stage: str, model: str) -> Cost:
        """A job of voxel maps; how many voxels there are is not known before a volume is read."""
        maps, config = self.config.maps, self.config
        layers, steps = (len(maps.layers), len(maps.steps)) if maps else (0, 0)
        if stage == "moran":  # of scores, of selectivity and of change
            return costs.moran(self.machine, VOXELS, 3 * layers * steps)
        shape, data = self.shapes.get(model, UNKNOWN), self.data[config.mapped]
        return costs.voxel_map(self.machine, shape, data, VOXELS, layers)

    def jobs(self) -> Iterator[Jobs]:
        """All jobs of the sweep, those that are alike together."""
        config, names = self.config, list(self.data)
        for model in self.grid.models:
            name = model.name
            if isinstance(config.suites[model.suite], TrainSuite):
                yield Jobs("train", 1, self.job("train", name, steps=len(model.steps)))
            if config.competence:
                yield Jobs("items", 1, self.job("items", name))
            for steps, count in _counted(self.grid.measuring(), model).items():
                for dataset in names:
                    yield Jobs("geometry", count, self.job("geometry", name, dataset, steps))
            for steps, count in _counted(self.grid.blocks(), model).items():
                for load in self.loads:
                    cost = self.job("activations", name, steps=steps, load=load.number)
                    yield Jobs("activations", count, cost)
            for steps, count in _counted(self.grid.fitting(), model).items():
                for dataset in names:
                    for layers in self._layers(model):
                        cost = self.job("encoding", name, dataset, steps, layers)
                        yield Jobs("encoding", count, cost)
            yield from (Jobs("speed", 1, self.job("speed", name, dataset)) for dataset in names)
        for stage in costs.OF_A_DATASET:
            if self._asked(stage):
                yield Jobs(stage, len(names), self.job(stage))
        yield from (Jobs(stage, 1, self.job(stage)) for stage in costs.OF_A_RUN)

    def _layers(self, model: Model) -> list[int]:
        """The layers of each job that fits some of them."""
        layers, grain = self.shapes[model.name].layers, self.config.jobs.layers_per_job
        if grain == "all" or model.layers is None:
            return [layers]
        return [min(grain, layers - first) for first in range(0, layers, grain)]

    def _asked(self, stage: str) -> bool:
        asked = {
            "control_responses": self.config.controls,
            "controls": self.config.controls,
            "calibrate": self.config.inference.calibration_draws,
        }
        return bool(asked.get(stage, True))


def _counted(blocks: Iterable[Block], model: Model) -> Counter[int]:
    """Steps of a job → how many such jobs a model has."""
    own = [block for block in blocks if block.suite == model.suite]
    if [block.label for block in own] == [ANY_STEP]:
        return Counter({1: len(model.steps)})
    return Counter(len(block.steps) for block in own)


def shape_of(suite: AnySuite, model: Model) -> Shape | None:
    """The shape of a model, where it is known without a network."""
    width = width_of(suite, model.size)
    if model.layers is None or width is None:
        return None
    vocabulary, file = vocabulary_and_file(suite, model.size)
    return Shape(model.layers, width, vocabulary or Shape.vocabulary, file)


def data_of(config: Config, name: str, section: Section, stimuli: str) -> Data:
    """The size of a dataset: from its table of sentences where that is there, or as it is told."""
    chosen, story, made = config.encoding, section.story, section.simulate
    suites = config.suites.values()
    people = made.participants if made else len(section.participants or []) or PEOPLE
    rows, tokens = ROWS, TOKENS
    if made:
        rows, tokens = made.sentences, TOY_TOKENS
    if story:
        told = (made.stories or 1) * made.trs if made else 0
        rows, tokens = told or STORY_ROWS, WORDS_OF_A_TR * TOKENS_OF_A_WORD
    elif seen := _seen(stimuli):
        rows, tokens = seen
    inner = chosen.inner_folds
    variants = sum(map(len, config.geometry.measured().values()))
    draws = len(config.controls.kinds) * config.controls.draws if config.controls else 0
    return Data(
        rows=rows,
        units=max(1, int(rows * tokens // TOKENS_OF_A_SPAN)) if story else rows,
        tokens=rows * tokens * (2 if story else 1),  # windows of stories overlap by half
        regions=len(section.regions),
        participants=people,
        delays=len(story.delays) if story else 1,
        folds=chosen.folds,
        inner=rows if inner == "loo" else inner,
        penalties=chosen.alphas.count,
        draws=chosen.permutations,
        baselines=len(_baselines(config, section)),
        untrained="untrained" in chosen.baselines and any(0 in s.steps for s in suites),
        controls=draws,
        variants=variants,
    )


def _baselines(config: Config, section: Section) -> list[str]:
    """The baselines of few columns that a dataset has: `Baseline` says where each is."""
    told = section.story
    has = {
        "length": not told,
        "word_rate": bool(told),
        "position": True,
        "smooth": not told and section.context == "passage",
        "nuisances": bool(section.nuisances),
    }
    return [name for name in config.encoding.baselines if has.get(name)]


@cache
def _seen(stimuli: str) -> tuple[int, float] | None:
    """Sentences of a table, and tokens of one; None where it is not there, or not whole: that is
    for the job to say which reads it."""
    if not Path(stimuli).is_file():
        return None
    import pyarrow.parquet as pq  # here, so that planning the jobs need not wait for it

    try:
        words = pq.read_table(stimuli, columns=["n_words"])["n_words"].to_numpy()
    except (OSError, ValueError):
        return None
    return (len(words), TOKENS_OF_A_WORD * float(words.mean())) if len(words) else None


def scored_tokens(task_sets: Iterable[Source]) -> float:
    """Tokens of task sets, by the sizes of their files; all of a file, where a part is drawn."""
    files = [file for task_set in task_sets for file in task_set.files]
    return sum(os.path.getsize(file) for file in files if os.path.exists(file)) / BYTES_OF_A_TOKEN


def asked(cost: Cost, machine: Machine, attempt: int = 1) -> tuple[int, int]:
    """MB and minutes that a job asks for: what it is estimated to take and half as much again, or
    three times the time, since queues end what takes longer; at each further attempt as much more.
    """
    seconds = cost.cpu + cost.gpu + 4 * cost.download / machine.network
    megabytes = 100 * math.ceil((1.5 * cost.memory + 500) / 100)
    return attempt * megabytes, attempt * (10 + math.ceil(3 * seconds / 60))


@dataclass(frozen=True)
class Estimate:
    """What a sweep comes to, on so many workers of one thread in a room."""

    sweep: Sweep
    workers: int
    room: Room

    @cached_property
    def jobs(self) -> list[Jobs]:
        return list(self.sweep.jobs())

    def of(self, *stages: str) -> Cost:
        """All jobs of some stages."""
        return sum((jobs.all for jobs in self.jobs if jobs.stage in stages), Cost())

    @property
    def whole(self) -> Cost:
        return self.of(*self.stages)

    @cached_property
    def stages(self) -> list[str]:
        return list(dict.fromkeys(jobs.stage for jobs in self.jobs))

    @property
    def wall(self) -> float:
        """Seconds from start to end.

        What may run beside each other takes as long as the longest job, or as all of them dealt to
        the workers, or as their downloads; a GPU serves one job at a time.
        """
        named = {stage for phase in (*FIRST, *LAST) for stage in phase}
        rest = tuple(stage for stage in self.stages if stage not in named)
        return PLANNING + sum(map(self._phase, (*FIRST, rest, *LAST)))

    def _phase(self, stages: Sequence[str]) -> float:
        jobs = [jobs for jobs in self.jobs if jobs.stage in stages]
        if not jobs:
            return 0.0
        cost, count = self.of(*stages), sum(one.count for one in jobs)
        longest = max(one.each.cpu + one.each.gpu for one in jobs)
        dealt = (cost.cpu + A_JOB * count) / self.workers
        return max(longest, dealt, cost.gpu, cost.download / self.sweep.machine.network)

    @property
    def store(self) -> float:
        """Bytes of checkpoints in flight at most."""
        limit = GIGA * self.sweep.config.features.max_disk_gb
        largest = max((shape.file for shape in self.sweep.shapes.values()), default=0.0)
        return min(limit, 2 * self.workers * largest)

    @property
    def disk(self) -> float:
        """Bytes that the run takes at its end, when it takes most."""
        return self.whole.disk + self.store

    def needs(self) -> dict[str, tuple[float, float]]:
        """What is needed at once, and what there is: by what gives out."""
        limit = GIGA * self.sweep.config.features.max_disk_gb
        largest = max((shape.file for shape in self.sweep.shapes.values()), default=0.0)
        memory = self.workers * MEGA * self.whole.memory
        return {
            f"memory of {self.workers} of the largest jobs at once": (memory, self.room.memory),
            "disk": (self.disk, self.room.disk),
            "features.max_disk_gb": (largest, limit),
        }

    def __str__(self) -> str:
        return "\n".join([*self._assumed(), "", *self._table(), "", *self._sums()])

    def _assumed(self) -> Iterator[str]:
        sweep = self.sweep
        for name, data in sweep.data.items():
            known = Path(sweep.paths.data(name, "stimuli.parquet")).is_file()
            made = sweep.config.each_dataset[name].simulate
            yield (
                f"{name}: {data.rows:,} rows, {data.tokens:,.0f} tokens, {data.targets} responses"
                + ("" if known or made else "; assumed, since its sentences are not read yet")
            )
        unknown = [name for name, shape in sweep.shapes.items() if shape is UNKNOWN]
        if unknown:
            yield (
                f"{', '.join(unknown)}: of unknown shape, taken for {UNKNOWN.blocks} blocks of "
                f"width {UNKNOWN.width}; resources/suites.tsv lists the models whose shape is known"
            )

    def _table(self) -> Iterator[str]:
        head = ("stage", "jobs", "CPU", "GPU", "longest job", "memory of a job")
        rows = [head, *map(self._row, self.stages)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for stage, *cells in rows:
            aligned = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
            yield "  ".join([stage.ljust(widths[0]), *aligned])

    def _row(self, stage: str) -> tuple[str, ...]:
        cost, jobs = self.of(stage), [jobs for jobs in self.jobs if jobs.stage == stage]
        longest = max(one.each.cpu + one.each.gpu for one in jobs)
        times = (in_words(cost.cpu), in_words(cost.gpu) if cost.gpu else "", in_words(longest))
        count = sum(one.count for one in jobs)
        return stage, f"{count:,}", *times, f"{cost.memory / 1000:.1f} GB"

    def _sums(self) -> Iterator[str]:
        whole, machine = self.whole, self.sweep.machine
        gpu = f", {in_words(whole.gpu)} of a GPU" * bool(whole.gpu)
        yield f"In all {in_words(whole.cpu)} of CPU{gpu}."
        workers = f"{self.workers} worker{'s' * (self.workers > 1)}"
        yield f"Wall time on {workers}: {in_words(self.wall)}."
        yield (
            f"Downloads {whole.download / GIGA:.1f} GB"
            f" ({in_words(whole.download / machine.network)} at {machine.network / MEGA:.0f} MB/s)"
            if whole.download
            else "Nothing is downloaded but data."
        )
        yield (
            f"Disk {self.disk / GIGA:.1f} GB, of which {self.store / GIGA:.1f} GB for checkpoints "
            "in flight."
        )
        name, (needed, there) = max(self.needs().items(), key=lambda n: n[1][0] / n[1][1])
        share = needed / there
        yield (
            f"Breaks first: {name}, {needed / GIGA:.1f} GB where {there / GIGA:.1f} GB are."
            if share > 1
            else f"Nothing breaks here; nearest to it is {name}, at {share:.0%} of "
            f"{there / GIGA:.1f} GB."
        )


def in_words(seconds: float) -> str:
    """A duration as people say it."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
