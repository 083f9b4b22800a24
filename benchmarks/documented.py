"""Put a measured table into a CSV file and into the page that quotes it."""

import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
# Benchmarks run from a fresh clone, without geomod installed.
sys.path[:0] = [str(ROOT), str(ROOT / "workflow")]
MEASURED = ROOT / "docs" / "measured"


def document(table: pd.DataFrame, name: str, page: str, key: str) -> None:
    """Write docs/measured/`name`.csv, and the table between its markers in docs/`page`.

    Rows of an earlier run whose `key` is not in `table` stay: sizes can be measured one at a time.
    """
    MEASURED.mkdir(parents=True, exist_ok=True)
    csv = MEASURED / f"{name}.csv"
    if csv.is_file():
        before = pd.read_csv(csv, dtype=str, keep_default_na=False)
        table = pd.concat([before[~before[key].isin(table[key].astype(str))], table.astype(str)])
    table.to_csv(csv, index=False)

    header = [str(column) for column in table.columns]
    lines = [header, ["---"] * len(header), *table.astype(str).to_numpy().tolist()]
    markdown = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    path = ROOT / "docs" / page
    text = path.read_text(encoding="utf-8")
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before_table, _, rest = text.partition(start)
    _, _, after_table = rest.partition(end)
    path.write_text(f"{before_table}{start}\n{markdown}\n{end}{after_table}", encoding="utf-8")
