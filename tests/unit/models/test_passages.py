"""Units in their passage, against re-reading the growing text unit by unit."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from geomod.base.errors import InputError
from geomod.models.forward import read
from geomod.models.loading import find_blocks, load_model
from geomod.models.passages import Passages, find_passages, find_units
from geomod.models.reading import Settings
from geomod.models.sentences import Sentences
from tests.unit.models.small_models import DECODERS, DEPTH, one_by_one

GROUPS = {
    "mat": ["the cat sat", "on the mat", "it", "ran under the house"],
    "dog": ["a big red dog and a cat"],
    "ran": ["it", "ran", "on", "and on"],
}
LIMIT = 16


def table(groups):
    rows = [(group, unit) for group, units in groups.items() for unit in units]
    stimuli = pd.DataFrame(rows, columns=["group", "sentence"])
    return stimuli.assign(item_id=[f"s{row}" for row in range(len(stimuli))])


def passages(model, tokenizer, groups, **settings):
    found = Passages(table(groups), Settings(**settings))
    read(model, tokenizer, [found], batch_tokens=24)
    return found


def growing(model, tokenizer, units, bos=(), limit=None):
    """States of each layer and surprisals of every unit, each read at the end of its own pass."""
    before = 0
    for end in range(1, len(units) + 1):
        ids = tokenizer(" ".join(units[:end]), add_special_tokens=False)["input_ids"]
        own, before = len(ids) - before, len(ids)
        if limit is not None:
            ids = ids[-(limit - len(bos)) :]
        ids = [*bos, *ids]
        # What begins the text is the first unit's, as it is in a sentence alone.
        own += len(bos) if end == 1 else 0
        (*states, _), output = one_by_one(model, ids)
        log_p = output.logits[0, :-1].log_softmax(dim=-1)
        each = -log_p[range(len(ids) - 1), ids[1:]].numpy()
        yield [tokens[-own:] for tokens in states], each[-own:][: len(ids) - 1]


@pytest.mark.parametrize("family", DECODERS)
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_one_pass_is_the_growing_text_read_again_for_every_unit(folders, family, pooling):
    model, tokenizer = load_model(folders / family)
    found, row = passages(model, tokenizer, GROUPS, pooling=pooling), 0
    for units in GROUPS.values():
        for states, surprisals in growing(model, tokenizer, units):
            for layer, own in enumerate(states):
                pooled = own[-1] if pooling == "last" else own.mean(axis=0)
                np.testing.assert_allclose(found.features[layer][row], pooled, atol=1e-5)
                wide = own.astype(np.float64)
                np.testing.assert_allclose(
                    found.grams[layer][row], wide @ wide.T, atol=1e-4, rtol=1e-5
                )
            if len(surprisals):
                expected = pytest.approx(surprisals.mean(), abs=1e-5)
                assert found.tokens["surprisal"][row] == expected
            row += 1
    assert found.tokens["n_tokens"].tolist() == [3, 3, 1, 4, 7, 1, 1, 1, 2]


def test_one_pass_costs_the_tokens_of_the_passage_alone(neox):
    model, tokenizer = neox
    seen = []
    hook = find_blocks(model)[0].register_forward_hook(lambda *call: seen.append(call[-1].shape))
    passages(model, tokenizer, GROUPS)
    hook.remove()
    assert sum(rows * tokens for rows, tokens, _ in seen) == 11 + 7 + 5


def test_a_passage_of_one_unit_is_the_sentence_alone(neox):
    model, tokenizer = neox
    groups = {unit: [unit] for units in GROUPS.values() for unit in dict.fromkeys(units)}
    groups["it"] = groups.pop("it")
    for settings in (Settings(), Settings(bos="add"), Settings(bos="add", first_token="drop")):
        alone, together = Sentences(table(groups), settings), Passages(table(groups), settings)
        read(model, tokenizer, [alone])
        read(model, tokenizer, [together])
        pd.testing.assert_frame_equal(alone.tokens, together.tokens)
        for layer in range(DEPTH + 1):
            assert np.array_equal(alone.features[layer], together.features[layer])
            assert np.array_equal(alone.grams[layer].values, together.grams[layer].values)


def test_what_begins_the_text_is_the_first_units(neox):
    model, tokenizer = neox
    plain = passages(model, tokenizer, GROUPS).tokens["n_tokens"]
    added = passages(model, tokenizer, GROUPS, bos="add").tokens
    first = ~table(GROUPS)["group"].duplicated()
    assert (added["n_tokens"] - plain).tolist() == first.astype(int).tolist()
    # With a token before it, the first word is predicted too.
    assert added["surprisal"].notna().all()
    dropped = passages(model, tokenizer, GROUPS, bos="add", first_token="drop").tokens
    assert dropped["n_tokens"].equals(plain)
    assert dropped["surprisal"].equals(added["surprisal"])


def test_a_chat_template_is_no_units(neox):
    model, tokenizer = neox
    alone = passages(model, tokenizer, GROUPS)
    tokenizer.chat_template = "{% for m in messages %}a {{ m['content'] }} and{% endfor %}"
    found = passages(model, tokenizer, GROUPS, bos="chat")
    head = tokenizer("a")["input_ids"]
    row = 0
    for units in GROUPS.values():
        for tokens, _ in growing(model, tokenizer, units, bos=head):
            own = len(alone.grams[0][row])
            for layer in found.grams:
                wide = tokens[layer][-own:].astype(np.float64)
                np.testing.assert_allclose(found.grams[layer][row], wide @ wide.T, rtol=1e-4)
            row += 1
    assert list(found.tokens["read"]) == list(alone.tokens["read"])


def test_bidirectional_models_give_their_special_tokens_to_the_ends(folders):
    model, tokenizer = load_model(folders / "bert")
    found = passages(model, tokenizer, {"a": ["the cat", "sat", "on it"]}, bos="tokenizer")
    assert found.tokens["n_tokens"].tolist() == [3, 1, 3]


class TestPassagesLongerThanTheModel:
    @pytest.fixture
    def long(self):
        units = ["the cat sat on the mat", "it ran under the house", "a dog", "the big red"]
        return {"long": units * 2}

    def test_are_refused_by_name(self, neox, long):
        with pytest.raises(InputError, match=r"row 4 \(from 0\): group 'long' has 32 tokens, and"):
            passages(*neox, long)

    @pytest.mark.parametrize(("bos", "count"), [("none", 4), ("add", 5)])
    def test_or_cut_from_the_left(self, neox, long, bos, count):
        model, tokenizer = neox
        found = passages(model, tokenizer, long, bos=bos, long="cut")
        start = [tokenizer.bos_token_id] if bos == "add" else []
        expected = growing(model, tokenizer, long["long"], start, LIMIT)
        for row, (states, surprisals) in enumerate(expected):
            for layer, own in enumerate(states):
                np.testing.assert_allclose(found.features[layer][row], own[-1], atol=1e-5)
            assert found.tokens["surprisal"][row] == pytest.approx(surprisals.mean(), abs=1e-5)
        assert found.n_cut == count

    def test_a_unit_that_is_too_long_by_itself_is_refused(self, neox):
        long = {"long": ["it", "the " * 17]}
        with pytest.raises(InputError, match=r"row 1 \(from 0\): 17 tokens, but the model takes"):
            passages(*neox, long, long="cut")


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["a", "a", "b", "a"], r"row 3 \(from 0\): group 'a' goes on here, but it ended in row 1,"),
        (["a", "", "b"], r"row 1 \(from 0\): no group, but every unit"),
        (["a", None], r"row 1 \(from 0\): no group"),
    ],
)
def test_groups_that_do_not_stand_together_name_their_row(groups, message):
    with pytest.raises(InputError, match=message):
        find_passages(groups)


def test_units_that_cannot_be_read_name_their_row(neox):
    with pytest.raises(InputError, match=r"row 1 \(from 0\): '' gives no token"):
        passages(*neox, {"a": ["the cat", "", "sat"]})


def test_a_tokenizer_without_places_is_told(neox, monkeypatch):
    model, tokenizer = neox
    monkeypatch.setattr(type(tokenizer), "is_fast", False)
    with pytest.raises(InputError, match="does not say which characters a token stands for"):
        passages(model, tokenizer, GROUPS)


class TestTokensAcrossABorder:
    def merging(self, *merges):
        """A tokenizer of letters that merges some of them, across spaces too."""
        letters = {letter: i for i, letter in enumerate("abcd ")}
        vocabulary = letters | {"".join(m): 5 + i for i, m in enumerate(merges)}
        tokenizer = Tokenizer(models.BPE(vocabulary, list(merges)))
        return PreTrainedTokenizerFast(tokenizer_object=tokenizer)

    def test_belong_to_the_later_unit_and_are_counted(self, neox):
        found = passages(neox[0], self.merging((" ", "c"), ("b", " c")), {"x": ["ab", "cd"]})
        # a · "b c" · d
        assert found.tokens["n_tokens"].tolist() == [1, 2]
        assert found.n_straddling == 1

    def test_a_space_before_a_unit_is_its_own(self, neox):
        found = passages(neox[0], self.merging((" ", "c")), {"x": ["ab", "cd", "a"]})
        # a · b · " c" · d · " " · a
        assert found.tokens["n_tokens"].tolist() == [2, 2, 2]
        assert found.n_straddling == 0

    def test_a_unit_that_is_left_nothing_is_refused(self, neox):
        tokenizer = self.merging((" ", "c"), (" ", "b"), (" b", " c"))
        with pytest.raises(InputError, match=r"row 1 \(from 0\): 'b' has no token of its own in "):
            passages(neox[0], tokenizer, {"x": ["a", "b", "c"]})

    def test_outer_spaces_are_no_part_of_a_unit(self, neox):
        plain = passages(neox[0], self.merging(), {"x": ["ab", "cd"]})
        spaced = passages(neox[0], self.merging(), {"x": ["ab ", " cd"]})
        assert np.array_equal(plain.features[DEPTH], spaced.features[DEPTH])


def byte_level(trim):
    """The tokenizer of GPT-2 and Pythia, without merges: spaces are bytes of the next word."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


