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
from geomod.report.drawing import ALIGNMENT_COLOURS, TWO_COLUMNS, of_average, short
from geomod.report.gallery import Tables

with extra("report"):
    import matplotlib as mpl
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


def brain(tables: Tables) -> Figure:
    """When each region's score has risen half-way, and how high it gets, on the cortex."""
    with extra("imaging"):
        from nilearn.datasets import fetch_surf_fsaverage
        from nilearn.surface import load_surf_data, load_surf_mesh

    mesh = load_surf_mesh(fetch_surf_fsaverage("fsaverage5")["pial_left"])
    relief = np.asarray(load_surf_data(fetch_surf_fsaverage("fsaverage5")["sulc_left"]))
    found = by_region(tables)
    figure = Figure(figsize=(TWO_COLUMNS, 2.7))
    figure.subplots_adjust(left=0, right=0.98, bottom=0, top=1, wspace=0.05)
    for place, (column, label) in enumerate(
        {"t50": "half-time (training step)", "score": "best score (Pearson r)"}.items()
    ):
        axis = figure.add_subplot(1, 2, place + 1, projection="3d")
        _surface(figure, axis, mesh, relief, found[column].dropna(), label, column == "t50")
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
    """For each vertex the place of its region among `regions`, −1 where it is in none."""
    centres = np.array([CENTRES[region] for region in regions])
    away = np.linalg.norm(coordinates[:, None] - centres, axis=2)
    return np.where(away.min(axis=1) < REACH, away.argmin(axis=1), -1)


def _surface(
    figure: Figure,
    axis: Any,
    mesh: Any,
    relief: np.ndarray,
    values: pd.Series,
    label: str,
    is_time: bool,
) -> None:
    """The hemisphere from the left; grey where there is no region, lighter on the gyri."""
    coordinates, faces = np.asarray(mesh.coordinates), np.asarray(mesh.faces)
    regions = list(map(str, values.index))
    cmap = mpl.colormaps["cividis" if is_time else ALIGNMENT_COLOURS]
    scale = mpl.colors.Normalize(*((values.min(), values.max()) if len(values) > 1 else (0, 1)))
    inside = patches(coordinates, regions) if regions else np.full(len(coordinates), -1)
    grey = np.where(relief > 0, 0.68, 0.82)
    colour = np.repeat(grey[:, None], 3, axis=1)
    if regions:
        colour[inside >= 0] = cmap(scale(values.to_numpy(float)))[inside[inside >= 0], :3]
    how: Any = {"triangles": faces, "lw": 0, "antialiased": False, "rasterized": True}
    surface = axis.plot_trisurf(*coordinates.T, **how)
    surface.set_facecolors(np.median(colour[faces], axis=1))
    for region in regions:
        middle = coordinates[inside == regions.index(region)].mean(axis=0)
        plate = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.8}
        axis.text(-90, *middle[1:], region, ha="center", va="center", zorder=9, bbox=plate)
    axis.view_init(elev=0, azim=180)
    axis.set_axis_off()
    axis.set_box_aspect(np.ptp(coordinates, axis=0), zoom=1.55)
    bar = figure.colorbar(mpl.cm.ScalarMappable(scale, cmap), ax=axis, shrink=0.7, label=label)
    if is_time:
        bar.formatter = mpl.ticker.FuncFormatter(lambda value, _: short(round(10**value - 1)))
        bar.update_ticks()
