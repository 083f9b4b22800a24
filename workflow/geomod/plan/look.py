"""What the files of a dataset are seen to hold before any job: names of files and folders, headers
of tables, coordinates of assemblies. What takes long to read, or is still to be downloaded, is left
to the job that reads it.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from geomod.base.errors import InputError
from geomod.base.files import names_on_disk
from geomod.base.sheets import require_columns
from geomod.brain.dataset import Dataset, OwnReader
from geomod.brain.glances import glance
from geomod.brain.inputs import formats, scans_of
from geomod.brain.regions import match_regions, region_numbers
from geomod.plan.config.dataset import Dataset as Section
from geomod.stories.names import story_names
from geomod.toy.shapes import STORY_REGIONS, TOY_REGIONS


@dataclass(frozen=True)
class Known:
    """What the files of a dataset are seen to hold; None where it is not to be seen."""

    source: str
    participants: list[str] | None = None
    sentences: int | None = None
    groups: int | None = None  # how many different ones; 0 where sentences have none
    columns: list[str] = field(default_factory=list)  # of the sentences, as their file calls them
    splits: list[str] | None = None  # values of `dataset.splits`, once each


def look(section: Section, dataset: Dataset) -> Known:
    """What the files of the dataset hold, refusing what they are seen to lack."""
    if section.simulate:
        _look_for_toy_regions(dataset)
        if section.story:
            return Known("the simulated listeners", list(dataset.participants))
        made = section.simulate
        return Known("the simulated brain", list(dataset.participants), made.sentences, 0)
    if dataset.assembly:
        return _look_at_assembly(section, dataset)
    if section.story:
        return Known(section.story.words) if section.download else _look_at_stories(dataset)
    known = _look_at_sentences(section, dataset)
    if dataset.reader:
        return replace(known, source=_look_at_own_reader(dataset.reader))
    people = _look_at_images(section, dataset) if dataset.nifti else _look_at_table(dataset)
    source = dataset.responses or dataset.images.betas
    return replace(known, source=source, participants=people)


def _look_at_stories(dataset: Dataset) -> Known:
    """Which stories have words, and whose scans are there; headers of scans are left to the job."""
    story_names(dataset.told)
    if dataset.scans:
        people = list(dict.fromkeys(scan.participant for scan in scans_of(dataset)))
        return Known(dataset.scans.bids or dataset.scans.files, people)
    path = Path(dataset.responses)
    seen = glance(path, dataset, ["region", "participant"])
    if seen is None:
        return Known(str(path))
    require_columns(seen.columns, path, ["story", "tr"])
    return Known(str(path), sorted(set(seen.values.get("participant", ()))))


def _look_at_own_reader(reader: OwnReader) -> str:
    """A reader that is not there is told before any job; what is wrong in it, by the job."""
    if not Path(reader.plugin).is_file():
        raise InputError(
            f"`dataset.reader.plugin`: there is no file {reader.plugin}, and no layout of this "
            f"name is built in; there are {', '.join(formats())}"
        )
    return reader.plugin


def _look_for_toy_regions(dataset: Dataset) -> None:
    there = STORY_REGIONS if dataset.story else TOY_REGIONS
    unknown = [region for region in dataset.regions if region not in there]
    if unknown:
        raise InputError(
            f"`dataset.regions`: a simulated brain has no region {unknown[0]!r}; "
            f"it has {', '.join(there)}"
        )


def _look_at_sentences(section: Section, dataset: Dataset) -> Known:
    path = Path(dataset.sentences)
    asked = ["item_id", "group", *([section.splits] if section.splits else [])]
    seen = glance(path, dataset, asked, where_present=True)
    if seen is None:
        return Known(str(path))
    require_columns(seen.columns, path, ["item_id", "sentence"])
    groups = len(set(seen.values.get("group", ())))
    splits = list(dict.fromkeys(seen.values.get(section.splits or "", ())))
    sentences = len(set(seen.values["item_id"]))
    return Known(str(path), None, sentences, groups, seen.columns, splits)


def _look_at_table(dataset: Dataset) -> list[str] | None:
    """The participants in a table of responses; none where it has no such column."""
    path = Path(dataset.responses)
    seen = glance(path, dataset, ["region", "participant"])
    if seen is None:
        return None
    require_columns(seen.columns, path, ["item_id"])
    tidy = [name for name in ("region", "response") if name in seen.columns]
    require_columns(seen.columns, path, ["region", "response"] if tidy else [])
    require_columns(seen.columns, path, ["participant"] if dataset.participants else [])
    regions = seen.values["region"] if tidy else seen.columns
    match_regions(dataset.regions, regions, path, dataset.region_prefix)
    return sorted(set(seen.values.get("participant", ())))


def _look_at_images(section: Section, dataset: Dataset) -> list[str] | None:
    """The participants of whom there are images; None where those are still to come."""
    labels = dataset.images.labels
    if labels and Path(labels).is_file():
        region_numbers(dataset)
    if section.download:
        return None
    return names_on_disk(dataset.images.betas, "participant")


def _look_at_assembly(section: Section, dataset: Dataset) -> Known:
    path = Path(dataset.assembly)
    if not path.is_file():
        return Known(str(path))
    from geomod.brain.assembly import glance as glance_at_assembly

    seen = glance_at_assembly(dataset, section.splits)
    groups, splits = len(set(seen.groups or ())), list(dict.fromkeys(seen.splits or ()))
    count = len(seen.sentences)
    return Known(str(path), seen.participants, count, groups, seen.coordinates, splits)
