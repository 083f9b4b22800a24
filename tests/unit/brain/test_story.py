"""One small brain in every layout that stories come in: the same responses, or a clear refusal."""

import json
import re
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.brain import streams
from geomod.brain.dataset import Dataset
from geomod.brain.scans import Scan, Scans, entities, find_scans, scan_files
from geomod.brain.story import (
    read_band,
    read_repeats,
    read_story_responses,
    read_story_voxels,
    residuals,
    zscored,
)
from geomod.brain.story_runs import find_runs
from geomod.brain.telling import check_telling, read_telling

PLACES, ROWS, TR = 12, 60, 2.0
REGIONS = {"speech": [0, 1, 2, 7], "other": [4, 5, 8]}
STORIES, PEOPLE = ["souls", "life"], ["S1", "S2"]
TRIM = (3, 2)
NUMBERS = np.zeros(PLACES, dtype=np.int32)
for _number, _places in enumerate(REGIONS.values(), start=1):
    NUMBERS[_places] = _number


def signals(rows=ROWS):
    """Story, participant → rows × locations, two of them NaN throughout (the medial wall)."""
    rng = np.random.default_rng(0)
    found = {}
    for story in STORIES:
        shared = rng.normal(size=(rows, PLACES))
        for who in PEOPLE:
            found[story, who] = 50 + 3 * shared + rng.normal(size=(rows, PLACES))
    return found


def expected(found, trim=TRIM):
    """What must come out by item_id, region, participant: region means, trimmed, z-scored."""
    rows = {}
    for (story, who), values in found.items():
        for region, places in REGIONS.items():
            series = np.nanmean(values[:, places], axis=1)[trim[0] : len(values) - trim[1]]
            z = (series - series.mean()) / series.std()
            for tr, value in enumerate(z, start=trim[0]):
                rows[f"{story}@{tr}", region, who] = value
    return pd.Series(rows)


def told(**more):
    story = {"words": "words.csv", "tr": TR, "trim": TRIM, **more.pop("story", {})}
    return Dataset.of({"name": "toy", "regions": list(REGIONS), "story": story, **more})


def read(dataset, stories=STORIES):
    found = find_runs(dataset, stories)
    return found, read_story_responses(dataset, found)


def holds(table, wanted, atol=1e-5):
    own = table[table["participant"] != "average"]
    got = own.set_index(["item_id", "region", "participant"])["response"]
    assert set(got.index) == set(wanted.index)
    np.testing.assert_allclose(got.loc[wanted.index], wanted, atol=atol)


def labels(folder: Path) -> str:
    rows = [f"{k},{name}" for k, name in enumerate(REGIONS, start=1)]
    (folder / "labels.csv").write_text("\n".join(["index,region", *rows]))
    return str(folder / "labels.csv")


# --- tables ---


def table_of(found) -> pd.DataFrame:
    parts = []
    for (story, who), values in found.items():
        means = {name: np.nanmean(values[:, own], axis=1) for name, own in REGIONS.items()}
        names = {"story": story, "tr": np.arange(len(values)), "participant": who}
        parts.append(pd.DataFrame({**names, **means}))
    return pd.concat(parts, ignore_index=True)


def of_table(folder, table, **more):
    table.to_csv(folder / "responses.csv", index=False)
    return told(responses=str(folder / "responses.csv"), **more)


def test_a_wide_table_gives_the_kept_rows_z_scored_per_story(tmp_path):
    found = signals()
    shuffled = table_of(found).sample(frac=1, random_state=0)
    runs, responses = read(of_table(tmp_path, shuffled))
    holds(responses.table, expected(found))
    assert runs.rows["time"][:3].tolist() == [1, 3, 5]
    assert runs.rows["kept"].sum() == 2 * (ROWS - 5)
    assert responses.notes == []
    # The average is the mean of what was z-scored, z-scored.
    mean = expected(found).groupby(level=[0, 1]).mean()
    own = responses.table.query("participant == 'average'").set_index(["item_id", "region"])
    for story in STORIES:
        for region in REGIONS:
            names = [(f"{story}@{tr}", region) for tr in range(3, ROWS - 2)]
            wanted = mean.loc[names]
            wanted = (wanted - wanted.mean()) / wanted.std(ddof=0)
            np.testing.assert_allclose(own.loc[names, "response"], wanted, atol=1e-12)


def test_a_tidy_table_is_the_same(tmp_path):
    found = signals()
    tidy = table_of(found).melt(
        ["story", "tr", "participant"], var_name="region", value_name="response"
    )
    _, responses = read(of_table(tmp_path, tidy.sample(frac=1, random_state=1)))
    holds(responses.table, expected(found))


