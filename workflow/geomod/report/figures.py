"""The figures, each a function from tables to a matplotlib figure. What they show: `gallery.py`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd

from geomod.base.extras import extra
from geomod.report import shapes
from geomod.report.drawing import (
    LOG2_OF_10,
    MARKED,
    MODULE_COLOURS,
    NETWORK,
    OTHER,
    STYLE,
    draw_maps,
    grid_of,
    layer_edges,
    model_colours,
    network_score,
    of_average,
    only_step,
    panels,
    region_colours,
    short,
    step_ticks,
    tick_steps,
    time_axis,
    time_of,
    titled,
    varying,
)
from geomod.report.gallery import GALLERY, Tables
from geomod.report.sinks import sinks
from geomod.report.specifications import VERDICT_COLOURS, specification_curves

with extra("report"):
    import matplotlib as mpl
    import seaborn as sns
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Of the metrics; those of a user's own have none that is known here.
UNITS = {
    "entropy": "nats",
    "curvature": "°",
    "effective_rank": "dimensions",
    "participation_ratio": "dimensions",
    "path_length": "units of the states",
    "step_length": "units of the states",
    "still_steps": "steps",
    "first_token_norm": "ratio",
    "norm": "ln of the states' unit",
    "tokens": "tokens",
}


# Those that show entropy and curvature say where the first token decides them.
OF_GEOMETRY = ("geometry", "modules", "low_high", "coupling", "multiverse")


def save(name: str, tables: Tables, path: Path) -> None:
    """Draw the figure called `name` into an SVG or PNG file, the same file for the same tables.

    Where there is a table `calibration`, tests in the figure that exceed their level are named.
    Where the tables have nothing to show, the file holds the sentence that says what they lack.
    """
    plate = GALLERY[name]
    with sns.axes_style("ticks"), mpl.rc_context(STYLE):
        undated = {"Date": None} if path.suffix == ".svg" else None
        lacking = plate.lacking(tables)
        figure = left_out(plate.title, lacking) if lacking else FIGURES[name](tables)
        tests = () if lacking else plate.tests
        taken_over = sinks(tables["geometry"]) if name in OF_GEOMETRY and not lacking else []
        warnings = [*beyond_level(tests, tables.get("calibration")), *taken_over]
        warning = "\n".join(fill(line, 110) for line in warnings)
        figure.text(0, 0, warning, va="top", color=VERDICT_COLOURS["not supported"])
        figure.savefig(path, dpi=200, metadata=undated)


def left_out(title: str, sentence: str) -> Figure:
    """What stands in the file of a figure that has nothing to show."""
    figure = Figure(figsize=(5, 1))
    figure.text(0, 0.6, title, weight="bold")
    figure.text(0, 0.5, fill(sentence, 80), va="top", color=OTHER)
    return figure


def beyond_level(tests: Sequence[str], calibration: pd.DataFrame | None) -> list[str]:
    """A line for each of `tests` that rejects too often what is not there."""
    if calibration is None:
        return []
    rows = calibration[calibration["test"].isin(tests) & ~calibration["holds"]]
    return [
        f"✗ {test}: exceeds its level, rejects {level:.1%} of true nulls on this grid"
        for test, level in zip(rows["test"], rows["level"], strict=True)
    ]


def learning(tables: Tables) -> Figure:
    """Surprisal of the stimuli over training."""
    tokens = tables["tokens"]
    figure, axes = panels(1, 1, width=4.2, height=2.8)
    axis = axes[0, 0]
    colours = model_colours(tokens["model"])
    for model, rows in tokens.groupby("model", sort=False):
        time, surprisal = time_of(rows["step"]), rows["surprisal"]
        axis.plot(time, surprisal, color=colours[model], label=model, **MARKED)
    axis.legend()
    axis.set_ylabel("surprisal of the stimuli (nats a token)")
    time_axis(axis, tokens["step"])
    return figure


def geometry(tables: Tables) -> Figure:
    """Entropy, curvature and any further metric by layer and step, the headline of each."""
    table = tables["geometry"]
    headline = table.groupby("metric")["variant"].transform("first")
    table = table[table["variant"] == headline]
    first = ["entropy", "curvature"]
    metrics = [*first, *(m for m in table["metric"].unique() if m not in first)]
    models = list(table["model"].unique())
    figure, axes = panels(len(metrics), len(models))
    for row, metric in enumerate(metrics):
        values = table[table["metric"] == metric]
        scale = 180 / np.pi if metric == "curvature" else 1.0
        label = _label(metric, values["variant"].iloc[0])
        values = values.assign(value=values["mean"] * scale)
        draw_maps(figure, axes[row], values, models, label, "mako")
    return figure


def _label(metric: str, variant: str) -> str:
    """A metric and its unit; a share of the highest possible value has none."""
    unit = "" if "-per-" in variant else UNITS.get(metric, "")
    return metric.replace("_", " ") + (f" ({unit})" if unit else "")


def encoding(tables: Tables) -> Figure:
    """Encoding score of the language network by layer and step."""
    values = network_score(varying(tables["encoding"])).rename(columns={"score": "value"})
    models = list(values["model"].unique())
    figure, axes = panels(1, len(models))
    draw_maps(figure, axes[0], values, models, "Pearson r", "rocket")
    return figure


def profiles(tables: Tables) -> Figure:
    """Score of every region over depth, at each model's last step."""
    table = varying(of_average(tables["encoding"]))
    models, colours = list(table["model"].unique()), region_colours(table["region"])
    figure, axes = panels(1, len(models), width=3.0, height=2.8, sharey=True)
    for axis, model in zip(axes[0], models, strict=True):
        own = table[table["model"] == model]
        own = own[own["step"] == own["step"].max()]
        for region, rows in own.groupby("region", sort=False):
            rows = rows.sort_values("layer")
            axis.plot(
                rows["layer"], rows["score"], color=colours[str(region)], label=region, **MARKED
            )
        axis.axhline(0, color=OTHER, lw=0.6)
        axis.set_title(titled(model, own))
        axis.set_xlabel("layer")
        axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    axes[0, 0].set_ylabel("encoding score (Pearson r)")
    _legend(figure, axes[0, -1], "region")
    return figure


