"""What the forward passes said of the sentences' tokens, a row a checkpoint."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

MEASURES = ["n_tokens", "surprisal", "predictive_entropy"]
MOST = 0.5  # from this share of fragments on, the vocabulary was made for other text


def summarize_tokens(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Means over the sentences of each checkpoint: MEASURES, and what stays the same in all.

    `fragments` is their share of the tokens of all sentences.
    """
    rows = []
    for table in tables:
        groups = table.groupby(["dataset", "model", "step", "parameters", "vocabulary"], sort=False)
        counts = groups[["n_fragments", "n_tokens"]].sum()
        shares = counts["n_fragments"] / counts["n_tokens"]
        rows.append(groups[MEASURES].mean().assign(fragments=shares).reset_index())
    return pd.concat(rows, ignore_index=True)


def unfamiliar(tokens: pd.DataFrame) -> list[str]:
    """A line for each model that does not know the language of the stimuli, and why.

    Its vocabulary may be made for other text: most tokens are fragments. Or it expects the
    sentences less than a uniform model, which gives every token ln(vocabulary) nats. Before
    training a model lies near that and may lie above: such steps count only where no later one
    falls below. `tokens` has the columns of `summarize_tokens`.
    """
    lines = []
    for model, rows in tokens.sort_values("step").groupby("model", sort=False):
        broken = rows[rows["fragments"] > MOST]
        if len(broken):
            lines.append(
                f"{model}, {_steps(broken['step'])}: {broken['fragments'].max():.0%} of the tokens "
                "are unknown, or single bytes or letters. The model's vocabulary was made for "
                "other text than these sentences."
            )
        uniform = np.log(rows["vocabulary"])
        above = rows["surprisal"] > uniform
        learning = (~above).cumsum() > 0
        worse = rows[above & (learning | above.all())]
        if len(worse):
            low, high = worse["surprisal"].min(), worse["surprisal"].max()
            lines.append(
                f"{model}, {_steps(worse['step'])}: the surprisal of these sentences, {low:.1f} … "
                f"{high:.1f} nats a token, exceeds the {uniform.iloc[0]:.1f} of a uniform model. "
                "What the model has learned is not this language, or it is not trained."
            )
    return lines


def _steps(steps: Sequence[int]) -> str:
    """`step 4`; `steps 0, 1, 4`."""
    return f"step{'s' if len(steps) > 1 else ''} {', '.join(str(step) for step in steps)}"
