"""What a layer explains over sentence length, position and the untrained model, as a table."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.brain.responses import AVERAGE, response_blocks
from geomod.encoding.scores import Features, cross_validation
from geomod.ridge.banded import Ladder, ladder

log = logging.getLogger(__name__)

# Baselines that are columns of the sentences.
OF_SENTENCES = {"length": ["n_words", "n_characters"], "position": ["position"]}
COLUMNS = ["layer", "region", "participant", "baseline"]
COLUMNS += ["score_baseline", "score_layer", "score_joint", "unique", "unique_r2"]


def against_baselines(
    features: Features,
    untrained: Features | None,
    responses: pd.DataFrame,
    stimuli: pd.DataFrame,
    settings: Mapping[str, Any],
    device: str = "cpu",
) -> pd.DataFrame:
    """The confound ladder of `geomod.ridge.banded`: a row a baseline, layer and region.

    Of the participants' average alone, since each baseline costs several fits a layer. `untrained`
    are the features of the same model before training; None where there are none. Layers that are
    not finite, here or there, have no rows.
    """
    tables = []
    for name in settings["baselines"]:
        if name == "untrained" and untrained is None:
            log.warning("no baseline `untrained`: step 0 is this one, or was not measured")
            continue
        layers = [
            layer
            for layer, values in sorted(features.items())
            if np.isfinite(values).all()
            and (name != "untrained" or np.isfinite((untrained or {})[layer]).all())
        ]
        for rows, matrix, targets in response_blocks(responses, stimuli):
            average = (targets["participant"] == AVERAGE).to_numpy()
            if not layers or not average.any():
                continue
            if name == "untrained":
                baseline = _stack(untrained or {}, layers, rows)
            else:
                baseline = stimuli[OF_SENTENCES[name]].to_numpy(dtype=np.float64)[rows]
            found = ladder(
                baseline,
                _stack(features, layers, rows),
                matrix[:, average],
                device=device,
                **cross_validation(settings, stimuli, rows),
            )
            tables.append(_table(found, name, layers, targets[average]))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _stack(
    features: Features, layers: Sequence[int], rows: NDArray[np.intp]
) -> NDArray[np.float32]:
    return np.stack([features[layer][rows] for layer in layers])


def _table(
    found: Ladder, baseline: str, layers: Sequence[int], targets: pd.DataFrame
) -> pd.DataFrame:
    table = pd.concat([targets] * len(layers), ignore_index=True)
    return table.assign(
        layer=np.repeat(np.asarray(layers, dtype=np.int64), len(targets)),
        baseline=baseline,
        score_baseline=found.score("baseline").ravel(),
        score_layer=found.score("layer").ravel(),
        score_joint=found.score("joint").ravel(),
        unique=found.unique.ravel(),
        unique_r2=found.unique_r2.ravel(),
    )
