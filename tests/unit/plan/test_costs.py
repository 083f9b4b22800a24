"""What a job costs: arithmetic that can be done by hand, and what must hold whatever the sizes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.brain.map_series import LARGEST
from geomod.plan import costs
from geomod.plan.costs import Cost, Data, Machine, Shape

PYTHIA_70M = Shape(blocks=6, width=512, file=166e6)
SENTENCES = Data(rows=1000, units=1000, tokens=9000.0, regions=6, participants=5)
MACHINE = Machine(forward=80e9, solve=24e9, pace=1.0)


def test_a_model_holds_the_parameters_that_its_shape_says():
    assert PYTHIA_70M.held / 4 == pytest.approx(70.4e6, rel=0.01)
    assert Shape(blocks=24, width=1024).held / 4 == pytest.approx(405.3e6, rel=0.01)


def test_a_forward_pass_takes_two_flop_a_weight_and_token():
    flop = 2 * 9000 * (12 * 6 * 512**2 + 512 * 50304)
    slow, fast = (
        costs.activations(replace(MACHINE, forward=rate), PYTHIA_70M, {"d": SENTENCES}).cpu
        for rate in (10e9, 20e9)
    )
    assert slow - fast == pytest.approx(flop / 10e9 - flop / 20e9)


def test_a_gpu_takes_the_arithmetic_from_the_cores():
    cost = costs.activations(MACHINE, PYTHIA_70M, {"d": SENTENCES}, on_gpu=True)
    alone = costs.activations(MACHINE, PYTHIA_70M, {"d": SENTENCES})
    assert cost.cpu < alone.cpu
    assert cost.gpu > 0 == alone.gpu


def test_one_load_serves_two_datasets_for_less_than_two_loads():
    both = costs.activations(MACHINE, PYTHIA_70M, {"a": SENTENCES, "b": SENTENCES})
    one = costs.activations(MACHINE, PYTHIA_70M, {"a": SENTENCES})
    assert one.cpu < both.cpu < 2 * one.cpu
    assert both.download == one.download == 166e6
    assert both.disk == 2 * one.disk == 2 * costs.kept_of(PYTHIA_70M, SENTENCES)


def test_features_and_grams_take_the_bytes_of_their_numbers():
    assert costs.kept_of(PYTHIA_70M, SENTENCES) == 7 * (4 * 1000 * 512 + 8 * 1000 * 9**2)


def sized(rows: int) -> Data:
    return replace(SENTENCES, rows=rows, units=rows, tokens=9.0 * rows)


jobs = st.sampled_from([costs.activations, costs.geometry, costs.encoding, costs.speed])


@given(jobs, st.integers(1, 9), st.integers(20, 5000), st.integers(1, 40), st.integers(1, 64))
def test_more_of_anything_never_costs_less(job, steps, rows, blocks, width):
    shape, data = Shape(blocks, 8 * width), sized(rows)

    def cost(shape: Shape, data: Data, steps: int) -> Cost:
        read = {"d": data} if job is costs.activations else data
        return job(MACHINE, shape, read, steps=steps)

    least = cost(shape, data, steps)
    for more in (
        cost(shape, data, steps + 1),
        cost(replace(shape, blocks=blocks + 1), data, steps),
        cost(replace(shape, width=8 * width + 8), data, steps),
        cost(shape, sized(rows + 1), steps),
    ):
        assert more.cpu >= least.cpu > 0
        assert more.memory >= least.memory > 0


@given(st.integers(1, 60_000), st.integers(1, 30))
def test_maps_of_more_voxels_cost_more_until_they_are_held_against_no_others(voxels, maps):
    def mapped(voxels: int, layers: int) -> Cost:
        return costs.voxel_map(MACHINE, PYTHIA_70M, SENTENCES, voxels, layers)

    assert (
        mapped(voxels, maps).cpu < mapped(voxels + 1, maps).cpu < mapped(voxels + 1, maps + 1).cpu
    )
    held = [costs.moran(MACHINE, n, maps) for n in (voxels, voxels + 1)]
    assert (held[0].cpu < held[1].cpu) == (voxels < costs.MOST)
    assert max(cost.memory for cost in held) <= costs.LIGHT + 3000
    assert costs.MOST == LARGEST


def test_what_reads_no_table_of_checkpoints_takes_the_same_for_many_as_for_few():
    few, many = (costs.tables(MACHINE, "brain", cells) for cells in (10, 100_000))
    assert few == many
    assert costs.tables(MACHINE, "judge", 10).memory < costs.tables(MACHINE, "judge", 1000).memory


def test_costs_add_up_but_memory_is_that_of_the_largest():
    one, other = Cost(1, 2, 3, 4, 500), Cost(10, 20, 30, 40, 400)
    assert one + other == Cost(11, 22, 33, 44, 500)
    assert one.times(3) == one + one + one


def test_a_machine_is_read_as_it_was_written(tmp_path):
    assert Machine.at(tmp_path / "machine.json") == Machine()
    MACHINE.write(tmp_path / "machine.json")
    assert Machine.at(tmp_path / "machine.json") == MACHINE


@pytest.mark.parametrize(
    "text", ['{"forwards": 1}', '{"pace": 0}', '{"pace": "1"}', '{"gpu": NaN}']
)
def test_a_machine_that_cannot_be_is_refused_by_its_key(tmp_path, text):
    path = tmp_path / "machine.json"
    path.write_text(text)
    with pytest.raises(InputError, match=f"{text[2:5]}.*measures this machine again"):
        Machine.at(path)
