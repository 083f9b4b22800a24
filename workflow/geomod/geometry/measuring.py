"""The geometry of every sentence at every layer of a checkpoint, as tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.base.errors import InputError
from geomod.geometry.catalogue import select
from geomod.geometry.grams import Floats, Grams
from geomod.geometry.registry import Variant

# Elements of a stack of Grams: 32 MB at a time, however long the sentences.
STACK = 4_000_000


def measure(
    grams: Mapping[int, Grams], item_ids: Sequence[str], metrics: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Every variant of `metrics` for every sentence at every layer of one checkpoint.

    Columns: item_id, layer, metric, variant, value. `value` is NaN where the measure is not
    defined, and infinite where the activations are not finite, as in a diverged model.
    """
    variants, layers = select(metrics), sorted(grams)
    one = grams[layers[0]]
    if len(item_ids) != len(one):
        raise ValueError(f"{len(item_ids)} item_ids for Grams of {len(one)} sentences")
    for variant in variants:
        if variant.since is not None and variant.since not in grams:
            raise ValueError(f"{variant.metric}/{variant.name} needs layer {variant.since}")

    values = np.full((len(variants), len(layers), len(one)), np.nan)
    finite = np.zeros((len(layers), len(one)), dtype=bool)
    for same_length in one.groups():
        size = max(1, STACK // (len(layers) * int(one.lengths[same_length[0]]) ** 2))
        for start in range(0, len(same_length), size):
            rows = same_length[start : start + size]
            stack = np.stack([grams[layer].take(rows) for layer in layers])
            usable = np.isfinite(stack).all(axis=(2, 3))
            finite[:, rows] = usable
            for column, measured in zip(
                values, _apply(variants, stack[usable], one.width), strict=True
            ):
                block = np.full(usable.shape, np.nan)
                block[usable] = measured
                column[:, rows] = block
    for variant, column in zip(variants, values, strict=True):
        if variant.since is not None:
            column -= column[layers.index(variant.since)].copy()
            column[:, ~finite[layers.index(variant.since)]] = np.inf
        column[~finite] = np.inf
    return _tidy(values, variants, layers, item_ids)


def _apply(variants: Sequence[Variant], stack: Floats, width: int) -> list[Floats]:
    """Each variant's values [k] of a stack of Grams [k, T, T], each view computed once."""
    views = {variant.view: None for variant in variants}
    seen = {view: view(stack, width) for view in views}
    measured = []
    for variant in variants:
        result = np.asarray(variant.function(seen[variant.view]), dtype=np.float64)
        if result.shape != stack.shape[:1]:
            raise InputError(
                f"geometry: {variant.metric}/{variant.name} gave an array of shape "
                f"{result.shape} for {len(stack)} sentences; one number a sentence is expected"
            )
        measured.append(result)
    return measured


def _tidy(
    values: Floats,
    variants: Sequence[Variant],
    layers: Sequence[int],
    item_ids: Sequence[str],
) -> pd.DataFrame:
    """An array [variant, layer, sentence] as a long table. Names are categories: there are few."""
    v, k, i = (axis.ravel() for axis in np.indices(values.shape, dtype=np.int32))

    def named(codes: NDArray[np.int32], labels: list[str]) -> Any:
        unique = list(dict.fromkeys(labels))
        positions = np.array([unique.index(label) for label in labels], dtype=np.int32)
        return pd.Categorical.from_codes(positions[codes], dtype=pd.CategoricalDtype(unique))

    return pd.DataFrame(
        {
            "item_id": np.asarray(item_ids, dtype=object)[i],
            "layer": np.asarray(layers, dtype=np.int64)[k],
            "metric": named(v, [variant.metric for variant in variants]),
            "variant": named(v, [variant.name for variant in variants]),
            "value": values.ravel(),
        }
    )


def summarize(per_sentence: pd.DataFrame) -> pd.DataFrame:
    """Mean and SD over sentences: layer, metric, variant, mean, sd, n, n_undefined, n_nonfinite.

    `n` sentences are in the mean; `n_undefined` have no such number (too short, no movement), and
    `n_nonfinite` had infinite or NaN activations. A mean over none is NaN, and so is the SD (of the
    sample, ddof 1) over fewer than two.
    """
    value = per_sentence["value"]
    counted = per_sentence.assign(
        value=value.where(np.isfinite(value)),
        n_undefined=value.isna(),
        n_nonfinite=np.isinf(value),
    )
    grouped = counted.groupby(["layer", "metric", "variant"], observed=True, sort=False)
    table = grouped.agg(
        mean=("value", "mean"),
        sd=("value", "std"),
        n=("value", "count"),
        n_undefined=("n_undefined", "sum"),
        n_nonfinite=("n_nonfinite", "sum"),
    ).reset_index()
    return table.astype({"metric": "str", "variant": "str"})


def left_out(table: pd.DataFrame) -> list[str]:
    """What is not in the means of the table of all checkpoints: a sentence a reason, for readers.

    `table` has the columns of `summarize`, and model and step.
    """
    lines = []
    total = int((table["n"] + table["n_undefined"] + table["n_nonfinite"]).max())
    broken = table[table["n_nonfinite"] > 0]
    for (model, step), rows in broken.groupby(["model", "step"], sort=False):
        layers = ", ".join(str(layer) for layer in sorted(rows["layer"].unique()))
        lines.append(
            f"{model}, step {step}: activations are not finite in layers {layers}, for up to "
            f"{rows['n_nonfinite'].max()} of {total} sentences, which are left out of the means."
        )
    counts = table.groupby(["metric", "variant"], sort=False)["n_undefined"].max()
    for (metric, variant), count in counts[counts > 0].items():
        lines.append(
            f"{metric} ({variant}) is not defined for up to {count} of {total} sentences of a "
            "layer: too short, or no movement. They are left out of its means."
        )
    return lines
