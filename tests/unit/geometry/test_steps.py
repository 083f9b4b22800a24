"""How far a layer moves from one step to another, and how fast."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.base.tables import read_table, write_table
from geomod.geometry import registry
from geomod.geometry.grams import Grams
from geomod.geometry.registry import of_steps
from geomod.geometry.sets import depth_similarity
from geomod.geometry.steps import flows, moves, pairs_of, speed_of_training


def features(n, width, seed=0):
    return np.random.default_rng(seed).normal(size=(n, width))


def between(before, after):
    return moves({0: before}, {0: after}).set_index("measure")["value"]


def turned(rows, seed=1):
    width = rows.shape[1]
    return rows @ np.linalg.qr(features(width, width, seed))[0]


@pytest.mark.parametrize(("n", "width"), [(40, 12), (12, 40)])
def test_both_measures_against_their_definitions(n, width):
    x, y = features(n, width), features(n, width + 3, 1)
    y[:, :5] += x[:, :5]
    found = between(x, y)
    a, b = (z - z.mean(axis=0) for z in (x, y))
    overlap = np.linalg.norm(a.T @ b, "nuc") / np.linalg.norm(a) / np.linalg.norm(b)
    assert found["procrustes"] == pytest.approx(np.arccos(overlap), abs=1e-9)
    other = y[np.random.default_rng(0).permutation(n)]
    assert found["procrustes_shuffled"] == pytest.approx(between(x, other)["procrustes"], abs=1e-9)
    layers = depth_similarity({0: x, 1: y}).set_index(["layer", "other"])
    assert found["cka_debiased"] == pytest.approx(layers["cka_debiased"][0, 1], abs=1e-9)


@pytest.mark.parametrize(
    ("n", "width", "angle"), [(300, 512, 0.55), (1000, 64, 1.36)], ids=["few", "many"]
)
def test_what_shares_nothing_is_as_far_as_what_is_shuffled_and_that_is_no_right_angle(
    n, width, angle
):
    found = between(features(n, width), features(n, width, 1))
    assert found["procrustes"] == pytest.approx(angle, abs=0.01)
    assert found["procrustes_shuffled"] == pytest.approx(angle, abs=0.01)
    assert found["cka_debiased"] == pytest.approx(0, abs=0.05)


@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3), wide=st.booleans())
@settings(max_examples=20, deadline=None)
def test_rotation_scale_and_shift_of_either_step_change_nothing(seed, scale, wide):
    shape = (12, 30) if wide else (30, 12)
    x, y = features(*shape, seed), features(*shape, seed + 1)
    moved = scale * turned(y + 2 * x, seed) + features(1, shape[1], seed + 2)
    np.testing.assert_allclose(between(x, moved), between(x, y + 2 * x), atol=1e-7)
    still = between(x, scale * turned(x, seed) + features(1, shape[1], seed + 2))
    assert still["procrustes"] == pytest.approx(0, abs=1e-6)
    assert still["cka_debiased"] == pytest.approx(1, abs=1e-9)


def test_few_strong_directions_hide_no_angle_and_make_none():
    strong = np.arange(1, 81) ** -1.5 * np.r_[50, np.ones(79)]
    x = features(40, 80) * strong
    assert between(x, turned(x))["procrustes"] == pytest.approx(0, abs=1e-5)
    y = turned(x) + 0.1 * features(40, 80, 2) * strong
    a, b = (z - z.mean(axis=0) for z in (x, y))
    overlap = np.linalg.norm(a.T @ b, "nuc") / np.linalg.norm(a) / np.linalg.norm(b)
    assert between(x, y)["procrustes"] == pytest.approx(np.arccos(overlap), abs=1e-5)


@pytest.mark.parametrize("angle", [0.1, 0.7, 1.4])
def test_a_planted_angle_comes_back(angle):
    # Two directions with sentence scores that are orthogonal: cos of one becomes the overlap.
    scores = np.linalg.qr(np.column_stack([np.ones(20), features(20, 2)]))[0][:, 1:]
    after = scores[:, :1] * np.cos(angle) + scores[:, 1:] * np.sin(angle)
    assert between(scores[:, :1], after)["procrustes"] == pytest.approx(angle, abs=1e-9)


def test_speed_is_the_angle_over_the_decades_between_the_steps():
    held = {step: {0: features(30, 8, step), 1: turned(features(30, 8))} for step in (0, 9, 999)}
    table = speed_of_training([999, 0, 9], held.__getitem__)
    pairs = table[["step", "next"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [[0, 9], [9, 999], [0, 999]]
    found = table.set_index(["next", "step", "layer", "measure"]).sort_index()
    for (later, step), decades in {(9, 0): 1, (999, 9): 2, (999, 0): 3}.items():
        rows = found.loc[later, step, 0]
        angle = np.arccos(rows["value"]["cka_debiased"])
        assert rows["speed"]["cka_debiased"] == pytest.approx(angle / decades)
        assert rows["speed"]["procrustes"] == pytest.approx(rows["value"]["procrustes"] / decades)
        assert found.loc[later, step, 1]["speed"]["cka_debiased"] == pytest.approx(0, abs=1e-6)


def test_every_step_meets_the_next_and_the_last_once():
    assert pairs_of([4, 1, 2, 3]) == [(1, 2), (2, 3), (3, 4), (1, 4), (2, 4)]
    assert pairs_of([7]) == []


def test_one_step_has_no_speed_but_a_table_that_can_be_written(tmp_path):
    one = speed_of_training([5], {5: {0: features(9, 3)}}.__getitem__)
    write_table(one.assign(dataset="d", model="m"), tmp_path / "one.parquet", "speed")
    assert read_table(tmp_path / "one.parquet").empty
    both = speed_of_training([5, 6], {s: {0: features(9, 3, s)} for s in (5, 6)}.__getitem__)
    write_table(both.assign(dataset="d", model="m"), tmp_path / "both.parquet", "speed")
    assert len(read_table(tmp_path / "both.parquet")) == len(registry.STEPS)


def test_sentences_that_are_not_finite_at_a_step_are_counted_and_left_out():
    x, y = features(30, 6), features(30, 6, 1)
    broken, other = x.copy(), y.copy()
    broken[3, 2], other[7, 0] = np.nan, np.inf
    found = moves({0: broken, 1: x, 2: x}, {0: other, 1: np.full_like(y, np.nan), 2: y})
    assert found.query("layer == 0")["n"].eq(28).all()
    assert found.query("layer == 0")["n_nonfinite"].eq(2).all()
    expected = between(np.delete(x, [3, 7], 0), np.delete(y, [3, 7], 0))
    np.testing.assert_allclose(found.query("layer == 0")["value"], expected)
    assert found.query("layer == 1")["value"].isna().all()
    assert found.query("layer == 1")["n"].eq(0).all()
    np.testing.assert_allclose(found.query("layer == 2")["value"], between(x, y))


@pytest.mark.parametrize("constant", [1.0, 0.1, 1234.567])
def test_features_that_are_the_same_for_all_sentences_do_not_move(constant):
    same = np.full((30, 5), constant, dtype=np.float32)
    with np.errstate(all="raise"):
        assert between(same, features(30, 5)).isna().all()


def test_a_measure_of_your_own_is_a_function_and_a_line(monkeypatch):
    monkeypatch.setattr(registry, "STEPS", dict(registry.STEPS))

    @of_steps("same_order", angle=lambda share: np.pi * (1 - share))
    def same_order(pair):
        return float((np.argsort(pair.before[:, 0]) == np.argsort(pair.after[:, 0])).mean())

    rows = features(10, 1)
    found = moves({0: rows}, {0: 3 * rows}).set_index("measure").loc["same_order"]
    assert (found["value"], found["angle"]) == (1, 0)
    with pytest.raises(InputError, match="same_order of two steps is registered twice"):
        of_steps("same_order")(same_order)


LENGTHS = (5, 5, 5, 5, 7, 7, 7, 3, 9)


def ways(seed, lengths=LENGTHS, width=16):
    """Tokens of sentences, and the Grams of them."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(length, width)) for length in lengths]


