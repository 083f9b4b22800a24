"""Planted answers come back from stories: the response of blood, what is noise, what is word rate.

Words and their times are those of the simulated experiment; regions are planted from the times,
and features come down to TRs by a filter that is spelled out here.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from geomod.ridge.banded import ladder
from geomod.ridge.delays import Delays
from geomod.ridge.engine import Encoding, encode
from geomod.ridge.weights import coefficients
from geomod.toy.language import make_language
from geomod.toy.stories import autoregressive, haemodynamic, planted, row_times, sample_stories

Floats = NDArray[np.float64]
TRS, TRIM = 240, (5, 5)
ALPHAS = np.logspace(0, 6, 7)


class Told(NamedTuple):
    """What was told in every story: when its words were, and their low-pass sum in each TR."""

    words: list[Floats]
    filters: list[Floats]  # [TRs, words]
    rows: Delays

    def down(self, vectors: list[Floats]) -> Floats:
        return np.concatenate([w @ v for w, v in zip(self.filters, vectors, strict=True)])

    def response(self, vectors: list[Floats], noise: float, seed: int) -> Floats:
        """What regions answer that see a column each, z-scored per story, and noise over it."""
        rng, parts = np.random.default_rng([seed, 1]), []
        for words, seen in zip(self.words, vectors, strict=True):
            signal = planted(row_times(TRS), words, seen)
            spread = signal.std(axis=0)
            signal = (signal - signal.mean(axis=0)) / np.where(spread > 0, spread, 1)
            own = autoregressive(TRS, 0.85, rng, (seen.shape[1],))
            parts.append(signal + noise * own)
        return np.concatenate(parts)

    def sees(self, value: float, columns: int = 1) -> list[Floats]:
        return [np.full((len(words), columns), value) for words in self.words]

    def vectors(self, seed: int, kept: float = 0.98, width: int = 16) -> list[Floats]:
        """What words mean, which changes from word to word as fast or slowly as is `kept`."""
        rng = np.random.default_rng([seed, 2])
        return [autoregressive(len(words), kept, rng, (width,)) for words in self.words]


@cache
def told(stories: int = 6, seed: int = 0) -> Told:
    table = sample_stories(make_language(0), stories, TRS, seed)
    words = [((own["onset"] + own["offset"]) / 2).to_numpy() for _, own in table.groupby("story")]
    filters = [lanczos(row_times(TRS), times) for times in words]
    names = np.repeat([f"story{k}" for k in range(stories)], TRS)
    return Told(words, filters, Delays(names, (1, 2, 3, 4), TRIM))


def lanczos(rows: Floats, words: Floats) -> Floats:
    weights = np.zeros((len(rows), len(words)))
    for t, row in enumerate(rows):
        x = (row - words) / 2.0
        weights[t] = np.where(np.abs(x) <= 3, np.sinc(x) * np.sinc(x / 3), 0)
    return weights


@pytest.mark.parametrize(("noise", "least"), [(0.0, 0.999), (0.5, 0.99), (2.0, 0.95)])
def test_the_planted_response_of_blood_is_recovered(noise: float, least: float) -> None:
    world = told(stories=8)
    rate = world.down(world.sees(1.0))
    y = world.response(world.sees(1.0, columns=4), noise, seed=1)
    names = world.rows.stories
    rows = Delays(names, tuple(range(10)), TRIM)
    found = coefficients(rate, y, delays=rows, alphas=ALPHAS).weights[:, 0]
    expected = haemodynamic(2.0 * np.arange(10))
    r = [np.corrcoef(weights, expected)[0, 1] for weights in found.T]
    assert np.mean(r) >= least
    assert set(found.argmax(axis=0)) <= {2, 3}  # 4 or 6 s


def test_noise_is_predicted_by_shuffled_rows_and_not_from_other_stories() -> None:
    """Neighbours in time share the noise of the scanner and the slow features of a text."""
    world = told()
    x = world.down(world.vectors(seed=0))
    y = world.response(world.sees(0.0, columns=12), 2.0, seed=0)
    settings = {"alphas": ALPHAS, "delays": world.rows}
    shuffled = encode(x, y, scheme="shuffled", **settings).score
    by_story = encode(x, y, folds=6, inner_folds="loo", **settings).score
    assert shuffled.mean() > 0.12
    assert abs(by_story.mean()) < 0.1
    one = Delays(np.repeat("one", 4 * TRS), (1, 2, 3, 4))  # a single long story
    with_gap = encode(x[: 4 * TRS], y[: 4 * TRS], alphas=ALPHAS, delays=one).score
    assert abs(with_gap.mean()) < 0.1


def test_in_a_region_that_counts_words_the_model_adds_nothing_to_the_word_rate() -> None:
    world = told()
    vectors = world.vectors(seed=3)
    x, rate = world.down(vectors), world.down(world.sees(1.0))
    semantic = [v @ (np.ones((16, 3)) / 4) for v in vectors]
    y = np.hstack(
        [
            world.response(world.sees(1.0, columns=3), 2.0, seed=4),
            world.response(semantic, 2.0, seed=5),
        ]
    )
    found = ladder(rate, x, y, alphas=ALPHAS, delays=world.rows, folds=6, inner_folds="loo")
    of_rate, of_meaning = np.split(found.unique_r2[0], 2)
    assert of_rate.mean() <= 0
    assert of_meaning.mean() > 0.03
    baseline, model = (np.split(found.score(rung)[0], 2) for rung in ("baseline", "layer"))
    assert baseline[0].mean() > 0.3 > 0.1 > model[0].mean()
    assert model[1].mean() > 0.2 > 0.15 > baseline[1].mean()


def test_without_centring_words_their_mean_passes_for_a_word_rate() -> None:
    world = told()
    vectors = world.vectors(seed=3)
    y = world.response(world.sees(1.0, columns=3), 2.0, seed=4)
    scores = {}
    for mean in (0.0, 3.0):
        x = world.down([v + mean for v in vectors])
        found = encode(x, y, alphas=ALPHAS, delays=world.rows, folds=6, inner_folds="loo")
        scores[mean] = found.score.mean()
    assert scores[0.0] < 0.1
    assert scores[3.0] > 0.2
    x = np.concatenate([v + 3.0 for v in vectors])
    centred = np.split(x - x.mean(axis=0), np.cumsum([len(v) for v in vectors])[:-1])
    found = encode(
        world.down(centred), y, alphas=ALPHAS, delays=world.rows, folds=6, inner_folds="loo"
    )
    assert found.score.mean() < 0.1


def test_a_null_of_shifts_holds_its_level_where_a_parametric_p_does_not() -> None:
    world = told()
    shifted, parametric = [], []
    for seed in range(3):
        x = world.down(world.vectors(seed=seed))
        y = world.response(world.sees(0.0, columns=40), 2.0, seed=10 + seed)
        settings = {"alphas": ALPHAS, "delays": world.rows, "folds": 6, "inner_folds": "loo"}
        found = encode(x, y, permutations=99, seed=seed, **settings)
        assert found.p_permutation is not None
        shifted.append(found.p_permutation[0])
        parametric.append(fisher(found))
    assert np.mean(np.concatenate(parametric) <= 0.05) > 0.2
    assert np.mean(np.concatenate(shifted) <= 0.05) <= 0.1


def fisher(found: Encoding) -> Floats:
    """Pearson's p in every fold, as if its rows were independent, and Fisher's over the folds."""
    n = TRS - sum(TRIM)
    t = found.r[0] * np.sqrt((n - 2) / (1 - found.r[0] ** 2))
    p = 2 * stats.t.sf(np.abs(t), n - 2)
    return np.asarray(stats.chi2.sf(-2 * np.log(p).sum(axis=0), 2 * len(p)))
