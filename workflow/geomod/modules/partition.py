"""Do the layers of a model form modules, which layers, and since when?

k-means finds two clusters in anything. A partition's silhouette is therefore read beside that of
layers without modules, the same smooth trend over depth with the same scatter (`smooth_null`), and
whether there are two modules at all is asked of the profile of complexity over depth (`steps.py`).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.curves.curves import last_decade, relative_depth
from geomod.curves.estimates import rng_of
from geomod.curves.settings import Settings
from geomod.modules.clusters import (
    METHODS,
    Labels,
    Method,
    adjusted_rand,
    dispersion,
    silhouette,
    standardize,
)
from geomod.modules.steps import FEWEST_LAYERS, smooth_p

Array = NDArray[np.float64]

log = logging.getLogger(__name__)

MAX_MODULES = 4
SAME = 0.8  # adjusted Rand index from which two partitions count as one


# Number of modules → gap, and the gaps of the null's draws.
Gaps = dict[int, tuple[float, Array]]


@dataclass(frozen=True)
class Partition:
    """The modules of one set of layers, and how surprising they are where there are none."""

    labels: Labels  # 0 for the module of lowest complexity, upwards
    silhouette: float = np.nan
    null: Array = field(default_factory=lambda: np.empty(0))  # silhouettes of the smooth null
    gap: float = np.nan  # smooth-gradient null
    k_selected: int = 1
    se: float = np.nan  # of the silhouette, from `scatter_about` the modules
    gaps: Gaps = field(default_factory=dict)  # smooth-gradient null

    @property
    def p(self) -> float:
        """Of the silhouette, smooth-gradient null."""
        return exceedance_p(self.silhouette, self.null)


def find_modules(
    geometry: pd.DataFrame,
    *,
    k: int | Literal["auto"] = 2,
    method: str = "kmeans",
    seed: int = 0,
    null_draws: int = Settings.null_draws,
    alpha: float = Settings.alpha,
    entropy: str = "raw",
    curvature: str = "hosseini",
) -> pd.DataFrame:
    """The module of every block at every step, from layer means of entropy and curvature.

    Columns: model, step, layer, module (`low` is the module of lower entropy + curvature, z-scored
    over the layers; `high`; `middle1` … between them; `all` where there is one), silhouette,
    null_p (of a step over depth against smooth profiles), gap, agreement (adjusted Rand index with
    the step before), agreement_chance (its mean over pairs of random contiguous partitions),
    methods_agreement (adjusted Rand index with the other methods' partitions into as many modules,
    their mean), k,
    k_selected, method.
    """
    if method not in METHODS:
        raise ValueError(f"method {method!r} is not one of {', '.join(METHODS)}")
    blocks = geometry[geometry["layer"] > 0]
    tables = []
    for model, rows in blocks.groupby("model", sort=True):
        layers, steps, points = layer_points(rows, entropy, curvature)
        before: Labels | None = None
        p = smooth_p(points) if null_draws > 0 else np.full(len(points), np.nan)
        for step, cloud, null_p in zip(steps, points, p, strict=True):
            rng = rng_of(seed, "modules", str(model), int(step))
            found = partition(cloud, k, method=method, rng=rng, draws=null_draws, alpha=alpha)
            tables.append(
                pd.DataFrame(
                    {
                        "model": model,
                        "step": step,
                        "layer": layers,
                        "module": _names(found.labels),
                        "silhouette": found.silhouette,
                        "null_p": null_p,
                        "gap": found.gap,
                        "agreement": np.nan
                        if before is None
                        else adjusted_rand(before, found.labels),
                        "agreement_chance": chance_agreement(len(layers)),
                        "methods_agreement": methods_agreement(cloud, found.labels, method),
                        "k": len(np.unique(found.labels)),
                        "k_selected": found.k_selected,
                        "method": method,
                    }
                )
            )
            before = found.labels
        log.info("modules of %s: %d steps, %d layers", model, len(steps), len(layers))
    if not tables:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(tables, ignore_index=True)


COLUMNS = [
    "model",
    "step",
    "layer",
    "module",
    "silhouette",
    "null_p",
    "gap",
    "agreement",
    "agreement_chance",
    "methods_agreement",
    "k",
    "k_selected",
    "method",
]


def layer_points(
    rows: pd.DataFrame, entropy: str = "raw", curvature: str = "hosseini"
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Layers, steps and (entropy, curvature) [steps, layers, 2] of one model.

    Steps at which a layer lacks a value are left out: a partition of some layers is another
    question.
    """
    metrics = []
    for metric, variant in (("entropy", entropy), ("curvature", curvature)):
        chosen = rows[(rows["metric"] == metric) & (rows["variant"] == variant)]
        metrics.append(
            chosen.pivot_table(index="step", columns="layer", values="mean", dropna=False)
        )
    first, second = metrics[0].align(metrics[1], join="outer")
    whole = first.notna().all(axis=1) & second.notna().all(axis=1)
    first, second = first[whole], second[whole]
    points = np.stack([first.to_numpy(dtype=float), second.to_numpy(dtype=float)], axis=-1)
    return first.columns.to_numpy(), first.index.to_numpy(), points


