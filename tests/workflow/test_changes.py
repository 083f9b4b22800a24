"""What one command does after a change of the config: all that the change touches, and no more.

Planned on runs that are only pretended: every output is an empty file with Snakemake's memory of
its parameters, so that dozens of changes are counted in dry runs.
"""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.conftest import Workflow, copy_workflow

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("changes")]

Config = dict[str, Any]

STEPS, SIZES = 3, 2
ALL = STEPS * SIZES
SUITES: dict[str, Config] = {
    "train": {"provider": "train", "sizes": ["xs", "s"]},
    "folder": {"provider": "folder", "sizes": ["xs", "s"], "path": "mine/{size}/step{step}"},
    "hub": {"provider": "hub", "sizes": ["70m", "160m"], "repo": "EleutherAI/pythia-{size}"},
}
TABLE = {
    "name": "mine",
    "sentences": "mine.csv",
    "responses": "mine.csv",
    "regions": ["IFG", "netw"],
    "participants": ["a", "b"],
}
SIMULATED = {
    "name": "toy-world",
    "simulate": {"sentences": 60, "participants": 3},
    "regions": ["IFG", "netw"],
}
# Where the hours go. A change of what is measured must find each of its jobs here, and no other.
DEAR = (
    *("sentences", "simulate", "stimuli", "brain", "listing", "train"),
    *("activations", "geometry", "encoding"),
)
MEASURED = ("activations", "geometry", "encoding")
SCORED = {"encoding_tables", "correlations", "emergence", "judge", "report"}
GEOMETRY = {"geometry_tables", "modules", "correlations", "judge", "report"}
EVERYTHING = SCORED | GEOMETRY | {"tokens_table", "checkpoints_table", "continuity_table"}


def config(provider: str) -> Config:
    return {
        "run": "small",
        "suites": {"toy": {**SUITES[provider], "steps": [0, 4, 16]}},
        "dataset": copy.deepcopy(SIMULATED if provider == "train" else TABLE),
        "geometry": {"entropy": ["raw", "centred"]},
        "encoding": {"permutations": 0, "alphas": {"low": 0, "high": 4, "count": 3}},
        "inference": {"temporal": ["IFG"], "frontal": ["IFG"]},
    }


def pretend(provider: str, folder: Path, **more: Any) -> Workflow:
    """A workflow that has nothing left to do, though no job of it has ever run."""
    workflow = copy_workflow(folder)
    rows = [f"{item},a b,{item // 4},{person},1,2,3\n" for item in range(20) for person in "abc"]
    header = "item_id,sentence,group,participant,IFG,MFG,netw\n"
    (folder / "mine.csv").write_text(header + "".join(rows))
    for size in ("xs", "s", "m"):
        for step in (0, 4, 8, 16):
            (folder / f"mine/{size}/step{step}").mkdir(parents=True)
    asked = {**config(provider), **more}
    workflow.write_config({key: value for key, value in asked.items() if value is not None})
    for line in workflow.run("--summary").stdout.splitlines():
        name = line.split("\t")[0]
        if "/" in name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
    workflow.run("--touch", "--forceall")
    assert workflow.planned() == {}
    return workflow


