"""Scans as streams: a few volumes of all locations at a time, from any kind of file.

A location is a voxel (in the order of the file: NIfTI in Fortran order), a vertex (the left
hemisphere before the right) or a column of an HDF5 file. A scan may be larger than the memory;
`regions` averages over locations while it goes by, and what is held is volumes × regions.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from geomod.base.errors import InputError
from geomod.base.extras import extra
from geomod.brain.dataset import Dataset
from geomod.brain.nifti import SLAB_BYTES, open_image
from geomod.brain.regions import match_regions, region_numbers
from geomod.brain.scans import HDF5, VOLUMES, Scan, Scans, region_files

with extra("imaging"):
    import h5py
    import nibabel as nib

Floats = NDArray[np.float64]


class Shape(NamedTuple):
    """What a header says: volumes, locations, and how often the story was repeated (HDF5)."""

    volumes: int
    locations: int
    repeats: int = 0


def shape_of(scan: Scan) -> Shape:
    """The shape of a scan, from the headers of its files; both hemispheres must agree."""
    shapes = [_shape(path) for path in scan.paths]
    if len({shape.volumes for shape in shapes}) > 1:
        counts = " and ".join(str(shape.volumes) for shape in shapes)
        raise InputError(f"{scan.name} and its twin have {counts} volumes; both need as many.")
    locations = sum(shape.locations for shape in shapes)
    return Shape(shapes[0].volumes, locations, shapes[0].repeats)


def slabs(scan: Scan, repeat: int | None = None) -> Iterator[NDArray[Any]]:
    """Values [locations, volumes] of a few volumes at a time, in order; of one `repeat` if so."""
    [first, *_] = scan.paths
    if first.name.endswith(VOLUMES):
        return _of_nifti(first)
    if first.suffix.lower() in HDF5:
        return _of_hdf5(first, repeat)
    return _of_gifti(scan.paths)


def _shape(path: Path) -> Shape:
    if path.name.endswith(VOLUMES):
        with _in_words(path):
            image: Any = nib.load(path)
            shape = image.shape
        if len(shape) != 4:
            raise InputError(f"{path} has the shape {shape}; a scan is 4-D, a volume a TR.")
        return Shape(int(shape[3]), int(np.prod(shape[:3])))
    if path.suffix.lower() in HDF5:
        with _open_hdf5(path) as file:
            volumes, locations = file["data"].shape
            repeats = file["individual_repeats"].shape if "individual_repeats" in file else (0,)
        if len(repeats) > 1 and repeats[1:] != (volumes, locations):
            raise InputError(
                f"{path}: individual_repeats has the shape {repeats}, but data {volumes} rows of "
                f"{locations} voxels."
            )
        return Shape(volumes, locations, repeats[0])
    return _shape_of_gifti(path)


HEAD_BYTES = 2**18
COUNT = re.compile(rb'NumberOfDataArrays\s*=\s*"(\d+)"')
ARRAY = re.compile(rb"<DataArray\b[^>]*>")
SIZES = re.compile(rb'\bDim\d\s*=\s*"(\d+)"')


def _shape_of_gifti(path: Path) -> Shape:
    """From the first lines of the XML, since the whole takes a thousand times as long."""
    with _in_words(path), path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    count, array = COUNT.search(head), ARRAY.search(head)
    sizes = [int(size) for size in SIZES.findall(array[0])] if array else []
    if count and len(sizes) == 1:
        return Shape(int(count[1]), sizes[0])
    if count and int(count[1]) == 1 and len(sizes) == 2:
        return Shape(min(sizes), max(sizes))
    values = _gifti(path)
    return Shape(values.shape[1], values.shape[0])


def _of_nifti(path: Path) -> Iterator[NDArray[Any]]:
    with open_image(path) as image:
        *space, volumes = image.shape
        step = max(1, SLAB_BYTES // (8 * int(np.prod(space))))
        for start in range(0, volumes, step):
            slab = np.asarray(image.dataobj[..., start : start + step])
            yield slab.reshape(-1, slab.shape[-1], order="F")


def _of_hdf5(path: Path, repeat: int | None) -> Iterator[NDArray[Any]]:
    with _open_hdf5(path) as file:
        stored = file["data"] if repeat is None else file["individual_repeats"]
        volumes, locations = stored.shape[-2:]
        step = max(1, SLAB_BYTES // (8 * locations))
        for start in range(0, volumes, step):
            rows = slice(start, start + step)
            slab = stored[rows] if repeat is None else stored[repeat, rows]
            yield np.asarray(slab).T


def _of_gifti(paths: Sequence[Path]) -> Iterator[NDArray[Any]]:
    """GIFTI files are only to be had whole, but not all of their values as float64 at once."""
    whole = [_gifti(path) for path in paths]
    step = max(1, SLAB_BYTES // (8 * sum(len(values) for values in whole)))
    for start in range(0, whole[0].shape[1], step):
        yield np.concatenate([values[:, start : start + step] for values in whole])


@contextmanager
def _open_hdf5(path: Path) -> Iterator[Any]:
    with _in_words(path), h5py.File(path) as file:
        if "data" not in file or getattr(file["data"], "ndim", 0) != 2:
            there = ", ".join(file) or "nothing"
            raise InputError(f"{path} has no array `data` of rows × voxels. It has {there}.")
        yield file


def _gifti(path: Path) -> NDArray[Any]:
    """Values [vertices, volumes]: an array a volume, as fMRIPrep writes, or one of all."""
    arrays = [array.data for array in _open_gifti(path).darrays]
    if len(arrays) == 1 and arrays[0].ndim == 2:
        values = arrays[0]
        # Vertices are many; whichever way round the array was written.
        return values if values.shape[0] >= values.shape[1] else values.T
    if not arrays or any(array.shape != arrays[0].shape or array.ndim != 1 for array in arrays):
        shapes = sorted({array.shape for array in arrays})
        raise InputError(f"{path} has arrays of the shapes {shapes}; one a volume is needed.")
    return np.stack(arrays, axis=1)


def _open_gifti(path: Path) -> Any:
    with _in_words(path):
        image: Any = nib.load(path)
    if not isinstance(image, nib.gifti.GiftiImage):
        raise InputError(f"{path} is no GIFTI file.")
    return image


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """What a library makes of a file that it did not expect, in one sentence."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # nibabel, h5py and NumPy raise what they like of a broken file
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} cannot be read ({said}). Is it complete?") from error


