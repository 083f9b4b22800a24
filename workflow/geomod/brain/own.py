"""Responses by a reader of the user's: one function under `@reader` in a Python file.

    @reader
    def read(files, item_ids):
        return table  # columns item_id, region, participant, response

`files` are those that the config names, `item_ids` the sentences in their order. A row is a
response; without the column participant the responses count as the participants' average.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from geomod.base.errors import InputError
from geomod.base.plugins import load_plugins
from geomod.base.sheets import listed, nearest
from geomod.brain.dataset import Dataset
from geomod.brain.inputs import AVERAGE, check_participants
from geomod.brain.regions import match_regions

COLUMNS = ["item_id", "region", "participant", "response"]

Read = Callable[[list[Path], Sequence[str]], pd.DataFrame]
# By file and name, since two files may each have a `read`.
KNOWN: dict[str, Read] = {}


def reader(function: Read) -> Read:
    """Register the function below as one that reads responses."""
    KNOWN[f"{function.__code__.co_filename}:{function.__name__}"] = function
    return function


def read_own(dataset: Dataset, stimuli: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The responses that the dataset's own reader finds, checked as all others are."""
    if dataset.reader is None:
        raise TypeError(f"dataset {dataset.name!r} has no reader of its own")
    plugin, files = dataset.reader.plugin, [Path(path) for path in dataset.reader.files]
    [name, *more] = load_plugins(plugin, KNOWN.keys, "@reader")
    if more:
        raise InputError(f"{plugin}: {1 + len(more)} functions stand under `@reader`; one must")
    table = KNOWN[name](files, list(stimuli["item_id"]))
    return _checked(table, plugin, dataset, stimuli), []


def _checked(
    table: pd.DataFrame, plugin: str, dataset: Dataset, stimuli: pd.DataFrame
) -> pd.DataFrame:
    if not isinstance(table, pd.DataFrame):
        raise InputError(f"{plugin}: its reader gave a {type(table).__name__}, not a table")
    if "participant" not in table:
        table = table.assign(participant=AVERAGE)
    else:
        check_participants(table["participant"].astype(str).unique(), plugin)
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise InputError(f"{plugin}: its table has no column {listed(missing)}")
    table = table[COLUMNS].reset_index(drop=True)
    if not pd.api.types.is_numeric_dtype(table["response"]):
        raise InputError(f"{plugin}: the column `response` of its table must hold numbers")
    table = table.astype({"item_id": str, "region": str, "participant": str, "response": float})
    strange = ~table["item_id"].isin(stimuli["item_id"])
    if strange.any():
        row = int(strange.idxmax())
        item = table.loc[row, "item_id"]
        raise InputError(
            f"{plugin}: row {row} (from 0) of its table: item_id {item!r} is not among the "
            f"sentences.{nearest(item, stimuli['item_id'])}"
        )
    doubled = table.duplicated(COLUMNS[:3])
    if doubled.any():
        first = ", ".join(table.loc[doubled.idxmax(), COLUMNS[:3]])
        raise InputError(f"{plugin}: its table has more than one response of {first}")
    names = match_regions(dataset.regions, table["region"], Path(plugin), dataset.region_prefix)
    table = table[table["region"].isin(names)]
    if dataset.participants:
        table = table[table["participant"].isin(dataset.participants)]
    return table.assign(region=table["region"].map(names)).reset_index(drop=True)
