"""NIfTI betas: regions and voxels come out as they were written, and damage is found."""

import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nilearn import image, masking

from geomod.base.errors import InputError
from geomod.brain import nifti as brain_nifti
from geomod.brain.inputs import beta_images, response_files
from geomod.brain.nifti import write_voxel_map
from geomod.brain.responses import read_responses, read_voxels

SHAPE = (5, 6, 4)
AFFINE = np.array([[-2, 0, 0, 10], [0, 2, 0, -20], [0, 0, 3, -5], [0, 0, 0, 1.0]])
COUNT = 24
STIMULI = pd.DataFrame(
    {"item_id": [f"s{i}" for i in range(COUNT)], "sentence": [f"Words {i}." for i in range(COUNT)]}
)
LABELS = "index\tregion\n1\tIFG\n2\tMFG\n1\tnetw\n2\tnetw\n3\tother\n"


def save(values: np.ndarray, path: Path, affine: np.ndarray = AFFINE, **header: Any) -> None:
    picture = nib.Nifti1Image(values, affine)
    for name, value in header.items():
        getattr(picture.header, name)(value)
    nib.save(picture, path)


@pytest.fixture
def world(tmp_path: Path) -> dict[str, Any]:
    """Three participants, three parcels and the background; the dataset section that tells so."""
    rng = np.random.default_rng(0)
    parcels = rng.integers(0, 4, SHAPE).astype(np.int16)
    save(parcels, tmp_path / "parcels.nii.gz")
    for name in ("1", "2", "10"):
        save(rng.normal(size=(*SHAPE, COUNT)).astype("f4"), tmp_path / f"sub-{name}.nii.gz")
    (tmp_path / "labels.tsv").write_text(LABELS)
    nifti = {
        "betas": str(tmp_path / "sub-{participant}.nii.gz"),
        "parcels": str(tmp_path / "parcels.nii.gz"),
        "labels": str(tmp_path / "labels.tsv"),
    }
    return {"nifti": nifti, "regions": ["IFG", "MFG", "netw"], "folder": tmp_path}


def betas(world: dict[str, Any], name: str = "1") -> np.ndarray:
    return np.asarray(nib.load(world["folder"] / f"sub-{name}.nii.gz").dataobj)


def change(world: dict[str, Any], values: np.ndarray, name: str = "1", **how: Any) -> None:
    save(values, world["folder"] / f"sub-{name}.nii.gz", **how)


def parcels(world: dict[str, Any]) -> np.ndarray:
    return np.asarray(nib.load(world["nifti"]["parcels"]).dataobj)


def response(table: pd.DataFrame, region: str, participant: str) -> np.ndarray:
    chosen = (table["region"] == region) & (table["participant"] == participant)
    return table.loc[chosen].set_index("item_id")["response"].loc[STIMULI["item_id"]].to_numpy()


def test_a_region_is_the_mean_of_its_voxels(world: dict[str, Any]) -> None:
    table, notes = read_responses(world, STIMULI)
    assert notes == []
    assert list(table["participant"].unique()) == ["average", "1", "2", "10"]
    for participant in ("1", "2", "10"):
        for region, indices in {"IFG": [1], "MFG": [2], "netw": [1, 2]}.items():
            inside = np.isin(parcels(world), indices)
            expected = betas(world, participant)[inside].mean(axis=0)
            np.testing.assert_allclose(response(table, region, participant), expected, atol=1e-6)
    together = np.mean([response(table, "netw", name) for name in ("1", "2", "10")], axis=0)
    np.testing.assert_allclose(response(table, "netw", "average"), together)


def test_slabs_of_any_size_give_the_same(world: dict[str, Any], monkeypatch: Any) -> None:
    whole = read_responses(world, STIMULI).table
    for volumes in (1, 5):
        monkeypatch.setattr(brain_nifti, "SLAB_BYTES", volumes * 8 * int(np.prod(SHAPE)))
        pd.testing.assert_frame_equal(read_responses(world, STIMULI).table, whole)


