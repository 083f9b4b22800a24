"""Figures of phases of training, of the lens, of likeness, of the way through the layers."""

from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd

from geomod.base.extras import extra
from geomod.report.drawing import (
    ALIGNMENT_COLOURS,
    GEOMETRY_COLOURS,
    INK,
    MAP,
    MARKED,
    OTHER,
    at_last_step,
    by_model,
    draw_rows,
    grid_of,
    layer_edges,
    legend_below,
    of_last_layer,
    panels,
    short,
    time_axis,
    time_of,
    titled,
)
from geomod.report.gallery import Tables
from geomod.report.registry import in_gallery
from geomod.report.words import measure as words
from geomod.report.words import of_each, rounded

with extra("report"):
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


PHASE_COLOURS = {
    "warm-up": "#b8b8b8",
    "entropy-seeking": "#cc79a7",
    "compression-seeking": "#009e73",
}
MEASURES = {
    "turning": "turning (radians)",
    "to_last": "cosine to the last layer",
    "straightness": "straightness",
    "stable_rank": "stable rank of updates",
}


def _phases_seen(tables: Tables) -> str:
    def found(rows: pd.DataFrame) -> str:
        rows = of_last_layer(rows)
        names = [
            f"{row.phase} (steps {short(row.start)} to {short(row.stop)})"
            for row in rows[rows["found"].astype(bool)].itertuples()
        ]
        return ", ".join(names) or "none"

    words = {name: found(rows) for name, rows in by_model(tables["phases"]).items()}
    return f"Phases found in the last layer: {of_each(words)}."


@in_gallery(seen=_phases_seen)
def phases(tables: Tables) -> Figure:
    """RankMe and the exponent of the last layer over training, with the phases that were found."""
    population = tables["population"]
    models = list(population["model"].unique())
    figure, axes = panels(2, len(models), width=2.8)
    for column, model in enumerate(models):
        own = of_last_layer(population[population["model"] == model])
        found = of_last_layer(tables["phases"][tables["phases"]["model"] == model])
        kinds = (("rankme", "eigenvalues"), ("alpha_req", "alpha"))
        for axis, (metric, variant) in zip(axes[:, column], kinds, strict=True):
            rows = own[(own["metric"] == metric) & (own["variant"] == variant)].sort_values("step")
            _shade(axis, found)
            axis.plot(time_of(rows["step"]), rows["value"], color=INK, **MARKED)
            time_axis(axis, own["step"])
        axes[0, column].set_yscale("log")
        plain_log(axes[0, column])
        axes[0, column].set_title(model)
        axes[0, column].set_xlabel("")
    axes[0, 0].set_ylabel("RankMe (dimensions)")
    axes[1, 0].set_ylabel("exponent α of the spectrum")
    handles: list[Any] = [
        mpl.patches.Patch(color=colour, alpha=0.3, label=name)
        for name, colour in PHASE_COLOURS.items()
    ]
    how: Any = {"color": OTHER, "lw": 0.8, "ls": ":"}
    handles.append(mpl.lines.Line2D([], [], label="interval of a turn", **how))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def plain_log(axis: Axes) -> None:
    """A logarithmic axis that says 2, 5, 10, not 2 × 10⁰."""
    axis.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axis.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())


def _shade(axis: Axes, found: pd.DataFrame) -> None:
    """A band for every phase that was found, and lines for the intervals of where they turn."""
    for phase in found[found["found"]].itertuples():
        span = float(time_of(phase.start)), float(time_of(phase.stop))
        axis.axvspan(*span, color=PHASE_COLOURS[str(phase.phase)], alpha=0.3, lw=0)
        for turn in (phase.stop_low, phase.stop_high):
            if np.isfinite(turn):
                axis.axvline(float(time_of(turn)), color=OTHER, lw=0.8, ls=":")


def _lens_seen(tables: Tables) -> str:
    def range_of(rows: pd.DataFrame) -> str:
        rows = at_last_step(rows).sort_values("layer")
        first, last = rows["surprisal"].iloc[[0, -1]]
        return f"{rounded(first)} at layer {rows['layer'].iloc[0]}, {rounded(last)} at the output"

    words = {name: range_of(rows) for name, rows in by_model(tables["lens"]).items()}
    return f"Surprisal at the last step, nats a token: {of_each(words)}."


