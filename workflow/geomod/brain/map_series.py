"""The voxel maps of one participant over training: what changed, what voxels prefer, and how
clustered that is.

A map of scores is a number a voxel, for a step and a layer. *Change* is the map less that of the
same layer at step 0, which an untrained model has for nothing. *Selectivity* is the map less its
mean over the layers that were mapped: where a layer predicts more than layers do.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from geomod.brain.moran import Array, basis, correlation_p, expected, moran

Maps = Mapping[tuple[int, int], Array]  # by step and layer

COLUMNS = ["step", "layer", "map", "i", "i_expected", "i_gain", "r_untrained", "p_untrained", "n"]
# Voxels above which the eigenvectors of a mask, n³, are not to be had.
LARGEST = 10_000


def changes(scores: Maps) -> Maps:
    """Each map less that of its layer at step 0; none where that was not mapped."""
    return {
        (step, layer): values - scores[0, layer]
        for (step, layer), values in scores.items()
        if step != 0 and (0, layer) in scores
    }


def selectivities(scores: Maps) -> Maps:
    """Each map less the mean of its step over the layers; none where one layer was mapped."""
    steps = {step: [values for (k, _), values in scores.items() if k == step] for step, _ in scores}
    return {
        (step, layer): values - np.mean(steps[step], axis=0)
        for (step, layer), values in scores.items()
        if len(steps[step]) > 1
    }


def series(scores: Maps, weights: csr_array, *, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Moran's I of every map of scores, selectivity and change, a row each: COLUMNS.

    `i_gain` is I less that of the same layer's map at step 0. `r_untrained` correlates the map with
    that one, `p_untrained` (two-sided) holds this against `draws` maps as smooth as the map (Moran
    spectral randomization): low where the place of high values was there before training. They are
    NaN without step 0, of change, and where a value is not finite; p also with more than 10,000
    voxels.
    """
    n = weights.shape[0]
    vectors = basis(weights) if n <= LARGEST else None
    rows = []
    kinds = {"score": scores, "selectivity": selectivities(scores), "change": changes(scores)}
    for number, (kind, maps) in enumerate(kinds.items()):
        found = {key: moran(values, weights) for key, values in maps.items()}
        for (step, layer), values in maps.items():
            gain = found[step, layer] - found.get((0, layer), np.nan)
            r = p = np.nan
            untrained = maps.get((0, layer))
            if step != 0 and untrained is not None:
                rng = np.random.default_rng([seed, number, step, layer])
                r, p = correlation_p(values, untrained, vectors, draws, rng)
            row = (step, layer, kind, found[step, layer], expected(n), gain, r, p)
            rows.append((*row, int(np.isfinite(values).sum())))
    return pd.DataFrame(rows, columns=COLUMNS)
