"""Scores of voxels as files: an image in the space of the data, or a table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.base.tables import write_table
from geomod.brain.dataset import Dataset
from geomod.brain.inputs import map_space
from geomod.brain.nifti import write_voxel_map
from geomod.brain.voxels import Voxels


def write_scores(
    scores: NDArray[np.float64],
    voxels: Voxels,
    dataset: Dataset,
    path: str | Path,
    names: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> None:
    """Write one layer's scores: as an image in the space of the parcels, or where there is none
    (assemblies, surfaces, HDF5) as a table with the `names` (model, step, layer, participant) in
    every row."""
    space = map_space(dataset, names["participant"])
    if space is not None:
        write_voxel_map(scores, voxels.positions, space, Path(path))
        return
    table = pd.DataFrame({"neuroid": voxels.positions, "score": scores}).assign(**names)
    write_table(table, path, "voxels", provenance)