@in_gallery(seen=_lens_seen)
def lens(tables: Tables) -> Figure:
    """What every layer expects of the next token, by layer and step."""
    table = tables["lens"]
    models = list(table["model"].unique())
    shown = {
        "surprisal": "surprisal (nats a token)",
        "kl": "KL to the output (nats)",
        "top1": "same likeliest token (share)",
    }
    rows = {label: table.assign(value=table[name]) for name, label in shown.items()}
    figure, axes = panels(len(rows), len(models), height=MAP)
    draw_rows(figure, axes, rows, models, GEOMETRY_COLOURS)
    return figure


def _alignment_seen(tables: Tables) -> str:
    table = tables["alignment"]
    means = table.groupby(["measure", "of", "layer", "model", "step"], sort=False)["value"].mean()
    best = means.groupby(["measure", "of"], sort=False).max()
    told = ", ".join(f"{m} ({of}) {rounded(v)}" for (m, of), v in best.items())
    return f"Highest mean over regions: {told}."


@in_gallery(seen=_alignment_seen)
def alignment(tables: Tables) -> Figure:
    """Every measure of likeness that fits nothing, by layer and step, mean over regions."""
    table = tables["alignment"]
    by = ["model", "step", "layer", "of", "measure"]
    means = table.groupby(by, sort=False)["value"].mean().reset_index()
    kinds = list(means[["measure", "of"]].drop_duplicates().itertuples(index=False, name=None))
    models = list(means["model"].unique())
    rows = {
        fill(f"{words(measure).label}, {of}", 16): means[
            (means["measure"] == measure) & (means["of"] == of)
        ]
        for measure, of in kinds
    }
    figure, axes = panels(len(kinds), len(models), height=MAP)
    draw_rows(figure, axes, rows, models, ALIGNMENT_COLOURS)
    return figure


def _depth_seen(tables: Tables) -> str:
    def straight(rows: pd.DataFrame) -> str:
        way = at_last_step(rows[rows["measure"] == "straightness"])
        rows = of_last_layer(way.dropna(subset="value"))
        if rows.empty:
            return "is not known"
        return f"{rounded(rows['value'].iloc[0])} (walk {rounded(rows['null'].iloc[0])})"

    words = {name: straight(rows) for name, rows in by_model(tables["depth"]).items()}
    return f"Straightness of the whole way: {of_each(words)}."


@in_gallery(seen=_depth_seen)
def depth(tables: Tables) -> Figure:
    """The way through the layers at each model's last step, beside a residual random walk."""
    table = _last_step(tables["depth"])
    models = list(table["model"].unique())
    figure, axes = panels(len(MEASURES), len(models), height=1.7, sharey="row")
    for place, (measure, label) in enumerate(MEASURES.items()):
        for axis, model in zip(axes[place], models, strict=True):
            own = table[(table["measure"] == measure) & (table["model"] == model)]
            own = own.sort_values("layer")
            axis.plot(own["layer"], own["null"], color=OTHER, ls="--", label="walk", **MARKED)
            axis.plot(own["layer"], own["value"], color=INK, label="model", **MARKED)
            axis.set_title(titled(model, own) if place == 0 else "")
            axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
            axis.set_xlabel("layer" if place == len(MEASURES) - 1 else "")
        axes[place, 0].set_ylabel(label)
    legend_below(figure, axes[0, 0])
    return figure


def _last_step(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["step"] == table.groupby("model")["step"].transform("max")]


def _blocks_seen(tables: Tables) -> str:
    def clear(rows: pd.DataFrame) -> str:
        rows = at_last_step(rows)
        beyond = rows[(rows["smooth_p"] <= 0.05) & (rows["walk_p"] <= 0.05)]
        return ", ".join(f"{count} blocks" for count in beyond["blocks"]) or "none"

    words = {name: clear(rows) for name, rows in by_model(tables["blocks"]).items()}
    return f"Clearer than both nulls at the last step: {of_each(words)}."