def test_a_table_without_participants_is_the_average(tmp_path):
    found = {key: values for key, values in signals().items() if key[1] == "S1"}
    dataset = of_table(tmp_path, table_of(found).drop(columns="participant"))
    _, responses = read(dataset)
    assert set(responses.table["participant"]) == {"average"}
    own = responses.table.assign(participant="S1")
    holds(own, expected(found))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda t: t[~((t["tr"] == 30) & (t["story"] == "life"))],
            r"'life', participant S1 has no row with tr 30 \(1 of 60",
        ),
        (
            lambda t: t[~((t["tr"] == 59) & (t["participant"] == "S2"))],
            r"59 rows of story 'souls'.*60.*trims of \[3, 2\]",
        ),
        (lambda t: t.assign(tr=t["tr"] + 0.5), r"row 2: tr is '0.5'"),
        (
            lambda t: pd.concat([t, t.iloc[[7]]]),
            r"'souls', participant S1: more than one response at tr 7 in region 'speech'.*row 242",
        ),
        (lambda t: t.rename(columns={"tr": "row"}), "no column 'tr'"),
        (lambda t: t.rename(columns={"speech": "speach"}), "no region 'speech'.*'speach'"),
        (lambda t: t.replace({"story": {"life": "death"}}), "'death' has responses but no words"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path, change, said):
    dataset = of_table(tmp_path, change(table_of(signals())))
    with pytest.raises(InputError, match=said):
        read(dataset)


def test_empty_cells_are_missing_and_counted(tmp_path):
    table = table_of(signals())
    table.loc[10, "speech"] = np.nan
    _, responses = read(of_table(tmp_path, table))
    assert any("unbalanced" in note and "rows" in note for note in responses.notes)
    gone = responses.table.query("participant == 'S1' and region == 'speech'")["item_id"]
    assert "souls@10" not in set(gone)


def test_rows_that_the_trims_take_need_not_be_in_the_table_at_the_beginning(tmp_path):
    found = signals()
    table = table_of(found)
    _, responses = read(of_table(tmp_path, table[table["tr"] >= 3]))
    holds(responses.table, expected(found))


# --- HDF5 as of LeBel et al. 2023 ---


def hdf5(folder, found, repeats=None, trim=TRIM):
    for (story, who), values in found.items():
        (folder / who).mkdir(exist_ok=True)
        with h5py.File(folder / who / f"{story}.hf5", "w") as file:
            file["data"] = values[trim[0] : len(values) - trim[1]]
            if repeats and story in repeats:
                own = repeats[story][:, trim[0] : len(values) - trim[1]]
                file["individual_repeats"] = own
    np.save(folder / "parcels.npy", NUMBERS)
    scans = {"files": str(folder / "{participant}/{story}.hf5"), "trimmed": True}
    return {**scans, "parcels": str(folder / "parcels.npy"), "labels": labels(folder)}


def test_hdf5_is_trimmed_already(tmp_path):
    found = signals()
    dataset = told(scans=hdf5(tmp_path, found), story={"start": 10.0})
    runs, responses = read(dataset)
    holds(responses.table, expected(found))
    assert runs.rows["time"][0] == 1 - 10
    assert len(runs.rows) == 2 * ROWS
    files = scan_files(dataset.scans, [run.scan for run in runs.runs])
    assert len(files) == 4 + 2


def test_lengths_are_held_to_the_published_ones(tmp_path):
    scans = hdf5(tmp_path, signals())
    (tmp_path / "respdict.json").write_text(json.dumps({"souls": ROWS, "life": ROWS, "x": 9}))
    read(told(scans={**scans, "volumes": str(tmp_path / "respdict.json")}))
    wrong = {**scans, "volumes": {"souls": ROWS + 1}}
    with pytest.raises(InputError, match=r"souls.hf5 has 55 rows.*\[3, 2\].*makes 60.*says 61"):
        read(told(scans=wrong))


def test_locations_that_hold_nan_are_left_out_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "SLAB_BYTES", 8 * PLACES * 10)  # ten rows at a time
    found = signals()
    found["souls", "S1"][:, 1] = np.nan
    found["life", "S2"][40, 4] = np.nan  # turns up when ten rows have gone by
    _, responses = read(told(scans=hdf5(tmp_path, found)))
    found["life", "S2"][:, 4] = np.nan
    holds(responses.table, expected(found))
    assert any(
        re.search("S1, 1 runs .*souls.hf5.: 1 of 7 locations", note) for note in responses.notes
    )


