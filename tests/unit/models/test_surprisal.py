"""Surprisal and entropy of every token, against closed forms and PyTorch's cross-entropy."""

import math

import pytest
import torch

from geomod.models.surprisal import POSITIONS, surprisal


@pytest.mark.parametrize("tokens", [2, POSITIONS, POSITIONS + 1, POSITIONS + 2, 2 * POSITIONS + 77])
def test_every_token_but_the_first_has_its_cross_entropy(tokens: int) -> None:
    torch.manual_seed(0)
    logits, ids = 5 * torch.randn(3, tokens, 7), torch.randint(7, (3, tokens))
    for text, found in enumerate(surprisal(logits, ids)):
        before, after = logits[text, :-1], ids[text, 1:]
        expected = torch.nn.functional.cross_entropy(before, after, reduction="none")
        torch.testing.assert_close(found[:, 0], expected)
        each = torch.distributions.Categorical(logits=before).entropy()
        torch.testing.assert_close(found[:, 1], each)


def test_a_model_that_knows_nothing_is_surprised_by_ln_of_its_vocabulary() -> None:
    found = surprisal(torch.zeros(1, 5, 11, dtype=torch.bfloat16), torch.arange(5)[None])
    assert found.dtype == torch.float32
    assert found.flatten().tolist() == pytest.approx([math.log(11)] * 8)


def test_one_token_is_predicted_by_nothing() -> None:
    assert surprisal(torch.zeros(2, 1, 11), torch.zeros(2, 1, dtype=torch.long)).shape == (2, 0, 2)
