"""Which datasets, further readings of them, and task sets a load of a checkpoint serves.

Those that were planned together share it. One that is added later is read in a load of its own, so
that nothing is read again; one that is taken away stays in the plan of its load, whose job would
otherwise seem to be another one, and run.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

How = Mapping[str, Any]  # how a model reads a dataset
Plan = Sequence[Mapping[str, How]]
SCORED = "scored"  # the reading of task sets
KEPT = ("features.safetensors", "grams.safetensors", "tokens.parquet")  # of every dataset


@dataclass(frozen=True)
class Load:
    """Datasets and task sets that are read in one pass over a checkpoint.

    A further reading of a dataset, such as the lens, is planned as `dataset/lens`.

    The first load keeps the sketches of the weights as well, and stays even where nothing is left
    for it to read.
    """

    number: int
    planned: Mapping[str, How]
    wanted: tuple[str, ...]  # those that are still asked for in the way that was planned

    @property
    def is_first(self) -> bool:
        return self.number == 0

    @property
    def readings(self) -> dict[str, How]:
        """What is planned of datasets, further readings of them included."""
        return {name: how for name, how in self.planned.items() if how["reading"] != SCORED}

    @property
    def datasets(self) -> dict[str, How]:
        """The datasets whose texts are read, and how their units are found."""
        return {dataset_of(name): how.get("units", how) for name, how in self.readings.items()}

    def has_any_of(self, kinds: Collection[str]) -> bool:
        """Whether a reading of one of these kinds is planned."""
        return any(how["reading"] in kinds for how in self.readings.values())

    def files(self, further: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
        """Dataset and name of every file that its readings leave; `further` are those of others
        than a dataset's own."""
        return [
            (dataset_of(name), file)
            for name in self.wanted
            if name in self.readings
            for file in further.get(name.partition("/")[2], KEPT)
        ]

    @property
    def task_sets(self) -> dict[str, How]:
        """What is planned of texts that are scored."""
        return {name: how for name, how in self.planned.items() if how["reading"] == SCORED}


def dataset_of(name: str) -> str:
    """The dataset of what is planned, be it a further reading."""
    return name.partition("/")[0]


def deal_loads(
    asked: Mapping[str, How],
    planned: Plan = (),
    is_there: Callable[[str, How], bool] = lambda *_: True,
) -> list[Load]:
    """Deal the datasets that are `asked` for, given the loads that were `planned` before.

    `is_there` says of what was planned whether it can still be read: whether the sentences of a
    dataset that is no longer asked for lie in the folder of the run, and the files of a task set
    where they were. Without them its load cannot be what it was.
    """
    asked = json.loads(json.dumps(asked))  # as the plan was kept
    left = dict(asked)
    loads: list[Load] = []
    for before in planned:
        kept = {
            name: how
            for name, how in before.items()
            if asked.get(name) == how or is_there(name, how)
        }
        wanted = tuple(name for name, how in kept.items() if name in left and left[name] == how)
        for name in wanted:
            del left[name]
        if wanted or (kept and not loads):
            loads.append(Load(len(loads), kept, wanted))
    if left or not loads:
        loads.append(Load(len(loads), left, tuple(left)))
    return loads
