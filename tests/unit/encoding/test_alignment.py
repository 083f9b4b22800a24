"""RSA, CKA and the geo-topological transform against closed forms and plain loops."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import rankdata, spearmanr

from geomod.encoding.alignment import (
    Dissimilarity,
    arrange,
    dissimilarities,
    geo_topological,
    linear_cka,
    rsa,
    trsa,
)


def gaussian(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_rsa_is_the_rank_correlation_of_pairwise_distances() -> None:
    x, y = gaussian(0, 12, 5), gaussian(1, 12, 1)
    pairs = [(i, j) for i in range(12) for j in range(i + 1, 12)]
    of_x = [1 - np.corrcoef(x[i], x[j])[0, 1] for i, j in pairs]
    of_y = [abs(y[i, 0] - y[j, 0]) for i, j in pairs]
    expected = np.corrcoef(rankdata(of_x), rankdata(of_y))[0, 1]
    assert rsa(x, y) == pytest.approx(expected, abs=1e-12)


def test_linear_cka_is_the_normalized_hsic() -> None:
    x, y = gaussian(0, 20, 30), gaussian(1, 20, 3)
    h = np.eye(20) - 1 / 20
    k, m = h @ x @ x.T @ h, h @ y @ y.T @ h
    expected = np.trace(k @ m) / np.sqrt(np.trace(k @ k) * np.trace(m @ m))
    assert linear_cka(x, y) == pytest.approx(expected, abs=1e-12)
    assert linear_cka(x[:, :4], y) == pytest.approx(linear_cka(y, x[:, :4]), abs=1e-12)


@given(seed=st.integers(0, 10_000), width=st.integers(2, 30), scale=st.floats(0.01, 100))
def test_rotating_scaling_and_shifting_change_nothing(seed: int, width: int, scale: float) -> None:
    x, y = gaussian(seed, 15, width), gaussian(seed + 1, 15, 20)
    rotation = np.linalg.qr(gaussian(seed + 2, width, width))[0]
    turned = scale * x @ rotation + 3
    assert_allclose(linear_cka(turned, y), linear_cka(x, y), atol=1e-9)
    assert_allclose(
        rsa(turned, y, "euclidean"), rsa(x, y, "euclidean"), atol=1e-2
    )  # rounding may swap the ranks of two equal distances
    assert linear_cka(x, turned) == pytest.approx(1, abs=1e-9)
    assert rsa(x, x, "euclidean") == pytest.approx(1)


def test_the_transform_keeps_the_middle_and_flattens_both_ends() -> None:
    d = np.arange(101.0)
    found = geo_topological(d, 0.2, 0.6)
    assert (found[:21] == 0).all()
    assert (found[60:] == 1).all()
    assert_allclose(found[20:61], np.linspace(0, 1, 41))


def test_without_flattening_trsa_is_rsa() -> None:
    x, y = gaussian(0, 12, 5), gaussian(1, 12, 4)
    assert trsa(x, y, low=0, high=1) == pytest.approx(rsa(x, y), abs=1e-12)
    assert trsa(x, y) != pytest.approx(rsa(x, y), abs=1e-3)


def test_trsa_is_the_rank_correlation_of_transformed_dissimilarities() -> None:
    """Repeated rows make ties, as sentences that end in one token do in the embedding layer."""
    x, y = gaussian(0, 14, 5), gaussian(1, 14, 1)
    x[7:] = x[:7]
    d, e = (
        geo_topological(dissimilarities(v, k)) for v, k in ((x, "correlation"), (y, "euclidean"))
    )
    assert trsa(x, y) == pytest.approx(spearmanr(d, e).statistic, abs=1e-12)


def test_two_values_split_at_equal_quantiles() -> None:
    assert geo_topological([1.0, 1.0, 1.0, 1.0, 2.0], 0.1, 0.5).tolist() == [0, 0, 0, 0, 1]


def test_what_does_not_vary_has_no_alignment() -> None:
    x = gaussian(0, 10, 3)
    flat = np.ones((10, 2))
    assert np.isnan(linear_cka(x, flat))
    assert np.isnan(rsa(x, flat))
    assert np.isnan(trsa(x, flat))


def test_impossible_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="no correlation"):
        dissimilarities(np.ones((4, 1)))
    with pytest.raises(ValueError, match="same rows"):
        rsa(np.ones((4, 2)), np.ones((5, 2)))
    with pytest.raises(ValueError, match="low < high"):
        geo_topological([1.0, 2.0], 0.5, 0.5)


def test_an_arrangement_takes_four_bytes_a_pair_and_little_while_it_is_made() -> None:
    x = gaussian(0, 400, 1)
    tracemalloc.start()
    kept = arrange(x, "euclidean")
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    pairs = 400 * 399 // 2
    assert kept.doubled.nbytes == 4 * pairs
    assert held < 5 * pairs
    assert most < 45 * pairs


@given(seed=st.integers(0, 10_000), low=st.floats(0, 0.4), high=st.floats(0.6, 1))
def test_trsa_is_the_rank_correlation_of_what_the_transform_makes(
    seed: int, low: float, high: float
) -> None:
    def ranks(d: np.ndarray) -> np.ndarray:
        found, flat = rankdata(d), geo_topological(d, low, high)
        for end in (0, 1):
            if (flat == end).any():
                found[flat == end] = found[flat == end].mean()
        return found

    x, y = gaussian(seed, 12, 3).round(), gaussian(seed + 1, 12, 1).round()
    kind: Dissimilarity = "sqeuclidean"  # whole numbers: ties are ties, not nearly
    of_x, of_y = ranks(dissimilarities(x, kind)), ranks(dissimilarities(y, kind))
    if np.ptp(of_x) > 0 and np.ptp(of_y) > 0:
        expected = np.corrcoef(of_x, of_y)[0, 1]
        assert trsa(x, y, kind, kind, low, high) == pytest.approx(expected, abs=1e-9)
