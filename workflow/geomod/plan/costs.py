"""What a job costs: seconds and bytes, from the shape of a model and the size of the data.

Every stage has one function here, of plain numbers, and nothing else in geomod says what anything
costs: the estimate of a sweep (`estimate.py`) adds these up, and the rules ask for memory and time
by them. A function gives one job's `Cost`. Where arithmetic decides, it is counted (flop) and
divided by what this machine does in a second; the rest is seconds of the machine that the numbers
below were measured on, divided by the `pace` of this one.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from geomod.base.errors import InputError
from geomod.base.files import read_json, whole

MEGA, GIGA = 1e6, 1e9


@dataclass(frozen=True)
class Machine:
    """What one thread of a machine does. The defaults are a core of a cloud server of 2024;
    `snakemake benchmark` measures those of the machine at hand, but for the last two, which are
    assumed and can be edited in its file."""

    forward: float = 80e9  # flop/s of a forward pass in float32
    solve: float = 22e9  # flop/s of an encoding model
    pace: float = 1.0  # of everything else, beside the machine that the defaults are of
    network: float = 30e6  # bytes/s of downloads, all together
    gpu: float = 10e12  # flop/s of a forward pass on a GPU

    @classmethod
    def at(cls, path: str | Path) -> "Machine":
        """The machine that a file describes; the default one where there is no such file."""
        if not Path(path).is_file():
            return cls()
        given, known = read_json(path), {field.name for field in fields(cls)}
        wrong = [key for key in given if key not in known] + [
            key for key, value in given.items() if not _is_rate(value)
        ]
        if wrong:
            raise InputError(
                f"{path}: `{wrong[0]}` must be one of {', '.join(sorted(known))}, and a number "
                "above 0. Delete the file, and `snakemake benchmark` measures this machine again."
            )
        return cls(**given)

    def write(self, path: str | Path) -> None:
        with whole(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def _is_rate(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0


@dataclass(frozen=True)
class Shape:
    """The shape of a model: `blocks` of `width`, a vocabulary, and the bytes of its file."""

    blocks: int
    width: int
    vocabulary: int = 50304
    file: float = 0.0  # bytes to download, 0 where nothing is

    @property
    def layers(self) -> int:
        return self.blocks + 1

    @property
    def flop(self) -> float:
        """Of one token: two a weight of the blocks (12 width² each) and of the head."""
        return 2.0 * self.width * (12 * self.blocks * self.width + self.vocabulary)

    @property
    def head(self) -> float:
        """Of the logits of one token, from one layer."""
        return 2.0 * self.width * self.vocabulary

    @property
    def held(self) -> float:
        """Bytes of the weights in float32, embeddings and head included."""
        return 4.0 * self.width * (12 * self.blocks * self.width + 2 * self.vocabulary)


@dataclass(frozen=True)
class Data:
    """The size of a dataset, and of what is fitted to it."""

    rows: int  # that are fitted: sentences, or TRs of stories
    units: int  # that have a geometry: sentences, or a dozen words of a story
    tokens: float  # that pass through a model
    regions: int
    participants: int
    delays: int = 1
    folds: int = 5
    inner: int = 5
    penalties: int = 21
    draws: int = 200  # of the null
    baselines: int = 2  # of few columns
    untrained: bool = True  # the model before training, as a baseline
    controls: int = 0  # further responses to fit, with known answers
    variants: int = 9  # of the measures of a sentence

    @property
    def targets(self) -> int:
        return self.regions * (self.participants + 1) + self.controls


@dataclass(frozen=True)
class Cost:
    """Of one job, or of many: seconds of CPU and of a GPU, bytes that stay or come, MB at once."""

    cpu: float = 0.0
    gpu: float = 0.0
    disk: float = 0.0
    download: float = 0.0
    memory: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        """Both, one after the other."""
        return Cost(
            self.cpu + other.cpu,
            self.gpu + other.gpu,
            self.disk + other.disk,
            self.download + other.download,
            max(self.memory, other.memory),
        )

    def times(self, count: int) -> "Cost":
        """So many of them, one after the other."""
        return Cost(
            self.cpu * count,
            self.gpu * count,
            self.disk * count,
            self.download * count,
            self.memory,
        )


# Seconds of the machine that the defaults are of.
START = 4.6  # of Python with torch and transformers
START_TORCH = 2.6  # with torch alone
START_LIGHT = 0.8  # with pandas
TRAINED = 0.015  # a step of a toy model's training, and what a block adds to it
A_BLOCK = 0.004
A_LAYER = 5e-5  # a sentence at one layer: its state and its Gram, kept
HELD = 350.0  # MB that a process holds before it reads anything; 150 without torch
LIGHT = 150.0
MOST = 10_000  # voxels whose maps are held against smooth ones


def train(machine: Machine, shape: Shape, steps: int, last: int) -> Cost:
    """Train a toy model up to the step `last`, and keep `steps` checkpoints."""
    a_step = TRAINED + A_BLOCK * shape.blocks * (1 + shape.width / 128)
    seconds = START + 2.5 + a_step * last
    return Cost(seconds / machine.pace, disk=steps * shape.held / 2, memory=HELD + 280)


def activations(
    machine: Machine,
    shape: Shape,
    read: Mapping[str, Data],
    others: float = 0.0,
    seen: float = 0.0,
    steps: int = 1,
    on_gpu: bool = False,
) -> Cost:
    """Fetch, load and read `steps` checkpoints: the datasets `read`, and `others` of tokens, of
    which no layer is kept. Those that are `seen` through the lens make logits at every layer."""
    tokens = others + sum(data.tokens for data in read.values())
    flop = steps * (tokens * shape.flop + seen * shape.blocks * shape.head)
    load = 0.3 + shape.held / (0.5 * GIGA)
    kept = sum(data.units for data in read.values()) * shape.layers * A_LAYER
    seconds = (START + steps * (load + kept)) / machine.pace
    largest = max((kept_of(shape, data) for data in read.values()), default=0.0)
    return Cost(
        cpu=seconds + (0 if on_gpu else flop / machine.forward),
        gpu=seconds + flop / machine.gpu if on_gpu else 0.0,
        disk=steps * sum(kept_of(shape, data) for data in read.values()),
        download=steps * shape.file,
        memory=HELD + (1.25 * shape.held + 2 * largest) / MEGA + 250,
    )


def kept_of(shape: Shape, data: Data) -> float:
    """Bytes of the features of a dataset at every layer, and of its Grams."""
    features = 4.0 * data.rows * shape.width
    grams = 8.0 * data.tokens**2 / max(data.units, 1)
    return shape.layers * (features + grams)


def geometry(machine: Machine, shape: Shape, data: Data, steps: int = 1) -> Cost:
    """Measures of every sentence, and of all of them as a set, at every layer."""
    n, width = data.rows, shape.width
    sentences = data.units * 2e-6 * data.variants
    seconds = START_LIGHT + steps * (0.1 + shape.layers * (sentences + 1.4 * as_a_set(n, width)))
    table = data.units * shape.layers * data.variants
    return Cost(
        seconds / machine.pace,
        disk=steps * 10.0 * table,
        memory=LIGHT + (2 * kept_of(shape, data) + 60.0 * table + 40.0 * n**2) / MEGA,
    )


def as_a_set(rows: int, width: int) -> float:
    """Seconds of the measures of a layer's sentences as a set."""
    return rows**2 * (5e-8 + 1.07e-10 * width)


