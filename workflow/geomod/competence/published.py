"""Evaluations that were published with the checkpoints of Pythia: a JSON file a model and step.

There are two generations, of *different weights*. v1 (`…/70m_step512.json`, of what the hub has as
`EleutherAI/pythia-70m`) holds no BLiMP; v0 (`…/pythia-70m-0shot-global_step33000_….json`) does, but
begins at step 3000. Rows of v0 get a model of their own, `pythia-70m-v0`, so that nothing about the
one stands beside the other.
"""

import logging
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from geomod.base.errors import InputError
from geomod.base.files import read_json
from geomod.base.sheets import listed, nearest
from geomod.competence.source import find_files

log = logging.getLogger(__name__)


class Known(NamedTuple):
    """What a task measures, the score of guessing, its number of items (0: said by its SE)."""

    family: str
    chance: float
    n: int


TASKS = {
    "arc_challenge": Known("functional", 0.25, 1172),
    "arc_easy": Known("functional", 0.25, 2376),
    "lambada_openai": Known("functional", 0.0, 5153),
    "logiqa": Known("functional", 0.25, 651),
    "piqa": Known("functional", 0.5, 1838),
    "sciq": Known("functional", 0.25, 1000),
    "winogrande": Known("functional", 0.5, 1267),
    "wsc": Known("functional", 0.5, 104),
}
GROUPS = {"blimp_": Known("formal", 0.5, 1000), "hendrycksTest-": Known("functional", 0.25, 0)}

V0 = re.compile(r"pythia-(?P<size>.+?)-\d+shot-global_step(?P<step>\d+)_")
V1 = re.compile(r"(?P<size>.+?)(-\d+shot)?_step(?P<step>\d+)\.json")
PRETRAINED = re.compile(r"pretrained=[^,]*/pythia-(v[\d.]+-)?(?P<size>[^,]+)")
REVISION = re.compile(r"revision=step(?P<step>\d+)")


@dataclass(frozen=True)
class Published:
    """An entry of the config's section `competence` that names published evaluations.

    `models` says what a size of theirs (`70m`, `70m-deduped`) is called here, where that is not
    `pythia-70m`, `pythia-deduped-70m`. `tasks` keeps these alone.
    """

    name: str
    files: Sequence[str]
    models: Mapping[str, str] = field(default_factory=dict)
    tasks: Collection[str] = ()

    def paths(self) -> list[Path]:
        """The files, patterns filled in."""
        return [path for pattern in self.files for path in find_files(pattern)]


class Evaluation(NamedTuple):
    """One file: generation, size and step of the model, and its results by task."""

    version: str
    size: str
    step: int
    results: Mapping[str, Mapping[str, Any]]


def read_published(source: Published) -> pd.DataFrame:
    """A row a model, step and task, with the columns of `TaskSet.tasks`.

    Zero-shot evaluations alone; tasks that have no accuracy, such as crows_pairs, are left out.
    """
    rows, few_shot = [], 0
    for path in source.paths():
        found = _read(path)
        if found is None:
            few_shot += 1
            continue
        label = source.models.get(found.size) or _name_of(found.size)
        model = label if found.version == "v1" else f"{label}-v0"
        for row in _rows(found.results, source, path):
            rows.append(
                {"model": model, "step": found.step, **row, "source": f"published {found.version}"}
            )
    if few_shot:
        log.info("%s: %d files are not zero-shot; they are left out", source.name, few_shot)
    table = pd.DataFrame(rows)
    if table.empty:
        raise InputError(f"competence.{source.name}: its files hold no zero-shot accuracy")
    missing = [task for task in source.tasks if task not in set(table["task"])]
    if missing:
        known = sorted(set(table["task"]))
        raise InputError(
            f"`competence.{source.name}.tasks`: no file has {missing[0]!r}."
            f"{nearest(missing[0], known)} They have {listed(known)}"
        )
    # The published SE of a score of 0 or 1 is 0, and says nothing of n.
    table["n"] = table.groupby("task")["n"].transform("max")
    return table


def _read(path: Path) -> Evaluation | None:
    """What a file holds; None where examples stood before the questions."""
    values = read_json(path)
    results, config = values.get("results"), values.get("config")
    if not isinstance(results, dict) or not isinstance(config, dict):
        raise InputError(
            f"{path}: this is no evaluation as Pythia's are published: `results` and `config` must "
            "be keys and values"
        )
    if config.get("num_fewshot") != 0:
        return None
    name, arguments = V0.match(path.name), str(config.get("model_args"))
    if name:
        return Evaluation("v0", name["size"], int(name["step"]), results)
    name, own, step = (
        V1.fullmatch(path.name),
        PRETRAINED.search(arguments),
        REVISION.search(arguments),
    )
    size, step = own or name, step or name
    if size is None or step is None:
        raise InputError(
            f"{path}: neither its name (as 70m_step512.json, or "
            "pythia-70m-0shot-global_step33000_….json) nor its `model_args` say which model and "
            "step this is"
        )
    return Evaluation("v1", size["size"].removesuffix("-bf16"), int(step["step"]), results)


def _name_of(size: str) -> str:
    """The name that a model has where its suite is called as in resources/suites.tsv."""
    plain = size.removesuffix("-deduped").removesuffix("-bf16")
    return f"pythia-{plain}" if plain == size else f"pythia-deduped-{plain}"


def _rows(
    results: Mapping[str, Mapping[str, Any]], source: Published, path: Path
) -> Iterator[dict[str, Any]]:
    for task, values in results.items():
        known = TASKS.get(task) or next(
            (group for start, group in GROUPS.items() if task.startswith(start)), None
        )
        if known is None or "acc" not in values or (source.tasks and task not in source.tasks):
            continue
        score, se = (_number(values, key, task, path) for key in ("acc", "acc_stderr"))
        norm = _number(values, "acc_norm", task, path) if "acc_norm" in values else np.nan
        yield {
            "task": task,
            "family": known.family,
            "score": score,
            "chance": known.chance,
            "ceiling": 1.0,
            "se": se,
            "n": known.n or (round(score * (1 - score) / se**2) + 1 if se > 0 else 0),
            "uniform": np.nan,
            "alternative": norm,
            "left_out": 0,
        }


def _number(values: Mapping[str, Any], key: str, task: str, path: Path) -> float:
    value = values.get(key)
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"{path}: {key} of {task} is {value!r}, not a number from 0 to 1")
    return float(value)