def modules(tables: Tables) -> Figure:
    """Module of each layer over training, and how clear the partition is."""
    table = tables["modules"]
    measured = set(table["model"])
    models = [name for name in tables["tokens"]["model"].unique() if name in measured]
    figure, axes = panels(2, len(models), height=1.9)
    names = [name for name in MODULE_COLOURS if name in set(table["module"])]
    palette = mpl.colors.ListedColormap([MODULE_COLOURS[name] for name in names])
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
        )
        _jumps(axis, tables["change_points"], str(model), grid)
        axis.set_title(model)
        axis.set_yticks(grid.index)
        step_ticks(axis, grid.columns)
        axis.set_ylabel("layer" if column == 0 else "")
        per_step = rows.drop_duplicates("step")
        clear = (per_step["null_p"] < 0.05).to_numpy()
        below = axes[1, column]
        places = np.arange(len(per_step)) + 0.5
        below.plot(places, per_step["silhouette"], color=OTHER, zorder=1)
        for chosen, face in ((clear, "#2b2b2b"), (~clear, "white")):
            below.scatter(
                places[chosen],
                per_step["silhouette"][chosen],
                s=18,
                facecolor=face,
                edgecolor="#2b2b2b",
                zorder=2,
            )
        below.set_xlim(0, len(per_step))
        below.set_ylim(-0.25, 1)
        below.set_ylabel("silhouette" if column == 0 else "")
        step_ticks(below, per_step["step"])
        below.set_xlabel("training step")
    handles = [mpl.patches.Patch(color=MODULE_COLOURS[name], label=name) for name in names]
    figure.legend(handles=handles, loc="outside right upper", title="module")
    return figure


