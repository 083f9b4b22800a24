"""Only sound checkpoints are evidence."""

import logging

import pandas as pd

log = logging.getLogger(__name__)


def sound(table: pd.DataFrame, checkpoints: pd.DataFrame) -> pd.DataFrame:
    """The rows of `table` (model, step, …) whose checkpoint is a point of its own on its curve.

    `checkpoints` has columns model, step, status. Copies, known bad ones, those with a part of
    another step, of the wrong size or off the trajectory are left out: a copy would count a point
    twice, and the others are not what their step says. The decision rests on the weights alone,
    never on what was measured with them.
    """
    for line in not_counted(checkpoints):
        log.info("%s", line)
    unsound = pd.MultiIndex.from_frame(_unsound(checkpoints)[["model", "step"]])
    return table[~pd.MultiIndex.from_frame(table[["model", "step"]]).isin(unsound)]


def not_counted(checkpoints: pd.DataFrame) -> list[str]:
    """A line a checkpoint that inference leaves out, and why."""
    rows = _unsound(checkpoints)[["model", "step", "detail"]]
    return [
        f"{model}, step {step}: measured, but no evidence for a claim: {detail}"
        for model, step, detail in rows.itertuples(index=False)
    ]


def _unsound(checkpoints: pd.DataFrame) -> pd.DataFrame:
    return checkpoints[checkpoints["status"] != "ok"]
