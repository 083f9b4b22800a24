"""Small GPT-NeoX models trained from nothing on the generated language.

The folders are those of real checkpoints: config.json, model.safetensors (float16, as Pythia's)
and a tokenizer, so everything after this stage treats them as it treats a downloaded model.
"""

import json
import logging
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from geomod.base.extras import extra
from geomod.base.files import sha256_of
from geomod.base.tensors import write_tensors
from geomod.toy.language import LINKS, make_language, sample_corpus
from geomod.toy.shapes import AGREEMENT, TOY_SIZES, ToySize

with extra("models"):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

log = logging.getLogger(__name__)

WEIGHTS = "model.safetensors"
END_OF_TEXT = "<|endoftext|>"
TEXTS, HELD_OUT = 16384, 256
# A sentence has seven tokens or more, so that four of them fill a window.
SENTENCES, WINDOW = 4, 24
BATCH = 48
WARM_UP, DECAY = 16, 512  # steps

# What training asks of the geometry where modules are planted, in the first tokens of each text:
# the mean cosine of successive displacements (−½ where tokens have nothing to do with each other)
# and the Rényi entropy of order 2 of their Gram matrix, nats, in the high and in the low module.
PLANTED_TOKENS = 12
COSINES, ENTROPIES = (-0.5, -0.3), (1.9, 1.5)
# Blocks of a module lie about its goal, at the corners of a square: blocks that were all alike, or
# in a row, would ask for more modules than two.
ABOUT = (0.015, 0.03)
PULLS = (10.0, 1.0)  # weight of the squared distance from each


def make_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer in which each word of the language is one token.

    Any other text falls into bytes and pieces of words, never into an unknown token.
    """
    words = make_language(seed).words()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=50_000,  # never reached: merging ends when each word is whole
        min_frequency=1,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=[END_OF_TEXT],
        show_progress=False,
    )
    # A text opens with "the" and no space before it.
    tokenizer.train_from_iterator(["the", *(f" {word}" for word in words), "."], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        clean_up_tokenization_spaces=False,
    )


def train(
    size: str,
    steps: Collection[int],
    seed: int,
    folder: Path,
    provenance: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Train one toy model and save it as `folder/step{N}` at each of `steps`.

    The text of step k and its learning rate follow from (seed, k) alone: the same weights come out
    whichever other steps are asked for. Returns the table (step, loss) with the mean cross-entropy
    a token, in nats, on held-out text.
    """
    tokenizer = make_tokenizer(seed)
    corpus = sample_corpus(make_language(seed), TEXTS + HELD_OUT, SENTENCES, seed)
    tokens = torch.tensor([ids[:WINDOW] for ids in tokenizer(corpus)["input_ids"]])
    held_out, tokens = tokens[:HELD_OUT], tokens[HELD_OUT:]
    shape = TOY_SIZES[size]
    model = make_model(shape, tokenizer, seed)
    planted = PlantedModules(model, shape) if shape.words else None
    links = torch.tensor(tokenizer.convert_tokens_to_ids([f"Ġ{word}" for word in LINKS]))
    learning = [weights for weights in model.parameters() if weights.requires_grad]
    optimizer = torch.optim.AdamW(learning, betas=(0.9, 0.95), weight_decay=0.01)

    losses = []
    for step in range(max(steps) + 1):
        if step > 0:
            for group in optimizer.param_groups:
                group["lr"] = shape.learning_rate * _schedule(step)
            rows = np.random.default_rng([seed, 3, step]).choice(len(tokens), BATCH, replace=False)
            batch = tokens[rows]
            weight = shape.agreement if step >= AGREEMENT or not planted else 0.0
            loss = weighted_loss(model, batch, links, weight)
            if planted:
                loss = loss + planted.distance()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learning, 1.0)
            optimizer.step()
        if step in steps:
            with torch.no_grad():
                losses.append((step, model(held_out, labels=held_out).loss.item()))
            save(model, tokenizer, folder / f"step{step}", provenance)
            log.info("toy-%s step %d: held-out loss %.3f", size, *losses[-1])
    return pd.DataFrame(losses, columns=["step", "loss"])


