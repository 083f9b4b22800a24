"""Where a dataset lies: every file that its readers will open, known before any is opened.

Snakemake asks this each time it parses the workflow, so nothing here imports more than the standard
library.
"""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from geomod.base.errors import InputError
from geomod.base.files import names_on_disk
from geomod.brain.dataset import Dataset
from geomod.brain.scans import (
    VOLUMES,
    Scan,
    find_scans,
    region_files,
    scan_files,
    timing_files,
)
from geomod.stories.names import story_names

FORMATS = Path(__file__).with_name("formats")
AVERAGE = "average"  # the participant that stands for the mean of all
CeilingMethod = Literal["participants", "split_half"]


def sentence_file(dataset: Dataset) -> str:
    """The file that holds the sentences: their table, or the assembly."""
    return dataset.assembly or dataset.sentences


def response_files(dataset: Dataset) -> list[str]:
    """Every file that the responses are read from."""
    if dataset.scans:
        return scan_files(dataset.scans, scans_of(dataset))
    if dataset.reader:
        return [dataset.reader.plugin, *dataset.reader.files]
    if not dataset.nifti:
        return [dataset.assembly or dataset.responses]
    betas = beta_images(dataset)
    spaces = dict.fromkeys(parcel_path(dataset, participant) for participant in betas)
    labels = dataset.images.labels
    return [str(path) for path in [*betas.values(), *spaces, *([labels] if labels else [])]]


def reader_file(plugin: str) -> str:
    """The file of a reader: the user's, or one of `formats`, which goes by its name."""
    built_in = FORMATS / f"{plugin}.py"
    return os.path.relpath(built_in) if plugin in formats() else plugin


def formats() -> list[str]:
    """The names of the layouts that have a reader in `formats`."""
    return sorted(path.stem for path in FORMATS.glob("[a-z]*.py"))


def row_files(dataset: Dataset) -> list[str]:
    """Of the files of a dataset of stories those that say when its rows were measured."""
    if dataset.scans:
        return timing_files(dataset.scans, scans_of(dataset))
    return [dataset.responses]


def scans_of(dataset: Dataset) -> list[Scan]:
    """Every run of a dataset of stories that has scans."""
    if dataset.scans is None:
        raise TypeError(f"dataset {dataset.name!r} has no scans")
    stories, every = story_names(dataset.told), every_story(dataset)
    return find_scans(dataset.scans, stories, dataset.participants, every)


def every_story(dataset: Dataset) -> list[str]:
    """All that were told, beside those that are chosen, where runs are known by their place."""
    if dataset.scans and dataset.scans.task:
        return story_names(replace(dataset.told, stories=()))
    return []


def published_ceilings(dataset: Dataset) -> str | None:
    """The table of published ceilings, where `ceiling` names one and not a method."""
    return None if dataset.ceiling in get_args(CeilingMethod) else dataset.ceiling


def beta_images(dataset: Dataset) -> dict[str, Path]:
    """Participant → image of betas: those of `participants`, or all that the pattern finds."""
    pattern = dataset.images.betas
    if "{participant}" not in pattern:
        raise InputError(
            f"dataset.nifti.betas is {pattern!r}; it needs {{participant}} in the place of the "
            "participant's name, as in 'sub-{participant}.nii.gz'."
        )
    names = list(dataset.participants) or names_on_disk(pattern, "participant")
    if not names:
        raise InputError(f"dataset.nifti.betas: no file is called like {pattern!r}.")
    check_participants(names, pattern)
    return {name: Path(pattern.replace("{participant}", name)) for name in names}


def parcel_path(dataset: Dataset, participant: str) -> Path:
    """The image that says where the regions are, for this participant."""
    pattern = dataset.images.parcels or dataset.images.mask
    return Path(pattern.replace("{participant}", participant))


def map_space(dataset: Dataset, participant: str) -> Path | None:
    """The image in whose space maps of voxels are written; None where the data are no volumes."""
    if dataset.nifti:
        return parcel_path(dataset, participant)
    if dataset.scans:
        [path, *_] = region_files(dataset.scans, participant)
        return path if path.name.endswith(VOLUMES) else None
    return None


def check_participants(names: Iterable[str], source: str | Path) -> None:
    """Refuse a participant whose name means something else, or cannot be written down."""
    for name in names:
        if name == AVERAGE:
            raise InputError(
                f"{source}: {AVERAGE!r} is what the mean over participants is called, so nobody "
                "else can be. Rename it, to 'mean' for instance, or name those to read in "
                "dataset.participants."
            )
        try:
            name.encode()
        except UnicodeEncodeError:
            raise InputError(
                f"{source}: the name of participant {name!r} is not UTF-8. Rename the file."
            ) from None
