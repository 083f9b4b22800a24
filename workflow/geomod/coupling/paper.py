"""The paper's headline: partial correlations of geometry and score given training progress.

Points of one curve count as independent in `p`, which they are not (docs/statistics.md says how
often that p is below .05 where there is nothing). `p_shift` beside it keeps curves whole.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.coupling.other_tests import circular_shift_p
from geomod.coupling.within_depth import partial_correlation, semi_partial_r2
from geomod.curves.curves import Curves
from geomod.curves.estimates import false_discovery_rate, network_of
from geomod.curves.settings import Settings

Array = NDArray[np.float64]

POOLED = "all"  # in the column `model`: layers and steps of all models together
METHODS = ("pearson", "spearman")
COLUMNS = [
    "model",
    "region",
    "layer",
    "predictor",
    "method",
    "r",
    "p",
    "q",
    "p_shift",
    "semi_partial_r2",
    "n",
]


def correlations(curves: Sequence[Curves], settings: Settings) -> pd.DataFrame:
    """r of curvature, and of entropy, with the score given log10(step + 1), as in the paper.

    One row a model (and `all`), region, layer (empty: layers × steps pooled), predictor and
    method. `p_shift` is against all cyclic shifts of the predictor over training, the layers
    together; it cannot go below 1 / steps, and models pooled have none. `q` (Benjamini–Hochberg)
    is over the rows of one predictor, method and kind: pooled layers, single layers, all models.
    """
    rows = []
    for model, region, layer, predictor, parts in _questions(curves, settings):
        x, y, time = (np.concatenate([part[i].ravel() for part in parts]) for i in range(3))
        if len(x) < 4 or np.ptp(time) == 0:  # at one step there is no progress to hold fixed
            continue
        whole = parts[0] if len(parts) == 1 else None
        for method in METHODS:
            r, p = partial_correlation(x, y, time, method)
            shifted = np.nan if whole is None else circular_shift_p(*whole, method)
            rows.append((model, region, layer, predictor, method, r, p, np.nan, shifted,
                         semi_partial_r2(x, y, time), len(x)))  # fmt: skip
    table = pd.DataFrame(rows, columns=COLUMNS).astype({"layer": "Int64"})
    kind = table["layer"].isna().astype(int) + (table["model"] == POOLED)
    families = table.groupby([table["predictor"], table["method"], kind])["p"]
    table["q"] = families.transform(lambda p: false_discovery_rate(p.to_numpy()))
    return table


def of_network(table: pd.DataFrame, curves: Sequence[Curves], settings: Settings) -> pd.DataFrame:
    """The rows about the language network, layers pooled: what the paper reports."""
    names = {_name(network_of(c, settings)) for c in curves}
    pooled = table[table["layer"].isna() & table["region"].isin(names)]
    return pooled.drop(columns="layer")


def _questions(
    curves: Sequence[Curves], settings: Settings
) -> Iterator[tuple[str, str, int | None, str, list[tuple[Array, Array, Array]]]]:
    """Model, region, layer, predictor, and their x, y and time [steps, layers], model by model."""
    for predictor in ("curvature", "entropy"):
        pooled: dict[str, list[tuple[Array, Array, Array]]] = {}
        for c in curves:
            groups = {_name(group): group for group in _groups(c, settings)}
            for name, group in groups.items():
                x, y = c.metrics[predictor], c.of(group)
                every = _whole(x, y, c.time)
                pooled.setdefault(name, []).append(every)
                yield c.model, name, None, predictor, [every]
                for column, layer in enumerate(c.layers):
                    own = _whole(x[:, [column]], y[:, [column]], c.time)
                    yield c.model, name, int(layer), predictor, [own]
        for name, parts in pooled.items() if len(curves) > 1 else ():
            yield POOLED, name, None, predictor, parts


def _groups(c: Curves, settings: Settings) -> list[tuple[str, ...]]:
    """Every region by itself, and the network, which may be one of them."""
    single: list[tuple[str, ...]] = [(region,) for region in c.regions]
    network = network_of(c, settings)
    return single if network in single else [*single, network]


def _name(group: tuple[str, ...]) -> str:
    return group[0] if len(group) == 1 else "mean"


def _whole(x: Array, y: Array, time: Array) -> tuple[Array, Array, Array]:
    """The steps at which nothing is missing, and their times, an array of the same shape."""
    seen = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    return x[seen], y[seen], np.broadcast_to(time[seen, None], x[seen].shape)
