"""Do deeper layers, and later times of training, go with higher places in the cortical hierarchy?

The spatial score of Raugel et al. 2025 (arXiv 2508.18226) is the correlation over regions of the
layer that predicts a region best with the region's place in an order that the user gives. The layer
order alone can do that: read the score of a trained model beside that of step 0.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from geomod.curves.curves import AVERAGE
from geomod.curves.estimates import rng_of

Array = NDArray[np.float64]

FEWEST_REGIONS = 4  # with three, every order comes about by chance in a sixth of the cases
EXACT = 8  # regions up to which all orders are tried
DRAWS = 10_000

COLUMNS = ["model", "step", "quantity", "rho", "p", "n", "n_unknown"]


def hierarchy(
    encoding: pd.DataFrame,
    emergence: pd.DataFrame,
    order: Mapping[str, float],
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """Spearman's ρ over regions of a quantity with the region's place in `order`.

    `best_layer` is the block with the highest score of the participants' average, `mean_layer` the
    mean depth Σ l s₊ / Σ s₊ weighted by what of the scores is above 0 (one layer less or more
    hardly moves it, where the best one jumps), both at every step; `t50` is the half-time of the
    region's rise, where it is not censored, and has no step. `p` is two-sided, over all orders of
    up to 8 regions, else over 10,000. `n` regions count; `n_unknown` are those that `order` does
    not place or that have no such number. NaN with fewer than four.
    """
    rows: list[tuple[object, ...]] = []
    blocks = encoding[(encoding["layer"] > 0) & (encoding["participant"] == AVERAGE)]
    for (model, step), own in blocks.groupby(["model", "step"], sort=False):
        scores = own.pivot_table(index="region", columns="layer", values="score", dropna=False)
        for quantity, values in _layers_of(scores):
            rng = rng_of(seed, "hierarchy", str(model), int(step))
            rows.append((model, step, quantity, *held_against(values, order, rng)))
    for model, own in emergence.groupby("model", sort=False):
        known = own.set_index("region")["t50"].mask(own.set_index("region")["censored"])
        rng = rng_of(seed, "hierarchy", str(model))
        rows.append((model, pd.NA, "t50", *held_against(known, order, rng)))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"step": "Int64"})


def _layers_of(scores: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    """The depth of each region, by two readings of scores [regions, layers]."""
    layers, values = scores.columns.to_numpy(dtype=float), scores.to_numpy(dtype=float)
    seen = np.isfinite(values).any(axis=1)
    best = np.where(
        seen, layers[np.where(np.isfinite(values), values, -np.inf).argmax(axis=1)], np.nan
    )
    yield "best_layer", pd.Series(best, index=scores.index)
    above = np.where(values > 0, values, 0)
    total = above.sum(axis=1)
    mean = np.divide(above @ layers, total, out=np.full(len(total), np.nan), where=total > 0)
    yield "mean_layer", pd.Series(mean, index=scores.index)


def held_against(
    values: pd.Series, order: Mapping[str, float], rng: np.random.Generator
) -> tuple[float, float, int, int]:
    """ρ, p, n and n_unknown of a value a region."""
    places = pd.Series({region: order.get(str(region), np.nan) for region in values.index})
    known = (np.isfinite(values.astype(float)) & np.isfinite(places.astype(float))).to_numpy()
    n = int(known.sum())
    if n < FEWEST_REGIONS:
        return np.nan, np.nan, n, len(values) - n
    rho, p = spearman(values.to_numpy(float)[known], places.to_numpy(float)[known], rng)
    return rho, p, n, len(values) - n


def spearman(x: Array, y: Array, rng: np.random.Generator) -> tuple[float, float]:
    """Spearman's ρ and its two-sided p under permutation; NaN where either does not vary."""
    first, second = (rankdata(values) - (len(values) + 1) / 2 for values in (x, y))
    size = np.sqrt((first @ first) * (second @ second))
    if not size > 0:
        return np.nan, np.nan
    rho = float(first @ second / size)
    if len(x) <= EXACT:
        null = second[orders(len(x))] @ first / size
        return rho, float((np.abs(null) >= abs(rho) - 1e-9).sum() / factorial(len(x)))
    null = rng.permuted(np.tile(second, (DRAWS, 1)), axis=1) @ first / size
    return rho, float((1 + (np.abs(null) >= abs(rho) - 1e-9).sum()) / (1 + DRAWS))


@cache
def orders(n: int) -> NDArray[np.int64]:
    """All n! orders of n things, [n!, n]."""
    return np.array(list(permutations(range(n))), dtype=np.int64)
