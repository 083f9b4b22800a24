"""The sentences that people read: one table with item_id, sentence and group."""

from pathlib import Path

import pandas as pd

from geomod.base.errors import InputError
from geomod.base.sheets import labels, read_sheet, require_columns
from geomod.brain.dataset import Dataset

MIN_SENTENCES = 20  # five folds with an inner cross-validation mean nothing on fewer


def read_stimuli(dataset: Dataset) -> pd.DataFrame:
    """The sentences of a dataset in the order of their file, a row each.

    Columns: item_id; sentence; group, what belongs in one fold together (a passage, a story), ""
    where the file has none; n_words; n_characters; position, the place within the group, or within
    the table where there are no groups.

    Where `sort_by` names columns of numbers, they give the order of the sentences of a group, and
    the groups follow one another as they first appear. With `strip` a sentence has no spaces around
    it.

    The file of the responses may serve as well (a sentence column beside the responses): there a
    sentence is repeated for every participant and region. An assembly holds its own sentences.
    """
    if dataset.assembly:
        from geomod.brain.assembly import assembly_sentences

        path = Path(dataset.assembly)
        table = assembly_sentences(dataset)
    else:
        path = Path(dataset.sentences)
        table = _from_sheet(path, dataset)
    empty = table.index[table["sentence"].str.strip() == ""]
    if len(empty):
        raise InputError(f"{path}, {table.index.name} {empty[0]}: the sentence is empty.")
    repeats_allowed = path == Path(dataset.responses)
    table = _one_row_an_item(table, path, repeats_allowed).reset_index(drop=True)
    if len(table) < MIN_SENTENCES:
        raise InputError(
            f"{path}: {len(table)} sentences, and at least {MIN_SENTENCES} are needed to fit and "
            "test an encoding model."
        )
    if dataset.strip:
        table["sentence"] = table["sentence"].str.strip()
    if dataset.sort_by:
        table = _in_order(table, dataset, path)
    return table.assign(
        n_words=[len(sentence.split()) for sentence in table["sentence"]],
        n_characters=table["sentence"].str.len(),
        position=table.groupby("group").cumcount(),
    )


def column_of(dataset: Dataset, column: str) -> "pd.Series[str]":
    """A column of the sentences (a coordinate of an assembly) as text, by item_id.

    None may be empty, and where a sentence is repeated, for every participant, it has one value.
    """
    if dataset.assembly:
        from geomod.brain.assembly import assembly_column

        path = Path(dataset.assembly)
        table = assembly_column(dataset, column)
    else:
        path = Path(dataset.sentences)
        sheet = read_sheet(path, dataset.columns, dataset.where, where_present=True)
        require_columns(sheet.columns, path, ["item_id", column])
        names = {name: labels(sheet, path, name) for name in ("item_id", column)}
        table = pd.DataFrame(names)
    once = _one_row_an_item(table, path, repeats_allowed=path == Path(dataset.responses))
    return once.set_index("item_id")[column]


def _in_order(table: pd.DataFrame, dataset: Dataset, path: Path) -> pd.DataFrame:
    """The sentences of every group by `sort_by`, the groups as they first appear."""
    places = {"": pd.factorize(table["group"])[0]}
    for column in dataset.sort_by:
        texts = column_of(dataset, column).loc[table["item_id"]]
        values = pd.to_numeric(texts, errors="coerce")
        if values.isna().any():
            item = texts.index[values.isna()][0]
            raise InputError(
                f"{path}: item_id {item!r} has {texts[item]!r} as its {column}, which is no "
                "number; `dataset.sort_by` takes columns of numbers."
            )
        places[column] = values.to_numpy()
    order = pd.DataFrame(places)
    twice = order.duplicated(keep=False)
    if twice.any():
        first, second = table["item_id"][twice & (order == order[twice].iloc[0]).all(axis=1)][:2]
        raise InputError(
            f"{path}: item_id {first!r} and {second!r} have the same place by `dataset.sort_by`, "
            f"{', '.join(dataset.sort_by)}; a further column must tell them apart."
        )
    return table.loc[order.sort_values(list(order)).index].reset_index(drop=True)


def _from_sheet(path: Path, dataset: Dataset) -> pd.DataFrame:
    # What chooses among responses need not be a column of the sentences.
    sheet = read_sheet(path, dataset.columns, dataset.where, where_present=True)
    require_columns(sheet.columns, path, ["item_id", "sentence"])
    return pd.DataFrame(
        {
            "item_id": labels(sheet, path, "item_id"),
            "sentence": sheet["sentence"],
            "group": labels(sheet, path, "group") if "group" in sheet.columns else "",
        }
    )


def _one_row_an_item(table: pd.DataFrame, path: Path, repeats_allowed: bool) -> pd.DataFrame:
    """The first row of each item; an error if an item is repeated, or tells different things."""
    first = table.drop_duplicates("item_id")
    place = pd.Series(first.index, index=first["item_id"])
    repeated = table.index.difference(first.index)
    if len(repeated) and not repeats_allowed:
        item = table.loc[repeated[0], "item_id"]
        raise InputError(
            f"{path}, {table.index.name} {repeated[0]}: item_id {item!r} is in {table.index.name} "
            f"{place[item]} already."
        )
    told_before = first.set_index("item_id").loc[table["item_id"]].set_axis(table.index)
    for column in table.columns.drop("item_id"):
        differs = table.index[table[column] != told_before[column]]
        if len(differs):
            item = table.loc[differs[0], "item_id"]
            raise InputError(
                f"{path}, {table.index.name} {differs[0]}: item_id {item!r} has another {column} "
                f"than in {table.index.name} {place[item]}."
            )
    return first
