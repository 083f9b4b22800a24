"""The way through the layers: against loops, closed forms, and walks that mean nothing."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.geometry import depth, registry
from geomod.geometry.depth import measure_depth, stable_rank_of
from geomod.geometry.registry import of_layers


def walk(n=30, width=8, layers=5, seed=0):
    """A residual random walk of n sentences, [layers, n, width]."""
    rng = np.random.default_rng(seed)
    return dict(enumerate(np.cumsum(rng.normal(size=(layers, n, width)), axis=0)))


def table_of(features, column="value"):
    table = measure_depth(features)
    return table.pivot_table(index="layer", columns="measure", values=column, dropna=False)


def angle(a, b):
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    return math.acos(min(1.0, max(-1.0, cosine)))


def by_loop(features, row):
    """Every measure of one sentence that is a mean over sentences, by layer."""
    x = [features[layer][row] for layer in features]
    last = len(x) - 1
    u = [x[k + 1] - x[k] for k in range(last)]
    size = np.linalg.norm
    ways = [sum(size(u[j]) for j in range(k)) for k in range(last + 1)]
    return {
        "update_ratio": [size(u[k]) / size(x[k]) for k in range(last)],
        "turning": [angle(x[k], x[k + 1]) for k in range(last)],
        "bending": [math.nan, *(angle(u[k - 1], u[k]) for k in range(1, last))],
        "acceleration": [math.nan, *(size(u[k] - u[k - 1]) for k in range(1, last))],
        "to_last": [math.cos(angle(x[k], x[-1])) for k in range(last + 1)],
        "length": ways,
        "straightness": [math.nan, *(size(x[k] - x[0]) / ways[k] for k in range(1, last + 1))],
    }


def test_every_mean_over_sentences_is_a_loop_over_them():
    features = walk()
    found = table_of(features)
    every = [by_loop(features, row) for row in range(30)]
    for name in every[0]:
        expected = np.mean([one[name] for one in every], axis=0)
        values = found[name].to_numpy()[: len(expected)]
        np.testing.assert_allclose(values, expected, rtol=1e-9, err_msg=name)


def test_what_sentences_share_against_their_definitions():
    features = walk(12, 40)
    found = table_of(features)
    for layer in range(4):
        u = features[layer + 1] - features[layer]
        singular = np.linalg.svd(u, compute_uv=False)
        expected = (singular**2).sum() / singular[0] ** 2
        assert found["stable_rank"][layer] == pytest.approx(expected)
        units = u / np.linalg.norm(u, axis=1, keepdims=True)
        mean = units.mean(axis=0)
        expected = (units @ mean / np.linalg.norm(mean)).mean()
        assert found["update_coherence"][layer] == pytest.approx(expected)
    assert found.loc[4, ["stable_rank", "turning", "update_ratio"]].isna().all()


def test_a_walk_in_many_dimensions_has_what_it_gives_for_nothing():
    table = measure_depth(walk(60, 4000, 8))
    close = table.dropna(subset="null")
    np.testing.assert_allclose(close["value"], close["null"], rtol=0.06)
    cosines = table[table["measure"] == "to_last"].set_index("layer")["null"]
    np.testing.assert_allclose(cosines, np.sqrt(np.arange(1, 9) / 8), rtol=0.02)
    turns = table[table["measure"] == "turning"].set_index("layer")["null"]
    expected = np.arccos(np.sqrt(np.arange(1, 8) / np.arange(2, 9)))
    np.testing.assert_allclose(turns[:7], expected, rtol=0.02)


def test_a_straight_way_is_not_a_walk():
    start, step = np.random.default_rng(0).normal(size=(2, 9, 20))
    table = measure_depth({layer: start + layer * step for layer in range(6)})
    found = table.pivot_table(index="layer", columns="measure", values=["value", "null"])
    np.testing.assert_allclose(found["value"]["bending"][1:5], 0, atol=1e-6)
    np.testing.assert_allclose(found["null"]["bending"][1:5], np.pi / 2)
    np.testing.assert_allclose(found["value"]["straightness"][1:], 1)
    np.testing.assert_allclose(found["null"]["straightness"][5], 1 / np.sqrt(5))
    np.testing.assert_allclose(found["value"]["acceleration"][1:5], 0, atol=1e-6)
    lengths = np.linalg.norm(step, axis=1).mean()
    assert found["value"]["length"][5] == pytest.approx(5 * lengths)


def test_stable_rank_of_one_direction_of_orthogonal_rows_and_of_noise():
    assert stable_rank_of(np.outer([1.0, 2, 3], [4.0, 5])) == pytest.approx(1)
    assert stable_rank_of(3 * np.eye(7, 20)) == pytest.approx(7)
    assert np.isnan(stable_rank_of(np.zeros((4, 3))))
    rng = np.random.default_rng(0)
    for shape in ((101, 512), (512, 101), (300, 300)):
        rows = rng.normal(size=shape)
        n, d = shape
        singular = np.linalg.svd(rows, compute_uv=False)
        assert stable_rank_of(rows) == pytest.approx((singular**2).sum() / singular[0] ** 2)
        assert stable_rank_of(rows) == pytest.approx(n * d / (n**0.5 + d**0.5) ** 2, rel=0.08)


@given(seed=st.integers(0, 1000), scale=st.floats(1e-2, 1e2))
@settings(max_examples=15, deadline=None)
def test_turning_and_scaling_changes_angles_and_ranks_not_at_all(seed, scale):
    features = walk(seed=seed)
    turn = np.linalg.qr(np.random.default_rng(seed + 1).normal(size=(8, 8)))[0]
    before, after = table_of(features), table_of({k: scale * x @ turn for k, x in features.items()})
    lengths = ["length", "acceleration"]
    np.testing.assert_allclose(after[lengths], scale * before[lengths], rtol=1e-7)
    rest = before.columns.difference(lengths)
    np.testing.assert_allclose(after[rest], before[rest], rtol=1e-7, atol=1e-9)


def test_small_pieces_change_nothing(monkeypatch):
    features = walk()
    whole = measure_depth(features)
    monkeypatch.setattr(depth, "STACK", 100)
    np.testing.assert_allclose(measure_depth(features)["value"], whole["value"])


def test_a_block_that_adds_nothing_has_no_direction():
    features = {k: x.astype(np.float32) for k, x in walk().items()}
    features[3] = features[2] * np.float32(1 + 1e-7)
    found = table_of(features)
    assert found["update_ratio"][2] == 0
    assert found["turning"][2] == pytest.approx(0, abs=1e-3)
    assert np.isnan([found["bending"][2], found["bending"][3], found["update_coherence"][2]]).all()
    with np.errstate(all="raise"):
        still = table_of({k: np.zeros((4, 3)) for k in range(3)})
    assert still[["turning", "to_last", "stable_rank"]].isna().all(axis=None)


def test_sentences_that_are_not_finite_are_counted_and_left_out():
    features = walk()
    broken = {k: x.copy() for k, x in features.items()}
    broken[2][4, 1] = np.inf
    found = measure_depth(broken)
    assert found["n"].eq(29).all()
    assert found["n_nonfinite"].eq(1).all()
    kept = {k: np.delete(x, 4, axis=0) for k, x in features.items()}
    np.testing.assert_allclose(found["value"], measure_depth(kept)["value"])
    nothing = measure_depth({k: np.full((3, 2), np.nan) for k in range(3)})
    assert nothing["value"].isna().all()
    assert measure_depth({0: features[0]})["value"].isna().all()


def test_a_measure_of_the_depth_is_a_function_and_a_line(monkeypatch):
    monkeypatch.setattr(registry, "LAYERS", dict(registry.LAYERS))

    @of_layers("norm")
    def norm(those):
        values = np.sqrt(those.squares).mean(axis=0)
        return values, values

    features = walk()
    expected = [np.linalg.norm(x, axis=1).mean() for x in features.values()]
    np.testing.assert_allclose(table_of(features)["norm"], expected)
    with pytest.raises(InputError, match="norm of layers is registered twice"):
        of_layers("norm")(norm)
