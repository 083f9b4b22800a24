"""What lies beside a run of a BIDS dataset: its TR, the onset of its story, its confounds."""

import fnmatch
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from geomod.base.errors import InputError
from geomod.base.files import read_json
from geomod.base.sheets import listed, numbers, read_sheet
from geomod.brain.scans import Scan


class Acquired(NamedTuple):
    """What the sidecars say of the time of a volume, in seconds; None where they say nothing."""

    tr: float | None
    within: float | None  # `StartTime`: how far into a volume its values were measured


def read_sidecars(scan: Scan, tr: float) -> Acquired:
    """What the JSON files of a run say; a TR that differs from the config's is an error."""
    said: dict[str, tuple[object, Path]] = {}
    for path in scan.sidecars:
        said |= {key: (value, path) for key, value in read_json(path).items()}
    found = Acquired(_seconds(said, "RepetitionTime"), _seconds(said, "StartTime"))
    if found.tr is not None and abs(found.tr - tr) > 1e-6 * tr:
        raise InputError(
            f"{said['RepetitionTime'][1]} says that {scan.name} has a RepetitionTime of "
            f"{found.tr:g} s, but story.tr is {tr:g}. {_drift(found.tr, tr)}"
        )
    return found


def _drift(one: float, other: float) -> str:
    return f"After 300 volumes they are {abs(one - other) * 300:.3g} s apart."


def _seconds(said: Mapping[str, tuple[object, Path]], key: str) -> float | None:
    if key not in said:
        return None
    value, path = said[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{path}: {key} is {value!r}, not a number of seconds.")
    return float(value)


class Window(NamedTuple):
    """The volumes of a run in which its story was told, by its events."""

    first: int
    volumes: int
    start: float  # s from the first of these volumes to the onset of the sound file


def read_events(scan: Scan, stim_file: str, tr: float) -> Window:
    """The volumes that begin while the story is told, by the table of events.

    The story is the event of the trial_type `story`, or the only kind of event; with a `stim_file`
    the one with this file. Times of words are those of the sound file, which begins at the first
    event with it: music before the story counts.
    """
    path = Path(str(scan.events))
    sheet = read_sheet(path)
    for column in ("onset", "duration"):
        if column not in sheet:
            raise InputError(f"{path} has no column {column!r}. It has {listed(sheet.columns)}.")
    sheet = sheet.assign(
        onset=numbers(sheet, path, "onset"), duration=numbers(sheet, path, "duration")
    )
    if stim_file:
        files = sheet.get("stim_file", pd.Series(dtype=str))
        if not (files == stim_file).any():
            raise InputError(
                f"{path} has no event with the stim_file {stim_file!r}. It has "
                f"{listed(files.unique())}."
            )
        sheet = sheet[files == stim_file]
    kinds = sheet["trial_type"] if "trial_type" in sheet else pd.Series("story", sheet.index)
    told = sheet[kinds == "story"] if (kinds == "story").any() else sheet
    if len(told) != 1:
        raise InputError(
            f"{path} has {len(told)} events that could be the story {scan.story!r}"
            f"{f' ({listed(kinds.unique())})' if len(told) else ''}. Say which by its stim_file: "
            "scans.events."
        )
    [row] = told.index
    onset, duration = told["onset"][row], told["duration"][row]
    if not (onset >= 0 and duration > 0):
        raise InputError(f"{path}, row {row}: an onset of {onset} s and {duration} s long.")
    sound = onset
    if "stim_file" in sheet:
        same = sheet["stim_file"] == told["stim_file"][row]
        sound = float(sheet["onset"][same].min())
    first, stop = (int(np.ceil(time / tr - 1e-6)) for time in (onset, onset + duration))
    return Window(first, stop - first, sound - first * tr)


def read_confounds(path: Path, wanted: Sequence[str], volumes: int) -> pd.DataFrame:
    """Columns of a table of confounds that the names or patterns in `wanted` choose.

    Where a column has no value (`n/a` in the first row of derivatives) it is the column's mean.
    """
    sheet = read_sheet(path)
    if len(sheet) != volumes:
        raise InputError(f"{path} has {len(sheet)} rows for the {volumes} volumes of its run.")
    chosen: dict[str, None] = {}
    for pattern in wanted:
        names = fnmatch.filter(sheet.columns, pattern)
        if not names:
            raise InputError(
                f"{path} has no confound {pattern!r}. It has {listed(sheet.columns, 30)}."
            )
        chosen |= dict.fromkeys(names)
    table = pd.DataFrame({name: numbers(sheet, path, name) for name in chosen})
    empty = table.columns[table.isna().all()]
    if len(empty):
        raise InputError(f"{path}: the confound {empty[0]!r} has no value at all.")
    return table.fillna(table.mean()).reset_index(drop=True)
