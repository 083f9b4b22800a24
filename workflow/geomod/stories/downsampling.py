"""From words to TRs: the weight of every word in every row, as a sparse matrix.

With t the times of the rows and s those of the words, x = (t − s) / tr. The weight of a word is

- `lanczos`: sinc(x) sinc(x / 3) for |x| ≤ 3, with sinc(x) = sin(πx) / πx: a low-pass filter at half
  a cycle a TR with 3 lobes. It is a sum and no mean: its weights in a row add up to about the
  number of words a TR, and that sum is the *word rate* of the row.
- `sum`: 1 for the words of a row, which are those from half a TR before its time to half a TR after
- `mean`: 1 / their number; a row without words is 0
- `last`: 1 for the last of them

Weights depend on the times alone, so that they are the same for every model, layer and step. A word
without a time (NaN) has no weights.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from geomod.stories.settings import Downsample

Floats = NDArray[np.float64]

LOBES = 3


def word_times(onsets: Floats, offsets: Floats) -> Floats:
    """The time of a word is the middle between its onset and its offset."""
    return (onsets + offsets) / 2


def weights(times: Floats, words: Floats, tr: float, how: Downsample) -> sparse.csr_array:
    """The weights [rows, words] of words at the times `words` in rows at `times`, `tr` apart."""
    return WAYS[how](times, words, tr)


def word_rate(times: Floats, words: Floats, tr: float) -> Floats:
    """Words a TR, low-passed as features are: the sums of the Lanczos weights of the rows."""
    return np.asarray(weights(times, words, tr, "lanczos").sum(axis=1), dtype=np.float64)


def _lanczos(times: Floats, words: Floats, tr: float) -> sparse.csr_array:
    timed = np.flatnonzero(np.isfinite(words))
    nearest = np.searchsorted(times, words[timed])
    # Of the rows around a word those within 3 TRs, and one more at either side for rounding.
    around = nearest[:, None] + np.arange(-LOBES - 1, LOBES + 2)
    there = (around >= 0) & (around < len(times))
    rows, columns = around[there], np.repeat(timed, there.sum(axis=1))
    x = (times[rows] - words[columns]) / tr
    values = np.where(np.abs(x) <= LOBES, np.sinc(x) * np.sinc(x / LOBES), 0.0)
    shape = (len(times), len(words))
    found = sparse.csr_array((values, (rows, columns)), shape=shape)
    found.eliminate_zeros()
    return found


def _sum(times: Floats, words: Floats, tr: float) -> sparse.csr_array:
    timed = np.flatnonzero(np.isfinite(words))
    rows = np.searchsorted(times - tr / 2, words[timed], side="right") - 1
    inside = (rows >= 0) & (words[timed] < times[-1] + tr / 2)
    ones = np.ones(inside.sum())
    shape = (len(times), len(words))
    return sparse.csr_array((ones, (rows[inside], timed[inside])), shape=shape)


def _mean(times: Floats, words: Floats, tr: float) -> sparse.csr_array:
    each = _sum(times, words, tr)
    counts = np.maximum(np.diff(each.indptr), 1)
    return sparse.csr_array(sparse.diags_array(1 / counts) @ each)


def _last(times: Floats, words: Floats, tr: float) -> sparse.csr_array:
    each = sparse.coo_array(_sum(times, words, tr))
    rows, columns = each.coords
    last = np.full(len(times), -1)
    order = np.argsort(words[columns], kind="stable")  # of two at one time the later in the text
    last[rows[order]] = columns[order]
    full = np.flatnonzero(last >= 0)
    return sparse.csr_array((np.ones(len(full)), (full, last[full])), shape=each.shape)


WAYS: Mapping[Downsample, Callable[[Floats, Floats, float], sparse.csr_array]] = {
    "lanczos": _lanczos,
    "mean": _mean,
    "sum": _sum,
    "last": _last,
}