def partition(
    cloud: Array,
    k: int | Literal["auto"] = 2,
    *,
    method: str = "kmeans",
    rng: np.random.Generator,
    draws: int = Settings.null_draws,
    alpha: float = Settings.alpha,
) -> Partition:
    """Modules of one set of layers, cloud [layers, dimensions], in order of depth.

    The gap is Tibshirani, Walther & Hastie's (2001), with the smooth gradient as reference:
    gap(k) = mean over the null of ln W(k) − ln W(k), W the dispersion within clusters. The k with
    the largest gap is chosen among 2 … 4, and k = 1 if the smooth null reaches that gap with
    probability above α (the largest over k, so that the choice of k is paid for).
    """
    # Each null has a generator of its own: how many draws one takes changes nothing in another.
    for_smooth, for_scatter = rng.spawn(2)
    points, cluster = standardize(cloud), METHODS[method]
    n = len(points)
    smooth = np.empty((0, *points.shape))
    if n >= FEWEST_LAYERS and points.any() and draws > 0:
        smooth = standardize(smooth_null(cloud, draws, for_smooth))

    gaps: Gaps = {}
    for size in range(2, min(MAX_MODULES, n - 2) + 1) if len(smooth) else ():
        expected = _log_dispersion(smooth, cluster, size)
        observed = _log_dispersion(points[None], cluster, size)[0]
        gaps[size] = float(expected.mean() - observed), expected.mean() - expected
    selected = select_k([gaps], alpha)

    size = selected if k == "auto" else k
    labels = split(cloud, size, method)
    if not labels.any():
        return Partition(labels, gap=0.0, k_selected=selected)
    value = float(silhouette(points[None], labels[None], size)[0])
    found = Partition(labels, value, k_selected=selected, gaps=gaps)
    if not len(smooth):
        return found
    copies = standardize(scatter_about(points, labels, draws, for_scatter))
    return replace(
        found,
        null=silhouette(smooth, cluster(smooth, size), size),
        gap=gaps[size][0] if size in gaps else np.nan,
        se=float(np.nanstd(silhouette(copies, cluster(copies, size), size))),
    )


def select_k(models: Sequence[Gaps], alpha: float = Settings.alpha) -> int:
    """How many modules the gaps of one model ask for, or the mean gaps of several.

    A number of modules that only some models have layers for is judged by these.
    """
    mean: Gaps = {}
    for size in sorted({size for gaps in models for size in gaps}):
        values, nulls = zip(*(gaps[size] for gaps in models if size in gaps), strict=True)
        mean[size] = float(np.mean(values)), np.mean(nulls, axis=0)
    if not mean:
        return 1
    best = max(mean, key=lambda size: mean[size][0])
    widest = np.max([null for _, null in mean.values()], axis=0)
    return best if exceedance_p(mean[best][0], widest) <= alpha else 1


def split(cloud: Array, k: int, method: str = "kmeans") -> Labels:
    """The module of every layer of cloud [layers, dimensions], 0 for the lowest complexity.

    No draw of a null has a part in it. Layers that are all alike are one module, and so are no
    more layers than modules: a layer each is no module.
    """
    points = standardize(cloud)
    if len(points) <= k or not points.any():
        return one_module(len(points))
    return _from_low_to_high(METHODS[method](points[None], k)[0], points)


def one_module(layers: int) -> Labels:
    """All layers alike."""
    return np.zeros(layers, dtype=np.int64)


def exceedance_p(value: float, null: Array) -> float:
    """(1 + #{null ≥ value}) / (1 + draws); NaN without a null."""
    null = null[np.isfinite(null)]
    if len(null) == 0 or not np.isfinite(value):
        return np.nan
    return float((1 + np.sum(null >= value)) / (1 + len(null)))


