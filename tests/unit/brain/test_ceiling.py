"""Noise ceilings: closed forms, planted values, and the published ones of real data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.brain.ceiling import (
    ceiling,
    ceilings,
    dataset_ceilings,
    halves,
    noise_ceiling,
    read_published,
    resamples,
    split_half_reliability,
    variances,
)
from geomod.brain.dataset import Dataset


def tidy(values: np.ndarray, region: str = "IFG") -> pd.DataFrame:
    """[sentences, participants] as a table with the average, NaN left out."""
    items = [f"s{i}" for i in range(len(values))]
    wide = pd.DataFrame(values, index=items, columns=[str(p) for p in range(values.shape[1])])
    wide["average"] = wide.mean(axis=1)
    long = wide.rename_axis("item_id").reset_index().melt("item_id", var_name="participant")
    return long.rename(columns={"value": "response"}).assign(region=region).dropna()


def noisy(items: int, people: int, ncsnr: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A signal of SD 1, and what people with noise of their own answer to it."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=items)
    return signal, signal[:, None] + rng.normal(scale=1 / ncsnr, size=(items, people))


def by_loops(values: np.ndarray) -> tuple[float, float, float]:
    """sd_signal, sd_noise and ceiling as the formula reads, for complete data."""
    people = values.shape[1]
    noise = np.mean([np.var(row, ddof=1) for row in values])
    signal = max(0.0, np.var([np.mean(row) for row in values], ddof=1) - noise / people)
    if signal == 0:
        return 0.0, noise**0.5, 0.0
    ncsnr = (signal / noise) ** 0.5
    return signal**0.5, noise**0.5, (ncsnr**2 / (ncsnr**2 + 1 / people)) ** 0.5


@settings(deadline=None)
@given(st.integers(2, 8), st.integers(3, 40), st.integers(0, 10_000), st.floats(0.1, 3))
def test_the_formula_as_it_reads(people: int, items: int, seed: int, ncsnr: float) -> None:
    _, values = noisy(items, people, ncsnr, seed)
    row = ceilings(tidy(values), seed=0, draws=2).iloc[0]
    found = row[["sd_signal", "sd_noise", "ceiling"]].to_numpy(dtype=float)
    np.testing.assert_allclose(found, by_loops(values), rtol=1e-9, atol=1e-9)


def test_each_draw_is_the_formula_on_resampled_sentences() -> None:
    _, values = noisy(30, 4, 1.0)
    weights = resamples(30, 5, np.random.default_rng(0))
    found = variances(values, weights)
    for draw, counts in enumerate(weights):
        expected = by_loops(np.repeat(values, counts.astype(int), axis=0))
        assert found.sd_signal[draw] == pytest.approx(expected[0])
        assert found.sd_noise[draw] == pytest.approx(expected[1])


@pytest.mark.parametrize("method", ["participants", "split_half"])
@pytest.mark.parametrize("people", [2, 5, 8])
def test_the_ceiling_is_what_the_true_signal_reaches(method: str, people: int) -> None:
    signal, values = noisy(20_000, people, 0.5)
    found = ceilings(tidy(values), seed=0, method=method, draws=20).set_index("participant")
    reached = np.corrcoef(signal, values.mean(axis=1))[0, 1]
    assert found.loc["average", "ceiling"] == pytest.approx(reached, abs=0.02)
    alone = np.mean([np.corrcoef(signal, column)[0, 1] for column in values.T])
    assert found.loc["0", "ceiling"] == pytest.approx(alone, abs=0.02)
    assert found.loc["average", "n_participants"] == people
    assert set(found["method"]) == {method}


def test_two_halves_step_up_by_spearman_brown() -> None:
    _, values = noisy(200, 4, 1.0)
    ones = np.ones((1, 200))
    r = np.mean(
        [
            np.corrcoef(values[:, list(half)].mean(1), values[:, list(rest)].mean(1))[0, 1]
            for half, rest in [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]
        ]
    )
    whole = 2 * r / (1 + r)  # of all four, by the formula of 1910
    single = split_half_reliability(values, ones, np.random.default_rng(0))[0]
    assert 4 * single / (1 + 3 * single) == pytest.approx(whole)


@pytest.mark.parametrize(("people", "count"), [(2, 1), (3, 3), (4, 3), (5, 10), (10, 126)])
def test_every_split_is_taken_once(people: int, count: int) -> None:
    splits = halves(people, np.random.default_rng(0))
    everyone = set(range(people))
    pairs = {frozenset([frozenset(half), frozenset(everyone - set(half))]) for half in splits}
    assert len(splits) == len(pairs) == count


@pytest.mark.parametrize("method", ["participants", "split_half"])
def test_the_interval_covers_the_truth(method: str) -> None:
    truth = ceiling(np.array(0.5), np.array(5))
    hits = 0
    for seed in range(60):
        _, values = noisy(150, 5, 0.5, seed)
        row = ceilings(tidy(values), seed=seed, method=method, draws=200).iloc[0]
        assert row["low"] <= row["high"]
        hits += row["low"] <= truth <= row["high"]
    assert hits >= 51  # of 60; 57 are expected, fewer than 51 in one of 300 runs


@pytest.mark.parametrize("method", ["participants", "split_half"])
def test_noise_alone_has_a_low_ceiling_and_a_signal_alone_one_of_1(method: str) -> None:
    rng = np.random.default_rng(0)
    noise = ceilings(tidy(rng.normal(size=(2000, 5))), seed=0, method=method, draws=10).iloc[0]
    assert noise["ceiling"] < 0.2
    signal = np.repeat(rng.normal(size=(50, 1)), 4, axis=1)
    perfect = ceilings(tidy(signal), seed=0, method=method, draws=10).iloc[0]
    assert perfect["ceiling"] == pytest.approx(1)


def test_an_unbalanced_design_changes_the_ceiling_little() -> None:
    _, values = noisy(5000, 5, 0.5)
    full = ceilings(tidy(values), seed=0, draws=2).iloc[0]
    gone = np.random.default_rng(1).random(values.shape) < 0.3
    values[gone & (np.arange(5) > 0)] = np.nan  # the first participant has every sentence
    for method in ("participants", "split_half"):
        found = ceilings(tidy(values), seed=0, method=method, draws=2).iloc[0]
        assert found["ncsnr"] == pytest.approx(full["ncsnr"], rel=0.06)
    counts = (~np.isnan(values)).sum(axis=1)
    assert found["ceiling"] < full["ceiling"]
    part = variances(values, np.ones((1, 5000)))
    assert part.participants[0] == pytest.approx(5000 / (1 / counts).sum())


def test_without_participants_there_is_no_ceiling_but_a_published_one_counts() -> None:
    _, values = noisy(50, 3, 1.0)
    average = tidy(values).query("participant == 'average'")
    row = ceilings(average, seed=0).iloc[0]
    assert row["method"] == "none"
    assert np.isnan(row["ceiling"])
    row = ceilings(average, seed=0, published={"IFG": 0.45}).iloc[0]
    assert (row["ceiling"], row["method"]) == (0.45, "published")
    both = ceilings(tidy(values), seed=0, published={"IFG": 0.45}, draws=5)
    assert list(both["method"]) == ["published", *["participants"] * 3]


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_the_ceiling_of_an_array_is_that_of_its_table(missing: float) -> None:
    _, values = noisy(60, 4, 0.8)
    values[np.random.default_rng(1).random(values.shape) < missing] = np.nan
    values[7] = np.nan  # a sentence that nobody read
    row = ceilings(tidy(values), seed=0, draws=2).iloc[0]
    assert noise_ceiling(values) == pytest.approx(row["ceiling"], abs=1e-12)


def test_the_ceiling_of_one_participant_is_refused_in_words() -> None:
    with pytest.raises(InputError, match=r"two participants or more.*shape is \(30, 1\)"):
        noise_ceiling(np.zeros((30, 1)))


def test_nobody_shares_a_sentence() -> None:
    values = np.full((40, 2), np.nan)
    values[:20, 0] = values[20:, 1] = np.arange(20.0)
    with pytest.raises(InputError, match="no sentence has responses of two participants"):
        ceilings(tidy(values), seed=0)


def test_the_same_seed_gives_the_same_interval_whatever_the_other_regions() -> None:
    _, values = noisy(60, 4, 1.0)
    one = ceilings(tidy(values, "b"), seed=3, draws=50)
    table = pd.concat([tidy(values[::-1], "a"), tidy(values, "b")])
    two = ceilings(table, seed=3, draws=50).query("region == 'b'").reset_index(drop=True)
    pd.testing.assert_frame_equal(one, two)


def test_published_ceilings(tmp_path: Path) -> None:
    path = tmp_path / "nc.csv"
    path.write_text("roi,nc\nlang_LH_IFG,0.45\nlang_LH_netw,0.56\nlang_RH_netw,0.41\n")
    columns = {"region": "roi", "ceiling": "nc"}
    assert read_published(path, ["netw", "IFG"], columns, "lang_LH_") == {"netw": 0.56, "IFG": 0.45}
    with pytest.raises(InputError, match=r"no column 'region'"):
        read_published(path, ["IFG"])
    path.write_text("region,ceiling\nIFG,55.9\n")
    with pytest.raises(InputError, match=r"row 2: the ceiling is 55\.9"):
        read_published(path, ["IFG"])
    path.write_text("region,ceiling\nIFG,0.5\nIFG,0.6\n")
    with pytest.raises(InputError, match="row 3: a second ceiling"):
        read_published(path, ["IFG"])


def test_the_dataset_says_which_ceilings(tmp_path: Path) -> None:
    _, values = noisy(60, 4, 1.0)
    table = tidy(values)
    for choice in ("participants", "split_half"):
        found = dataset_ceilings(Dataset.of({"ceiling": choice, "regions": ["IFG"]}), table, seed=0)
        pd.testing.assert_frame_equal(found, ceilings(table, seed=0, method=choice))
    default = dataset_ceilings(Dataset.of({"regions": ["IFG"]}), table, seed=0)
    assert set(default["method"]) == {"participants"}
    path = tmp_path / "nc.csv"
    path.write_text("region,ceiling\nIFG,0.45\n")
    found = dataset_ceilings(Dataset.of({"ceiling": str(path), "regions": ["IFG"]}), table, seed=0)
    assert list(found["method"]) == ["published", *["participants"] * 4]
