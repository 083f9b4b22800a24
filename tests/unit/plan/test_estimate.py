"""What a sweep comes to: the jobs that its grid has, and sums that must hold."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomod.plan.costs import Cost, Machine
from geomod.plan.datasets import further, how_read
from geomod.plan.estimate import Estimate, Room, Sweep, asked, data_of, in_words
from geomod.plan.grid import Grid, Paths
from geomod.plan.loads import deal_loads
from geomod.plan.reading import parse_config
from tests.conftest import ROOT

ROOM = Room(cores=2, memory=8e9, disk=100e9)
HUB = {"provider": "hub", "repo": "EleutherAI/pythia-{size}", "steps": [0, 1, 2, 4]}
MADE = {"simulate": {"sentences": 1000, "participants": 5}, "regions": ["IFG", "MFG"]}


def sweep(sizes=("70m", "410m"), datasets="a", steps_per_job=1, later=(), **config) -> Sweep:
    told = {
        "run": "r",
        "suites": {"pythia": {**HUB, "sizes": list(sizes)}},
        "datasets": datasets if isinstance(datasets, dict) else dict.fromkeys(datasets, MADE),
        "jobs": {"steps_per_job": steps_per_job},
        **config,
    }
    config = parse_config(told)
    asked = {name: how_read(told) for name, told in config.each_dataset.items()}
    for name, told in config.each_dataset.items():
        asked |= further(name, told, ["lens"] * config.features.lens)
    loads = deal_loads(asked, later)
    return Sweep(config, Grid(config), loads, Paths("r", "nowhere"), Machine())


def counted(sweep: Sweep) -> dict[str, int]:
    found: dict[str, int] = {}
    for jobs in sweep.jobs():
        found[jobs.stage] = found.get(jobs.stage, 0) + jobs.count
    return found


@pytest.mark.parametrize(("grain", "blocks"), [(1, 4), (3, 2), (4, 1)])
def test_the_jobs_are_those_of_the_grid(grain, blocks):
    found = counted(sweep(datasets=("a", "b"), steps_per_job=grain))
    assert (found["activations"], found["encoding"]) == (2 * blocks, 4 * blocks)
    assert found["geometry"] == 4  # a job a model and dataset
    assert (found["speed"], found["figures"]) == (4, 1)
    assert "train" not in found
    assert "calibrate" not in found


def test_a_job_for_each_block_of_layers_fits_all_of_them_once():
    whole, cut = sweep(["70m"]), sweep(["70m"], jobs={"steps_per_job": 1, "layers_per_job": 3})
    assert counted(cut)["encoding"] == 3 * counted(whole)["encoding"]  # layers 0-2, 3-5 and 6


def test_a_sweep_that_is_dealt_to_more_workers_never_takes_longer_and_never_less_than_its_share():
    given = sweep()
    walls = [Estimate(given, workers, ROOM).wall for workers in (1, 2, 8, 64, 10**6)]
    assert walls == sorted(walls, reverse=True)
    cpu = Estimate(given, 1, ROOM).whole.cpu
    assert all(wall >= cpu / n for wall, n in zip(walls, (1, 2, 8, 64, 10**6), strict=True))


def test_a_lens_costs_logits_of_every_layer_and_a_later_one_a_pass_as_well():
    plain, beside = sweep(["70m"]), sweep(["70m"], features={"lens": True})
    later = sweep(["70m"], features={"lens": True}, later=[plain.loads[0].planned])
    passing, seeing = (each.job("activations", "pythia-70m").cpu for each in (plain, beside))
    again = later.job("activations", "pythia-70m", load=1)
    shape = plain.shapes["pythia-70m"]
    tokens = plain.data["a"].tokens / plain.machine.forward
    assert seeing - passing == pytest.approx(tokens * 6 * shape.head)
    assert tokens * (shape.flop + 6 * shape.head) < again.cpu < seeing
    assert (again.disk, plain.job("activations", "pythia-70m").disk > 0) == (0, True)


def test_weights_are_downloaded_once_whatever_reads_them():
    bytes_of = [Estimate(sweep(datasets=d), 2, ROOM).whole.download for d in ("a", "ab")]
    assert bytes_of == [4 * (166e6 + 911e6)] * 2


def test_what_gives_out_first_is_named_with_what_it_needs_and_what_there_is():
    small = Estimate(sweep(["6.9b"]), 2, ROOM)
    assert re.search(
        r"Breaks first: memory of 2 of the largest jobs at once, \d\d.\d GB where 8.0 GB",
        str(small),
    )
    tight = Estimate(sweep(), 2, replace(ROOM, disk=1e7))
    assert re.search(r"Breaks first: disk, .* where 0.0 GB are", str(tight))
    assert "Nothing breaks here" in str(Estimate(sweep(["70m"]), 2, ROOM))
    store = Estimate(sweep(["6.9b"], features={"max_disk_gb": 1}), 1, replace(ROOM, memory=1e12))
    assert "Breaks first: features.max_disk_gb, 13.8 GB where 1.0 GB are" in str(store)


def test_a_map_of_voxels_asks_for_what_a_volume_takes():
    maps = {"models": ["pythia-70m"], "steps": [0, 4], "layers": [2], "participants": ["01"]}
    given = sweep(["70m"], maps=maps)
    assert given.job("voxel_map", "pythia-70m").memory > 1000  # MB
    assert given.job("moran", "pythia-70m").memory > 3000
    assert given.job("voxel_map").cpu < 300


def test_what_is_assumed_is_said():
    told = {"sentences": "s.csv", "responses": "r.csv", "regions": ["IFG"]}
    assert "own: 1,000 rows" in str(Estimate(sweep(datasets={"own": told}), 1, ROOM))
    assert "assumed" in str(Estimate(sweep(datasets={"own": told}), 1, ROOM))
    assert "assumed" not in str(Estimate(sweep(), 1, ROOM))


@pytest.mark.parametrize("content", [b"", b"PAR1 half of a table"])
def test_a_damaged_table_of_sentences_does_not_stop_the_plan(tmp_path: Path, content: bytes):
    path = tmp_path / "stimuli.parquet"
    path.write_bytes(content)
    told = sweep(datasets={"own": {"sentences": "s.csv", "responses": "r.csv", "regions": ["IFG"]}})
    section = told.config.each_dataset["own"]
    assert data_of(told.config, "own", section, str(path)).rows == 1000


@given(st.floats(0, 1e6), st.floats(0, 1e5), st.integers(1, 4))
def test_a_job_asks_for_more_than_it_is_estimated_to_take_and_for_more_each_time(cpu, mb, attempt):
    cost = Cost(cpu=cpu, memory=mb)
    memory, minutes = asked(cost, Machine(), attempt)
    assert memory >= 1.5 * mb
    assert minutes >= 3 * cpu / 60
    assert (memory, minutes) == tuple(attempt * n for n in asked(cost, Machine(), 1))


@pytest.mark.parametrize(
    ("seconds", "words"), [(50, "50 s"), (200, "3.3 min"), (8000, "2.2 h"), (10**6, "11.6 days")]
)
def test_durations_read_as_people_say_them(seconds, words):
    assert in_words(seconds) == words


def test_every_rule_with_a_script_keeps_what_it_took_and_asks_for_what_it_needs():
    for file in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for text in re.split(r"^ *rule\b", file.read_text("utf-8"), flags=re.MULTILINE)[1:]:
            name = text.split(":")[0].strip() or text.split("name:")[1].split("input:")[0].strip()
            if re.search(r"^ *script:", text, re.MULTILINE) and name != "benchmark":
                assert "**needs(" in text, f"{file.name}, {name}"
                assert "PATHS.benchmark(" in text or name == "compare", f"{file.name}, {name}"
