"""Noise ceilings for stories: from hearings that were repeated, and from participants who agree.

What a person answers to every hearing of a story is signal, to one hearing alone noise: of R
z-scored hearings with the mean m, the explainable variance

    EV = var(m) − (1 − var(m)) / (R − 1)

estimates the share of the signal in the variance of one hearing (it is the mean correlation between
two). It is the ceiling of that participant's own responses, whereas the average of participants is
bounded by what they share (ceiling.py).

Neighbouring rows of a scan are alike, so the bootstrap draws blocks of 20 rows.
"""

from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.brain.ceiling import ceiling, ceilings, read_published, resamples
from geomod.brain.dataset import Dataset
from geomod.brain.inputs import AVERAGE, CeilingMethod, published_ceilings

Floats = NDArray[np.float64]

BLOCK = 20  # rows
DRAWS = 1000
TAILS = [2.5, 97.5]


def story_ceilings(
    dataset: Dataset, table: pd.DataFrame, repeats: pd.DataFrame, rows: pd.DataFrame, *, seed: int
) -> pd.DataFrame:
    """The ceilings of a dataset of stories, a row a region and participant, as `ceilings` gives.

    A participant with repeats has a ceiling by their explainable variance (method `repeats`); so
    has the average, where it is this one participant. All else is found from the agreement of
    participants, by `dataset.ceiling`, or published.
    """
    path = published_ceilings(dataset)
    published = read_published(path, dataset.regions, dataset.columns) if path else None
    method = cast(CeilingMethod, "participants" if path else dataset.ceiling)
    blocks = block_of(rows)
    found = ceilings(table, seed=seed, method=method, blocks=blocks, published=published)
    people = [name for name in table["participant"].unique() if name != AVERAGE]
    for place, row in enumerate(found.to_dict("records")):
        who = (
            people[0] if row["participant"] == AVERAGE and len(people) == 1 else row["participant"]
        )
        own = repeats[(repeats["region"] == row["region"]) & (repeats["participant"] == who)]
        if row["method"] == "published" or own["repeat"].nunique() < 2:
            continue
        items = table.loc[
            (table["region"] == row["region"]) & (table["participant"] == who), "item_id"
        ]
        better = _by_repeats(own, items, blocks, np.random.default_rng([seed, place]))
        found.loc[place, list(better)] = list(better.values())
    return found


def explainable_variance(hearings: Floats, weights: Floats | None = None) -> Floats:
    """EV of hearings [repeats, rows], z-scored each; one a row of `weights`, as `resamples` has."""
    hearings = np.asarray(hearings, dtype=np.float64)
    repeats, rows = hearings.shape
    weights = np.ones((1, rows)) if weights is None else weights
    total = weights.sum(axis=1)

    def variance(values: Floats) -> Floats:
        return (weights @ values**2) / total - ((weights @ values) / total) ** 2

    of_mean = variance(hearings.mean(axis=0))
    mean_of = np.mean([variance(own) for own in hearings], axis=0)
    share = of_mean / mean_of
    return share - (1 - share) / (repeats - 1)


def _by_repeats(
    own: pd.DataFrame, items: pd.Series, blocks: dict[str, int], rng: np.random.Generator
) -> dict[str, object]:
    """The columns of a ceiling that repeats give. Rows that were heard once have one hearing."""
    stories = own["item_id"].str.rsplit("@", n=1).str[0]
    draws, counts = [], []
    for _, story in own.groupby(stories, sort=False):
        hearings = story.pivot_table(index="repeat", columns="item_id", values="response")
        names = hearings.columns
        codes = pd.factorize(np.array([blocks[name] for name in names]))[0]
        weights = resamples(len(names), DRAWS, rng, codes)
        draws.append(explainable_variance(hearings.to_numpy(), weights) * len(names))
        counts.append((len(names), len(hearings)))
    rows = np.array([count for count, _ in counts])
    ev = np.clip(np.sum(draws, axis=0) / rows.sum(), 0, 1)
    once = max(0, len(items) - rows.sum())
    per_row = (once + sum(count / repeats for count, repeats in counts)) / (once + rows.sum())
    with np.errstate(divide="ignore"):
        ncsnr = np.sqrt(ev / (1 - ev))
    reached = ceiling(ncsnr, np.full(1, 1 / per_row))
    low, high = np.percentile(reached[1:], TAILS)
    return {
        "ceiling": reached[0],
        "low": low,
        "high": high,
        "sd_signal": np.sqrt(ev[0]),
        "sd_noise": np.sqrt(1 - ev[0]),
        "ncsnr": ncsnr[0],
        "n_participants": 1,
        "method": "repeats",
    }


def block_of(rows: pd.DataFrame) -> dict[str, int]:
    """Row → the block of 20 that it is in; no block reaches over the border of a story."""
    within = rows["tr"].to_numpy() // BLOCK
    keys = pd.MultiIndex.from_arrays([rows["story"], within])
    return dict(zip(rows["item_id"], pd.factorize(keys)[0].tolist(), strict=True))
