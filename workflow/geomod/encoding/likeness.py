"""How alike layers and brains arrange the stimuli, as a table: every measure, and no fit."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.brain.patterns import Pattern
from geomod.brain.responses import AVERAGE, response_blocks
from geomod.encoding.alignment import MEASURES, QUANTILES, Quantiles, Seen

log = logging.getLogger(__name__)

COLUMNS = ["layer", "region", "participant", "of", "measure", "value", "n", "width"]


class Answer(NamedTuple):
    """What layers are compared with: of a region its `mean`, or its `voxels`."""

    region: str
    participant: str
    of: str
    rows: NDArray[np.intp]
    seen: Seen


def answers_of(
    responses: pd.DataFrame,
    stimuli: pd.DataFrame,
    patterns: Iterable[Pattern] = (),
    quantiles: Quantiles = QUANTILES,
) -> list[Answer]:
    """The participants' average of every region, then the voxels of every participant's regions."""
    answers = []
    for block in response_blocks(responses, stimuli):
        for column, target in enumerate(block.targets.itertuples()):
            if target.participant == AVERAGE:
                seen = Seen(block.matrix[:, [column]], quantiles)
                answers.append(Answer(str(target.region), AVERAGE, "mean", block.rows, seen))
    for region, participant, rows, matrix in patterns:
        answers.append(Answer(region, participant, "voxels", rows, Seen(matrix, quantiles)))
    return answers


def align(features: Mapping[int, NDArray[Any]], answers: Iterable[Answer]) -> pd.DataFrame:
    """Every measure of `alignment.MEASURES` of every layer and answer.

    Columns: layer, region, participant, of (`mean`, `voxels`), measure, value, n (sentences), width
    (columns of the answer). NaN where a layer is not finite, or does not vary.
    """
    answers, rows = list(answers), []
    for layer, values in sorted(features.items()):
        finite = bool(np.isfinite(values).all())
        if not finite:
            log.warning(
                "layer %d holds activations that are not finite, and is like nothing", layer
            )
        seen: dict[tuple[bytes, Quantiles], Seen] = {}
        for answer in answers:
            key = answer.rows.tobytes(), answer.seen.quantiles
            if key not in seen:
                seen[key] = Seen(values[answer.rows], answer.seen.quantiles)
            size = answer.seen.values.shape
            for name, measure in MEASURES.items():
                value = float(measure(seen[key], answer.seen)) if finite else np.nan
                rows.append((layer, *answer[:3], name, value, *size))
    return pd.DataFrame(rows, columns=COLUMNS)
