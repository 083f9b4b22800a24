"""Reading times: a gain in likelihood that is known, and words that foretell nothing."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from geomod.base.errors import InputError
from geomod.competence.reading_times import ReadingTimes, gains
from geomod.competence.source import Source
from tests.unit.competence.spans import spans_of

STORIES, WORDS = 5, 40


def make_words(rng, weight=0.0, before=0.0, noise=10.0):
    """A table of words whose times rise with their length and with a surprisal, also given."""
    count = STORIES * WORDS
    words = pd.DataFrame(
        {
            "item_id": [f"w{k}" for k in range(count)],
            "story": np.repeat([f"s{k}" for k in range(STORIES)], WORDS),
            "word": ["x" * n for n in rng.integers(1, 12, size=count)],
            "frequency": rng.uniform(1, 1000, size=count),
            "sentence": np.arange(count) // 8,
        }
    )
    surprisal = rng.gamma(2.0, 2.0, size=count)
    earlier = pd.Series(surprisal).groupby(words["story"]).shift(1).fillna(0).to_numpy()
    time = 250 + 8 * words["word"].str.len() + weight * surprisal + before * earlier
    return words.assign(time=time + noise * rng.normal(size=count)), surprisal


@pytest.fixture
def task_set(tmp_path):
    def make(words, **more):
        if not isinstance(words, str):
            words = words.to_csv(index=False)
        (tmp_path / "rt.csv").write_text(words)
        return ReadingTimes(Source("rt", "reading_times", [str(tmp_path / "rt.csv")], **more))

    return make


def test_a_story_is_one_text_and_a_word_owns_the_space_before_it(task_set):
    words = "item_id,story,word,time\na,1,The,300\nb,1,cat,310\nc,1,sat.,\nd,2,It,290\n"
    one, two = task_set(words).texts()
    assert (one.text, two.text) == ("The cat sat.", "It")
    assert one.words
    assert [one.text[span.start : span.stop] for span in one.spans] == ["The", " cat", " sat."]
    assert [span.item_id for span in one.spans] == ["a", "b", "c"]


def oracle(words, surprisal):
    """The gains by statsmodels: fits without one story, normal likelihoods of its words."""
    story = words["story"].to_numpy()
    table = pd.DataFrame({"length": words["word"].str.len(), "logf": np.log(words["frequency"])})
    table = table.join(table.groupby(story).shift(1).add_suffix("1"))
    extra = pd.DataFrame({"s": surprisal})
    extra = extra.join(extra.groupby(story).shift(1).add_suffix("1"))
    found = np.full(len(words), np.nan)
    for name in np.unique(story):
        each = []
        for design in (table, table.join(extra)):
            design = sm.add_constant(design.astype(float))
            use = table.notna().all(axis=1) & extra.notna().all(axis=1)
            train, test = use & (story != name), use & (story == name)
            fit = sm.OLS(words["time"][train], design[train]).fit()
            sd = np.sqrt(np.mean(fit.resid**2))
            each.append(stats.norm.logpdf(words["time"][test], fit.predict(design[test]), sd))
        found[test] = each[1] - each[0]
    return found


def test_gains_are_those_of_two_plain_regressions():
    words, surprisal = make_words(np.random.default_rng(0), weight=2.0)
    surprisal[[3, 90]] = np.nan
    np.testing.assert_allclose(gains(words, surprisal), oracle(words, surprisal), atol=1e-9)


def test_the_gain_is_the_share_of_noise_that_surprisal_explains():
    """Of independent normal parts: ½ ln(1 + var(weight · surprisal) / var(noise)) nats a word."""
    rng = np.random.default_rng(1)
    parts = [make_words(rng, weight=3.0, before=2.0) for _ in range(20)]
    words = pd.concat(
        [part.assign(story=part["story"] + str(k)) for k, (part, _) in enumerate(parts)]
    )
    surprisal = np.concatenate([values for _, values in parts])
    expected = 0.5 * np.log(1 + (9 + 4) * 8 / 100)
    found = gains(words.reset_index(drop=True), surprisal)
    assert np.nanmean(found) == pytest.approx(expected, abs=0.03)


def test_surprisal_that_tells_nothing_gains_nothing():
    rng = np.random.default_rng(2)
    means = [np.nanmean(gains(*make_words(rng))) for _ in range(60)]
    assert np.mean(means) == pytest.approx(-2 / (2 * STORIES * WORDS * 0.8), abs=0.012)
    # Length is known already, so that twice the length is no surprise.
    words, _ = make_words(rng)
    assert np.nanmean(gains(words, 2.0 * words["word"].str.len())) == pytest.approx(0, abs=1e-9)


def test_items_and_the_task(task_set):
    words, surprisal = make_words(np.random.default_rng(3), weight=4.0)
    found = task_set(words)
    unpredicted = (~words["story"].duplicated()).astype(int).to_numpy()
    spans = spans_of(found, np.where(unpredicted, np.nan, -surprisal), 3, unpredicted)
    items = found.items(spans)
    assert items["item_id"].tolist() == words["item_id"].tolist()
    # The first word is not foretold, and the second has none before it whose surprisal is known.
    assert items["score"].isna().sum() == 2 * STORIES
    assert items["log_p_good"].isna().sum() == STORIES
    task = found.tasks(items).iloc[0]
    assert (task["task"], task["family"], task["chance"]) == ("rt", "behaviour", 0)
    assert task["n"] == STORIES * (WORDS - 2)
    assert task["score"] == pytest.approx(items["score"].mean())
    stories = items["score"].groupby(words["story"]).mean()
    assert task["se"] == pytest.approx(stories.std() / np.sqrt(STORIES))
    assert np.isnan(task["ceiling"])
    inner = words["sentence"].duplicated() & (unpredicted == 0)
    expected = stats.pearsonr(surprisal[inner], words["time"][inner])[0]
    assert task["alternative"] == pytest.approx(expected)
    assert task["uniform"] == pytest.approx(0, abs=1e-9)  # as many tokens for each word


def test_words_without_a_time_are_read_but_not_foretold(task_set):
    words, surprisal = make_words(np.random.default_rng(4))
    found = task_set(words.assign(time=words["time"].where(words.index != 50)))
    items = found.items(spans_of(found, -surprisal))
    assert np.isnan(items["score"][50])
    assert np.isfinite(items["score"][51])
    assert len(found.texts()[1].spans) == WORDS


HEADER = "item_id,story,word,time,frequency"
ROWS = ["a,1,The,300,10", "b,1,cat,310,5", "c,2,It,290,8"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*ROWS, "d,1,ran,300,2"], r"rt.csv, row 5: story '1' goes on here, after another"),
        ([*ROWS, "a,2,ran,300,2"], r"rt.csv, row 5: item 'a' of task 'rt' is in .*row 2 already"),
        ([*ROWS, "d,2,ran away,300,2"], r"row 5: 'ran away' is more than one word"),
        ([*ROWS, "d,2,ran,fast,2"], r"row 5: time is 'fast', not a number"),
        ([*ROWS, "d,2,ran,-3,2"], r"row 5: time is -3, not above 0"),
        ([*ROWS, "d,2,ran,300,"], r"row 5: frequency is empty, though other words have one"),
        ([*ROWS, "d,2,,300,2"], r"row 5: word is empty"),
        (ROWS[:2], r"the words are of one story"),
    ],
)
def test_a_row_that_cannot_be_is_named(task_set, rows, message):
    with pytest.raises(InputError, match=message):
        task_set("\n".join([HEADER, *rows]))


def test_too_few_words_to_fit(task_set):
    found = task_set("\n".join([HEADER, *ROWS, "d,2,ran,300,2"]))
    with pytest.raises(InputError, match="too few to fit 7 coefficients"):
        found.items(spans_of(found, [-1, -2, -3, -4]))


def test_a_number_that_is_none_is_an_error(task_set):
    words, surprisal = make_words(np.random.default_rng(5))
    found = task_set(words)
    surprisal[7] = np.nan
    with pytest.raises(InputError, match="m, step 7: ln p of word 'w7' of task 'rt'"):
        found.items(spans_of(found, -surprisal))
