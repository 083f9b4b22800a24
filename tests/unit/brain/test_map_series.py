"""What voxel maps of one participant say of training, on maps that were planted."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from geomod.base.tables import read_table, write_table
from geomod.brain import map_series
from geomod.brain.map_series import changes, selectivities, series
from geomod.brain.moran import moran, neighbours
from geomod.brain.nifti import read_voxel_maps, write_voxel_map

SHAPE = (12, 12, 1)
WEIGHTS = neighbours(np.arange(144), SHAPE)


def smooth(seed):
    noise = np.random.default_rng(seed).normal(size=SHAPE[:2])
    values = gaussian_filter(noise, 1.0).ravel(order="F")
    return (values - values.mean()) / values.std()


@pytest.fixture(scope="module")
def scores():
    """Layer 1 keeps its untrained map, layer 2 comes to have another one."""
    old, other, new = smooth(0), smooth(1), smooth(2)
    return {(0, 1): old, (0, 2): other, (64, 1): old + 0.2 * other, (64, 2): new}


@pytest.fixture(scope="module")
def table(scores):
    found = series(scores, WEIGHTS, draws=199)
    return found.set_index(["map", "step", "layer"]).sort_index()


def test_every_map_has_its_own_i_and_what_it_gained(scores, table):
    for kind, maps in (
        ("score", scores),
        ("change", changes(scores)),
        ("selectivity", selectivities(scores)),
    ):
        assert set(table.loc[kind].index) == set(maps)
        for key, values in maps.items():
            assert table.loc[(kind, *key)]["i"] == moran(values, WEIGHTS)
    gain = moran(scores[64, 2], WEIGHTS) - moran(scores[0, 2], WEIGHTS)
    assert table.loc["score", 64, 2]["i_gain"] == pytest.approx(gain)
    assert table.loc["score", 0, 2]["i_gain"] == 0
    assert table.loc["change"]["i_gain"].isna().all()
    assert table["i_expected"].eq(-1 / 143).all()


def test_a_map_that_was_there_before_training_is_told_from_one_that_was_not(table):
    kept, new = table.loc["score", 64, 1], table.loc["score", 64, 2]
    assert kept["r_untrained"] > 0.9
    assert kept["p_untrained"] == pytest.approx(1 / 200)
    assert new["p_untrained"] > 0.05
    assert table.loc["score", 0][["r_untrained", "p_untrained"]].isna().all(axis=None)


def test_change_and_selectivity_by_hand(scores):
    np.testing.assert_array_equal(changes(scores)[64, 2], scores[64, 2] - scores[0, 2])
    apart = (scores[64, 1] - scores[64, 2]) / 2
    np.testing.assert_allclose(selectivities(scores)[64, 1], apart)
    np.testing.assert_allclose(selectivities(scores)[64, 2], -apart)
    one = {key: values for key, values in scores.items() if key[1] == 1 and key[0] != 0}
    assert changes(one) == selectivities(one) == {}


def test_a_diverged_map_and_a_large_mask_have_no_p(scores, monkeypatch):
    broken = {**scores, (64, 1): np.full(144, np.nan)}
    found = series(broken, WEIGHTS, draws=9).set_index(["map", "step", "layer"])
    assert found.loc["score", 64, 1][["i", "r_untrained", "p_untrained"]].isna().all()
    assert found.loc["score", 64, 1]["n"] == 0
    assert np.isfinite(found.loc["score", 64, 2]["p_untrained"])
    monkeypatch.setattr(map_series, "LARGEST", 143)
    large = series(scores, WEIGHTS).query("map == 'score' and step == 64")
    assert large["r_untrained"].notna().all()
    assert large["p_untrained"].isna().all()


def test_maps_come_back_from_their_images_and_the_table_can_be_written(scores, tmp_path):
    import nibabel as nib

    nib.save(nib.Nifti1Image(np.zeros((12, 13, 2)), np.eye(4)), tmp_path / "space.nii")
    positions = np.random.default_rng(0).permutation(312)[:144]
    positions.sort()
    paths = []
    for number, values in enumerate([*scores.values(), np.full(144, np.nan)]):
        paths.append(tmp_path / f"{number}.nii.gz")
        write_voxel_map(values, positions, tmp_path / "space.nii", paths[-1])
    maps, places, shape = read_voxel_maps(paths)
    np.testing.assert_array_equal(places, positions)
    assert shape == (12, 13, 2)
    np.testing.assert_allclose(maps[:4], list(scores.values()), atol=1e-6)
    assert np.isnan(maps[4]).all()
    found = series(dict(zip(scores, maps, strict=False)), neighbours(places, shape), draws=9)
    names = {"dataset": "d", "model": "m", "participant": "01"}
    write_table(found.assign(**names), tmp_path / "moran.parquet", "moran")
    assert len(read_table(tmp_path / "moran.parquet")) == 4 + 2 + 4
