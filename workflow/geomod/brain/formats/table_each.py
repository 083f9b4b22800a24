"""A table of each participant, whose file has their name: `item_id`, and a column a region."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from geomod.base.sheets import numbers, read_sheet, require_columns
from geomod.brain.own import reader


@reader
def read(files: list[Path], item_ids: Sequence[str]) -> pd.DataFrame:
    """CSV or TSV; rows of items that are no sentences are left out."""
    tables = []
    for file in files:
        sheet = read_sheet(file)
        require_columns(sheet.columns, file, ["item_id"])
        regions = [name for name in sheet.columns if name != "item_id"]
        own = pd.DataFrame({"item_id": sheet["item_id"].astype(str)})
        own = own.assign(**{name: numbers(sheet, file, name) for name in regions})
        own = own[own["item_id"].isin(item_ids)]
        long = own.melt("item_id", var_name="region", value_name="response")
        tables.append(long.assign(participant=file.stem))
    return pd.concat(tables, ignore_index=True)