def test_int16_with_scaling(world: dict[str, Any]) -> None:
    scaled = nib.Nifti1Image(betas(world), AFFINE)
    scaled.set_data_dtype(np.int16)
    nib.save(scaled, world["folder"] / "sub-1.nii.gz")
    stored = nib.load(world["folder"] / "sub-1.nii.gz")
    assert stored.get_data_dtype() == np.int16
    assert stored.dataobj.slope != 1
    table = read_responses(world, STIMULI).table
    expected = stored.get_fdata()[parcels(world) == 1].mean(axis=0)
    np.testing.assert_allclose(response(table, "IFG", "1"), expected, atol=1e-6)


def test_a_mask_is_one_region(world: dict[str, Any]) -> None:
    inside = parcels(world) == 2
    save(np.where(inside, 0.7, np.nan).astype("f4"), world["folder"] / "mask.nii.gz")
    world["nifti"] = {
        "betas": world["nifti"]["betas"],
        "mask": str(world["folder"] / "mask.nii.gz"),
    }
    with pytest.raises(InputError, match=r"a mask is one region, and .* names 3"):
        read_responses(world, STIMULI)
    world["regions"] = ["MFG"]
    table = read_responses(world, STIMULI).table
    expected = betas(world)[inside].mean(axis=0)
    np.testing.assert_allclose(response(table, "MFG", "1"), expected, atol=1e-6)


def test_parcels_of_each_participant(world: dict[str, Any]) -> None:
    own = {name: np.roll(parcels(world), int(name), axis=0) for name in ("1", "2", "10")}
    for name, values in own.items():
        save(values, world["folder"] / f"rois-{name}.nii.gz")
    world["nifti"]["parcels"] = str(world["folder"] / "rois-{participant}.nii.gz")
    table = read_responses(world, STIMULI).table
    for name, values in own.items():
        expected = betas(world, name)[values == 1].mean(axis=0)
        np.testing.assert_allclose(response(table, "IFG", name), expected, atol=1e-6)


def test_participants_on_disk_in_natural_order_or_as_listed(world: dict[str, Any]) -> None:
    assert list(beta_images(world)) == ["1", "2", "10"]
    assert list(beta_images({**world, "participants": ["2", "1"]})) == ["2", "1"]
    folder = world["folder"] / "a[1]"
    for name in ("x", "y"):
        path = folder / f"sub-{name}" / f"sub-{name}_betas.nii"
        path.parent.mkdir(parents=True)
        save(betas(world), path)
    (folder / "sub-x" / "sub-y_betas.nii").touch()  # another's file in x's folder is not x's
    pattern = str(folder / "sub-{participant}" / "sub-{participant}_betas.nii")
    world["nifti"]["betas"] = pattern
    assert list(beta_images(world)) == ["x", "y"]
    assert set(read_responses(world, STIMULI).table["participant"]) == {"average", "x", "y"}


def test_voxels_without_information_are_left_out_and_counted(world: dict[str, Any]) -> None:
    values = betas(world)
    first, second, third = np.argwhere(parcels(world) == 1)[:3]
    values[tuple(first)] = 0
    values[tuple(second)] = 3.5
    values[(*third, 7)] = np.nan
    change(world, values)
    table, notes = read_responses(world, STIMULI)
    inside = (parcels(world) == 1) | (parcels(world) == 2)
    assert notes == [
        f"sub-1.nii.gz: of {inside.sum()} voxels in the regions, 1 hold NaN and 2 are constant; "
        "they are left out"
    ]
    good = np.argwhere(parcels(world) == 1)[3:]
    expected = values[tuple(good.T)].mean(axis=0)
    np.testing.assert_allclose(response(table, "IFG", "1"), expected, atol=1e-6)


@pytest.mark.parametrize("blank", [0.0, np.nan])
def test_an_empty_volume_is_a_missing_response(world: dict[str, Any], blank: float) -> None:
    values = betas(world)
    values[..., 4] = blank
    change(world, values)
    table, notes = read_responses(world, STIMULI)
    assert "1 of 24 sentences are 0 or NaN in every voxel and count as missing" in notes[0]
    assert "the first is number 5" in notes[0]
    assert "unbalanced" in notes[1]
    assert len(table.query("participant == '1' and region == 'IFG'")) == COUNT - 1
    others = [betas(world, name)[parcels(world) == 1][:, 4].mean() for name in ("2", "10")]
    assert response(table, "IFG", "average")[4] == pytest.approx(np.mean(others), abs=1e-6)


