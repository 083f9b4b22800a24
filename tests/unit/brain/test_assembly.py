"""Assemblies with the coordinates that Brain-Score's have, written as its tools write them."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.brain import assembly as brain_netcdf
from geomod.brain.dataset import Dataset
from geomod.brain.responses import read_responses, read_voxels, response_blocks
from geomod.brain.stimuli import read_stimuli
from geomod.ridge.folds import outer_folds


def store(path: Path, values: np.ndarray, coords: dict[str, Any], dims: tuple[str, ...]) -> None:
    """One compressed variable called data, its coordinates beside it, without indexes."""
    dataset = xr.DataArray(values, dims=dims, coords=coords).to_dataset(name="data")
    numeric = [name for name in dataset.variables if dataset[name].dtype.kind != "U"]
    encoding = {name: {"zlib": True, "complevel": 1} for name in numeric}
    dataset.to_netcdf(path, engine="h5netcdf", encoding=encoding)


def told(values: dict[str, Any]) -> Dataset:
    """The dataset, without what else the tests know of it."""
    return Dataset.of({name: values[name] for name in values if name not in ("values", "subject")})


@pytest.fixture
def pereira(tmp_path: Path) -> dict[str, Any]:
    """Two experiments in passages of 4 sentences; three people, of whom one read only the first."""
    rng = np.random.default_rng(0)
    experiment = np.repeat(["243sentences", "384sentences"], [24, 28])
    passage = np.arange(52) // 4
    subject = np.repeat(["018", "199", "215"], [5, 7, 6])
    values = rng.normal(size=(52, 18))
    values[np.ix_(experiment == "384sentences", subject == "199")] = np.nan
    coords = {
        "stimulus_id": ("presentation", [f"{e}.{i}" for i, e in enumerate(experiment)]),
        "stimulus": ("presentation", [f"This is sentence {i}." for i in range(52)]),
        "experiment": ("presentation", experiment),
        "passage_index": ("presentation", passage + 1),
        "passage_label": ("presentation", [f"passage_{p}" for p in passage]),
        "neuroid_id": ("neuroid", [f"{s}.{i}" for i, s in enumerate(subject)]),
        "subject": ("neuroid", subject),
        "voxel_num": ("neuroid", np.arange(18)),
        "roi": ("neuroid", np.tile(["LH_IFG", "LH_MFG"], 9)),
        "atlas": "language",
    }
    path = tmp_path / "pereira.nc"
    store(path, values, coords, ("presentation", "neuroid"))
    return {"assembly": str(path), "regions": ["language"], "values": values, "subject": subject}


def test_sentences_and_passages_come_from_the_assembly(pereira: dict[str, Any]) -> None:
    stimuli = read_stimuli(told(pereira))
    assert len(stimuli) == 52
    assert stimuli.loc[5, ["item_id", "sentence", "group", "position"]].to_list() == [
        "243sentences.5",
        "This is sentence 5.",
        "passage_1",
        1,
    ]


def test_a_region_is_the_mean_of_a_persons_voxels(pereira: dict[str, Any]) -> None:
    stimuli = read_stimuli(told(pereira))
    table, notes = read_responses(told(pereira), stimuli)
    blocks = response_blocks(table, stimuli)
    assert [list(block.targets["participant"]) for block in blocks] == [
        ["average", "018", "215"],
        ["199"],
    ]
    values, subject = pereira["values"], pereira["subject"]
    own = {name: values[:, subject == name].mean(axis=1) for name in ("018", "199", "215")}
    average = np.nanmean(list(own.values()), axis=0)
    expected = np.stack([average, own["018"], own["215"]], axis=1)
    np.testing.assert_allclose(blocks[0].matrix, expected, atol=1e-6)
    np.testing.assert_array_equal(blocks[1].rows, np.arange(24))
    assert any("participant 199: 28 of 52 sentences are 0 or NaN" in note for note in notes)
    assert any("unbalanced" in note and "199 in language 28" in note for note in notes)


def test_regions_by_a_coordinate(pereira: dict[str, Any]) -> None:
    stimuli = read_stimuli(told(pereira))
    by_roi = {**pereira, "regions": ["MFG"], "columns": {"region": "roi"}}
    table = read_responses(told(by_roi), stimuli).table
    own = pereira["values"][:, (pereira["subject"] == "018") & (np.arange(18) % 2 == 1)]
    found = table.query("participant == '018'")["response"]
    np.testing.assert_allclose(found, own.mean(axis=1), atol=1e-6)
    with pytest.raises(InputError, match=r"no region 'AntTemp'.*It has LH_IFG, LH_MFG"):
        read_responses(told({**by_roi, "regions": ["AntTemp"]}), stimuli)
    with pytest.raises(InputError, match="which coordinate names the regions"):
        read_responses(told({**pereira, "regions": ["IFG", "MFG"]}), stimuli)


def test_one_experiment_of_two(pereira: dict[str, Any]) -> None:
    one = {**pereira, "where": {"experiment": "243sentences"}}
    stimuli = read_stimuli(told(one))
    (block,) = response_blocks(read_responses(told(one), stimuli).table, stimuli)
    assert block.matrix.shape == (24, 4)
    with pytest.raises(InputError, match="no experiment is 111"):
        read_stimuli(told({**pereira, "where": {"experiment": "111"}}))
    with pytest.raises(InputError, match="no coordinate 'kind'"):
        read_stimuli(told({**pereira, "where": {"kind": "111"}}))


def test_who_read_none_of_an_experiment_is_left_out_of_it_and_counted(
    pereira: dict[str, Any],
) -> None:
    other = {**pereira, "where": {"experiment": "384sentences"}}
    stimuli = read_stimuli(told(other))
    table, notes = read_responses(told(other), stimuli)
    assert set(table["participant"]) == {"average", "018", "215"}
    assert "pereira.nc, participant 199: read none of the sentences" in notes
    with pytest.raises(InputError, match="participant 199: every voxel"):
        read_responses(told({**other, "participants": ["199"]}), stimuli)


def test_folds_can_keep_passages_together(pereira: dict[str, Any]) -> None:
    stimuli = read_stimuli(told(pereira))
    (block, _) = response_blocks(read_responses(told(pereira), stimuli).table, stimuli)
    groups = stimuli["group"].to_numpy()[block.rows]
    for train, test in outer_folds(len(block.rows), 5, 0, scheme="grouped", groups=groups):
        assert not set(groups[train]) & set(groups[test])


def test_voxels_of_one_person(pereira: dict[str, Any]) -> None:
    stimuli = read_stimuli(told(pereira))
    voxels = read_voxels(told(pereira), stimuli, "199")
    np.testing.assert_array_equal(voxels.positions, np.flatnonzero(pereira["subject"] == "199"))
    np.testing.assert_array_equal(voxels.rows, np.arange(24))
    expected = pereira["values"][np.ix_(voxels.rows, voxels.positions)]
    np.testing.assert_allclose(voxels.matrix, expected, rtol=1e-6)
    with pytest.raises(InputError, match="participant '7' has no neuroid"):
        read_voxels(told(pereira), stimuli, "7")


def test_tuckute_is_one_neuroid(tmp_path: Path) -> None:
    response = np.random.default_rng(0).normal(size=(30, 1))
    coords = {
        "stimulus_id": ("presentation", [f"B.{i}" for i in range(30)]),
        "stimulus": ("presentation", [f"Six words are in sentence {i}." for i in range(30)]),
        "cond": ("presentation", ["B"] * 30),
        "neuroid_id": ("neuroid", [1]),
        "subject_UID": ("neuroid", ["848-853-865-875-876"]),
        "roi": ("neuroid", ["lang_LH_netw"]),
    }
    store(tmp_path / "t.nc", response, coords, ("presentation", "neuroid"))
    dataset = {
        "assembly": str(tmp_path / "t.nc"),
        "regions": ["netw"],
        "columns": {"region": "roi"},
    }
    stimuli = read_stimuli(told(dataset))
    table = read_responses(told(dataset), stimuli).table
    average = table.query("participant == 'average' and region == 'netw'")["response"]
    np.testing.assert_allclose(average, response[:, 0], rtol=1e-6)


def test_blank_is_fragments_of_stories_by_region_and_person(tmp_path: Path) -> None:
    """Dimensions the other way round, and a singleton third one, as some assemblies have."""
    rng = np.random.default_rng(0)
    areas = np.repeat(["01_LH_PostTemp", "03_LH_IFG"], 2)
    coords = {
        "stimulus_id": ("presentation", [f"Boar.{i}.0" for i in range(24)]),
        "stimulus": ("presentation", [f"fragment number {i} " for i in range(24)]),
        "story": ("presentation", np.repeat(["Boar", "Aqua"], 12)),
        "fROI_area": ("neuroid", areas),
        "subject_id": ("neuroid", np.tile(["061", "085"], 2)),
    }
    values = rng.normal(size=(4, 24, 1))
    store(tmp_path / "b.nc", values, coords, ("neuroid", "presentation", "time"))
    dataset = {
        "assembly": str(tmp_path / "b.nc"),
        "regions": ["03_LH_IFG", "01_LH_PostTemp"],
        "columns": {"region": "fROI_area"},
    }
    stimuli = read_stimuli(told(dataset))
    assert stimuli.loc[0, "sentence"] == "fragment number 0 "
    assert list(stimuli["group"].unique()) == ["Boar", "Aqua"]
    (block,) = response_blocks(read_responses(told(dataset), stimuli).table, stimuli)
    assert list(block.targets["region"]) == ["03_LH_IFG"] * 3 + ["01_LH_PostTemp"] * 3
    np.testing.assert_allclose(block.matrix[:, 1], values[2, :, 0], rtol=1e-6)


def test_a_published_name_needs_the_published_bytes(
    pereira: dict[str, Any], monkeypatch: Any
) -> None:
    path = Path(pereira["assembly"])
    named = path.rename(path.with_name("assy_Pereira2018_language.nc"))
    pereira["assembly"] = str(named)
    with pytest.raises(InputError, match="the published file has f8434b4022f5b2c8"):
        read_stimuli(told(pereira))
    sha1 = hashlib.sha1(named.read_bytes()).hexdigest()
    monkeypatch.setitem(brain_netcdf.PUBLISHED_SHA1, named.name, sha1)
    assert len(read_stimuli(told(pereira))) == 52


def test_what_is_no_assembly(tmp_path: Path, pereira: dict[str, Any]) -> None:
    whole = Path(pereira["assembly"]).read_bytes()
    for raw in (b"", b"text", whole[:100], whole[: len(whole) // 2]):
        (tmp_path / "x.nc").write_bytes(raw)
        with pytest.raises(InputError, match=r"x\.nc cannot be read as a netCDF assembly"):
            read_stimuli(told({**pereira, "assembly": str(tmp_path / "x.nc")}))
    with pytest.raises(InputError, match=r"nowhere\.nc cannot be read: No such file"):
        read_stimuli(told({**pereira, "assembly": str(tmp_path / "nowhere.nc")}))
    xr.DataArray(np.zeros((3, 4)), dims=("x", "y"), name="data").to_netcdf(
        tmp_path / "x.nc", engine="h5netcdf"
    )
    with pytest.raises(InputError, match="has the dimensions x, y"):
        read_stimuli(told({**pereira, "assembly": str(tmp_path / "x.nc")}))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of h5netcdf
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    share=st.floats(0, 1),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=3),
)
def test_damage_is_an_error_that_names_the_file(
    pereira: dict[str, Any], share: float, edits: list[tuple[float, int]]
) -> None:
    raw = bytearray(Path(pereira["assembly"]).read_bytes())
    for place, value in edits:
        raw[int(place * (len(raw) - 1))] = value
    path = Path(pereira["assembly"]).with_name("damaged.nc")
    path.write_bytes(raw[: int(share * len(raw))])
    damaged = {**pereira, "assembly": str(path)}
    message, table = "", None
    try:
        table = read_responses(told(damaged), read_stimuli(told(damaged))).table
    except InputError as error:
        message = str(error)
    assert table is not None or "damaged.nc" in message
    assert table is None or share == 1


def test_a_coordinate_that_is_not_there(pereira: dict[str, Any]) -> None:
    stimuli = read_stimuli(told(pereira))
    with pytest.raises(InputError, match="no coordinate for participant along neuroid"):
        read_responses(told({**pereira, "columns": {"participant": "UID"}}), stimuli)
    with pytest.raises(InputError, match=r"no participant '7'\. It has 018, 199, 215"):
        read_responses(told({**pereira, "participants": ["7"]}), stimuli)


def test_an_item_twice(pereira: dict[str, Any]) -> None:
    twice = {**pereira, "columns": {"item_id": "passage_index"}}
    with pytest.raises(InputError, match="presentation 2: item_id '1' is in presentation 1"):
        read_stimuli(told(twice))
    with pytest.raises(InputError, match="item_id '1' occurs more than once"):
        read_responses(told(twice), read_stimuli(told(pereira)))


def test_words_can_be_joined_to_sentences(tmp_path: Path) -> None:
    """As in Fedorenko 2016: a presentation is a word, eight make a sentence."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(20 * 8, 5))
    coords = {
        "stimulus_id": ("presentation", np.arange(160)),
        "stimulus": ("presentation", [f"word{i} " for i in range(160)]),
        "word_num": ("presentation", np.arange(160) % 8),
        "sentence_id": ("presentation", np.arange(160) // 8),
        "electrode": ("neuroid", np.arange(5)),
        "subject_UID": ("neuroid", [1, 1, 1, 2, 2]),
    }
    store(tmp_path / "f.nc", values, coords, ("presentation", "neuroid"))
    dataset = {"assembly": str(tmp_path / "f.nc"), "regions": ["language"]}
    assert len(read_stimuli(told(dataset))) == 160
    dataset["join"] = "sentence_id"
    stimuli = read_stimuli(told(dataset))
    assert len(stimuli) == 20
    sentence = "word8 word9 word10 word11 word12 word13 word14 word15"
    assert stimuli.loc[1, ["item_id", "sentence"]].to_list() == ["1", sentence]
    (block,) = response_blocks(read_responses(told(dataset), stimuli).table, stimuli)
    expected = values.reshape(20, 8, 5)[..., :3].mean(axis=(1, 2))
    np.testing.assert_allclose(block.matrix[:, 1], expected, atol=1e-6)
