"""The simulated brain: what is planted is in the images, and the probe reads what is there."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from geomod.ridge.engine import encode
from geomod.toy import brain as simulate
from geomod.toy.brain import (
    FRONTAL,
    LANGUAGE,
    NETWORK,
    NULL,
    PARCELS,
    PROBE_PENALTY,
    TEMPORAL,
    planted_signals,
    probe,
    simulate_brain,
)
from geomod.toy.language import LATENTS, latents, make_language, sample_stimuli


@pytest.fixture(scope="module")
def stimuli() -> pd.DataFrame:
    return sample_stimuli(make_language(0), 1000, seed=0)


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory, stimuli: pd.DataFrame) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("brain")
    return folder, simulate_brain(stimuli, folder, seed=0)


def region_means(folder: Path) -> dict[str, np.ndarray]:
    """Region → [participants, sentences], read back from the files."""
    labels = pd.read_csv(folder / "labels.tsv", sep="\t")
    parcels = np.asarray(nib.load(folder / "parcels.nii.gz").dataobj)
    betas = [nib.load(path).get_fdata() for path in sorted(folder.glob("sub-*.nii.gz"))]
    return {
        str(region): np.array([beta[np.isin(parcels, rows["index"])].mean(0) for beta in betas])
        for region, rows in labels.groupby("region")
    }


def noise_ceiling(responses: np.ndarray) -> float:
    """The ceiling of the mean over n participants, in r, in the plainest words."""
    n, sentences = responses.shape
    noise = sum(np.var(responses[:, i], ddof=1) for i in range(sentences)) / sentences
    signal = max(0.0, np.var(responses.mean(0), ddof=1) - noise / n)
    return float(np.sqrt(signal / (signal + noise / n)))


# ------------------------------------------------------------------------------------------ images


def test_images_and_labels_fit_together(brain: tuple[Path, dict], stimuli: pd.DataFrame) -> None:
    folder, _ = brain
    assert {path.name for path in folder.iterdir()} == {
        "labels.tsv",
        "parcels.nii.gz",
        *(f"sub-0{i}.nii.gz" for i in range(1, 6)),
    }
    parcels = nib.load(folder / "parcels.nii.gz")
    betas = nib.load(folder / "sub-01.nii.gz")
    assert betas.shape == (*parcels.shape, len(stimuli))
    np.testing.assert_array_equal(betas.affine, parcels.affine)
    assert (folder / "sub-01.nii.gz").stat().st_size < 5e6

    labels = pd.read_csv(folder / "labels.tsv", sep="\t", keep_default_na=True)
    assert set(labels["region"]) == {*PARCELS, NETWORK}
    single = labels[labels["region"] != NETWORK].set_index("region")["index"]
    assert single.is_unique
    union = labels.loc[labels["region"] == NETWORK, "index"]
    assert set(union) == set(single[list(LANGUAGE)])


def test_parcels_are_connected_and_near_their_centres(brain: tuple[Path, dict]) -> None:
    image = nib.load(brain[0] / "parcels.nii.gz")
    values = np.asarray(image.dataobj)
    for index, (region, parcel) in enumerate(PARCELS.items(), start=1):
        places = np.argwhere(values == index)
        assert len(places) == parcel.voxels
        assert ndimage.label(values == index, np.ones((3, 3, 3)))[1] == 1, region
        middle = nib.affines.apply_affine(image.affine, places).mean(0)
        assert np.linalg.norm(middle - parcel.centre) < 16, region


def test_same_seed_same_brain(tmp_path: Path, stimuli: pd.DataFrame) -> None:
    few = stimuli.head(40)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate_brain(few, tmp_path / name, seed=seed, participants=2)
    a, b, c = (nib.load(tmp_path / name / "sub-02.nii.gz").get_fdata() for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)
    first = nib.load(tmp_path / "a" / "sub-01.nii.gz").get_fdata()
    assert not np.array_equal(a, first)


# ----------------------------------------------------------------------------------------- planted


def test_signals_hold_the_planted_shares(stimuli: pd.DataFrame) -> None:
    signals = planted_signals(stimuli)
    for region in LANGUAGE:
        signal = signals[region].to_numpy()
        assert signal.mean() == pytest.approx(0, abs=1e-12)
        assert signal.std() == pytest.approx(1)
        # The latents are all but uncorrelated, so that squared correlations are shares.
        shares = [np.corrcoef(signal, z)[0, 1] ** 2 for z in latents(stimuli).T]
        planted = [PARCELS[region].mix.get(name, 0.0) for name in LATENTS]
        np.testing.assert_allclose(shares, planted, atol=0.02)
        assert sum(planted) == pytest.approx(1)
    assert (signals[NULL] == 0).all()


def test_temporal_regions_lean_on_early_latents_and_frontal_ones_on_late(
    brain: tuple[Path, dict],
) -> None:
    share = brain[1]["early_share"]
    assert min(share[region] for region in TEMPORAL) > 0.8
    assert max(share[region] for region in FRONTAL) < 0.2


def test_truth_is_json_and_names_everything(brain: tuple[Path, dict]) -> None:
    truth = json.loads(json.dumps(brain[1]))
    assert truth == brain[1]
    assert truth["null"] == NULL
    assert set(truth["ceiling"]) == {*PARCELS, NETWORK}
    assert set(truth["first"]) == set(TEMPORAL)
    assert set(truth["later"]) == set(FRONTAL)


@pytest.mark.parametrize(("seed", "participants"), [(0, 5), (1, 5), (2, 5), (3, 2), (4, 9)])
def test_ceilings_come_back(tmp_path: Path, seed: int, participants: int) -> None:
    stimuli = sample_stimuli(make_language(seed), 1000, seed)
    truth = simulate_brain(stimuli, tmp_path, seed=seed, participants=participants)
    for region, responses in region_means(tmp_path).items():
        planted = truth["ceiling"][region]
        found = noise_ceiling(responses)
        if region == NULL:
            assert found < 0.25
        else:
            assert found == pytest.approx(planted, rel=0.10), region


def test_best_possible_prediction_reaches_the_ceiling(
    brain: tuple[Path, dict], stimuli: pd.DataFrame
) -> None:
    """The correlation of the true signal with the average response *is* the ceiling."""
    signals, responses = planted_signals(stimuli), region_means(brain[0])
    for region in (*LANGUAGE, NETWORK):
        r = np.corrcoef(signals[region], responses[region].mean(0))[0, 1]
        assert r == pytest.approx(brain[1]["ceiling"][region], abs=0.06), region


def test_null_region_follows_nothing(brain: tuple[Path, dict], stimuli: pd.DataFrame) -> None:
    average = region_means(brain[0])[NULL].mean(0)
    length = stimuli["sentence"].str.len().to_numpy()
    for z in (*latents(stimuli).T, length):
        assert abs(np.corrcoef(average, z)[0, 1]) < 4 / len(stimuli) ** 0.5


def test_a_ceiling_that_voxels_cannot_keep_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "VOXEL_NOISE", 40.0)
    with pytest.raises(ValueError, match="noisier than its ceiling"):
        simulate.region_noise("IFG", participants=5)


# ------------------------------------------------------------------------------------------- probe


def test_probe_equals_a_plain_loop(stimuli: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    signals = planted_signals(stimuli)[[*LANGUAGE, NETWORK]].head(200)
    features = rng.normal(size=(2, 200, 9))
    features[1, :, :6] += signals.to_numpy()
    found = probe(features, signals, seed=5)
    assert list(found.columns) == ["layer", "target", "score"]
    for (layer, target), row in found.set_index(["layer", "target"]).iterrows():
        r = []
        for train, test in KFold(5, shuffle=True, random_state=5).split(features[layer]):
            model = make_pipeline(StandardScaler(), Ridge(alpha=PROBE_PENALTY))
            model.fit(features[layer][train], signals[target].iloc[train])
            predicted = model.predict(features[layer][test])
            r.append(np.corrcoef(predicted, signals[target].iloc[test])[0, 1])
        assert row["score"] == pytest.approx(np.mean(r), abs=1e-10)


def test_probe_reads_what_is_there_and_nothing_else(stimuli: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    z = latents(stimuli)
    features = np.stack(
        [rng.normal(size=(len(z), 12)), np.ones((len(z), 12)), z @ rng.normal(size=(3, 12))]
    )
    targets = pd.DataFrame(z, columns=list(LATENTS)).assign(constant=0.0)
    scores = probe(features, targets)["score"].to_numpy().reshape(3, len(LATENTS) + 1)
    assert np.abs(scores[0]).max() < 0.15  # noise
    assert (scores[1] == 0).all()  # the same for each sentence
    assert scores[2, :-1].min() > 0.999
    assert (scores[:, -1] == 0).all()  # a target that is constant


def test_the_probe_reads_weak_directions_as_an_encoding_model_does() -> None:
    """Half of the target lies where features hardly vary, as it does while a model learns."""
    rng = np.random.default_rng(2)
    strong, weak = rng.normal(size=(2, 400, 1))
    features = strong + 0.03 * weak * rng.normal(size=12) + 0.002 * rng.normal(size=(400, 12))
    target = (strong + weak)[:, 0]
    found = probe(features[None], pd.DataFrame({"both": target}))["score"].item()
    assert found == pytest.approx(encode(features, target).score.item(), abs=0.005)
