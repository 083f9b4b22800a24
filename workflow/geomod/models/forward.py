"""One forward pass of a model for any number of readings.

Every layer is handed to the readings inside the pass, the moment it arises, so no hidden states
pile up. Layer 0 is what the first block receives (the embedding output), layer l the raw output of
block l.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from geomod.base.extras import extra
from geomod.models.loading import (
    Bos,
    chat_head,
    check_vocabulary,
    find_blocks,
    fragments,
    longest_sentence,
    spell,
    tokenize,
    tokenize_with_places,
    width_of,
)
from geomod.models.reading import Inputs, Reading

with extra("models"):
    from transformers.modeling_outputs import BaseModelOutputWithPast

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Opened:
    """A checkpoint that is open for reading: what a reading may ask of it when it begins."""

    model: Any
    tokenizer: Any
    blocks: Sequence[nn.Module]

    @property
    def layers(self) -> range:
        """0, the embedding output, to L, the output of the last block."""
        return range(len(self.blocks) + 1)

    @property
    def width(self) -> int:
        """The number of dimensions of a hidden state."""
        return width_of(self.model)

    @property
    def longest(self) -> int | None:
        """The number of tokens that the model can take, where it has a limit."""
        return longest_sentence(self.model)

    def head(self, states: Tensor) -> Tensor:
        """Next-token logits [n, vocabulary] after final, normed `states` [n, width].

        The model's own code makes them, given these states in place of its body's: what it does
        beside the product with its output embeddings, such as capping or scaling, is done here too.
        """
        name = self.model.base_model_prefix
        body = getattr(self.model, name)
        try:
            setattr(self.model, name, _Known(states[None]))
            return self.model(
                input_ids=torch.zeros(1, 1, dtype=torch.long, device=states.device)
            ).logits[0]
        finally:
            setattr(self.model, name, body)

    def tokenize(self, texts: Sequence[str], bos: Bos = "none") -> list[list[int]]:
        """Token ids of each text; a text that is too long for the model is an error."""
        return tokenize(self.tokenizer, texts, bos=bos, limit=self.longest)

    def fragments(self, ids: Sequence[Sequence[int]]) -> list[int]:
        """How many tokens of each text are unknown or stand for one byte or letter alone."""
        return fragments(self.tokenizer, ids)

    def spell(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """The tokens of each text as a table keeps them."""
        return [spell(self.tokenizer, tokens) for tokens in ids]

    def chat_head(self) -> list[int]:
        """Tokens that the tokenizer's chat template puts before a text."""
        return chat_head(self.tokenizer)

    def tokenize_with_places(
        self, texts: Sequence[str], bos: Bos = "none"
    ) -> Iterator[tuple[list[int], NDArray[np.int64], int]]:
        """Token ids of each text, of any length, their characters, how many begin every input."""
        return tokenize_with_places(self.tokenizer, texts, bos=bos)


class _Known(nn.Module):
    """In the place of a model's body: gives states that are known already."""

    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self.states = states

    def forward(self, *_: Any, **__: Any) -> Any:
        return _Output(last_hidden_state=self.states)