Whole = NDArray[np.int64]
Inside = dict[str, Whole]  # region → the places of its locations


def read_inside(dataset: Dataset, scans: Scans, participant: str, locations: int) -> Inside:
    """Region → the places of its locations in this participant's scans.

    `parcels` hold a whole number (or a name, in a GIFTI label file or a FreeSurfer annotation) for
    every location, `labels` says whose number it is; a `mask` is one region, everything but 0. With
    `{hemi}` in the name there is a file a hemisphere.
    """
    paths = region_files(scans, participant)
    read = [_parcels(path) for path in paths]
    values = np.concatenate([numbers for numbers, _ in read])
    where = " and ".join(str(path) for path in paths)
    if len(values) != locations:
        raise InputError(
            f"{where}: {len(values)} locations, but the scans of participant {participant} have "
            f"{locations}. Both must be in one space."
        )
    if scans.mask:
        if len(dataset.regions) != 1:
            raise InputError(
                f"{where}: a mask is one region, and `regions` names {len(dataset.regions)}."
            )
        inside = np.flatnonzero(np.isfinite(values) & (values != 0))
        return _filled({dataset.regions[0]: inside}, where)
    if scans.labels:
        numbers = region_numbers(dataset, Path(scans.labels))
        found = {name: np.flatnonzero(np.isin(values, own)) for name, own in numbers.items()}
        return _filled(found, where)
    # A name may have another number in the other hemisphere.
    by_name: dict[str, list[Whole]] = {}
    start = 0
    for of_file, names in read:
        if names is None:
            raise InputError(f"{where}: `scans.labels` is missing: whose are the numbers?")
        for number, name in names.items():
            by_name.setdefault(name, []).append(start + np.flatnonzero(of_file == number))
        start += len(of_file)
    theirs = match_regions(dataset.regions, by_name, where, dataset.region_prefix)
    return _filled({ours: np.concatenate(by_name[name]) for name, ours in theirs.items()}, where)


