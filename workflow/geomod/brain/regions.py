"""Which of a dataset's regions a config means."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from geomod.base.errors import InputError
from geomod.base.sheets import labels, listed, nearest, numbers, read_sheet, require_columns
from geomod.brain.dataset import Dataset


def region_numbers(dataset: Dataset, table: Path | None = None) -> dict[str, list[float]]:
    """Region → its numbers in the parcel image, from the table `labels`."""
    table = table or Path(dataset.images.labels)
    sheet = read_sheet(table, dataset.columns)
    require_columns(sheet.columns, table, ["index", "region"])
    sheet = sheet.assign(
        region=labels(sheet, table, "region"), index=numbers(sheet, table, "index")
    )
    if sheet["index"].isna().any():
        raise InputError(f"{table}, row {sheet.index[sheet['index'].isna()][0]}: index is empty.")
    again = sheet[sheet.duplicated(["index", "region"], keep=False)]
    if len(again):
        index, region = again.iloc[0][["index", "region"]]
        same = again[(again["index"] == index) & (again["region"] == region)]
        raise InputError(
            f"{table}, rows {listed(same.index)}: region {region!r} has the index {index:g} more "
            "than once. Keep one of these rows, or correct the others."
        )
    wanted, prefix = dataset.regions, dataset.region_prefix
    names = match_regions(wanted, sheet["region"], table, prefix)
    return {
        ours: list(sheet.loc[sheet["region"] == theirs, "index"]) for theirs, ours in names.items()
    }


def match_regions(
    wanted: Sequence[str], available: Iterable[str], source: str | Path, prefix: str | None = None
) -> dict[str, str]:
    """The data's name of each wanted region → the config's name, in the config's order.

    Data often carry a prefix: `IFG` may be `lang_LH_IFG`. With `prefix` given, that is what stands
    before every name. Without, the names themselves are looked for, and then the one prefix with
    which *all* wanted regions are there; two such prefixes (both hemispheres, say) are an error.
    """
    available = list(dict.fromkeys(available))
    if prefix is None:
        prefix = _common_prefix(wanted, available, source)
    for name in wanted:
        if prefix + name not in available:
            full = prefix + name
            raise InputError(
                f"`dataset.regions`: {source} has no region {full!r}.{nearest(full, available)} "
                f"It has {listed(available)}."
            )
    return {prefix + name: name for name in wanted}


def _common_prefix(wanted: Sequence[str], available: list[str], source: str | Path) -> str:
    if set(wanted) <= set(available):
        return ""
    first = wanted[0]
    candidates = {name.removesuffix(first) for name in available if name.endswith("_" + first)}
    fitting = sorted(p for p in candidates if {p + name for name in wanted} <= set(available))
    if len(fitting) > 1:
        raise InputError(
            f"{source}: the regions {listed(wanted)} are there with more than one prefix: "
            f"{listed(fitting)}. Choose with dataset.region_prefix."
        )
    return fitting[0] if fitting else ""
