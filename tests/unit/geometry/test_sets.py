"""Spectra and intrinsic dimension of a set of sentences, and the similarity of layers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist

from geomod.geometry import sets
from geomod.geometry.sets import (
    Sentences,
    alpha_req,
    apart,
    depth_similarity,
    eigenvalues,
    gride_of,
    measure_population,
    merging,
    nearest,
    participation,
    rankme,
    tridiagonal,
    two_nn,
)


def features(n, width, seed=0):
    return np.random.default_rng(seed).normal(size=(n, width))


def table_of(rows):
    table = measure_population({0: rows})
    return table.set_index(["metric", "variant"])


@pytest.mark.parametrize(("n", "width"), [(30, 8), (8, 30), (12, 12)])
def test_eigenvalues_are_squared_singular_values(n, width):
    rows = features(n, width)
    expected = np.linalg.svd(rows, compute_uv=False) ** 2
    np.testing.assert_allclose(eigenvalues(*tridiagonal(rows @ rows.T)), expected)


def test_noise_eigenvalues_are_left_out():
    rows = features(50, 3) @ features(3, 20, 1)
    assert len(eigenvalues(*tridiagonal(rows @ rows.T))) == 3


def test_layers_are_compared_a_few_sentences_at_a_time(monkeypatch):
    layers = {k: features(30, 7, k) + k for k in range(3)}
    whole = depth_similarity(layers)
    monkeypatch.setattr(sets, "STACK", 3 * 30 * 4)
    pieces = depth_similarity(layers)
    np.testing.assert_allclose(pieces["cka"], whole["cka"], rtol=1e-12)
    np.testing.assert_allclose(pieces["cka_debiased"], whole["cka_debiased"], rtol=1e-9)


@pytest.mark.parametrize("shift", [0.0, 1e4])
@pytest.mark.parametrize(("n", "width"), [(30, 8), (8, 30), (12, 12), (2, 5), (3, 1)])
def test_both_spectra_are_right_however_far_the_mean_lies(n, width, shift):
    rows = features(n, width) + shift * np.arange(1.0, width + 1)
    those = Sentences(rows)
    apart = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False) ** 2
    np.testing.assert_allclose(those.covariance, apart[: min(n - 1, width)], rtol=1e-6)
    singular = np.linalg.svd(rows, compute_uv=False) ** 2
    np.testing.assert_allclose(those.spectrum[0], singular[0], rtol=1e-12)
    if not shift:  # otherwise the others are near the rounding noise of the first
        np.testing.assert_allclose(those.spectrum, singular, rtol=1e-9)


def test_a_single_sentence_has_a_length_and_no_spread():
    those = Sentences(np.array([[3.0, 4.0, 0.0]]))
    np.testing.assert_allclose(those.spectrum, [25.0])
    assert len(those.covariance) == 0


def test_rankme_of_equal_and_of_single_values():
    assert rankme(np.full(7, 3.0)) == pytest.approx(7)
    assert rankme(np.array([5.0])) == pytest.approx(1)
    weights = np.array([0.5, 0.25, 0.25])
    assert rankme(weights) == pytest.approx(np.exp(1.5 * np.log(2)))


def test_all_forms_of_rankme_are_what_they_say():
    rows = features(40, 9) + 3.0
    found = table_of(rows)["value"]
    singular = np.linalg.svd(rows, compute_uv=False)
    covariance = np.linalg.eigvalsh(np.cov(rows.T))
    for variant, spectrum in (("singular", singular), ("eigenvalues", covariance)):
        p = spectrum / spectrum.sum()
        assert found["rankme", variant] == pytest.approx(np.exp(-(p * np.log(p)).sum()))
    p = np.sqrt(covariance) / np.sqrt(covariance).sum()
    assert found["rankme", "centred-singular"] == pytest.approx(np.exp(-(p * np.log(p)).sum()))
    ratio = covariance.sum() ** 2 / (covariance**2).sum()
    assert found["set_participation_ratio", "raw"] == pytest.approx(ratio)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.3])
def test_alpha_of_an_exact_power_law(alpha):
    slope, r2 = alpha_req(np.arange(1, 200.0) ** -alpha)
    assert slope == pytest.approx(alpha)
    assert r2 == pytest.approx(1)


def test_alpha_is_a_weighted_fit_of_ranks_11_to_100():
    rng = np.random.default_rng(0)
    spectrum = np.sort(rng.lognormal(size=150))[::-1]
    ranks = np.arange(11, 101)
    # polyfit squares its weights.
    fit = np.polyfit(np.log(ranks), np.log(spectrum[10:100]), 1, w=ranks**-0.5)
    assert alpha_req(spectrum)[0] == pytest.approx(-fit[0])
    changed = spectrum.copy()
    changed[:10] *= 50
    changed[100:] /= 50
    assert alpha_req(changed) == pytest.approx(alpha_req(spectrum))


def test_alpha_of_ranks_12_to_100_is_the_public_fit():
    rows = features(150, 130)
    spectrum = np.sort(np.linalg.eigvalsh(np.cov(rows.T)))[::-1]
    ranks = np.arange(12, 101)
    fit = np.polyfit(np.log(ranks), np.log(spectrum[11:100]), 1, w=ranks**-0.5)
    found = table_of(rows)["value"]
    assert found["alpha_req", "alpha-from12"] == pytest.approx(-fit[0])
    assert found["alpha_req", "alpha"] != found["alpha_req", "alpha-from12"]


def test_too_few_ranks_have_no_alpha():
    assert np.isnan(alpha_req(np.arange(1, 20.0) ** -1)).all()
    assert np.isfinite(alpha_req(np.arange(1, 21.0) ** -1)).all()


def test_participation_of_equal_eigenvalues():
    assert participation(np.full(6, 0.3)) == pytest.approx(6)


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_two_nn_finds_the_dimension_of_a_flat_cube_in_space(dimension):
    cube = np.random.default_rng(dimension).random((2000, dimension))
    turn = np.linalg.qr(features(20, 20))[0][:dimension]
    rows = cube @ turn
    found, n = two_nn(nearest(rows @ rows.T))
    assert found == pytest.approx(dimension, rel=0.1)
    assert 1950 < n <= 2000


def test_two_nn_against_distances_one_by_one():
    rows = features(60, 4)
    distances = np.sqrt(((rows[:, None] - rows[None]) ** 2).sum(axis=2))
    first, second = np.sort(distances, axis=1)[:, 1:3].T
    ratio = np.sort(second / first)[:54]
    x, y = np.log(ratio), -np.log(1 - np.arange(1, 55) / 60)
    assert two_nn(nearest(rows @ rows.T))[0] == pytest.approx((x * y).sum() / (x * x).sum())


def most_likely(logs, k):
    """The dimension of the largest likelihood, as it is published, on a fine grid."""
    mu, n = np.exp(logs), len(logs)

    def likelihood(d):
        pushes = (k - 1) * np.log(mu**d - 1).sum() if k > 1 else 0.0
        return n * np.log(d) + pushes - ((2 * k - 1) * d + 1) * np.log(mu).sum()

    grid = np.linspace(0.3, 40, 20_000)
    return grid[np.argmax([likelihood(d) for d in grid])]


@pytest.mark.parametrize("k", [1, 2, 8])
@pytest.mark.parametrize("dimension", [1.0, 3.0, 20.0])
def test_gride_finds_the_dimension_that_was_planted_and_maximizes_the_likelihood(k, dimension):
    # Where the density is even, μ^−d is distributed as Beta(k, k).
    draws = np.random.default_rng(k).beta(k, k, size=4000)
    logs = -np.log(draws) / dimension
    assert gride_of(logs, k) == pytest.approx(dimension, rel=0.05)
    few = logs[:200]
    assert gride_of(few, k) == pytest.approx(most_likely(few, k), abs=0.003)


@given(
    k=st.sampled_from([1, 2, 4, 32]),
    logs=st.lists(st.floats(1e-9, 5), min_size=1, max_size=20),
    ties=st.integers(0, 20),
    scale=st.floats(1e-3, 1e3),
)
@settings(max_examples=50, deadline=None)
def test_gride_has_a_root_for_any_ratios_and_its_own_unit(k, logs, ties, scale):
    logs = np.array([*logs, *np.zeros(ties)])
    found = gride_of(logs, k)
    assert k / (2 * k - 1) <= found * logs.mean() * (1 + 1e-9) <= 1 + 2e-9
    assert gride_of(scale * logs, k) == pytest.approx(found / scale, rel=1e-9)


def test_gride_at_the_nearest_scale_is_one_over_the_mean_logarithm():
    rows = features(60, 4)
    distances = np.sqrt(((rows[:, None] - rows[None]) ** 2).sum(axis=2))
    first, second = np.sort(distances, axis=1)[:, 1:3].T
    expected = 60 / np.log(second / first).sum()
    found = table_of(rows)
    assert found.loc[("gride", "k1"), "value"] == pytest.approx(expected)
    ordered = np.sort(distances, axis=1)
    logs = np.log(ordered[:, 8] / ordered[:, 4])
    assert found.loc[("gride", "k4"), "value"] == pytest.approx(most_likely(logs, 4), abs=0.003)


@pytest.mark.parametrize("dimension", [2, 5, 10])
def test_gride_and_two_nn_agree_on_gaussians_of_known_dimension(dimension):
    turn = np.linalg.qr(features(40, 40))[0][:dimension]
    found = table_of(features(1000, dimension, dimension) @ turn)["value"]
    assert found["twonn", "raw"] == pytest.approx(dimension, rel=0.12)
    for k in (1, 2, 4):
        assert found["gride", f"k{k}"] == pytest.approx(dimension, rel=0.12)


def test_gride_sees_a_plane_behind_its_noise_at_a_larger_scale_only():
    rng = np.random.default_rng(0)
    plane = rng.random((1500, 2)) @ np.linalg.qr(features(30, 30))[0][:2]
    found = table_of(plane + rng.normal(scale=0.01, size=(1500, 30)))["value"]
    assert found["gride", "k1"] > 6
    assert found["gride", "k32"] < 3.5


def test_a_scale_needs_more_sentences_than_its_farther_neighbour():
    found = table_of(features(17, 5))
    assert np.isfinite(found.loc[("gride", "k8"), "value"])
    assert np.isnan(found.loc[("gride", "k16"), "value"])
    constant = table_of(np.ones((17, 5)))
    assert constant.loc["gride", "value"].isna().all()
    assert constant.loc["gride", "n"].eq(1).all()


def test_points_in_a_row_merge_at_one_distance():
    line = np.outer(np.arange(9.0), [3.0, 4.0])  # 5 apart; the median distance is 15
    found = table_of(line)
    deaths = merging(apart(line @ line.T))
    np.testing.assert_allclose(deaths, [5 / 15] * 8)
    assert found.loc[("persistence_h0", "total"), "value"] == pytest.approx(8 * 5 / 15)
    assert found.loc[("persistence_h0", "entropy"), "value"] == pytest.approx(np.log(8))


def test_merging_distances_are_the_edges_of_a_librarys_spanning_tree():
    rows = features(40, 5)
    distances = cdist(rows, rows)
    tree = np.sort(minimum_spanning_tree(distances).data)
    expected = tree / np.median(distances[np.triu_indices(40, 1)])
    np.testing.assert_allclose(merging(apart(rows @ rows.T)), expected, rtol=1e-9)
    repeated = np.concatenate([rows, rows[:7]])
    found = table_of(repeated).loc[("persistence_h0", "total")]
    assert (found["value"], found["n"]) == (pytest.approx(expected.sum()), 40)


def test_two_far_clusters_merge_at_the_distance_between_them():
    rows = np.concatenate([features(10, 3), 100 + features(10, 3, 1)])
    deaths = merging(apart(rows @ rows.T))
    assert deaths[-1] > 10 * deaths[-2]
    assert np.isnan(table_of(np.ones((5, 3))).loc["persistence_h0", "value"]).all()


def test_repeated_sentences_do_not_count_for_two_nn():
    rows = features(50, 4)
    repeated = np.concatenate([rows, rows[:9], rows[:2]])
    assert two_nn(nearest(repeated @ repeated.T)) == pytest.approx(two_nn(nearest(rows @ rows.T)))


@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
@settings(max_examples=20, deadline=None)
def test_turning_and_scaling_changes_no_measure(seed, scale):
    rows = features(130, 120, seed)
    turn = np.linalg.qr(features(120, 120, seed + 1))[0]
    before, after = table_of(rows)["value"], table_of(scale * rows @ turn)["value"]
    np.testing.assert_allclose(before, after, rtol=1e-6)


@given(seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_shifting_changes_no_measure_that_takes_the_mean_off_or_distances(seed):
    rows = features(60, 20, seed)
    before, after = table_of(rows)["value"], table_of(rows + 5 * features(1, 20, seed + 1))["value"]
    shifted = [name for name in before.index if name != ("rankme", "singular")]
    np.testing.assert_allclose(before[shifted], after[shifted], rtol=1e-6)


def test_sentences_that_are_not_finite_are_counted_and_left_out():
    rows = features(40, 6)
    broken = rows.copy()
    broken[3, 2], broken[7, 0] = np.nan, np.inf
    found = measure_population({0: broken, 1: np.full((40, 6), np.nan), 2: rows})
    assert found.query("layer == 0")["n_nonfinite"].eq(2).all()
    assert found.query("layer == 0")["n"].eq(38).all()
    kept = np.delete(rows, [3, 7], axis=0)
    expected = table_of(kept)["value"].to_numpy()
    np.testing.assert_allclose(found.query("layer == 0")["value"], expected)
    assert found.query("layer == 1")["value"].isna().all()
    assert found.query("layer == 1")["n_nonfinite"].eq(40).all()


class TestDepthSimilarity:
    def cka(self, x, y, column="cka"):
        table = depth_similarity({0: x, 1: y})
        return table.query("layer == 0 and other == 1")[column].item()

    def test_against_the_feature_form(self):
        x, y = features(300, 7), features(300, 5, 1)
        y[:, :3] += x[:, :3]
        a, b = x - x.mean(axis=0), y - y.mean(axis=0)
        expected = np.linalg.norm(a.T @ b) ** 2
        expected /= np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
        assert self.cka(x, y) == pytest.approx(expected)

    def test_debiased_against_its_definition(self):
        x, y = features(300, 7), features(300, 5, 1)
        y[:, :3] += x[:, :3]

        def hsic(k, m):
            k, m, n = k.copy(), m.copy(), len(k)
            np.fill_diagonal(k, 0)
            np.fill_diagonal(m, 0)
            one = np.ones(n)
            middle = (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
            return (np.trace(k @ m) + middle - 2 / (n - 2) * (one @ k @ m @ one)) / (n * (n - 3))

        a, b = x @ x.T, y @ y.T
        expected = hsic(a, b) / np.sqrt(hsic(a, a) * hsic(b, b))
        assert self.cka(x, y, "cka_debiased") == pytest.approx(expected)

    def test_a_turned_layer_is_the_same_and_a_random_one_is_not(self):
        x = features(80, 40)
        turn = np.linalg.qr(features(40, 40, 1))[0]
        assert self.cka(x, 3 * x @ turn + 1) == pytest.approx(1)
        assert self.cka(x, 3 * x @ turn + 1, "cka_debiased") == pytest.approx(1)
        # Half as many dimensions as sentences: only the debiased form sees that nothing is shared.
        other = features(80, 40, 2)
        assert self.cka(x, other) > 0.25
        assert abs(self.cka(x, other, "cka_debiased")) < 0.1

    def test_is_symmetric_with_ones_on_the_diagonal(self):
        table = depth_similarity({k: features(30, 4, k) for k in range(3)})
        square = table.pivot(index="layer", columns="other", values="cka").to_numpy()
        np.testing.assert_allclose(square, square.T)
        np.testing.assert_allclose(np.diagonal(square), 1)

    def test_sentences_that_are_not_finite_are_left_out(self):
        x, y = features(30, 4), features(30, 4, 1)
        broken = y.copy()
        broken[5] = np.inf
        keep = np.arange(30) != 5
        assert self.cka(x, broken) == pytest.approx(self.cka(x[keep], y[keep]))
        assert np.isnan(self.cka(x, np.full_like(y, np.nan)))

    def test_a_constant_layer_has_no_similarity(self):
        assert np.isnan(self.cka(features(30, 4), np.ones((30, 4))))


@pytest.mark.parametrize(
    ("power", "of_eigenvalues", "of_singular", "share"),
    [(1, 117.2, 409.6, 28.3), (2, 5.06, 117.2, 2.49)],
)
def test_dimensions_of_power_laws(power, of_eigenvalues, of_singular, share):
    spectrum = np.arange(1, 513.0) ** -power
    assert rankme(spectrum) == pytest.approx(of_eigenvalues, rel=2e-3)
    assert rankme(np.sqrt(spectrum)) == pytest.approx(of_singular, rel=2e-3)
    assert participation(spectrum) == pytest.approx(share, rel=2e-3)
