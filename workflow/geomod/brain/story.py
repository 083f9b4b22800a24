"""Responses to stories: from a table or from scans to the kept rows of every story.

A row is a TR of a story (`stories.timing.rows_of`), named like a sentence, so that all that follows
(averages, blocks, ceilings) is what it is for sentences. Responses are z-scored in every story over
the rows that the trims leave, participant by participant, before anything is averaged.
"""

from collections import defaultdict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.base.errors import InputError
from geomod.base.sheets import listed
from geomod.brain.dataset import Dataset
from geomod.brain.inputs import AVERAGE
from geomod.brain.responses import Responses, checked
from geomod.brain.story_runs import Run, Told
from geomod.brain.voxels import Voxels
from geomod.stories.timing import row_name

Floats = NDArray[np.float64]


def read_story_responses(dataset: Dataset, told: Told) -> Responses:
    """The kept rows of every story: item_id, region, participant, response, and notes.

    Of several runs of one story by one participant, the mean of the z-scored. Confounds are
    regressed out of the kept rows of each run before, where the dataset says so.
    """
    long, said = [], defaultdict(list)
    for who in dict.fromkeys(run.participant for run in told.runs):
        for story in told.timings:
            runs = [r for r in told.runs if (r.participant, r.story) == (who, story)]
            if not runs:
                continue
            each = []
            for run in runs:
                series = run.read()
                for note in series.notes:
                    said[who, note].append(run.name)
                each.append(_kept(dataset, told, run, series.values))
            values = zscored(np.mean(each, axis=0)) if len(each) > 1 else each[0]
            items = told.rows["item_id"][(told.rows["story"] == story) & told.rows["kept"]]
            for region, own in zip(dataset.regions, values.T, strict=True):
                long.append(
                    pd.DataFrame(
                        {"item_id": items, "region": region, "participant": who, "response": own}
                    )
                )
    notes = [
        f"participant {who}, {len(names)} runs ({listed(names, 1)}): {note}"
        for (who, note), names in said.items()
    ]
    source = dataset.responses or "scans"
    kept = told.rows[told.rows["kept"]]
    place = pd.Series(range(len(kept)), index=kept["item_id"])
    table = pd.concat(long, ignore_index=True)
    table = table.sort_values("item_id", key=lambda names: names.map(place), kind="stable")
    found = checked(dataset, table, notes, kept, source, unit="rows")
    return Responses(_average_again(found.table, kept), found.notes)


def _kept(dataset: Dataset, told: Told, run: Run, values: Floats) -> Floats:
    """The kept rows of a run, z-scored; what confounds explain of them taken away if asked."""
    rows = _rows(told, run)
    if run.confounds and dataset.scans and dataset.scans.regress:
        rows_of_confounds = run.confounds().to_numpy()[run.first : run.first + run.count]
        return zscored(residuals(values[rows], rows_of_confounds[_within(told, run)]))
    return zscored(values[rows])


def _within(told: Told, run: Run) -> slice:
    """The kept rows, counted from the first volume of the story in the run's file."""
    kept = told.timings[run.story].kept
    lacking = told.timings[run.story].trim[0] if told.trimmed else 0
    return slice(kept.start - lacking, kept.stop - lacking)


def _rows(told: Told, run: Run) -> slice:
    own = _within(told, run)
    return slice(run.first + own.start, run.first + own.stop)


def zscored(values: Floats) -> Floats:
    """Columns with mean 0 and SD 1 (ddof 0) over what is there; 0 where nothing varies."""
    present = np.isfinite(values)
    count = np.maximum(present.sum(axis=0), 1)
    mean = np.where(present, values, 0).sum(axis=0) / count
    moved = np.where(present, values - mean, 0)
    spread = np.sqrt((moved**2).sum(axis=0) / count)
    # A constant that is not a binary number has a tiny spread.
    varies = spread > 1e-12 * np.abs(mean)
    return np.where(present, moved / np.where(varies, spread, np.inf), np.nan)


def residuals(values: Floats, confounds: Floats) -> Floats:
    """What a linear fit of the confounds and a constant leaves of every column."""
    design = np.column_stack([np.ones(len(confounds)), zscored(confounds)])
    left = np.full_like(values, np.nan)
    whole = np.isfinite(values).all(axis=0)
    fit = np.linalg.lstsq(design, values[:, whole], rcond=None)[0]
    left[:, whole] = values[:, whole] - design @ fit
    return left


