"""Which datasets a load of a checkpoint serves.

Those that were planned together share it. One that is added later is read in a load of its own, so
that nothing is read again; one that is taken away stays in the plan of its load, whose job would
otherwise seem to be another one, and run.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

How = Mapping[str, Any]  # how a model reads a dataset
Plan = Sequence[Mapping[str, How]]


@dataclass(frozen=True)
class Load:
    """Datasets that are read in one pass over a checkpoint.

    The first load keeps the sketches of the weights as well, and stays even where nothing is left
    for it to read.
    """

    number: int
    planned: Mapping[str, How]
    wanted: tuple[str, ...]  # those that are still asked for in the way that was planned

    @property
    def is_first(self) -> bool:
        return self.number == 0


def deal_loads(
    asked: Mapping[str, How], planned: Plan = (), is_there: Callable[[str], bool] = lambda _: True
) -> list[Load]:
    """Deal the datasets that are `asked` for, given the loads that were `planned` before.

    `is_there` says of a dataset that is no longer asked for whether its sentences still lie in the
    folder of the run: without them its load cannot be what it was.
    """
    asked = json.loads(json.dumps(asked))  # as the plan was kept
    left = dict(asked)
    loads: list[Load] = []
    for before in planned:
        kept = {name: how for name, how in before.items() if name in asked or is_there(name)}
        wanted = tuple(name for name, how in kept.items() if name in left and left[name] == how)
        for name in wanted:
            del left[name]
        if wanted or (kept and not loads):
            loads.append(Load(len(loads), kept, wanted))
    if left or not loads:
        loads.append(Load(len(loads), left, tuple(left)))
    return loads
