"""A simulated experiment in which people listen to stories, with planted answers.

Stories are told in the generated language, word by word, faster and slower. A region answers every
word after it, as blood does:

    signal(t) = Σ_words h(t − time of the word) · what the region sees in the word,

where `semantic` sees what the sentence is about, `rate` that there is a word, and `noise` nothing.
It is built from the times of the words, at the seconds at which volumes are taken, so that no step
from words to volumes is tested against itself. Scanners add noise that remembers the last volume,
slow drift, and a start-up transient.

Two people were measured on a surface (GIFTI, a file a hemisphere), one in a volume (NIfTI), all in
the folders and names of BIDS derivatives.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import factorial

from geomod.base.extras import extra
from geomod.base.files import whole
from geomod.toy.language import LATENTS, LINKS, TOPICS, Language, sample_sentences
from geomod.toy.shapes import (
    LEAD,
    STORY_REGIONS,
    SURFACE,
    SURFACE_SPACE,
    TR,
    VOLUME,
    VOLUME_SPACE,
    toy_stories,
)

Floats = NDArray[np.float64]

REST = 10.0  # s of scanning after the last word of a story, about

# What each region sees in a word: latent → weight; `rate` sees 1, whatever the word.
MIX: Mapping[str, Mapping[str, float]] = {
    "semantic": {"topic_a": 0.7, "topic_b": 0.7, "number": 0.3},
    "rate": {},
    "noise": {},
}
REGIONS = STORY_REGIONS

# Times of words: seconds a word, how much single words and stretches of speech differ (in log
# seconds), how much of its tempo speech keeps from second to second, the pause after a sentence.
WORD, UNEVEN, TEMPO, KEPT = 0.30, 0.35, 0.25, 0.93
PAUSE, PAUSE_SD = 0.6, 0.4
PARAGRAPH = 4  # sentences about one topic

# In units of the SD of a region's signal, which is 1 in every story.
NOISE = 1.5  # of a person in a region
MEMORY = 0.85  # the share of it that the next volume keeps
LOCATION_NOISE = 2.0  # of a vertex or voxel alone
DRIFT = 1.0  # of each cosine slower than PERIOD
PERIOD = 128.0  # s

VERTICES, MEDIAL_WALL = 12, 4  # of a region, and of none, in a hemisphere
GRID = (6, 5, 4)  # voxels, of which each region has a slice of the first axis, twice


def sample_stories(language: Language, stories: int, trs: int, seed: int) -> pd.DataFrame:
    """The words of stories that fill scans of so many volumes, with their times and latents.

    Columns story, word, onset, offset (s from the onset of the story), sentence, and the latents
    of the sentence, as ±1.
    """
    told = []
    for k, story in enumerate(toy_stories(stories)):
        rng = np.random.default_rng([seed, 5, k])
        words = _spoken(_text(language, trs, rng), trs * TR - LEAD - REST, rng)
        words.insert(0, "story", story)
        told.append(words)
    return pd.concat(told, ignore_index=True)


def _text(language: Language, trs: int, rng: np.random.Generator) -> pd.DataFrame:
    """More sentences than anyone can tell in that time: word, sentence, and latents."""
    count = PARAGRAPH * (1 + trs // PARAGRAPH)
    topic = np.repeat(rng.integers(TOPICS, size=count // PARAGRAPH), PARAGRAPH)
    number = rng.integers(2, size=count)
    openings = np.roll(LINKS[number], 1)
    openings[::PARAGRAPH] = "the"
    sentences = [text.split() for text in sample_sentences(language, topic, number, rng, openings)]
    latents = {"topic_a": topic & 1, "topic_b": topic >> 1 & 1, "number": number}
    which = np.repeat(np.arange(count), [len(words) for words in sentences])
    return pd.DataFrame(
        {
            "word": [word for words in sentences for word in words],
            "sentence": which,
            **{name: 2.0 * latents[name][which] - 1 for name in LATENTS},
        }
    )


def _spoken(text: pd.DataFrame, seconds: float, rng: np.random.Generator) -> pd.DataFrame:
    """The words that can be told in so many seconds, with onset and offset."""
    tempo = autoregressive(int(seconds) + 2, KEPT, rng)
    uneven = UNEVEN * rng.standard_normal(len(text))
    pauses = np.abs(rng.normal(PAUSE, PAUSE_SD, len(text)))
    pauses[text["sentence"].to_numpy() == text["sentence"].shift(-1).to_numpy()] = 0.0
    times, now = [], 0.0
    for drawn, pause in zip(uneven, pauses, strict=True):
        offset = now + WORD * float(np.exp(drawn - TEMPO * tempo[int(now)]))
        if offset > seconds:
            break
        times.append((now, offset))
        now = min(offset + pause, seconds)
    told = text.iloc[: len(times)].reset_index(drop=True)
    told.insert(1, "onset", [onset for onset, _ in times])
    told.insert(2, "offset", [offset for _, offset in times])
    return told


def haemodynamic(seconds: Floats) -> Floats:
    """h(t) = t⁵e⁻ᵗ/5! − t¹⁵e⁻ᵗ/(6 · 15!), the response t seconds after a word; 0 before it."""
    t = np.clip(seconds, 0, None)
    return np.exp(-t) * (t**5 / factorial(5) - t**15 / (6 * factorial(15)))


def row_times(trs: int, tr: float = TR, start: float = LEAD) -> Floats:
    """The seconds of the story in the middle of each volume."""
    return (np.arange(trs, dtype=np.float64) + 0.5) * tr - start


def planted(times: Floats, words: Floats, seen: Floats) -> Floats:
    """Σ_words h(t − word) · seen, `[times, columns]`."""
    return haemodynamic(times[:, None] - words) @ seen


def planted_signals(words: pd.DataFrame, trs: int) -> dict[str, pd.DataFrame]:
    """Story → the noise-free response of each region to each volume, mean 0 and SD 1."""
    sees = pd.DataFrame(0.0, index=words.index, columns=list(REGIONS))
    for region, mix in MIX.items():
        for latent, weight in mix.items():
            sees[region] += weight * (words[latent] - words[latent].mean())
    sees["rate"] = 1.0
    middle = ((words["onset"] + words["offset"]) / 2).to_numpy()
    signals = {}
    for story, rows in words.groupby("story", sort=False).indices.items():
        signal = planted(row_times(trs), middle[rows], sees.to_numpy()[rows])
        spread = signal.std(axis=0)
        scaled = (signal - signal.mean(axis=0)) / np.where(spread > 0, spread, 1)
        signals[str(story)] = pd.DataFrame(scaled, columns=list(REGIONS))
    return signals


def autoregressive(
    rows: int, kept: float, rng: np.random.Generator, columns: tuple[int, ...] = ()
) -> Floats:
    """Noise of SD 1 that keeps a share of what it was a row before, `[rows, *columns]`."""
    noise = rng.standard_normal((rows, *columns))
    for t in range(1, rows):
        noise[t] = kept * noise[t - 1] + (1 - kept**2) ** 0.5 * noise[t]
    return noise


def cosines(rows: int, tr: float = TR, period: float = PERIOD) -> Floats:
    """Every cosine of the rows that is slower than the period, with SD 1, `[rows, cosines]`."""
    count = int(2 * rows * tr / period)
    t = (np.arange(rows) + 0.5) / rows
    return 2**0.5 * np.cos(np.pi * t[:, None] * np.arange(1, count + 1))


def write_words(words: pd.DataFrame, path: Path) -> None:
    """The words as a table of stories that people hand in; what is planted is not in it."""
    columns = ["story", "word", "onset", "offset", "sentence"]
    with whole(path) as temporary:
        words[columns].round({"onset": 4, "offset": 4}).to_csv(temporary, index=False)


def simulate_listeners(
    language: Language, folder: Path, *, seed: int, stories: int = 6, trs: int = 120
) -> dict[str, Any]:
    """Write the scans of all people who hear the stories into `folder`; return what is planted.

    `bids/` has the scans and their confounds (cosines, motion), and `parcels_hemi-L.label.gii`,
    `parcels_hemi-R.label.gii`, `parcels.nii.gz` and `labels.tsv` say where the regions are.
    """
    words = sample_stories(language, stories, trs, seed)
    signals = planted_signals(words, trs)
    _write_regions(folder)
    for story, signal in signals.items():
        with whole(folder / "bids" / f"task-{story}_bold.json") as temporary:
            temporary.write_text(json.dumps({"RepetitionTime": TR}), encoding="utf-8")
        for person in (*SURFACE, *VOLUME):
            _measure(folder / "bids", person, story, signal.to_numpy(), seed)
    return planted_truth(words, seed, stories, trs)


def planted_truth(words: pd.DataFrame, seed: int, stories: int, trs: int) -> dict[str, Any]:
    """What must come back, known without a look at the brain; fit for JSON."""
    lags = np.arange(10, dtype=np.float64) * TR
    locations = {"surface": 2 * VERTICES, "volume": _voxels_of_a_region()}
    return {
        "seed": seed,
        "stories": stories,
        "trs": trs,
        "tr": TR,
        "start": LEAD,
        "words": len(words),
        "haemodynamic": {"seconds": lags.tolist(), "response": haemodynamic(lags).tolist()},
        "mix": {region: dict(mix) for region, mix in MIX.items()},
        "word_rate": "rate",
        "null": "noise",
        # Of one person, with the drift regressed out.
        "ceiling": {
            space: {
                region: 0.0
                if region == "noise"
                else (1 + NOISE**2 + LOCATION_NOISE**2 / count) ** -0.5
                for region in REGIONS
            }
            for space, count in locations.items()
        },
    }


def _measure(root: Path, person: str, story: str, signal: Floats, seed: int) -> None:
    """One run: what every location of every region did, and the confounds beside it."""
    number = int(story.removeprefix("story"))
    rng = np.random.default_rng([seed, 6, int(person), number])
    rows, surface = len(signal), person in SURFACE
    each = 2 * VERTICES if surface else _voxels_of_a_region()
    shared = signal + NOISE * autoregressive(rows, MEMORY, rng, (len(REGIONS),))
    slow, motion = cosines(rows), np.cumsum(rng.normal(0, 0.02, (rows, 6)), axis=0)
    size = (len(REGIONS), each)
    values = shared[:, :, None] + LOCATION_NOISE * autoregressive(rows, MEMORY, rng, size)
    values += np.einsum("tc,crl->trl", slow, rng.normal(0, DRIFT, (slow.shape[1], *size)))
    values += 8.0 * np.exp(-np.arange(rows))[:, None, None]  # gone with the rows that are trimmed
    values = 100 + values.transpose(1, 2, 0)  # region, location, volume
    name = root / f"sub-{person}" / "func" / f"sub-{person}_task-{story}"
    if surface:
        for place, hemisphere in enumerate("LR"):
            own = values[:, place * VERTICES : (place + 1) * VERTICES].reshape(-1, rows)
            wall = np.full((MEDIAL_WALL, rows), np.nan)
            path = name.with_name(
                f"{name.name}_hemi-{hemisphere}_space-{SURFACE_SPACE}_bold.func.gii"
            )
            _save_surface(np.concatenate([own, wall]), path)
    else:
        parcels, image = volume_parcels(), np.full((*GRID, rows), 10.0)
        for index, own in enumerate(values, start=1):
            image[parcels == index] = own
        path = name.with_name(f"{name.name}_space-{VOLUME_SPACE}_desc-preproc_bold.nii.gz")
        _save_volume(image.astype(np.float32), path)
    confounds = pd.DataFrame(slow, columns=[f"cosine{k:02d}" for k in range(slow.shape[1])])
    for k, direction in enumerate(("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")):
        confounds[direction] = motion[:, k]
    confounds["framewise_displacement"] = [np.nan, *np.abs(np.diff(motion, axis=0)).sum(axis=1)]
    with whole(name.with_name(f"{name.name}_desc-confounds_timeseries.tsv")) as temporary:
        confounds.round(6).to_csv(temporary, sep="\t", index=False, na_rep="n/a")


def volume_parcels() -> NDArray[np.int16]:
    """Indices 1 … of the regions in the grid; 0 around them."""
    parcels = np.zeros(GRID, dtype=np.int16)
    for index in range(1, len(REGIONS) + 1):
        parcels[2 * index - 2 : 2 * index, :-1] = index
    return parcels


def _voxels_of_a_region() -> int:
    return int((volume_parcels() == 1).sum())


def _write_regions(folder: Path) -> None:
    with whole(folder / "labels.tsv") as temporary:
        table = pd.DataFrame({"index": range(1, len(REGIONS) + 1), "region": REGIONS})
        table.to_csv(temporary, sep="\t", index=False)
    of_hemisphere = np.repeat([*range(1, len(REGIONS) + 1), 0], [VERTICES] * 3 + [MEDIAL_WALL])
    with extra("imaging"):
        import nibabel as nib
    table = nib.gifti.GiftiLabelTable()
    for key, region in enumerate(("???", *REGIONS)):
        label: Any = nib.gifti.GiftiLabel(key=key)
        label.label = region
        table.labels.append(label)
    for hemisphere in "LR":
        array = nib.gifti.GiftiDataArray(
            of_hemisphere.astype(np.int32), intent="NIFTI_INTENT_LABEL", datatype="NIFTI_TYPE_INT32"
        )
        image = nib.gifti.GiftiImage(darrays=[array], labeltable=table)
        with whole(folder / f"parcels_hemi-{hemisphere}.label.gii") as temporary:
            nib.save(image, temporary)
    _save_volume(volume_parcels(), folder / "parcels.nii.gz")


def _save_surface(values: Floats, path: Path) -> None:
    """An array a volume, as fMRIPrep writes them."""
    with extra("imaging"):
        import nibabel as nib
    arrays = [
        nib.gifti.GiftiDataArray(
            volume.astype(np.float32),
            intent="NIFTI_INTENT_TIME_SERIES",
            datatype="NIFTI_TYPE_FLOAT32",
        )
        for volume in values.T
    ]
    with whole(path) as temporary:
        nib.save(nib.gifti.GiftiImage(darrays=arrays), temporary)


def _save_volume(values: NDArray[Any], path: Path) -> None:
    with extra("imaging"):
        import nibabel as nib
    image = nib.Nifti1Image(values, np.diag([4.0, 4.0, 4.0, 1.0]))
    image.header.set_xyzt_units("mm", "sec")
    with whole(path) as temporary:
        nib.save(image, temporary)
