"""The generated language: what a bag of words tells, and what it does not."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import cross_val_predict

from geomod.toy.language import (
    LATENTS,
    LINKS,
    PREPOSITIONS,
    Language,
    latents,
    make_language,
    sample_corpus,
    sample_stimuli,
)


@pytest.fixture(scope="module")
def language() -> Language:
    return make_language(seed=0)


@pytest.fixture(scope="module")
def stimuli(language: Language) -> pd.DataFrame:
    return sample_stimuli(language, 960, seed=0)


def numbers_of_nouns(language: Language, sentence: str) -> list[int]:
    """0 for each singular noun and 1 for each plural one, in order, read off the word lists."""
    singular, plural = (set(language.nouns[..., number].ravel()) for number in (0, 1))
    words = sentence.rstrip(".").split()
    return [int(word in plural) for word in words if word in singular | plural]


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_every_word_has_one_meaning(seed: int) -> None:
    words = make_language(seed).words()
    assert len(set(words)) == len(words)
    assert all(word.isascii() and word.isalpha() and word.islower() for word in words)


def test_seed_decides_everything(language: Language) -> None:
    assert make_language(0).words() == language.words()
    assert make_language(1).words() != language.words()
    pd.testing.assert_frame_equal(
        sample_stimuli(language, 50, seed=3), sample_stimuli(language, 50, seed=3)
    )
    assert sample_corpus(language, 5, 4, seed=3) == sample_corpus(language, 5, 4, seed=3)
    assert sample_corpus(language, 5, 4, seed=3) != sample_corpus(language, 5, 4, seed=4)


@given(n=st.integers(20, 300), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_stimuli_are_distinct_balanced_sentences(n: int, seed: int) -> None:
    table = sample_stimuli(make_language(seed), n, seed)
    assert table["sentence"].is_unique
    assert table["item_id"].tolist() == list(range(1, n + 1))
    assert table["sentence"].str.fullmatch(r"the( [a-z]+){5,11}\.").all()
    cells = table.groupby(["topic", "number"]).size()
    assert cells.max() - cells.min() <= 1


def test_latents_are_standardized_and_uncorrelated(stimuli: pd.DataFrame) -> None:
    values = latents(stimuli)
    np.testing.assert_allclose(values.T @ values / len(values), np.eye(len(LATENTS)), atol=1e-12)


def test_number_is_the_subjects_and_the_attractor_has_the_other(
    language: Language, stimuli: pd.DataFrame
) -> None:
    for sentence, number in zip(stimuli["sentence"], stimuli["number"], strict=True):
        subject, attractor = numbers_of_nouns(language, sentence)
        assert subject == (number + 1) / 2
        assert attractor == 1 - subject


def test_bag_of_words_tells_the_topic_but_not_the_number(stimuli: pd.DataFrame) -> None:
    bag = CountVectorizer().fit_transform(stimuli["sentence"]).toarray().astype(float)
    ridge = RidgeCV(np.logspace(-2, 4, 13))
    r = {
        latent: np.corrcoef(cross_val_predict(ridge, bag, stimuli[latent]), stimuli[latent])[0, 1]
        for latent in LATENTS
    }
    assert r["topic_a"] > 0.85
    assert r["topic_b"] > 0.85
    assert abs(r["number"]) < 0.15


def test_length_tells_nothing(stimuli: pd.DataFrame) -> None:
    length = stimuli["sentence"].str.split().str.len()
    assert length.std() > 1
    # Four standard errors of a correlation between independent quantities.
    assert np.abs(stimuli[list(LATENTS)].corrwith(length)).max() < 4 / len(stimuli) ** 0.5


def test_linking_words_agree_with_the_subject_before_them(language: Language) -> None:
    for text in sample_corpus(language, texts=50, sentences=4, seed=0):
        sentences = text.removesuffix(".").split(". ")
        assert len(sentences) == 4
        for before, after in pairwise(sentences):
            assert after.split()[0] == LINKS[numbers_of_nouns(language, before)[0]]


def test_a_text_keeps_to_one_topic(language: Language) -> None:
    topics = {
        word: topic
        for words in (language.nouns, language.adjectives, language.verbs, language.substances)
        for topic, of_topic in enumerate(words)
        for word in of_topic.ravel()
    }
    shares = []
    for text in sample_corpus(language, texts=200, sentences=6, seed=1):
        found = pd.Series(text.replace(".", "").split()).map(topics).dropna()
        shares.append(found.value_counts(normalize=True).iloc[0])
    # A word comes from the text's topic with .8, or by chance with .2 / 8.
    assert np.mean(shares) == pytest.approx(0.825, abs=0.02)


def test_prepositions_stand_between_subject_and_attractor(
    language: Language, stimuli: pd.DataFrame
) -> None:
    for sentence in stimuli["sentence"].head(100):
        place = next(i for i, word in enumerate(sentence.split()) if word in PREPOSITIONS)
        first, second = sentence.split()[:place], sentence.split()[place:]
        assert len(numbers_of_nouns(language, " ".join(first))) == 1
        assert len(numbers_of_nouns(language, " ".join(second))) == 1
