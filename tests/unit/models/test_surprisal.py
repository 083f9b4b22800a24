"""Surprisal and entropy of every token, against closed forms and PyTorch's cross-entropy."""

import math

import pytest
import torch

from geomod.models.surprisal import POSITIONS, surprisal


@pytest.mark.parametrize("tokens", [2, POSITIONS, POSITIONS + 1, POSITIONS + 2, 2 * POSITIONS + 77])
def test_every_token_but_the_first_has_its_cross_entropy(tokens: int) -> None:
    torch.manual_seed(0)
    logits, ids = 5 * torch.randn(tokens, 7), torch.randint(7, (tokens,))
    found, entropy = surprisal(logits, ids)
    expected = torch.nn.functional.cross_entropy(logits[:-1], ids[1:], reduction="none")
    torch.testing.assert_close(found, expected)
    each = torch.distributions.Categorical(logits=logits[:-1]).entropy()
    torch.testing.assert_close(entropy, each)


def test_a_model_that_knows_nothing_is_surprised_by_ln_of_its_vocabulary() -> None:
    found, entropy = surprisal(torch.zeros(5, 11, dtype=torch.bfloat16), torch.arange(5))
    assert found.dtype == torch.float32
    assert found.tolist() == pytest.approx([math.log(11)] * 4)
    assert entropy.tolist() == pytest.approx([math.log(11)] * 4)


def test_one_token_is_predicted_by_nothing() -> None:
    assert [len(each) for each in surprisal(torch.zeros(1, 11), torch.arange(1))] == [0, 0]