@pytest.fixture(scope="module", params=list(SUITES))
def done(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    return pretend(request.param, tmp_path_factory.mktemp(request.param) / "geomod")


def step(config: Config, more: bool) -> None:
    config["suites"]["toy"]["steps"] = [0, 4, 8, 16] if more else [0, 16]


def size(config: Config, more: bool) -> None:
    sizes = config["suites"]["toy"]["sizes"]
    new = "410m" if "70m" in sizes else "m"
    config["suites"]["toy"]["sizes"] = [*sizes, new] if more else sizes[:1]


def region(config: Config, more: bool) -> None:
    config["dataset"]["regions"] = ["IFG", "netw", "MFG"] if more else ["IFG"]


def participant(config: Config, more: bool) -> None:
    if "simulate" in config["dataset"]:
        config["dataset"]["simulate"]["participants"] = 4 if more else 2
    else:
        config["dataset"]["participants"] = ["a", "b", "c"] if more else ["a"]


def variant(config: Config, more: bool) -> None:
    config["geometry"]["entropy"] = ["raw", "centred", "normed"] if more else ["raw"]


def penalty(config: Config, more: bool) -> None:
    config["encoding"]["alphas"]["count"] = 4 if more else 2


Counts = dict[str, int]


def expected(change: Callable[..., None], more: bool, provider: str) -> tuple[Counts, set[str]]:
    """The dear jobs of a change, all of them, and tables that must follow."""
    trained, listed = int(provider == "train"), int(provider == "hub")
    counts: dict[Any, tuple[Counts, set[str]]] = {
        (step, False): ({"geometry": SIZES}, EVERYTHING),  # a block of steps is measured at once
        (step, True): (dict.fromkeys(MEASURED, SIZES) | {"train": SIZES * trained}, EVERYTHING),
        (size, False): ({}, EVERYTHING),
        (size, True): (
            {"activations": STEPS, "geometry": 1, "encoding": STEPS}
            | {"train": trained, "listing": listed},
            EVERYTHING,
        ),
        region: ({"brain": 1, "encoding": ALL}, SCORED),
        participant: ({"simulate": trained, "brain": 1, "encoding": ALL}, SCORED),
        variant: ({"geometry": SIZES}, GEOMETRY),
        penalty: ({"encoding": ALL}, SCORED),
    }
    jobs, tables = counts.get((change, more)) or counts[change]
    return {name: count for name, count in jobs.items() if count}, tables


@pytest.mark.parametrize("more", [False, True], ids=["out", "in"])
@pytest.mark.parametrize("change", [step, size, region, participant, variant, penalty])
def test_a_change_runs_what_it_touches(
    done: Workflow, request: pytest.FixtureRequest, change: Callable[..., None], more: bool
) -> None:
    provider = request.node.callspec.params["done"]
    if provider != "train" and change not in (step, size, participant):
        pytest.skip("behind their checkpoints all providers are planned alike")
    changed = config(provider)
    change(changed, more)
    done.write_config(changed)
    jobs = done.planned()
    dear, tables = expected(change, more, provider)
    assert {name: count for name, count in jobs.items() if name in DEAR} == dear
    assert tables <= set(jobs)


def test_two_changes_at_once_hide_nothing_from_each_other(done: Workflow) -> None:
    """A job that is to run anyway must not keep those behind it from being looked at."""
    changed = config(provider_of(done))
    step(changed, more=False)
    variant(changed, more=True)
    penalty(changed, more=True)
    done.write_config(changed)
    jobs = done.planned()
    assert (jobs["encoding"], jobs["geometry"]) == (ALL - SIZES, SIZES)
    assert "activations" not in jobs


def test_a_lens_that_comes_later_is_read_in_passes_of_its_own(done: Workflow) -> None:
    done.write_config(config(provider_of(done)) | {"features": {"lens": True}})
    jobs = done.planned()
    assert jobs["activations"] == ALL
    assert jobs["lens_table"] == 1
    assert not {"geometry", "encoding", "tokens_table"} & set(jobs)


BEFORE_MODELS = {"train": ("toy/training", "train"), "hub": ("checkpoints/listings", "listing")}


@pytest.mark.parametrize("done", BEFORE_MODELS, indirect=True)
def test_new_code_before_the_models_measures_them_again(done: Workflow) -> None:
    module, maker = BEFORE_MODELS[provider_of(done)]
    done.write_config(config(provider_of(done)))
    code = done.folder / f"workflow/geomod/{module}.py"
    whole = code.read_text(encoding="utf-8")
    code.write_text(f"{whole}\nEDITED = True\n", encoding="utf-8")
    jobs = done.planned()
    code.write_text(whole, encoding="utf-8")
    assert jobs[maker] == SIZES
    assert jobs["activations"] == jobs["encoding"] == ALL


def test_a_step_taken_out_of_a_job_measures_the_rest_of_it_from_the_same_features(
    tmp_path: Path,
) -> None:
    workflow = pretend("folder", tmp_path / "geomod", jobs={"steps_per_job": 2})
    changed = config("folder") | {"jobs": {"steps_per_job": 2}}
    changed["suites"]["toy"]["steps"] = [0, 16]
    workflow.write_config(changed)
    jobs = workflow.planned()
    assert {name: count for name, count in jobs.items() if name in DEAR} == {
        **dict.fromkeys(("geometry", "encoding"), SIZES)
    }
    assert set(jobs) >= EVERYTHING


def provider_of(workflow: Workflow) -> str:
    return workflow.folder.parent.name.rstrip("0123456789")