def _jumps(axis: Axes, change_points: pd.DataFrame, model: str, grid: pd.DataFrame) -> None:
    """Lines before the places of a layer × step map where the geometry jumps."""
    steps = {int(step): place for place, step in enumerate(grid.columns)}
    style: Any = {"color": "#2b2b2b", "lw": 1.2}
    for jump in change_points[change_points["model"] == model].itertuples():
        place, layer = steps[int(jump.step)], float(jump.layer)
        if jump.over == "depth":
            axis.plot([place, place + 1], [layer - 0.5] * 2, **style)
        else:
            axis.plot([place] * 2, [layer - 0.5, layer + 0.5], **style)


def low_high(tables: Tables) -> Figure:
    """Score of the low minus that of the high module over training, region by region."""
    table = tables["low_high"]
    measured = set(table.dropna(subset="low_minus_high")["model"])  # of modules, low and high
    models = [name for name in tables["tokens"]["model"].unique() if name in measured]
    colours = region_colours(table["region"])
    figure, axes = panels(1, len(models), width=3.0, height=2.6, sharey=True)
    for axis, model in zip(axes[0], models, strict=True):
        own = table[table["model"] == model]
        axis.axhline(0, color=OTHER, lw=0.6)
        axis.set_title(model)
        if only_step(own) is not None:
            _by_region(axis, own, colours)
            continue
        for region, rows in own.groupby("region", sort=False):
            colour, time = colours[str(region)], time_of(rows["step"])
            axis.plot(time, rows["low_minus_high"], color=colour, label=region, **MARKED)
            if region == NETWORK:
                axis.fill_between(time, rows["low"], rows["high"], color=colour, alpha=0.12, lw=0)
        time_axis(axis, own["step"])
    axes[0, 0].set_ylabel("low − high module (Pearson r)")
    _legend(figure, axes[0, -1], "region")
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


def _legend(figure: Figure, axis: Axes, title: str) -> None:
    """What the lines of a panel are, beside the panels."""
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right center", title=title)


def emergence(tables: Tables) -> Figure:
    """Score of each region over training, with its half-time."""
    table = of_average(tables["encoding"])
    times = tables["emergence"]
    curves = (
        table[table["layer"] > 0]
        .groupby(["model", "region", "step"], sort=False)["score"]
        .mean()
        .reset_index()
    )
    models, colours = list(curves["model"].unique()), region_colours(curves["region"])
    figure, axes = panels(1, len(models), width=3.0, height=2.8, sharey=True)
    for axis, model in zip(axes[0], models, strict=True):
        for region, rows in curves[curves["model"] == model].groupby("region", sort=False):
            colour, time = colours[str(region)], time_of(rows["step"])
            axis.plot(time, rows["score"], color=colour, label=region, **MARKED)
            found = times[(times["model"] == model) & (times["region"] == region)]
            for half in found.itertuples():
                if np.isfinite(half.t50) and not half.censored:
                    axis.axvline(half.t50 * LOG2_OF_10, color=colour, lw=0.8, ls=":")
                    if np.isfinite(half.low) and np.isfinite(half.high):
                        band = (half.low * LOG2_OF_10, half.high * LOG2_OF_10)
                        axis.axvspan(*band, color=colour, alpha=0.07, lw=0)
        axis.set_title(model)
        axis.set_xlim(time_of(0), time_of(curves["step"]).max() + 0.3)
        time_axis(axis, curves["step"])
    axes[0, 0].set_ylabel("encoding score (Pearson r)")
    _legend(figure, axes[0, -1], "region")
    return figure