@pytest.mark.parametrize("trim", [True, False])
@given(units=st.lists(st.text("ab é𝄞", min_size=1).filter(str.strip), min_size=1, max_size=5))
def test_every_byte_goes_to_the_unit_that_it_came_from(trim, units):
    units = [unit.strip() for unit in units]
    text = " ".join(units)
    places = byte_level(trim)(text, return_offsets_mapping=True)["offset_mapping"]
    starts, stops, straddling = find_units(units, np.array(places))
    sizes = [len(unit.encode()) + (i > 0) for i, unit in enumerate(units)]
    assert (stops - starts).tolist() == sizes
    assert starts.tolist() == [0, *stops[:-1]]
    assert straddling == 0


def test_nothing_of_a_passage_depends_on_the_others(neox):
    whole = passages(*neox, GROUPS)
    alone = passages(*neox, {"ran": GROUPS["ran"]})
    for layer in range(DEPTH + 1):
        assert np.array_equal(whole.features[layer][-4:], alone.features[layer])
    assert torch.is_grad_enabled()


def test_fragments_are_counted_in_the_unit_that_they_are_of(neox):
    units = ["the zebra ran", "it ran", "a gnu and an emu"]  # a: a letter alone
    found = passages(*neox, {"zoo": units})
    assert found.tokens["n_fragments"].tolist() == [1, 0, 4]
    alone = Sentences(table({"zoo": units}))
    read(*neox, [alone])
    assert alone.tokens["n_fragments"].tolist() == [1, 0, 4]