@in_gallery(seen=_blocks_seen)
def blocks(tables: Tables) -> Figure:
    """Similarity of the blocks of layers at each model's last step, with the best cuts."""
    table, cuts = _last_step(tables["depth_similarity"]), tables["blocks"]
    table = table[(table["layer"] > 0) & (table["other"] > 0)]
    models = [model for model in table["model"].unique() if model in set(cuts["model"])]
    figure, axes = panels(1, len(models), width=2.8, height=min(2.6, 0.9 + 5.6 / len(models)))
    scale = mpl.colors.Normalize(0, 1)
    cmap = mpl.colormaps[GEOMETRY_COLOURS].with_extremes(bad="#dddddd")
    for axis, model in zip(axes[0], models, strict=True):
        own = table[table["model"] == model]
        grid = grid_of(own.assign(value=own["cka_debiased"], step=own["other"]))
        edges = layer_edges(grid.index)
        mesh = axis.pcolormesh(edges, edges, grid.to_numpy(), cmap=cmap, norm=scale)
        those = cuts[(cuts["model"] == model) & (cuts["step"] == own["step"].max())]
        _draw_cuts(axis, those.sort_values("blocks"))
        axis.set_title(titled(model, own))
        axis.set_aspect("equal", anchor="W")
        for ticks in (axis.xaxis, axis.yaxis):
            ticks.set_major_locator(mpl.ticker.MaxNLocator(5, integer=True))
    axes[0, 0].set_ylabel("layer")
    figure.colorbar(mesh, ax=list(axes[0]), label="linear CKA", extend="min", panchor=False)
    return figure


def _draw_cuts(axis: Axes, cuts: pd.DataFrame) -> None:
    """The cut that a walk over depth is least likely to have, and the p of all."""
    if cuts.empty:
        return
    told = [
        f"{row.blocks} blocks: p {row.smooth_p:.2f}, {row.walk_p:.2f}" for row in cuts.itertuples()
    ]
    axis.set_xlabel("\n".join(["layer", *told]))
    best = cuts.sort_values(["walk_p", "blocks"]).iloc[0]
    clear = max(best["smooth_p"], best["walk_p"]) <= 0.05
    for start in str(best["starts"]).split(","):
        if start.isdigit():
            for line in (axis.axvline, axis.axhline):
                line(int(start) - 0.5, color="white", lw=1.2, ls="-" if clear else ":")


def _hierarchy_seen(tables: Tables) -> str:
    table = tables["hierarchy"].dropna(subset="rho")
    table = table[table["quantity"] == "best_layer"]

    def score(rows: pd.DataFrame) -> str:
        row = at_last_step(rows).iloc[0]
        return f"{rounded(row['rho'])} (p {rounded(row['p'])}, {row['n']} regions)"

    words = {name: score(rows) for name, rows in by_model(table).items()}
    return f"Spatial score of the best layers at the last step: {of_each(words)}."


@in_gallery(seen=_hierarchy_seen)
def hierarchy(tables: Tables) -> Figure:
    """How well the layers that predict regions best follow the regions' order, over training."""
    table = tables["hierarchy"]
    table = table[table["quantity"] != "t50"].dropna(subset=["rho"])
    models = list(table["model"].unique())
    figure, axes = panels(1, len(models), width=2.8, height=2.6, sharey=True)
    styles = {"best_layer": "-", "mean_layer": "--"}
    for axis, model in zip(axes[0], models, strict=True):
        own = table[table["model"] == model]
        for quantity, rows in own.groupby("quantity", sort=False):
            time, clear = time_of(rows["step"]), (rows["p"] <= 0.05).to_numpy()
            label = str(quantity).replace("_", " ")
            line = {"color": INK, "ls": styles[str(quantity)], "lw": 1.2}
            axis.plot(time, rows["rho"], label=label, zorder=1, **line)
            for chosen, face in ((clear, INK), (~clear, "white")):
                points = {"facecolor": face, "edgecolor": INK, "s": 16, "zorder": 2}
                axis.scatter(time[chosen], rows["rho"][chosen], **points)
        axis.axhline(0, color=OTHER, lw=0.6)
        axis.set_ylim(-1.05, 1.05)
        axis.set_title(model)
        time_axis(axis, own["step"])
    axes[0, 0].set_ylabel("spatial score (Spearman's ρ)")
    for label, face in (("p ≤ .05", INK), ("p > .05", "white")):
        axes[0, 0].scatter([], [], facecolor=face, edgecolor=INK, s=16, label=label)
    legend_below(figure, axes[0, 0])
    return figure
