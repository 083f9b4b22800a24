"""Responses to stories: from a table or from scans to the kept rows of every story.

A row is a TR of a story (`stories.timing.rows_of`), named like a sentence, so that all that follows
(averages, blocks, ceilings) is what it is for sentences. Responses are z-scored in every story over
the rows that the trims leave, participant by participant, before anything is averaged.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.base.errors import InputError
from geomod.base.files import read_json
from geomod.base.sheets import labels, listed, numbers, read_sheet, require_columns
from geomod.brain.dataset import Dataset
from geomod.brain.inputs import AVERAGE, check_participants
from geomod.brain.responses import Responses, checked
from geomod.brain.scans import Scan, Scans, find_scans, region_files
from geomod.brain.tables import chosen_participants, tidy_or_wide
from geomod.brain.voxels import Voxels
from geomod.stories.timing import Timing, row_name, rows_of, timing_of, trim_of

Floats = NDArray[np.float64]


class Series(NamedTuple):
    """What one run says of every region: volumes × regions, NaN where a region has nothing."""

    values: Floats
    notes: list[str]


@dataclass(frozen=True)
class Run:
    """One run of one participant, its values unread.

    Of the volumes in its file the story is `count` from `first` on. `start` and `within` are what
    events and sidecars say of the first of these (stories.timing), if they do.
    """

    name: str
    story: str
    participant: str
    first: int
    count: int
    read: Callable[[], Series]
    start: float | None = None
    within: float | None = None
    repeats: Sequence[Callable[[], Series]] = ()
    confounds: Callable[[], pd.DataFrame] | None = None
    scan: Scan | None = field(default=None, repr=False)


class Told(NamedTuple):
    """The rows of every story, the runs that they are of, and how they lie in time."""

    rows: pd.DataFrame  # as `rows_of` gives them
    runs: list[Run]
    timings: Mapping[str, Timing]
    trimmed: bool  # whether the files lack the rows of the trims


def find_runs(dataset: Dataset, stories: Sequence[str], every: Sequence[str] = ()) -> Told:
    """Every run, by its header, and the rows of the stories. No value of an image is read.

    `stories` are those that have words. One that nobody heard has no rows. `every` names all that
    were told, for `find_scans`.
    """
    if bool(dataset.responses) == bool(dataset.scans):
        raise InputError(
            f"dataset {dataset.name!r} must say where the responses to its stories are, by either "
            "`responses` or `scans`"
        )
    runs = (
        _of_scans(dataset, dataset.scans, stories, every)
        if dataset.scans
        else _of_table(dataset, stories)
    )
    trimmed = bool(dataset.scans and dataset.scans.trimmed)
    published = _published(dataset)
    timings = {
        story: _timing(dataset, story, [run for run in runs if run.story == story], published)
        for story in stories
        if any(run.story == story for run in runs)
    }
    return Told(rows_of(timings), runs, timings, trimmed)


def _published(dataset: Dataset) -> Mapping[str, int]:
    volumes = dataset.scans.volumes if dataset.scans else {}
    return read_json(volumes) if isinstance(volumes, str) and volumes else dict(volumes or {})


def _timing(
    dataset: Dataset, story: str, runs: Sequence[Run], published: Mapping[str, int]
) -> Timing:
    """How one story lies in time: the same in every run of it, or an error that names both."""
    settings = dataset.told
    if any(run.start is not None for run in runs) and settings.start:
        raise InputError(
            f"{runs[0].name} has a table of events, which tells when its story begins, and "
            "story.start says so too; leave `start` out"
        )
    first = runs[0]
    for run in runs:
        if (run.start is None) != (first.start is None):
            raise InputError(f"of {first.name} and {run.name} only one has a table of events")
    trim = trim_of(settings, story)
    lacking = sum(trim) if dataset.scans and dataset.scans.trimmed else 0
    for run in runs:
        if run.count != first.count:
            raise InputError(
                f"{run.name}: {run.count} rows of story {story!r}, but {first.name} has "
                f"{first.count}; trims of {list(trim)} rows"
                f"{' are off already' if lacking else ' come later'}. Nothing is cut to fit: all "
                "runs of a story must be of one length."
            )
        for what, own, other in (
            ("start", run.start, first.start),
            ("StartTime", run.within, first.within),
        ):
            if (own is None) != (other is None) or abs((own or 0) - (other or 0)) > 0.01:
                raise InputError(
                    f"{run.name} and {first.name}: story {story!r} has a {what} of {own} and "
                    f"{other} s within their volumes, so that the rows of the two are not of one "
                    "time. Resample one of them."
                )
    count = first.count + lacking
    if story in published and published[story] != count:
        raise InputError(
            f"{first.name} has {first.count} rows, and with the trims {list(trim)} "
            f"{'that are off already ' if lacking else ''}story {story!r} makes {count}, but "
            f"scans.volumes says {published[story]}."
        )
    return timing_of(settings, story, count, start=first.start, within=first.within)


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


def _of_scans(
    dataset: Dataset, scans: Scans, stories: Sequence[str], every: Sequence[str]
) -> list[Run]:
    from geomod.brain.sidecars import read_confounds, read_events, read_sidecars
    from geomod.brain.streams import check_space, read_inside, regions, shape_of

    @cache
    def inside_of(participant: str, locations: int) -> dict[str, NDArray[np.int64]]:
        return read_inside(dataset, scans, participant, locations)

    runs = []
    found = find_scans(scans, stories, dataset.participants, every)
    check_participants({scan.participant for scan in found}, scans.files or scans.bids)
    for scan in found:
        shape = shape_of(scan)
        acquired = read_sidecars(scan, dataset.told.tr)
        first, count, start = 0, shape.volumes, None
        if scan.events:
            stim_file = scans.events.get(scan.story, "")
            first, count, start = read_events(scan, stim_file, dataset.told.tr)
            if first + count > shape.volumes:
                raise InputError(
                    f"{scan.name} has {shape.volumes} volumes, but by {scan.events} the story "
                    f"{scan.story!r} takes {count} from number {first} (from 0) on; the trims "
                    "come later."
                )

        def read(
            scan: Scan = scan,
            locations: int = shape.locations,
            volumes: int = shape.volumes,
            repeat: int | None = None,
        ) -> Series:
            for path in region_files(scans, scan.participant):
                check_space(scan, path)
            found = Series(*regions(scan, inside_of(scan.participant, locations), repeat))
            if len(found.values) != volumes:
                raise InputError(
                    f"{scan.name} has {len(found.values)} volumes, but its header tells of "
                    f"{volumes}. Is it complete?"
                )
            return found

        confounds = None
        if scans.confounds:
            if scan.confounds is None:
                raise InputError(f"{scan.name} has no table of confounds beside it")

            def confounds(
                path: Path = scan.confounds, volumes: int = shape.volumes
            ) -> pd.DataFrame:
                return read_confounds(path, scans.confounds, volumes)

        repeats = [
            lambda read=read, repeat=repeat: read(repeat=repeat) for repeat in range(shape.repeats)
        ]
        runs.append(
            Run(
                scan.name,
                scan.story,
                scan.participant,
                first,
                count,
                read,
                start=start,
                within=acquired.within,
                repeats=repeats if len(repeats) > 1 else (),
                confounds=confounds,
                scan=scan,
            )
        )
    return runs


def _of_table(dataset: Dataset, stories: Sequence[str]) -> list[Run]:
    """Runs in a table with the columns story and tr (from 0), tidy or wide, like sentences."""
    path = Path(dataset.responses)
    sheet = read_sheet(path, dataset.columns, dataset.where)
    require_columns(sheet.columns, path, ["story", "tr"])
    for column in ("story", "participant"):
        if column in sheet:
            sheet[column] = labels(sheet, path, column)
    if "participant" in sheet:
        sheet = chosen_participants(sheet, path, dataset.participants)
    elif dataset.participants:
        require_columns(sheet.columns, path, ["participant"])
    sheet = sheet.assign(participant=sheet.get("participant", AVERAGE))
    trs = numbers(sheet, path, "tr")
    wrong = trs.index[~(trs >= 0) | (trs != np.floor(trs))]
    if len(wrong):
        raise InputError(
            f"{path}, row {wrong[0]}: tr is {sheet['tr'][wrong[0]]!r}; rows of a story are counted "
            "0, 1, 2, …"
        )
    sheet["tr"] = trs.astype(int)
    unknown = [story for story in dict.fromkeys(sheet["story"]) if story not in stories]
    wanted = dataset.told.stories
    if wanted:  # the others are not asked for
        sheet = sheet[sheet["story"].isin(wanted)]
    elif unknown:
        raise InputError(
            f"{path}: story {unknown[0]!r} has responses but no words. Those with words are "
            f"{listed(stories)}; `story.stories` can choose among them."
        )
    runs = []
    for (story, who), own in sheet.groupby(["story", "participant"], sort=False):
        name = f"{path}, story {story!r}" + ("" if who == AVERAGE else f", participant {who}")

        def read(own: pd.DataFrame = own, name: str = name) -> Series:
            return Series(_of_run(own, dataset, path, name), [])

        runs.append(Run(name, str(story), str(who), 0, int(own["tr"].max()) + 1, read))
    return runs


def _of_run(sheet: pd.DataFrame, dataset: Dataset, path: Path, name: str) -> Floats:
    """Rows × regions of one run. Rows are counted without a gap; the first trims may be missing."""
    story, count = str(sheet["story"].iloc[0]), int(sheet["tr"].max()) + 1
    items = [row_name(story, tr) for tr in sheet["tr"]]
    table, _ = tidy_or_wide(
        sheet.assign(item_id=items), path, dataset.regions, dataset.region_prefix
    )
    first, _ = trim_of(dataset.told, story)
    lacking = sorted(set(range(first, count)) - set(table["tr"]))
    if lacking:
        raise InputError(
            f"{name} has no row with tr {lacking[0]} ({len(lacking)} of {count} are missing). All "
            "rows of a scan belong into the table, from 0; leave cells empty that were not "
            "measured, and take rows away with `story.trim`."
        )
    doubled = table[table.duplicated(["tr", "region"])]
    if len(doubled):
        again = doubled.iloc[0]
        raise InputError(
            f"{name}: more than one response at tr {again['tr']} in region {again['region']!r}; "
            f"the second is in row {doubled.index[0]}."
        )
    values = np.full((count, len(dataset.regions)), np.nan)
    places = {region: place for place, region in enumerate(dataset.regions)}
    values[table["tr"], table["region"].map(places)] = table["response"]
    return values
