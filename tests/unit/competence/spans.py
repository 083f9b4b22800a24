"""Spans as a checkpoint would give them, with values of one's own."""

import numpy as np
import pandas as pd


def spans_of(task_set, log_p, tokens=None, unpredicted=0):
    """A row a span of the task set's texts, in their order."""
    rows = [span[:3] for text in task_set.texts() for span in text.spans]
    return pd.DataFrame(rows, columns=["task", "item_id", "part"]).assign(
        model="m",
        step=7,
        log_p=np.asarray(log_p, dtype=float),
        tokens=1 if tokens is None else tokens,
        unpredicted=unpredicted,
    )
