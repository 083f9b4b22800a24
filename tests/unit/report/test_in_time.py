"""Responses in time and claims of shuffled TRs are drawn, a column a region."""

from pathlib import Path

import numpy as np
import pandas as pd

from geomod.report.in_time import draw_in_time


def test_every_region_has_its_response_and_its_scores(tmp_path: Path) -> None:
    impulse = pd.concat(
        pd.DataFrame(
            {
                "region": region,
                "participant": who,
                "seconds": 2.0 * np.arange(5),
                "weight": np.arange(5.0),
                "planted": planted,
            }
        )
        for region, planted in (("rate", np.arange(5.0)), ("semantic", np.full(5, np.nan)))
        for who in ("average", "01")
    )
    shuffling = pd.concat(
        pd.DataFrame(
            {
                "model": "toy-xs",
                "layer": range(3),
                "region": region,
                "stories": 0.1,
                "shuffled": 0.3,
            }
        )
        for region in ("rate", "semantic")
    )
    shuffling = pd.concat([shuffling, shuffling.assign(model="time")], ignore_index=True)
    draw_in_time(impulse, shuffling, tmp_path / "in_time.svg")
    drawn = (tmp_path / "in_time.svg").read_text(encoding="utf-8")
    for words in ("rate", "semantic", "shuffled TRs", "stories left out", "after a word (s)"):
        assert words in drawn
