"""Responses in netCDF assemblies as Brain-Score publishes them.

An assembly is an array presentation × neuroid (a voxel, an electrode or a region of one person)
with coordinates along both: what was read, and who and where was measured. People who did not
read a sentence have NaN there.
"""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from geomod.base.errors import InputError
from geomod.base.extras import extra
from geomod.base.sheets import listed
from geomod.brain.dataset import Dataset
from geomod.brain.regions import match_regions
from geomod.brain.voxels import Voxels, informative

with extra("imaging"):
    import xarray as xr

PUBLISHED_SHA1 = {
    "assy_Tuckute2024_language.nc": "5c8fc7f3e24cc1af5f5296459377b638b6492641",
    "assy_Pereira2018_language.nc": "f8434b4022f5b2c862f0ff2854d5b3f5f2a7fb96",
    "assy_Blank2014_fROI.nc": "af1e868821b897cb1684e4c8dcd33977121ef552",
    "assy_Fedorenko2016_language.nc": "2966b6d78e972a72068aa6907377483f427e8d9a",
}
# What the published assemblies call the same things; dataset.columns can say otherwise.
COORDINATES = {
    "item_id": ("item_id", "stimulus_id"),
    "sentence": ("sentence", "stimulus", "stimuli"),
    "group": ("group", "passage_label", "story", "sentence_id"),
    "participant": ("participant", "subject", "subject_id", "subject_UID"),
}


