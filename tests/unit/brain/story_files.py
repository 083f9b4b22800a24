"""One small brain that listens to stories, and its files in every layout."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from geomod.brain.dataset import Dataset
from geomod.brain.story import (
    read_story_responses,
)
from geomod.brain.story_runs import find_runs

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
