"""Clusterings against libraries and exhaustive search, modules against planted ones."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import stirling2
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

from geomod.modules.clusters import (
    adjusted_rand,
    contiguous,
    dispersion,
    kmeans,
    silhouette,
    standardize,
    ward,
    ways,
)
from geomod.modules.partition import (
    COLUMNS,
    Gaps,
    chance_agreement,
    find_modules,
    partition,
    persistence,
    select_k,
    smooth_null,
)


@pytest.fixture
def clouds() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((20, 9, 2))


def least_dispersion(points: np.ndarray, k: int) -> float:
    """Of all labelings, also those that leave a label out."""
    labels = np.array(list(product(range(k), repeat=len(points))))
    return float(dispersion(np.broadcast_to(points, (len(labels), *points.shape)), labels, k).min())


@pytest.mark.parametrize("k", [2, 3, 4])
@given(
    arrays(
        float,
        st.tuples(st.just(3), st.integers(4, 7), st.integers(1, 3)),
        elements=st.one_of(st.integers(-2, 2).map(float), st.floats(-5, 5)),
    )
)
@settings(max_examples=60, deadline=None)
def test_kmeans_finds_the_best_of_all_labelings_of_few_points(k: int, points: np.ndarray) -> None:
    """Points on a grid lie on each other and on lines; others anywhere."""
    found = dispersion(points, kmeans(points, k), k)
    np.testing.assert_allclose(found, [least_dispersion(p, k) for p in points], atol=1e-9)


labelings = st.integers(1, 12).flatmap(
    lambda n: st.tuples(*2 * [st.lists(st.integers(0, 3), min_size=n, max_size=n)])
)


@given(labelings)
def test_agreement_of_two_labelings_is_that_of_scikit_learn(labelings: tuple) -> None:
    first, second = map(np.array, labelings)
    assert adjusted_rand(first, second) == adjusted_rand_score(first, second)


@pytest.mark.parametrize("layers", [12, 14])
def test_two_clusters_of_many_points_are_the_best_of_all(layers: int) -> None:
    """Smooth profiles with noise, walks, and points without any order."""
    rng = np.random.default_rng(layers)
    depth, draws = np.linspace(0, 1, layers), rng.standard_normal((3, 15, layers, 2))
    profiles = np.stack([depth, depth**2], axis=1) + 0.2 * draws[0]
    points = standardize(np.concatenate([profiles, draws[1].cumsum(axis=1), draws[2]]))
    every = ways(layers, 2)
    assert len(every) == 2 ** (layers - 1) - 1
    best = [dispersion(np.broadcast_to(p, (len(every), *p.shape)), every, 2).min() for p in points]
    np.testing.assert_allclose(dispersion(points, kmeans(points, 2), 2), best)


def test_many_clusters_of_many_points_are_seldom_beaten() -> None:
    rng = np.random.default_rng(0)
    points = standardize(rng.standard_normal((15, 20, 2)))
    found = dispersion(points, kmeans(points, 3), 3)
    best = [KMeans(3, n_init=20, random_state=0).fit(p).inertia_ for p in points]
    assert (found <= dispersion(points, contiguous(points, 3), 3) + 1e-9).all()
    assert np.isclose(found, best).mean() >= 0.8


def test_a_clustering_does_not_depend_on_its_company(clouds: np.ndarray) -> None:
    """Nulls are clustered many at once, the layers alone."""
    for k in (2, 3, 4):
        alone = np.concatenate([kmeans(points[None], k) for points in clouds])
        np.testing.assert_array_equal(kmeans(clouds, k), alone)


def test_every_way_to_split_is_counted_once() -> None:
    for n, k in ((2, 2), (5, 3), (6, 1), (7, 4)):
        every = {tuple(row) for row in ways(n, k)}
        assert len(every) == len(ways(n, k)) == stirling2(n, k, exact=True)
        assert all(set(row) == set(range(k)) for row in every)


def test_contiguous_finds_the_best_of_all_runs(clouds: np.ndarray) -> None:
    labels = contiguous(clouds, 3)
    runs = [np.repeat([0, 1, 2], [i, j - i, 9 - j]) for i in range(1, 8) for j in range(i + 1, 9)]
    for points, found in zip(clouds, labels, strict=True):
        assert (np.diff(found) >= 0).all()
        best = min(dispersion(points[None], run[None], 3)[0] for run in runs)
        np.testing.assert_allclose(dispersion(points[None], found[None], 3)[0], best)


def test_ward_is_scikit_learns(clouds: np.ndarray) -> None:
    for points, labels in zip(clouds, ward(clouds, 3), strict=True):
        other = AgglomerativeClustering(3, linkage="ward").fit_predict(points)
        assert adjusted_rand_score(labels, other) == 1


def test_silhouette_is_scikit_learns(clouds: np.ndarray) -> None:
    labels = kmeans(clouds, 3)
    expected = [silhouette_score(p, each) for p, each in zip(clouds, labels, strict=True)]
    np.testing.assert_allclose(silhouette(clouds, labels, 3), expected)


def test_a_point_alone_counts_nothing() -> None:
    points = np.array([[[0.0], [1.0], [1.0]]])
    assert silhouette(points, np.array([[0, 1, 1]]), 2)[0] == pytest.approx(2 / 3)
    assert np.isnan(silhouette(points, np.array([[0, 0, 0]]), 2)[0])


def test_standardize_leaves_a_constant_at_zero() -> None:
    points = standardize(np.column_stack([np.full(5, 0.1) + 1e-17, np.arange(5.0)]))
    assert (points[:, 0] == 0).all()
    np.testing.assert_allclose(points[:, 1].std(), 1)


def test_the_null_follows_the_trend_of_the_data() -> None:
    rng = np.random.default_rng(0)
    depth = np.linspace(0, 1, 12)
    cloud = np.column_stack([depth + depth**2, -depth]) + 0.1 * rng.standard_normal((12, 2))
    smooth = smooth_null(cloud, 4000, rng)
    basis = np.vander(depth, 3)
    trend = basis @ np.linalg.lstsq(basis, cloud, rcond=None)[0]
    np.testing.assert_allclose(smooth.mean(axis=0), trend, atol=0.02)


def layered(low: np.ndarray, noise: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([-low, -low]) + noise * rng.standard_normal((len(low), 2))


def test_two_modules_are_two_and_a_gradient_is_one() -> None:
    step = (np.arange(16) >= 9).astype(float)
    found = [
        partition(layered(step, 0.1, i), "auto", rng=np.random.default_rng(i)) for i in range(4)
    ]
    assert all(each.k_selected == 2 and each.p < 0.05 for each in found)
    assert all(adjusted_rand_score(each.labels, 1 - step) == 1 for each in found)
    gradient = np.linspace(0, 1, 16)
    none = [
        partition(layered(gradient, 0.1, i), "auto", rng=np.random.default_rng(i), draws=39)
        for i in range(20)
    ]
    assert sum(each.k_selected > 1 for each in none) <= 4  # 5 % of 20 is 1; P(> 4) = .003
    k2 = [
        partition(layered(gradient, 0.1, i), rng=np.random.default_rng(i), draws=49)
        for i in range(5)
    ]
    # A gradient gives a silhouette that would pass for modules, and does not beat its null.
    assert all(each.silhouette > 0.45 for each in k2)
    assert np.mean([each.p for each in k2]) > 0.2


@pytest.mark.parametrize("method", ["kmeans", "gaussian_mixture", "ward", "contiguous"])
def test_every_method_finds_planted_modules(method: str) -> None:
    step = (np.arange(10) >= 4).astype(float)
    rng = np.random.default_rng(0)
    found = partition(layered(step, 0.05, 0), method=method, rng=rng, draws=19)
    np.testing.assert_array_equal(found.labels, 1 - step)


def test_draws_of_a_null_do_not_change_what_comes_after_it() -> None:
    cloud = np.random.default_rng(0).standard_normal((9, 2))
    few, more = (partition(cloud, rng=np.random.default_rng(0), draws=n) for n in (20, 60))
    np.testing.assert_array_equal(few.labels, more.labels)
    np.testing.assert_array_equal(few.null, more.null[:20])


def test_several_models_ask_together_for_what_none_asks_for_alone() -> None:
    null = np.linspace(-1, 1, 39)
    alone: Gaps = {2: (0.9, null), 3: (0.1, null)}
    draws = np.random.default_rng(0)
    models: list[Gaps] = [
        {size: (gap, draws.permutation(values)) for size, (gap, values) in alone.items()}
        for _ in range(8)
    ]
    assert [select_k([each]) for each in models] == [1] * 8
    assert select_k(models) == 2
    assert select_k([*models, {4: (3.0, null)}]) == 4
    assert select_k([]) == 1


@pytest.mark.parametrize(("layers", "k"), [(1, 2), (2, 2), (3, 3)])
def test_a_layer_each_is_no_module(layers: int, k: int) -> None:
    cloud = np.random.default_rng(0).standard_normal((layers, 2))
    found = partition(cloud, k, rng=np.random.default_rng(0))
    assert not found.labels.any()
    assert found.k_selected == 1


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_few_or_equal_layers_have_no_p(layers: int) -> None:
    rng = np.random.default_rng(0)
    found = partition(rng.standard_normal((layers, 2)), rng=rng)
    assert np.isnan(found.p)
    assert found.k_selected == 1
    same = partition(np.ones((8, 2)), rng=rng)
    assert same.k_selected == 1
    assert np.isnan(same.silhouette)


def geometry_of(steps: list[int], layers: int, emerges: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for step in steps:
        for layer in range(layers + 1):
            level = -float(layer > layers // 2) * (step >= emerges)
            for metric, variant in (("entropy", "raw"), ("curvature", "hosseini")):
                value = level + 0.02 * rng.standard_normal()
                rows.append(("a-1", step, layer, metric, variant, value))
    return pd.DataFrame(rows, columns=["model", "step", "layer", "metric", "variant", "mean"])


def test_table_names_modules_and_when_they_stay() -> None:
    geometry = geometry_of([0, 1, 10, 100, 1000], 8, emerges=10)
    table = find_modules(geometry, null_draws=19, seed=3)
    assert list(table.columns) == COLUMNS
    assert set(table["layer"]) == set(range(1, 9))
    final = table[table["step"] == 1000].set_index("layer")["module"]
    assert list(final) == ["high"] * 4 + ["low"] * 4
    kept = persistence(table).iloc[0]
    assert kept["persists_from"] <= 10
    assert kept["agreement"] == 1
    pd.testing.assert_frame_equal(table, find_modules(geometry, null_draws=19, seed=3))


def test_nothing_in_gives_an_empty_table() -> None:
    empty = find_modules(geometry_of([0], 2, 0).iloc[:0])
    assert list(empty.columns) == COLUMNS
    assert persistence(empty).empty


def test_chance_agreement_is_a_quarter() -> None:
    assert chance_agreement(12) == pytest.approx(0.25, abs=0.05)


def test_methods_agree_on_modules_that_are_there() -> None:
    table = find_modules(geometry_of([0, 1000], 8, emerges=10), null_draws=0)
    there = table.set_index("step")["methods_agreement"].groupby("step").first()
    assert there[1000] == 1
    assert there[0] < 1
    one = find_modules(geometry_of([1000], 8, emerges=10), k=1, null_draws=0)
    assert one["methods_agreement"].isna().all()
