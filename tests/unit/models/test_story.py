"""Stories, against the definition by plain double loops over words and TRs."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.models.forward import read
from geomod.models.loading import load_model
from geomod.models.reading import Settings, reading_of
from geomod.models.sentences import Sentences
from geomod.models.story import Story, extract_story
from geomod.stories.settings import Settings as Told
from geomod.stories.timing import Timing, rows_of
from geomod.stories.words import cut
from tests.unit.models.small_models import DECODERS, DEPTH, WORDS, one_by_one

TR = 1.5


def stories(counts, seed=0):
    """Words of the small vocabulary, some joined, at a natural pace."""
    rng = np.random.default_rng(seed)
    parts = []
    for name, count in counts.items():
        said = [str(rng.choice(WORDS)) for _ in range(count)]
        pairs = zip(said, said[::-1], strict=True)
        said = [f"{a} {b}" if rng.random() < 0.2 else a for a, b in pairs]
        onset = np.cumsum(rng.exponential(0.5, count))
        table = {"story": name, "word": said, "onset": onset, "offset": onset + 0.2}
        parts.append(pd.DataFrame(table))
    return pd.concat(parts, ignore_index=True)


def scans(words, start=1.0):
    timings = {}
    for story, own in words.groupby("story", sort=False):
        timings[story] = Timing(TR, int((own["offset"].max() + 4) / TR), start)
    return rows_of(timings)


def all_windows(model, tokenizer, text, size, bos=()):
    """States [layers, tokens, width], every token from the window of most left context."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    best = {}
    for begin in range(0, len(ids), size // 2):
        (*states, _), _ = one_by_one(model, [*bos, *ids[begin : begin + size]])
        for token in range(begin, min(begin + size, len(ids))):
            own = [layer[len(bos) + token - begin] for layer in states]
            if token not in best or token - begin > best[token][0]:
                best[token] = (token - begin, own)
    return np.array([best[token][1] for token in range(len(ids))], dtype=float).swapaxes(0, 1)


def lanczos(x):
    if x == 0:
        return 1.0
    if abs(x) > 3:
        return 0.0
    return 3 * np.sin(np.pi * x) * np.sin(np.pi * x / 3) / (np.pi**2 * x**2)


def weight(how, time, times, word):
    """The weight of word `word` at the TR at `time`."""
    if how == "lanczos":
        return lanczos((time - times[word]) / TR)
    inside = [w for w, t in enumerate(times) if time - TR / 2 <= t < time + TR / 2]
    if word not in inside:
        return 0.0
    return {"sum": 1.0, "mean": 1 / len(inside), "last": float(word == inside[-1])}[how]


def by_definition(model, tokenizer, words, rows, size, pooling="last", how="lanczos", centre=True):
    per_word = {}
    for story, own in words.groupby("story", sort=False):
        states = all_windows(model, tokenizer, " ".join(own["word"]), size)
        pooled, token = [], 0
        for word in own["word"]:
            count = len(tokenizer(word, add_special_tokens=False)["input_ids"])
            mine = states[:, token : token + count]
            pooled.append(mine[:, -1] if pooling == "last" else mine.mean(axis=1))
            token += count
        per_word[story] = np.array(pooled)  # words, layers, width
    if centre:
        mean = np.concatenate(list(per_word.values())).mean(axis=0)
        per_word = {story: values - mean for story, values in per_word.items()}
    found = np.zeros((len(rows), *next(iter(per_word.values())).shape[1:]))
    for row, (story, time) in enumerate(zip(rows["story"], rows["time"], strict=True)):
        own = words[words["story"] == story]
        times = ((own["onset"] + own["offset"]) / 2).tolist()
        for word in range(len(own)):
            found[row] += weight(how, time, times, word) * per_word[story][word]
    return found.swapaxes(0, 1)


def holds(found, expected):
    for layer in range(DEPTH + 1):
        np.testing.assert_allclose(found.features[layer], expected[layer], atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("family", DECODERS)
def test_rows_are_those_of_the_definition(folders, family):
    model, tokenizer = load_model(folders / family)
    words = stories({"a": 40, "b": 25})
    rows = scans(words)
    found = extract_story(model, tokenizer, words, rows, how=Told(tr=TR, span_words=4))
    holds(found, by_definition(model, tokenizer, words, rows, 16))


@pytest.mark.parametrize("how", ["lanczos", "mean", "sum", "last"])
@pytest.mark.parametrize("centre", [True, False])
def test_every_way_down_to_trs_is_that_of_the_definition(neox, how, centre):
    words = stories({"b": 11, "a": 50}, seed=1)
    rows = scans(words, start=-0.4)
    told = Told(tr=TR, context_tokens=9, downsample=how, centre=centre, span_words=2)
    found = extract_story(*neox, words, rows, how=told, pooling="mean")
    holds(found, by_definition(*neox, words, rows, 9, "mean", how, centre))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(2, 16), st.integers(1, 60), st.integers(0, 5))
def test_any_window_and_any_length_are_those_of_the_definition(neox, size, count, seed):
    words = stories({"a": count}, seed)
    words["word"] = words["word"].str.split().str[0]
    rows = scans(words)
    told = Told(tr=TR, context_tokens=size, span_words=1)
    holds(extract_story(*neox, words, rows, how=told), by_definition(*neox, words, rows, size))


def test_windows_are_one_long_pass_where_the_context_suffices(neox):
    words = stories({"a": 12})
    rows = scans(words)
    text = " ".join(words["word"])
    states = all_windows(*neox, text, 16)  # 12 to 15 tokens: the whole story
    assert states.shape[1] <= 16
    (*whole, _), _ = one_by_one(neox[0], neox[1](text, add_special_tokens=False)["input_ids"])
    np.testing.assert_allclose(states, whole, atol=1e-6)
    holds(
        extract_story(*neox, words, rows, how=Told(tr=TR)),
        by_definition(*neox, words, rows, 10_000),
    )


def test_a_story_costs_twice_its_tokens(neox):
    words = stories({"a": 2000})
    words["word"] = words["word"].str.split().str[0]
    seen = []
    hook = (
        neox[0]
        .gpt_neox.layers[0]
        .register_forward_hook(lambda *call: seen.append(call[-1].shape[1] * call[-1].shape[0]))
    )
    extract_story(*neox, words, scans(words), how=Told(tr=TR, span_words=4))
    hook.remove()
    assert 1.9 < sum(seen) / 2000 <= 2.3


def test_a_words_far_mean_loses_nothing(neox):
    """States of real models have means a thousand times what differs between words."""
    model, tokenizer = neox
    words = stories({"a": 60})
    rows = scans(words)
    told = Told(tr=TR, span_words=4)
    plain = extract_story(model, tokenizer, words, rows, how=told)
    model.gpt_neox.embed_in.weight += 1000  # the blocks' norms take a common shift off again
    moved = extract_story(model, tokenizer, words, rows, how=told)
    np.testing.assert_allclose(moved.features[0], plain.features[0], atol=1e-3)


def test_centring_takes_the_word_rate_out(neox):
    words = stories({"a": 200})
    words["word"] = words["word"].str.split().str[0]
    rows = scans(words)
    tell = {"tr": TR, "span_words": 4}
    embedding = neox[0].gpt_neox.embed_in.weight
    embedding += 3 * embedding.std() - embedding.mean(dim=0)
    rate = extract_story(*neox, words, rows, how=Told(**tell, centre=False))
    centred = extract_story(*neox, words, rows, how=Told(**tell))
    expected = rate._rates
    alike = [np.corrcoef(found.features[0].T, expected)[-1, :-1] for found in (rate, centred)]
    assert np.abs(alike[0]).min() > 0.9
    assert np.abs(alike[1]).mean() < 0.15


def test_words_without_a_time_are_read_but_in_no_row(neox):
    words = stories({"a": 20})
    rows = scans(words)
    told = Told(tr=TR, span_words=4, centre=False)
    words.loc[[3, 7], ["onset", "offset"]] = np.nan
    with_them = extract_story(*neox, words, rows, how=told)
    expected = by_definition(*neox, words, rows, 16, centre=False)
    assert np.isnan(expected).any()  # the plain loop knows no missing times
    known = words.fillna(-1e6)
    holds(with_them, by_definition(*neox, known, rows, 16, centre=False))


@pytest.mark.parametrize("bos", ["none", "add"])
def test_units_are_read_as_in_a_sentence_where_the_story_is_one(neox, bos):
    words = stories({"a": 8})
    words["word"] = words["word"].str.split().str[0]
    units = cut(words, 100)
    found = Story(units, Settings(bos=bos), words=words, rows=scans(words), how=Told(tr=TR))
    alone = Sentences(units, Settings(bos=bos))
    read(*neox, [found, alone])
    assert found.tokens["n_tokens"].tolist() == [8]
    if bos == "none":
        pd.testing.assert_frame_equal(found.tokens, alone.tokens)
        for layer in range(DEPTH + 1):
            np.testing.assert_allclose(found.grams[layer].values, alone.grams[layer].values)


def test_a_unit_is_read_in_the_first_window_that_holds_it(neox):
    words = stories({"a": 64, "b": 30})
    words["word"] = words["word"].str.split().str[0]
    found = extract_story(*neox, words, scans(words), how=Told(tr=TR, span_words=5))
    assert len(found.tokens) == 13 + 6
    ids = {s: [WORDS.index(w) + 4 for w in own["word"]] for s, own in words.groupby("story")}
    for unit, (story, place) in enumerate(
        zip(found.stimuli["group"], found.stimuli["position"], strict=True)
    ):
        first, stop = 5 * place, min(5 * place + 5, len(ids[story]))
        begin = next(b for b in range(0, 200, 8) if stop <= b + 16)
        (*states, _), _ = one_by_one(neox[0], ids[story][begin : begin + 16])
        for layer in range(DEPTH + 1):
            own = states[layer][first - begin : stop - begin].astype(float)
            np.testing.assert_allclose(found.grams[layer][unit], own @ own.T, atol=1e-4, rtol=1e-5)


def test_what_else_is_read_changes_no_bit_and_an_object_serves_again(neox):
    words = stories({"a": 40})
    rows = scans(words)
    units = cut(words, 4)
    alone, beside = (Story(units, words=words, rows=rows, how=Told(tr=TR)) for _ in range(2))
    read(*neox, [alone])
    before = {layer: values.copy() for layer, values in alone.features.items()}
    read(*neox, [Sentences(units), beside])
    read(*neox, [alone])
    for layer in before:
        assert np.array_equal(before[layer], beside.features[layer])
        assert np.array_equal(before[layer], alone.features[layer])


def test_it_leaves_the_files_of_every_reading(neox, tmp_path):
    from geomod.base.layers import read_features
    from geomod.geometry.grams import read_grams

    assert reading_of("story") is Story
    words = stories({"a": 30})
    rows = scans(words)
    found = extract_story(*neox, words, rows, how=Told(tr=TR, span_words=6))
    place = {"dataset": "told", "model": "toy-xs", "step": 4, "parameters": 1, "vocabulary": 19}
    found.write(tmp_path, place, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(Story.files)
    assert read_features(tmp_path / "features.safetensors")[2].shape == (len(rows), 32)
    assert len(read_grams(tmp_path / "grams.safetensors")[0]) == 5


def test_a_unit_that_no_window_holds_is_named(neox):
    words = stories({"a": 60})
    with pytest.raises(InputError, match=r"story 'a'.*unit 0.*span_words"):
        extract_story(*neox, words, scans(words), how=Told(tr=TR, span_words=30))


def test_stories_without_rows_are_not_read(neox):
    words = stories({"a": 20, "b": 20})
    rows = scans(words[words["story"] == "b"])
    found = extract_story(*neox, words, rows, how=Told(tr=TR, span_words=5))
    only = extract_story(*neox, words[words["story"] == "b"], rows, how=Told(tr=TR, span_words=5))
    assert set(found.stimuli["group"]) == {"b"}
    assert np.array_equal(found.features[2], only.features[2])


def test_the_first_token_can_be_left_out_of_a_word(neox):
    words = stories({"a": 10})
    words["word"] = ["big red dog", *["ran"] * 9]
    rows = scans(words)
    told = Told(tr=TR, span_words=4, centre=False)
    keep, drop = (
        extract_story(*neox, words, rows, how=told, pooling="mean", first_token=how)
        for how in ("keep", "drop")
    )
    assert not np.allclose(keep.features[1], drop.features[1])
    np.testing.assert_allclose(keep._rates, drop._rates)
    words["word"] = "ran"
    dropped = extract_story(*neox, words, rows, how=told, first_token="drop", bos="none")
    first = (words["onset"][0] + words["offset"][0]) / 2
    expected = keep._rates - [lanczos((time - first) / TR) for time in rows["time"]]
    np.testing.assert_allclose(dropped._rates, expected, atol=1e-12)
