"""The grid of models and steps, and how it is dealt into jobs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.base.files import step_of
from geomod.plan.grid import Grid, Paths, deal, halfway, width_of
from geomod.plan.place import Place
from geomod.plan.reading import parse_config

DATASET = {"name": "made-up", "simulate": {}, "regions": ["IFG"]}
PYTHIA = {
    "provider": "hub",
    "repo": "EleutherAI/pythia-{size}",
    "sizes": ["70m", "160m", "410m", "1b"],
    "steps": [1, 512, 143000],
}


def grid(suites: dict, planned: dict | None = None, **jobs: object) -> Grid:
    config = {"run": "r", "suites": suites, "dataset": DATASET, "jobs": jobs}
    return Grid(parse_config(config), planned)


MANY = PYTHIA | {"steps": [*range(1000, 101_000, 1000)]}


def fitted(suite: dict, planned: object = None, **jobs: object) -> list[tuple]:
    """The steps of every job of encoding models; `planned` as a record has them."""
    config = grid({"pythia": suite}, **jobs).config
    return [b.steps for b in Grid(config, fitted=planned and {"pythia": planned}).fitting()]


ALONE = [("{step}",)]


def test_a_suite_of_many_steps_is_fitted_in_the_blocks_of_geometry() -> None:
    few = PYTHIA | {"steps": MANY["steps"][:99]}
    assert fitted(few) == ALONE
    assert fitted(MANY) == [block.steps for block in grid({"pythia": MANY}).measuring()]
    labels = {block.label for block in grid({"pythia": MANY}).fitting()}
    assert labels == {str(steps[0]) for steps in fitted(MANY)}
    assert max(map(len, fitted(MANY, steps_per_job=12))) == 12
    assert fitted(MANY, layers_per_job=1) == ALONE  # whoever asks for small jobs gets them


def test_as_many_steps_are_fitted_in_a_job_as_the_config_says() -> None:
    for suite in (PYTHIA, MANY):
        assert fitted(suite, steps_per_encoding_job=1) == ALONE
        assert max(map(len, fitted(suite, steps_per_encoding_job=2))) == 2
        assert max(map(len, fitted(suite, steps_per_encoding_job=2, steps_per_job=3))) == 3


@pytest.mark.parametrize("first", [99, 100, 130])
@pytest.mark.parametrize("then", [60, 99, 100, 131])
def test_a_suite_that_grows_or_becomes_smaller_is_fitted_as_it_was_dealt(
    first: int, then: int
) -> None:
    before = fitted(PYTHIA | {"steps": [*range(first)]})
    after = fitted(PYTHIA | {"steps": [*range(then)]}, before)
    if before == ALONE:
        assert after == ALONE
    else:  # what is in both is together with the same steps, and a new step with none of them
        kept = [tuple(step for step in block if step < then) for block in before]
        assert after[: len([*filter(None, kept)])] == [block for block in kept if block]
        assert sorted(step for block in after for step in block) == [*range(then)]
    again = fitted(PYTHIA | {"steps": [*range(then)]}, after)
    assert again == after


steps = st.lists(st.integers(0, 10_000), min_size=1, max_size=60, unique=True)


@given(steps, st.integers(1, 8))
def test_each_step_is_dealt_to_exactly_one_job(steps: list[int], per_job: int) -> None:
    blocks = deal(steps, per_job)
    assert sorted(step for block in blocks for step in block) == sorted(steps)
    assert all(0 < len(block) <= per_job for block in blocks)
    assert len(blocks) == -(-len(steps) // per_job)


@given(steps, st.integers(1, 8), st.integers(10_001, 10_100))
def test_a_new_step_leaves_every_planned_job_alone(
    steps: list[int], per_job: int, new: int
) -> None:
    before = deal(steps, per_job)
    assert deal([*steps, new], per_job, before) == [*before, (new,)]


def test_one_rule_serves_all_steps_where_each_is_a_job() -> None:
    blocks = grid({"pythia": PYTHIA}).blocks()
    assert [(block.suite, block.steps) for block in blocks] == [("pythia", ("{step}",))]
    dealt = grid({"pythia": PYTHIA}, steps_per_job=2).blocks()
    assert [block.steps for block in dealt] == [(1, 512), (143000,)]


def test_geometry_is_measured_in_blocks_that_are_called_by_their_first_step() -> None:
    suite = PYTHIA | {"steps": [*range(1000, 21000, 1000)]}
    first = grid({"pythia": suite}).measuring()
    assert [(block.label, len(block.steps)) for block in first] == [
        *(("1000", 8), ("9000", 8), ("17000", 4))
    ]
    assert [len(b.steps) for b in grid({"pythia": suite}, steps_per_job=12).measuring()] == [12, 8]
    config = grid({"pythia": suite | {"steps": [*suite["steps"], 512]}}).config
    planned = {"pythia": [block.steps for block in first]}
    later = Grid(config, measured=planned)
    assert later.measuring()[:3] == first
    assert later.measuring()[3].steps == (512,)
    path = Paths("r").block("pythia-70m", first[1], "depth.parquet", "d")
    assert path == "results/r/pythia-70m/steps9000/d/depth.parquet"
    assert {"pythia-70m/steps9000/", "pythia-1b/step512/"} <= set(later.folders())


def test_a_smaller_grain_deals_again() -> None:
    assert deal([0, 1, 2], 1, [[0, 1, 2]]) == [(0,), (1,), (2,)]


def test_pythia_has_the_layers_that_its_table_says() -> None:
    models = {model.name: model.layers for model in grid({"pythia": PYTHIA}).models}
    assert models == {"pythia-70m": 6, "pythia-160m": 12, "pythia-410m": 24, "pythia-1b": 16}


def test_every_seed_is_a_model_of_every_size() -> None:
    repo = "EleutherAI/pythia-{size}-seed{seed}"
    seeds = PYTHIA | {"repo": repo, "sizes": ["70m", "160m"], "seeds": [1, 9]}
    found = grid({"pythia": seeds})
    names = ["pythia-70m-seed1", "pythia-70m-seed9", "pythia-160m-seed1", "pythia-160m-seed9"]
    assert found.models_of("pythia") == names
    model = found.model("pythia-160m-seed9")
    assert (model.suite, model.size, model.seed, model.layers) == ("pythia", "160m", 9, 12)
    assert len(list(found.checkpoints())) == 4 * 3


def test_modules_are_planted_in_the_deep_models_that_are_trained_here() -> None:
    toy = {"provider": "train", "sizes": ["xs", "deep7"], "steps": [0, 1]}
    assert grid({"toy": toy, "pythia": PYTHIA}).planted_modules() == {"toy-deep7": 3}


def test_layers_are_dealt_with_the_embedding_and_the_last_block() -> None:
    by_four = grid({"pythia": PYTHIA}, layers_per_job=4)
    assert by_four.layer_blocks("pythia-70m") == ["0-3", "4-6"]
    assert grid({"pythia": PYTHIA}).layer_blocks("pythia-70m") == ["all"]


def test_a_folder_tells_its_layers(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/config.json").write_text('{"num_hidden_layers": 3, "hidden_size": 8}')
    suite = {"provider": "folder", "path": str(tmp_path / "{size}"), "sizes": ["a"], "steps": [0]}
    found = grid({"mine": suite})
    assert found.model("mine-a").layers == 3
    assert width_of(found.config.suites["mine"], "a") == 8


@pytest.mark.parametrize("text", ['{"num_hidden_layers": 3', "[3]", "\xff"])
def test_a_folder_whose_config_is_no_json_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    suite = {"provider": "folder", "path": str(tmp_path), "sizes": ["a"], "steps": [0]}
    with pytest.raises(InputError, match=r"config\.json (is no JSON|must hold keys)"):
        grid({"mine": suite})


def test_an_unknown_toy_size_is_refused() -> None:
    with pytest.raises(InputError, match="no toy size 'xxl'; there are xs"):
        grid({"toy": {"provider": "train", "sizes": ["xxl"], "steps": [0]}})


def test_paths_are_those_of_the_contract() -> None:
    paths = Paths("demo")
    assert paths.step("toy-s", 8, "grams.safetensors") == (
        "results/demo/toy-s/step8/grams.safetensors"
    )
    assert paths.table("encoding") == "results/demo/tables/encoding.parquet"
    assert paths.figure("modules", "svg") == "results/demo/figures/modules.svg"
    assert paths.at("claims.json") == "results/demo/claims.json"
    assert paths.voxels(Place("toy-s", 8, "one"), "01", 2, "png") == (
        "results/demo/maps/toy-s/step8/one/sub-01_layer02.png"
    )


@given(steps, st.integers(10_001, 10_100))
def test_a_later_step_is_trained_by_a_job_of_its_own(steps: list[int], new: int) -> None:
    def blocks(steps: list[int], trained: dict | None = None) -> list[tuple[int, ...]]:
        suites = {"toy": {"provider": "train", "sizes": ["xs"], "steps": steps}, "pythia": PYTHIA}
        config = {"run": "r", "suites": suites, "dataset": DATASET}
        return [block.steps for block in Grid(parse_config(config), trained=trained).training()]

    first = tuple(sorted(steps))
    assert blocks(steps) == [first]
    assert blocks([*steps, new], {"toy": [first]}) == [first, (new,)]
    assert blocks([new], {"toy": [first, (new,)]}) == [(new,)]
    if len(steps) > 1:
        assert blocks(list(first[1:]), {"toy": [first]}) == [first[1:]]


def test_a_place_is_a_path_and_the_beginning_of_a_row() -> None:
    place = Place("toy-s", 8)
    assert place.path("grams.safetensors") == "toy-s/step8/grams.safetensors"
    assert list(place.columns.items()) == [("model", "toy-s"), ("step", 8)]
    told = Place("toy-s", 8, "pereira2018")
    assert told.path("geometry.parquet") == "toy-s/step8/pereira2018/geometry.parquet"
    assert list(told.columns) == ["dataset", "model", "step"]


def test_a_module_may_put_the_results_elsewhere() -> None:
    moved = Paths("demo", "deep/results/demo")
    assert moved.step("toy-xs", 4, "a.parquet") == "deep/results/demo/toy-xs/step4/a.parquet"
    assert Paths("demo").table("encoding") == "results/demo/tables/encoding.parquet"


def test_a_file_tells_the_step_that_it_belongs_to() -> None:
    for path in (
        Paths("demo").step("toy-xs", 512, "grams.safetensors", "one"),
        "a/step512/b.parquet",
    ):
        assert step_of(path) == 512


def test_shapes_are_known_before_anything_is_downloaded() -> None:
    found = grid({"pythia": PYTHIA})
    name, weights, steps, blocks = found.shapes()[1]
    assert (name, steps, blocks) == ("pythia-160m", (1, 512, 143000), 12)
    assert weights == 12 * 12 * 768**2  # 85 million in the blocks, as its authors say
    assert found.largest().name == "pythia-1b"
    own = {**PYTHIA, "repo": "someone/else-{size}"}
    unknown = grid({"pythia": PYTHIA, "own": own})
    with pytest.raises(InputError, match=r"shape of own-70m is not known.*suites.tsv"):
        unknown.shapes()
    assert unknown.largest().name == "own-1b"


def test_half_way_is_counted_in_orders_of_magnitude() -> None:
    assert halfway([0, 1, 10, 100, 1000, 10000]) == 100
    assert halfway([0, 5]) in (0, 5)
    assert halfway([7]) == 7