def _filled(inside: Inside, where: str) -> Inside:
    for region, own in inside.items():
        if not len(own):
            raise InputError(f"{where}: no location is in the region {region!r}.")
    return inside


def _parcels(path: Path) -> tuple[NDArray[Any], dict[int, str] | None]:
    """The number of every location, and the names of the numbers where the file has them."""
    if path.suffix == ".npy":
        with _in_words(path):
            return np.load(path, allow_pickle=False).ravel(), None
    if path.suffix == ".annot":
        with _in_words(path):
            numbers, _, names = nib.freesurfer.read_annot(path)
        return numbers, {k: name.decode() for k, name in enumerate(names)}
    if path.suffix == ".gii":
        image = _open_gifti(path)
        named = image.labeltable.get_labels_as_dict() if image.labeltable else {}
        if len(image.darrays) != 1:
            raise InputError(f"{path} has {len(image.darrays)} arrays; parcels are one.")
        return np.asarray(image.darrays[0].data).ravel(), named or None
    with open_image(path) as image:
        values = np.asarray(image.dataobj)
    if values.ndim < 3 or any(size > 1 for size in values.shape[3:]):
        raise InputError(f"{path} has the shape {values.shape}; regions are a 3-D image.")
    return values.ravel(order="F"), None


def check_space(scan: Scan, regions: Path) -> None:
    """Parcels of volumes must lie in the space of the scan, to a thousandth of a millimetre."""
    if not (regions.name.endswith(VOLUMES) and scan.paths[0].name.endswith(VOLUMES)):
        return
    with _in_words(scan.paths[0]):
        own: Any = nib.load(scan.paths[0])
    with _in_words(regions):
        other: Any = nib.load(regions)
    if own.shape[:3] != other.shape[:3] or not np.allclose(
        own.affine, other.affine, rtol=0, atol=1e-3
    ):
        raise InputError(
            f"{scan.name} and {regions} differ in shape ({own.shape[:3]} and {other.shape[:3]}) or "
            "affine: a voxel of one is not the same place in the other. Resample the parcels "
            "(nearest neighbour)."
        )


def regions(
    scan: Scan, inside: Mapping[str, Whole], repeat: int | None = None
) -> tuple[Floats, list[str]]:
    """The mean over each region's locations [volumes, regions], and what was left out of it.

    Locations that are not finite in some volume (the medial wall, outside the field of view) are
    left out. They mostly show in the first volumes; where one turns up later, the scan is gone
    through again. A region without any other location is NaN.
    """
    used = places(inside)
    member = _members(inside, used)
    bad = np.zeros(len(used), dtype=bool)
    while True:
        sums, late = [], False
        for place, slab in enumerate(slabs(scan, repeat)):
            values = slab[used].astype(np.float64)
            broken = ~np.isfinite(values).all(axis=1) & ~bad
            late |= bool(place and broken.any())
            bad |= broken
            sums.append((member @ np.where(bad[:, None], 0.0, values)).T)
        if not late:
            break
    counts = member @ (~bad).astype(np.float64)
    notes = []
    if bad.any():
        notes.append(
            f"{bad.sum()} of {len(bad)} locations in the regions hold NaN and are left out"
        )
    series = np.concatenate(sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        return series / np.where(counts > 0, counts, np.nan), notes


def places(inside: Mapping[str, Whole]) -> Whole:
    """The places that are in some region, ascending."""
    return np.unique(np.concatenate(list(inside.values())))


def _members(inside: Mapping[str, Whole], used: Whole) -> sparse.csr_array:
    """1 where a region [rows] has one of the `used` places [columns]."""
    columns = np.searchsorted(used, np.concatenate(list(inside.values())))
    rows = np.repeat(np.arange(len(inside)), [len(own) for own in inside.values()])
    return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(inside), len(used)))


def locations(scan: Scan, chosen: NDArray[np.int64]) -> NDArray[np.float32]:
    """The values [volumes, locations] of the `chosen` locations, one by one: for maps."""
    return np.concatenate([slab[chosen].T.astype(np.float32) for slab in slabs(scan)])