def test_a_region_that_one_participant_lacks(world: dict[str, Any]) -> None:
    values = betas(world)
    values[parcels(world) == 2] = 0
    change(world, values)
    table, notes = read_responses(world, STIMULI)
    assert "sub-1.nii.gz: region MFG has no usable voxel, and is left out" in notes
    assert set(table.query("region == 'MFG'")["participant"]) == {"average", "2", "10"}
    for name in ("2", "10"):
        change(world, values, name)
    with pytest.raises(InputError, match="region 'MFG' has no responses to learn from"):
        read_responses(world, STIMULI)


def test_other_numbers_of_volumes_than_sentences(world: dict[str, Any]) -> None:
    change(world, betas(world)[..., :-1])
    with pytest.raises(InputError, match=r"sub-1\.nii\.gz has 23 volumes for 24 sentences"):
        read_responses(world, STIMULI)


def test_another_space_than_the_parcels(world: dict[str, Any]) -> None:
    values = betas(world)
    moved = AFFINE.copy()
    moved[0, 3] += 2
    change(world, values, affine=moved)
    with pytest.raises(InputError, match=r"sub-1\.nii\.gz and .*parcels.* different affines"):
        read_responses(world, STIMULI)
    change(world, values[:-1])
    with pytest.raises(InputError, match=r"volumes of \(4, 6, 4\) voxels, .* has \(5, 6, 4\)"):
        read_responses(world, STIMULI)
    change(world, values[..., 0])
    with pytest.raises(InputError, match=r"has the shape \(5, 6, 4\); betas are 4-D"):
        read_responses(world, STIMULI)


def test_parcels_that_are_none(world: dict[str, Any]) -> None:
    path = Path(world["nifti"]["parcels"])
    values = parcels(world)
    save(np.where(values == 2, 0, values).astype("i2"), path)
    with pytest.raises(InputError, match="no voxel has the number 2, which the labels give to"):
        read_responses(world, STIMULI)
    save(values.astype("f4") + 0.25, path)
    with pytest.raises(InputError, match=r"no voxel has the number 1"):
        read_responses(world, STIMULI)
    save(values[..., None].repeat(2, axis=3), path)
    with pytest.raises(InputError, match=r"has the shape \(5, 6, 4, 2\); regions are a 3-D image"):
        read_responses(world, STIMULI)
    save(values[..., None], path)
    assert len(read_responses(world, STIMULI).table)


def test_labels_lack_a_region(world: dict[str, Any]) -> None:
    Path(world["nifti"]["labels"]).write_text("index\tregion\n1\tIFG\n2\tnetw\n")
    with pytest.raises(InputError, match=r"labels\.tsv has no region 'MFG'.*It has IFG, netw"):
        read_responses(world, STIMULI)


def test_labels_lack_a_number(world: dict[str, Any]) -> None:
    Path(world["nifti"]["labels"]).write_text(LABELS.replace("2\tMFG", "\tMFG"))
    with pytest.raises(InputError, match=r"labels\.tsv, row 3: index is empty"):
        read_responses(world, STIMULI)


def test_every_file_is_known_before_it_is_read(world: dict[str, Any]) -> None:
    folder = str(world["folder"])
    images = [f"{folder}/sub-{name}.nii.gz" for name in ("1", "2", "10")]
    shared = [f"{folder}/parcels.nii.gz", f"{folder}/labels.tsv"]
    assert response_files(world) == [*images, *shared]
    future = {**world, "participants": ["77"]}
    assert response_files(future) == [f"{folder}/sub-77.nii.gz", *shared]
    assert response_files({"responses": "r.csv"}) == ["r.csv"]
    assert response_files({"assembly": "a.nc"}) == ["a.nc"]


