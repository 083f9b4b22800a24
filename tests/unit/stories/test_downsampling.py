"""The way down to TRs, against a plain double loop; windows and rows against their definition."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.stories import windows
from geomod.stories.downsampling import WAYS, weights, word_rate
from geomod.stories.settings import Settings
from geomod.stories.timing import Timing, rows_of, timing_of, words_in_scan


def plain(times, words, tr, how):
    found = np.zeros((len(times), len(words)))
    for i, time in enumerate(times):
        inside = [j for j, word in enumerate(words) if time - tr / 2 <= word < time + tr / 2]
        for j, word in enumerate(words):
            x = (time - word) / tr
            if how == "lanczos":
                if abs(x) <= 3:
                    top = 3 * np.sin(np.pi * x) * np.sin(np.pi * x / 3)
                    found[i, j] = top / (np.pi * x) ** 2 if x else 1.0
            elif j in inside:
                last = max(inside, key=lambda k: (words[k], k))
                found[i, j] = {"sum": 1, "mean": 1 / len(inside), "last": j == last}[how]
    return found


@pytest.mark.parametrize("how", WAYS)
@given(
    st.integers(1, 12),
    st.lists(st.integers(-40, 160).map(lambda k: k / 8), max_size=25).map(sorted),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.integers(-8, 8).map(lambda k: k / 8),
)
def test_weights_are_those_of_the_definition(how, count, words, tr, start):
    times = np.arange(count) * tr + tr / 2 - start
    words = np.array(words, dtype=float)
    found = weights(times, words, tr, how).toarray()
    np.testing.assert_allclose(found, plain(times, words, tr, how), atol=1e-12)


def test_words_without_a_time_weigh_nothing():
    times, words = np.arange(5) + 0.5, np.array([1.0, np.nan, 2.0])
    for how in WAYS:
        assert not weights(times, words, 1.0, how).toarray()[:, 1].any()


def test_the_word_rate_is_the_filter_of_ones():
    rng = np.random.default_rng(0)
    times, words = np.arange(50) * 2 + 1.0, np.sort(rng.uniform(0, 100, 300))
    rate = word_rate(times, words, 2.0)
    np.testing.assert_allclose(rate, plain(times, words, 2.0, "lanczos").sum(axis=1), atol=1e-12)
    even = word_rate(times, np.arange(300) / 3, 2.0)  # 3 words/s, 2 s a row
    np.testing.assert_allclose(even[5:-5], 6, rtol=0.02)


@given(st.integers(1, 300), st.integers(2, 40))
def test_every_token_is_given_once_by_the_window_of_most_left_context(tokens, size):
    found = windows.cut(tokens, size)
    step = size // 2
    given_by = {}
    for start, first, stop in zip(*found, strict=True):
        assert start % step == 0
        assert stop - start <= size
        for token in range(first, stop):
            assert token not in given_by
            given_by[token] = start
    for token in range(tokens):
        every = [s for s in range(0, tokens, step) if s <= token < s + size]
        assert given_by[token] == min(every)
    assert sum(found.stops - found.starts) <= (2 if size % 2 == 0 else 3) * tokens


@given(st.integers(1, 200), st.integers(2, 40), st.data())
def test_a_span_lies_in_the_first_window_that_holds_it(tokens, size, data):
    found = windows.cut(tokens, size)
    first = data.draw(st.integers(0, tokens - 1))
    stop = data.draw(st.integers(first + 1, tokens))
    fitting = [
        k for k, (a, _, b) in enumerate(zip(*found, strict=True)) if a <= first and stop <= b
    ]
    [place] = found.holding(np.array([first]), np.array([stop]))
    assert place == (fitting[0] if fitting else -1)


def test_rows_lie_at_the_middle_of_their_tr_minus_the_start():
    np.testing.assert_array_equal(Timing(2.0, 4, start=10).times, [-9, -7, -5, -3])
    np.testing.assert_array_equal(Timing(2.0, 3, within=0.0).times, [0, 2, 4])
    assert Timing(1.5, 10, trim=(2, 3)).kept == slice(2, 7)
    # As the published features of LeBel et al. have it: 2 i − 10 + 1.
    settings = Settings(tr=2.0, start={"souls": 10}, trim={"souls": [10, 10]})
    timing = timing_of(settings, "souls", 261)
    np.testing.assert_array_equal(timing.times, 2.0 * np.arange(261) - 10 + 1)
    assert len(range(261)[timing.kept]) == 241
    with pytest.raises(InputError, match=r"start names no value for the story 'life'"):
        timing_of(settings, "life", 261)
    with pytest.raises(InputError, match=r"story 'a'.*trim of \[3, 3\].*6 rows"):
        timing_of(Settings(trim=[3, 3]), "a", 6)
    with pytest.raises(InputError, match="a TR of 0 s"):
        timing_of(Settings(tr=0), "a", 6)


def test_the_table_of_rows_names_every_row():
    rows = rows_of({"b": Timing(2.0, 3, trim=(1, 0)), "a": Timing(2.0, 2)})
    assert rows["item_id"].tolist() == ["b@0", "b@1", "b@2", "a@0", "a@1"]
    assert rows["kept"].tolist() == [False, True, True, True, True]
    assert rows["time"].tolist() == [1, 3, 5, 1, 3]


def test_words_beyond_the_scan_are_counted_and_a_wrong_start_is_refused():
    words = pd.DataFrame({"story": "a", "word": "w", "onset": [0.0, 5, 50], "offset": [1.0, 6, 51]})
    rows = rows_of({"a": Timing(2.0, 10)})
    [note] = words_in_scan(words, rows, 2.0)
    assert "1 of 3 words lie outside of the scan (0.0 to 20.0 s" in note
    with pytest.raises(InputError, match=r"'a'.*from 0.5 to 50.5 s, but it was measured from 100"):
        words_in_scan(words, rows_of({"a": Timing(2.0, 10, start=-100)}), 2.0)
    with pytest.raises(InputError, match="'b' has responses but no words"):
        words_in_scan(words, rows_of({"b": Timing(2.0, 10)}), 2.0)
    both = pd.concat([words, words.assign(story="c")])
    assert any("c: it has words but no responses" in n for n in words_in_scan(both, rows, 2.0))
