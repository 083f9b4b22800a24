"""A small generated language whose sentences have known latent variables.

A sentence reads like "the neko behind the riny bafis tolaly mibed gotum.": a subject, a phrase
with a second noun (the attractor), a verb in the past tense. Everything comes from one seed.

- `topic_a`, `topic_b` (early): contrasts of the eight topics. A topic draws its own nouns, verbs,
  adjectives and substances, so the bag of words tells it.
- `number` (late): that of the *subject*. The attractor always has the opposite number and nothing
  else in the sentence agrees, so the bag of words tells nothing: one must know which noun is the
  subject. In running text the sentence that follows opens with a linking word that agrees with it
  ("its" or "their"), so a model that predicts it must carry the number past the attractor to the
  final full stop.

What every noun is made of is a fact to be known by heart: the k-th noun of a topic, in either
number, goes with the k-th of its substances ("the bafis of gotum") more often than with others.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

LATENTS = ("topic_a", "topic_b", "number")
EARLY, LATE = LATENTS[:2], LATENTS[2:]

TOPICS = 8
NOUN_STEMS = 6  # of a topic
WORDS_PER_CLASS = 6  # adjectives, verbs, substances of a topic, each
ADVERBS = 6
# A content word comes from the topic of its text with this probability, else from any topic.
ON_TOPIC = 0.8
# A noun with "of" beside it is followed by the substance that is its own with this probability.
FACTS = 0.5
# Parts of a sentence that are there half of the time; they make it 6 to 12 words long.
OPTIONAL = 0.5
PREPOSITIONS = ("near", "behind", "under", "beside")
LINKS = np.array(["its", "their"], dtype=object)  # agrees with a singular, a plural subject
CONSONANTS, VOWELS = "bdfgklmnprtvz", "aeiou"


@dataclass(frozen=True)
class Language:
    """The words, by class; the first axis of topical words is the topic."""

    nouns: np.ndarray  # [topic, stem, number]
    adjectives: np.ndarray  # [topic, word]
    verbs: np.ndarray
    substances: np.ndarray
    adverbs: np.ndarray

    def words(self) -> list[str]:
        """Every word that can occur, function words first."""
        classes = (self.nouns, self.adjectives, self.verbs, self.substances, self.adverbs)
        content = [str(word) for words in classes for word in words.ravel()]
        return ["the", "of", *PREPOSITIONS, *LINKS, *content]


def make_language(seed: int) -> Language:
    """Invent the words. The ending shows a word's class; a noun's plural ends in s."""
    rng = np.random.default_rng([seed, 0])
    syllables = [consonant + vowel for consonant in CONSONANTS for vowel in VOWELS]
    stems = np.array([first + second for first in syllables for second in syllables], dtype=object)
    fresh = iter(rng.permutation(stems))

    def invent(*shape: int, ending: str = "") -> np.ndarray:
        words = [next(fresh) + ending for _ in range(int(np.prod(shape)))]
        return np.array(words, dtype=object).reshape(shape)

    singular = invent(TOPICS, NOUN_STEMS)
    return Language(
        nouns=np.stack([singular, singular + "s"], axis=-1),
        adjectives=invent(TOPICS, WORDS_PER_CLASS, ending="ny"),
        verbs=invent(TOPICS, WORDS_PER_CLASS, ending="bed"),
        substances=invent(TOPICS, WORDS_PER_CLASS, ending="tum"),
        adverbs=invent(ADVERBS, ending="ly"),
    )


def sample_sentences(
    language: Language,
    topic: np.ndarray,
    number: np.ndarray,
    rng: np.random.Generator,
    openings: np.ndarray | str = "the",
) -> list[str]:
    """One sentence for each entry of the latents (topic 0–7, number 0 or 1)."""
    slots = sample_slots(language, topic, number, rng)
    return [f"{text}." for text in joined({**slots, "opening": openings})]


def sample_slots(
    language: Language,
    topic: np.ndarray,
    number: np.ndarray,
    rng: np.random.Generator,
    attractor: np.ndarray | None = None,
) -> dict[str, np.ndarray | str]:
    """What stands in each place of such sentences, in order; "" where a part is left out.

    `attractor` is the number of the second noun, the opposite of the first one's if left out.
    """
    n = len(topic)

    def topics() -> np.ndarray:
        return np.where(rng.random(n) < ON_TOPIC, topic, rng.integers(TOPICS, size=n))

    def topical(words: np.ndarray) -> np.ndarray:
        return words[topics(), rng.integers(words.shape[1], size=n)]

    def present() -> np.ndarray:
        return rng.random(n) < OPTIONAL

    of = present()
    nouns = topics(), rng.integers(NOUN_STEMS, size=n)
    its_own = rng.random(n) < FACTS
    return {
        "opening": "the",
        "adjective": np.where(present(), topical(language.adjectives), ""),
        "subject": language.nouns[topics(), rng.integers(NOUN_STEMS, size=n), number],
        "preposition": rng.choice(np.array(PREPOSITIONS, dtype=object), size=n),
        "article": "the",
        "second adjective": np.where(present(), topical(language.adjectives), ""),
        "attractor": language.nouns[(*nouns, 1 - number if attractor is None else attractor)],
        "of": np.where(of, "of", ""),
        "substance": np.where(
            of, np.where(its_own, language.substances[nouns], topical(language.substances)), ""
        ),
        "adverb": np.where(present(), rng.choice(language.adverbs, size=n), ""),
        "verb": topical(language.verbs),
        "object": np.where(present(), topical(language.substances), ""),
    }


def joined(slots: Mapping[str, np.ndarray | str]) -> list[str]:
    """The words in the slots, a text a row, without the full stop."""
    rows = zip(*np.broadcast_arrays(*slots.values()), strict=True)
    return [" ".join(word for word in row if word) for row in rows]


def sample_corpus(language: Language, texts: int, sentences: int, seed: int) -> list[str]:
    """Running text: each text has one topic, and each sentence but its first opens with the
    linking word that agrees with the subject before it."""
    return sample_texts(language, texts, sentences, np.random.default_rng([seed, 1]))


def sample_texts(
    language: Language, texts: int, sentences: int, rng: np.random.Generator
) -> list[str]:
    """The same from a generator that is given."""
    topic = np.repeat(rng.integers(TOPICS, size=texts), sentences)
    number = rng.integers(2, size=texts * sentences)
    openings = np.roll(LINKS[number], 1)
    openings[::sentences] = "the"
    flat = sample_sentences(language, topic, number, rng, openings)
    return [" ".join(flat[i : i + sentences]) for i in range(0, len(flat), sentences)]


def sample_stimuli(language: Language, n: int, seed: int) -> pd.DataFrame:
    """`n` different sentences with their latents as ±1: item_id, sentence, topic, *LATENTS.

    Every combination of topic and number comes as often as any other (±1), so that the
    latents are uncorrelated with one another.
    """
    rng = np.random.default_rng([seed, 2])
    cells = rng.permutation(np.arange(n) % (2 * TOPICS))
    topic, number = cells // 2, cells % 2
    sentences = np.array(sample_sentences(language, topic, number, rng), dtype=object)
    while (again := pd.Series(sentences).duplicated().to_numpy()).any():
        sentences[again] = sample_sentences(language, topic[again], number[again], rng)
    return pd.DataFrame(
        {
            "item_id": np.arange(1, n + 1),
            "sentence": sentences.astype(str),
            "topic": topic,
            "topic_a": _signed(topic & 1),
            "topic_b": _signed(topic >> 1 & 1),
            "number": _signed(number),
        }
    )


def _signed(bit: np.ndarray) -> np.ndarray:
    return 2.0 * bit - 1


def latents(stimuli: pd.DataFrame) -> np.ndarray:
    """The latents of the sentences, standardized: [sentences, LATENTS]."""
    values = stimuli[list(LATENTS)].to_numpy(dtype=float)
    return (values - values.mean(0)) / values.std(0)