def encoding(
    machine: Machine, shape: Shape, data: Data, steps: int = 1, layers: int | None = None
) -> Cost:
    """Encoding models of `layers` (all) of `steps` checkpoints, with their null and baselines."""
    layers = shape.layers if layers is None else layers
    seconds = START_TORCH + steps * (0.2 + layers * beside_fits(data))
    columns = shape.width * data.delays * (1 + data.untrained)
    matrix = 8.0 * data.rows * min(data.rows, columns)
    held = 4.0 * data.rows * layers * shape.width * (1 + data.untrained)
    # One factorization for both loops of stories holds two a core more.
    matrices = (9 if data.delays > 1 else 5) * matrix
    return Cost(
        seconds / machine.pace + steps * layers * solving(data, shape.width) / machine.solve,
        disk=steps * layers * data.targets * 250.0,
        memory=HELD + (matrices + held + 24.0 * data.rows * (data.targets + data.draws)) / MEGA,
    )


def beside_fits(data: Data) -> float:
    """Seconds of what stands beside the fits of a layer: their tables, RSA and its kin, of the
    average of the participants."""
    return 0.03 + 0.045 * (data.baselines + data.untrained) + 2.5e-8 * data.regions * data.rows**2


def solving(data: Data, width: int) -> float:
    """flop of the encoding models of one layer.

    The null takes the factors as they are, in products that go three times as fast as a
    factorization; so does a baseline of few columns. The untrained model is another layer beside
    this one, for the average of the participants.
    """
    n, features = data.rows * (1 - 1 / data.folds), width * data.delays
    null = data.folds * 2 * n * min(n, features) * data.draws * data.targets / 3
    alone = _fitting(data, features, data.targets)
    beside = 1.5 * _fitting(data, 2 * features, data.regions) if data.untrained else 0.0
    return alone * (1 + 0.2 * data.baselines) + null + beside


