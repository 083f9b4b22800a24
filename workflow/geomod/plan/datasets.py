"""A dataset as the files that it is made of, known before any of them is read."""

from collections.abc import Mapping
from typing import Any

from geomod.plan.config import Dataset


def as_files(dataset: Dataset, world: str) -> dict[str, Any]:
    """The dataset section as plain values. A simulated one is described by the files it writes
    into the folder `world`, and from there on read like any other. How models read its sentences is
    not part of it: another context makes no response anew."""
    left_out = {"simulate", "download", "context", "long"}
    values = dataset.model_dump(exclude=left_out, exclude_none=True)
    if dataset.simulate:
        values["sentences"] = f"{world}/sentences.csv"
        values["nifti"] = {
            "betas": f"{world}/sub-{{participant}}.nii.gz",
            "parcels": f"{world}/parcels.nii.gz",
            "labels": f"{world}/labels.tsv",
        }
        count = dataset.simulate.participants
        values["participants"] = [f"{number:02d}" for number in range(1, count + 1)]
    return values


def about_sentences(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that say which the sentences are. Another region or ceiling changes none of them,
    and must not send every sentence through every model again."""
    names = ("sentences", "responses", "assembly", "columns", "where", "join")
    return {name: dataset[name] for name in names if name in dataset}
