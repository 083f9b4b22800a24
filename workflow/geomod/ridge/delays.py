"""Rows in time: what was heard some TRs ago answers for the response now.

Blood follows words by seconds, so each row of the responses is fitted on several earlier rows of
the features, one band of weights a delay: a finite impulse response. Within each story the columns
are z-scored, then shifted by every delay, with zeros before the story starts; trimmed rows are
dropped last, so that what was said in them still counts later.

The delayed matrix is as many times wider as there are delays, but its kernel is a sum of shifted
ones: with K = Z Zᵀ of the z-scored columns, between the rows t and s of any two stories,

    K_delayed[t, s] = Σ_d K[t − d, s − d],    0 where either lies before its story.

That is work on n × n numbers, whatever the width, and no wide copy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from geomod.base.arrays import as_array
from geomod.base.errors import InputError
from geomod.ridge import blas
from geomod.ridge.blas import product
from geomod.ridge.folds import Rows
from geomod.ridge.sides import standardized

Floats = NDArray[np.float64]

# At TR 2 s the response to a word has its most between 2 and 8 s after it.
DELAYS = (1, 2, 3, 4)

# TRs between contiguous training and test rows: delays, the filter of the features, slow noise.
GAP = 10

# By how many TRs a null shifts a story at least: more than noise remembers.
LEAST_SHIFT = 20


@dataclass(frozen=True, eq=False)
class Delays:
    """Which rows answer which: the story of each row, delays and trims in rows.

    Rows of a story follow each other in time. `trim` are rows that are dropped at the start and at
    the end of every story.
    """

    stories: NDArray[Any]
    delays: tuple[int, ...] = DELAYS
    trim: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stories", np.asarray(self.stories))
        whole = isinstance(self.delays, tuple) and all(
            isinstance(delay, int | np.integer) and delay >= 0 for delay in self.delays
        )
        if not whole or len(set(self.delays)) < len(self.delays) or not self.delays:
            raise InputError(
                f"delays must be different whole numbers of TRs, 0 or more, as (1, 2, 3, 4); "
                f"not {self.delays!r}"
            )
        if len(self.trim) != 2 or min(self.trim) < 0:
            raise InputError(f"trim must be two numbers of TRs, 0 or more; not {self.trim!r}")
        if self.stories.ndim != 1 or not len(self.stories):
            raise InputError("delays need the story of every row")
        names = [self.stories[run.start] for run in self.runs]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"the rows of story {name} are not together: delays need them so")
        for name, run in zip(names, self.runs, strict=True):
            rows = run.stop - run.start
            if rows - sum(self.trim) < 2:
                raise InputError(
                    f"story {name} has {rows} TRs: trimming {self.trim[0]} at its start and "
                    f"{self.trim[1]} at its end leaves fewer than two"
                )

    @cached_property
    def runs(self) -> list[slice]:
        """The rows of each story."""
        new = np.flatnonzero(self.stories[1:] != self.stories[:-1]) + 1
        ends = [0, *new.tolist(), len(self.stories)]
        return [slice(*pair) for pair in pairwise(ends)]

    @cached_property
    def kept_runs(self) -> list[slice]:
        """The same without what is trimmed, as rows of the responses."""
        lengths = [run.stop - run.start - sum(self.trim) for run in self.runs]
        ends = [0, *np.cumsum(lengths).tolist()]
        return [slice(*pair) for pair in pairwise(ends)]

    @cached_property
    def kept(self) -> Rows:
        """The rows that are not trimmed: those of the responses."""
        first, last = self.trim
        return np.concatenate([np.arange(r.start + first, r.stop - last) for r in self.runs])

    @property
    def groups(self) -> NDArray[Any]:
        """The story of each row that is kept."""
        return self.stories[self.kept]

    def responses(self, values: ArrayLike) -> Floats:
        """Kept rows of the responses `[rows, targets]`, z-scored over those of each story."""
        y = as_array(values)
        kept = np.empty((len(self.kept), y.shape[1]))
        for run, rows in zip(self.kept_runs, self._kept_by_story(), strict=True):
            finite = np.isfinite(y[rows])
            if not finite.all():
                t, column = np.argwhere(~finite)[0]
                raise InputError(
                    f"responses must be finite, but column {column} is not at TR "
                    f"{t + self.trim[0]} of story {self.stories[rows.start]}, which is not trimmed"
                )
            kept[run] = _z_scored(y[rows]).numpy()
        return kept

    def whole(self, values: ArrayLike, device: str = "cpu") -> Floats | Tensor:
        """Delayed features: the rows themselves, or where these were wider, their kernel."""
        x = as_array(values)
        if x.shape[1] * len(self.delays) <= len(self.kept):
            return self.matrix(x)
        return self.kernel(x, device)

    def matrix(self, values: ArrayLike) -> Floats:
        """`[kept rows, delays × width]`: all columns at the first delay, then at the next ones."""
        z = self._z_scored(as_array(values)).numpy()
        wide = np.zeros((len(self.kept), len(self.delays), z.shape[1]))
        for k, delay in enumerate(self.delays):
            for to, source in self._shifted(delay):
                wide[to, k] = z[source]
        return wide.reshape(len(wide), -1)

    def kernel(self, values: ArrayLike, device: str = "cpu") -> Tensor:
        """The kernel of the delayed rows, `[kept rows, kept rows]`, not centred."""
        z = self._z_scored(as_array(values), device)
        short = z.new_zeros(len(z), len(z))
        if blas.serves(z):
            blas.add_gram(z, short)  # the lower triangle, and so are all sums of it below
        else:
            short = (z @ z.T).tril()
        kernel = z.new_zeros(len(self.kept), len(self.kept))
        for delay in self.delays:
            pairs = list(self._shifted(delay))
            for k, (to, source) in enumerate(pairs):
                for to_other, other in pairs[: k + 1]:
                    kernel[to, to_other] += short[source, other]
        del short
        return kernel.add_(kernel.tril(-1).T)

    def weights(self, values: ArrayLike, dual: Tensor) -> Tensor:
        """Σ_t dual[t] Z[t − d], `[delays, width, targets]`: weights of delayed columns."""
        z = self._z_scored(as_array(values), str(dual.device))
        weights = z.new_zeros(len(self.delays), z.shape[1], dual.shape[1])
        for k, delay in enumerate(self.delays):
            for to, source in self._shifted(delay):
                weights[k] += product(z[source].T, dual[to])
        return weights

    def shifts(self, permutations: int, seed: int, least: int = LEAST_SHIFT) -> NDArray[np.intp]:
        """Which kept row's response each gets under the null hypothesis, `[permutations, kept]`.

        The responses of every story turn round on themselves, by `least` rows or more in either
        direction (by a quarter of a story that is too short for it): what follows what is kept,
        and so is how slowly both sides drift, but no response meets what it answered.
        """
        rng = np.random.default_rng([seed, 0x5417])
        orders = np.empty((permutations, len(self.kept)), dtype=np.intp)
        for order in orders:
            for run in self.kept_runs:
                rows = run.stop - run.start
                low = min(least, rows // 4)
                order[run] = run.start + np.roll(np.arange(rows), rng.integers(low, rows - low + 1))
        return orders

    def _kept_by_story(self) -> list[slice]:
        first, last = self.trim
        return [slice(run.start + first, run.stop - last) for run in self.runs]

    def _z_scored(self, x: NDArray[np.floating[Any]], device: str = "cpu") -> Tensor:
        return torch.cat([_z_scored(x[run], device) for run in self.runs])

    def _shifted(self, delay: int) -> Iterator[tuple[slice, slice]]:
        """For each story: kept rows, and the rows a delay before these, from its start on."""
        for run, kept, rows in zip(self.runs, self._kept_by_story(), self.kept_runs, strict=True):
            before = max(0, run.start - (kept.start - delay))  # kept rows that nothing precedes
            if rows.start + before < rows.stop:
                source = slice(kept.start - delay + before, kept.stop - delay)
                yield slice(rows.start + before, rows.stop), source


def _z_scored(x: NDArray[np.floating[Any]], device: str = "cpu") -> Tensor:
    """Columns minus their mean over their SD (ddof 0), in float64; 0 where they are constant."""
    rows = np.arange(len(x))
    return standardized(x, (rows, rows[:0]), device=device)[0]
