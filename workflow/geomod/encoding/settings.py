"""What the fits are told: how rows are cut into folds, which penalties, which baselines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Cut:
    """How rows are cut into outer and inner folds. Names are those of the config's `encoding`."""

    folds: int
    inner_folds: int | Literal["loo"]
    group_by: str | None
    seed: int


@dataclass(frozen=True)
class Settings(Cut):
    """All that an encoding model is told.

    `penalties`: log10 of the smallest and of the largest, and how many. `match_width` is the
    config's `features.match_width`. Without permutations there is no p. `trsa` are the quantiles of
    the geo-topological transform. Only stories have `delays` (in TRs), and a `gap` where one of
    them is cut.
    """

    penalties: tuple[float, float, int]
    standardize: bool
    match_width: int | None
    permutations: int = 0
    baselines: Sequence[str] = ()
    trsa: tuple[float, float] = (0.1, 0.9)
    delays: Sequence[int] = ()
    gap: int = 0

    @property
    def alphas(self) -> NDArray[np.float64]:
        """The penalties themselves."""
        low, high, count = self.penalties
        return np.logspace(low, high, count)
