"""A dataset as the files that it is made of, known before any of them is read."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geomod.config import Dataset
from geomod.errors import InputError
from geomod.toy import TOY_REGIONS


def as_files(dataset: Dataset, world: str) -> dict[str, Any]:
    """The dataset section as plain values. A simulated one is described by the files it writes
    into the folder `world`, and from there on read like any other."""
    values = dataset.model_dump(exclude={"simulate", "download"}, exclude_none=True)
    if dataset.simulate:
        values["sentences"] = f"{world}/sentences.csv"
        values["nifti"] = {
            "betas": f"{world}/sub-{{participant}}.nii.gz",
            "parcels": f"{world}/parcels.nii.gz",
            "labels": f"{world}/labels.tsv",
        }
        count = dataset.simulate.participants
        values["participants"] = [f"{number:02d}" for number in range(1, count + 1)]
    return values


def about_sentences(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that say which the sentences are. Another region or ceiling changes none of them,
    and must not send every sentence through every model again."""
    names = ("sentences", "responses", "assembly", "columns", "where", "join")
    return {name: dataset[name] for name in names if name in dataset}


def check_regions(dataset: Mapping[str, Any], simulated: bool) -> None:
    """Refuse a region that a table is known to lack, before any job starts.

    Files that are still to be downloaded cannot be looked into, and images and assemblies are left
    to the job that reads them.
    """
    if simulated:
        unknown = [region for region in dataset["regions"] if region not in TOY_REGIONS]
        if unknown:
            raise InputError(
                f"`dataset.regions`: a simulated brain has no region {unknown[0]!r}; "
                f"it has {', '.join(TOY_REGIONS)}"
            )
        return
    table = dataset.get("responses") or dataset.get("nifti", {}).get("labels")
    if table is None or not Path(table).is_file():
        return
    # Imports pandas, which the jobs that parse the workflow need not wait for.
    from geomod.regions import match_regions

    path = Path(table)
    try:
        available = _regions_in(path, dataset.get("columns") or {})
    except csv.Error:  # the job that reads the table says in which row
        return
    try:
        match_regions(dataset["regions"], available, path, dataset.get("region_prefix"))
    except InputError as error:
        raise InputError(f"`dataset.regions`: {error}") from None


def _regions_in(path: Path, columns: Mapping[str, str]) -> list[str]:
    """The values of the column region, or where there is none, all columns.

    Nothing else is checked: to read a large table properly takes seconds, at every start.
    """
    separator = "\t" if path.suffix.lower() in (".tsv", ".tab") else ","
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        rows = csv.reader((line.replace("\0", "") for line in lines), delimiter=separator)
        header = [name.strip() for name in next(rows, [])]
        for name in (columns.get("region"), "region"):
            if name in header:
                place = header.index(name)
                return sorted({row[place].strip() for row in rows if len(row) > place})
    return header
