"""What a lab knows of a row beyond its text: which run it was read in, how the head moved.

None of it belongs to the sentences, which every model reads: another column here sends nothing
through a model again.
"""

from pathlib import Path

import pandas as pd

from geomod.base.errors import InputError
from geomod.base.sheets import labels, numbers, read_sheet, require_columns
from geomod.brain.dataset import Dataset
from geomod.brain.stimuli import column_of


def read_splits(dataset: Dataset, stimuli: pd.DataFrame, column: str) -> pd.DataFrame:
    """item_id and split, the value of a column of the sentences, a row a sentence."""
    values = column_of(dataset, column).loc[stimuli["item_id"]]
    return pd.DataFrame({"item_id": stimuli["item_id"], "split": values.to_numpy()})


def read_nuisances(dataset: Dataset, stimuli: pd.DataFrame, path: str | Path) -> pd.DataFrame:
    """item_id, nuisance and value: every column of a table beside item_id, of every sentence.

    Rows of other sentences are not looked at, nor is what `where` chooses by. An error, with the
    row, where a sentence has none or two, or a value is no number; or where a column says nothing.
    """
    path = Path(path)
    sheet = read_sheet(path, dataset.columns, dataset.where, where_present=True)
    require_columns(sheet.columns, path, ["item_id"])
    sheet["item_id"] = labels(sheet, path, "item_id")
    sheet = sheet[sheet["item_id"].isin(stimuli["item_id"])]
    lacking = stimuli["item_id"][~stimuli["item_id"].isin(sheet["item_id"])]
    if len(lacking):
        raise InputError(
            f"{path} has no row for item_id {lacking.iloc[0]!r} ({len(lacking)} of {len(stimuli)} "
            "sentences have none); each sentence needs one."
        )
    twice = sheet.index[sheet["item_id"].duplicated()]
    if len(twice):
        raise InputError(
            f"{path}, row {twice[0]}: item_id {sheet.loc[twice[0], 'item_id']!r} has a row "
            "already; give each sentence one, the mean over participants or repetitions."
        )
    names = [name for name in sheet.columns if name != "item_id" and name not in dataset.where]
    if not names:
        raise InputError(f"{path} has no column beside item_id; a nuisance is a column of numbers.")
    columns = {name: _varying(sheet, path, name) for name in names}
    values = pd.DataFrame(columns).set_index(sheet["item_id"]).loc[stimuli["item_id"]]
    return values.melt(var_name="nuisance", ignore_index=False).reset_index()


def _varying(sheet: pd.DataFrame, path: Path, name: str) -> pd.Series:
    """A column of numbers, none missing, not all the same."""
    values = numbers(sheet, path, name)
    missing = values.index[values.isna()]
    if len(missing):
        raise InputError(f"{path}, row {missing[0]}: {name} is missing; each sentence needs it.")
    if (values == values.iloc[0]).all():
        raise InputError(
            f"{path}: {name} is {values.iloc[0]:g} in every sentence, which explains nothing; "
            "leave the column out."
        )
    return values
