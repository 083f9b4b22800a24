"""Claim 3 asked of other groups of regions than the temporal and the frontal ones.

Estimate, interval, test and verdict are those of `temporal_first.py`; q is over the contrasts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from geomod.claims.claim import Evidence
from geomod.claims.judge import judge
from geomod.claims.temporal_first import TEMPORAL_FIRST

Groups = tuple[Sequence[str], Sequence[str]]  # the regions that are expected first, and later


def contrasts(
    evidence: Evidence,
    asked: Mapping[str, Groups],
    calibration: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """A row a contrast, by its name. A negative estimate: the first group aligns earlier."""
    found = []
    for name, (first, later) in asked.items():
        settings = replace(evidence.settings, temporal=tuple(first), frontal=tuple(later))
        finding = TEMPORAL_FIRST.find(replace(evidence, settings=settings))
        found.append((replace(TEMPORAL_FIRST, name=name), finding))
    rows = []
    for entry in judge(found, evidence.settings.alpha, calibration):
        first, later = asked[entry["name"]]
        low, high = entry["interval"] or (None, None)
        rows.append(
            {
                "contrast": entry["name"],
                "first": ", ".join(first),
                "later": ", ".join(later),
                "models": len(entry["details"]["models"]),
                **{name: entry[name] for name in ("estimate", "p", "q", "verdict", "why")},
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(rows)