def ceilings(tables: Tables) -> Figure:
    """Each model's best score of a region under the region's noise ceiling."""
    table, ceiling = of_average(tables["encoding"]), tables["ceiling"]
    ceiling = ceiling[ceiling["participant"] == "average"]
    regions = list(ceiling["region"])
    best = table[table["layer"] > 0].groupby(["model", "region"], sort=False)["score"].max()
    models = list(table["model"].unique())
    colours = model_colours(table["model"])
    figure, axes = panels(1, 1, width=0.7 * len(regions) + 1.6, height=2.8)
    axis = axes[0, 0]
    for place, row in enumerate(ceiling.itertuples()):
        axis.bar(place, row.ceiling, width=0.75, color="#e8e4dc", zorder=0)
        if np.isfinite(row.low) and np.isfinite(row.high):
            axis.plot([place, place], [row.low, row.high], color="#b0a999", lw=2, zorder=1)
        for shift, model in zip(np.linspace(-0.22, 0.22, len(models)), models, strict=True):
            axis.scatter(
                place + shift,
                best.get((model, row.region), np.nan),
                s=16,
                color=colours[model],
                label=model if place == 0 else None,
                zorder=2,
            )
    axis.axhline(0, color=OTHER, lw=0.6)
    axis.set_xticks(range(len(regions)), regions)
    axis.set_ylabel("Pearson r")
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def coupling(tables: Tables) -> Figure:
    """Encoding score against curvature."""
    shapes = tables["geometry"]
    shapes = shapes[(shapes["metric"] == "curvature") & (shapes["layer"] > 0)]
    shapes = shapes[shapes["variant"] == shapes["variant"].iloc[0]]
    both = shapes.merge(network_score(tables["encoding"]), on=["model", "step", "layer"])
    models = list(shapes["model"].unique())
    figure, axes = panels(1, len(models), width=2.6, height=2.5, sharey=True)
    scale = mpl.colors.Normalize(0, time_of(both["step"]).max())
    partial = _paper_correlations(tables["correlations"])
    for axis, model in zip(axes[0], models, strict=True):
        rows = both[both["model"] == model]
        points = axis.scatter(
            np.degrees(rows["mean"]),
            rows["score"],
            c=time_of(rows["step"]),
            norm=scale,
            cmap="flare",
            s=14,
            lw=0,
        )
        if np.isfinite(partial.get(model, np.nan)):
            r = f"r = {partial[model]:.2f}".replace("-", "−")
            axis.annotate(r, (1, 1.03), xycoords="axes fraction", ha="right")
        axis.set_title(titled(model, rows))
        axis.set_xlabel("curvature (°)")
    axes[0, 0].set_ylabel("encoding score (Pearson r)")
    if only_step(both) is not None:
        return figure
    bar = figure.colorbar(points, ax=axes, shrink=0.8)
    steps = tick_steps(both["step"])
    bar.set_ticks(list(time_of(steps)), labels=[short(step) for step in steps])
    bar.set_label("training step")
    return figure


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
    for row, ((metric, variant), label) in enumerate(shown.items()):
        chosen = (population["metric"] == metric) & (population["variant"] == variant)
        draw_maps(figure, axes[row], population[chosen], models, label, "mako")
    _dimension_by_scale(
        figure, axes[len(shown)], population[population["metric"] == "gride"], models
    )
    cmap = sns.color_palette("rocket", as_cmap=True).with_extremes(bad="#dddddd")
    for row, end in enumerate(shown_ends, start=len(shown) + 1):
        for column, (axis, model) in enumerate(zip(axes[row], models, strict=True)):
            step = ends.loc[model, end]
            if np.isnan(step):
                axis.set_axis_off()
                continue
            rows = similarity[(similarity["model"] == model) & (similarity["step"] == step)]
            grid = rows.pivot_table(
                index="layer", columns="other", values="cka_debiased", dropna=False
            )
            edges = layer_edges(grid.index)
            mesh = axis.pcolormesh(edges, edges, grid.to_numpy(), cmap=cmap, vmin=0, vmax=1)
            axis.set_title(f"{model}, step {short(step)}")
            axis.set_box_aspect(1)
            axis.set_xlabel("layer")
            axis.set_ylabel("layer" if column == 0 else "")
            for ticks in (axis.xaxis, axis.yaxis):
                ticks.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
        figure.colorbar(mesh, ax=list(axes[row]), label="linear CKA", extend="min")
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
        axis.set_title(f"{model}, step {short(own['step'].max())}")
        axis.set_xlabel("neighbour k")
    axes[0].set_ylabel("GRIDE (dimensions)")
    bar = figure.colorbar(colours, ax=list(axes), label="layer")
    bar.locator = mpl.ticker.MaxNLocator(integer=True)


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
    figure, axes = panels(len(rows), len(models))
    for axis, (label, values) in zip(axes, rows.items(), strict=True):
        draw_maps(figure, axis, values, models, label, "mako")
    return figure


