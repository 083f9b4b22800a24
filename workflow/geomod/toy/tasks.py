"""What the made-up language lets one ask of a model, and the best answers that are possible.

Minimal pairs differ in their last word, which is one token in both sentences, so that they differ
in nothing but what is asked. A model to which all tokens are equally likely comes out at ½ exactly:

- `agreement`: which linking word follows a sentence. In its task `agreement` the second noun has
  the other number, as in all text that was trained on; in `same_number` both nouns have one, which
  never occurred. Who looks for the subject is right in both, who takes the opposite of the nearest
  noun in the first alone.
- `topics`: which verb goes with what was said, one of the topic or of another.
- `facts`: which substance a noun is made of, its own or that of another noun of its topic.

Reading times (`reading_times`) are those of people who expect words as one checkpoint does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from math import comb

import numpy as np
import pandas as pd

from geomod.toy.language import (
    LINKS,
    NOUN_STEMS,
    ON_TOPIC,
    TOPICS,
    WORDS_PER_CLASS,
    Language,
    joined,
    make_language,
    sample_slots,
    sample_texts,
)

PAIRS = 500  # of a task
# Texts of two sentences fit into what the models are trained on.
STORIES, SENTENCES = 100, 2
# Milliseconds: of a word, a nat of surprisal and a letter, and what else differs from word to word.
BASE, A_NAT, A_LETTER, NOISE = 250.0, 12.0, 6.0, 60.0


def agreement(language: Language, rng: np.random.Generator) -> pd.DataFrame:
    """Sentences that go on with the linking word of their subject, or with the other."""
    tables = []
    for task, family, same in (
        ("agreement", "formal", False),
        ("same_number", "diagnostic", True),
    ):
        topic, number = rng.integers(TOPICS, size=PAIRS), rng.integers(2, size=PAIRS)
        slots = sample_slots(language, topic, number, rng, number if same else 1 - number)
        texts = [f"{text}." for text in joined(slots)]
        pairs = _pairs(task, texts, LINKS[number], LINKS[1 - number])
        tables.append(pairs.assign(family=family))
    return pd.concat(tables, ignore_index=True)


def topics(language: Language, rng: np.random.Generator) -> pd.DataFrame:
    """Sentences up to a verb of their topic, or of any other.

    Nothing is said of substances, which follow from the nouns as well as from the topic: every
    content word before the verb is drawn on its own.
    """
    topic = rng.integers(TOPICS, size=PAIRS)
    other = (topic + rng.integers(1, TOPICS, size=PAIRS)) % TOPICS
    word = rng.integers(WORDS_PER_CLASS, size=PAIRS)
    slots = sample_slots(language, topic, rng.integers(2, size=PAIRS), rng)
    texts = joined({**_until(slots, "verb"), "of": "", "substance": ""})
    verbs = language.verbs
    return _pairs("topics", texts, verbs[topic, word], verbs[other, word])


def facts(language: Language, rng: np.random.Generator) -> pd.DataFrame:
    """Sentences up to the substance of the second noun, or that of another noun of its topic."""
    said, number = rng.integers(TOPICS, size=PAIRS), rng.integers(2, size=PAIRS)
    slots = sample_slots(language, said, number, rng)
    own = np.array([np.argwhere(language.nouns == noun)[0, :2] for noun in slots["attractor"]])
    topic, stem = own.T
    other = (stem + rng.integers(1, NOUN_STEMS, size=PAIRS)) % NOUN_STEMS
    texts = joined({**_until(slots, "of"), "of": "of"})
    substances = language.substances
    return _pairs("facts", texts, substances[topic, stem], substances[topic, other])


def _until(slots: dict[str, np.ndarray | str], end: str) -> dict[str, np.ndarray | str]:
    """The slots before that of the name `end`."""
    names = list(slots)
    return {name: slots[name] for name in names[: names.index(end)]}


def _pairs(task: str, texts: list[str], good: np.ndarray, bad: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame({"item_id": np.arange(1, PAIRS + 1), "task": task})
    for name, words in (("good", good), ("bad", bad)):
        table[name] = [f"{text} {word}" for text, word in zip(texts, words, strict=True)]
    return table


def ideal_topics() -> float:
    """The score on `topics` of who knows the language and, of the topic, only what was said.

    A content word comes from the topic with q = .8 + .2/8 and from a given other one with r = .2/8.
    Each word of a topic multiplies its odds by 33, so the verb of that topic is likelier of which
    more words were seen. Of n words k are the topic's and m the other's; ties count ½, and n is 2
    nouns and up to 2 adjectives, each there half of the time.
    """
    other = (1 - ON_TOPIC) / TOPICS
    own = ON_TOPIC + other

    def score(n: int) -> float:
        return sum(
            comb(n, k) * comb(n - k, m) * own**k * other**m * (1 - own - other) ** (n - k - m)
            * ((k > m) + 0.5 * (k == m))
            for k, m in product(range(n + 1), repeat=2)
            if k + m <= n
        )  # fmt: skip

    return (score(2) + 2 * score(3) + score(4)) / 4


def words_to_read(language: Language, rng: np.random.Generator) -> pd.DataFrame:
    """Words in the layout of reading times, without a time. A story is a text of two sentences."""
    stories = sample_texts(language, STORIES, SENTENCES, rng)
    words = [(k, word) for k, text in enumerate(stories, start=1) for word in text.split()]
    table = pd.DataFrame(words, columns=["story", "word"])
    opens = table["word"].shift(fill_value=".").str.endswith(".")
    return table.assign(item_id=np.arange(1, len(table) + 1), sentence=opens.cumsum(), time=np.nan)


@dataclass(frozen=True)
class Task:
    """A kind of task of the made-up language, and what is known of it before anyone is asked."""

    make: Callable[[Language, np.random.Generator], pd.DataFrame]
    family: str = ""  # where its table names none
    families: tuple[str, ...] = ()  # beside those that every run knows
    ceiling: float | None = None  # the best score that is possible; 1 if left out


TOY_TASKS = {
    "agreement": Task(agreement, families=("diagnostic",)),
    "topics": Task(topics, "functional", ceiling=ideal_topics()),
    "facts": Task(facts, "facts", ("facts",)),
    "reading_times": Task(words_to_read, "behaviour"),
}


def make_task(kind: str, seed: int) -> pd.DataFrame:
    """The table of one of the TOY_TASKS; of reading times the words, without a time as yet."""
    rng = np.random.default_rng([seed, 7, list(TOY_TASKS).index(kind)])
    return TOY_TASKS[kind].make(make_language(seed), rng)


def reading_times(words: pd.DataFrame, spans: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The `words` with the times of people to whom they are as surprising as to a checkpoint.

    `spans` (item_id, log_p, unpredicted) is what the checkpoint says of each word. The time is
    250 + 12 · surprisal (nats) + 6 · length (letters) + noise with an SD of 60, ms; none where
    nothing comes before the word.
    """
    said = spans.set_index("item_id").loc[words["item_id"].astype(str)]
    surprisal = np.where(said["unpredicted"] == 0, -said["log_p"], np.nan)
    rng = np.random.default_rng([seed, 7, len(TOY_TASKS)])
    noise = NOISE * rng.standard_normal(len(words))
    time = BASE + A_NAT * surprisal + A_LETTER * words["word"].str.len() + noise
    return words.assign(time=time.clip(lower=1.0))
