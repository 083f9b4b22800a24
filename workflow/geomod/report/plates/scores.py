"""How well models expect the sentences, and how well their layers predict the brain."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from geomod.base.extras import extra
from geomod.report.drawing import (
    ALIGNMENT_COLOURS,
    BASELINE_COLOURS,
    INK,
    LOG2_OF_10,
    MARKED,
    NETWORK,
    ONE_COLUMN,
    OTHER,
    at_last_step,
    by_model,
    draw_maps,
    legend_below,
    model_colours,
    network_score,
    of_average,
    panels,
    region_colours,
    short,
    time_axis,
    time_of,
    titled,
    varying,
)
from geomod.report.gallery import Tables
from geomod.report.registry import in_gallery
from geomod.report.words import of_each, rounded

with extra("report"):
    import matplotlib as mpl
    import seaborn as sns
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _learning_seen(tables: Tables) -> str:
    def change(rows: pd.DataFrame) -> str:
        first, last = rows.sort_values("step")["surprisal"].iloc[[0, -1]]
        return f"from {rounded(first)} to {rounded(last)}"

    known = tables["tokens"].dropna(subset="surprisal")  # a model may not predict tokens
    words = {name: change(rows) for name, rows in by_model(known).items()}
    return f"Surprisal over training, nats a token: {of_each(words)}."


@in_gallery(seen=_learning_seen)
def learning(tables: Tables) -> Figure:
    """Surprisal of the stimuli over training."""
    tokens = tables["tokens"]
    figure, axes = panels(1, 1, width=ONE_COLUMN - 0.8, height=2.4)
    axis = axes[0, 0]
    colours = model_colours(tokens["model"])
    for model, rows in tokens.groupby("model", sort=False):
        time, surprisal = time_of(rows["step"]), rows["surprisal"]
        axis.plot(time, surprisal, color=colours[model], label=model, **MARKED)
    axis.legend()
    axis.set_ylabel("surprisal of the stimuli (nats a token)")
    time_axis(axis, tokens["step"])
    return figure


def _best(rows: pd.DataFrame) -> pd.Series:
    return rows.loc[rows["score"].idxmax()]


def _encoding_seen(tables: Tables) -> str:
    table = network_score(varying(tables["encoding"])).dropna(subset="score")
    best = {name: _best(rows) for name, rows in by_model(table).items()}
    words = {
        name: f"{rounded(b['score'], 3)} in layer {b['layer']} at step {short(b['step'])}"
        for name, b in best.items()
    }
    return f"Highest score: {of_each(words)}."


@in_gallery(seen=_encoding_seen)
def encoding(tables: Tables) -> Figure:
    """Encoding score of the language network by layer and step."""
    values = network_score(varying(tables["encoding"])).rename(columns={"score": "value"})
    models = list(values["model"].unique())
    figure, axes = panels(1, len(models))
    draw_maps(figure, axes[0], values, models, "Pearson r", ALIGNMENT_COLOURS)
    return figure


def _profiles_seen(tables: Tables) -> str:
    table = varying(of_average(tables["encoding"])).dropna(subset="score")
    best = {name: _best(at_last_step(rows)) for name, rows in by_model(table).items()}
    words = {
        name: f"{b['region']} in layer {b['layer']} (r = {rounded(b['score'], 3)})"
        for name, b in best.items()
    }
    return f"Highest at the last step: {of_each(words)}. Bands: ± SD over outer folds."


@in_gallery(seen=_profiles_seen)
def profiles(tables: Tables) -> Figure:
    """Score of every region over depth, at each model's last step."""
    table = varying(of_average(tables["encoding"]))
    models, colours = list(table["model"].unique()), region_colours(table["region"])
    figure, axes = panels(1, len(models), height=2.5, sharey=True)
    for axis, model in zip(axes[0], models, strict=True):
        own = table[table["model"] == model]
        own = own[own["step"] == own["step"].max()]
        for region, colour in colours.items():
            rows = own[own["region"] == region].sort_values("layer")
            layer = rows["layer"]
            axis.plot(layer, rows["score"], color=colour, label=region, **MARKED)
            ends = rows["score"] - rows["score_sd"], rows["score"] + rows["score_sd"]
            axis.fill_between(layer, *ends, color=colour, alpha=0.08, lw=0)
        axis.axhline(0, color=OTHER, lw=0.6)
        axis.set_title(titled(model, own))
        axis.set_xlabel("layer")
        axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    axes[0, 0].set_ylabel("encoding score (Pearson r)")
    legend_below(figure, axes[0, -1], "region")
    return figure