def test_repeats_are_read_one_by_one(tmp_path):
    found = signals()
    rng = np.random.default_rng(1)
    each = found["souls", "S1"] + rng.normal(size=(5, ROWS, PLACES))
    scans = hdf5(tmp_path, found, {"souls": each})
    dataset = told(scans=scans)
    runs, responses = read(dataset)
    holds(responses.table, expected(found))  # the responses are `data`
    repeats = read_repeats(dataset, runs)
    assert set(repeats["participant"]) == {"S1", "S2"}
    for number in range(5):
        own = repeats.query("participant == 'S1' and repeat == @number and region == 'speech'")
        series = each[number][3:-2, REGIONS["speech"]].mean(axis=1)
        np.testing.assert_allclose(
            own["response"], (series - series.mean()) / series.std(), atol=1e-9
        )


@pytest.mark.parametrize("keep", [100, 2000, 4500])
def test_a_damaged_hdf5_is_refused_in_words(tmp_path, keep):
    scans = hdf5(tmp_path, signals())
    path = tmp_path / "S1" / "souls.hf5"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"souls.hf5"):
        read(told(scans=scans))


def test_hdf5_of_another_kind_is_refused(tmp_path):
    scans = hdf5(tmp_path, signals())
    with h5py.File(tmp_path / "S1" / "souls.hf5", "w") as file:
        file["values"] = np.ones(3)
    with pytest.raises(InputError, match=r"no array `data`.*It has values"):
        read(told(scans=scans))


# --- volumes ---

AFFINE = np.diag([2.0, 2, 2, 1])
SHAPE = (3, 2, 2)


