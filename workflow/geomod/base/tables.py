"""Parquet tables with a memory: every table is checked against its written-down columns."""

import io
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from geomod.base.errors import InputError
from geomod.base.files import whole
from geomod.base.seals import open_seal, read_sealed, sealed
from geomod.base.shipped import shipped

SCHEMAS = shipped("workflow/schemas/tables.yaml")
METADATA_KEY = b"geomod"


def columns_of(kind: str) -> dict[str, str]:
    """Column name → dtype of the table called `kind` in schemas/tables.yaml, in order."""
    return {name: column["type"] for name, column in _written_down()[kind]["columns"].items()}


def key_of(kind: str) -> list[str]:
    """The columns that no two rows of the table called `kind` share."""
    return list(_written_down()[kind]["key"])


@cache
def _written_down() -> dict[str, Any]:
    tables: dict[str, Any] = yaml.safe_load(SCHEMAS.read_text(encoding="utf-8"))
    return tables


def empty_table(kind: str) -> pd.DataFrame:
    """A table without rows: of what was not asked for."""
    return pd.DataFrame(columns=list(columns_of(kind)))


def write_table(
    table: pd.DataFrame, path: str | Path, kind: str, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write `table` with the columns of `kind`, in their order and types, and its provenance.

    A column that is missing or not written down is a mistake in the code, not in the input. Two
    rows with one key may be either's, and are refused in words.
    """
    columns = columns_of(kind)
    if set(table.columns) != set(columns):
        raise TypeError(
            f"table {kind!r}: columns {sorted(table.columns)} differ from those written down in "
            f"{SCHEMAS.name}: {sorted(columns)}"
        )
    typed = table[list(columns)].astype(columns).reset_index(drop=True)
    _check_key(typed, kind, path)
    arrow = pa.Table.from_pandas(typed, preserve_index=False)
    metadata = {
        **(arrow.schema.metadata or {}),
        METADATA_KEY: json.dumps(dict(provenance or {}), sort_keys=True).encode(),
    }
    arrow = arrow.replace_schema_metadata(metadata)
    data = io.BytesIO()
    with pq.ParquetWriter(data, arrow.schema) as writer:
        writer.write_table(arrow)
        writer.add_key_value_metadata({"seal": open_seal(path)})
    with whole(path) as temporary:
        temporary.write_bytes(sealed(data.getvalue()))


def _check_key(table: pd.DataFrame, kind: str, path: str | Path) -> None:
    key = key_of(kind)
    doubled = table[table.duplicated(key)]
    if not doubled.empty:
        first = doubled[key].head(1).to_dict("records")[0]
        where = ", ".join(f"{name} {value!r}" for name, value in first.items())
        raise InputError(
            f"{path}: row {doubled.index[0]} (from 0) is the second with {where}. The table has "
            f"one row a {', '.join(key)}; {len(doubled)} of its {len(table)} rows are too many."
        )


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table that `write_table` wrote, and check that it is what was written there."""
    return pd.read_parquet(io.BytesIO(read_sealed(path)))


def read_provenance(path: str | Path) -> dict[str, Any]:
    """Where the table at `path` came from, as its writer said."""
    metadata = pq.read_schema(io.BytesIO(read_sealed(path))).metadata or {}
    provenance: dict[str, Any] = json.loads(metadata.get(METADATA_KEY, b"{}"))
    return provenance
