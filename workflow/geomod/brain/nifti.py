"""Responses in NIfTI images: a 4-D image of betas per participant, and an image of parcels.

Volume t of the betas is the response to sentence t of the table of sentences. A beta image may be
larger than the memory: it is read once from front to back, a few volumes at a time, and only the
voxels that some region asks for are kept.
"""

import gzip
import logging
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pandas as pd

from geomod.base.errors import InputError
from geomod.base.extras import extra
from geomod.base.files import whole
from geomod.brain.dataset import Dataset
from geomod.brain.inputs import beta_images, parcel_path
from geomod.brain.regions import region_numbers
from geomod.brain.voxels import Voxels, informative

with extra("imaging"):
    import nibabel as nib

logger = logging.getLogger(__name__)

SLAB_BYTES = 32 * 2**20
UNREADABLE = (
    *(OSError, EOFError, OverflowError, zlib.error),
    *(nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError),
)


def read_nifti(dataset: Dataset, stimuli: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The mean response of each region's voxels, for every participant and sentence.

    `dataset.nifti` has `betas`, a path with {participant} in it, and either `parcels` (an image
    of whole numbers; {participant} may stand in it) with `labels` (a table with the columns index
    and region; a region may have several indices), or `mask`, an image whose voxels other than 0
    are the one region. Voxels without information are left out of the mean and counted.
    """
    tables, notes = [], []
    for participant, path in beta_images(dataset).items():
        regions = read_regions(dataset, participant)
        voxels = read_nifti_voxels(dataset, stimuli, participant)
        notes += voxels.notes
        for region, inside in regions.items():
            chosen = inside.ravel(order="F")[voxels.positions]
            if not chosen.any():
                notes.append(f"{path.name}: region {region} has no usable voxel, and is left out")
                continue
            items = stimuli["item_id"].to_numpy()[voxels.rows]
            names = {"item_id": items, "region": region, "participant": participant}
            tables.append(voxels.mean(chosen, **names))
    if not tables:
        raise InputError("no region has a usable voxel: " + "; ".join(notes))
    return pd.concat(tables, ignore_index=True), notes


def read_nifti_voxels(dataset: Dataset, stimuli: pd.DataFrame, participant: str) -> Voxels:
    """One participant's responses in every voxel of the regions.

    `positions` are indices into the flattened image in Fortran order, the order on disk.
    """
    path = beta_images(dataset)[participant]
    inside = np.logical_or.reduce(list(read_regions(dataset, participant).values()))
    positions = np.flatnonzero(inside.ravel(order="F"))
    values = read_betas(path, positions, parcel_path(dataset, participant), len(stimuli))
    return informative(values, positions, path.name)


def read_regions(dataset: Dataset, participant: str) -> dict[str, np.ndarray]:
    """Region → its voxels, a boolean array of the image's shape, in the config's order."""
    path = parcel_path(dataset, participant)
    with open_image(path) as image:
        values = np.asarray(image.dataobj)
    if values.ndim < 3 or any(size > 1 for size in values.shape[3:]):
        raise InputError(f"{path} has the shape {values.shape}; regions are a 3-D image.")
    values = values.reshape(values.shape[:3])
    wanted = list(dataset.regions)
    if not dataset.images.mask:
        return {
            region: np.logical_or.reduce(
                [_voxels(values, index, region, path) for index in indices]
            )
            for region, indices in region_numbers(dataset).items()
        }
    if len(wanted) != 1:
        raise InputError(
            f"{path}: a mask is one region, and dataset.regions names {len(wanted)}. Give a parcel "
            "image and its labels for more."
        )
    inside = np.isfinite(values) & (values != 0)
    if not inside.any():
        raise InputError(f"{path}: the mask is empty.")
    return {wanted[0]: inside}


def _voxels(values: np.ndarray, index: float, region: str, path: Path) -> np.ndarray:
    inside = values == index
    if not inside.any():
        raise InputError(
            f"{path}: no voxel has the number {index:g}, which the labels give to region "
            f"{region!r}. Take it out of the labels, or correct the image."
        )
    return inside


def read_betas(path: Path, positions: np.ndarray, space: Path, volumes: int) -> np.ndarray:
    """The values of the voxels at `positions`, float32 [volumes, voxels], in one pass.

    The image must have `volumes` volumes, in the space of the image `space`.
    """
    values = np.empty((volumes, len(positions)), dtype=np.float32)
    with open_image(path) as image:
        _check_space(image, path, space, volumes)
        step = max(1, SLAB_BYTES // (8 * int(np.prod(image.shape[:3]))))
        for start in range(0, volumes, step):
            stop = min(start + step, volumes)
            slab = np.asarray(image.dataobj[..., start:stop])
            values[start:stop] = slab.reshape(-1, stop - start, order="F")[positions].T
            logger.debug("%s: %d of %d volumes", path.name, stop, volumes)
    return values


@contextmanager
def open_image(path: Path) -> Iterator[Any]:
    """An image to be read from one open file, whose checksum is compared at the end.

    Left to itself nibabel opens a compressed file anew for every slab, unpacks it from the start,
    and never comes to the checksum that tells whether the numbers are those that were written.
    """
    try:
        kind: Any = type(nib.load(path))
        opener = gzip.open if path.suffix == ".gz" else open
        with cast(IO[bytes], opener(path, "rb")) as file:
            image = kind.from_stream(file)
            kind_of_number, start = image.get_data_dtype(), image.dataobj.offset
            if kind_of_number.kind not in "iuf" or min(image.shape) < 1 or not 0 <= start < 2**31:
                raise InputError(
                    f"{path}: its header tells of values of type {kind_of_number} in the shape "
                    f"{image.shape} from byte {start}; that is no image of numbers."
                )
            yield image
            while file.read(SLAB_BYTES):
                pass
    except UNREADABLE as error:
        raise InputError(f"{path} cannot be read as an image ({error}). Is it complete?") from error


def _check_space(image: Any, path: Path, space: Path, volumes: int) -> None:
    if len(image.shape) != 4:
        raise InputError(
            f"{path} has the shape {image.shape}; betas are 4-D, one volume a sentence."
        )
    if image.shape[3] != volumes:
        raise InputError(
            f"{path} has {image.shape[3]} volumes for {volumes} sentences. Volume t must be the "
            "response to sentence t of the table of sentences."
        )
    other: Any = nib.load(space)
    if image.shape[:3] != other.shape[:3]:
        raise InputError(
            f"{path} has volumes of {image.shape[:3]} voxels, {space} has {other.shape[:3]}. "
            "Resample the parcels to the betas (nearest neighbour)."
        )
    if not np.allclose(image.affine, other.affine, rtol=0, atol=1e-3):
        raise InputError(
            f"{path} and {space} have different affines: a voxel of one is not the same place in "
            "the other. Resample the parcels to the betas (nearest neighbour)."
        )


def write_voxel_map(values: np.ndarray, positions: np.ndarray, space: Path, path: Path) -> None:
    """Write a value per voxel as an image in the space of `space`; voxels without one are NaN.

    `values` is [voxels], or [maps, voxels] for a 4-D image; `positions` as from
    `read_nifti_voxels`.
    """
    like: Any = nib.load(space)
    shape = like.shape[:3]
    maps = np.full((int(np.prod(shape)), *np.shape(values)[:-1]), np.nan, dtype=np.float32)
    maps[positions] = np.asarray(values).T
    image = nib.Nifti1Image(maps.reshape(*shape, *maps.shape[1:], order="F"), like.affine)
    image.header.set_xyzt_units("mm")
    with whole(path) as temporary:
        nib.save(image, temporary)


def read_voxel_maps(paths: Sequence[str | Path]) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Maps that `write_voxel_map` wrote, [maps, voxels] in float64, of the voxels that have a value
    in one of them; the positions of these, and the shape of the images."""
    images: list[Any] = [nib.load(path) for path in paths]
    flat = np.stack([np.asarray(image.dataobj, np.float64).ravel(order="F") for image in images])
    positions = np.flatnonzero(np.isfinite(flat).any(axis=0))
    return flat[:, positions], positions, images[0].shape