def nifti(path, values, affine=AFFINE):
    """Rows × locations, or one row, as an image whose voxels come in Fortran order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = values.T.reshape(*SHAPE, *values.shape[:-1], order="F")
    nib.save(
        nib.Nifti1Image(whole.astype(np.float64 if values.ndim > 1 else np.int32), affine), path
    )


def bids_volumes(folder, found, name="sub-{who}_task-{story}_space-MNI_desc-preproc_bold.nii.gz"):
    for (story, who), values in found.items():
        nifti(folder / f"sub-{who}/func" / name.format(who=who, story=story), values)
    nifti(folder / "parcels.nii.gz", NUMBERS)
    return {
        "bids": str(folder),
        "parcels": str(folder / "parcels.nii.gz"),
        "labels": labels(folder),
    }


def test_volumes_in_bids(tmp_path):
    found = signals()
    _, responses = read(told(scans=bids_volumes(tmp_path, found)))
    holds(responses.table, expected(found))


def test_volumes_by_a_pattern(tmp_path):
    found = signals()
    scans = bids_volumes(tmp_path, found)
    name = (
        "sub-{participant}/func/sub-{participant}_task-{story}_space-MNI_desc-preproc_bold.nii.gz"
    )
    scans = {**scans, "bids": "", "files": str(tmp_path / name)}
    _, responses = read(told(scans=scans))
    holds(responses.table, expected(found))
    assert set(read(told(scans=scans, participants=["S2"]))[1].table["participant"]) == {
        "S2",
        "average",
    }
    with pytest.raises(InputError, match="participant 'S9' has no scan"):
        read(told(scans=scans, participants=["S9"]))


def test_runs_whose_numbers_are_no_sections_are_the_stories_in_their_order(tmp_path):
    found = signals()
    for (story, who), values in found.items():
        run = {"souls": "09", "life": "11" if who == "S1" else "10"}[story]
        nifti(tmp_path / f"sub-{who}/func/sub-{who}_task-lppEN_run-{run}_bold.nii", values)
    scans = {**bids_volumes(tmp_path, {}), "task": "lppEN"}
    _, responses = read(told(scans=scans))
    holds(responses.table, expected(found))
    # One of all is known by its place among all.
    chosen = told(scans=scans)
    only = find_runs(chosen, ["life"], STORIES)
    assert {run.name[-13:-9] for run in only.runs} == {"n-11", "n-10"}
    holds(read_story_responses(chosen, only).table, expected(found).filter(like="life", axis=0))
    nifti(tmp_path / "sub-S1/func/sub-S1_task-lppEN_run-12_bold.nii", values)
    with pytest.raises(
        InputError, match=r"S1 has 3 runs.*run-09, run-11, run-12.*2 stories \(souls, life"
    ):
        read(told(scans=scans))


def test_runs_of_one_story_are_repeats(tmp_path):
    found = signals()
    name = "sub-{who}_task-{story}_run-%d_bold.nii.gz"
    rng = np.random.default_rng(3)
    twice = [{k: v + rng.normal(size=v.shape) for k, v in found.items()} for _ in range(2)]
    for number, own in enumerate(twice, start=1):
        scans = bids_volumes(tmp_path, own, name % number)
    dataset = told(scans=scans)
    runs, responses = read(dataset)
    mean = (expected(twice[0]) + expected(twice[1])) / 2
    story = mean.index.get_level_values(0).str.split("@").str[0]
    mean = mean.groupby(
        [story, mean.index.get_level_values(1), mean.index.get_level_values(2)]
    ).transform(lambda v: (v - v.mean()) / v.std(ddof=0))
    holds(responses.table, mean)
    assert sorted(read_repeats(dataset, runs)["repeat"].unique()) == [0, 1]


def test_several_spaces_must_be_chosen_from(tmp_path):
    found = signals()
    bids_volumes(tmp_path, found)
    scans = bids_volumes(
        tmp_path, found, "sub-{who}_task-{story}_space-T1w_desc-preproc_bold.nii.gz"
    )
    with pytest.raises(InputError, match=r"of one run. Say which with `scans.space`"):
        read(told(scans=scans))
    read(told(scans={**scans, "space": "T1w"}))
    with pytest.raises(InputError, match=r"no scan with space 'mine'.*MNI, T1w"):
        read(told(scans={**scans, "space": "mine"}))


def test_parcels_of_another_space_are_refused(tmp_path):
    scans = bids_volumes(tmp_path, signals())
    nifti(tmp_path / "parcels.nii.gz", NUMBERS, np.diag([2.0, 2, 2.1, 1]))
    with pytest.raises(InputError, match="differ in shape"):
        read(told(scans=scans))


def test_the_tr_in_the_json_must_be_that_of_the_config(tmp_path):
    found = signals()
    scans = {**bids_volumes(tmp_path / "der", found), "raw": str(tmp_path / "raw")}
    (tmp_path / "raw").mkdir()
    sidecar = tmp_path / "raw/task-souls_bold.json"
    sidecar.write_text(json.dumps({"RepetitionTime": 2.0}))
    read(told(scans=scans))
    sidecar.write_text(json.dumps({"RepetitionTime": 2.0045}))
    with pytest.raises(
        InputError, match=r"task-souls_bold.json.*2.0045 s, but story.tr is 2.*1.35 s apart"
    ):
        read(told(scans=scans))
    # What is said of one run counts more than what is said of all.
    own = tmp_path / "raw/sub-S1/func/sub-S1_task-souls_bold.json"
    own.parent.mkdir(parents=True)
    sidecar.write_text(json.dumps({"RepetitionTime": 3}))
    own.write_text(json.dumps({"RepetitionTime": 2}))
    with pytest.raises(InputError, match=r"sub-S2.*RepetitionTime of 3"):
        read(told(scans=scans))


def test_start_time_says_when_within_a_volume(tmp_path):
    scans = bids_volumes(tmp_path, signals())
    for story in STORIES:
        (tmp_path / f"task-{story}_bold.json").write_text(json.dumps({"StartTime": 0.4}))
    runs, _ = read(told(scans=scans))
    assert runs.rows["time"][:2].tolist() == [0.4, 2.4]
    own = tmp_path / "sub-S2/func/sub-S2_task-souls_bold.json"
    own.write_text(json.dumps({"StartTime": 0.0}))
    with pytest.raises(InputError, match=r"sub-S2.*'souls' has a StartTime of 0.0 and 0.4 s"):
        read(told(scans=scans))


# --- events ---

EVENTS = "onset\tduration\ttrial_type\tstim_file\n"


def events(folder, who, story, rows):
    path = folder / f"sub-{who}/func/sub-{who}_task-{story}_events.tsv"
    path.write_text(EVENTS + "\n".join("\t".join(map(str, row)) for row in rows) + "\n")


def test_events_say_which_volumes_are_the_story(tmp_path):
    found = signals()
    scans = bids_volumes(tmp_path, found)
    for who, early in (("S1", 0), ("S2", 4)):
        for story in STORIES:
            sound = f"{story}.wav"
            rows = [(6 - early, 8, "music", sound), (15 - early, 90, "story", sound)]
            events(tmp_path, who, story, rows)
    runs, responses = read(told(scans=scans))
    # 15 s is within volume 7, so that volume 8 is the first that begins in the story.
    parts = {
        (story, who): values[8 - (2 if who == "S2" else 0) :][:45]
        for (story, who), values in found.items()
    }
    holds(responses.table, expected(parts))
    # Words are timed from the onset of the sound, music included: 16 s + 1 s − 6 s.
    assert runs.rows["time"][0] == pytest.approx(11)


def test_two_stories_of_one_run_are_told_apart_by_their_sound(tmp_path):
    found = {key: values for key, values in signals(100).items() if key[0] == "souls"}
    scans = bids_volumes(tmp_path, found)
    for who in PEOPLE:
        rows = [(4, 80, "story", "a.wav"), (100, 80, "story", "b.wav")]
        events(tmp_path, who, "souls", rows)
    split = {
        **scans,
        "tasks": dict.fromkeys(STORIES, "souls"),
        "events": {"souls": "a.wav", "life": "b.wav"},
    }
    _, responses = read(told(scans=split))
    parts = {("souls", who): found["souls", who][2:42] for who in PEOPLE}
    parts |= {("life", who): found["souls", who][50:90] for who in PEOPLE}
    holds(responses.table, expected(parts))
    with pytest.raises(InputError, match="2 events that could be the story 'souls'"):
        read(told(scans=scans), ["souls"])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([(4, 200, "story", "a.wav")], r"has 60 volumes, but by .*takes 100 from number 2"),
        ([(4, 80, "story", "a.wav"), (90, 9, "story", "a.wav")], "2 events that could be"),
        ([(-4, 80, "story", "a.wav")], "row 2: an onset of -4.0 s"),
        ([("n/a", 80, "story", "a.wav")], "row 2: an onset of nan s"),
    ],
)
def test_events_that_do_not_fit_are_refused(tmp_path, rows, said):
    scans = bids_volumes(tmp_path, signals())
    for story in STORIES:
        for who in PEOPLE:
            events(tmp_path, who, story, rows)
    with pytest.raises(InputError, match=said):
        read(told(scans=scans))


def test_an_onset_between_rows_and_a_second_start_are_refused(tmp_path):
    scans = bids_volumes(tmp_path, signals())
    for story in STORIES:
        for who in PEOPLE:
            events(tmp_path, who, story, [(4, 80, "story", "a.wav")])
    with pytest.raises(InputError, match="leave `start` out"):
        read(told(scans=scans, story={"start": 4}))
    events(tmp_path, "S2", "souls", [(5, 80, "story", "a.wav")])
    with pytest.raises(InputError, match=r"sub-S2.*'souls' has a start of -1.0 and 0.0 s"):
        read(told(scans=scans))
    (tmp_path / "sub-S2/func/sub-S2_task-souls_events.tsv").unlink()
    with pytest.raises(InputError, match="only one has a table of events"):
        read(told(scans=scans))


# --- surfaces ---

NAMES = {
    "new": "sub-{who}_task-{story}_hemi-{hemi}_space-fsaverage6_bold.func.gii",
    "old": "sub-{who}_task-{story}_space-fsaverage6_hemi-{hemi}.func.gii",
    "cleaned": "sub-{who}_task-{story}_space-fsaverage6_hemi-{hemi}_desc-clean.func.gii",
}


def gifti(path, values, one=False):
    """Rows × vertices, an array a row or `one` array of all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.gifti.GiftiImage()
    for row in [values.T] if one else values:
        array = nib.gifti.GiftiDataArray(
            np.ascontiguousarray(row, dtype=np.float32), datatype="NIFTI_TYPE_FLOAT32"
        )
        image.add_gifti_data_array(array)
    nib.save(image, path)


