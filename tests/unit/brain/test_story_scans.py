"""The same brain in volumes and on surfaces, in the folders of BIDS, with its events."""

import json
import re
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.brain import streams
from geomod.brain.scans import Scan, Scans, entities, find_scans
from geomod.brain.story import (
    read_repeats,
    read_story_responses,
)
from geomod.brain.story_runs import find_runs
from tests.unit.brain.story_files import (
    NUMBERS,
    PEOPLE,
    PLACES,
    REGIONS,
    STORIES,
    bids_volumes,
    expected,
    holds,
    nifti,
    read,
    signals,
    told,
)


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


def test_names_of_bids_files_are_taken_apart():
    found = entities(Path("sub-EN058_task-lppEN_run-08_space-MNIColin27_desc-preproc_bold.nii.gz"))
    assert found["run"] == "08"
    assert (found["suffix"], found["end"]) == ("bold", ".nii.gz")
    old = entities(Path("sub-075_task-21styear_space-fsaverage6_hemi-L.func.gii"))
    assert (old["suffix"], old["end"], old["hemi"]) == ("", ".func.gii", "L")


def test_a_pattern_that_lacks_a_key_is_refused():
    with pytest.raises(InputError, match=r"needs \{story\}"):
        find_scans(Scans(files="{participant}.nii"), STORIES, [])
