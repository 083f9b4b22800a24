"""Which layers go together, and which of them predict better."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from geomod.base.extras import extra
from geomod.report.drawing import (
    INK,
    MARKED,
    NETWORK,
    OTHER,
    at_last_step,
    by_model,
    grid_of,
    layer_edges,
    legend_below,
    module_colours,
    only_step,
    panels,
    region_colours,
    short,
    step_ticks,
    time_axis,
    time_of,
)
from geomod.report.gallery import Tables
from geomod.report.registry import in_gallery
from geomod.report.words import of_each

with extra("report"):
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _modules_seen(tables: Tables) -> str:
    def count(rows: pd.DataFrame) -> str:
        steps = rows.drop_duplicates("step")
        clear = int((steps["null_p"] < 0.05).sum())
        number = at_last_step(rows)["module"].nunique()
        return f"{number} at the last step, clear at {clear} of {len(steps)} steps"

    words = {name: count(rows) for name, rows in by_model(tables["modules"]).items()}
    return f"Modules: {of_each(words)}."


@in_gallery(seen=_modules_seen)
def modules(tables: Tables) -> Figure:
    """Module of each layer over training, and how clear the partition is."""
    table = tables["modules"]
    measured = set(table["model"])
    models = [name for name in tables["tokens"]["model"].unique() if name in measured]
    figure, axes = panels(2, len(models), height=1.8, height_ratios=[1.2, 1])
    colours = module_colours(table["module"])
    names = list(colours)
    palette = mpl.colors.ListedColormap(list(colours.values()))
    for column, model in enumerate(models):
        rows = table[table["model"] == model]
        codes = rows["module"].map({name: i for i, name in enumerate(names)})
        grid = grid_of(rows.assign(value=codes.astype(float)))
        axis = axes[0, column]
        axis.pcolormesh(
            np.arange(grid.shape[1] + 1),
            layer_edges(grid.index),
            grid.to_numpy(),
            cmap=palette,
            vmin=-0.5,
            vmax=len(names) - 0.5,
            rasterized=True,
        )
        _jumps(axis, tables["change_points"], str(model), grid)
        axis.set_title(model)
        axis.yaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
        step_ticks(axis, grid.columns)
        axis.set_ylabel("layer" if column == 0 else "")
        per_step = rows.drop_duplicates("step")
        clear = (per_step["null_p"] < 0.05).to_numpy()
        below = axes[1, column]
        places = np.arange(len(per_step)) + 0.5
        below.plot(places, per_step["silhouette"], color=OTHER, zorder=1)
        if per_step["silhouette"].isna().all():
            below.text(0.5, 0.5, "one module", transform=below.transAxes, ha="center", color=OTHER)
        for chosen, face in ((clear, INK), (~clear, "white")):
            below.scatter(
                places[chosen],
                per_step["silhouette"][chosen],
                s=12,
                facecolor=face,
                edgecolor=INK,
                zorder=2,
                clip_on=False,
            )
        below.set_xlim(0, len(per_step))
        below.set_ylim(-0.25, 1)
        below.set_ylabel("silhouette" if column == 0 else "")
        step_ticks(below, per_step["step"])
        below.set_xlabel("training step")
    figure.legend(handles=_legend(colours), loc="outside lower center", ncols=len(names) + 3)
    return figure


def _legend(colours: Mapping[str, str]) -> list[Any]:
    """What the colours of modules and the marks on them say."""
    only = "middle2" not in colours
    told = {name: "middle" if only and name == "middle1" else name for name in colours}
    patches = [mpl.patches.Patch(color=colours[name], label=told[name]) for name in colours]
    dot: Any = {"color": INK, "lw": 0, "marker": "o", "ms": 3.5}
    return [
        *patches,
        mpl.lines.Line2D([], [], color=INK, lw=1.2, label="jump of the geometry"),
        mpl.lines.Line2D([], [], **dot, label="a step, p < .05"),
        mpl.lines.Line2D([], [], **dot, markerfacecolor="white", label="none"),
    ]


def _jumps(axis: Axes, change_points: pd.DataFrame, model: str, grid: pd.DataFrame) -> None:
    """Lines before the places of a layer × step map where the geometry jumps."""
    steps = {int(step): place for place, step in enumerate(grid.columns)}
    style: Any = {"color": INK, "lw": 1.2}
    for jump in change_points[change_points["model"] == model].itertuples():
        place, layer = steps[int(jump.step)], float(jump.layer)
        if jump.over == "depth":
            axis.plot([place, place + 1], [layer - 0.5] * 2, **style)
        else:
            axis.plot([place] * 2, [layer - 0.5, layer + 0.5], **style)


def _low_high_seen(tables: Tables) -> str:
    def ahead(rows: pd.DataFrame) -> str:
        rows = rows.dropna(subset="low_minus_high")
        return f"in {(rows['low_minus_high'] > 0).mean():.0%} of {len(rows)} steps and regions"

    table = tables["low_high"].dropna(subset="low_minus_high")
    words = {name: ahead(rows) for name, rows in by_model(table).items()}
    return f"The module of low complexity is ahead: {of_each(words)}."


@in_gallery(seen=_low_high_seen)
def low_high(tables: Tables) -> Figure:
    """Score of the low minus that of the high module over training, region by region."""
    table = tables["low_high"]
    measured = set(table.dropna(subset="low_minus_high")["model"])  # of modules, low and high
    models = [name for name in tables["tokens"]["model"].unique() if name in measured]
    colours = region_colours(table["region"])
    figure, axes = panels(1, len(models), height=2.6, sharey=True)
    for axis, model in zip(axes[0], models, strict=True):
        own = table[table["model"] == model]
        axis.axhline(0, color=OTHER, lw=0.6)
        axis.set_title(model)
        if only_step(own) is not None:
            _by_region(axis, own, colours)
            continue
        for region, colour in colours.items():
            rows = own[own["region"] == region]
            time = time_of(rows["step"])
            axis.plot(time, rows["low_minus_high"], color=colour, label=region, **MARKED)
            if region == NETWORK:
                axis.fill_between(time, rows["low"], rows["high"], color=colour, alpha=0.12, lw=0)
        time_axis(axis, own["step"])
    axes[0, 0].set_ylabel("low − high module (Pearson r)")
    legend_below(figure, axes[0, -1], "region")
    return figure


def _by_region(axis: Axes, rows: pd.DataFrame, colours: Mapping[str, Any]) -> None:
    """The contrast of each region at the one step there is, with its interval."""
    for place, row in enumerate(rows.itertuples()):
        colour = colours[str(row.region)]
        axis.plot([place] * 2, [row.low, row.high], color=colour, lw=1, alpha=0.6)
        axis.plot(place, row.low_minus_high, color=colour, label=row.region, **MARKED)
    axis.set_xticks(range(len(rows)), rows["region"])
    axis.set_xlim(-0.5, len(rows) - 0.5)
    axis.set_xlabel(f"region, at step {short(rows['step'].iloc[0])}")
