"""What rules are called, and what they are told of each dataset."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from geomod.plan.grid import ANY_STEP, Block
from geomod.plan.loads import Load


def any_of(names: Iterable[str]) -> str:
    """A wildcard constraint: one of `names`, literally; nothing where there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


def rule_name(stage: str, block: Block, load: Load | None = None, model: str = "") -> str:
    """`activations_toy_3`, or `geometry_toy_xs_3` of one model; without a number where one rule
    serves every step. A load that came later has a second number."""
    number = [] if block.label == ANY_STEP else [block.label]
    of = re.sub(r"\W", "_", model or block.suite)
    return "_".join([stage, of, *number, *(load_label(load) if load else [])])


def load_label(load: Load) -> list[str]:
    """What tells the jobs of a load from those of the first."""
    return [] if load.is_first else [f"load{load.number}"]


def rule_of(stage: str, dataset: str, among: Sequence[str]) -> str:
    """`simulate`, so that another workflow can change the rule by its name; where several datasets
    have one, `simulate_pereira2018`."""
    return stage if len(among) == 1 else re.sub(r"\W", "_", f"{stage}_{dataset}")


def of_each(datasets: Iterable[str], what: Callable[[str], Any]) -> Any:
    """What hangs on the dataset, as inputs or a parameter: a function of the wildcards only where
    datasets differ, since a function is planned several times slower than what is known."""
    first, *others = map(what, datasets)
    if all(other == first for other in others):
        return first
    return lambda wildcards: what(wildcards.dataset)
