"""Tables that people hand in: CSV or TSV files, read strictly, all text until asked for numbers.

A reader that guesses is worse than one that refuses. `pandas.read_csv` shifts columns when every
row has one value too many, fills short rows silently and takes "NA" in a sentence for a missing
value, so the rows are taken apart here with `csv` in strict mode, and every complaint names the
file and the row. Rows are counted as a spreadsheet does: the header is row 1.
"""

import csv
import difflib
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from geomod.base.errors import InputError

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?", re.ASCII)
MISSING = {"", "na", "n/a", "nan", "null", "none"}


def read_sheet(
    path: str | Path,
    columns: Mapping[str, str] | None = None,
    where: Mapping[str, Any] | None = None,
    *,
    where_present: bool = False,
) -> pd.DataFrame:
    """The rows of a CSV (or tab-separated .tsv) file as text, indexed by their row in the file.

    `columns` gives the file's name for a column: {"region": "roi"} renames `roi` to `region`.
    `where` keeps the rows with a value (or one of a list of values) in a column: {"cond": "B"}; a
    column that is not there is an error, or with `where_present` chooses nothing.
    """
    path = Path(path)
    text = read_text(path)
    separator = separator_of(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: dict[int, list[str]] = {}
    row = 0
    try:
        for row, values in enumerate(reader, start=1):
            if any(value.strip() for value in values):
                rows[row] = values
    except csv.Error as error:
        raise InputError(f"{path}, row {row + 1}: not a readable row ({error}).") from error
    if not rows:
        raise InputError(f"{path} is empty. It should start with a row of column names.")
    header = rows.pop(min(rows))
    sheet = _frame(path, [name.strip() for name in header], rows, separator)
    for column, wanted in (where or {}).items():
        if column in sheet.columns or not where_present:
            sheet = _keep(sheet, path, column, wanted)
    return _rename(sheet, path, columns or {})


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without a byte order mark."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = raw[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}, row {row}: not UTF-8 (byte {raw[error.start]:#04x}). "
            "Save the file as 'CSV UTF-8'."
        ) from error
    if "\0" in text:
        row = text[: text.index("\0")].count("\n") + 1
        raise InputError(f"{path}, row {row}: holds a zero byte, so it is not a text file.")
    return text


SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


def separator_of(path: Path) -> str:
    """What stands between the columns of a table, by the name of its file."""
    return "\t" if path.suffix.lower() in (".tsv", ".tab") else ","


def check_separator(path: Path, header: list[str], separator: str) -> None:
    """An error where the one column of a header looks like several, separated otherwise."""
    others = [other for other in SEPARATORS if other != separator and other in "".join(header)]
    if len(header) > 1 or not others:
        return
    remedy = {
        ",": "Give the file a name in .csv",
        ";": "Save it with commas between columns and points in numbers, under a name in .csv",
        "\t": "Give the file a name in .tsv",
    }[others[0]]
    raise InputError(
        f"{path}: the columns are not separated by {SEPARATORS[separator]}, but, it seems, by "
        f"{SEPARATORS[others[0]]}: {header[0]!r}. {remedy}."
    )


def _frame(
    path: Path, header: list[str], rows: Mapping[int, list[str]], separator: str
) -> pd.DataFrame:
    check_separator(path, header, separator)
    for position, name in enumerate(header):
        if name in header[:position]:
            raise InputError(f"{path}: there are two columns called {name!r}.")
    for row, values in rows.items():
        if len(values) != len(header):
            raise InputError(
                f"{path}, row {row}: {len(values)} values where the header has {len(header)} "
                "columns. Text with a comma in it belongs in double quotes, and decimals are "
                "written with a point."
            )
    index = pd.Index(list(rows), name="row", dtype="int64")
    return pd.DataFrame(list(rows.values()), columns=header, index=index, dtype="str")


def _keep(sheet: pd.DataFrame, path: Path, column: str, wanted: Any) -> pd.DataFrame:
    require_columns(sheet.columns, path, [column])
    values = {str(value) for value in (wanted if isinstance(wanted, list) else [wanted])}
    kept = sheet[sheet[column].str.strip().isin(values)]
    if kept.empty:
        found = listed(sheet[column].str.strip().unique())
        raise InputError(f"{path}: no row has {column} = {listed(values)}. It has {found}.")
    return kept


def _rename(sheet: pd.DataFrame, path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    present = {theirs: ours for ours, theirs in columns.items() if theirs in sheet.columns}
    clashes = [name for name in present.values() if name in sheet.columns and name not in present]
    if clashes:
        raise InputError(
            f"{path} has a column {clashes[0]!r} of its own, and `columns` gives that name "
            f"to {columns[clashes[0]]!r}. Leave {clashes[0]!r} out of `columns`, or rename "
            "the file's column."
        )
    return sheet.rename(columns=present)


def require_columns(columns: Iterable[str], path: Path, names: Iterable[str]) -> None:
    """An error that says which `columns` the file has, if one of `names` is not among them."""
    columns = list(columns)
    for name in names:
        if name not in columns:
            raise InputError(
                f"{path} has no column {name!r}.{nearest(name, columns)} It has "
                f"{listed(columns)}. If yours has another name, say so in `columns`: "
                f"{{{name}: <your name>}}."
            )


def labels(sheet: pd.DataFrame, path: Path, column: str) -> pd.Series:
    """A column of names or identifiers, without spaces around them; none may be empty."""
    values = sheet[column].str.strip()
    empty = values.index[values == ""]
    if len(empty):
        raise InputError(f"{path}, row {empty[0]}: {column} is empty.")
    return values


def numbers(sheet: pd.DataFrame, path: Path, column: str) -> pd.Series:
    """A column of numbers; NaN where the cell is empty or says NA, an error where it is no number.

    Each text is turned into the float64 nearest to it, which the fast parsers do not promise.
    """
    values = sheet[column].str.strip()
    missing = values.str.lower().isin(MISSING)
    bad = values.index[~missing & ~values.map(lambda text: bool(NUMBER.fullmatch(text)))]
    if len(bad):
        text = values[bad[0]]
        hint = " Write decimals with a point." if DECIMAL_COMMA.fullmatch(text) else ""
        raise InputError(f"{path}, row {bad[0]}: {column} is {text!r}, not a number.{hint}")
    found = values.mask(missing, "nan").map(float).astype("float64")
    infinite = found.index[np.isinf(found)]
    if len(infinite):
        raise InputError(f"{path}, row {infinite[0]}: {column} is too large a number.")
    return found


def nearest(name: str, names: Iterable[str]) -> str:
    """ " Did you mean 'x'?", or nothing where no name comes close."""
    by_small_letters = {str(other).casefold(): str(other) for other in names}
    close = difflib.get_close_matches(name.casefold(), by_small_letters, n=1)
    return f" Did you mean {by_small_letters[close[0]]!r}?" if close else ""


def listed(names: Iterable[Any], limit: int = 12) -> str:
    """Names for a message: the first few, and how many more there are."""
    names = [str(name) for name in names]
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return (", ".join(names[:limit]) or "none") + more
