"""What rules are called: people name them on the command line and in workflows of their own."""

import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomod.plan.grid import ANY_STEP, Block
from geomod.plan.loads import Load
from geomod.plan.names import any_of, of_each, rule_name, rule_of


@given(st.lists(st.text("ab.1-_", min_size=1), unique=True), st.text("ab.1-_"))
def test_a_constraint_matches_the_names_and_nothing_else(names: list[str], other: str) -> None:
    pattern = any_of(names)
    assert all(re.fullmatch(pattern, name) for name in names)
    assert bool(re.fullmatch(pattern, other)) == (other in names)


@pytest.mark.parametrize(
    ("block", "load", "name"),
    [
        (Block("toy", "3", (8, 16)), None, "encoding_toy_3"),
        (Block("toy", ANY_STEP, (ANY_STEP,)), None, "encoding_toy"),
        (Block("toy", "3", (8, 16)), Load(0, {}, ()), "encoding_toy_3"),
        (Block("toy", ANY_STEP, (ANY_STEP,)), Load(2, {}, ()), "encoding_toy_load2"),
    ],
)
def test_a_rule_is_called_by_stage_suite_block_and_later_load(block, load, name) -> None:
    assert rule_name("encoding", block, load) == name


def test_a_rule_of_one_model_is_called_by_it() -> None:
    block = Block("pythia", "8000", (8000,))
    assert rule_name("geometry", block, model="pythia-1.4b") == "geometry_pythia_1_4b_8000"


def test_a_rule_of_one_dataset_needs_no_name_of_it() -> None:
    assert rule_of("simulate", "toy-world", ["toy-world"]) == "simulate"
    assert rule_of("simulate", "toy-world", ["toy-world", "other"]) == "simulate_toy_world"


def test_what_all_datasets_have_alike_is_no_function() -> None:
    assert of_each(["a", "b"], lambda name: [len(name)]) == [1]
    told = of_each(["a", "bb"], len)
    assert [told(SimpleNamespace(dataset=name)) for name in ("a", "bb")] == [1, 2]