class _Output(BaseModelOutputWithPast):
    """What a body of any family gives: whatever else a head looks for is None."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


@dataclass(frozen=True)
class Share:
    """What of a batch belongs to one reading: rows of the batch, and its inputs that they are."""

    reading: Reading
    rows: NDArray[np.int64]
    inputs: Inputs

    def of(self, batch: Tensor) -> Tensor:
        """The rows of `batch` for each of the inputs, which may repeat."""
        if np.array_equal(self.rows, np.arange(len(batch))):
            return batch
        return batch[torch.as_tensor(self.rows, device=batch.device)]


Texts = tuple[tuple[int, ...], ...]


def read(
    model: Any,
    tokenizer: Any,
    readings: Sequence[Reading],
    *,
    blocks: str | None = None,
    batch_tokens: int = 512,
) -> None:
    """Pass the inputs of all `readings` through `model`, and give every reading what is its own.

    Inputs of equal length share a batch of at most `batch_tokens` tokens, so nothing is padded, no
    token attends to another's padding, and a tokenizer needs no padding token. `blocks` names the
    list of blocks, where it is not plain to see.
    """
    opened = Opened(model, tokenizer, find_blocks(model, blocks))
    inputs = [reading.begin(opened) for reading in readings]
    for own in inputs:
        check_vocabulary(model, own)
    batches = plan(readings, inputs, batch_tokens)
    done, count = 0, sum(len(texts) for texts in batches)
    for texts, shares in batches.items():
        _pass(opened, texts, shares)
        done += len(texts)
        log.info("%d of %d texts", done, count)
    for reading in readings:
        reading.end()


def plan(
    readings: Sequence[Reading], inputs: Sequence[Sequence[Sequence[int]]], batch_tokens: int
) -> dict[Texts, list[Share]]:
    """The batches of a pass, and whose they are.

    How a product is rounded can depend on the number of its rows. So a reading has the batches that
    it would have alone, and to the last bit its numbers do not depend on what else is read. A batch
    that several readings have passes once; so does a text that one reading has twice.

    The longest come first: what is too large for the memory fails at once, not after an hour.
    """
    batches: dict[Texts, list[Share]] = {}
    for reading, own in zip(readings, inputs, strict=True):
        places: dict[tuple[int, ...], list[int]] = {}
        for place, ids in enumerate(own):
            places.setdefault(tuple(ids), []).append(place)
        texts = list(places)
        for rows in equal_lengths([len(text) for text in texts], batch_tokens):
            batch = tuple(texts[row] for row in rows)
            repeats = [len(places[text]) for text in batch]
            share = Share(
                reading,
                np.repeat(np.arange(len(batch)), repeats),
                np.concatenate([places[text] for text in batch]),
            )
            batches.setdefault(batch, []).append(share)
    return dict(sorted(batches.items(), key=lambda item: -len(item[0][0])))


def equal_lengths(lengths: Sequence[int], batch_tokens: int) -> Iterator[NDArray[np.int64]]:
    """Rows of equal length, at most `batch_tokens` tokens (but a text at least) at a time."""
    for length in np.unique(lengths):
        rows = np.flatnonzero(np.asarray(lengths) == length)
        size = max(1, batch_tokens // int(length))
        yield from (rows[start : start + size] for start in range(0, len(rows), size))


def _pass(opened: Opened, texts: Texts, shares: Sequence[Share]) -> None:
    """One batch through the model, and through its head where a reading wants logits."""
    ids = torch.tensor(texts, device=_device(opened.model))
    with torch.inference_mode(), _listening(opened, shares):
        if not any(share.reading.logits for share in shares):
            opened.model.base_model(input_ids=ids)
            return
        output = opened.model(input_ids=ids)
        if "logits" in output:
            logits = output.logits
            ids = ids.to(logits.device)  # the last of many devices, where the model lies on such
            for share in shares:
                if share.reading.logits:
                    share.reading.predict(share.inputs, share.of(ids), share.of(logits))


def _device(model: nn.Module) -> torch.device:
    """Where the model's inputs go: its first weights, but those that are loaded when needed."""
    return next(
        (w.device for w in model.parameters() if w.device.type != "meta"), torch.device("cpu")
    )


@contextmanager
def _listening(opened: Opened, shares: Sequence[Share]) -> Iterator[None]:
    """While this lasts, the readings are given every layer as the model computes it.

    The embedding output is what the first block receives. The last block is read where it arises:
    the last of transformers' `hidden_states` has already been through the final norm.
    """
    blocks, last = opened.blocks, len(opened.blocks)

    def keep(layer: int, states: Tensor, last_layer: str | None = None) -> None:
        for share in shares:
            if last_layer in (None, share.reading.last_layer):
                share.reading.keep(layer, share.inputs, share.of(states))

    def before_first(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        keep(0, args[0] if args else kwargs["hidden_states"])

    def after(layer: int) -> Callable[..., None]:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            states = output[0] if isinstance(output, tuple) else output
            keep(layer, states, "raw" if layer == last else None)

        return hook

    def after_norm(_: nn.Module, __: Any, output: Any) -> None:
        keep(last, output.last_hidden_state, "normed")

    handles = [blocks[0].register_forward_pre_hook(before_first, with_kwargs=True)]
    handles += [block.register_forward_hook(after(i)) for i, block in enumerate(blocks, start=1)]
    handles.append(opened.model.base_model.register_forward_hook(after_norm))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
