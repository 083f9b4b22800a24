"""The claims side by side: their estimates, and how they hang on choices."""

from typing import Any

import pandas as pd

from geomod.base.extras import extra
from geomod.report.drawing import (
    INK,
    OTHER,
    TWO_COLUMNS,
    VERDICT_COLOURS,
)
from geomod.report.gallery import Tables
from geomod.report.registry import in_gallery
from geomod.report.specifications import specification_curves
from geomod.report.words import rounded

with extra("report"):
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _forest_seen(tables: Tables) -> str:
    table = tables["every_claim"]
    verdicts = table["verdict"].value_counts()
    told = ", ".join(f"{count} {word}" for word, count in verdicts.items())
    return f"Of {len(table)} answers: {told}."


@in_gallery(seen=_forest_seen)
def forest(tables: Tables) -> Figure:
    """Estimate and interval of every claim on every dataset, each claim in its own unit."""
    table = tables["every_claim"].dropna(subset="estimate")
    claims = list(table["claim"].unique())
    lines = [int((table["claim"] == claim).sum()) for claim in claims]
    height = 0.5 + sum(0.42 + 0.2 * n for n in lines)
    figure = Figure(figsize=(TWO_COLUMNS, height), layout="constrained")
    ratios = [0.42 + 0.2 * n for n in lines]
    axes = figure.subplots(len(claims), 1, squeeze=False, height_ratios=ratios)[:, 0]
    calibration = tables.get("calibration")
    for axis, claim in zip(axes, claims, strict=True):
        _claim(axis, table[table["claim"] == claim], calibration)
    _legend(figure, mpl.patches.Patch(color="#e4e0d8", label="too small to matter"))
    return figure


def _legend(figure: Figure, *more: Any) -> None:
    """What the colours of verdicts are."""
    handles = [
        mpl.lines.Line2D([], [], marker="o", ls="", color=colour, label=word)
        for word, colour in VERDICT_COLOURS.items()
    ]
    handles += more
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _claim(axis: Axes, rows: pd.DataFrame, calibration: pd.DataFrame | None) -> None:
    first = rows.iloc[0]
    if first["smallest"] == first["smallest"]:
        axis.axvspan(-first["smallest"], first["smallest"], color="#e4e0d8", lw=0)
    axis.axvline(0, color=OTHER, lw=0.8)
    names = []
    for place, row in enumerate(rows.itertuples()):
        colour = VERDICT_COLOURS[str(row.verdict)]
        axis.plot([row.low, row.high], [place] * 2, color=colour, lw=1.5, solid_capstyle="butt")
        axis.plot(row.estimate, place, "o", ms=4.5, color=colour)
        known = {True: " (planted)", False: " (not planted)"}
        planted = known.get(row.planted, "")
        names.append(f"{row.of}{planted}")
        numbers = f"{row.estimate:.2f} [{row.low:.2f}, {row.high:.2f}]".replace("-", "−")
        axis.annotate(
            numbers, (1.01, place), xycoords=("axes fraction", "data"), va="center", color=INK
        )
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    side = ">" if first["paper_direction"] == "positive" else "<"
    number = f"{first['claim']}. " if "claim" in rows else ""
    title = f"{number}{first['name']} (expected {side} 0; {first['unit']})"
    axis.set_title(title + _power(first, calibration))
    axis.spines["left"].set_visible(False)
    axis.tick_params(left=False)
    axis.locator_params(axis="x", nbins=7)


def _power(claim: pd.Series, calibration: pd.DataFrame | None) -> str:
    """The power of the verdict's test on this grid, where it was measured."""
    if calibration is None:
        return ""
    same = (calibration["claim"] == claim["claim"]) & (calibration["test"] == claim["test"])
    power = calibration.loc[same, "power"].dropna()
    return "" if power.empty else f"; power {power.iloc[0]:.0%}"


def _contrasts_seen(tables: Tables) -> str:
    rows = tables["contrasts"].dropna(subset="estimate")
    told = "; ".join(
        f"{row.first} before {row.later}: {rounded(row.estimate)} decades "
        f"[{rounded(row.low)}, {rounded(row.high)}], {row.verdict} (q {rounded(row.q, 3)})"
        for row in rows.itertuples()
    )
    return f"{told}."


@in_gallery(seen=_contrasts_seen)
def contrasts(tables: Tables) -> Figure:
    """How much earlier the first regions of each contrast emerge than the later ones."""
    table = tables["contrasts"].dropna(subset="estimate")
    rows = table.assign(
        of=table["contrast"],
        planted=None,
        smallest=float("nan"),
        paper_direction="negative",
        unit="t50 of the first less that of the later, decades of training",
        name="contrasts of regions",
    )
    figure = Figure(figsize=(TWO_COLUMNS, 0.9 + 0.2 * len(rows)), layout="constrained")
    _claim(figure.subplots(), rows, None)
    _legend(figure)
    return figure


def _multiverse_seen(tables: Tables) -> str:
    table = tables["specification_curve"]
    told = []
    for quantity, rows in table.groupby("quantity", sort=False):
        headline = rows.loc[rows["headline"], "verdict"]
        if len(headline) and rows["estimate"].notna().any():
            same = int((rows["verdict"] == headline.iloc[0]).sum())
            told.append(f"{quantity}: {same} of {len(rows)} choices give “{headline.iloc[0]}”")
    return f"{'; '.join(told)}."


@in_gallery(seen=_multiverse_seen)
def multiverse(tables: Tables) -> Figure:
    """The headline quantities under every choice of variants."""
    return specification_curves(tables["specification_curve"])
