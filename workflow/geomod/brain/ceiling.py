"""Noise ceilings: the correlation that a perfect model would reach with noisy responses.

One model of the data stands behind every number here: participant p's response to sentence i is a
signal that all share plus noise of their own, y_ip = s_i + e_ip. A model that knows s exactly
correlates with the mean of n participants at

    NC = √(σ_s² / (σ_s² + σ_e² / n)) = √(ncsnr² / (ncsnr² + 1 / n)),   ncsnr = σ_s / σ_e,

whose square is the reliability of that mean. The two methods differ in how they find σ_s and σ_e.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import comb
from pathlib import Path
from typing import NamedTuple, cast
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from geomod.base.errors import InputError
from geomod.base.sheets import labels, numbers, read_sheet, require_columns
from geomod.brain.dataset import Dataset
from geomod.brain.inputs import CeilingMethod, published_ceilings
from geomod.brain.regions import match_regions
from geomod.brain.responses import AVERAGE, as_matrix

COLUMNS = [
    *("region", "participant", "ceiling", "low", "high", "sd_signal", "sd_noise", "ncsnr"),
    *("n_participants", "method"),
]
MAX_SPLITS = 128


class Variances(NamedTuple):
    """Signal and noise of a region, one value a draw (the first is the data themselves)."""

    sd_signal: np.ndarray
    sd_noise: np.ndarray
    participants: np.ndarray  # behind an average; the harmonic mean where sentences differ


def dataset_ceilings(dataset: Dataset, table: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """The ceilings of a dataset by the method that its section `ceiling` names.

    `ceiling` is "participants", "split_half", or the path of a table of published ceilings.
    """
    path = published_ceilings(dataset)
    if path is None:
        method = cast(CeilingMethod, dataset.ceiling)
        return ceilings(table, seed=seed, method=method)
    published = read_published(path, dataset.regions, dataset.columns, dataset.region_prefix)
    return ceilings(table, seed=seed, published=published)


def ceilings(
    table: pd.DataFrame,
    *,
    seed: int,
    method: CeilingMethod = "participants",
    published: Mapping[str, float] | None = None,
    blocks: Mapping[str, object] | None = None,
    draws: int = 1000,
    level: float = 0.95,
) -> pd.DataFrame:
    """A ceiling for each region's average, and for each participant's own responses (n = 1).

    `table` is what `responses.read_responses` gives. The interval is a percentile bootstrap over
    sentences, with these participants: it does not speak of other people. `published` (region →
    ceiling of the average) takes precedence. Without participants or a published value there is no
    ceiling: NaN, method 'none'. `blocks` (item → block) keeps neighbours together in the bootstrap.
    """
    single = table[table["participant"] != AVERAGE]
    tail = 100 * (1 - level) / 2
    rows = []
    for region in table["region"].unique():
        own = single[single["region"] == region]
        items, targets, values = as_matrix(own)
        names = list(targets["participant"])
        estimated = len(names) > 1
        if estimated:
            rng = np.random.default_rng([seed, crc32(region.encode())])
            weights = resamples(len(values), draws, rng, _codes(items, blocks))
            parts = variances(values, weights)
            with np.errstate(divide="ignore"):
                ncsnr = parts.sd_signal / parts.sd_noise
            if method == "split_half":
                reliability = split_half_reliability(values, weights, rng)
                with np.errstate(divide="ignore"):  # halves without noise agree perfectly
                    ncsnr = np.sqrt(reliability / (1 - reliability))
        for who in (AVERAGE, *names):
            row: dict[str, object] = {"region": region, "participant": who, "method": "none"}
            row["n_participants"] = len(names) if who == AVERAGE else 1
            if estimated:
                n = parts.participants if who == AVERAGE else np.ones(1)
                found = ceiling(ncsnr, n)
                low, high = np.nanpercentile(found[1:], [tail, 100 - tail])
                row |= {"ceiling": found[0], "low": low, "high": high, "method": method}
                row |= {"sd_signal": parts.sd_signal[0], "sd_noise": parts.sd_noise[0]}
                row["ncsnr"] = ncsnr[0]
            if who == AVERAGE and published and region in published:
                row |= {"ceiling": published[region], "low": np.nan, "high": np.nan}
                row["method"] = "published"
            rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(COLUMNS[2:8], "float64"))


def ceiling(ncsnr: np.ndarray, n: np.ndarray) -> np.ndarray:
    """√(ncsnr² / (ncsnr² + 1/n)), the ceiling in r of a mean over n participants."""
    with np.errstate(divide="ignore"):  # no signal: 1 / inf
        return np.sqrt(1 / (1 + 1 / (n * ncsnr**2)))


def noise_ceiling(responses: ArrayLike) -> float:
    """The ceiling in r of the mean of `responses` [sentences, participants], NaN where missing.

    The value that `ceilings` gives the average by its method `participants`.
    """
    values = np.asarray(responses, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 2:
        raise InputError(
            "responses [sentences, participants] of two participants or more are needed, but the "
            f"shape is {values.shape}"
        )
    present = ~np.isnan(values).all(axis=1)
    parts = variances(values[present], np.ones((1, int(present.sum()))))
    with np.errstate(divide="ignore"):
        return float(ceiling(parts.sd_signal / parts.sd_noise, parts.participants)[0])


def resamples(
    items: int, draws: int, rng: np.random.Generator, blocks: np.ndarray | None = None
) -> np.ndarray:
    """How often each item is in each bootstrap draw; the first row is the data as they are.

    With `blocks`, a number for each item, blocks are drawn and their items come with them.
    """
    count = items if blocks is None else int(blocks.max()) + 1
    counts = rng.multinomial(count, np.full(count, 1 / count), size=draws)
    return np.vstack([np.ones(items), counts if blocks is None else counts[:, blocks]])


def _codes(items: np.ndarray, blocks: Mapping[str, object] | None) -> np.ndarray | None:
    if blocks is None:
        return None
    return pd.factorize(np.array([blocks[item] for item in items], dtype=object))[0]


def variances(values: np.ndarray, weights: np.ndarray) -> Variances:
    """Signal and noise SD from the spread of participants around each sentence's mean.

    With V the variance over participants (ddof 1), averaged over sentences, and M the variance over
    sentences (ddof 1) of the participants' means: σ_e² = V and σ_s² = max(0, M − V / n). This is
    the estimate of Allen et al. 2022 (Nature Neuroscience 25, 116), with participants for trials.
    Where sentences were seen by different numbers of people, 1 / n is averaged over sentences.
    `values` is [sentences, participants], NaN where missing; `weights` as `resamples` makes them.
    """
    present = ~np.isnan(values)
    n = present.sum(axis=1)
    mean = np.nansum(values, axis=1) / n
    squares = np.nansum((values - mean[:, None]) ** 2, axis=1)
    several = n > 1
    if not several.any():
        raise InputError("no sentence has responses of two participants: there is no noise ceiling")
    spread = np.where(several, squares / np.maximum(n - 1, 1), 0)
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore"):  # a draw without any sentence that two people saw
        noise = (weights @ spread) / (weights @ several)
    of_means = (weights @ mean**2 - (weights @ mean) ** 2 / total) / (total - 1)
    per_average = (weights @ (1 / n)) / total
    signal = np.maximum(0, of_means - noise * per_average)
    return Variances(np.sqrt(signal), np.sqrt(noise), 1 / per_average)


def split_half_reliability(
    values: np.ndarray, weights: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Reliability of a single participant, from correlations between halves of the participants.

    The correlation r of the halves' means, averaged over splits (all of them, or many at random),
    is stepped down to one participant with the Spearman–Brown formula. Halves of a and b people
    (an odd number cannot be halved evenly) have r² = ρ_a ρ_b, with ρ_n = n ρ / (1 + (n − 1) ρ) the
    reliability of a mean of n; that is solved for ρ (Horst 1951, Psychometrika 16, 199). Where
    sentences were seen by different numbers of people, a and b are harmonic means.
    """
    splits = [_compare(values, half, weights) for half in halves(values.shape[1], rng)]
    r, per_a, per_b = np.mean(splits, axis=0)
    a, b, square = 1 / per_a, 1 / per_b, np.clip(r, 0, None) ** 2
    # (ab − r²(a−1)(b−1)) ρ² − r²(a+b−2) ρ − r² = 0, its positive root
    first, second = a * b - square * (a - 1) * (b - 1), square * (a + b - 2)
    return (second + np.sqrt(second**2 + 4 * first * square)) / (2 * first)


