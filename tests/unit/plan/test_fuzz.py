"""Whatever stands in a config, it is taken or refused in words: never a traceback."""

import copy
import json
import os
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.plan.checks import check
from geomod.plan.datasets import as_files
from geomod.plan.documents import json_schema
from geomod.plan.grid import Grid
from geomod.plan.reading import parse_config

WHOLE: dict[str, Any] = {
    "run": "r",
    "suites": {
        "toy": {"provider": "train", "sizes": ["xs"], "steps": [0, 1]},
        "hub": {"provider": "hub", "repo": "o/m-{size}", "sizes": ["70m"], "steps": [0, 1]},
        "own": {"provider": "folder", "path": "d/step{step}", "sizes": ["a"], "steps": [1, 2]},
    },
    "datasets": {
        "made": {"simulate": {"sentences": 100}, "regions": ["IFG"]},
        "told": {
            "story": {"words": "w.csv", "tr": 2.0},
            "responses": "r.csv",
            "regions": ["IFG"],
        },
    },
}


FUZZ = int(os.environ.get("GEOMOD_FUZZ", "200"))  # configs to try


def keys_of(schema: Any) -> set[str]:
    """Every key that a config may have, in whichever section."""
    if isinstance(schema, list):
        return set().union(*map(keys_of, schema))
    if not isinstance(schema, dict):
        return set()
    return set(schema.get("properties", {})).union(*map(keys_of, schema.values()))


def places(value: Any, way: tuple = ()) -> list[tuple]:
    """The ways to all that stands in a config."""
    if not isinstance(value, dict | list):
        return [way]
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    return [way, *(place for key, held in inside for place in places(held, (*way, key)))]


keys = st.sampled_from(sorted(keys_of(json.loads(json_schema())))) | st.text(max_size=6)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-10, 10**6)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", "{", "{size}", "{step}", "../x", "/", "hub", "a b", "all", "loo", "\0"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """A good config in which up to three things are other than they should be."""
    config = copy.deepcopy(WHOLE)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(config)[1:]))
        held: Any = config
        for key in way:
            held = held[key]
        if isinstance(held, dict) and draw(st.booleans()):
            last = draw(keys)
        held[last] = draw(values)
    return config


@settings(max_examples=FUZZ, deadline=None)
@given(configs() | st.dictionaries(keys, values, max_size=4))
@example({"pairs_of_models": [{"alignment": None}]})
def test_a_config_is_taken_or_refused_in_words(config: dict[str, Any]) -> None:
    try:
        checked = parse_config(config, "mine.yaml")
        Grid(checked)
        check(checked, {k: as_files(told, "world") for k, told in checked.each_dataset.items()})
    except InputError as refused:
        said = str(refused)
        assert said.strip()
        assert "Traceback" not in said
        assert "pydantic" not in said
