"""A text that is longer than a model, read in windows that overlap by half.

Windows of `size` tokens begin every size // 2 tokens until one reaches the end of the text. A token
is taken from the window in which it has most left context, which is the first that holds it: the
first window gives all of its tokens, every other one its second half. So every token but those of
the first window has at least size // 2 − 1 tokens before it, at the cost of reading each token
twice.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geomod.base.errors import InputError

Whole = NDArray[np.int64]


class Windows(NamedTuple):
    """Window k reads the tokens starts[k] … stops[k] − 1 and gives those from firsts[k] on."""

    starts: Whole
    firsts: Whole
    stops: Whole

    def holding(self, first: Whole, stop: Whole) -> Whole:
        """The first window that holds all the tokens first … stop − 1 of each span; −1 if none."""
        window = np.searchsorted(self.stops, stop)
        return np.where(self.starts[window] <= first, window, -1)


def cut(tokens: int, size: int) -> Windows:
    """The windows of a text of so many tokens, each of at most `size`."""
    if size < 2:
        raise InputError(f"windows of {size} tokens; at least 2 are needed")
    step = size // 2
    count = 1 + max(0, -(-(tokens - size) // step))
    starts = np.arange(count, dtype=np.int64) * step
    stops = np.minimum(starts + size, tokens)
    return Windows(starts, np.concatenate([[0], stops[:-1]]), stops)
