"""What the forward passes said of the sentences' tokens, a row a checkpoint."""

from collections.abc import Iterable

import pandas as pd

MEASURES = ["n_tokens", "surprisal", "predictive_entropy"]


def summarize_tokens(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Means over the sentences of each checkpoint: model, step, parameters, MEASURES."""
    rows = [
        table.groupby(["model", "step", "parameters"], sort=False)[MEASURES].mean().reset_index()
        for table in tables
    ]
    return pd.concat(rows, ignore_index=True)
