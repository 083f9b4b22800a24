"""The lag check, on planted responses: blood late by 5 s is fine, a shift by 2 TRs is named."""

import numpy as np
import pandas as pd
import pytest

from geomod.stories.downsampling import word_rate
from geomod.stories.lags import REACH, check_lags, lag_curve
from geomod.stories.timing import Timing, rows_of

TR, COUNT = 2.0, 200
STORIES = ("a", "b", "c")


def hrf(t):
    t = np.maximum(t, 0)
    return t**5 * np.exp(-t) / 120 - t**15 * np.exp(-t) / (6 * 1307674368000)


def told(seed=0):
    """Word times of three stories whose pace wanders slowly."""
    rng = np.random.default_rng(seed)
    found = {}
    for story in STORIES:
        pace, time, times = 0.0, 0.0, []
        while time < TR * COUNT:
            pace = 0.97 * pace + 0.24 * rng.normal()
            time += 0.3 * np.exp(0.35 * rng.normal() + 0.5 * pace)
            times.append(time)
        found[story] = np.array(times)
    return found


@pytest.fixture(scope="module")
def world():
    words = told()
    timing = Timing(TR, COUNT, trim=(5, 5))
    rows = rows_of(dict.fromkeys(STORIES, timing))
    rates = {story: word_rate(timing.times, words[story], TR) for story in STORIES}
    return words, rows, rates, timing


def responses(world, shift=0, noise=1.0, seed=1):
    words, rows, _, timing = world
    rng = np.random.default_rng(seed)
    blood, kept = [], rows["kept"].to_numpy()
    for story in STORIES:
        signal = hrf(timing.times[:, None] - words[story] - shift * TR).sum(axis=1)
        blood.append((signal - signal.mean()) / signal.std() + noise * rng.normal(size=COUNT))
    values = {"speech": np.concatenate(blood), "noise": rng.normal(size=COUNT * len(STORIES))}
    parts = [
        pd.DataFrame(
            {
                "item_id": rows["item_id"][kept],
                "region": region,
                "participant": "average",
                "response": own[kept],
            }
        )
        for region, own in values.items()
    ]
    return pd.concat(parts)


@pytest.mark.parametrize(
    ("shift", "verdict"), [(-2, "early"), (0, "plausible"), (2, "late"), (3, "late")]
)
def test_a_shift_is_named(world, shift, verdict):
    _, rows, rates, _ = world
    curves, verdicts = check_lags(rates, responses(world, shift), rows, TR)
    said = verdicts.set_index("region")
    assert said.loc["speech", "verdict"] == verdict
    assert said.loc["speech", "peak"] == pytest.approx(5 + shift * TR, abs=1.2)
    assert said.loc["speech", "shift"] == shift
    if shift:
        assert f"{shift:+d} TRs" in said.loc["speech", "sentence"]
    assert said.loc["noise", "verdict"] == "silent"
    assert len(curves) == 2 * (2 * REACH + 1)
    at = curves[curves["region"] == "speech"].set_index("lag")["r"]
    assert at.idxmax() == pytest.approx(2.5 + shift, abs=0.6)


def test_a_region_of_noise_is_seldom_heard(world):
    _, rows, rates, _ = world
    heard = [
        check_lags(rates, responses(world, seed=seed), rows, TR)[1]
        .set_index("region")
        .loc["noise", "verdict"]
        != "silent"
        for seed in range(2, 32)
    ]
    assert np.mean(heard) <= 0.1


def test_a_curve_is_pearsons_r_over_pairs_of_rows_of_one_story():
    rng = np.random.default_rng(0)
    x, y = [rng.normal(size=40) for _ in range(2)], [rng.normal(size=40) for _ in range(2)]
    found = lag_curve(x, y, 3)
    standard = [[(v - v.mean()) / v.std() for v in series] for series in (x, y)]
    for place, lag in enumerate(range(-3, 4)):
        pairs = [
            (a[i], b[i + lag])
            for a, b in zip(*standard, strict=True)
            for i in range(40)
            if 0 <= i + lag < 40
        ]
        assert found[place] == pytest.approx(np.corrcoef(np.array(pairs).T)[0, 1])


def test_a_constant_region_is_silent(world):
    _, rows, rates, _ = world
    flat = responses(world).query("region == 'noise'").assign(response=3.0)
    [verdict] = check_lags(rates, flat, rows, TR)[1]["verdict"]
    assert verdict == "silent"
