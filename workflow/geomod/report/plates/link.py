"""What geometry has to do with alignment, and what size has to do with that."""

import numpy as np
import pandas as pd

from geomod.base.extras import extra
from geomod.report.drawing import (
    INK,
    NETWORK,
    ONE_COLUMN,
    OTHER,
    by_model,
    model_colours,
    network_score,
    only_step,
    panels,
    short,
    tick_steps,
    time_of,
    titled,
)
from geomod.report.gallery import Tables
from geomod.report.registry import in_gallery
from geomod.report.words import of_each, rounded

with extra("report"):
    import matplotlib as mpl
    from matplotlib.figure import Figure


def _coupling_seen(tables: Tables) -> str:
    table = network_score(tables["encoding"])
    n = {name: int((rows["layer"] > 0).sum()) for name, rows in by_model(table).items()}
    return f"Points: {of_each({name: str(count) for name, count in n.items()})}."


@in_gallery(seen=_coupling_seen)
def coupling(tables: Tables) -> Figure:
    """Encoding score against curvature."""
    shapes = tables["geometry"]
    shapes = shapes[(shapes["metric"] == "curvature") & (shapes["layer"] > 0)]
    shapes = shapes[shapes["variant"] == shapes["variant"].iloc[0]]
    both = shapes.merge(network_score(tables["encoding"]), on=["model", "step", "layer"])
    models = list(shapes["model"].unique())
    figure, axes = panels(1, len(models), height=2.2, sharey=True)
    scale = mpl.colors.Normalize(0, time_of(both["step"]).max())
    partial = _paper_correlations(tables["correlations"])
    for axis, model in zip(axes[0], models, strict=True):
        rows = both[both["model"] == model]
        points = axis.scatter(
            np.degrees(rows["mean"]),
            rows["score"],
            c=time_of(rows["step"]),
            norm=scale,
            cmap="cividis_r",
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


def _paper_correlations(table: pd.DataFrame) -> dict[str, float]:
    """Pearson's r of curvature and the network's score given log step, of each model."""
    network = NETWORK if NETWORK in set(table["region"]) else "mean"
    pooled = table["layer"].isna() & (table["region"] == network)
    rows = table[pooled & (table["predictor"] == "curvature") & (table["method"] == "pearson")]
    return dict(zip(rows["model"], rows["r"], strict=True))


def _scale_seen(tables: Tables) -> str:
    effects, trend = effects_by_size(tables)
    told = f"z goes from {rounded(effects['z'].iloc[0])} ({effects['model'].iloc[0]}) to "
    told += f"{rounded(effects['z'].iloc[-1])} ({effects['model'].iloc[-1]}). "
    if trend is None:
        return told + "Too few sizes for a trend with an interval."
    ends = ", ".join(rounded(trend[name]) for name in ("low", "high"))
    return told + f"It changes by {rounded(-trend['estimate'])} per tenfold size [{ends}]."


@in_gallery(seen=_scale_seen)
def scale(tables: Tables) -> Figure:
    """The effect of curvature in each model over the model's size, and the trend with its band."""
    effects, trend = effects_by_size(tables)
    figure, axes = panels(1, 1, width=ONE_COLUMN - 0.8, height=2.5)
    axis = axes[0, 0]
    colours = model_colours(effects["model"])
    size = np.log10(effects["parameters"])
    for place, row in zip(size, effects.itertuples(), strict=True):
        bar = {"yerr": 1.96 * row.se} if np.isfinite(row.se) else {}
        colour = colours[str(row.model)]
        axis.errorbar(place, row.z, **bar, fmt="o", ms=4, lw=1.2, color=colour, label=row.model)
    if trend is not None:
        along = np.linspace(size.min(), size.max(), 50)
        weight = 1 / effects["se"] ** 2
        middle = np.average(size, weights=weight), np.average(effects["z"], weights=weight)
        slopes = [-trend[name] * (along - middle[0]) + middle[1] for name in ("low", "high")]
        axis.plot(along, -trend["estimate"] * (along - middle[0]) + middle[1], color=INK, lw=1)
        axis.fill_between(along, *slopes, color=INK, alpha=0.12, lw=0)
    axis.axhline(0, color=OTHER, lw=0.6)
    axis.set_xticks(size, [of_weights(number) for number in effects["parameters"]])
    axis.set_xlabel("parameters")
    axis.set_ylabel("effect of curvature (Fisher z)")
    if effects["parameters"].duplicated().any():  # else the axis says which is which
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def of_weights(number: float) -> str:
    """4.1e8 → 410M."""
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:.3g}{name}"
    return f"{number:.0f}"


def effects_by_size(tables: Tables) -> tuple[pd.DataFrame, pd.Series | None]:
    """Fisher z of claim 4 in each model with its SE, and the trend of claim 5 where there is one.

    The trend's estimate is toward the paper's side, that is, minus the slope of z.
    """
    claims = tables["claims"].set_index("name")
    models = pd.DataFrame(claims.loc["curvature predicts alignment", "details"]["models"])
    sizes = tables["tokens"].drop_duplicates("model").set_index("model")["parameters"]
    effects = pd.DataFrame(
        {
            "model": models["model"],
            "parameters": models["model"].map(sizes).astype(float),
            "z": np.arctanh(models["partial_r"].astype(float).clip(-0.9999, 0.9999)),
            "se": models["se_z"].astype(float),
        }
    )
    trend = claims.loc["stronger with size"] if "stronger with size" in claims.index else None
    known = trend is not None and pd.notna(trend["estimate"])
    return effects.sort_values("parameters"), trend if known else None
