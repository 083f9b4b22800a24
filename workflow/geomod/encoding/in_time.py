"""What only rows in time have: the response to a word, second by second; and what shuffling claims.

A region's response in time is what a finite impulse response to the word rate looks like, whatever
is said. Shuffled TRs are no score, but the warning that stands beside it: neighbours in time share
noise and slow features, so that test rows are predicted from their own neighbours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.brain.responses import AVERAGE, Block, response_blocks
from geomod.encoding.design import Design
from geomod.encoding.scores import Features
from geomod.encoding.settings import Settings
from geomod.ridge.engine import encode
from geomod.ridge.folds import InnerFolds
from geomod.ridge.weights import coefficients

REACH = 18.0  # s after a word, by when blood is nearly back

# Features that know what time it is and nothing of the words: a bump every so many TRs.
TIME, BUMP = "time", 2


def impulses(
    responses: pd.DataFrame, rows: pd.DataFrame, settings: Settings, tr: float
) -> pd.DataFrame:
    """Every region's response to the word rate: region, participant, lag (TRs), seconds, weight.

    Weights are those of `geomod.ridge.coefficients`, in SDs of the response a SD of the word rate.
    """
    lags = tuple(range(round(REACH / tr) + 1))
    rate = rows[["word_rate"]].to_numpy(dtype=np.float64, copy=True)
    parts = []
    for block in response_blocks(responses, rows):
        told = Design(replace(settings, delays=lags), rows, block.rows).told
        how: dict[str, Any] = {"scheme": told["scheme"], "gap": told.get("gap")}
        folds: InnerFolds = "loo" if told["scheme"] == "grouped" else told["folds"]
        found = coefficients(
            rate, block.matrix, delays=told["delays"], alphas=told["alphas"], folds=folds, **how
        )
        table = pd.concat([block.targets] * len(lags), ignore_index=True)
        lag = np.repeat(lags, len(block.targets))
        parts.append(table.assign(lag=lag, seconds=lag * tr, weight=found.weights[:, 0].ravel()))
    return pd.concat(parts, ignore_index=True)


def with_planted(table: pd.DataFrame, truth: Mapping[str, Any] | None) -> pd.DataFrame:
    """The planted responses beside `impulses`: 0 in a region of noise, NaN where nothing is known.

    A planted response is a shape: it is scaled to the weights of the participants' average.
    """
    table = table.assign(planted=np.nan)
    if truth is None:
        return table
    known = truth["haemodynamic"]
    shape = np.interp(table["seconds"], known["seconds"], known["response"])
    rate, average = table["region"] == truth["word_rate"], table["participant"] == AVERAGE
    if rate.any():
        h, w = shape[rate & average], table.loc[rate & average, "weight"].to_numpy()
        table.loc[rate, "planted"] = shape[rate] * (h @ w) / (h @ h)
    table.loc[table["region"] == truth["null"], "planted"] = 0.0
    return table


def bumps(rows: pd.DataFrame) -> NDArray[np.float64]:
    """A Gaussian every second TR of every story, of that width (SD), `[rows, bumps]`."""
    at = np.arange(len(rows), dtype=np.float64)
    heights = np.exp(-0.5 * ((at[:, None] - at[::BUMP]) / BUMP) ** 2)
    story = rows["story"].to_numpy()
    return np.where(story[:, None] == story[::BUMP], heights, 0.0)


def shuffling(
    features: Features, responses: pd.DataFrame, rows: pd.DataFrame, settings: Settings
) -> pd.DataFrame:
    """Scores of the participants' average by folds that are told, and by shuffled TRs.

    Columns layer, region, participant, stories, shuffled.
    """
    own = responses[responses["participant"] == AVERAGE]
    layers = [layer for layer, values in sorted(features.items()) if np.isfinite(values).all()]
    blocks = response_blocks(own, rows)
    parts = [_of_block(features, layers, block, rows, settings) for block in blocks]
    return pd.concat(parts, ignore_index=True)


def _of_block(
    features: Features,
    layers: Sequence[int],
    block: Block,
    rows: pd.DataFrame,
    settings: Settings,
) -> pd.DataFrame:
    told = Design(settings, rows, block.rows).told
    x = np.stack([features[layer] for layer in layers])
    table = pd.concat([block.targets] * len(layers), ignore_index=True)
    table.insert(0, "layer", np.repeat(np.asarray(layers, dtype=np.int64), len(block.targets)))
    shuffled = {**told, "scheme": "shuffled", "gap": 0}
    return table.assign(
        stories=encode(x, block.matrix, **told).score.ravel(),
        shuffled=encode(x, block.matrix, **shuffled).score.ravel(),
    )