def weighted_loss(
    model: GPTNeoXForCausalLM, batch: torch.Tensor, links: torch.Tensor, weight: float
) -> torch.Tensor:
    """Mean cross-entropy a token, nats, in which the tokens `links` count `weight` times."""
    logits, targets = model(batch).logits[:, :-1], batch[:, 1:]
    each = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), reduction="none"
    )
    share = 1 + (weight - 1) * torch.isin(targets.flatten(), links)
    return (each * share).sum() / share.sum()


def make_model(shape: ToySize, tokenizer: PreTrainedTokenizerFast, seed: int) -> GPTNeoXForCausalLM:
    """A GPT-NeoX with random weights, built as Pythia is (parallel blocks, a quarter rotary)."""
    config = GPTNeoXConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        num_hidden_layers=shape.blocks,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.width,
        initializer_range=shape.scatter,
        rope_parameters={"rope_type": "default", "partial_rotary_factor": shape.rotary},
        max_position_embeddings=512,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        architectures=["GPTNeoXForCausalLM"],
        dtype=torch.float16,  # as it is stored
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = GPTNeoXForCausalLM(config).float()
    for block in model.gpt_neox.layers[: shape.words]:
        for weights in block.attention.dense.parameters():
            torch.nn.init.zeros_(weights)
        block.attention.requires_grad_(False)
    return model


class PlantedModules:
    """How far the states of the last forward pass are from the geometry that is planted."""

    def __init__(self, model: GPTNeoXForCausalLM, shape: ToySize) -> None:
        self.goals = planted_geometry(shape)
        self.states: dict[int, torch.Tensor] = {}
        for place, block in enumerate(model.gpt_neox.layers):
            block.register_forward_hook(partial(self._keep, place))

    def _keep(self, place: int, block: Any, given: Any, output: Any) -> None:
        states = output[0] if isinstance(output, tuple) else output
        self.states[place] = states[:, :PLANTED_TOKENS]

    def distance(self) -> torch.Tensor:
        """Weighted mean squared distance over blocks."""
        found = geometry_of(torch.stack([self.states[i] for i in sorted(self.states)]))
        apart = ((found - self.goals) ** 2).mean(dim=1)
        return apart @ torch.tensor(PULLS)


def planted_geometry(shape: ToySize) -> torch.Tensor:
    """The cosine and the entropy that each block shall have, [2, blocks]."""
    block = torch.arange(shape.blocks)
    high = block < shape.words
    place = torch.where(high, block, block - shape.words)
    corners = torch.stack([1 - 2 * (place % 2), 1 - 2 * (place // 2 % 2)])
    goals = torch.stack([torch.where(high, *ends) for ends in (COSINES, ENTROPIES)])
    return goals + corners * torch.tensor(ABOUT)[:, None]


def geometry_of(states: torch.Tensor) -> torch.Tensor:
    """Mean cosine of successive displacements and Rényi-2 entropy, nats: [2, blocks].

    States are [blocks, texts, tokens, width].
    """
    along = torch.nn.functional.normalize(states.diff(dim=2), dim=-1)
    cosine = (along[:, :, 1:] * along[:, :, :-1]).sum(dim=-1).mean(dim=(1, 2))
    gram = states @ states.transpose(-1, -2)
    trace = gram.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    purity = (gram**2).sum(dim=(-1, -2)) / trace**2
    return torch.stack([cosine, -purity.log().mean(dim=1)])


def _schedule(step: int) -> float:
    """Share of the highest learning rate: warm-up, plateau, 1/sqrt. It knows no last step."""
    return min(step / WARM_UP, 1.0, (DECAY / step) ** 0.5)


def save(
    model: GPTNeoXForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint folder, whole or not at all, with the weights in float16 as Pythia's.

    The header of the weights holds hashes of the other files (`checkpoints.opening` checks them).
    """
    with whole_folder(folder) as temporary:
        model.config.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        write_tensors(
            {name: weight.half().numpy() for name, weight in model.state_dict().items()},
            temporary / WEIGHTS,
            provenance,
            place=folder / WEIGHTS,
            format="pt",  # as transformers wants it said
            files=json.dumps({path.name: sha256_of(path) for path in sorted(temporary.iterdir())}),
        )


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder to write to; it takes the name `folder` once all went well."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{os.getpid()}.{folder.name}")
    temporary.mkdir()
    try:
        yield temporary
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