def flow(before, after):
    grams = [{0: Grams.of_states(states)} for states in (before, after)]
    return flows(*grams).set_index("measure")


def test_flow_against_a_loop_over_the_sentences():
    before, after = ways(0), ways(1)
    for a, b in zip(before, after, strict=True):
        b += a

    def cosines(states):
        steps = np.diff(states, axis=0)
        steps /= np.linalg.norm(steps, axis=1, keepdims=True)
        return steps @ steps.T

    expected = {"flow": [], "flow_mismatched": []}
    for length in (5, 7):
        mine, theirs = (
            [cosines(x) for x in states if len(x) == length] for states in (before, after)
        )
        mine, theirs = ([k - np.mean(ks, axis=0) for k in ks] for ks in (mine, theirs))
        for i, k in enumerate(mine):
            for name, other in (("flow", theirs[i]), ("flow_mismatched", theirs[i - 1])):
                overlap = (k * other).sum() / np.linalg.norm(k) / np.linalg.norm(other)
                expected[name].append(overlap)
    found = flow(before, after)
    assert found["n"].eq(7).all()  # the sentences of 3 and of 9 tokens are alone
    for name, values in expected.items():
        assert found["value"][name] == pytest.approx(np.mean(values), abs=1e-9)
        assert found["angle"][name] == pytest.approx(np.arccos(np.mean(values)), abs=1e-7)


@given(seed=st.integers(0, 1000), scale=st.floats(1e-2, 1e2))
@settings(max_examples=15, deadline=None)
def test_ways_that_are_turned_scaled_and_shifted_are_the_same(seed, scale):
    states = ways(seed)
    turn = np.linalg.qr(features(16, 16, seed))[0]
    moved = [scale * tokens @ turn + features(1, 16, seed + 1) for tokens in states]
    assert flow(states, moved)["value"]["flow"] == pytest.approx(1, abs=1e-9)


def test_ways_that_share_nothing_are_not_alike_though_the_dimensions_are_many():
    lengths = (12,) * 60
    before, after = ways(0, lengths, 512), ways(1, lengths, 512)
    found = flow(before, after)["value"]
    assert found["flow"] == pytest.approx(0, abs=0.05)
    assert found["flow_mismatched"] == pytest.approx(0, abs=0.05)


def test_sentences_whose_ways_are_not_known_are_counted_and_left_out():
    before, after = ways(0), ways(1)
    after[1][2, 3] = np.nan
    found = flow(before, after)
    assert found["n_nonfinite"].eq(1).all()
    keep = [i for i in range(len(LENGTHS)) if i != 1]
    kept = flow([before[i] for i in keep], [after[i] for i in keep])
    np.testing.assert_allclose(found["value"], kept["value"])
    still = [np.ones((4, 3))] * 3
    with np.errstate(all="raise"):
        assert flow(still, still)["value"].isna().all()
        assert flow(ways(0, (1, 1, 2, 2)), ways(1, (1, 1, 2, 2)))["value"].isna().all()


def test_a_step_that_diverged_as_a_whole_has_no_flow():
    before, after = ways(0), ways(1)
    for states in after:
        states[0, 0] = np.nan
    found = flow(before, after)
    assert found["value"].isna().all()
    assert found["n_nonfinite"].eq(len(LENGTHS)).all()
