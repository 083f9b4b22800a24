"""The lag check: when every region follows the word rate, beside when blood would."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from geomod.base.extras import extra
from geomod.report.drawing import (
    OTHER,
    STYLE,
    VERDICT_COLOURS,
    panels,
)
from geomod.report.gallery import Tables
from geomod.report.registry import in_gallery
from geomod.report.words import rounded
from geomod.stories.lags import PLAUSIBLE

with extra("report"):
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4
GOOD, BAD = VERDICT_COLOURS["supported"], VERDICT_COLOURS["not supported"]
COLOURS = {"plausible": GOOD, "early": BAD, "late": BAD, "silent": OTHER}


def _lags_seen(tables: Tables) -> str:
    verdicts = tables["lag_check"]
    average = verdicts[verdicts["participant"] == "average"]
    rows = verdicts if average.empty else average
    told = ", ".join(
        f"{row.region} {row.verdict}"
        + (f" (peak {rounded(row.peak, 1)} s)" if row.verdict != "silent" else "")
        for row in rows.drop_duplicates("region").itertuples()
    )
    return f"{told}."


@in_gallery(seen=_lags_seen)
def lags(tables: Tables) -> Figure:
    """When every region follows the word rate, of the tables `lags` and `lag_check`."""
    return lag_panels(tables["lags"], tables["lag_check"], PLAUSIBLE)


def lag_panels(lags: pd.DataFrame, verdicts: pd.DataFrame, plausible: Sequence[float]) -> Figure:
    """A panel a region.

    Thick: the participants' average, in blue where its peak lies in the `plausible` seconds, which
    are shaded; thin: single participants.
    """
    regions = list(dict.fromkeys(lags["region"]))
    columns = min(COLUMNS, len(regions))
    figure, axes = panels(-(-len(regions) // columns), columns, sharey=True)
    for axis, region in zip(axes.flat, regions, strict=False):
        said = verdicts[verdicts["region"] == region].set_index("participant")
        _panel(axis, region, lags[lags["region"] == region], said, plausible)
    for axis in axes.flat[len(regions) :]:
        axis.set_axis_off()
    _label(figure, list(axes[:, 0]))
    return figure


def draw_lags(
    lags: pd.DataFrame, verdicts: pd.DataFrame, path: str | Path, plausible: Sequence[float]
) -> None:
    """Draw the tables `lags` and `lag_check` of one dataset into a file."""
    with mpl.rc_context(STYLE):
        figure = lag_panels(lags, verdicts, plausible)
        undated = {"Date": None} if Path(path).suffix == ".svg" else None
        figure.savefig(path, dpi=200, metadata=undated)


def _panel(
    axis: Axes, region: str, lags: pd.DataFrame, said: pd.DataFrame, plausible: Sequence[float]
) -> None:
    axis.axvspan(*plausible, color=OTHER, alpha=0.2, lw=0)
    axis.axhline(0, color=OTHER, lw=0.5)
    for who, curve in lags.groupby("participant", sort=False):
        if who != "average":
            axis.plot(curve["seconds"], curve["r"], color=OTHER, lw=0.5)
    for who, curve in lags[lags["participant"] == "average"].groupby("participant"):
        verdict = str(said.loc[who, "verdict"])
        axis.plot(curve["seconds"], curve["r"], color=COLOURS[verdict], lw=1.6)
        axis.axhline(said.loc[who, "threshold"], color=OTHER, lw=0.5, ls=":")
        axis.set_title(f"{region}: {verdict}")


def _label(figure: Figure, left: Sequence[Axes]) -> None:
    figure.supxlabel("response after the words (s)", fontsize=mpl.rcParams["font.size"])
    for axis in left:
        axis.set_ylabel("r with word rate")
