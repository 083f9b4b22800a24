"""What was planted in a simulated brain, or in controls, and what came back."""

from typing import Any

import numpy as np
import pandas as pd

from geomod.base.extras import extra
from geomod.report.drawing import (
    INK,
    OTHER,
    TWO_COLUMNS,
    VERDICT_COLOURS,
    panels,
)
from geomod.report.gallery import Tables
from geomod.report.registry import in_gallery
from geomod.report.words import of_each

with extra("report"):
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AGREES = {True: "supported", False: "not supported"}  # the colours of yes and no


def _planted_seen(tables: Tables) -> str:
    agrees = tables["recovery"]["agrees"].astype("boolean").dropna()
    return f"{int(agrees.sum())} of {len(agrees)} facts that can be judged came back."


@in_gallery(seen=_planted_seen)
def planted(tables: Tables) -> Figure:
    """Recovered against planted, a panel a kind of fact; on the diagonal they are the same."""
    table = tables["recovery"].dropna(subset=["planted", "recovered"])
    facts = list(table["fact"].unique())
    figure, axes = panels(1, len(facts), width=2.2, height=2.4)
    for axis, fact in zip(axes[0], facts, strict=True):
        rows = table[table["fact"] == fact]
        values = rows[["planted", "recovered", "low", "high"]].to_numpy(float)
        margin = 0.05 * (np.nanmax(values) - np.nanmin(values) or 1)
        ends = np.nanmin(values) - margin, np.nanmax(values) + margin
        axis.plot(ends, ends, color=OTHER, lw=0.8, zorder=0)
        axis.set(xlim=ends, ylim=ends, box_aspect=1)
        for row in rows.itertuples():
            colour = VERDICT_COLOURS[AGREES.get(row.agrees, "undecided")]
            style: Any = {"fmt": "o", "ms": 3.5, "lw": 1, "color": colour}
            reach = None
            if np.isfinite([row.low, row.high]).all():
                reach = np.abs([[row.recovered - row.low], [row.high - row.recovered]])
            axis.errorbar(row.planted, row.recovered, yerr=reach, **style)
        judged = rows["agrees"].dropna()
        axis.set_title(f"{fact}\n{int(judged.sum())} of {len(judged)} came back")
        axis.set_xlabel("planted")
        axis.locator_params(nbins=5)
    axes[0, 0].set_ylabel("recovered")
    kinds = {"came back": "supported", "did not": "not supported", "not judged": "undecided"}
    handles = [
        mpl.lines.Line2D([], [], color=VERDICT_COLOURS[word], marker="o", ms=3.5, lw=1, label=name)
        for name, word in kinds.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _controls_seen(tables: Tables) -> str:
    table = tables["controls"]
    found = table.assign(found=table["verdict"] == "supported").groupby("claim")
    words = {
        f"claim {claim}": ", ".join(
            f"{kind} {int(each.sum())} of {len(each)}"
            for kind, each in rows.groupby("control", sort=False)["found"]
        )
        for claim, rows in found
    }
    return f"Draws in which the claim is supported: {of_each(words)}."


@in_gallery(seen=_controls_seen)
def controls(tables: Tables) -> Figure:
    """Shares of the draws of every control by their verdict, a row a claim."""
    table = tables["controls"].sort_values("claim", kind="stable")
    claims = list(table["claim"].unique())
    judged = tables.get("claims", pd.DataFrame(columns=["claim", "name"]))
    names = dict(zip(judged["claim"], judged["name"], strict=True))
    lines = [table.loc[table["claim"] == claim, "control"].nunique() for claim in claims]
    heights = [0.45 + 0.18 * n for n in lines]
    figure = Figure(figsize=(TWO_COLUMNS, 0.8 + sum(heights)), layout="constrained")
    axes = figure.subplots(len(claims), 1, squeeze=False, sharex=True, height_ratios=heights)[:, 0]
    for axis, claim in zip(axes, claims, strict=True):
        rows = table[table["claim"] == claim]
        kinds = list(rows["control"].unique())
        for place, kind in enumerate(kinds):
            _verdicts(axis, place, rows[rows["control"] == kind])
        axis.set_yticks(range(len(kinds)), kinds)
        axis.set_ylim(len(kinds) - 0.4, -0.6)
        axis.set_title(f"{claim}. {names[claim]}" if claim in names else f"claim {claim}")
        axis.spines["left"].set_visible(False)
        axis.tick_params(left=False)
    axes[-1].set_xlabel("share of draws")
    axes[-1].set_xlim(0, 1)
    patches = [mpl.patches.Patch(color=c, label=word) for word, c in VERDICT_COLOURS.items()]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches))
    return figure


def _verdicts(axis: Axes, place: int, rows: pd.DataFrame) -> None:
    """One bar, a stretch a verdict; beside it the mean effect that was planted."""
    start = 0.0
    for word, colour in VERDICT_COLOURS.items():
        share = float((rows["verdict"] == word).mean())
        axis.barh(place, share, left=start, height=0.7, color=colour, lw=0)
        start += share
    planted = rows["planted"].mean()
    said = f"planted {planted:.2g}" if np.isfinite(planted) else "no step"
    where = ("axes fraction", "data")
    axis.annotate(said.replace("-", "−"), (1.01, place), xycoords=where, va="center", color=INK)
