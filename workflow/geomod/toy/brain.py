"""A simulated brain with planted answers, and the probe that says when they must emerge.

Five participants read sentences of the generated language. A voxel's beta is

    baseline + signal of its region + the participant's noise in that region + the voxel's own noise

The signal of a region is a fixed mix of the sentence's latents, the same in every participant:
temporal regions lean on the early latents, frontal ones on the late ones, `noise` on nothing. All
noise is independent of the sentences, so the noise ceiling of every region follows from its noise
variance, and so does that of the whole network, `netw`, which is the union of the five parcels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from geomod.base.extras import extra
from geomod.base.files import whole
from geomod.toy.language import EARLY, LATE, LATENTS, latents


@dataclass(frozen=True)
class Parcel:
    """A region as it is planted: where it lies, what it answers to and how reliably."""

    centre: tuple[float, float, float]  # mm, about where the region lies in a human brain
    voxels: int
    mix: Mapping[str, float]  # latent → share of the signal's variance
    ceiling: float  # of the participants' average; 0 where there is no signal


# The null region is not called so: tables take the word "null" for a missing value.
NETWORK, NULL = "netw", "noise"
PARCELS = {
    "IFGorb": Parcel((-47, 28, -6), 16, {"number": 0.94, "topic_a": 0.02, "topic_b": 0.04}, 0.70),
    "IFG": Parcel((-49, 16, 18), 20, {"number": 0.96, "topic_a": 0.02, "topic_b": 0.02}, 0.75),
    "MFG": Parcel((-42, 2, 48), 16, {"number": 0.95, "topic_a": 0.04, "topic_b": 0.01}, 0.72),
    "AntTemp": Parcel((-55, -2, -20), 56, {"number": 0.02, "topic_a": 0.33, "topic_b": 0.65}, 0.80),
    "PostTemp": Parcel((-57, -42, 8), 64, {"number": 0.02, "topic_a": 0.65, "topic_b": 0.33}, 0.80),
    NULL: Parcel((-30, -78, 24), 32, {}, 0.0),
}
FRONTAL = ("IFGorb", "IFG", "MFG")
TEMPORAL = ("AntTemp", "PostTemp")
LANGUAGE = (*FRONTAL, *TEMPORAL)

GRID = (8, 18, 12)  # voxels
VOXEL_MM = 8.0
ORIGIN_MM = (-64.0, -88.0, -32.0)
# In units of the SD of a region's signal.
VOXEL_NOISE = 4.0
NULL_NOISE = 2.0

# The least that encoding models choose from, as they do where there is no noise. More of it hides,
# half-way through training, what a layer holds in its weaker directions.
PROBE_PENALTY = 0.01


def simulate_brain(
    stimuli: pd.DataFrame, folder: Path, *, seed: int, participants: int = 5
) -> dict[str, Any]:
    """Write sub-01.nii.gz …, parcels.nii.gz and labels.tsv into `folder`; return what is planted.

    Volume t of a participant's betas is the response to row t of `stimuli`, whose columns are
    those of `geomod.toy.language.sample_stimuli`.
    """
    parcels = parcel_image()
    affine = np.diag([VOXEL_MM] * 3 + [1.0])
    affine[:3, 3] = ORIGIN_MM
    _save(parcels, affine, folder / "parcels.nii.gz")
    with whole(folder / "labels.tsv") as temporary:
        label_table().to_csv(temporary, sep="\t", index=False)

    signals = planted_signals(stimuli)
    for participant in range(participants):
        rng = np.random.default_rng([seed, 4, participant])
        betas = np.zeros((*GRID, len(stimuli)), dtype=np.float32)
        for index, (region, parcel) in enumerate(PARCELS.items(), start=1):
            size = (parcel.voxels, len(stimuli))
            shared = signals[region].to_numpy() + rng.normal(
                0, region_noise(region, participants) ** 0.5, len(stimuli)
            )
            baseline = rng.normal(0, 1, (parcel.voxels, 1))
            betas[parcels == index] = baseline + shared + rng.normal(0, VOXEL_NOISE, size)
        _save(betas, affine, folder / f"sub-{participant + 1:02d}.nii.gz")
    return planted_truth(stimuli, seed, participants)


def parcel_image() -> np.ndarray:
    """Indices 1 … 6 in the order of PARCELS: each takes the free voxels nearest to its centre."""
    places = np.stack(np.meshgrid(*map(np.arange, GRID), indexing="ij"), axis=-1)
    places = places * VOXEL_MM + np.array(ORIGIN_MM)
    parcels = np.zeros(GRID, dtype=np.int16)
    for index, parcel in enumerate(PARCELS.values(), start=1):
        distance = np.linalg.norm(places - parcel.centre, axis=-1)
        distance[parcels > 0] = np.inf
        nearest = np.argsort(distance, axis=None, kind="stable")[: parcel.voxels]
        parcels.flat[nearest] = index
    return parcels


def label_table() -> pd.DataFrame:
    """index, region: a row for each parcel, and one more for each parcel of the network."""
    index = {region: i for i, region in enumerate(PARCELS, start=1)}
    rows = [*index.items(), *((NETWORK, index[region]) for region in LANGUAGE)]
    return pd.DataFrame(rows, columns=["region", "index"])[["index", "region"]]


def planted_signals(stimuli: pd.DataFrame) -> pd.DataFrame:
    """The noise-free response of each region, and of the network, to each sentence.

    A region's signal has mean 0 and SD 1; that of the network is the mean over its voxels.
    """
    values = pd.DataFrame(latents(stimuli), columns=list(LATENTS))
    signals = pd.DataFrame(0.0, index=values.index, columns=list(PARCELS))
    for region, parcel in PARCELS.items():
        for latent, share in parcel.mix.items():
            signals[region] += share**0.5 * values[latent]
        if parcel.mix:
            signals[region] /= signals[region].std(ddof=0)
    signals[NETWORK] = signals[list(LANGUAGE)] @ network_weights()
    return signals


def network_weights() -> np.ndarray:
    """Share of the network's voxels that each of its regions has."""
    voxels = np.array([PARCELS[region].voxels for region in LANGUAGE], dtype=float)
    return voxels / voxels.sum()