def bids_surfaces(folder, found, name, one=False, wide=60):
    """The left half of the locations and the right one, each followed by more vertices of NaN."""
    half = PLACES // 2
    for (story, who), values in found.items():
        for hemi, places in (("L", slice(0, half)), ("R", slice(half, None))):
            wall = np.full((len(values), wide), np.nan)
            path = folder / f"sub-{who}/func" / name.format(who=who, story=story, hemi=hemi)
            gifti(path, np.hstack([values[:, places], wall]), one)
    for hemi, own in (("L", NUMBERS[:half]), ("R", NUMBERS[half:])):
        image = nib.gifti.GiftiImage()
        # The wall lies in a region too: its NaN must not make the region NaN.
        numbers = np.concatenate([own, [1] * wide]).astype(np.int32)
        image.add_gifti_data_array(nib.gifti.GiftiDataArray(numbers, datatype="NIFTI_TYPE_INT32"))
        for key, label in enumerate(["???", *REGIONS]):
            known = nib.gifti.GiftiLabel(key=key)
            known.label = label
            image.labeltable.labels.append(known)
        nib.save(image, folder / f"hemi-{hemi}.label.gii")
    return {"bids": str(folder), "parcels": str(folder / "hemi-{hemi}.label.gii")}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("one", [False, True])
