"""The lens against the model's own norm and head, one sentence at a time."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.base.tables import read_table
from geomod.models import lens
from geomod.models.forward import read
from geomod.models.lens import MEASURES, Lens
from geomod.models.loading import load_model
from geomod.models.passages import Passages
from geomod.models.reading import Settings
from geomod.models.sentences import Sentences
from geomod.models.story import Story
from geomod.stories.settings import Settings as Told
from geomod.stories.timing import Timing, rows_of
from geomod.stories.words import cut
from tests.unit.models.small_models import DECODERS, DEPTH, SENTENCES, one_by_one

NORMS = {
    "gpt-neox": "gpt_neox.final_layer_norm",
    "gpt2": "transformer.ln_f",
    "llama": "model.norm",
    "olmo": "model.norm",
    "olmo2": "model.norm",
}


def stimuli(sentences=SENTENCES):
    items = [f"s{i}" for i in range(len(sentences))]
    return pd.DataFrame({"item_id": items, "sentence": sentences, "group": "a"})


def looked_at(model, tokenizer, sentences=SENTENCES, **more):
    found = Lens(stimuli(sentences), **more)
    read(model, tokenizer, [found])
    return found


def by_hand(model, family, ids):
    """[layers, predicted tokens, 4], a token at a time in float64."""
    (*states, _), output = one_by_one(model, ids)
    norm, head = model.get_submodule(NORMS[family]), model.get_output_embeddings()
    rows = []
    with torch.inference_mode():
        logits = [head(norm(torch.from_numpy(state)[None]))[0] for state in states[:-1]]
        logits.append(output.logits[0])
    final = logits[-1].double().log_softmax(dim=1)
    for each in logits:
        log_q = each.double().log_softmax(dim=1)
        for t, target in enumerate(ids[1:]):
            p, q = final[t].exp(), log_q[t].exp()
            rows.append(
                (
                    -log_q[t, target].item(),
                    -(q * log_q[t]).sum().item(),
                    (p * (final[t] - log_q[t])).sum().item(),
                    float(p.argmax() == q.argmax()),
                )
            )
    return np.array(rows).reshape(DEPTH + 1, len(ids) - 1, 4)


@pytest.mark.parametrize("family", DECODERS)
def test_every_layer_is_what_the_models_norm_and_head_make_of_it(folders, family):
    model, tokenizer = load_model(folders / family)
    found = looked_at(model, tokenizer)
    for row, sentence in enumerate(SENTENCES):
        ids = tokenizer(sentence, add_special_tokens=False)["input_ids"]
        if len(ids) == 1:
            assert np.isnan(found.values[:, row]).all()
            continue
        expected = by_hand(model, family, ids).mean(axis=1)
        np.testing.assert_allclose(found.values[:, row], expected, atol=2e-5)
    assert found.table["n"].eq(len(SENTENCES) - 1).all()
    many = len(np.unique(found.table["kl"].round(6)))
    assert many == DEPTH + 1  # no layer is another one


def test_the_last_layer_is_the_model_itself(neox):
    model, tokenizer = neox
    sentences, found = Sentences(stimuli()), Lens(stimuli())
    read(model, tokenizer, [sentences, found])
    alone = Sentences(stimuli())
    read(model, tokenizer, [alone])
    assert sentences.tokens.equals(alone.tokens)
    own = found.values[DEPTH]
    for column, name in ((0, "surprisal"), (1, "predictive_entropy")):
        np.testing.assert_allclose(own[:, column], sentences.tokens[name], atol=1e-6)
    known = np.isfinite(own[:, 0])
    assert (own[known, 2] == 0).all()
    assert (own[known, 3] == 1).all()


def test_a_head_that_knows_nothing_is_uniform_at_every_layer(neox):
    model, tokenizer = neox
    torch.nn.init.zeros_(model.get_output_embeddings().weight)
    table = looked_at(model, tokenizer).table
    vocabulary = model.config.vocab_size
    np.testing.assert_allclose(table["surprisal"], np.log(vocabulary), atol=1e-6)
    np.testing.assert_allclose(table["entropy"], np.log(vocabulary), atol=1e-6)
    np.testing.assert_allclose(table["kl"], 0, atol=1e-6)


def test_small_pieces_change_nothing(neox, monkeypatch):
    whole = looked_at(*neox).values
    monkeypatch.setattr(lens, "ROWS", 10)
    monkeypatch.setattr(lens, "TOKENS", 4)
    np.testing.assert_allclose(looked_at(*neox).values, whole, atol=1e-6)


texts = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=5), min_size=1, max_size=6)


@given(texts, st.randoms(use_true_random=False))
def test_every_prefix_is_asked_for_all_that_follows_it(texts, random):
    owners = [np.array([random.randint(-1, 3) for _ in tokens]) for tokens in texts]
    asked = lens.Asked.of(texts, owners)
    found, expected = {}, {}
    for own, numbers, tokens in zip(owners, asked.prefixes, texts, strict=True):
        for place, number in enumerate(numbers):
            prefix, what = tuple(tokens[: place + 1]), (own[place + 1], tokens[place + 1])
            assert (number == -1) == (what[0] == -1)
            if number >= 0:
                _, *those = asked.by(np.array([number]))
                found[prefix] = sorted(zip(*those, strict=True))
                expected.setdefault(prefix, []).append(what)
    assert found == {prefix: sorted(what) for prefix, what in expected.items()}
    every = np.arange(len(asked.starts) - 1)
    rows, those, targets = asked.by(every[::-1])
    for row, number in enumerate(every[::-1]):
        _, *alone = asked.by(np.array([number]))
        np.testing.assert_array_equal([those[rows == row], targets[rows == row]], alone)


@pytest.mark.parametrize(("family", "of_layer_0"), [("gpt-neox", 3), ("llama", 3), ("gpt2", 5)])
def test_equal_states_are_looked_at_once(folders, family, of_layer_0, monkeypatch):
    """Those after what texts share, and at layer 0 those of a token, but in a model that has
    learned an embedding of every place."""
    rows, distinct = [], lens.distinct

    def seen(*arguments):
        found = distinct(*arguments)
        rows.append([len(own) for own in found[0]])
        return found

    monkeypatch.setattr(lens, "distinct", seen)
    sentences = ["the the cat the the", "the the cat the dog", "the the cat sat cat"]
    found = looked_at(*load_model(folders / family), [*sentences, sentences[0]])
    # of the, the the, the the cat, the the cat the, the the cat sat; and of the, cat, sat
    assert rows == [[of_layer_0, 5, 5]]
    alone = [looked_at(*load_model(folders / family), [each]).values for each in sentences]
    np.testing.assert_allclose(found.values[:, :3], np.concatenate(alone, axis=1), atol=1e-5)
    np.testing.assert_array_equal(found.values[:, 3], found.values[:, 0])


def test_texts_of_a_token_ask_nothing(neox):
    table = looked_at(*neox, ["dog", "cat"]).table
    assert table["n"].eq(0).all()
    assert table[MEASURES].isna().all(axis=None)


def test_units_of_a_passage_are_looked_at_in_their_context(folders):
    model, tokenizer = load_model(folders / "gpt-neox")
    sentences = SENTENCES[:3]
    found = looked_at(model, tokenizer, sentences, units=Passages)
    ids = tokenizer(" ".join(sentences), add_special_tokens=False)["input_ids"]
    every = by_hand(model, "gpt-neox", ids)
    lengths = [len(sentence.split()) for sentence in sentences]
    stops = np.cumsum(lengths) - 1  # of what predicts a unit's tokens
    starts = np.array([0, *stops[:-1]])
    for unit, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        expected = every[:, start:stop].mean(axis=1)
        np.testing.assert_allclose(found.values[:, unit], expected, atol=2e-5)


def test_units_of_a_story_are_looked_at_in_its_windows(folders):
    """A story of one window is a passage; in several, its last layer is its own surprisal."""
    model, tokenizer = load_model(folders / "gpt-neox")
    said = " ".join(SENTENCES[:3]).split()
    onset = np.arange(len(said)) / 2
    words = pd.DataFrame({"story": "a", "word": said, "onset": onset, "offset": onset + 0.4})
    units = cut(words, span_words=4)
    rows = rows_of({"a": Timing(2.0, len(said) // 4 + 2)})

    def told(size):
        how = Told(tr=2.0, context_tokens=size)
        return partial(Story, words=words, rows=rows, how=how)

    whole = Lens(units, units=told(512))
    passage = Lens(units.assign(group="a"), units=Passages)
    story, parts = told(6)(units, Settings()), Lens(units, units=told(6))
    read(model, tokenizer, [whole, passage, story, parts])
    np.testing.assert_allclose(whole.values, passage.values, atol=1e-5)
    np.testing.assert_allclose(parts.values[DEPTH, :, 0], story.tokens["surprisal"], atol=1e-5)
    assert np.abs(parts.values - whole.values)[:, 1:].max() > 1e-4
    alone = told(6)(units, Settings())
    read(model, tokenizer, [alone])
    for layer, features in alone.features.items():
        np.testing.assert_array_equal(story.features[layer], features)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision_is_near(folders, dtype):
    exact = looked_at(*load_model(folders / "gpt-neox")).table
    near = looked_at(*load_model(folders / "gpt-neox", dtype=dtype)).table
    np.testing.assert_allclose(near[MEASURES[:2]], exact[MEASURES[:2]], atol=0.05)


def test_a_model_without_a_head_sees_nothing(folders):
    found = looked_at(*load_model(folders / "bert"))
    assert found.table[MEASURES].isna().all(axis=None)
    assert found.table["n"].eq(0).all()


def test_logits_that_are_made_in_another_way_have_no_lens(neox):
    class Doubled(torch.nn.Linear):
        def forward(self, states):
            return 2 * super().forward(states)

    model, tokenizer = neox
    head = Doubled(*reversed(model.get_output_embeddings().weight.shape), bias=False)
    head.weight = model.get_output_embeddings().weight
    model.set_output_embeddings(head)
    with pytest.raises(InputError, match=r"lens: the logits of GPTNeoXForCausalLM are not its un"):
        looked_at(model, tokenizer)


def test_a_diverged_layer_is_left_out_of_its_means(neox):
    model, tokenizer = neox
    with torch.no_grad():
        model.gpt_neox.embed_in.weight[tokenizer.convert_tokens_to_ids("under")] = torch.nan
    table = looked_at(model, tokenizer).table
    assert table["n"].eq(len(SENTENCES) - 2).all()
    assert table[MEASURES].notna().all(axis=None)


def test_the_table_is_a_row_a_layer(neox, tmp_path):
    found = looked_at(*neox, settings=Settings(bos="add"))
    place = {"dataset": "d", "model": "m", "step": 4, "parameters": 1, "vocabulary": 2}
    found.write(tmp_path, place, {})
    table = read_table(tmp_path / "lens.parquet")
    assert table["layer"].tolist() == list(range(DEPTH + 1))
    np.testing.assert_array_equal(table["kl"], found.table["kl"])
    assert table["n"].eq(len(SENTENCES)).all()  # with a token before it even one token is predicted
