"""The runs in which stories were heard: which there are, of whom, and how their rows lie in time.

A run is known by its header and the files beside it; `read` gives its values. `story.py` makes
responses of them.
"""

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
from geomod.brain.scans import Scan, Scans, find_scans, region_files
from geomod.brain.tables import chosen_participants, tidy_or_wide
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
