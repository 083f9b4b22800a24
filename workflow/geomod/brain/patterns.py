"""The voxels (or electrodes) of a participant's regions, as patterns over them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from geomod.brain.dataset import Dataset
from geomod.brain.inputs import beta_images


class Pattern(NamedTuple):
    """One region of one participant: `rows` of the sentences, responses [rows, voxels]."""

    region: str
    participant: str
    rows: np.ndarray
    matrix: np.ndarray


def read_patterns(dataset: Dataset, stimuli: pd.DataFrame) -> Iterator[Pattern]:
    """Every region of every participant that has two voxels or more; tables have none."""
    if dataset.nifti:
        yield from _of_images(dataset, stimuli)
    elif dataset.assembly:
        yield from _of_assembly(dataset, stimuli)


def _of_images(dataset: Dataset, stimuli: pd.DataFrame) -> Iterator[Pattern]:
    from geomod.brain.nifti import read_nifti_voxels, read_regions

    for participant in beta_images(dataset):
        voxels = read_nifti_voxels(dataset, stimuli, participant)
        for region, inside in read_regions(dataset, participant).items():
            chosen = inside.ravel(order="F")[voxels.positions]
            if chosen.sum() > 1:
                yield Pattern(region, participant, voxels.rows, voxels.matrix[:, chosen])


def _of_assembly(dataset: Dataset, stimuli: pd.DataFrame) -> Iterator[Pattern]:
    from geomod.brain.assembly import owners_and_regions, read_assembly_voxels

    participants, regions = owners_and_regions(dataset)
    for participant in participants:
        voxels = read_assembly_voxels(dataset, stimuli, participant)
        for region in dataset.regions:
            chosen = regions[voxels.positions] == region
            if chosen.sum() > 1:
                yield Pattern(region, participant, voxels.rows, voxels.matrix[:, chosen])
