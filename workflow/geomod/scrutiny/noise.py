"""How noisy the participants of a control are: as those of its data, whose ceilings tell it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.brain.responses import AVERAGE
from geomod.curves.settings import Settings

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """SD of the noise of every participant and region [participants, regions], the signal's is 1.

    Without participants there is one row, that of the average.
    """

    regions: tuple[str, ...]
    participants: tuple[str, ...]
    sd: Array

    @property
    def ceilings(self) -> Array:
        """Correlation with the signal [participants + 1, regions], the average's last."""
        average = (self.sd**2).sum(axis=0) / max(len(self.participants), 1) ** 2
        variance = np.vstack([self.sd**2 if self.participants else self.sd[:0], average])
        return np.asarray(1 / np.sqrt(1 + variance))


def noise_of(
    ceiling: pd.DataFrame, regions: Sequence[str], given: float | None = None
) -> Noise | None:
    """The noise that a table of ceilings tells of; None where it tells of none.

    NC = 1 / √(1 + σ²) for one participant, so σ² = 1/NC² − 1. Where a region's participants have no
    ceiling, the average's is shared among them, σ² = n (1/NC² − 1); where that has none either,
    `given` stands for it. A region without any is left out.
    """
    table = ceiling.pivot_table(index="participant", columns="region", values="ceiling")
    people = tuple(sorted(str(p) for p in ceiling["participant"].unique() if p != AVERAGE))
    kept, columns = [], []
    for region in regions:
        found = table.get(region, pd.Series(dtype=float))
        average = found.get(AVERAGE, np.nan)
        known = average if 0 < average < 1 else given
        shared = np.nan if known is None else max(len(people), 1) * (1 / known**2 - 1)
        own = [found.get(person, np.nan) for person in people or (AVERAGE,)]
        variance = [
            1 / each**2 - 1 if people and 0 < each <= 1 else shared for each in own
        ]  # fmt: skip
        if np.isfinite(variance).all():
            kept.append(region)
            columns.append(np.sqrt(variance))
    if not kept:
        return None
    return Noise(tuple(kept), people, np.array(columns).T)


def regions_of(measured: Sequence[str], settings: Settings) -> list[str]:
    """The regions that claims are about, of those that were measured; all without a network."""
    named = {*settings.temporal, *settings.frontal, *settings.network}
    known = set(measured) & set(settings.network)
    return sorted(set(measured) & named if known else set(measured))