def test_surfaces_under_every_name_and_in_both_layouts(tmp_path, name, one):
    found = signals()
    _, responses = read(told(scans=bids_surfaces(tmp_path, found, NAMES[name], one)))
    holds(responses.table, expected(found), atol=1e-4)
    said = "participant S2, 2 runs .*: 120 of 127 locations in the regions hold NaN"
    assert any(re.search(said, note) for note in responses.notes)


def test_a_missing_hemisphere_is_named(tmp_path):
    scans = bids_surfaces(tmp_path, signals(), NAMES["new"])
    (tmp_path / "sub-S2/func" / NAMES["new"].format(who="S2", story="life", hemi="R")).unlink()
    with pytest.raises(InputError, match=r"sub-S2_task-life_hemi-L.*no twin of the hemisphere R"):
        read(told(scans=scans))


def test_hemispheres_of_two_lengths_are_refused(tmp_path):
    scans = bids_surfaces(tmp_path, signals(), NAMES["new"])
    path = tmp_path / "sub-S2/func" / NAMES["new"].format(who="S2", story="life", hemi="R")
    gifti(path, np.ones((59, 66)))
    with pytest.raises(InputError, match="its twin have 60 and 59 volumes"):
        read(told(scans=scans))


def test_the_shape_of_a_surface_is_told_by_its_first_lines(tmp_path, monkeypatch):
    rows = np.random.default_rng(0).normal(size=(40, 90)).astype(np.float32)
    for one in (False, True):
        gifti(tmp_path / "a.func.gii", rows, one)
        with monkeypatch.context() as patch:
            patch.setattr(streams, "_gifti", None)
            scan = Scan("souls", "S1", (tmp_path / "a.func.gii",))
            assert streams.shape_of(scan) == streams.Shape(40, 90)
        np.testing.assert_array_equal(np.hstack(list(streams.slabs(scan))), rows.T)


@pytest.mark.filterwarnings("ignore:Actual")
def test_a_surface_whose_header_tells_of_more_is_refused(tmp_path):
    scans = bids_surfaces(tmp_path, signals(), NAMES["new"])
    for hemi in "LR":
        path = tmp_path / "sub-S1/func" / NAMES["new"].format(who="S1", story="life", hemi=hemi)
        text = path.read_text()
        assert 'NumberOfDataArrays="60"' in text
        [first, *_] = re.findall(r"<DataArray\b.*?</DataArray>", text, re.DOTALL)
        path.write_text(text.replace(first, "", 1))
    with pytest.raises(InputError, match=r"S1_task-life.*(59 volumes.*tells of 60|cannot be read)"):
        read(told(scans=scans))


def test_parcels_of_another_surface_are_refused(tmp_path):
    scans = bids_surfaces(tmp_path, signals(), NAMES["new"])
    bids_surfaces(tmp_path, {}, NAMES["new"], wide=50)
    with pytest.raises(InputError, match=r"112 locations, but the scans .* S1 have 132"):
        read(told(scans=scans))


def test_annotations_of_freesurfer_name_the_regions(tmp_path):
    found = signals()
    scans = bids_surfaces(tmp_path, found, NAMES["old"])
    half = PLACES // 2
    table = np.array([[0, 0, 0, 0], [10, 20, 30, 0], [40, 50, 60, 0]])
    for hemi, own in (("lh", NUMBERS[:half]), ("rh", NUMBERS[half:])):
        numbers = np.concatenate([own, [0] * 60]).astype(int)
        names = ["unknown", *REGIONS]
        nib.freesurfer.write_annot(tmp_path / f"{hemi}.toy.annot", numbers, table, names)
    scans["parcels"] = str(tmp_path / "{hemi}.toy.annot")
    _, responses = read(told(scans=scans))
    holds(responses.table, expected(found), atol=1e-4)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(["nii", "gii", "hf5"]), st.floats(0, 1), st.binary(max_size=3))
def test_damaged_scans_are_refused_in_words(tmp_path, kind, where, more):
    values = signals()["souls", "S1"]
    path = tmp_path / {"nii": "a.nii.gz", "gii": "a.func.gii", "hf5": "a.hf5"}[kind]
    if kind == "nii":
        nifti(path, values)
    elif kind == "gii":
        gifti(path, values)
    else:
        with h5py.File(path, "w") as file:
            file["data"] = values
    raw = path.read_bytes()
    cut = int(where * (len(raw) - 1))
    path.write_bytes(raw[:cut] + more + raw[cut + len(more) :] if len(more) > 1 else raw[:cut])
    scan = Scan("souls", "S1", (path,))
    inside = {"speech": np.flatnonzero(NUMBERS == 1)}
    try:
        if streams.shape_of(scan).locations == PLACES:
            streams.regions(scan, inside)
    except InputError as error:
        assert path.name in str(error)  # noqa: PT017


