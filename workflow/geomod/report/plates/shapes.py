"""Geometry of layers: of a sentence, of the sentences as a set, from step to step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from geomod.base.extras import extra
from geomod.report.drawing import (
    GEOMETRY_COLOURS,
    MAP,
    MARKED,
    at_last_step,
    by_model,
    draw_rows,
    layer_edges,
    panels,
    short,
)
from geomod.report.gallery import Tables
from geomod.report.registry import in_gallery
from geomod.report.words import measure, of_each, rounded

with extra("report"):
    import matplotlib as mpl
    import seaborn as sns
    from matplotlib.figure import Figure


def _geometry_seen(tables: Tables) -> str:
    table = tables["geometry"]

    def range_of(metric: str, factor: float, unit: str) -> str:
        own = table[table["metric"] == metric]
        rows = own[own["variant"] == own["variant"].iloc[0]].dropna(subset="mean")
        if rows.empty:
            return f"{metric} is defined nowhere"
        *_, (model, rows) = by_model(rows).items()
        rows = at_last_step(rows)
        low, high = (rows.loc[f()] for f in (rows["mean"].idxmin, rows["mean"].idxmax))
        return (
            f"{metric} of {model} at step {short(rows['step'].iloc[0])} goes from "
            f"{rounded(low['mean'] * factor)} (layer {low['layer']}) to "
            f"{rounded(high['mean'] * factor)}{unit} (layer {high['layer']})"
        )

    known = {"entropy": (1.0, " nats"), "curvature": (180 / np.pi, "°")}
    told = [range_of(m, *how) for m, how in known.items() if (table["metric"] == m).any()]
    n = int(table["n"].median())
    text = "; ".join(told)
    return f"{text[0].upper()}{text[1:]}. n = {n} sentences a value." if told else ""


@in_gallery(seen=_geometry_seen)
def geometry(tables: Tables) -> Figure:
    """Entropy, curvature and any further metric by layer and step, the headline of each."""
    table = tables["geometry"]
    headline = table.groupby("metric")["variant"].transform("first")
    table = table[table["variant"] == headline]
    first = ["entropy", "curvature"]
    metrics = [*first, *(m for m in table["metric"].unique() if m not in first)]
    models = list(table["model"].unique())
    figure, axes = panels(len(metrics), len(models), height=MAP)
    rows = {}
    for metric in metrics:
        values = table[table["metric"] == metric]
        words = measure(metric)
        label = words(values["variant"].iloc[0])
        rows[label] = values.assign(value=values["mean"] * words.factor)
    draw_rows(figure, axes, rows, models, GEOMETRY_COLOURS)
    return figure


def _sets_seen(tables: Tables) -> str:
    table = tables["population"]
    rows = table[(table["metric"] == "rankme") & (table["variant"] == "eigenvalues")]
    rows = rows.dropna(subset="value")
    if rows.empty:
        return ""

    def fill(rows: pd.DataFrame) -> str:
        rows = at_last_step(rows)
        most = rows.loc[rows["value"].idxmax()]
        return f"{rounded(most['value'], 1)} in layer {most['layer']}"

    words = {name: fill(own) for name, own in by_model(rows).items()}
    return f"Most dimensions at the last step (RankMe): {of_each(words)}."


@in_gallery(seen=_sets_seen)
def sets(tables: Tables) -> Figure:
    """Dimensions that the sentences fill, and how alike the layers are, early and late."""
    population, similarity = tables["population"], tables["depth_similarity"]
    models = list(population["model"].unique())
    shown = {("rankme", "eigenvalues"): "RankMe (dimensions)"}
    shown |= {("twonn", "raw"): "TwoNN (dimensions)"}
    steps = similarity.groupby("model")["step"]
    ends = pd.concat([steps.min(), steps.max()], axis=1, keys=["first", "last"])
    ends["last"] = ends["last"].mask(ends["last"] == ends["first"])  # one step is drawn once
    shown_ends = list(ends.columns[ends.notna().any()])
    figure, axes = panels(len(shown) + 1 + len(shown_ends), len(models))
    rows = {
        label: population[(population["metric"] == metric) & (population["variant"] == variant)]
        for (metric, variant), label in shown.items()
    }
    draw_rows(figure, axes, rows, models, GEOMETRY_COLOURS)
    _dimension_by_scale(
        figure, axes[len(shown)], population[population["metric"] == "gride"], models
    )
    cmap = mpl.colormaps[GEOMETRY_COLOURS].with_extremes(bad="#dddddd")
    how: Any = {"cmap": cmap, "vmin": 0, "vmax": 1, "rasterized": True}
    for row, end in enumerate(shown_ends, start=len(shown) + 1):
        for column, (axis, model) in enumerate(zip(axes[row], models, strict=True)):
            step = ends.loc[model, end]
            if np.isnan(step):
                axis.set_axis_off()
                continue
            own = similarity[(similarity["model"] == model) & (similarity["step"] == step)]
            grid = own.pivot_table(
                index="layer", columns="other", values="cka_debiased", dropna=False
            )
            edges = layer_edges(grid.index)
            mesh = axis.pcolormesh(edges, edges, grid.to_numpy(), **how)
            axis.set_title(f"{model}\nstep {short(step)}")
            axis.set_box_aspect(1)
            axis.set_anchor("W")
            axis.set_xlabel("layer")
            axis.set_ylabel("layer" if column == 0 else "")
            for ticks in (axis.xaxis, axis.yaxis):
                ticks.set_major_locator(mpl.ticker.MaxNLocator(5, integer=True))
        figure.colorbar(mesh, ax=list(axes[row]), label="linear CKA", extend="min", panchor=False)
    return figure


def _dimension_by_scale(
    figure: Figure, axes: np.ndarray, gride: pd.DataFrame, models: Sequence[str]
) -> None:
    """A row of GRIDE against the neighbour at which it looks, a line a layer, at the last step."""
    gride = gride.assign(k=gride["variant"].str.removeprefix("k").astype(int)).sort_values("k")
    last = gride["step"] == gride.groupby("model")["step"].transform("max")
    scale = mpl.colors.Normalize(0, gride["layer"].max())
    colours = mpl.cm.ScalarMappable(scale, sns.color_palette("crest", as_cmap=True))
    for axis, model in zip(axes, models, strict=True):
        own = gride[last & (gride["model"] == model)]
        for layer, rows in own.groupby("layer"):
            axis.plot(rows["k"], rows["value"], color=colours.to_rgba(layer), **MARKED)
        axis.set_xscale("log", base=2)
        axis.set_xticks(own["k"].unique(), own["k"].unique())
        axis.set_title(f"{model}\nstep {short(own['step'].max())}")
        axis.set_xlabel("neighbour k")
    axes[0].set_ylabel("GRIDE (dimensions)")
    bar = figure.colorbar(colours, ax=list(axes), label="layer")
    bar.locator = mpl.ticker.MaxNLocator(integer=True)


def _speed_seen(tables: Tables) -> str:
    table = tables["speed"]
    following = table.groupby(["model", "step"])["next"].transform("min")
    turns = table[(table["next"] == following) & (table["measure"] == "cka_debiased")]
    mean = turns.groupby(["model", "layer"], sort=False)["speed"].mean().dropna().reset_index()
    words = {}
    for name, rows in by_model(mean).items():
        fast, slow = (rows.loc[f()] for f in (rows["speed"].idxmax, rows["speed"].idxmin))
        words[name] = (
            f"layer {fast['layer']} ({rounded(fast['speed'])}), slowest layer {slow['layer']} "
            f"({rounded(slow['speed'])})"
        )
    return f"Fastest, in radians a decade, mean over training: {of_each(words)}."


@in_gallery(seen=_speed_seen)
def speed(tables: Tables) -> Figure:
    """How far each layer moves from a step to the next, and how near it is to where it ends."""
    table = tables["speed"]
    last = table.groupby("model")["next"].transform("max")
    following = table.groupby(["model", "step"])["next"].transform("min")
    nearest, final = table[table["next"] == following], table[table["next"] == last]
    by = ["model", "step", "layer"]
    chance = _measured(nearest, "procrustes_shuffled").set_index(by)["value"]
    way = _measured(nearest, "procrustes").set_index(by)
    way["value"] = way["value"] / chance
    turns = _measured(nearest, "cka_debiased")
    rows = {
        "radians a decade": turns.assign(value=turns["speed"]),
        "share of chance": way.reset_index(),
        "flow to the next step": _measured(nearest, "flow"),
        "CKA with the last step": _measured(final, "cka_debiased"),
    }
    models = list(table["model"].unique())
    figure, axes = panels(len(rows), len(models), height=MAP)
    draw_rows(figure, axes, rows, models, GEOMETRY_COLOURS)
    return figure


def _measured(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    return table[table["measure"] == measure]