def read_assembly(dataset: Dataset, stimuli: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The mean response of each region's neuroids, for every participant and sentence.

    Regions are the values of the coordinate that `columns` gives for `region`. Where it gives none,
    the assembly is one region.
    """
    assembly, path = open_assembly(dataset), Path(dataset.assembly)
    owners = _coordinate(assembly, path, dataset, "participant", "neuroid")
    regions = _regions(assembly, path, dataset)
    tables, notes = [], []
    for participant in _participants(owners, path, dataset):
        if not dataset.participants and _read_nothing(assembly, owners == participant):
            notes.append(f"{path.name}, participant {participant}: read none of the sentences")
            continue
        voxels = _of_participant(assembly, owners == participant, participant, path)
        notes += voxels.notes
        items = _items(assembly, path, dataset, stimuli)[voxels.rows]
        for region in dataset.regions:
            chosen = regions[voxels.positions] == region
            if chosen.any():
                names = {"item_id": items, "region": region, "participant": participant}
                tables.append(voxels.mean(chosen, **names))
    if not tables:
        raise InputError(f"{path}: no participant has a neuroid in {listed(dataset.regions)}.")
    return pd.concat(tables, ignore_index=True), notes


def read_assembly_voxels(dataset: Dataset, stimuli: pd.DataFrame, participant: str) -> Voxels:
    """One participant's responses in every neuroid of the regions; `positions` count neuroids."""
    assembly, path = open_assembly(dataset), Path(dataset.assembly)
    owners = _coordinate(assembly, path, dataset, "participant", "neuroid")
    chosen = (owners == participant) & np.isin(_regions(assembly, path, dataset), dataset.regions)
    if not chosen.any():
        raise InputError(f"{path}: participant {participant!r} has no neuroid in the regions.")
    voxels = _of_participant(assembly, chosen, participant, path)
    items = _items(assembly, path, dataset, stimuli)[voxels.rows]
    return voxels._replace(rows=pd.Index(stimuli["item_id"]).get_indexer(pd.Index(items)))


def assembly_sentences(dataset: Dataset) -> pd.DataFrame:
    """What was read, from the assembly itself: item_id, sentence, group ("" where it has none)."""
    assembly, path = open_assembly(dataset), Path(dataset.assembly)
    present = ["item_id", "sentence", *["group"] * bool(_find(assembly, dataset, "group"))]
    columns = {name: _coordinate(assembly, path, dataset, name, "presentation") for name in present}
    numbers = pd.RangeIndex(1, assembly.sizes["presentation"] + 1, name="presentation")
    return pd.DataFrame({"group": "", **columns}, index=numbers)


def assembly_column(dataset: Dataset, column: str) -> pd.DataFrame:
    """item_id, and any coordinate of the presentations by our name for it or by its own."""
    assembly, path = open_assembly(dataset), Path(dataset.assembly)
    names = {"item_id": _coordinate(assembly, path, dataset, "item_id", "presentation")}
    names[column] = _coordinate(
        assembly, path, _by_own_name(dataset, column), column, "presentation"
    )
    numbers = pd.RangeIndex(1, assembly.sizes["presentation"] + 1, name="presentation")
    return pd.DataFrame(names, index=numbers)


def _by_own_name(dataset: Dataset, column: str) -> Dataset:
    """The dataset with a coordinate that has no other name."""
    known = column in dataset.columns or column in COORDINATES
    return dataset if known else replace(dataset, columns={**dataset.columns, column: column})


def open_assembly(dataset: Dataset) -> xr.DataArray:
    """The assembly, presentation × neuroid, with the rows and columns that `where` keeps.

    A file that goes by the name of a published assembly must be that assembly, byte for byte.
    """
    path = Path(dataset.assembly)
    _verify(path)
    assembly = _chosen(_stored(path), path, dataset)
    return _joined(assembly, path, dataset) if dataset.join else assembly


class Glance(NamedTuple):
    """What the coordinates of an assembly say, its responses unread."""

    participants: list[str]
    sentences: list[str]  # their identifiers, once each
    groups: list[str] | None  # of each sentence; None where the assembly has none
    coordinates: list[str]
    splits: list[str] | None  # of each presentation, where they are asked for


def glance(dataset: Dataset, splits: str | None = None) -> Glance:
    """What the coordinates say; an error where they lack what the config asks of them. `splits` is
    a coordinate that gives folds."""
    path = Path(dataset.assembly)
    assembly = _chosen(_stored(path, values=False), path, dataset)
    _regions(assembly, path, dataset)
    _coordinate(assembly, path, dataset, "sentence", "presentation")
    joined = {"item_id": dataset.join} if dataset.join else {}
    named = replace(dataset, columns={**dataset.columns, **joined})
    items = _coordinate(assembly, path, named, "item_id", "presentation")
    first = ~pd.Index(items).duplicated()
    groups = None
    if _find(assembly, dataset, "group"):
        groups = list(_coordinate(assembly, path, dataset, "group", "presentation")[first])
    owners = _coordinate(assembly, path, dataset, "participant", "neuroid")
    of_folds = splits and _coordinate(
        assembly, path, _by_own_name(dataset, splits), splits, "presentation"
    )
    return Glance(
        participants=list(dict.fromkeys(owners)),
        sentences=list(items[first]),
        groups=groups,
        coordinates=list(map(str, assembly.coords)),
        splits=None if of_folds is None else list(of_folds),
    )


def _stored(path: Path, values: bool = True) -> xr.DataArray:
    """The array in a file; without its `values` it is 0 throughout, and only the coordinates are
    read."""
    try:
        with xr.open_dataarray(path, engine="h5netcdf") as stored:
            if not values:
                nothing = np.broadcast_to(np.False_, stored.shape)
                stored = xr.DataArray(nothing, coords=stored.coords, dims=stored.dims)
            return stored.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:  # as HDF5 finds the damage
        raise InputError(f"{path} cannot be read as a netCDF assembly ({error}).") from error


def _chosen(assembly: xr.DataArray, path: Path, dataset: Dataset) -> xr.DataArray:
    """The assembly, presentation × neuroid, with the rows and columns that `where` keeps."""
    if not {"presentation", "neuroid"} <= set(assembly.dims):
        raise InputError(
            f"{path} has the dimensions {listed(assembly.dims)}; an assembly has presentation and "
            "neuroid."
        )
    further = {
        dim: size for dim, size in assembly.sizes.items() if dim not in ("presentation", "neuroid")
    }
    if any(size > 1 for size in further.values()):
        raise InputError(f"{path} has one response per {listed(further)}; average them before.")
    assembly = assembly.squeeze(list(further), drop=True).transpose("presentation", "neuroid")
    for name, wanted in dataset.where.items():
        if name not in assembly.coords or len(assembly[name].dims) != 1:
            raise InputError(
                f"{path} has no coordinate {name!r}. It has {listed(assembly.coords)}."
            )
        values = [str(value) for value in (wanted if isinstance(wanted, list) else [wanted])]
        found = assembly[name].to_numpy().astype(str)
        keep = np.isin(found, values)
        if not keep.any():
            there = listed(dict.fromkeys(found))
            raise InputError(f"{path}: no {name} is {listed(values)}. It has {there}.")
        assembly = assembly.isel({assembly[name].dims[0]: keep})
    return assembly


def _joined(assembly: xr.DataArray, path: Path, dataset: Dataset) -> xr.DataArray:
    """Presentations with one value of the coordinate `join` made one, as words into a sentence.

    Their texts are joined by spaces and their responses averaged; the value is the new item_id.
    """
    dataset = replace(dataset, columns={**dataset.columns, "join": dataset.join})
    of = _coordinate(assembly, path, dataset, "join", "presentation")
    texts = _coordinate(assembly, path, dataset, "sentence", "presentation")
    codes, names = pd.factorize(of)
    members = [np.flatnonzero(codes == code) for code in range(len(names))]
    joined = assembly.isel(presentation=[rows[0] for rows in members])
    values = assembly.to_numpy()
    joined = joined.copy(data=np.stack([values[rows].mean(axis=0) for rows in members]))
    return joined.assign_coords(
        {
            _find(assembly, dataset, "item_id") or "item_id": ("presentation", names),
            _find(assembly, dataset, "sentence"): (
                "presentation",
                [" ".join(text.strip() for text in texts[rows]) for rows in members],
            ),
        }
    )


def _verify(path: Path) -> None:
    expected = PUBLISHED_SHA1.get(path.name)
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha1").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    if expected and found != expected:
        raise InputError(
            f"{path} has the SHA-1 {found}, and the published file has {expected}. Download it "
            "again, or give the file another name if it is meant to differ."
        )


def _find(assembly: xr.DataArray, dataset: Dataset, name: str) -> str | None:
    """What the assembly calls `name`."""
    columns = dataset.columns
    known = [columns[name]] if name in columns else COORDINATES.get(name, ())
    return next((coordinate for coordinate in known if coordinate in assembly.coords), None)


def _coordinate(
    assembly: xr.DataArray, path: Path, dataset: Dataset, name: str, dim: str
) -> np.ndarray:
    """The values of a coordinate as text."""
    found = _find(assembly, dataset, name)
    if found is None or assembly[found].dims != (dim,):
        raise InputError(
            f"{path} has no coordinate for {name} along {dim}. It has {listed(assembly.coords)}. "
            f"Say which it is in dataset.columns: {{{name}: <its name>}}."
        )
    return assembly[found].to_numpy().astype(str).astype(object)


def _items(
    assembly: xr.DataArray, path: Path, dataset: Dataset, stimuli: pd.DataFrame
) -> np.ndarray:
    items = _coordinate(assembly, path, dataset, "item_id", "presentation")
    repeated = pd.Index(items).duplicated()
    if repeated.any():
        raise InputError(
            f"{path}: item_id {items[repeated][0]!r} occurs more than once. Average repetitions "
            "before."
        )
    unknown = ~pd.Index(items).isin(stimuli["item_id"])
    if unknown.any():
        raise InputError(f"{path}: item_id {items[unknown][0]!r} is not among the sentences.")
    return items


def _regions(assembly: xr.DataArray, path: Path, dataset: Dataset) -> np.ndarray:
    """The config's name of each neuroid's region, "" where it is not asked for."""
    wanted = list(dataset.regions)
    if "region" not in dataset.columns:
        if len(wanted) != 1:
            raise InputError(
                f"{path}: say which coordinate names the regions in dataset.columns: "
                f"{{region: <its name>}}. It has {listed(assembly.coords)}."
            )
        return np.full(assembly.sizes["neuroid"], wanted[0], dtype=object)
    theirs = _coordinate(assembly, path, dataset, "region", "neuroid")
    names = match_regions(wanted, theirs, path, dataset.region_prefix)
    return np.array([names.get(name, "") for name in theirs], dtype=object)


def _participants(owners: np.ndarray, path: Path, dataset: Dataset) -> list[str]:
    found = list(dict.fromkeys(owners))
    wanted = list(dataset.participants) or found
    lacking = [name for name in wanted if name not in found]
    if lacking:
        raise InputError(f"{path} has no participant {lacking[0]!r}. It has {listed(found)}.")
    return wanted


def _read_nothing(assembly: xr.DataArray, chosen: np.ndarray) -> bool:
    """Whether a person has no response: to another experiment, which `where` left out."""
    values = assembly.to_numpy()[:, chosen]
    return not (np.isfinite(values) & (values != 0)).any()


def _of_participant(
    assembly: xr.DataArray, chosen: np.ndarray, participant: str, path: Path
) -> Voxels:
    positions = np.flatnonzero(chosen)
    values = assembly.to_numpy()[:, positions].astype(np.float32)
    return informative(values, positions, f"{path.name}, participant {participant}")
