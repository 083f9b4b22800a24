"""When alignment comes, beside what models know of language."""

import numpy as np

from geomod.base.extras import extra
from geomod.report.drawing import OTHER, panels, region_colours
from geomod.report.gallery import Tables

with extra("report"):
    from matplotlib.figure import Figure

MEAN = "all"  # what the mean over models is called
FIRST = ("formal", "functional")  # families that claims are about


def competence_lags(tables: Tables) -> Figure:
    """How long after each family of competence each region is half-way, a panel a family."""
    table = tables["competence_lags"].dropna(subset="lag")
    regions, others = list(table["region"].unique()), table["family"].unique()
    known = [family for family in FIRST if family in others]
    names = [*known, *(family for family in others if family not in known)]
    colours = region_colours(table["region"])
    figure, axes = panels(1, len(names), height=0.5 + 0.22 * len(regions), sharey=True)
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
        axis.locator_params(axis="x", nbins=5)
    figure.supxlabel("alignment comes later by (decades of training)")
    axes[0, 0].set_yticks(range(len(regions)), regions)
    axes[0, 0].set_ylim(len(regions) - 0.4, -0.6)
    return figure