# --- confounds ---


def confounds(folder, found, name="timeseries"):
    rng = np.random.default_rng(5)
    tables = {}
    for (story, who), values in found.items():
        table = pd.DataFrame(
            rng.normal(size=(len(values), 3)), columns=["trans_x", "trans_x_derivative1", "csf"]
        )
        text = table.astype(str)
        text.loc[0, "trans_x_derivative1"] = "n/a"
        path = folder / f"sub-{who}/func/sub-{who}_task-{story}_desc-confounds_{name}.tsv"
        text.to_csv(path, sep="\t", index=False)
        table.loc[0, "trans_x_derivative1"] = table["trans_x_derivative1"][1:].mean()
        tables[story, who] = table
    return tables


@pytest.mark.parametrize("name", ["timeseries", "regressors"])
def test_confounds_are_regressed_out_of_the_kept_rows(tmp_path, name):
    found = signals()
    scans = bids_volumes(tmp_path, found)
    tables = confounds(tmp_path, found, name)
    for key, values in found.items():
        values += 20 * tables[key]["trans_x"].to_numpy()[:, None]
    bids_volumes(tmp_path, found)
    dataset = told(scans={**scans, "confounds": ["trans_x*"], "regress": True})
    _, responses = read(dataset)
    for (story, who), values in found.items():
        own = responses.table.query("participant == @who and region == 'other'")
        own = own[own["item_id"].str.startswith(story)]["response"].to_numpy()
        moved = tables[story, who][["trans_x", "trans_x_derivative1"]].to_numpy()[3:-2]
        design = np.column_stack([np.ones(len(moved)), moved])
        series = values[3:-2, REGIONS["other"]].mean(axis=1)
        left = series - design @ np.linalg.pinv(design) @ series
        np.testing.assert_allclose(own, left / left.std(), atol=1e-5)


def test_confounds_as_a_band_are_of_all_rows(tmp_path):
    found = signals()
    scans = bids_volumes(tmp_path, found)
    tables = confounds(tmp_path, found)
    dataset = told(scans={**scans, "confounds": ["trans_x", "csf"]})
    band = read_band(find_runs(dataset, STORIES))
    own = band.query("participant == 'S2'").set_index(["item_id", "confound"])["value"]
    assert len(own) == 2 * 2 * ROWS
    np.testing.assert_allclose(own["life@7", "csf"], tables["life", "S2"]["csf"][7])
    _, responses = read(dataset)
    holds(responses.table, expected(found))  # a band leaves the responses as they are
    wrong = told(scans={**scans, "confounds": ["trans_y"]})
    with pytest.raises(InputError, match="no confound 'trans_y'"):
        read_band(find_runs(wrong, STORIES))


def test_residuals_are_orthogonal_and_a_constant_confound_does_no_harm():
    rng = np.random.default_rng(0)
    noise = np.column_stack([rng.normal(size=50), np.full(50, 3.0)])
    left = residuals(rng.normal(size=(50, 4)), noise)
    np.testing.assert_allclose(noise.T @ left, 0, atol=1e-10)


# --- what all have in common ---


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30), st.floats(-1e6, 1e6))
def test_z_scores_have_mean_0_and_sd_1_or_are_0(values, constant):
    found = zscored(np.column_stack([values, np.full(len(values), constant)]))
    assert not found[:, 1].any()
    if found[:, 0].any():
        np.testing.assert_allclose([found[:, 0].mean(), found[:, 0].std()], [0, 1], atol=1e-6)


def test_voxels_for_maps_are_those_of_the_regions(tmp_path):
    found = signals()
    found["life", "S1"][:, 4] = 7.0  # constant in one story
    found["souls", "S1"][:, 1] = np.nan
    dataset = told(scans=bids_volumes(tmp_path, found))
    runs = find_runs(dataset, STORIES)
    voxels = read_story_voxels(dataset, runs, "S1")
    assert voxels.positions.tolist() == [0, 2, 5, 7, 8]
    assert "1 hold NaN and 1 are constant" in voxels.notes[0]
    assert runs.rows["item_id"][voxels.rows].tolist()[0] == "souls@3"
    series = found["life", "S1"][3:-2, 5]
    own = voxels.matrix[ROWS - 5 :, 2]
    np.testing.assert_allclose(own, (series - series.mean()) / series.std(), atol=1e-5)