def _emergence_seen(tables: Tables) -> str:
    table = tables["emergence"]
    known = table[np.isfinite(table["t50"]) & ~table["censored"].astype(bool)]
    if known.empty:
        return "No half-time could be read. Bands: ± SD over outer folds, mean over blocks."

    def order(rows: pd.DataFrame) -> str:
        first, last = (rows.loc[f()] for f in (rows["t50"].idxmin, rows["t50"].idxmax))
        steps = (short(round(end["t50_step"])) for end in (first, last))
        return "from {} (step {}) to {} (step {})".format(
            first["region"], next(steps), last["region"], next(steps)
        )

    words = {name: order(rows) for name, rows in by_model(known).items()}
    return (
        f"{len(known)} of {len(table)} half-times could be read: {of_each(words)}. "
        "Bands of the curves: ± SD over outer folds, mean over blocks."
    )


@in_gallery(seen=_emergence_seen)
def emergence(tables: Tables) -> Figure:
    """Score of each region over training, with its half-time."""
    table = of_average(tables["encoding"])
    times = tables["emergence"]
    curves = (
        table[table["layer"] > 0]
        .groupby(["model", "region", "step"], sort=False)[["score", "score_sd"]]
        .mean()
        .reset_index()
    )
    models, colours = list(curves["model"].unique()), region_colours(curves["region"])
    known = times[np.isfinite(times["t50"]) & ~times["censored"].astype(bool)]
    rows = 1 if known.empty else 2
    ratios = [2.0, 0.3 + 0.11 * len(colours)][:rows]
    how: Any = {"height": 0.6 / rows + sum(ratios) / rows, "height_ratios": ratios, "sharex": True}
    figure, axes = panels(rows, len(models), sharey="row", **how)
    for column, model in zip(axes.T, models, strict=True):
        own = curves[curves["model"] == model]
        for region, colour in colours.items():
            course = own[own["region"] == region]
            time = time_of(course["step"])
            column[0].plot(time, course["score"], color=colour, label=region, **MARKED)
            ends = course["score"] - course["score_sd"], course["score"] + course["score_sd"]
            column[0].fill_between(time, *ends, color=colour, alpha=0.06, lw=0)
        column[0].set_title(model)
        column[-1].set_xlim(time_of(0) - 0.3, time_of(curves["step"]).max() + 0.3)
        if rows == 2:
            _half_times(column[1], known[known["model"] == model], colours)
        time_axis(column[-1], curves["step"])
    axes[0, 0].set_ylabel("encoding score (Pearson r)")
    axes[-1, 0].set_ylabel("t50" if rows == 2 else "encoding score (Pearson r)")
    legend_below(figure, axes[0, -1], "region")
    return figure


def _half_times(axis: Axes, found: pd.DataFrame, colours: Mapping[str, Any]) -> None:
    """A line a region: its half-time and the interval of that."""
    for place, (region, colour) in enumerate(colours.items()):
        for half in found[found["region"] == region].itertuples():
            ends = np.array([half.low, half.high]) * LOG2_OF_10
            axis.plot(ends, [place, place], color=colour, lw=1.2)
            axis.plot(half.t50 * LOG2_OF_10, place, "o", ms=3.5, color=colour)
    axis.set_ylim(len(colours) - 0.4, -0.6)
    axis.set_yticks([])


