"""A dataset as its readers are told of it, by the names of the config's section `dataset`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from geomod.brain.scans import Scans
from geomod.stories.settings import Settings as Story


@dataclass(frozen=True)
class Nifti:
    """Images of responses, and where the regions lie in them: by parcels with labels, or a mask."""

    betas: str
    parcels: str = ""
    labels: str = ""
    mask: str = ""


@dataclass(frozen=True)
class OwnReader:
    """A Python file with a reader of the user's (`own.py`), and the files that it reads."""

    plugin: str
    files: Sequence[str]


@dataclass(frozen=True)
class Dataset:
    """What was read, and what brains did. A text that is empty says that there is no such thing.

    The responses are in exactly one of `responses`, `nifti`, `assembly` and `reader`; those to
    stories (where there is a `story`) in `responses` or `scans`.
    """

    name: str = ""
    regions: Sequence[str] = ()
    sentences: str = ""
    responses: str = ""
    nifti: Nifti | None = None
    assembly: str = ""
    reader: OwnReader | None = None
    story: Story | None = None
    scans: Scans | None = None
    region_prefix: str | None = None
    participants: Sequence[str] = ()  # none: all that are found
    columns: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str | list[str]] = field(default_factory=dict)
    join: str = ""
    sort_by: Sequence[str] = ()  # columns of numbers that give the order within a group
    strip: bool = False  # spaces around a sentence
    ceiling: str = "participants"

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """A dataset from plain values, as `dataclasses.asdict` gives them."""
        kinds = {"nifti": Nifti, "reader": OwnReader, "story": Story, "scans": Scans}
        parts = {key: kinds[key](**values[key]) for key in kinds if values.get(key)}
        return cls(**{**values, **dict.fromkeys(kinds), **parts})

    @property
    def images(self) -> Nifti:
        """The images of a dataset that has images."""
        if self.nifti is None:
            raise TypeError(f"dataset {self.name!r} has no images")
        return self.nifti

    @property
    def told(self) -> Story:
        """How a dataset of stories was told."""
        if self.story is None:
            raise TypeError(f"dataset {self.name!r} has no stories")
        return self.story
