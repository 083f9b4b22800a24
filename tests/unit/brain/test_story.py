"""One small brain in the layouts that stories come in: the same responses, or a clear refusal."""

import json
import re

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.brain import streams
from geomod.brain.scans import scan_files
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
from tests.unit.brain.story_files import (
    NUMBERS,
    PEOPLE,
    PLACES,
    REGIONS,
    ROWS,
    STORIES,
    TR,
    TRIM,
    bids_volumes,
    expected,
    holds,
    labels,
    read,
    signals,
    told,
)

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
