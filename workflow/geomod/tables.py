"""Parquet tables with a memory: every table is checked against its written-down columns."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from geomod.files import whole

SCHEMAS = Path(__file__).parents[1] / "schemas" / "tables.yaml"
METADATA_KEY = b"geomod"


@cache
def columns_of(kind: str) -> dict[str, str]:
    """Column name → dtype of the table called `kind` in schemas/tables.yaml, in order."""
    tables = yaml.safe_load(SCHEMAS.read_text(encoding="utf-8"))
    return {name: column["type"] for name, column in tables[kind]["columns"].items()}


def write_table(
    table: pd.DataFrame, path: str | Path, kind: str, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write `table` with the columns of `kind`, in their order and types, and its provenance.

    A column that is missing or not written down is a mistake in the code, not in the input.
    """
    columns = columns_of(kind)
    if set(table.columns) != set(columns):
        raise TypeError(
            f"table {kind!r}: columns {sorted(table.columns)} differ from those written down in "
            f"{SCHEMAS.name}: {sorted(columns)}"
        )
    typed = table[list(columns)].astype(columns)
    arrow = pa.Table.from_pandas(typed, preserve_index=False)
    metadata = {
        **(arrow.schema.metadata or {}),
        METADATA_KEY: json.dumps(dict(provenance or {}), sort_keys=True).encode(),
    }
    with whole(path) as temporary:
        pq.write_table(arrow.replace_schema_metadata(metadata), temporary)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table that `write_table` wrote."""
    return pd.read_parquet(path)


def read_provenance(path: str | Path) -> dict[str, Any]:
    """Where the table at `path` came from, as its writer said."""
    metadata = pq.read_schema(path).metadata or {}
    provenance: dict[str, Any] = json.loads(metadata.get(METADATA_KEY, b"{}"))
    return provenance
