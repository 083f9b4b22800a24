"""Tasks of the made-up language: what can answer them, and what cannot."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from geomod.competence.reading import check_names, read_task_set
from geomod.competence.reading_times import gains
from geomod.competence.source import Source
from geomod.toy.language import LINKS, ON_TOPIC, TOPICS, make_language
from geomod.toy.tasks import PAIRS, TOY_TASKS, ideal_topics, make_task, reading_times
from geomod.toy.training import WINDOW, make_tokenizer

SEED = 0
LANGUAGE = make_language(SEED)
NOUNS = {str(word): place for place, word in np.ndenumerate(LANGUAGE.nouns)}
TOPIC_OF = {
    str(word): place[0]
    for words in (LANGUAGE.nouns, LANGUAGE.adjectives, LANGUAGE.verbs, LANGUAGE.substances)
    for place, word in np.ndenumerate(words)
}


@pytest.fixture(scope="module")
def pairs() -> dict[str, pd.DataFrame]:
    """The pairs by task, split into what both sentences share and the two last words."""
    every = pd.concat([make_task(kind, SEED) for kind in ("agreement", "topics", "facts")])
    shared = every["good"].str.rpartition(" ")
    assert (shared[0] == every["bad"].str.rpartition(" ")[0]).all()
    every = every.assign(text=shared[0], good=shared[2], bad=every["bad"].str.split().str[-1])
    return {str(task): rows for task, rows in every.groupby("task", sort=False)}


def nouns(text: str) -> list[tuple[int, ...]]:
    """Topic, stem and number of the nouns, in order."""
    return [NOUNS[word] for word in text.replace(".", "").split() if word in NOUNS]


def test_good_and_bad_differ_in_one_token_that_ends_them(pairs: dict[str, pd.DataFrame]) -> None:
    tokenizer = make_tokenizer(SEED)
    assert set(pairs) == {"agreement", "same_number", "topics", "facts"}
    for table in pairs.values():
        assert len(table) == PAIRS
        for text, good, bad in table[["text", "good", "bad"]].itertuples(index=False):
            ids = [tokenizer(f"{text} {word}")["input_ids"] for word in (good, bad)]
            assert ids[0][:-1] == ids[1][:-1]
            assert ids[0][-1] != ids[1][-1]
            assert len(ids[0]) <= WINDOW


def test_the_subject_decides_which_linking_word_follows(pairs: dict[str, pd.DataFrame]) -> None:
    for task in ("agreement", "same_number"):
        for text, good in pairs[task][["text", "good"]].itertuples(index=False):
            assert good == LINKS[nouns(text)[0][2]]


def test_the_opposite_of_the_nearest_noun_is_right_until_both_have_one_number(
    pairs: dict[str, pd.DataFrame],
) -> None:
    """In the corpus nothing tells this rule from the right one; the diagnostic task does."""
    share = {
        task: np.mean([
            good == LINKS[1 - nouns(text)[-1][2]]
            for text, good in pairs[task][["text", "good"]].itertuples(index=False)
        ])
        for task in ("agreement", "same_number")
    }  # fmt: skip
    assert share == {"agreement": 1.0, "same_number": 0.0}


@pytest.mark.parametrize("task", ["agreement", "same_number", "topics", "facts"])
def test_no_word_is_good_more_often_than_bad(pairs: dict[str, pd.DataFrame], task: str) -> None:
    """Whoever knows how frequent words are, and no more, is right half of the time."""
    good, bad = (Counter(pairs[task][part]) for part in ("good", "bad"))
    prefers = [good[word] - bad[word] for word in good | bad]
    # A sum of PAIRS signs, each word's share of them: four standard errors for the largest.
    assert max(map(abs, prefers)) < 4 * (2 * PAIRS / len(prefers)) ** 0.5


def ideal(text: str, good: str, bad: str) -> float:
    """Posterior of the eight topics from the words, and from it which verb is the likelier."""
    p_own = ON_TOPIC / 6 + (1 - ON_TOPIC) / 48
    p_any = (1 - ON_TOPIC) / 48
    posterior = np.ones(TOPICS)
    for word in text.split():
        if word in TOPIC_OF:
            posterior *= np.where(np.arange(TOPICS) == TOPIC_OF[word], p_own, p_any)
    posterior /= posterior.sum()
    p = [
        posterior @ np.where(np.arange(TOPICS) == TOPIC_OF[verb], p_own, p_any)
        for verb in (good, bad)
    ]
    return 0.5 if np.isclose(*p) else float(p[0] > p[1])


def test_the_ideal_observer_of_topics_scores_as_the_closed_form_has_it(
    pairs: dict[str, pd.DataFrame],
) -> None:
    rows = pairs["topics"][["text", "good", "bad"]].itertuples(index=False)
    scores = [ideal(*row) for row in rows]
    assert ideal_topics() == pytest.approx(0.981, abs=5e-4)  # .960, .985 twice and .994
    se = np.std(scores) / PAIRS**0.5
    assert np.mean(scores) == pytest.approx(ideal_topics(), abs=3 * se)
    assert TOY_TASKS["topics"].ceiling == ideal_topics()


def test_only_who_knows_the_facts_knows_what_a_noun_is_made_of(
    pairs: dict[str, pd.DataFrame],
) -> None:
    for text, good, bad in pairs["facts"][["text", "good", "bad"]].itertuples(index=False):
        topic, stem, _ = NOUNS[text.split()[-2]]
        assert text.split()[-1] == "of"
        assert good == LANGUAGE.substances[topic, stem] != bad
        assert TOPIC_OF[bad] == topic  # so that what was said of the topic tells nothing


def test_a_run_reads_them_as_any_task_set(tmp_path) -> None:
    found = []
    for kind, task in TOY_TASKS.items():
        path = tmp_path / f"{kind}.csv"
        make_task(kind, SEED).to_csv(path, index=False)
        of = "reading_times" if kind == "reading_times" else "pairs"
        source = Source(kind, of, [str(path)], family=task.family, families=task.families)
        found.append(read_task_set(source))
    check_names(found)
    assert [task_set.names for task_set in found] == [
        ["agreement", "same_number"], ["topics"], ["facts"], ["reading_times"],
    ]  # fmt: skip
    families = [pair.family for task_set in found[:3] for pair in task_set.pairs]
    assert Counter(families) == dict.fromkeys(
        ("formal", "diagnostic", "functional", "facts"), PAIRS
    )


def test_reading_times_hold_the_surprisal_that_made_them() -> None:
    """Of surprisal with SD s and noise with SD 60 ms: ½ ln(1 + (12 s / 60)²) nats a word."""
    words = make_task("reading_times", SEED)
    surprisal = np.random.default_rng(1).gamma(4.0, 1.0, len(words))
    first = ~words["story"].duplicated()
    spans = pd.DataFrame({
        "item_id": words["item_id"].astype(str),
        "log_p": -surprisal,
        "unpredicted": first.astype(int),
    })  # fmt: skip
    times = reading_times(words, spans.sample(frac=1, random_state=0), SEED)
    assert (times["time"].isna() == first).all()
    found = gains(times.assign(frequency=np.nan), np.where(first, np.nan, surprisal))
    expected = 0.5 * np.log(1 + 4 * (12 / 60) ** 2)
    assert np.nanmean(found) == pytest.approx(expected, abs=0.02)


def test_a_seed_decides_everything() -> None:
    for kind in TOY_TASKS:
        pd.testing.assert_frame_equal(make_task(kind, 3), make_task(kind, 3))
        assert not make_task(kind, 3).equals(make_task(kind, 4))
