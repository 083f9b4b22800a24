"""What models know of language over training, beside how well their layers predict the brain."""

from typing import Any

import numpy as np
import pandas as pd

from geomod.base.extras import extra
from geomod.report.drawing import (
    INK,
    MAP,
    MARKED,
    OTHER,
    by_model,
    network_score,
    panels,
    region_colours,
    time_axis,
    time_of,
    varying,
)
from geomod.report.gallery import Tables
from geomod.report.registry import in_gallery
from geomod.report.words import of_each, rounded

with extra("report"):
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEAN = "all"  # what the mean over models is called
FIRST = ("formal", "functional")  # families that claims are about


def _competence_seen(tables: Tables) -> str:
    table = tables["competence"]

    def course(rows: pd.DataFrame) -> str:
        told = []
        for family, own in rows.groupby("family", sort=False):
            mean = of_family(own)
            first, last = (rounded(mean["score"].iloc[at]) for at in (0, -1))
            told.append(
                f"{family} from {first} to {last} (chance {rounded(mean['chance'].mean())})"
            )
        return ", ".join(told)

    words = {name: course(rows) for name, rows in by_model(table).items()}
    tasks = table.drop_duplicates(["family", "task"]).groupby("family", sort=False).size()
    count = ", ".join(f"{family} {n}" for family, n in tasks.items())
    return f"Mean score over training: {of_each(words)}. Tasks: {count}."


@in_gallery(seen=_competence_seen)
def competence(tables: Tables) -> Figure:
    """Scores of tasks over training, a row a family, and below them the network's score."""
    scores = network_score(varying(tables["encoding"]))
    alignment = scores[scores["layer"] > 0].groupby(["model", "step"])["score"].mean()
    table = tables["competence"]
    models = [name for name in scores["model"].unique() if name in set(table["model"])]
    families = list(table["family"].unique())
    figure, axes = panels(len(families) + 1, len(models), height=MAP, sharey="row")
    for column, model in zip(axes.T, models, strict=True):
        own = table[table["model"] == model]
        for axis, family in zip(column, families, strict=False):
            _tasks(axis, own[own["family"] == family])
        course = alignment[model].sort_index()
        column[-1].axhline(0, color=OTHER, lw=0.6)
        column[-1].plot(time_of(course.index), course, color=INK, **MARKED)
        steps = pd.Series([*own["step"], *course.index])
        for axis in column:
            axis.set_xlim(-0.3, time_of(steps).max() + 0.3)
            time_axis(axis, steps)
            axis.set_xlabel("training step" if axis is column[-1] else "")
        column[0].set_title(model)
    for axis, family in zip(axes[:, 0], families, strict=False):
        count = table.loc[table["family"] == family, "task"].nunique()
        axis.set_ylabel(f"{family}\n({count} task{'s' * (count != 1)})")
    axes[-1, 0].set_ylabel("encoding score\n(Pearson r)")
    return figure


def of_family(rows: pd.DataFrame) -> pd.DataFrame:
    """step → mean score over tasks, its standard error by items (that of independent tasks), and
    the mean of what guessing gives."""
    by = rows.groupby("step")
    error = by["se"].agg(lambda se: np.sqrt((se**2).sum()) / len(se))
    return by[["score", "chance"]].mean().assign(se=error)


def _tasks(axis: Axes, rows: pd.DataFrame) -> None:
    """Thin a line a task, thick their mean with its interval, dotted what guessing gives."""
    if rows.empty:
        axis.text(0.5, 0.5, "not scored", transform=axis.transAxes, ha="center", color=OTHER)
        return
    if len(set(rows["task"])) > 1:
        for _, task in rows.sort_values("step").groupby("task", sort=False):
            axis.plot(time_of(task["step"]), task["score"], color=OTHER, lw=0.4)
    mean = of_family(rows)
    time = time_of(mean.index)
    axis.axhline(mean["chance"].mean(), color=INK, lw=0.8, ls=":")
    axis.plot(time, mean["score"], color=INK, **MARKED)
    ends = (mean["score"] + sign * 1.96 * mean["se"] for sign in (-1, 1))
    axis.fill_between(time, *ends, color=INK, alpha=0.15, lw=0)


def _competence_lags_seen(tables: Tables) -> str:
    table = tables["competence_lags"]
    means = table[table["model"] == "all"].dropna(subset=["low", "high"])
    apart = means[(means["low"] > 0) | (means["high"] < 0)]
    words = [
        f"{row.region} {rounded(abs(row.lag))} {'after' if row.lag > 0 else 'before'} {row.family}"
        for row in apart.itertuples()
    ]
    return f"Apart by more than their interval, in decades: {', '.join(words) or 'none'}."


@in_gallery(seen=_competence_lags_seen)
def competence_lags(tables: Tables) -> Figure:
    """How long after each family of competence each region is half-way, a panel a family."""
    table = tables["competence_lags"].dropna(subset="lag")
    regions, others = list(table["region"].unique()), table["family"].unique()
    known = [family for family in FIRST if family in others]
    names = [*known, *(family for family in others if family not in known)]
    colours = region_colours(table["region"])
    figure, axes = panels(1, len(names), height=0.9 + 0.22 * len(regions), sharey=True)
    for axis, family in zip(axes[0], names, strict=True):
        rows = table[table["family"] == family]
        axis.axvline(0, color=OTHER, lw=0.8)
        for row in rows.itertuples():
            place = regions.index(row.region)
            if row.model != MEAN:
                axis.plot(row.lag, place + 0.22, "o", ms=2, color=OTHER)
                continue
            colour = colours[row.region]
            if np.isfinite([row.low, row.high]).all():
                axis.plot([row.low, row.high], [place] * 2, color=colour, lw=1.5)
            axis.plot(row.lag, place, "o", ms=4.5, color=colour)
        axis.set_title(family)
        axis.set_xlabel("alignment comes later by\n(decades of training)")
        axis.locator_params(axis="x", nbins=5)
    axes[0, 0].set_yticks(range(len(regions)), regions)
    axes[0, 0].set_ylim(len(regions) - 0.4, -0.6)
    how: Any = {"color": OTHER, "lw": 0, "marker": "o"}
    handles = [
        mpl.lines.Line2D([], [], color=INK, marker="o", ms=4.5, label="mean over models, interval"),
        mpl.lines.Line2D([], [], ms=2, label="a model", **how),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure
