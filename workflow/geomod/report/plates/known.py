"""What was planted in a simulated brain, and what came back."""

from typing import Any

import numpy as np

from geomod.base.extras import extra
from geomod.report.drawing import OTHER, VERDICT_COLOURS, panels
from geomod.report.gallery import Tables

with extra("report"):
    from matplotlib.figure import Figure

AGREES = {True: "supported", False: "not supported"}  # the colours of yes and no


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
    return figure
