"""A dataset as the files that it is made of, known before any of them is read."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from geomod.brain.dataset import Dataset
from geomod.brain.inputs import reader_file
from geomod.plan.config.dataset import Dataset as Section
from geomod.plan.config.dataset import Simulation
from geomod.toy.shapes import SURFACE, SURFACE_SPACE, VOLUME, VOLUME_SPACE


def as_files(section: Section, world: str) -> Dataset:
    """The section `dataset` as its readers are told of it. A simulated one is described by the
    files it writes into the folder `world`, and from there on read like any other. How models read
    its sentences is not part of it: another context makes no response anew."""
    left_out = {"simulate", "download", "context", "long", "group_by", "splits", "nuisances"}
    left_out |= {"hierarchy"}
    values = section.model_dump(exclude=left_out, exclude_none=True)
    for name in ("delays", "gap"):  # the brain's responses are the same whatever they are fitted on
        values.get("story", {}).pop(name, None)
    if section.simulate and section.story:
        values |= _simulated_stories(section.simulate, values["story"], world)
    elif section.simulate:
        values["nifti"] = {
            "betas": f"{world}/sub-{{participant}}.nii.gz",
            "parcels": f"{world}/parcels.nii.gz",
            "labels": f"{world}/labels.tsv",
        }
        names = [f"{number:02d}" for number in range(1, section.simulate.participants + 1)]
        values |= {"sentences": f"{world}/sentences.csv", "participants": names}
    if section.reader:
        values["reader"]["plugin"] = reader_file(section.reader.plugin)
    return Dataset.of(values)


def _simulated_stories(made: Simulation, told: dict[str, Any], world: str) -> dict[str, Any]:
    of_scans = {"bids": f"{world}/bids", "confounds": ["cosine*"], "regress": True, "planned": True}
    if made.scans == "surface":
        people: Sequence[str] = SURFACE
        parcels = {"parcels": f"{world}/parcels_hemi-{{hemi}}.label.gii"}
        of_scans |= {"space": SURFACE_SPACE, **parcels}
    else:
        people, parcels = VOLUME, {"parcels": f"{world}/parcels.nii.gz"}
        labels = f"{world}/labels.tsv"
        of_scans |= {"space": VOLUME_SPACE, "desc": "preproc", "labels": labels, **parcels}
    story = {**told, "words": f"{world}/words.csv"}
    return {"story": story, "scans": of_scans, "participants": list(people)}


def how_read(section: Section) -> dict[str, Any]:
    """How models read the sentences: with other words in front of them it is another load."""
    how: dict[str, Any] = {"reading": section.reading, "long": section.long}
    if section.story:
        read = ("tr", "context_tokens", "downsample", "centre")
        how["story"] = section.story.model_dump(include=set(read))
    return how


def further(dataset: str, section: Section, readings: Iterable[str]) -> dict[str, Any]:
    """How models read a dataset beside its features: by `readings`, of the same units.

    Each is planned by itself, so that one that is added later is a load of its own.
    """
    units = how_read(section)
    return {f"{dataset}/{name}": {"reading": name, "units": units} for name in readings}


def about_rows(dataset: Dataset) -> dict[str, Any]:
    """The keys that say what was told when. Another region, or another trim of rows that are there,
    changes none of them, and must not send every story through every model again."""
    story, scans = dataset.told, dataset.scans
    if not (scans and scans.trimmed):
        story = replace(story, trim=(0, 0))
    if scans:
        scans = replace(scans, parcels="", labels="", mask="", confounds=(), regress=False)
    kept = ("name", "responses", "participants", "columns", "where")
    known = {key: value for key, value in asdict(dataset).items() if key in kept}
    return {**known, "story": asdict(story), "scans": scans and asdict(scans)}


def about_sentences(dataset: Dataset) -> dict[str, Any]:
    """The keys that say which the sentences are. Another region or ceiling changes none of them,
    and must not send every sentence through every model again."""
    names = ("sentences", "responses", "assembly", "columns", "where", "join", "sort_by", "strip")
    return {name: value for name, value in asdict(dataset).items() if name in names}
