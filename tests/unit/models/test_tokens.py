"""Whether a model knows the language of the sentences: what is counted, and what is said of it."""

import numpy as np
import pandas as pd
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from geomod.models.loading import fragments, tokenize
from geomod.models.tokens import summarize_tokens, unfamiliar
from geomod.toy.language import make_language, sample_stimuli
from geomod.toy.training import make_tokenizer

ENGLISH = ["Taste that fowl and those fish.", "All sorts of treasure there too."]


def words_of(vocabulary: list[str], **special: str) -> PreTrainedTokenizerFast:
    """A tokenizer whose tokens have these names, one a word."""
    ids = {word: i for i, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def test_the_toy_vocabulary_is_whole_for_its_language_and_bytes_for_english() -> None:
    language = make_language(0)
    tokenizer = make_tokenizer(0)
    for sentences, low, high in (
        (list(sample_stimuli(language, 20, 0)["sentence"]), 0, 0),
        (ENGLISH, 0.5, 1),
    ):
        ids = tokenize(tokenizer, sentences)
        share = sum(fragments(tokenizer, ids)) / sum(map(len, ids))
        assert low <= share <= high


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("[UNK]", True),
        ("<0xE2>", True),  # a byte where SentencePiece falls back to them
        ("##s", True),  # a letter that goes on a word
        ("Ã", True),  # the name of a byte in a byte-level vocabulary
        ("x", True),
        (".", False),
        ("cat", False),
        ("▁a", False),
        ("Ġa", False),
        ("猫", False),  # a word of one character
        ("<0x>", False),
    ],
)
def test_what_counts_as_a_fragment(name: str, counts: bool) -> None:
    tokenizer = words_of(["[UNK]", *({name, "cat"} - {"[UNK]"})], unk_token="[UNK]")
    ids = [[tokenizer.convert_tokens_to_ids(name)] * 3, [tokenizer.convert_tokens_to_ids("cat")]]
    assert fragments(tokenizer, ids) == [3 * counts, 0]


def test_a_first_token_that_is_also_the_unknown_one_does_not_count() -> None:
    both = {"unk_token": "<|endoftext|>", "bos_token": "<|endoftext|>"}
    assert fragments(words_of(["<|endoftext|>", "cat"], **both), [[0, 1]]) == [0]


def test_the_share_is_over_all_tokens_and_the_rest_are_means_over_sentences() -> None:
    table = pd.DataFrame(
        {
            "model": "m",
            "step": 4,
            "item_id": ["a", "b"],
            "n_tokens": [2, 8],
            "n_fragments": [2, 1],
            "surprisal": [1.0, 3.0],
            "predictive_entropy": [1.0, 2.0],
            "parameters": 10,
            "vocabulary": 50,
        }
    )
    row = summarize_tokens([table.assign(dataset="d")]).iloc[0]
    assert (row["fragments"], row["n_tokens"], row["surprisal"]) == (0.3, 5, 2)
    assert (row["parameters"], row["vocabulary"]) == (10, 50)


def tokens(surprisal: list[float], fragments: float = 0.1) -> pd.DataFrame:
    steps = [0, 1, 4, 16][: len(surprisal)]
    table = pd.DataFrame({"model": "m", "step": steps, "surprisal": surprisal})
    return table.assign(fragments=fragments, vocabulary=1000)  # ln 1000 = 6.9


def test_a_model_that_learns_is_not_warned_of_for_what_it_was_before() -> None:
    assert unfamiliar(tokens([7.0, 7.0, 5.0, 3.0])) == []


def test_a_model_that_expects_the_sentences_less_than_chance_is_named_with_its_steps() -> None:
    (line,) = unfamiliar(tokens([7.0, 6.95, 9.0, 14.3]))
    assert line.startswith("m, steps 0, 1, 4, 16: the surprisal of these sentences, 7.0 … 14.3")
    assert "the 6.9 of a uniform model" in line


def test_a_checkpoint_that_forgets_what_those_before_knew_is_named_alone() -> None:
    (line,) = unfamiliar(tokens([7.0, 4.0, 12.0, 3.0]))
    assert line.startswith("m, step 4:")


def test_sentences_in_fragments_are_named_whatever_the_surprisal() -> None:
    (line,) = unfamiliar(tokens([np.nan, np.nan], fragments=0.87))
    assert line.startswith("m, steps 0, 1: 87% of the tokens are unknown")