def _fitting(data: Data, features: int, targets: int) -> float:
    """flop of nested cross-validation. A fold factors a matrix of m rows, m the fewer of its rows
    and of the features; an inner fold solves a small system for each penalty, or factors once more
    where that is less."""
    n = data.rows * (1 - 1 / data.folds)
    m, inner = min(n, features), n / data.inner
    factor = 6 * m**3 + 2 * n * m * features
    choose = data.inner * min(6 * m**3, data.penalties * inner**3 / 3)
    return data.folds * (factor + choose + 2 * n * m * targets * data.penalties)


def speed(machine: Machine, shape: Shape, data: Data, steps: int) -> Cost:
    """A model's layers at each step, held against the next and the last."""
    pairs, n = 2 * max(steps - 1, 0), data.rows
    seconds = START_LIGHT + pairs * (
        0.02 + shape.layers * (n**2 * 2.2e-8 + 1.2e-9 * min(n, shape.width) ** 3)
    )
    held = 3 * (2 * 8.0 * n * min(n, shape.width) * shape.layers)
    return Cost(seconds / machine.pace, memory=LIGHT + (held + kept_of(shape, data)) / MEGA)


def voxel_map(machine: Machine, shape: Shape, data: Data, voxels: int, layers: int) -> Cost:
    """Encoding models of `layers` to every voxel of one participant, without a null.

    A penalty's predictions of all training rows are products, which go three times as fast as a
    factorization.
    """
    n = data.rows * (1 - 1 / data.folds)
    few = _fitting(data, shape.width * data.delays, 0)
    flop = few + data.folds * 2 * data.penalties * n**2 * voxels / 3
    read = 2e-8 * data.rows * voxels  # a value of a volume
    held = data.rows * (4.0 * shape.width * layers + 40.0 * voxels)
    return Cost(
        (START_TORCH + read) / machine.pace + layers * flop / machine.solve,
        disk=layers * 8.0 * voxels,
        memory=HELD + held / MEGA,
    )


def moran(machine: Machine, voxels: int, maps: int) -> Cost:
    """How clustered `maps` of a participant are: the eigenvectors of the voxels' neighbourhood,
    which are not asked for of more than MOST voxels."""
    known = min(voxels, MOST)
    seconds = START_LIGHT + 2.2e-10 * known**3 + maps * 4e-8 * known**2
    return Cost(seconds / machine.pace, memory=LIGHT + 30.0 * known**2 / MEGA)


def tables(machine: Machine, stage: str, cells: int) -> Cost:
    """A job that reads tables of `cells` layers of checkpoints, or files that people gave."""
    fixed, slope, memory = TABLES.get(stage, OTHER)
    grows = 0.35 if stage in TABLES else 0.06  # MB a layer of a checkpoint
    cells = cells if slope else 0
    return Cost((fixed + slope * cells / 1000) / machine.pace, memory=memory + grows * cells)


# Seconds of such a job, what a thousand layers of checkpoints add, and MB.
OTHER = (0.6, 0.5, 200)
TABLES: dict[str, tuple[float, float, float]] = {
    "modules": (1.9, 4.0, 250),
    "change_points": (1.9, 0.5, 250),
    "low_high": (1.3, 1.0, 250),
    "correlations": (1.5, 1.0, 250),
    "emergence": (1.1, 10.0, 250),
    "phases": (1.8, 0.5, 250),
    "blocks": (1.9, 0.5, 250),
    "judge": (1.8, 10.0, 300),
    "multiverse": (1.1, 30.0, 300),
    "recovery": (1.5, 8.0, 250),
    "calibrate": (10.0, 500.0, 400),
    "control_responses": (4.0, 1.0, 500),
    "controls": (5.0, 100.0, 500),
    "power": (60.0, 100.0, 400),
    "sentences": (0.5, 0.0, 200),
    "stimuli": (0.6, 0.0, 200),
    "splits": (0.6, 0.0, 200),
    "nuisances": (0.6, 0.0, 200),
    "listing": (1.0, 0.0, 200),
    "simulate": (1.5, 0.0, 300),
    "brain": (1.2, 0.0, 2000),
    "listening": (5.0, 0.0, 4000),
    "listeners": (5.0, 0.0, 1000),
    "in_time": (20.0, 0.0, 1000),
    "made_up_readers": (8.0, 0.0, 800),
    "claims": (1.7, 0.0, 250),
    "figures": (10.0, 97.0, 650),
    "report": (3.0, 6.0, 350),
}
OF_A_DATASET = (
    *("stimuli", "brain", "tokens_table", "geometry_tables", "speed_table", "encoding_tables"),
    *("modules", "change_points", "low_high", "correlations", "emergence", "phases", "blocks"),
    *("judge", "multiverse", "calibrate", "control_responses", "controls"),
)
OF_A_RUN = ("checkpoints_table", "continuity_table", "tables", "claims", "figures", "report")
