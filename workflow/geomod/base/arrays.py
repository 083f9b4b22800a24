"""Arrays as people hand them over: NumPy, PyTorch on any device, lists."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_array(values: Any) -> NDArray[np.floating[Any]]:
    """`values` as a NumPy array of floats: of their own precision, float64 if they have none.

    A tensor of PyTorch may lie on a GPU, be bfloat16 or want a gradient.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        if "bfloat16" in str(values.dtype):  # NumPy has no such numbers
            values = values.float()
    array = np.asarray(values)
    return array if np.issubdtype(array.dtype, np.floating) else array.astype(np.float64)