def smooth_null(cloud: Array, draws: int, rng: np.random.Generator) -> Array:
    """Layers on a smooth gradient over depth: [draws, layers, dimensions], no module in them.

    A parabola over depth (a line below six layers) is fitted to each metric; draws add Gaussian
    scatter with the residuals' covariance. A real step leaves large residuals, so that the null
    then scatters more and its clusters blur.
    """
    n, dimensions = cloud.shape
    degree = 2 if n >= 6 else 1
    basis = np.vander(relative_depth(n), degree + 1)
    trend = basis @ np.linalg.lstsq(basis, cloud, rcond=None)[0]
    residual = cloud - trend
    covariance = residual.T @ residual / (n - degree - 1)
    return trend + rng.standard_normal((draws, n, dimensions)) @ _root(covariance)


def scatter_about(points: Array, labels: Labels, draws: int, rng: np.random.Generator) -> Array:
    """Layers drawn anew about their modules' means and a common slope over depth.

    The scatter is that of the layers about these. Without the slope, a gradient within the
    modules would count as scatter, and intervals would be too wide.
    """
    n = len(points)
    design = np.column_stack([labels[:, None] == np.unique(labels), relative_depth(n)]).astype(
        float
    )
    fitted = design @ np.linalg.lstsq(design, points, rcond=None)[0]
    residual = points - fitted
    covariance = residual.T @ residual / max(n - np.linalg.matrix_rank(design), 1)
    return fitted + rng.standard_normal((draws, *points.shape)) @ _root(covariance)


def _root(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def _log_dispersion(points: Array, cluster: Method, k: int) -> Array:
    # A perfect fit has no dispersion; the floor keeps its logarithm finite.
    return np.log(np.maximum(dispersion(points, cluster(points, k), k), 1e-9))


def _from_low_to_high(labels: Labels, points: Array) -> Labels:
    complexity = points.sum(axis=1)
    present = np.unique(labels)
    order = np.argsort([complexity[labels == label].mean() for label in present])
    rank = np.empty(len(present), dtype=np.int64)
    rank[order] = np.arange(len(present))
    return rank[np.searchsorted(present, labels)]


def _names(labels: Labels) -> list[str]:
    top = int(labels.max(initial=0))
    if top == 0:
        return ["all"] * len(labels)
    names = ["low", *(f"middle{i}" for i in range(1, top)), "high"]
    return [names[label] for label in labels]


def methods_agreement(cloud: Array, labels: Labels, method: str) -> float:
    """Mean adjusted Rand index of a partition with those that the other methods draw."""
    k = len(np.unique(labels))
    if k < 2:
        return np.nan
    points = standardize(cloud)[None]
    others = [cluster(points, k)[0] for name, cluster in METHODS.items() if name != method]
    return float(np.mean([adjusted_rand(labels, other) for other in others]))


@cache
def chance_agreement(layers: int) -> float:
    """Mean adjusted Rand index of two independent random two-way splits at a depth.

    About .25 whatever the number of layers: contiguous partitions agree by themselves.
    """
    splits = np.arange(layers)[None] >= np.arange(1, layers)[:, None]
    pairs = [adjusted_rand(a, b) for a in splits for b in splits]
    return float(np.mean(pairs)) if pairs else np.nan


def persistence(modules: pd.DataFrame) -> pd.DataFrame:
    """Since when the final partition stands, for each model.

    Columns: model, persists_from (the first step from which every partition agrees with the last
    one by an adjusted Rand index of at least .8), agreement (mean of neighbouring steps
    in the last decade of training), agreement_chance.
    """
    rows = []
    for model, table in modules.groupby("model", sort=True):
        labels = table.pivot_table(index="step", columns="layer", values="module", aggfunc="first")
        agreement = np.array([adjusted_rand(labels.iloc[-1], row) for row in labels.to_numpy()])
        lasting = np.flatnonzero(agreement < SAME)
        first = int(lasting[-1]) + 1 if len(lasting) else 0
        late = labels.index[last_decade(labels.index.to_numpy())]
        neighbours = table.loc[table["step"].isin(late)].groupby("step")["agreement"].first()
        rows.append(
            {
                "model": model,
                "persists_from": int(labels.index[first]),
                "agreement": float(neighbours.mean()),
                "agreement_chance": chance_agreement(labels.shape[1]),
            }
        )
    return pd.DataFrame(rows, columns=["model", "persists_from", "agreement", "agreement_chance"])
