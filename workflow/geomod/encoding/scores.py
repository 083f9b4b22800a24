"""Encoding models as tables: every layer of a checkpoint against every region of every person."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.brain.responses import AVERAGE, Block, response_blocks
from geomod.brain.voxels import Voxels
from geomod.encoding.alignment import IN_SCORES, MEASURES, Quantiles, Seen
from geomod.encoding.design import Design
from geomod.encoding.settings import Settings
from geomod.ridge.engine import Encoding, encode, normalize
from geomod.ridge.fits import Fitted

log = logging.getLogger(__name__)

Features = Mapping[int, NDArray[np.float32]]

# What is to be done with every fit of these layers to a block of responses, if anything.
Beside = Callable[[Block, Sequence[int]], Callable[[Fitted], object] | None]


def layers_in(block: str) -> range | None:
    """The layers that a label of `geomod.plan.grid.Grid.layer_blocks` stands for; None for all."""
    if block == "all":
        return None
    first, last = block.split("-")
    return range(int(first), int(last) + 1)


def encode_checkpoint(
    features: Features,
    responses: pd.DataFrame,
    stimuli: pd.DataFrame,
    ceiling: pd.DataFrame,
    settings: Settings,
    device: str = "cpu",
    beside: Beside | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores (a row a layer, region and participant) and their folds of one checkpoint.

    `features` gives layer → [sentences, width] in the order of `stimuli`. A layer whose activations
    are not finite has no score: its rows are NaN, and the other layers are fitted all the same. The
    measures of `alignment.py` are those of the participants' average, and NaN for single ones,
    since they cost more time than the scores; and for stories, whose rows are alike where they are
    near in time, whatever is said. `beside` goes on from the fits, as `baselines.Ladders` do.

    `stimuli` may be the rows of stories in place of sentences: then features are of all rows, and
    delayed (`design.py`).
    """
    finite = [layer for layer, values in sorted(features.items()) if np.isfinite(values).all()]
    broken = sorted(set(features) - set(finite))
    if broken:
        log.warning("layers %s hold activations that are not finite, and get no score", broken)
    scores, folds = [], []
    for block in response_blocks(responses, stimuli):
        rows, matrix, targets = block
        if finite:
            design = Design(settings, stimuli, rows)
            layers = np.stack([features[layer][design.rows] for layer in finite])
            then = beside(block, finite) if beside else None
            count = settings.permutations
            found = encode(
                layers, matrix, permutations=count, device=device, beside=then, **design.told
            )
            scores.append(
                _scores(found, finite, targets).merge(
                    _alignment(layers, finite, matrix, targets, settings.trsa)
                    if design.delays is None
                    else _rows(finite, targets).assign(**dict.fromkeys(IN_SCORES, np.nan)),
                    how="left",
                )
            )
            folds.append(_folds(found, finite, targets))
        scores.append(_missing(broken, targets))
    table = pd.concat(scores, ignore_index=True)
    table = table.merge(
        ceiling[["region", "participant", "ceiling"]], on=["region", "participant"], how="left"
    )
    table["score_normalized"] = normalize(table["score"], table["ceiling"])
    table = table.sort_values("layer", kind="stable", ignore_index=True)
    detail = pd.concat(folds, ignore_index=True) if folds else pd.DataFrame(columns=FOLD_COLUMNS)
    return table, detail


def encode_voxels(
    features: Features,
    voxels: Voxels,
    stimuli: pd.DataFrame,
    settings: Settings,
    device: str = "cpu",
) -> dict[int, NDArray[np.float64]]:
    """Layer → the score of every voxel of one participant, fitted as regions are.

    Every voxel has penalties of its own. There is no null: permutations of 10,000 voxels would take
    longer than the rest of a run.
    """
    scores = {}
    design = Design(settings, stimuli, voxels.rows)
    for layer, values in sorted(features.items()):
        if np.isfinite(values).all():
            found = encode(values[design.rows], voxels.matrix, device=device, **design.told)
            scores[layer] = found.score[0]
        else:
            log.warning("layer %d holds activations that are not finite, and gets no score", layer)
            scores[layer] = np.full(len(voxels.positions), np.nan)
    return scores


def cross_validation(
    settings: Settings, stimuli: pd.DataFrame, rows: NDArray[np.intp]
) -> dict[str, Any]:
    """What `geomod.ridge.encode` and `geomod.ridge.ladder` are told alike."""
    return Design(settings, stimuli, rows).told


FOLD_COLUMNS = ["layer", "region", "participant", "fold", "r", "r2", "alpha"]


def _scores(found: Encoding, layers: Sequence[int], targets: pd.DataFrame) -> pd.DataFrame:
    p = found.p_permutation
    return _rows(layers, targets).assign(
        score=found.score.ravel(),
        score_sd=found.r.std(axis=1, ddof=1).ravel(),
        alpha_median=np.median(found.alpha, axis=1).ravel(),
        p_permutation=np.nan if p is None else p.ravel(),
    )


def _alignment(
    features: NDArray[np.float32],
    layers: Sequence[int],
    responses: NDArray[np.float64],
    targets: pd.DataFrame,
    quantiles: Quantiles,
) -> pd.DataFrame:
    """The measures `alignment.IN_SCORES`, of each layer and averaged region."""
    columns = np.flatnonzero(targets["participant"] == AVERAGE)
    regions = [_seen(responses[:, k].tobytes(), quantiles) for k in columns]
    rows = [
        [MEASURES[name](layer, region) for name in IN_SCORES]
        for layer in (Seen(values, quantiles) for values in features)
        for region in regions
    ]
    measured = pd.DataFrame(rows, columns=list(IN_SCORES), dtype=float)
    return pd.concat([_rows(layers, targets.iloc[columns]), measured], axis=1)


@lru_cache(maxsize=16)
def _seen(response: bytes, quantiles: Quantiles) -> Seen:
    """One region, whose arrangement of the sentences is the same for all checkpoints of a job."""
    return Seen(np.frombuffer(response)[:, None], quantiles)


def _folds(found: Encoding, layers: Sequence[int], targets: pd.DataFrame) -> pd.DataFrame:
    count = found.r.shape[1]
    table = _rows(layers, targets).loc[lambda rows: rows.index.repeat(count)]
    return table.reset_index(drop=True).assign(
        fold=np.tile(np.arange(count), len(layers) * len(targets)),
        **{
            name: np.swapaxes(values, 1, 2).ravel()
            for name, values in (("r", found.r), ("r2", found.r2), ("alpha", found.alpha))
        },
    )


def _missing(layers: Sequence[int], targets: pd.DataFrame) -> pd.DataFrame:
    names = ["score", "score_sd", "alpha_median", "p_permutation", *IN_SCORES]
    nothing = dict.fromkeys(names, np.nan)
    return _rows(layers, targets).assign(**nothing)


def _rows(layers: Sequence[int], targets: pd.DataFrame) -> pd.DataFrame:
    """A row for every layer and target, targets running fastest."""
    table = pd.concat([targets] * len(layers), ignore_index=True) if layers else targets.iloc[:0]
    return table.assign(layer=np.repeat(np.asarray(layers, dtype=np.int64), len(targets)))