def mean_noise(region: str, participants: int) -> float:
    """Variance of the noise in one participant's region mean, where the signal's is 1.

    The ceiling of an average over n participants is NC² = s / (s + 1/n) with s = signal variance
    over noise variance, so a planted NC asks for a noise variance of n (1 − NC²) / NC².
    """
    ceiling = PARCELS[region].ceiling
    return participants * (1 - ceiling**2) / ceiling**2 if ceiling else NULL_NOISE**2


def region_noise(region: str, participants: int) -> float:
    """The part of `mean_noise` that a region's voxels share, and averaging them does not remove."""
    shared = mean_noise(region, participants) - VOXEL_NOISE**2 / PARCELS[region].voxels
    if shared < 0:
        raise ValueError(f"the voxels of {region} alone are noisier than its ceiling allows")
    return shared


def planted_truth(stimuli: pd.DataFrame, seed: int, participants: int) -> dict[str, Any]:
    """What must come back, known without a look at the brain; fit for JSON."""
    ceilings = {region: parcel.ceiling for region, parcel in PARCELS.items()}
    noise = np.array([mean_noise(region, participants) for region in LANGUAGE])
    signal = planted_signals(stimuli)[NETWORK].var(ddof=0)
    network_noise = float(noise @ network_weights() ** 2)
    ceilings[NETWORK] = float((signal / (signal + network_noise / participants)) ** 0.5)
    mixes = {region: dict(parcel.mix) for region, parcel in PARCELS.items()}
    return {
        "seed": seed,
        "participants": participants,
        "sentences": len(stimuli),
        "latents": {"early": list(EARLY), "late": list(LATE)},
        "mix": mixes,
        "early_share": {
            region: sum(share for name, share in mix.items() if name in EARLY)
            for region, mix in mixes.items()
        },
        "ceiling": ceilings,
        "null": NULL,
        "first": list(TEMPORAL),
        "later": list(FRONTAL),
    }


def probe(layers: np.ndarray, targets: pd.DataFrame, folds: int = 5, seed: int = 0) -> pd.DataFrame:
    """How well each noise-free target can be read, linearly, from each layer of one checkpoint.

    `layers` is [layers, sentences, width], `targets` has a column a target. Columns layer, target,
    score: the mean over folds of Pearson's r on held-out sentences, as for a brain, with the ridge
    penalty that a target without noise asks for.
    """
    from sklearn.model_selection import KFold  # here, where few jobs come by

    wanted = targets.to_numpy(dtype=float)
    scores = np.zeros((len(layers), wanted.shape[1]))
    for train, test in KFold(folds, shuffle=True, random_state=seed).split(wanted):
        for layer, features in enumerate(np.asarray(layers, dtype=float)):
            mean, spread = features[train].mean(0), features[train].std(0)
            x = (features - mean) / np.where(spread > 0, spread, 1)
            gram = x[train].T @ x[train] + PROBE_PENALTY * np.eye(x.shape[1])
            weights = np.linalg.solve(gram, x[train].T @ (wanted[train] - wanted[train].mean(0)))
            scores[layer] += _correlation(x[test] @ weights, wanted[test]) / folds
    return pd.DataFrame(
        {
            "layer": np.repeat(np.arange(len(layers)), wanted.shape[1]),
            "target": list(targets.columns) * len(layers),
            "score": scores.ravel(),
        }
    )


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's r of each column; 0 where a column is constant."""
    a, b = a - a.mean(0), b - b.mean(0)
    norm = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
    return np.divide((a * b).sum(0), norm, out=np.zeros(a.shape[1]), where=norm > 0)


def _save(values: np.ndarray, affine: np.ndarray, path: Path) -> None:
    with extra("imaging"):
        import nibabel as nib
    image = nib.Nifti1Image(values, affine)
    image.header.set_xyzt_units("mm")
    with whole(path) as temporary:
        nib.save(image, temporary)
