"""The ragged container of token Grams, and the two safetensors files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from geomod.base.errors import InputError
from geomod.base.layers import read_features, read_header, write_features
from geomod.geometry.grams import Grams, read_grams, write_grams

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=12)


def states(lengths, width=5, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(length, width)) for length in lengths]


@given(lengths=LENGTHS)
def test_each_gram_is_that_of_its_sentence(lengths):
    sentences = states(lengths)
    grams = Grams.of_states(sentences)
    assert len(grams) == len(lengths)
    assert grams.width == 5
    for i, tokens in enumerate(sentences):
        assert np.array_equal(grams[i], tokens @ tokens.T)


@given(lengths=LENGTHS)
def test_groups_take_and_put_cover_every_sentence_once(lengths):
    grams = Grams.of_states(states(lengths))
    copy = Grams.empty(grams.lengths, grams.width)
    seen = []
    for rows in grams.groups():
        copy.put(rows, grams.take(rows))
        seen += rows.tolist()
    assert sorted(seen) == list(range(len(lengths)))
    assert np.array_equal(copy.values, grams.values)


def test_sentences_of_different_length_cannot_be_stacked():
    grams = Grams.of_states(states([2, 3]))
    both = np.array([0, 1])
    with pytest.raises(ValueError, match="equal length"):
        grams.take(both)
    with pytest.raises(ValueError, match="other lengths"):
        grams.put(both, np.zeros((2, 2, 2)))


def test_values_must_fit_the_lengths():
    with pytest.raises(ValueError, match="cannot be Grams"):
        Grams(np.zeros(5), np.array([2]), width=3)


def test_gram_file_keeps_its_contract(tmp_path):
    lengths = [3, 1, 4]
    grams = {layer: Grams.of_states(states(lengths, seed=layer)) for layer in (0, 1, 12)}
    path = tmp_path / "grams.safetensors"
    write_grams(grams, path, {"sha": "abc", "steps": [1, 2]})

    raw = load_file(path)
    assert set(raw) == {"layer00", "layer01", "layer12", "lengths", "offsets", "width"}
    assert raw["layer12"].dtype == np.float64
    assert raw["lengths"].tolist() == lengths
    assert raw["offsets"].tolist() == [0, 9, 10, 26]
    start, end = raw["offsets"][2:4]
    assert np.array_equal(raw["layer12"][start:end].reshape(4, 4), grams[12][2])

    back = read_grams(path)
    assert list(back) == [0, 1, 12]
    assert back[1].width == 5
    assert np.array_equal(back[1].values, grams[1].values)
    assert list(read_grams(path, layers=[12])) == [12]
    assert read_header(path) == {"sha": "abc", "steps": [1, 2]}


def test_feature_file_keeps_its_contract(tmp_path):
    rng = np.random.default_rng(0)
    features = {layer: rng.normal(size=(4, 3)).astype(np.float32) for layer in range(2)}
    path = tmp_path / "features.safetensors"
    write_features(features, path)
    assert set(load_file(path)) == {"layer00", "layer01"}
    back = read_features(path)
    assert back[1].dtype == np.float32
    assert np.array_equal(back[1], features[1])
    assert list(read_features(path, [1])) == [1]
    assert read_header(path) == {}


def test_missing_layer_missing_file_and_torn_file_are_told(tmp_path):
    path = tmp_path / "features.safetensors"
    write_features({0: np.zeros((2, 2), np.float32)}, path)
    with pytest.raises(InputError, match=r"no layer \[7\]; it holds layers \[0\]"):
        read_features(path, [0, 7])
    with pytest.raises(InputError, match="no such file"):
        read_features(tmp_path / "absent.safetensors")
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match="damaged or not whole"):
        read_features(path)