def test_no_betas(world: dict[str, Any]) -> None:
    world["nifti"]["betas"] = str(world["folder"] / "nobody-{participant}.nii.gz")
    with pytest.raises(InputError, match="no file is called like"):
        read_responses(world, STIMULI)
    world["nifti"]["betas"] = str(world["folder"] / "sub-1.nii.gz")
    with pytest.raises(InputError, match="in the place of the participant's name"):
        read_responses(world, STIMULI)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_gzip_is_never_read(world: dict[str, Any], share: float) -> None:
    path = world["folder"] / "sub-1.nii.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    try:
        with pytest.raises(InputError, match=r"sub-1\.nii\.gz cannot be read as an image"):
            read_responses(world, STIMULI)
    finally:
        path.write_bytes(whole)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.integers(20, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found(world: dict[str, Any], place: int, bit: int) -> None:
    """nibabel alone reads on over a wrong checksum when it stops at the last value."""
    path = world["folder"] / "sub-1.nii.gz"
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[place % (len(whole) - 20) + 20] ^= 1 << bit
    path.write_bytes(damaged)
    message, table = "", None
    try:
        table = read_responses(world, STIMULI).table
    except InputError as error:
        message = str(error)
    path.write_bytes(whole)
    if table is not None:  # some bits of the code tables are never used
        pd.testing.assert_frame_equal(table, read_responses(world, STIMULI).table)
    else:
        assert str(path) in message


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=st.lists(st.tuples(st.integers(0, 351), st.integers(0, 255)), min_size=1, max_size=3))
def test_a_header_of_any_bytes_is_an_image_or_an_error(
    world: dict[str, Any], edits: list[tuple[int, int]]
) -> None:
    header = bytearray(gzip.decompress((world["folder"] / "sub-1.nii.gz").read_bytes()))
    for place, value in edits:
        header[place] = value
    path = world["folder"] / "sub-x.nii"
    path.write_bytes(header)
    world = {
        **world,
        "nifti": {**world["nifti"], "betas": str(path).replace("-x", "-{participant}")},
    }
    message = ""
    try:
        found = read_responses(world, STIMULI).table
        assert np.isfinite(found["response"]).all()
    except InputError as error:
        message = str(error)
        assert str(path) in message or "sub-x.nii" in message
    path.unlink()


def test_memory_is_a_slab_and_the_region_not_the_image(
    world: dict[str, Any], monkeypatch: Any
) -> None:
    shape = (40, 40, 40)
    inside = np.zeros(shape, dtype=np.int16)
    inside[:4, :4, :4] = 1
    inside[4:8, :4, :4] = 2
    save(inside, Path(world["nifti"]["parcels"]))
    values = np.random.default_rng(0).integers(-99, 99, (*shape, COUNT)).astype(np.int16)
    change(world, values)
    monkeypatch.setattr(brain_nifti, "SLAB_BYTES", 2**20)
    tracemalloc.start()
    read_responses({**world, "participants": ["1"]}, STIMULI)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert values.nbytes > 3e6
    assert (
        peak < 3e6
    )  # two slabs of 1 MB, the parcels and the region; the image as float64 is 12 MB


def test_voxel_maps_go_back_to_where_they_came_from(world: dict[str, Any]) -> None:
    voxels = read_voxels(world, STIMULI, "2")
    scores = np.stack([voxels.matrix[3], voxels.matrix[5]])
    path = world["folder"] / "maps" / "sub-2.nii.gz"
    space = Path(world["nifti"]["parcels"])
    write_voxel_map(scores, voxels.positions, space, path)
    found = nib.load(path)
    assert found.shape == (*SHAPE, 2)
    np.testing.assert_array_equal(found.affine, AFFINE)
    inside = np.isin(parcels(world), [1, 2])
    np.testing.assert_array_equal(
        found.get_fdata()[inside], betas(world, "2")[inside][:, [3, 5]].astype(float)
    )
    assert np.isnan(found.get_fdata()[~inside]).all()

    mask = image.new_img_like(nib.load(space), inside.astype(np.int8))
    by_nilearn = masking.apply_mask(image.index_img(found, 0), mask)
    expected = masking.apply_mask(
        image.index_img(nib.load(world["folder"] / "sub-2.nii.gz"), 3), mask
    )
    np.testing.assert_allclose(by_nilearn, expected, rtol=1e-6)

    write_voxel_map(scores[0], voxels.positions, space, path)
    assert nib.load(path).shape == SHAPE
    assert not list(path.parent.glob(".*"))
