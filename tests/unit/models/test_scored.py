"""Spans of texts, scored as one sentence at a time in float64 would be."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    PreTrainedTokenizerFast,
)

from geomod.base.errors import InputError
from geomod.base.tables import read_table
from geomod.competence.reading import read_task_set
from geomod.competence.source import Source
from geomod.models.forward import Opened, read
from geomod.models.loading import find_blocks, load_model
from geomod.models.scored import Scored
from geomod.models.sentences import Sentences
from tests.unit.models.small_models import DECODERS, SIZES, WORDS, one_by_one

PAIRS = """item_id,task,good,bad
1,a,the cat sat on the mat,the cat ran on the mat
2,a,it ran,it sat
3,b,a big dog sat,the dog and a cat sat
4,b,the cat sat on the mat,the cat sat on the house
"""
BOS = "<bos>"


@pytest.fixture
def task_set(tmp_path):
    def make(text, kind="pairs", name="table.csv"):
        (tmp_path / name).write_text(text)
        return read_task_set(Source("mine", kind, [str(tmp_path / name)]))

    return make


def score(model, tokenizer, task_set, bos="", batch_tokens=24):
    found = Scored(task_set, bos)
    read(model, tokenizer, [found], batch_tokens=batch_tokens)
    return found.spans.assign(model="m", step=1)


def log_p(model, ids):
    """ln p of every token but the first, in float64."""
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0, :-1].double()
    return logits.log_softmax(dim=-1)[range(len(ids) - 1), ids[1:]].numpy()


def encode(tokenizer, text, bos=""):
    head = [tokenizer.convert_tokens_to_ids(bos)] if bos else []
    return [*head, *tokenizer(text, add_special_tokens=False)["input_ids"]]


@pytest.mark.parametrize("family", DECODERS)
@pytest.mark.parametrize("bos", ["", BOS])
def test_sums_are_those_of_one_sentence_at_a_time(folders, task_set, family, bos):
    model, tokenizer = load_model(folders / family)
    pairs = task_set(PAIRS)
    found = score(model, tokenizer, pairs, bos)
    for text, row in zip(pairs.texts(), found.itertuples(), strict=True):
        ids = encode(tokenizer, text.text, bos)
        assert row.log_p == pytest.approx(log_p(model, ids).sum(), abs=1e-5)
        assert row.tokens == len(ids) - 1
        assert row.unpredicted == (not bos)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.lists(st.sampled_from(WORDS[:4]), min_size=2, max_size=7)] * 2),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 40),
    st.sampled_from(["", BOS]),
)
def test_texts_may_begin_and_end_alike_in_any_way(folders, tmp_path_factory, pairs, size, bos):
    model, tokenizer = load_model(folders / "gpt-neox")
    rows = [f"{k},{' '.join(good)},{' '.join(bad)} on" for k, (good, bad) in enumerate(pairs)]
    path = tmp_path_factory.mktemp("pairs") / "pairs.csv"
    path.write_text("\n".join(["item_id,good,bad", *rows]))
    every = (
        read_task_set(Source("mine", "pairs", [str(path)]))
        if any(" ".join(good) != " ".join([*bad, "on"]) for good, bad in pairs)
        else None
    )
    if every is None:
        return
    found = score(model, tokenizer, every, bos, batch_tokens=size)
    for text, row in zip(every.texts(), found.itertuples(), strict=True):
        assert row.log_p == pytest.approx(
            log_p(model, encode(tokenizer, text.text, bos)).sum(), abs=1e-4
        )


def test_the_models_own_head_makes_the_logits(folders):
    capped = Gemma2ForCausalLM(
        Gemma2Config(
            **SIZES,
            vocab_size=23,
            intermediate_size=64,
            head_dim=8,
            num_key_value_heads=2,
            pad_token_id=1,
            final_logit_softcapping=0.5,
        )
    )
    every = [load_model(folders / family)[0] for family in DECODERS] + [capped.eval()]
    for model in every:
        states, output = one_by_one(model, [5, 6, 7])
        opened = Opened(model, None, find_blocks(model))
        with torch.inference_mode():
            logits = opened.head(torch.tensor(states[-1]))
        np.testing.assert_allclose(logits, output.logits[0], atol=1e-5)
        assert opened.model.base_model is not model


def test_what_begins_alike_is_passed_and_asked_once(neox, task_set):
    model, tokenizer = neox
    passed, asked = [], []
    find_blocks(model)[0].register_forward_hook(lambda *call: passed.append(call[-1].shape[:2]))
    model.get_output_embeddings().register_forward_hook(
        lambda *call: asked.append(call[-1].shape[1])
    )
    score(model, tokenizer, task_set("item_id,good,bad\n1,the cat sat,the cat ran\n"), BOS)
    # <bos> the cat, of which the last word is foretold; no pass for either whole sentence.
    assert [tuple(shape) for shape in passed] == [(1, 3)]
    assert asked == [3]


def test_choices_are_scored_given_their_context_alone(neox, task_set):
    model, tokenizer = neox
    asked = []
    model.get_output_embeddings().register_forward_hook(
        lambda *call: asked.append(call[-1].shape[1])
    )
    choices = "item_id,context,choice,correct\n1,the big dog,sat,1\n1,the big dog,ran on,0\n"
    found = score(model, tokenizer, task_set(choices, "choices"))
    assert asked == [2]  # after the context, and after "ran"
    for choice, row in zip(["sat", "ran on"], found.itertuples(), strict=True):
        ids = encode(tokenizer, f"the big dog {choice}")
        assert row.log_p == pytest.approx(log_p(model, ids)[2:].sum(), abs=1e-5)
        assert row.tokens == len(ids) - 3
        assert row.unpredicted == 0


def test_a_chat_template_stands_before_every_text(neox, task_set):
    model, tokenizer = neox
    pairs = task_set(PAIRS)
    with pytest.raises(InputError, match="its tokenizer has none"):
        read(model, tokenizer, [Scored(pairs, chat=True)])
    tokenizer.chat_template = "{% for m in messages %}<bos>a dog {{ m['content'] }} it{% endfor %}"
    found = Scored(pairs, BOS, chat=True)  # the template has its own
    read(model, tokenizer, [found], batch_tokens=24)
    head = tokenizer("<bos>a dog")["input_ids"]
    for text, row in zip(pairs.texts(), found.spans.itertuples(), strict=True):
        ids = encode(tokenizer, text.text)
        own = log_p(model, [*head, *ids])[len(head) - 1 :]
        assert (row.log_p, row.tokens) == (pytest.approx(own.sum(), abs=1e-5), len(ids))


def test_every_token_of_a_text_is_told_once(neox, bytewise, task_set):
    model, tokenizer = neox
    text = "item_id,context,choice,correct\n1,the cat,sat,1\n1,the cat,ran on,0\n"
    told = score(model, tokenizer, task_set(text, "choices"), BOS)["read"]
    assert list(told) == ["4:the 7:cat 11:sat", "4:the 7:cat 12:ran 13:on"]
    # Of many spans in one text each has what comes after the one before it.
    model, tokenizer = bytewise
    words = story(task_set)
    told = score(model, tokenizer, words)["read"]
    ids = [int(each.split(":")[0]) for read_as in told for each in read_as.split(" ")]
    assert ids == [token for text in words.texts() for token in encode(tokenizer, text.text)]


def test_numbers_do_not_depend_on_what_else_is_read(neox, task_set):
    model, tokenizer = neox
    pairs = task_set(PAIRS)
    sentences = ["the cat sat on the mat", "it ran", "a dog", "the cat sat on the"]
    stimuli = pd.DataFrame({"item_id": list("abcd"), "sentence": sentences})
    alone = score(model, tokenizer, pairs)
    beside = Scored(pairs), Sentences(stimuli), Scored(pairs, BOS)
    read(model, tokenizer, beside, batch_tokens=24)
    assert np.array_equal(beside[0].spans["log_p"], alone["log_p"])
    assert np.array_equal(beside[2].spans["log_p"], score(model, tokenizer, pairs, BOS)["log_p"])


def test_a_tokenizer_reads_the_texts_once(folders, task_set, monkeypatch):
    calls = []
    pairs = task_set(PAIRS)
    monkeypatch.setattr(pairs, "texts", lambda texts=pairs.texts: calls.append(1) or texts())
    found = Scored(pairs)
    for family in ("gpt-neox", "gpt2"):
        model, tokenizer = load_model(folders / family)
        read(model, tokenizer, [found])
        first = found.spans["log_p"]
        tokenizer.add_tokens(["mat house"])
        assert np.array_equal(first, score(model, tokenizer, pairs)["log_p"])
    assert len(calls) == 1 + 2  # once for both models of one tokenizer, once for each other


def test_a_uniform_model_scores_what_token_counts_say(neox, task_set):
    model, tokenizer = neox
    model.get_output_embeddings().weight.data.zero_()
    pairs = task_set(PAIRS)
    items = pairs.items(score(model, tokenizer, pairs, BOS))
    np.testing.assert_allclose(
        items["log_p_good"], -items["tokens_good"] * np.log(model.config.vocab_size), rtol=1e-6
    )
    assert items["score"].tolist() == items["uniform"].tolist() == [0.5, 0.5, 1.0, 0.5]


def test_a_table_is_written_and_the_model_let_go(neox, task_set, tmp_path):
    model, tokenizer = neox
    found = Scored(task_set(PAIRS))
    read(model, tokenizer, [found])
    assert found.files == ("competence/mine.parquet",)
    (tmp_path / "competence").mkdir()
    found.write(tmp_path, {"model": "m", "step": 3, "parameters": 1, "vocabulary": 2}, {})
    table = read_table(tmp_path / found.files[0])
    assert table["step"].eq(3).all()
    assert table["part"].tolist() == ["good", "bad"] * 4
    assert not any(value is model for value in vars(found).values())
    assert found._opened is None


# --- Words and regions of byte-level tokens -----------------------------------------------------


@pytest.fixture(scope="module")
def bytewise():
    """A model of byte-level tokens, of which some carry the space before a word."""
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    pieces = ["<eos>", *letters, "Ġ", ".", "Ġt", "Ġc", "at", "Ġcat", "th", "he"]
    merges = [("Ġ", "t"), ("Ġ", "c"), ("a", "t"), ("Ġc", "at"), ("t", "h"), ("h", "e")]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    torch.manual_seed(1)
    config = GPTNeoXConfig(
        **SIZES, vocab_size=len(pieces) + 3, intermediate_size=64, max_position_embeddings=64
    )
    model = GPTNeoXForCausalLM(config).eval()
    for weights in model.parameters():
        if weights.ndim == 2:
            torch.nn.init.normal_(weights, std=0.2)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>")
    return model, fast


STORY = ["the", "cat", "that", "sat.", "a", "cat"]


def story(task_set):
    rows = [f"{k},{'one' if k < 6 else 'two'},{word},300" for k, word in enumerate(STORY * 2)]
    return task_set("\n".join(["item_id,story,word,time", *rows]), "reading_times")


def distributions(model, ids):
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0].double().log_softmax(dim=-1).numpy()


def test_the_space_before_a_word_says_that_the_last_one_is_over(bytewise, task_set):
    model, tokenizer = bytewise
    found = score(model, tokenizer, story(task_set), "<eos>")
    ids = encode(tokenizer, " ".join(STORY), "<eos>")
    after = distributions(model, ids)
    names = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    opens = np.array([name.startswith("Ġ") or name == "<eos>" for name in names])
    opens = np.append(opens, np.zeros(3, dtype=bool))  # the model has more rows than names
    over = np.log(np.exp(after) @ opens), np.log(np.exp(after) @ ~opens)
    own = [log_p(model, ids)[k] for k in range(len(ids) - 1)]
    words = [len(encode(tokenizer, f" {w}" if k else w)) for k, w in enumerate(STORY)]
    stops = np.cumsum([1, *words])
    for k, row in enumerate(found[:6].itertuples()):
        start, stop = stops[k], stops[k + 1]
        before = over[0 if k else 1][start - 1]
        expected = sum(own[start - 1 : stop - 1]) - before + over[0][stop - 1]
        assert row.log_p == pytest.approx(expected, abs=1e-5)
        assert row.tokens == stop - start
    # Over the text all but its two ends cancels.
    ends = over[0][-1] - over[1][0]
    assert found["log_p"][:6].sum() == pytest.approx(sum(own) + ends, abs=1e-5)


def test_without_a_token_before_it_the_first_word_is_not_foretold(bytewise, task_set):
    found = score(*bytewise, story(task_set))
    assert found["unpredicted"].tolist() == [1, 0, 0, 0, 0, 0] * 2
    assert found["log_p"].isna().tolist() == [True, *[False] * 5] * 2
    with_it = score(*bytewise, story(task_set), "<eos>")
    assert np.isfinite(with_it["log_p"]).all()


def test_words_that_are_tokens_are_over_at_once(neox, task_set):
    words = "\n".join(f"{k},{k // 4},{WORDS[k]},300" for k in range(8))
    model, tokenizer = neox
    found = score(model, tokenizer, task_set(f"item_id,story,word,time\n{words}", "reading_times"))
    expected = log_p(model, encode(tokenizer, " ".join(WORDS[:4])))
    np.testing.assert_allclose(found["log_p"][1:4], expected, atol=1e-5)
    assert found["log_p"][0] == 0


SUITE = """{
"meta": {"name": "cats", "metric": "sum"}, "region_meta": {"1": "a", "2": "b", "3": "c", "4": "d"},
"predictions": [{"type": "formula", "formula": "(4;%one%) < (4;%other%)"}],
"items": [{"item_number": 1, "conditions": [
 {"condition_name": "one", "regions": [
  {"region_number": 1, "content": "the"}, {"region_number": 2, "content": ""},
  {"region_number": 3, "content": "cat sat"}, {"region_number": 4, "content": "."}]},
 {"condition_name": "other", "regions": [
  {"region_number": 1, "content": "the"}, {"region_number": 2, "content": "that"},
  {"region_number": 3, "content": "cat sat"}, {"region_number": 4, "content": "."}]}]}]}"""


def test_a_region_owns_the_space_before_it(bytewise, task_set):
    model, tokenizer = bytewise
    suite = task_set(SUITE, "syntaxgym", "suite.json")
    found = score(model, tokenizer, suite, "<eos>").set_index("part")
    assert list(found.index) == [
        "one/1",
        "one/3",
        "one/4",
        "other/1",
        "other/2",
        "other/3",
        "other/4",
    ]
    for condition, regions in {
        "one": ["the", "cat sat", "."],
        "other": ["the", "that", "cat sat", "."],
    }.items():
        ids = encode(tokenizer, " ".join(regions), "<eos>")
        each = log_p(model, ids)
        own = found[found.index.str.startswith(condition)]
        assert own["log_p"].sum() == pytest.approx(each.sum(), abs=1e-5)
        assert own["log_p"].iloc[-1] == pytest.approx(each[-2:].sum(), abs=1e-5)  # Ġ and .
        assert own["tokens"].sum() == len(ids) - 1
    items = suite.items(found.reset_index())
    good, bad = found["log_p"][["one/4", "other/4"]]
    assert items["score"].tolist() == [float(-good < -bad)]
    assert items["uniform"].tolist() == [0.0]


# --- What is refused ----------------------------------------------------------------------------


def test_one_token_that_nothing_comes_before_has_no_probability(neox, task_set):
    pairs = task_set("item_id,good,bad\n1,it ran,it sat\n2,dog,it ran\n")
    with pytest.raises(InputError, match=r"table.csv, row 3: 'dog' is one token.*`bos`"):
        score(*neox, pairs)
    assert score(*neox, pairs, BOS)["tokens"].tolist() == [2, 2, 1, 2]


def test_a_text_longer_than_the_model_is_named(neox, task_set):
    pairs = task_set(f"item_id,good,bad\n1,{'the ' * 16},it\n2,it ran,{'a ' * 17}\n")
    with pytest.raises(InputError, match=r"table.csv, row 3: this text has 18 tokens.*at most 16"):
        score(*neox, pairs, BOS)


def test_a_model_without_a_head_scores_nothing(folders, task_set):
    model, tokenizer = load_model(folders / "bert")
    with pytest.raises(InputError, match="BertModel has no head"):
        score(model, tokenizer, task_set(PAIRS))


def test_a_beginning_that_is_no_token_is_refused(neox, task_set):
    with pytest.raises(InputError, match=r"`bos` of the suite is '<s>'.*<bos>"):
        score(*neox, task_set(PAIRS), "<s>")


def test_a_diverged_checkpoint_is_named(neox, task_set):
    model, tokenizer = neox
    model.get_output_embeddings().weight.data[:] = float("nan")
    pairs = task_set(PAIRS)
    with pytest.raises(InputError, match=r"m, step 1: ln p of item '1' of task 'a' is nan"):
        pairs.items(score(model, tokenizer, pairs))
