"""A small model of every family, and a tokenizer whose tokens are words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Olmo2Config,
    Olmo2ForCausalLM,
    OlmoConfig,
    OlmoForCausalLM,
    PreTrainedTokenizerFast,
)

from geomod.models.loading import find_blocks

WORDS = ["the", "a", "it", "cat", "dog", "mat", "house", "sat", "ran"]
WORDS += ["on", "under", "big", "red", "of", "and"]
SENTENCES = [
    "the cat sat on the mat",
    "dog",
    "it ran",
    "a big red dog ran under the house and sat",
    "the the the the",
    "a dog and a cat ran on",
    "it sat on it",
]
DEPTH, WIDTH = 3, 32

SIZES = {"num_hidden_layers": DEPTH, "hidden_size": WIDTH, "num_attention_heads": 4}
MORE = {"vocab_size": len(WORDS) + 4, "intermediate_size": 64, "max_position_embeddings": 16}
# A pad token inside the vocabulary: that of Llama and OLMo lies outside so small a one.
PAD = {"pad_token_id": 1, "eos_token_id": 0, "bos_token_id": 0}
FAMILIES = {
    "gpt-neox": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**SIZES, **MORE)),
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(n_layer=DEPTH, n_embd=WIDTH, n_head=4, vocab_size=19, n_positions=16, **PAD)
    ),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES, **MORE, **PAD)),
    "olmo": lambda: OlmoForCausalLM(OlmoConfig(**SIZES, **MORE, **PAD)),
    "olmo2": lambda: Olmo2ForCausalLM(Olmo2Config(**SIZES, **MORE, **PAD)),
    "bert": lambda: BertForMaskedLM(BertConfig(**SIZES, **MORE)),
}
DECODERS = [name for name in FAMILIES if name != "bert"]


def make_tokenizer(bos=True):
    """A word a token; a decoder's has a BOS, BERT's puts [CLS] and [SEP] around a sentence."""
    specials = ["<bos>", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = {word: i for i, word in enumerate([*specials, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if not bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", **({"bos_token": "<bos>"} if bos else {})
    )


def save_families(root: Path) -> None:
    """A folder of each family, weights in float16 as Pythia's, spread enough to differ by layer."""
    for name, make in FAMILIES.items():
        torch.manual_seed(0)
        model = make()
        for weights in model.parameters():
            if weights.ndim == 2:
                torch.nn.init.normal_(weights, std=0.2)
        model.half().save_pretrained(root / name)
        make_tokenizer(bos=name != "bert").save_pretrained(root / name)


def one_by_one(model: Any, ids: Sequence[int]) -> tuple[list[NDArray[np.float32]], Any]:
    """transformers' hidden states [tokens, width] of a sentence, the last one before the norm."""
    last = []
    hook = find_blocks(model)[-1].register_forward_hook(lambda *call: last.append(call[-1]))
    with torch.inference_mode():
        output = model(torch.tensor([ids]), output_hidden_states=True)
    hook.remove()
    raw = last[0][0] if isinstance(last[0], tuple) else last[0]
    states = [*output.hidden_states[:-1], raw, output.hidden_states[-1]]
    return [state[0].numpy() for state in states], output
