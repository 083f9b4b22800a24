"""A first look at the tables of a dataset: names and counts, before any job reads a number.

It runs at every start, and so it takes rows apart without checking them: a table that cannot be
read is left to the job that reads it, which says in which row.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from geomod.base.errors import InputError
from geomod.base.sheets import check_separator, listed, require_columns, separator_of
from geomod.brain.dataset import Dataset


@dataclass(frozen=True)
class Glance:
    """The columns of a table by our names, and the text in some of them, where `where` keeps it."""

    columns: list[str]
    values: dict[str, list[str]]


def glance(
    path: Path, dataset: Dataset, names: Sequence[str], *, where_present: bool = False
) -> Glance | None:
    """Look at the columns `names`, those of them that there are; None where there is no table yet.

    `where` chooses rows, and `columns` gives names, as in `geomod.base.sheets.read_sheet`.
    """
    if not path.is_file():
        return None
    where = {
        column: {str(value) for value in (wanted if isinstance(wanted, list) else [wanted])}
        for column, wanted in dataset.where.items()
    }
    ours = {theirs: name for name, theirs in dataset.columns.items()}
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            separator = separator_of(path)
            rows = csv.reader(lines, delimiter=separator)
            full = (row for row in rows if any(value.strip() for value in row))
            header = [name.strip() for name in next(full, [])]
            check_separator(path, header, separator)
            if where_present:
                where = {column: values for column, values in where.items() if column in header}
            require_columns(header, path, where)
            columns = [ours.get(name, name) for name in header]
            needed = [header.index(name) for name in where]
            needed += [columns.index(name) for name in names if name in columns]
            taken = [
                [row[place].strip() for place in needed] for row in full if len(row) == len(header)
            ]
    except (csv.Error, UnicodeDecodeError):
        return None
    for place, (column, wanted) in enumerate(where.items()):
        kept = [row for row in taken if row[place] in wanted]
        if not kept:
            found = listed(dict.fromkeys(row[place] for row in taken))
            raise InputError(f"{path}: no row has {column} = {listed(wanted)}. It has {found}.")
        taken = kept
    present = [name for name in names if name in columns]
    values = {
        name: [row[place] for row in taken] for place, name in enumerate(present, start=len(where))
    }
    return Glance(columns, values)