def _ceilings_seen(tables: Tables) -> str:
    scores = of_average(tables["encoding"])
    best = scores[scores["layer"] > 0].groupby("region")["score"].max()
    ceiling = tables["ceiling"]
    ceiling = ceiling[ceiling["participant"] == "average"].set_index("region")["ceiling"]
    share = (best / ceiling[ceiling > 0]).dropna()
    if share.empty:
        return "No region has a ceiling above 0."
    return (
        f"Best scores reach {share.min():.0%} ({share.idxmin()}) to {share.max():.0%} "
        f"({share.idxmax()}) of the ceiling."
    )


@in_gallery(seen=_ceilings_seen)
def ceilings(tables: Tables) -> Figure:
    """Each model's best score of a region under the region's noise ceiling."""
    table, ceiling = of_average(tables["encoding"]), tables["ceiling"]
    ceiling = ceiling[ceiling["participant"] == "average"]
    regions = list(ceiling["region"])
    best = table[table["layer"] > 0].groupby(["model", "region"], sort=False)["score"].max()
    models = list(table["model"].unique())
    colours = model_colours(table["model"])
    figure, axes = panels(1, 1, width=0.45 * len(regions) + 1.2, height=2.4)
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


def _baselines_seen(tables: Tables) -> str:
    table = tables["baselines"]
    network = table["region"] == NETWORK
    table = table[(table["layer"] > 0) & (network | (not network.any()))]

    def beyond(rows: pd.DataFrame) -> str:
        unique = at_last_step(rows).groupby("baseline", sort=False)["unique_r2"].mean()
        return ", ".join(f"{rounded(value, 3)} beyond {name}" for name, value in unique.items())

    words = {name: beyond(rows) for name, rows in by_model(table).items()}
    return f"R² that layers add at the last step: {of_each(words)}."


@in_gallery(seen=_baselines_seen)
def baselines(tables: Tables) -> Figure:
    """Scores of the baselines beside the layers', and what the layers add to each."""
    table = tables["baselines"]
    models = list(table["model"].unique())
    if NETWORK in set(table["region"]):
        table = table[table["region"] == NETWORK]
    keys, values = ["model", "baseline", "step"], ["score_baseline", "score_layer", "unique_r2"]
    table = table[table["layer"] > 0].groupby(keys, sort=False)[values].mean().reset_index()
    names = list(pd.unique(table["baseline"]))
    others = [name for name in names if name not in BASELINE_COLOURS]
    own_colours = dict(zip(others, sns.color_palette("husl", len(others)), strict=True))
    colours: dict[str, Any] = {**BASELINE_COLOURS, **own_colours}
    figure, axes = panels(2, len(models), width=2.6, sharey="row")
    for (above, below), model in zip(axes.T, models, strict=True):
        own = table[table["model"] == model]
        layer = own.groupby("step")["score_layer"].first()
        above.plot(time_of(layer.index), layer, color=INK, label="layer", **MARKED)
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
    legend_below(figure, axes[0, 0], "predictor")
    return figure


def courses(encodings: Tables) -> Figure:
    """The network's score over training, mean over blocks: a panel a run, a line a model.

    `encodings` is the table `encoding` of each run, by the run's name; of several datasets the
    first is drawn.
    """
    figure, axes = panels(1, len(encodings), width=3.15, height=2.6, sharey=True)
    for axis, (run, table) in zip(axes[0], encodings.items(), strict=True):
        headline = table[table["dataset"] == table["dataset"].iloc[0]]
        scores = network_score(varying(headline))
        scores = scores[scores["layer"] > 0]
        colours = model_colours(scores["model"])
        for model, rows in scores.groupby("model", sort=False):
            mean = rows.groupby("step")["score"].mean()
            line = {"color": colours[str(model)], "label": model, **MARKED}
            axis.plot(time_of(mean.index), mean, **line)
        axis.set_title(f"{run}\n{headline['dataset'].iloc[0]}")
        axis.axhline(0, color=OTHER, lw=0.6)
        time_axis(axis, scores["step"])
        axis.legend()
    axes[0, 0].set_ylabel("encoding score (Pearson r)")
    return figure
