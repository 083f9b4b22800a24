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
    """Which rows answer which: the story of each row, delays in rows, and the rows to keep.

    Rows of a story follow each other in time. `trim` are rows that are dropped at the start and at
    the end of every story; or `keep` are the numbers of the rows that remain.
    """

    stories: NDArray[Any]
    delays: tuple[int, ...] = DELAYS
    trim: tuple[int, int] = (0, 0)
    keep: Rows | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "stories", np.asarray(self.stories))
        _check(self.delays, self.trim)
        if self.stories.ndim != 1 or not len(self.stories):
            raise InputError("delays need the story of every row")
        names = [self.stories[run.start] for run in self.runs]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"the rows of story {name} are not together: delays need them so")
        if (
            not len(self.kept)
            or (np.diff(self.kept) <= 0).any()
            or not 0 <= self.kept[0] <= self.kept[-1] < len(self.stories)
        ):
            raise InputError("rows to keep must be row numbers that ascend, and one at least")

    @cached_property
    def runs(self) -> list[slice]:
        """The rows of each story."""
        return _runs(self.stories)

    @cached_property
    def kept(self) -> Rows:
        """The rows that are not trimmed: those of the responses."""
        return self._untrimmed() if self.keep is None else np.asarray(self.keep, dtype=np.intp)

    @cached_property
    def kept_runs(self) -> list[slice]:
        """The same of the kept rows, for stories that have some."""
        return _runs(self.groups)

    @cached_property
    def groups(self) -> NDArray[Any]:
        """The story of each row that is kept."""
        return self.stories[self.kept]

    def responses(
        self, values: ArrayLike, precision: type[np.floating[Any]] = np.float64
    ) -> NDArray[np.floating[Any]]:
        """Responses to kept rows `[kept, targets]`, z-scored over those of each story.

        They are given for all rows or for those that are kept.
        """
        y = as_array(values)
        rows = self.kept if len(y) == len(self.stories) else np.arange(len(y))
        responses = np.empty((len(rows), y.shape[1]), dtype=precision)
        for run in self.kept_runs:
            own = y[rows[run]]
            finite = np.isfinite(own)
            if not finite.all():
                t, column = np.argwhere(~finite)[0]
                row, story = self.kept[run][t], self.groups[run.start]
                raise InputError(
                    f"responses must be finite, but column {column} is not at row {row}, TR "
                    f"{row - self._starts[row]} of story {story}, which is not trimmed"
                )
            responses[run] = _z_scored(own).numpy()
        return responses

    def whole(self, values: ArrayLike, device: str = "cpu") -> Floats | Tensor:
        """Delayed features: the rows themselves, or where these were wider, their kernel."""
        x = as_array(values)
        if x.shape[1] * len(self.delays) <= len(self.kept):
            return self.matrix(x)
        return self.kernel(x, device)

    def matrix(self, values: ArrayLike) -> Floats:
        """`[kept rows, delays × width]`: all columns at the first delay, then at the next ones."""
        z = self._z_scored(values).numpy()
        wide = np.zeros((len(self.kept), len(self.delays), z.shape[1]))
        for k, delay in enumerate(self.delays):
            later, source = self._before(delay)
            wide[later, k] = z[source]
        return wide.reshape(len(wide), -1)

    def kernel(self, values: ArrayLike, device: str = "cpu") -> Tensor:
        """The kernel of the delayed rows, `[kept rows, kept rows]`, not centred."""
        z = self._z_scored(values, device)
        if blas.serves(z):
            at_once = z.new_zeros(len(z), len(z))
            blas.add_gram(z, at_once)  # the lower triangle, and so are all sums of it below
        else:
            at_once = (z @ z.T).tril()
        kernel = torch.zeros_like(at_once)
        for delay in self.delays:
            long = [run for run in self.runs if run.stop - run.start > delay]
            later = [slice(run.start + delay, run.stop) for run in long]
            source = [slice(run.start, run.stop - delay) for run in long]
            for k, (rows, row_source) in enumerate(zip(later, source, strict=True)):
                for columns, column_source in zip(later[: k + 1], source[: k + 1], strict=True):
                    kernel[rows, columns] += at_once[row_source, column_source]
        del at_once
        kernel += kernel.tril(-1).T
        if len(self.kept) == len(self.stories):
            return kernel
        kept = torch.as_tensor(self.kept, device=device)
        return kernel[kept][:, kept]

    def weights(self, values: ArrayLike, dual: Tensor) -> Tensor:
        """Σ_t dual[t] Z[t − d], `[delays, width, targets]`: weights of delayed columns."""
        z = self._z_scored(values, str(dual.device))
        parts = []
        for delay in self.delays:
            later, source = (torch.as_tensor(rows) for rows in self._before(delay))
            parts.append(product(z[source].T, dual[later]))
        return torch.stack(parts)

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

    @cached_property
    def _starts(self) -> Rows:
        """Where the story of each row begins."""
        return np.concatenate([np.full(run.stop - run.start, run.start) for run in self.runs])

    def _untrimmed(self) -> Rows:
        first, last = self.trim
        for run in self.runs:
            rows = run.stop - run.start
            if rows - first - last < 2:
                raise InputError(
                    f"story {self.stories[run.start]} has {rows} TRs: trimming {first} at its "
                    f"start and {last} at its end leaves fewer than two"
                )
        return np.concatenate([np.arange(r.start + first, r.stop - last) for r in self.runs])

    def _before(self, delay: int) -> tuple[Rows, Rows]:
        """Which kept rows have a row of their story a delay before them, and that row."""
        source = self.kept - delay
        later = np.flatnonzero(source >= self._starts[self.kept])
        return later, source[later]

    def _z_scored(self, values: ArrayLike, device: str = "cpu") -> Tensor:
        x = as_array(values)
        return torch.cat([_z_scored(x[run], device) for run in self.runs])


def _check(delays: tuple[int, ...], trim: tuple[int, int]) -> None:
    whole = isinstance(delays, tuple) and all(
        isinstance(delay, int | np.integer) and delay >= 0 for delay in delays
    )
    if not whole or not delays or len(set(delays)) < len(delays):
        raise InputError(
            "delays must be different whole numbers of TRs, 0 or more, such as (1, 2, 3, 4); "
            f"not {delays!r}"
        )
    if len(trim) != 2 or min(trim) < 0:
        raise InputError(f"trim must be two numbers of TRs, 0 or more; not {trim!r}")


def _runs(names: NDArray[Any]) -> list[slice]:
    """The places of equal neighbours."""
    new = np.flatnonzero(names[1:] != names[:-1]) + 1
    return [slice(*ends) for ends in pairwise([0, *new.tolist(), len(names)])]


def _z_scored(x: NDArray[np.floating[Any]], device: str = "cpu") -> Tensor:
    """Columns minus their mean over their SD (ddof 0), in float64; 0 where they are constant."""
    rows = np.arange(len(x))
    return standardized(x, (rows, rows[:0]), device=device)[0]