def test_a_story_that_somebody_did_not_hear_is_counted(tmp_path):
    found = signals()
    del found["life", "S2"]
    _, responses = read(told(scans=bids_volumes(tmp_path, found)))
    holds(responses.table, expected(found))
    assert any(
        "unbalanced: of 110 rows" in note and "S2 in speech 55" in note for note in responses.notes
    )


def test_lengths_that_differ_are_refused_with_both_and_the_trims(tmp_path):
    found = signals()
    found["life", "S2"] = found["life", "S2"][:58]
    with pytest.raises(
        InputError,
        match=r"sub-S2_task-life.*58 rows of story 'life'.*sub-S1_task-life.*60.*\[3, 2\]",
    ):
        read(told(scans=bids_volumes(tmp_path, found)))


def test_names_of_bids_files_are_taken_apart():
    found = entities(Path("sub-EN058_task-lppEN_run-08_space-MNIColin27_desc-preproc_bold.nii.gz"))
    assert found["run"] == "08"
    assert (found["suffix"], found["end"]) == ("bold", ".nii.gz")
    old = entities(Path("sub-075_task-21styear_space-fsaverage6_hemi-L.func.gii"))
    assert (old["suffix"], old["end"], old["hemi"]) == ("", ".func.gii", "L")


def test_a_pattern_that_lacks_a_key_is_refused():
    with pytest.raises(InputError, match=r"needs \{story\}"):
        find_scans(Scans(files="{participant}.nii"), STORIES, [])


# --- words and responses together ---


def told_words(folder, stories=STORIES, seed=0):
    """Words at a pace that wanders, and responses that follow their rate by about 5 s."""
    rng = np.random.default_rng(seed)
    lines = ["story,word,onset,offset"]
    times = {}
    for story in stories:
        pace, time, own = 0.0, 0.0, []
        while time < TR * 150:
            pace = 0.97 * pace + 0.24 * rng.normal()
            time += 0.3 * np.exp(0.35 * rng.normal() + 0.5 * pace)
            own.append(time)
            lines.append(f"{story},w{len(own)},{time:.3f},{time + 0.1:.3f}")
        times[story] = np.array(own)
    (folder / "words.csv").write_text("\n".join(lines))
    return times


def following(times, late=5.0):
    rng = np.random.default_rng(1)
    at = np.arange(150) * TR + 1
    found = {}
    for story, own in times.items():
        after = np.maximum(at[:, None] - own + 5 - late, 0)
        signal = (after**5 * np.exp(-after)).sum(axis=1)
        signal = 3 * (signal - signal.mean()) / signal.std()
        for who in PEOPLE:
            found[story, who] = signal[:, None] + rng.normal(size=(150, PLACES))
    return found


def test_words_rows_and_units_come_together_before_any_response_is_read(tmp_path, monkeypatch):
    times = told_words(tmp_path, [*STORIES, "unheard"])
    found = following({story: times[story] for story in STORIES})
    scans = bids_volumes(tmp_path, found)
    dataset = told(scans=scans, story={"words": str(tmp_path / "words.csv"), "span_words": 8})
    with monkeypatch.context() as patch:
        patch.setattr(streams, "slabs", None)  # headers alone
        telling = read_telling(dataset)
    assert set(telling.words["story"]) == set(STORIES)
    assert any("unheard: it has words but no responses" in note for note in telling.notes)
    assert len(telling.rows) == 300
    assert telling.stimuli["n_words"].sum() == len(telling.words)
    rate = telling.rows.query("story == 'life'")["word_rate"]
    assert rate.sum() == pytest.approx(len(times["life"]), rel=0.03)


@pytest.mark.parametrize(("late", "said"), [(5.0, ""), (9.0, "by [+]2 TRs"), (0.5, "by -2 TRs")])
def test_the_lag_check_names_a_shift_of_the_scans(tmp_path, late, said):
    found = following(told_words(tmp_path), late)
    scans = bids_volumes(tmp_path, found)
    dataset = told(scans=scans, story={"words": str(tmp_path / "words.csv")})
    telling = read_telling(dataset)
    responses = read_story_responses(dataset, telling.told).table
    _, verdicts, notes = check_telling(dataset, telling.rows, responses)
    assert len(verdicts) == 2 * 3
    assert len(notes) == (2 if said else 0)
    assert all(re.search(said, note) for note in notes)


def test_words_that_lie_outside_of_the_scan_are_refused(tmp_path):
    found = following(told_words(tmp_path))
    scans = bids_volumes(tmp_path, found)
    story = {"words": str(tmp_path / "words.csv"), "start": -1000}
    with pytest.raises(InputError, match=r"'souls': its words lie from .* measured from 1000"):
        read_telling(told(scans=scans, story=story))
