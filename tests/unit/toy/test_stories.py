"""The simulated story experiment: words in time, what is planted, files as others write them."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from geomod.toy import stories as toy
from geomod.toy.language import LATENTS, make_language


@pytest.fixture(scope="module")
def words() -> pd.DataFrame:
    return toy.sample_stories(make_language(0), stories=3, trs=90, seed=0)


def test_words_follow_each_other_and_end_before_the_scan(words: pd.DataFrame) -> None:
    for _, story in words.groupby("story"):
        onset, offset = story["onset"].to_numpy(), story["offset"].to_numpy()
        assert (offset > onset).all()
        assert (onset[1:] >= offset[:-1]).all()
        assert onset[0] == 0
        last = 90 * toy.TR - toy.LEAD - toy.REST
        assert 0.9 * last < offset[-1] <= last
        assert 2 < len(story) / offset[-1] < 4.5  # words a second
    assert set(words[list(LATENTS)].to_numpy().ravel()) == {-1.0, 1.0}


def test_speech_is_faster_here_and_slower_there(words: pd.DataFrame) -> None:
    """Otherwise a word rate is too flat to be planted."""
    for _, story in words.groupby("story"):
        counts = np.histogram(story["onset"], bins=np.arange(0, 150, 10))[0]
        assert counts.std() > 1.1 * counts.mean() ** 0.5 * 0.5
        assert counts.max() > 1.3 * counts.min()


def test_stories_do_not_depend_on_how_many_are_told() -> None:
    language = make_language(0)
    few, many = (toy.sample_stories(language, n, 40, seed=3) for n in (1, 2))
    pd.testing.assert_frame_equal(few, many[many["story"] == "story1"])


def test_the_response_to_a_word_rises_for_five_seconds_and_undershoots() -> None:
    t = np.linspace(-5, 30, 3501)
    h = toy.haemodynamic(t)
    assert (h[t <= 0] == 0).all()
    assert t[h.argmax()] == pytest.approx(5.0, abs=0.02)
    assert 12 < t[h.argmin()] < 17
    assert h.sum() * 0.01 == pytest.approx(1 - 1 / 6, abs=1e-3)  # of two gamma densities


def test_a_region_is_the_sum_of_what_it_saw_in_every_word(words: pd.DataFrame) -> None:
    signals = toy.planted_signals(words, 90)
    seen = 0.7 * words["topic_a"] + 0.7 * words["topic_b"] + 0.3 * words["number"]
    seen -= seen.mean()
    for story, own in words.groupby("story"):
        expected = np.zeros(90)
        for t in range(90):
            now = 2.0 * t + 1 - toy.LEAD
            for word, what in zip(own.itertuples(), seen[own.index], strict=True):
                expected[t] += toy.haemodynamic(now - (word.onset + word.offset) / 2) * what
        expected = (expected - expected.mean()) / expected.std()
        assert_allclose(signals[str(story)]["semantic"], expected, atol=1e-10)
        assert (signals[str(story)]["noise"] == 0).all()
    rate = np.concatenate([signals[story]["rate"] for story in signals])
    semantic = np.concatenate([signals[story]["semantic"] for story in signals])
    assert abs(np.corrcoef(rate, semantic)[0, 1]) < 0.3


def test_noise_remembers_and_drift_is_slow() -> None:
    noise = toy.autoregressive(20000, 0.85, np.random.default_rng(0))
    assert noise.std() == pytest.approx(1, abs=0.05)
    assert np.corrcoef(noise[1:], noise[:-1])[0, 1] == pytest.approx(0.85, abs=0.02)
    slow = toy.cosines(120)
    assert slow.shape == (120, 3)  # 240 s hold periods of 480, 240 and 160 s
    assert_allclose(slow.T @ slow / 120, np.eye(3), atol=1e-10)


def test_the_experiment_is_in_files_as_others_write_them(tmp_path: Path) -> None:
    toy.write_words(toy.sample_stories(make_language(0), 2, 60, seed=0), tmp_path / "words.csv")
    truth = toy.simulate_listeners(make_language(0), tmp_path, seed=0, stories=2, trs=60)
    json.dumps(truth)
    assert list(pd.read_csv(tmp_path / "words.csv")) == [
        *("story", "word", "onset", "offset", "sentence")
    ]
    signals = toy.planted_signals(toy.sample_stories(make_language(0), 2, 60, seed=0), 60)
    func = tmp_path / "bids" / "sub-01" / "func"
    hemispheres = [
        np.stack([array.data for array in nib.load(path).darrays], axis=1)
        for path in sorted(func.glob("sub-01_task-story2_hemi-?_space-toysurface_bold.func.gii"))
    ]
    assert [half.shape for half in hemispheres] == [(3 * 12 + 4, 60)] * 2
    assert np.isnan(hemispheres[0][-4:]).all()
    labels = nib.load(tmp_path / "parcels_hemi-L.label.gii")
    assert labels.labeltable.get_labels_as_dict()[1] == "semantic"
    inside = labels.darrays[0].data == 2
    region = np.concatenate([half[inside] for half in hemispheres]).mean(axis=0)[5:]
    confounds = pd.read_csv(
        func / "sub-01_task-story2_desc-confounds_timeseries.tsv", sep="\t", na_values="n/a"
    )
    slow = np.column_stack([np.ones(55), confounds.filter(like="cosine")[5:]])
    left = region - slow @ np.linalg.lstsq(slow, region, rcond=None)[0]
    assert np.corrcoef(left, signals["story2"]["rate"][5:])[0, 1] > 0.25
    assert np.isnan(confounds["framewise_displacement"][0])

    func = tmp_path / "bids" / "sub-03" / "func"
    scan = nib.load(func / "sub-03_task-story1_space-toyvolume_desc-preproc_bold.nii.gz")
    assert scan.shape == (*toy.GRID, 60)
    assert_allclose(scan.affine, nib.load(tmp_path / "parcels.nii.gz").affine)
    sidecar = json.loads((tmp_path / "bids" / "task-story1_bold.json").read_text())
    assert sidecar == {"RepetitionTime": 2.0}
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.*")) < 2e6
