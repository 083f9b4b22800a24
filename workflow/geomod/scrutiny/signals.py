"""What controls answer to: what some blocks of a run's own models predict, and others do not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import eigh

from geomod.base.errors import InputError
from geomod.base.sheets import read_sheet, require_columns
from geomod.coupling.within_depth import within_depth
from geomod.geometry.measuring import summarize
from geomod.modules.partition import layer_points, split

Array = NDArray[np.float64]

Features = Mapping[int, NDArray[Any]]  # layer → [sentences, width]
COLUMNS_OF_PART = 10  # signals of a part, of which a region's is a mix


@dataclass(frozen=True)
class Contrasts:
    """Layer → weight, by the geometry of one checkpoint: what claims 2 and 4 set against alignment.

    `modules`: blocks of low against those of high complexity. `curvature`: blocks that are less
    curved than their depth lets expect against those that are more.
    """

    modules: Mapping[int, float] = field(default_factory=dict)
    curvature: Mapping[int, float] = field(default_factory=dict)


def contrasts_of(geometry: pd.DataFrame, variants: Mapping[str, str]) -> Contrasts:
    """The contrasts of one checkpoint, from its sentences; empty where there is none."""
    blocks = summarize(geometry[geometry["layer"] > 0]).assign(step=0)
    layers, _, points = layer_points(blocks, variants["entropy"], variants["curvature"])
    if not len(points):
        return Contrasts()
    low = split(points[-1], 2) == 0
    modules = low / low.sum() - ~low / max((~low).sum(), 1)
    straight = -within_depth(points[-1][None, :, 1])[0]
    size = np.abs(straight).sum() / 2
    return Contrasts(
        *(
            dict(zip(map(int, layers), map(float, weights), strict=True))
            for weights, known in ((modules, ~low.all()), (straight / (size or 1.0), size > 0))
            if known
        )
    )


def own_signals(path: str | Path, stimuli: pd.DataFrame) -> pd.DataFrame:
    """Noise-free responses of the user's, a row a sentence in the order of `stimuli`.

    The file has a column `item_id`, and a column a region or one for all.
    """
    sheet = read_sheet(path)
    require_columns(sheet.columns, Path(path), ["item_id"])
    names = [name for name in sheet.columns if name != "item_id"]
    if not names:
        raise InputError(f"{path}: beside item_id there is no column of responses.")
    found = sheet.set_index("item_id")[names].apply(pd.to_numeric, errors="coerce")
    found = found[~found.index.duplicated()].reindex(stimuli["item_id"])
    lacking = found.index[~np.isfinite(found).all(axis=1)]
    if len(lacking):
        raise InputError(
            f"{path}: {len(lacking)} of {len(found)} sentences have no number in every column, "
            f"{lacking[0]!r} first; every sentence needs one row of numbers."
        )
    return found.reset_index(drop=True)


def parts_of(
    last: Features, early: Features | None, contrasts: Contrasts, stimuli: pd.DataFrame
) -> dict[str, Array]:
    """What signals are made from, [sentences, columns] by name; a part that nothing is in is out.

    `last` and `early` give layer → features of the last and of an early step, `contrasts` are those
    of the last. Each part is what some features predict better than others do (`leading`).
    """
    last, early = (
        {layer: x for layer, x in sorted((step or {}).items()) if layer and np.isfinite(x).all()}
        for step in (last, early)
    )
    smoothers = {layer: smoother(x) for layer, x in last.items()}
    empty = np.zeros((len(stimuli), len(stimuli)))
    before = sum(map(smoother, early.values()), empty) / max(len(early), 1)
    after = sum(smoothers.values(), empty) / max(len(last), 1)

    def against(weights: Mapping[int, float]) -> Array:
        return sum((w * smoothers[k] for k, w in weights.items() if k in smoothers), empty)

    modules = against(contrasts.modules)
    parts = {
        "low": leading(modules),
        "high": leading(-modules),
        "straight": leading(against(contrasts.curvature)),
        "early": leading(before),
        "late": leading(after - before if early else empty),
        "length": stimuli[["n_words", "n_characters"]].to_numpy(dtype=float),
    }
    return {name: part for name, part in parts.items() if varies(part).any()}


def smoother(features: NDArray[Any]) -> Array:
    """What a ridge on these features predicts of responses to the same sentences: [n, n].

    The penalty is the mean over features of their variance: of a direction with as much, half
    is predicted.
    """
    x = standardized(np.asarray(features, dtype=np.float64))
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    weights = s**2 / (s**2 + len(x))
    return np.asarray((u * weights) @ u.T)


def leading(contrast: Array) -> Array:
    """What a contrast of smoothers C predicts best: `COLUMNS_OF_PART` signals at most.

    y'Cy, the weighted mean of what is predicted of y, is largest for the leading eigenvectors of C.
    Each has the length of its eigenvalue, so that a mix leans on the best of them.
    """
    n = len(contrast)
    if not contrast.any():
        return np.empty((n, 0))
    values, vectors = eigh(contrast, subset_by_index=(max(n - COLUMNS_OF_PART, 0), n - 1))
    there = values > 1e-9
    return np.asarray(vectors[:, there] * values[there])


def standardized(values: Array) -> Array:
    """Columns of mean 0 and SD 1; one that does not vary becomes 0."""
    centred, known = values - values.mean(axis=0), varies(values)
    return np.where(known, centred / np.where(known, values.std(axis=0), 1.0), 0.0)


def varies(values: Array) -> NDArray[np.bool_]:
    """Which columns vary by more than their own rounding."""
    if not values.size:
        return np.zeros(values.shape[1], dtype=bool)
    spread: NDArray[np.bool_] = values.std(axis=0) > 1e-9 * np.abs(values).max(axis=0)
    return spread
