"""The figure of the lag check: a panel a region, coloured by what was found."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from geomod.report.lags import COLOURS, draw_lags


@pytest.mark.parametrize("people", [["average"], ["average", "p1", "p2"], ["p1"]])
def test_every_region_has_its_panel_and_verdict(tmp_path: Path, people: list[str]) -> None:
    regions, lags = [f"region{k}" for k in range(6)], np.arange(-10, 11)
    rows = [(r, p, lag, 2.0 * lag, 0.1) for r in regions for p in people for lag in lags]
    table = pd.DataFrame(rows, columns=["region", "participant", "lag", "seconds", "r"])
    found = [
        (region, who, 0.2, list(COLOURS)[k % 4])
        for k, region in enumerate(regions)
        for who in people
    ]
    verdicts = pd.DataFrame(found, columns=["region", "participant", "threshold", "verdict"])
    path = tmp_path / "lags.svg"
    draw_lags(table, verdicts, path, (2.5, 7.5))
    drawn = path.read_text()
    if "average" in people:
        assert all(f"{region}: {said}" in drawn for region, _, _, said in found)
    draw_lags(table, verdicts, tmp_path / "again.svg", (2.5, 7.5))
    assert (tmp_path / "again.svg").read_text() == drawn
