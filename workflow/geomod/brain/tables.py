"""Responses in a CSV or TSV file: tidy (a row a response) or wide (a column a region)."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from geomod.base.errors import InputError
from geomod.base.sheets import labels, listed, numbers, read_sheet, require_columns
from geomod.brain.dataset import Dataset
from geomod.brain.inputs import AVERAGE
from geomod.brain.regions import match_regions

KEYS = ["item_id", "story", "tr", "participant"]


def read_tables(dataset: Dataset, stimuli: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The responses in the file `responses` of the dataset, a row each, in the order of the file.

    Tidy where the file has the columns region and response, wide where it has neither. Without a
    column participant the responses count as the participants' average.
    """
    path = Path(dataset.responses)
    sheet = read_sheet(path, dataset.columns, dataset.where)
    require_columns(sheet.columns, path, ["item_id"])
    for column in ("item_id", "participant"):
        if column in sheet.columns:
            sheet[column] = labels(sheet, path, column)
    if "participant" in sheet.columns:
        sheet = chosen_participants(sheet, path, dataset.participants)
    elif dataset.participants:
        require_columns(sheet.columns, path, ["participant"])
    else:
        sheet["participant"] = AVERAGE
    _check_items(sheet, path, stimuli)
    long, prefix = tidy_or_wide(sheet, path, dataset.regions, dataset.region_prefix)
    _check_unique(long, path)
    notes = [f"{path.name}: regions are read with the prefix {prefix!r}"] if prefix else []
    missing = int(long["response"].isna().sum())
    if missing:
        notes.append(
            f"{path.name}: {missing} of {len(long)} responses are empty or NaN and left out, the "
            f"first in row {long.index[long['response'].isna()].min()}"
        )
    return long[["item_id", "region", "participant", "response"]].reset_index(drop=True), notes


def tidy_or_wide(
    sheet: pd.DataFrame, path: Path, regions: Sequence[str], prefix: str | None
) -> tuple[pd.DataFrame, str]:
    """Columns item_id, participant, region, response, indexed by row; and the prefix found.

    Other columns that a tidy sheet has, and story and tr, stay.
    """
    tidy = [column for column in ("region", "response") if column in sheet.columns]
    if len(tidy) == 1:
        require_columns(sheet.columns, path, ["region", "response"])
    if tidy:
        sheet["region"] = labels(sheet, path, "region")
        names = match_regions(regions, sheet["region"], path, prefix)
        long = sheet[sheet["region"].isin(names)].copy()
        long["response"] = numbers(long, path, "response")
    else:
        names = match_regions(regions, sheet.columns, path, prefix)
        columns = [
            sheet[[key for key in KEYS if key in sheet]].assign(
                region=name, response=numbers(sheet, path, name)
            )
            for name in names
        ]
        long = pd.concat(columns)
    theirs, ours = next(iter(names.items()))
    return long.assign(region=long["region"].map(names)), theirs.removesuffix(ours)


def chosen_participants(
    sheet: pd.DataFrame, path: Path, participants: Sequence[str]
) -> pd.DataFrame:
    found = set(sheet["participant"])
    if participants:
        wanted = list(participants)
        lacking = [participant for participant in wanted if participant not in found]
        if lacking:
            raise InputError(
                f"{path} has no responses of participant {lacking[0]!r}. It has "
                f"{listed(sorted(found))}."
            )
        sheet = sheet[sheet["participant"].isin(wanted)].copy()
        found = set(wanted)
    if AVERAGE in found and len(found) > 1:
        row = sheet.index[sheet["participant"] == AVERAGE][0]
        raise InputError(
            f"{path}, row {row}: participant {AVERAGE!r} stands beside single participants. The "
            "average is computed; leave those rows out."
        )
    return sheet


def _check_items(sheet: pd.DataFrame, path: Path, stimuli: pd.DataFrame) -> None:
    """Every response belongs to a known sentence, and where the text is given, to that text."""
    unknown = sheet.index[~sheet["item_id"].isin(stimuli["item_id"])]
    if len(unknown):
        raise InputError(
            f"{path}, row {unknown[0]}: item_id {sheet.loc[unknown[0], 'item_id']!r} is not among "
            f"the sentences ({len(unknown)} such rows). dataset.where can choose rows."
        )
    if "sentence" in sheet.columns:
        known = stimuli.set_index("item_id")["sentence"].loc[sheet["item_id"]].to_numpy()
        differs = sheet.index[sheet["sentence"].str.strip() != pd.Series(known).str.strip().array]
        if len(differs):
            raise InputError(
                f"{path}, row {differs[0]}: item_id {sheet.loc[differs[0], 'item_id']!r} has "
                "another sentence here than in the table of sentences."
            )


def _check_unique(long: pd.DataFrame, path: Path) -> None:
    key = ["item_id", "region", "participant"]
    repeated = long.index[long.duplicated(key)]
    if len(repeated):
        again = long[long.duplicated(key)].iloc[0]
        same = (long[key] == again[key]).all(axis=1)
        raise InputError(
            f"{path}, rows {listed(long.index[same])}: more than one response of participant "
            f"{again['participant']!r} to item_id {again['item_id']!r} in region "
            f"{again['region']!r}. Average repetitions before."
        )
