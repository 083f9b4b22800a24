"""Responses in time beside what is planted, and scores beside what shuffled TRs would claim."""

from pathlib import Path

import pandas as pd

from geomod.base.extras import extra
from geomod.report.drawing import (
    INK,
    OTHER,
    STYLE,
    VERDICT_COLOURS,
    panels,
)
from geomod.report.gallery import Tables
from geomod.report.registry import in_gallery
from geomod.report.words import rounded

with extra("report"):
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

FOUND, SHUFFLED, PLANTED = VERDICT_COLOURS["supported"], VERDICT_COLOURS["not supported"], INK


def _in_time_seen(tables: Tables) -> str:
    """What the layers score, what shuffled TRs would claim, and what time alone would."""
    table = tables["shuffling"]
    best = table.groupby([table["model"] == "time", "region"], sort=False)[["stories", "shuffled"]]
    told = []
    for (alone, region), row in best.max().iterrows():
        who = "time alone" if alone else "the best layer"
        told.append(
            f"{region}: {who} scores {rounded(row['stories'])} with stories left out, and shuffled "
            f"TRs would claim {rounded(row['shuffled'])}"
        )
    return f"{'; '.join(told)}."


@in_gallery(seen=_in_time_seen)
def in_time(tables: Tables) -> Figure:
    """Responses and scores in time, of the tables `impulse` and `shuffling`."""
    return responses_and_scores(tables["impulse"], tables["shuffling"])


def responses_and_scores(impulse: pd.DataFrame, shuffling: pd.DataFrame) -> Figure:
    """A column a region.

    Above, the response to words: thick the participants' average, thin single ones, dashed what is
    planted. Below, scores of the layers of each model's last checkpoint by stories that are left
    out, and dotted by shuffled TRs; the grey lines are of features that know the time alone.
    """
    regions = list(dict.fromkeys(impulse["region"]))
    figure, axes = panels(2, len(regions), sharey="row")
    for k, region in enumerate(regions):
        _response(axes[0, k], region, impulse[impulse["region"] == region])
        _scores(axes[1, k], shuffling[shuffling["region"] == region])
    axes[0, 0].set_ylabel("weight of the word rate (SD)")
    axes[1, 0].set_ylabel("encoding score (Pearson r)")
    handles = [
        mpl.lines.Line2D([], [], color=colour, lw=width, ls=style, label=label)
        for label, colour, width, style in (
            ("average", FOUND, 1.6, "-"),
            ("participant", OTHER, 0.5, "-"),
            ("planted", PLANTED, 0.8, "--"),
            ("stories left out", FOUND, 1.2, "-"),
            ("shuffled TRs", SHUFFLED, 1.2, ":"),
            ("time alone", OTHER, 1.2, "-"),
        )
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def draw_in_time(impulse: pd.DataFrame, shuffling: pd.DataFrame, path: str | Path) -> None:
    """Draw the tables `impulse` and `shuffling` of one dataset into a file."""
    with mpl.rc_context(STYLE):
        figure = responses_and_scores(impulse, shuffling)
        undated = {"Date": None} if Path(path).suffix == ".svg" else None
        figure.savefig(path, dpi=200, metadata=undated)


def _response(axis: Axes, region: str, impulse: pd.DataFrame) -> None:
    axis.axhline(0, color=OTHER, lw=0.5)
    for who, curve in impulse.groupby("participant", sort=False):
        mean = who == "average"
        colour, width = (FOUND, 1.6) if mean else (OTHER, 0.5)
        axis.plot(curve["seconds"], curve["weight"], color=colour, lw=width)
        if mean and curve["planted"].notna().any():
            axis.plot(curve["seconds"], curve["planted"], color=PLANTED, lw=0.8, ls="--")
    axis.set_title(region)
    axis.set_xlabel("after a word (s)")


def _scores(axis: Axes, shuffling: pd.DataFrame) -> None:
    axis.axhline(0, color=OTHER, lw=0.5)
    alone = shuffling[shuffling["model"] == "time"]
    for style, name in (("-", "stories"), (":", "shuffled")):
        for height in alone[name]:
            axis.axhline(height, color=OTHER, lw=1.2, ls=style)
    for _, of_model in shuffling.drop(alone.index).groupby("model", sort=False):
        axis.plot(of_model["layer"], of_model["stories"], color=FOUND, lw=1.2)
        axis.plot(of_model["layer"], of_model["shuffled"], color=SHUFFLED, lw=1.2, ls=":")
    axis.set_xlabel("layer")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
