"""Voxels (or electrodes) as a matrix: which of them say anything."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from geomod.base.errors import InputError


class Voxels(NamedTuple):
    """The responses of one participant, voxel by voxel."""

    rows: np.ndarray  # where in the sentences each row of the matrix lies
    matrix: np.ndarray  # float32 [rows, voxels]; no NaN in it
    positions: np.ndarray  # where each voxel lies: see the reader that made them
    notes: list[str]

    def mean(self, chosen: np.ndarray, **names: Any) -> pd.DataFrame:
        """The mean over the `chosen` voxels, a row of the matrix a row, beside its `names`."""
        response = self.matrix[:, chosen].mean(axis=1, dtype=np.float64)
        return pd.DataFrame({**names, "response": response})


def informative(values: np.ndarray, positions: np.ndarray, source: str) -> Voxels:
    """Leave out, counted, what carries no information.

    A sentence for which every voxel is 0 or NaN was not measured. Of the rest, voxels that are not
    finite throughout (outside the field of view) or never change are left out.
    """
    measured = (np.isfinite(values) & (values != 0)).any(axis=1)
    if not measured.any():
        raise InputError(f"{source}: every voxel of the regions is 0 or NaN for every sentence.")
    notes = []
    if not measured.all():
        notes.append(
            f"{source}: {(~measured).sum()} of {len(measured)} sentences are 0 or NaN in every "
            f"voxel and count as missing, the first is number {np.argmin(measured) + 1}"
        )
    present = values[measured]
    finite = np.isfinite(present).all(axis=0)
    varies = finite & (present != present[0]).any(axis=0)
    if not varies.all():
        notes.append(
            f"{source}: of {len(positions)} voxels in the regions, {(~finite).sum()} hold NaN and "
            f"{(finite & ~varies).sum()} are constant; they are left out"
        )
    return Voxels(np.flatnonzero(measured), present[:, varies], positions[varies], notes)