def _measured(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    return table[table["measure"] == measure]


def multiverse(tables: Tables) -> Figure:
    """The headline quantities under every choice of variants."""
    return specification_curves(tables["specification_curve"])


def baselines(tables: Tables) -> Figure:
    """Scores of the baselines beside the layers', and what the layers add to each."""
    table = tables["baselines"]
    models = list(table["model"].unique())
    if NETWORK in set(table["region"]):
        table = table[table["region"] == NETWORK]
    keys, values = ["model", "baseline", "step"], ["score_baseline", "score_layer", "unique_r2"]
    table = table[table["layer"] > 0].groupby(keys, sort=False)[values].mean().reset_index()
    names = list(pd.unique(table["baseline"]))
    colours = dict(zip(names, sns.color_palette("deep", len(names)), strict=True))
    figure, axes = panels(2, len(models), width=2.6)
    for row in axes:
        for axis in row[1:]:
            axis.sharey(row[0])
    for (above, below), model in zip(axes.T, models, strict=True):
        own = table[table["model"] == model]
        layer = own.groupby("step")["score_layer"].first()
        above.plot(time_of(layer.index), layer, color="#2b2b2b", label="layer", **MARKED)
        for name, rows in own.groupby("baseline", sort=False):
            style = {"color": colours[str(name)], "ls": "--", **MARKED}
            above.plot(time_of(rows["step"]), rows["score_baseline"], label=name, **style)
            below.plot(time_of(rows["step"]), rows["unique_r2"], **style)
        above.set_title(model)
        for axis in (above, below):
            axis.axhline(0, color=OTHER, lw=0.6)
            time_axis(axis, own["step"])
        above.set_xlabel("")
    axes[0, 0].set_ylabel("score (Pearson r)")
    axes[1, 0].set_ylabel("unique R² of the layer")
    _legend(figure, axes[0, 0], "predictor")
    return figure


def _paper_correlations(table: pd.DataFrame) -> dict[str, float]:
    """Pearson's r of curvature and the network's score given log step, of each model."""
    network = NETWORK if NETWORK in set(table["region"]) else "mean"
    pooled = table["layer"].isna() & (table["region"] == network)
    rows = table[pooled & (table["predictor"] == "curvature") & (table["method"] == "pearson")]
    return dict(zip(rows["model"], rows["r"], strict=True))


FIGURES: dict[str, Callable[[Tables], Figure]] = {
    "learning": learning,
    "geometry": geometry,
    "modules": modules,
    "encoding": encoding,
    "profiles": profiles,
    "low_high": low_high,
    "emergence": emergence,
    "ceilings": ceilings,
    "coupling": coupling,
    "baselines": baselines,
    "multiverse": multiverse,
    "sets": sets,
    "speed": speed,
    "alignment": shapes.alignment,
    "phases": shapes.phases,
    "lens": shapes.lens,
    "depth": shapes.depth,
    "blocks": shapes.blocks,
    "hierarchy": shapes.hierarchy,
}
