"""One forward pass of a model over the sentences: pooled features, token Grams, surprisal.

Every layer is reduced inside the pass, the moment it arises, so no hidden states pile up. Layer 0
is what the first block receives (the embedding output), layer l the raw output of block l.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from geomod.base.errors import InputError
from geomod.base.layers import Features, write_features
from geomod.geometry.grams import Grams, write_grams
from geomod.models.loading import (
    Bos,
    check_vocabulary,
    find_blocks,
    fragments,
    longest_sentence,
    tokenize,
    width_of,
)

log = logging.getLogger(__name__)

Keep = Callable[[int, Tensor], None]


@dataclass(frozen=True)
class Activations:
    """What is kept of a forward pass.

    `tokens` has a row a sentence: n_tokens (those in the Gram), n_fragments (those of them that are
    unknown or one byte or letter alone), surprisal (mean −ln p of a token
    given the ones before it, nats) and predictive_entropy (mean entropy of the distributions that
    predicted them, nats). The first token of the input is not predicted; where nothing is, or the
    model has no language-modelling head, both are NaN.
    """

    features: Features
    grams: dict[int, Grams]
    tokens: pd.DataFrame


def extract(
    model: Any,
    tokenizer: Any,
    sentences: Sequence[str],
    *,
    pooling: Literal["last", "mean"] = "last",
    bos: Bos = "none",
    first_token: Literal["keep", "drop"] = "keep",
    last_layer: Literal["raw", "normed"] = "raw",
    blocks: str | None = None,
    batch_tokens: int = 512,
) -> Activations:
    """Features, Grams and surprisal of every sentence at every layer of `model`.

    Sentences of equal length share a batch of at most `batch_tokens` tokens, so nothing is padded,
    no token attends to another's padding, and a tokenizer needs no padding token. `first_token:
    drop` leaves the first token out of features and Grams; the model reads it all the same.
    `last_layer: normed` takes the last layer after the model's final norm.
    """
    sentences = list(sentences)
    ids = tokenize(tokenizer, sentences, bos=bos, limit=longest_sentence(model))
    check_vocabulary(model, ids)
    first = 1 if first_token == "drop" else 0
    lengths = np.array([len(tokens) - first for tokens in ids], dtype=np.int64)
    if np.any(lengths == 0):
        row = int(np.argmin(lengths))
        raise InputError(
            f"sentences, row {row} (from 0): {sentences[row]!r} has one token, and "
            "features.first_token: drop leaves none of it"
        )

    modules, width = find_blocks(model, blocks), width_of(model)
    layers = range(len(modules) + 1)
    features = {k: np.full((len(ids), width), np.nan, np.float32) for k in layers}
    grams = {k: Grams.empty(lengths, width) for k in layers}
    predicted = np.full((len(ids), 2), np.nan)
    done = 0
    for rows in batches(lengths, batch_tokens):

        def keep(layer: int, states: Tensor, rows: NDArray[np.int64] = rows) -> None:
            states = states[:, first:].float()
            pooled = states[:, -1] if pooling == "last" else states.mean(dim=1)
            features[layer][rows] = pooled.cpu().numpy()
            # In float32 the Gram would be wrong in the third decimal of a curvature.
            wide = states.double()
            grams[layer].put(rows, (wide @ wide.mT).cpu().numpy())

        batch = torch.tensor([ids[row] for row in rows], device=model.device)
        with torch.inference_mode(), _reading(model, modules, keep, last_layer):
            output = model(input_ids=batch)
            if "logits" in output:
                predicted[rows] = [
                    _prediction(logits, tokens)
                    for logits, tokens in zip(output.logits, batch, strict=True)
                ]
        done += len(rows)
        log.info("%d of %d sentences", done, len(ids))

    broken = [k for k in layers if not np.isfinite(grams[k].values).all()]
    if broken:
        log.warning("activations are not finite in layers %s: a diverged checkpoint?", broken)
    tokens = pd.DataFrame(
        {
            "n_tokens": lengths,
            "n_fragments": fragments(tokenizer, [tokens[first:] for tokens in ids]),
            "surprisal": predicted[:, 0],
            "predictive_entropy": predicted[:, 1],
        }
    )
    return Activations(features, grams, tokens)


def batches(lengths: NDArray[np.int64], batch_tokens: int) -> Iterator[NDArray[np.int64]]:
    """Rows of equal length, at most `batch_tokens` tokens (but a sentence at least) at a time.

    The longest come first: what is too large for the memory fails at once, not after an hour.
    """
    for length in np.unique(lengths)[::-1]:
        rows = np.flatnonzero(lengths == length)
        size = max(1, batch_tokens // int(length))
        yield from (rows[start : start + size] for start in range(0, len(rows), size))


@contextmanager
def _reading(
    model: Any, blocks: Sequence[nn.Module], keep: Keep, last_layer: str
) -> Iterator[None]:
    """While this lasts, `keep(layer, states)` is called for every layer as the model computes it.

    The embedding output is what the first block receives. The last block is read where it arises:
    the last of transformers' `hidden_states` has already been through the final norm.
    """
    last = len(blocks)

    def before_first(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        keep(0, args[0] if args else kwargs["hidden_states"])

    def after(layer: int) -> Callable[..., None]:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            keep(layer, output[0] if isinstance(output, tuple) else output)

        return hook

    def after_norm(_: nn.Module, __: Any, output: Any) -> None:
        keep(last, output.last_hidden_state)

    handles = [blocks[0].register_forward_pre_hook(before_first, with_kwargs=True)]
    raw = blocks if last_layer == "raw" else blocks[:-1]
    handles += [block.register_forward_hook(after(i)) for i, block in enumerate(raw, start=1)]
    if last_layer == "normed":
        handles.append(model.base_model.register_forward_hook(after_norm))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _prediction(logits: Tensor, tokens: Tensor) -> tuple[float, float]:
    """Mean surprisal of the tokens after the first, mean entropy of what predicted them."""
    if len(tokens) < 2:
        return np.nan, np.nan
    log_p = logits[:-1].float().log_softmax(dim=-1)
    surprisal = -log_p.gather(1, tokens[1:, None]).mean()
    entropy = -(log_p.exp() * log_p).sum(dim=-1).mean()
    return surprisal.item(), entropy.item()


def write_activations(
    activations: Activations,
    features: str | Path,
    grams: str | Path,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write both files; read them with `geometry.grams.read_features` and `read_grams`."""
    write_features(activations.features, features, provenance)
    write_grams(activations.grams, grams, provenance)
