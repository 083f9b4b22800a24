"""Checkpoints that do not lie on their trajectory are found, healthy ones are left in peace."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from geomod.checkpoints.continuity import (
    WIDTH,
    Sketch,
    continuity,
    distances,
    read_sketch,
    sketch,
    write_sketch,
)

SHAPES = {"embed": (40, 64), "bias": (48,), "dense": (64, 64), "norm": (16,), "out": (64, 40)}
State = dict[str, NDArray[np.float32]]


def start(seed: int) -> State:
    rng = np.random.default_rng([seed, 0])
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


def drift(state: State, step: int) -> State:
    """Towards a goal, slowing down: what training looks like from afar."""
    goal = start(999)
    share = 1 - np.exp(-step / 3000)
    return {name: ((1 - share) * w + share * goal[name]) for name, w in state.items()}


def rest(state: State, step: int) -> State:
    """Noise about a point that is reached: no two steps are nearer than any others."""
    rng = np.random.default_rng([2, step])
    return {n: (w + 0.1 * rng.normal(size=w.shape)).astype(np.float32) for n, w in state.items()}


def random_walk(state: State, step: int) -> State:
    rng = np.random.default_rng(1)
    walked = dict(state)
    for _ in range(step // 100):
        walked = {
            name: (w + 0.02 * rng.normal(size=w.shape)).astype(np.float32)
            for name, w in walked.items()
        }
    return walked


STEPS = [0, 100, 200, 400, 800, 1600, 3000, 4000, 5000]


def path(walk: Callable[[State, int], State], seed: int = 0) -> dict[int, State]:
    return {step: walk(start(seed), step) for step in STEPS}


def flagged(states: dict[int, State]) -> list[int]:
    table = continuity({step: sketch(state.items()) for step, state in states.items()})
    return table.loc[table["off_trajectory"], "step"].tolist()


@given(st.integers(1, 3000), st.integers(0, 2**32 - 1))
def test_norms_are_exact_and_small_tensors_are_kept(size: int, seed: int) -> None:
    tensor = np.random.default_rng(seed).normal(size=size).astype(np.float32)
    values = sketch([("w", tensor)])["w"]
    norm = np.linalg.norm(tensor.astype(np.float64))
    assert values[-1] == pytest.approx(norm, rel=1e-6)
    if size <= WIDTH:
        assert np.linalg.norm(values[:-1]) == pytest.approx(norm, rel=1e-5)


def test_distances_are_kept_as_well_as_promised() -> None:
    rng = np.random.default_rng(0)
    ratios = []
    for name in map(str, range(200)):
        one, two = rng.normal(size=(2, 300, 70))
        difference = sketch([(name, one)])[name] - sketch([(name, two)])[name]
        ratios.append(np.linalg.norm(difference[:-1]) / np.linalg.norm(one - two))
    assert np.mean(ratios) == pytest.approx(1, abs=0.02)
    assert np.std(ratios) == pytest.approx(1 / np.sqrt(2 * WIDTH), rel=0.3)


def test_sketch_is_linear_and_the_same_whenever_it_is_taken() -> None:
    one, two = start(0)["dense"], start(1)["dense"]
    both = sketch([("w", one + two)])["w"][:-1]
    apart = sketch([("w", one)])["w"][:-1] + sketch([("w", two)])["w"][:-1]
    np.testing.assert_allclose(both, apart, atol=1e-4)
    assert not np.array_equal(sketch([("v", one)])["v"], sketch([("w", one)])["w"])


def test_distances_against_a_loop() -> None:
    sketches: list[Sketch] = [sketch(start(seed).items()) for seed in range(3)]
    names, found = distances(sketches)
    assert names == sorted(SHAPES)
    for row, name in enumerate(names):
        largest = max(values[name][-1] for values in sketches)
        for i in range(3):
            for j in range(3):
                direct = np.linalg.norm(sketches[i][name][:-1] - sketches[j][name][:-1]) / largest
                assert found[row, i, j] == pytest.approx(direct, rel=1e-5)


@pytest.mark.parametrize("walk", [drift, random_walk, rest])
def test_healthy_training_is_left_in_peace(walk: Callable[[State, int], State]) -> None:
    assert flagged(path(walk)) == []


@pytest.mark.parametrize("steps", [[0, 1, 5000], [0, 4000, 4001], [0, 1, 2, 10_000]])
def test_a_long_way_to_either_end_is_no_jump(steps: list[int]) -> None:
    assert flagged({step: drift(start(0), step) for step in steps}) == []


@pytest.mark.parametrize("walk", [drift, random_walk])
@pytest.mark.parametrize("step", STEPS[2:-2])
def test_weights_of_another_run_stand_out(walk: Callable[[State, int], State], step: int) -> None:
    states = path(walk)
    states[step] = start(7)
    assert flagged(states) == [step]


def test_weights_of_the_end_of_training_stand_out() -> None:
    states = path(drift)
    end = drift(start(0), 100_000)
    states[200] = end
    assert flagged(states) == [200]


def test_one_swapped_shard_stands_out() -> None:
    states = path(drift)
    states[400] = states[400] | {"embed": start(7)["embed"]}
    assert flagged(states) == [400]


def test_initialization_of_another_run_stands_out() -> None:
    states = path(drift)
    states[0] = start(7)
    assert flagged(states) == [0]


def test_two_in_a_row_stand_out() -> None:
    states = path(drift)
    states[200], states[400] = drift(start(7), 200), drift(start(7), 400)
    assert flagged(states) == [200, 400]


def test_copies_are_named_and_do_not_hide_others() -> None:
    states = path(drift)
    states[100] = states[0]
    states[400] = states[5000]
    table = continuity({step: sketch(s.items()) for step, s in states.items()}).set_index("step")
    assert table["copy_of"].tolist() == [-1, 0, -1, 5000, -1, -1, -1, -1, -1]
    assert not table["off_trajectory"].any()
    assert table.loc[100, "distance_previous"] == 0


def test_signed_zeros_and_precision_do_not_hide_a_copy() -> None:
    states = path(drift)
    states[0]["bias"][:3] = 0.0
    states[100] = {name: w.copy() for name, w in states[0].items()}
    states[100]["bias"][:3] = -0.0
    table = continuity({step: sketch(s.items()) for step, s in states.items()})
    assert table["copy_of"].tolist()[1] == 0


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_steps_to_say(count: int) -> None:
    table = continuity({step: sketch(start(step).items()) for step in range(count)})
    assert len(table) == count
    assert not table["off_trajectory"].any()


def test_file(tmp_path: Path) -> None:
    values = sketch(start(0).items())
    write_sketch(values, tmp_path / "sketch.safetensors")
    again = read_sketch(tmp_path / "sketch.safetensors")
    assert all(np.array_equal(values[name], again[name]) for name in values)
    assert sum(value.nbytes for value in again.values()) == len(SHAPES) * (WIDTH + 1) * 4
