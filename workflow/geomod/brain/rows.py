"""What a lab knows of a row beyond its text: which run it was read in, how the head moved.

None of it belongs to the sentences, which every model reads: another column here sends nothing
through a model again.
"""

from pathlib import Path

import pandas as pd

from geomod.brain.dataset import Dataset
from geomod.brain.inputs import sentence_file
from geomod.brain.sheets import labels, read_sheet, require_columns
from geomod.brain.stimuli import one_row_an_item


def read_splits(dataset: Dataset, stimuli: pd.DataFrame, column: str) -> pd.DataFrame:
    """item_id and split, the value of a column of the sentences (a coordinate of an assembly), a
    row a sentence. No value may be empty, and a sentence has one."""
    path = Path(sentence_file(dataset))
    if dataset.assembly:
        from geomod.brain.assembly import assembly_column

        table = assembly_column(dataset, column)
    else:
        sheet = read_sheet(path, dataset.columns, dataset.where, where_present=True)
        require_columns(sheet.columns, path, ["item_id", column])
        names = {name: labels(sheet, path, name) for name in ("item_id", column)}
        table = pd.DataFrame(names)
    once = one_row_an_item(table, path, repeats_allowed=path == Path(dataset.responses))
    values = once.set_index("item_id").loc[stimuli["item_id"], column]
    return pd.DataFrame({"item_id": stimuli["item_id"], "split": values.to_numpy()})
