"""The regions of the language network on the left hemisphere, coloured by what was found there.

The surface is nilearn's fsaverage5, which comes with the package. The parcels of the data do not,
so that a region is a patch of cortex about its centre: a sketch of where things are, not of their
borders.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from geomod.base.extras import extra
from geomod.report.drawing import (
    ALIGNMENT_COLOURS,
    TWO_COLUMNS,
    of_average,
    short,
)
from geomod.report.gallery import Tables
from geomod.report.registry import in_gallery
from geomod.report.words import rounded

with extra("report"):
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# About where the parcels lie in MNI space, mm; a patch has all cortex within `REACH` of its centre.
CENTRES: Mapping[str, tuple[float, float, float]] = {
    "IFGorb": (-47, 33, -6),
    "IFG": (-51, 19, 16),
    "MFG": (-43, 2, 50),
    "AntTemp": (-56, -10, -14),
    "PostTemp": (-57, -44, 8),
}
REACH = 16.0
LABELS = {"t50": "half-time (training step)", "score": "best score (Pearson r)"}
COLOURS = {"t50": "cividis", "score": ALIGNMENT_COLOURS}


def _brain_seen(tables: Tables) -> str:
    found = by_region(tables)
    best = found["score"].idxmax()
    told = f"{best} has the highest score (r = {rounded(found['score'].max(), 3)})."
    times = found["t50"].dropna()
    if len(times) > 1:
        steps = {region: short(round(10**time - 1)) for region, time in times.items()}
        ends = [f"{region} (step {steps[region]})" for region in (times.idxmin(), times.idxmax())]
        told = f"{ends[0]} rises first, {ends[1]} last; {told}"
    return told


@in_gallery(seen=_brain_seen)
def brain(tables: Tables) -> Figure:
    """When each region's score has risen half-way, and how high it gets, on the cortex."""
    with extra("imaging"):
        from nilearn.datasets import fetch_surf_fsaverage
        from nilearn.surface import load_surf_data, load_surf_mesh

    mesh = load_surf_mesh(fetch_surf_fsaverage("fsaverage5")["pial_left"])
    relief = np.asarray(load_surf_data(fetch_surf_fsaverage("fsaverage5")["sulc_left"]))
    corners = np.column_stack([mesh.coordinates, relief])[np.asarray(mesh.faces)]
    found = by_region(tables)
    shown = [name for name in LABELS if found[name].notna().any()]
    figure = Figure(figsize=(TWO_COLUMNS * len(shown) / 2, 2.6), layout="constrained")
    for axis, column in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        _surface(axis, corners, found[column].dropna(), column)
    return figure


def by_region(tables: Tables) -> pd.DataFrame:
    """region → t50 (log10(step + 1), median over models), score (best, mean over models)."""
    times = tables["emergence"]
    half = times[~times["censored"].astype(bool)].groupby("region")["t50"].median()
    scores = of_average(tables["encoding"])
    best = scores[scores["layer"] > 0].groupby(["model", "region"])["score"].max()
    table = pd.DataFrame({"t50": half, "score": best.groupby("region").mean()})
    return table[table.index.isin(list(CENTRES))]


def patches(coordinates: np.ndarray, regions: list[str]) -> np.ndarray:
    """For each point the place of its region among `regions`, −1 where it is in none."""
    if not regions:
        return np.full(len(coordinates), -1)
    centres = np.array([CENTRES[region] for region in regions])
    away = np.linalg.norm(coordinates[:, None] - centres, axis=2)
    return np.where(away.min(axis=1) < REACH, away.argmin(axis=1), -1)


def smooth(corners: np.ndarray, regions: list[str], times: int = 2) -> np.ndarray:
    """The triangles, with those on an edge of a patch or a sulcus cut into four, again and again.

    `corners` are [triangles, 3, 4]: the place of each corner, mm, and the depth of its sulcus.
    """
    for _ in range(times):
        inside = patches(corners[..., :3].reshape(-1, 3), regions).reshape(-1, 3)
        deep = corners[..., 3] > 0
        on_edge = (inside != inside[:, :1]).any(axis=1) | (deep != deep[:, :1]).any(axis=1)
        a, b, c = np.moveaxis(corners[on_edge], 1, 0)
        ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
        quarters = [[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]
        cut = [np.stack(quarter, axis=1) for quarter in quarters]
        corners = np.concatenate([corners[~on_edge], *cut])
    return corners


def _surface(axis: Axes, corners: np.ndarray, values: pd.Series, column: str) -> None:
    """The hemisphere from the left; grey where there is no region, lighter on the gyri."""
    regions = list(map(str, values.index))
    cmap, scale = mpl.colormaps[COLOURS[column]], _scale(values, column)
    corners = smooth(corners, regions)
    sides = np.diff(corners[..., :3], axis=1)
    normal = np.cross(sides[:, 0], sides[:, 1])
    facing = -normal[:, 0] / np.linalg.norm(normal, axis=1).clip(1e-12)
    corners, facing = corners[facing > 0], facing[facing > 0]
    order = np.argsort(-corners[..., 0].mean(axis=1))  # the nearest last
    corners, facing = corners[order], facing[order]
    middle = corners.mean(axis=1)
    inside = patches(middle[:, :3], regions)
    grey = np.where(middle[:, 3] > 0, 0.72, 0.86)
    colour = np.repeat(grey[:, None], 3, axis=1)
    colour[inside >= 0] = cmap(scale(values.to_numpy(float)))[inside[inside >= 0], :3]
    shade = np.where(inside >= 0, 0.15, 0.3)  # of light from where one looks from
    colour = colour * (1 - shade * (1 - facing))[:, None]
    flat = corners[..., 1:3] * [-1, 1]  # the front is on the left
    how: Any = {"edgecolors": "face", "linewidths": 0.1, "rasterized": True}
    axis.add_collection(mpl.collections.PolyCollection(list(flat), facecolors=colour, **how))
    for place, region in enumerate(regions):
        y, z = flat[inside == place].reshape(-1, 2).mean(axis=0)
        plate = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.8}
        axis.text(y, z, region, ha="center", va="center", bbox=plate)
    axis.autoscale_view()
    axis.set_aspect("equal")
    axis.set_axis_off()
    assert axis.figure is not None
    bar = axis.figure.colorbar(
        mpl.cm.ScalarMappable(scale, cmap), ax=axis, shrink=0.7, label=LABELS[column]
    )
    if column == "t50":
        steps = [m * 10**e for e in range(7) for m in (1, 2, 5)]
        ticks = [step for step in steps if scale.vmin <= np.log10(step + 1) <= scale.vmax]
        bar.set_ticks(list(np.log10(np.add(ticks, 1))), labels=[short(step) for step in ticks])


def _scale(values: pd.Series, column: str) -> mpl.colors.Normalize:
    """Scores from 0 on; times over half a decade or more, so that no small difference looks big."""
    low, high = float(values.min()), float(values.max())
    if column == "score":
        return mpl.colors.Normalize(min(low, 0), max(high, 0.01))
    margin = max(0.5 - (high - low), 0) / 2
    return mpl.colors.Normalize(max(low - margin, 0), high + margin)