def halves(people: int, rng: np.random.Generator) -> Sequence[tuple[int, ...]]:
    """The participants in the first half, for every split or for many random ones."""
    size = people // 2
    if comb(people, size) <= 2 * MAX_SPLITS:
        every = list(combinations(range(people), size))
        return every[: len(every) // 2] if people % 2 == 0 else every  # else each split twice
    return [tuple(rng.permutation(people)[:size]) for _ in range(MAX_SPLITS)]


def _compare(values: np.ndarray, half: Sequence[int], weights: np.ndarray) -> np.ndarray:
    """Of each draw: the halves' correlation, and the mean of 1 / people in the first and second."""
    inside = np.isin(np.arange(values.shape[1]), half)
    present = ~np.isnan(values)
    people = np.stack([present[:, inside].sum(axis=1), present[:, ~inside].sum(axis=1)])
    both = (people > 0).all(axis=0)
    x = np.nansum(values[np.ix_(both, inside)], axis=1) / people[0, both]
    y = np.nansum(values[np.ix_(both, ~inside)], axis=1) / people[1, both]
    x, y, w = x - x.mean(), y - y.mean(), weights[:, both]
    terms = np.stack([x, y, x * x, y * y, x * y, *(1 / people[:, both])], axis=1)
    mx, my, mxx, myy, mxy, per_a, per_b = (w @ terms).T / w.sum(axis=1)
    return np.stack([(mxy - mx * my) / np.sqrt((mxx - mx**2) * (myy - my**2)), per_a, per_b])


def read_published(
    path: str | Path,
    regions: Sequence[str],
    columns: Mapping[str, str] | None = None,
    prefix: str | None = None,
) -> dict[str, float]:
    """Region → ceiling, from a table with these columns; a value must lie in (0, 1]."""
    path = Path(path)
    sheet = read_sheet(path, columns)
    require_columns(sheet.columns, path, ["region", "ceiling"])
    sheet["region"] = labels(sheet, path, "region")
    sheet["ceiling"] = numbers(sheet, path, "ceiling")
    names = match_regions(regions, sheet["region"], path, prefix)
    chosen = sheet[sheet["region"].isin(names)]
    repeated = chosen.index[chosen["region"].duplicated()]
    if len(repeated):
        raise InputError(f"{path}, row {repeated[0]}: a second ceiling of the same region.")
    outside = chosen.index[~chosen["ceiling"].between(0, 1, inclusive="right")]
    if len(outside):
        raise InputError(
            f"{path}, row {outside[0]}: the ceiling is {chosen['ceiling'][outside[0]]}; a "
            "correlation above 0, up to 1, is needed."
        )
    return dict(zip(chosen["region"].map(names), chosen["ceiling"], strict=True))
