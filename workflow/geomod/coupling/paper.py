"""The paper's headline: partial correlations of geometry and score given training progress.

Where competence was measured, each family is a predictor too, and geometry is held against the
score once more given competence beside progress.

Points of one curve count as independent in `p`, which they are not (docs/statistics.md says how
often that p is below .05 where there is nothing). `p_shift` beside it keeps curves whole.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.coupling.other_tests import circular_shift_p
from geomod.coupling.within_depth import partial_correlation, semi_partial_r2
from geomod.curves.curves import FORMAL, FUNCTIONAL, Curves
from geomod.curves.estimates import false_discovery_rate, network_of
from geomod.curves.settings import Settings

Array = NDArray[np.float64]

Part = tuple[Array, Array, Array]  # x, y [steps, layers] and what is given [steps, layers, …]

GEOMETRY = ("curvature", "entropy")
GIVEN = " given competence"  # behind the predictor that it is held fixed for
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


def correlations(
    curves: Sequence[Curves], settings: Settings, single_layers: bool = True
) -> pd.DataFrame:
    """r of curvature, and of entropy, with the score given log10(step + 1), as in the paper.

    Families of competence are predictors as well; `curvature given competence` holds formal and
    functional competence fixed beside log10(step + 1).

    One row a model (and `all`), region, layer (empty: layers × steps pooled), predictor and
    method. `p_shift` is against all cyclic shifts of the predictor over training, the layers
    together; it cannot go below 1 / steps, and models pooled have none. `q` (Benjamini–Hochberg)
    is over the rows of one predictor, method and kind: pooled layers, single layers, all models.
    The others are the same without `single_layers`, which are most of the rows.
    """
    rows = []
    for model, region, layer, predictor, parts in _questions(curves, settings):
        if layer is not None and not single_layers:
            continue
        x, y = (np.concatenate([part[i].ravel() for part in parts]) for i in range(2))
        time = np.concatenate([part[2].reshape(part[0].size, part[2].shape[-1]) for part in parts])
        # At one step there is no progress to hold fixed.
        if len(x) < 4 or not np.ptp(time, axis=0).all():
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
) -> Iterator[tuple[str, str, int | None, str, list[Part]]]:
    """Model, region, layer, predictor, and their x, y and what is held fixed, model by model."""
    for predictor in _predictors(curves):
        pooled: dict[str, list[Part]] = {}
        for c in curves:
            x = _values(c, predictor)
            if x is None:
                continue
            groups = {_name(group): group for group in _groups(c, settings)}
            given = _given(c, predictor)
            for name, group in groups.items():
                y = c.of(group)
                every = _whole(x, y, given)
                pooled.setdefault(name, []).append(every)
                yield c.model, name, None, predictor, [every]
                for column, layer in enumerate(c.layers):
                    own = _whole(x[:, [column]], y[:, [column]], given)
                    yield c.model, name, int(layer), predictor, [own]
        for name, parts in pooled.items() if len(curves) > 1 else ():
            yield POOLED, name, None, predictor, parts


def _predictors(curves: Sequence[Curves]) -> list[str]:
    families = sorted({family for c in curves for family in c.competence})
    both = {FORMAL, FUNCTIONAL} <= set(families)
    return [*GEOMETRY, *families, *(f"{metric}{GIVEN}" for metric in GEOMETRY * both)]


def _values(c: Curves, predictor: str) -> Array | None:
    """The predictor [steps, layers]; competence is one for all layers of a checkpoint."""
    metric = predictor.removesuffix(GIVEN)
    if predictor.endswith(GIVEN) and not {FORMAL, FUNCTIONAL} <= set(c.competence):
        return None
    if metric in c.metrics:
        return c.metrics[metric]
    share = c.competence.get(metric)
    return None if share is None else np.repeat(share[:, None], len(c.layers), axis=1)


def _given(c: Curves, predictor: str) -> Array:
    """What is held fixed, [steps, controls]: progress, and with it competence where asked."""
    competence = [
        c.competence[family] for family in (FORMAL, FUNCTIONAL) * predictor.endswith(GIVEN)
    ]
    return np.column_stack([c.time, *competence])


def _groups(c: Curves, settings: Settings) -> list[tuple[str, ...]]:
    """Every region by itself, and the network, which may be one of them."""
    single: list[tuple[str, ...]] = [(region,) for region in c.regions]
    network = network_of(c, settings)
    return single if network in single else [*single, network]


def _name(group: tuple[str, ...]) -> str:
    return group[0] if len(group) == 1 else "mean"


def _whole(x: Array, y: Array, given: Array) -> Part:
    """The steps at which nothing is missing, and what is held fixed there [steps, layers, …]."""
    seen = np.all([np.isfinite(values).all(axis=1) for values in (x, y, given)], axis=0)
    held = np.repeat(given[seen, None], x.shape[1], axis=1)
    return x[seen], y[seen], held
