"""The specification curve as a picture: estimates on top, the choices behind each below."""

from textwrap import fill

import numpy as np
import pandas as pd

from geomod.base.extras import extra
from geomod.report.drawing import INK, OTHER, TWO_COLUMNS, VERDICT_COLOURS

with extra("report"):
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METRICS = ("entropy", "curvature")
SOFT = "#d8d3c8"


def specification_curves(table: pd.DataFrame) -> Figure:
    """A column a quantity: its estimates in order with intervals, under them the variants.

    Quantities that cannot be estimated under any choice have no column.
    """
    estimated = table.groupby("quantity")["estimate"].transform("count") > 0
    table = table[estimated]
    choices = [(metric, name) for metric in METRICS for name in table[metric].unique() if name]
    sizes = table.groupby("quantity", sort=False).size()
    figure = Figure(figsize=(TWO_COLUMNS, 2.6 + 0.13 * len(choices)))
    figure.set_layout_engine("constrained")
    axes = figure.subplots(
        2,
        len(sizes),
        squeeze=False,
        sharex="col",
        width_ratios=np.maximum(sizes, max(10, sizes.max() / 3)),
        height_ratios=[1.8, 0.3 + 0.13 * len(choices)],
    )
    for column, (quantity, rows) in enumerate(table.groupby("quantity", sort=False)):
        rows = rows.sort_values("rank", na_position="last", ignore_index=True)
        _estimates(axes[0, column], rows, str(quantity))
        _choices(axes[1, column], rows, choices, labelled=column == 0)
    handles = [
        mpl.lines.Line2D([], [], marker="o", ls="", color=colour, label=word)
        for word, colour in VERDICT_COLOURS.items()
    ]
    handles.append(
        mpl.lines.Line2D([], [], marker="o", ls="", mfc="none", mec="black", ms=6, label="headline")
    )
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _estimates(axis: Axes, rows: pd.DataFrame, quantity: str) -> None:
    for place, row in enumerate(rows.itertuples()):
        colour = VERDICT_COLOURS[str(row.verdict)]
        axis.plot([place, place], [row.low, row.high], color=colour, lw=1, alpha=0.6)
        axis.plot(place, row.estimate, "o", ms=2.5, color=colour)
        if row.headline:
            axis.plot(place, row.estimate, "o", ms=6, mfc="none", mec="black")
    axis.axhline(0, color=OTHER, lw=0.6, zorder=0)
    headline = rows.loc[rows["headline"], "verdict"].iloc[0]
    same = int((rows["verdict"] == headline).sum())
    axis.set_title(f"{fill(quantity, 14)}\n{headline} {same}/{len(rows)}", fontsize="small")
    axis.tick_params(bottom=False, labelbottom=False)


def _choices(
    axis: Axes, rows: pd.DataFrame, choices: list[tuple[str, str]], *, labelled: bool
) -> None:
    """A dot where a specification takes a variant; metrics that it does not take stay empty."""
    for height, (metric, name) in enumerate(choices):
        if not (rows[metric] != "").any():
            continue
        taken = np.flatnonzero(rows[metric] == name)
        axis.plot(np.arange(len(rows)), np.full(len(rows), height), ".", ms=1, color=SOFT)
        axis.plot(taken, np.full(len(taken), height), "o", ms=2, color=INK)
    labels = [f"{metric} {name}" for metric, name in choices] if labelled else []
    axis.set_yticks(range(len(choices)) if labelled else [], labels)
    axis.set_ylim(len(choices) - 0.5, -0.5)
    axis.set_xlim(-1, len(rows))
    axis.set_xticks([])
    axis.spines["bottom"].set_visible(False)