def _average_again(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The participants' mean z-scored per story, as all responses are."""
    story = table["item_id"].map(rows.set_index("item_id")["story"])
    average = table["participant"] == AVERAGE
    response = table["response"].copy()
    for _, own in table[average].groupby([story, "region"], sort=False):
        response[own.index] = zscored(own["response"].to_numpy()[:, None])[:, 0]
    return table.assign(response=response)


def read_repeats(dataset: Dataset, told: Told) -> pd.DataFrame:
    """What was heard more than once, hearing by hearing, z-scored over the kept rows.

    Columns item_id, region, participant, repeat, response; empty where nothing was repeated.
    """
    columns = ["item_id", "region", "participant", "repeat", "response"]
    parts = []
    for who, story in dict.fromkeys((run.participant, run.story) for run in told.runs):
        runs = [r for r in told.runs if (r.participant, r.story) == (who, story)]
        every = [(run, run.read) for run in runs] if len(runs) > 1 else []
        every = every or [(run, read) for run in runs for read in run.repeats]
        items = told.rows["item_id"][(told.rows["story"] == story) & told.rows["kept"]].to_numpy()
        for number, (run, read) in enumerate(every):
            values = _kept(dataset, told, run, read().values)
            for region, own in zip(dataset.regions, values.T, strict=True):
                names = {"region": region, "participant": who, "repeat": number}
                parts.append(pd.DataFrame({"item_id": items, **names, "response": own}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def read_band(told: Told) -> pd.DataFrame:
    """Confounds as a band of nuisance: item_id, participant, confound, value, for all rows.

    Rows that the files lack (trims that are off already) are 0, as before the story began.
    """
    columns = ["item_id", "participant", "confound", "value"]
    parts, names = [], None
    for run in told.runs:
        if run.confounds is None:
            continue
        timing = told.timings[run.story]
        items = [row_name(run.story, tr) for tr in range(timing.count)]
        first = timing.trim[0] if told.trimmed else 0
        table = run.confounds().iloc[run.first : run.first + run.count]
        names = names or list(table)
        if list(table) != names:
            raise InputError(
                f"{run.name} has the confounds {listed(table)}, but another run {listed(names)}; a "
                "band needs the same in all. Name them one by one in scans.confounds"
            )
        table.index = pd.Index(items[first : first + run.count], name="item_id")
        table = table.reindex(items, fill_value=0.0).reset_index(names="item_id")
        long = table.melt("item_id", var_name="confound", value_name="value")
        parts.append(long.assign(participant=run.participant))
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def read_story_voxels(dataset: Dataset, told: Told, participant: str) -> Voxels:
    """One participant's responses in every location of the regions, z-scored per story.

    Locations that are not finite, or constant, in some story are left out and counted. `positions`
    are their places in a scan.
    """
    from geomod.brain.streams import locations, places, read_inside, shape_of

    runs = [run for run in told.runs if run.participant == participant and run.scan]
    if not runs or not dataset.scans:
        raise InputError(f"voxelwise scores need scans; participant {participant!r} has none")
    scans = [run.scan for run in runs if run.scan]
    inside = read_inside(dataset, dataset.scans, participant, shape_of(scans[0]).locations)
    positions = places(inside)
    by_story: dict[str, list[NDArray[np.float32]]] = {}
    for run, scan in zip(runs, scans, strict=True):
        values = locations(scan, positions)[_rows(told, run)]
        by_story.setdefault(run.story, []).append(
            zscored(values.astype(np.float64)).astype(np.float32)
        )
    order = [story for story in told.timings if story in by_story]
    matrix = np.concatenate([np.mean(by_story[story], axis=0) for story in order])
    bounds = np.cumsum([0, *(len(by_story[story][0]) for story in order)])[:-1]
    finite = np.isfinite(matrix).all(axis=0)
    good = finite & (np.maximum.reduceat(np.abs(matrix), bounds, axis=0).min(axis=0) > 0)
    notes = []
    if not good.all():
        notes.append(
            f"participant {participant}: of {len(good)} locations in the regions, "
            f"{(~finite).sum()} hold NaN and {(finite & ~good).sum()} are constant in some story; "
            "they are left out"
        )
    rows = np.concatenate(
        [np.flatnonzero((told.rows["story"] == story) & told.rows["kept"]) for story in order]
    )
    return Voxels(rows, matrix[:, good], positions[good], notes)
