"""A sweep over a hub on this machine, with every kind of checkpoint that a hub should not hold."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load

from geomod.base.tables import read_provenance
from tests.hubserver import HubServer, gpt_neox_files, weight_files
from tests.workflow import warm
from tests.workflow.conftest import Workflow, copy_workflow, environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("hub")]

REPO, MODEL = "lab/tiny-a-seed3", "tiny-a-seed3"
TOKEN = "hf_that-nobody-else-may-see"  # without it the hub shows nothing
STEPS = [0, 1, 2, 4, 8, 16, 32, 64]
REGIONS = ["IFG", "AntTemp", "netw"]
TABLES = ["checkpoints", "continuity", "tokens"]
CONFIG = {
    "run": "hub",
    "suites": {
        "tiny": {
            "provider": "hub",
            "repo": "lab/tiny-{size}-seed{seed}",
            "sizes": ["a"],
            "seeds": [3],
            "steps": STEPS,
        }
    },
    "dataset": {
        "name": "mine",
        "sentences": "mine.csv",
        "responses": "mine.csv",
        "regions": REGIONS,
    },
    "encoding": {"permutations": 0, "baselines": [], "alphas": {"low": 0, "high": 4, "count": 3}},
    "jobs": {"steps_per_job": len(STEPS)},
    "inference": {
        "permutations": 20,
        "bootstrap": 20,
        "null_draws": 10,
        "temporal": ["AntTemp"],
        "frontal": ["IFG"],
    },
}


def publish(server: HubServer) -> None:
    """A model on a straight way from one point to another, and what can go wrong on it."""
    others = gpt_neox_files(0)
    start, goal = (load(gpt_neox_files(seed)["model.safetensors"]) for seed in (0, 1))
    stranger = gpt_neox_files(9)["model.safetensors"]
    del others["model.safetensors"]

    def weights(step: int, form: str = "safetensors", parts: int = 1) -> dict[str, bytes]:
        way = np.log2(1 + step) / 8
        state = {n: ((1 - way) * w + way * goal[n]).half() for n, w in start.items()}
        return weight_files(state, form, parts)

    part = "model-00002-of-00002.safetensors"
    swapped = weights(16, parts=2) | {part: weights(128, parts=2)[part]}
    steps = {
        0: weights(0),
        1: weights(0),
        2: weights(2, form="bin"),
        4: weights(2),  # other bytes, the same numbers
        8: {"model.safetensors": stranger},
        16: swapped,
        32: weights(32, parts=2),
        64: weights(64),
        128: weights(128, parts=2),  # not asked for
    }
    for step, files in steps.items():
        server.commit(REPO, f"step{step}", others | files)
    server.commit(REPO, "main", others | steps[128])


def write_data(workflow: Workflow) -> None:
    rng = np.random.default_rng(0)
    words = ["a", "model", "reads", "words"]
    rows = {
        "item_id": [f"s{row}" for row in range(40)],
        "sentence": [" ".join(rng.choice(words, rng.integers(4, 9))) for _ in range(40)],
    }
    rows |= {region: rng.normal(size=40) for region in REGIONS}
    pd.DataFrame(rows).to_csv(workflow.folder / "mine.csv", index=False)
    workflow.write_config(CONFIG)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """The hub, to which every process that is started here goes."""
    server = HubServer()
    publish(server)
    server.gate(REPO, TOKEN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", server.url)
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hub")))
        patch.setenv("HF_TOKEN", TOKEN)
        patch.delenv("HF_HUB_OFFLINE", raising=False)
        yield server
    server.close()


def start(folder: Path) -> Workflow:
    workflow = copy_workflow(folder)
    write_data(workflow)
    return workflow


@pytest.fixture(scope="module")
def audited(server: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    workflow = start(tmp_path_factory.mktemp("sweep") / "geomod")
    workflow.run("-n")
    assert server.requests == []  # a plan needs no network
    printed = workflow.run("audit").stdout
    assert f"{MODEL}: 7 of 9 checkpoints are sound" in printed
    return workflow


@pytest.fixture(scope="module")
def audit_requests(audited: Workflow, server: HubServer) -> list[str]:
    return list(server.requests)


@pytest.fixture(scope="module")
def swept(audited: Workflow, audit_requests: list[str]) -> Workflow:
    audited.run("results/hub/claims.json")
    return audited


def read(workflow: Workflow, table: str) -> pd.DataFrame:
    return pd.read_parquet(workflow.folder / place_of(table))


def place_of(table: str) -> str:
    """Tables about checkpoints are the run's, others their dataset's."""
    of_run = table in ("checkpoints", "continuity")
    return f"results/hub/{'' if of_run else 'data/mine/'}tables/{table}.parquet"


def test_the_audit_downloads_no_weights(audit_requests: list[str]) -> None:
    revisions = len(STEPS) + 2
    assert not [path for path in audit_requests if "/content/" in path or "/resolve/" in path]
    assert len(audit_requests) <= revisions + 2


def test_the_audit_sees_what_the_listing_shows(audited: Workflow, server: HubServer) -> None:
    table = read(audited, "checkpoints").set_index("step")
    assert table["status"].to_dict() == dict.fromkeys(STEPS, "ok") | {
        1: "duplicate",
        16: "foreign_part",
    }
    assert table.loc[1, "duplicate_of"] == "step0"
    assert table["format"].to_dict() == dict.fromkeys(STEPS, "safetensors") | {2: "bin"}
    assert (table["bytes"] > 0).all()
    text = (audited.folder / "results/hub/audit.txt").read_text(encoding="utf-8")
    assert "same weights as step0: 1" in text


def test_the_tensors_show_the_rest_and_inference_leaves_it_out(swept: Workflow) -> None:
    verdicts = read(swept, "continuity").set_index("step")
    assert verdicts["status"].to_dict() == {
        0: "ok",
        1: "duplicate",
        2: "ok",
        4: "duplicate",
        8: "off_trajectory",
        16: "foreign_part",
        32: "ok",
        64: "ok",
    }
    assert verdicts.loc[4, "duplicate_of"] == "step2"
    assert set(read(swept, "encoding")["step"]) == set(STEPS)  # all are measured
    assert set(read(swept, "modules")["step"]) == {0, 2, 32, 64}  # the sound ones count


def test_every_number_names_its_commit_and_no_weights_stay(swept: Workflow) -> None:
    results = swept.folder / "results/hub"
    listing = json.loads((results / f"listings/{MODEL}.json").read_text(encoding="utf-8"))
    commits = {found["step"]: found["commit"] for found in listing}
    hashes = read(swept, "checkpoints").set_index("step")["sha256"]
    tokenizers = set()
    for step in STEPS:
        found = read_provenance(results / f"{MODEL}/step{step}/mine/tokens.parquet")
        assert (found["commit"], found["sha256"]) == (commits[step], hashes[step])
        tokenizers.add(found["tokenizer_sha256"])
    assert len(tokenizers) == 1
    assert [p for p in swept.folder.rglob("*") if is_weights(p.name)] == []


def test_the_token_is_in_no_file_of_the_sweep(swept: Workflow) -> None:
    """Nor in what Snakemake keeps of its own, or in the hub's cache."""
    folders = (swept.folder, Path(os.environ["HF_HOME"]))
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert any(".snakemake/metadata" in str(path) for path in files)
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []


def is_weights(name: str) -> bool:
    return re.fullmatch(r"(pytorch_)?model\b.*\.(safetensors|bin)(\..*)?", name) is not None


def test_a_second_run_asks_the_network_for_nothing(swept: Workflow, server: HubServer) -> None:
    server.requests.clear()
    swept.run("results/hub/claims.json", "audit")
    assert server.requests == []
    assert swept.planned("results/hub/claims.json") == {}


def test_limits_of_the_downloads_run_nothing_again(swept: Workflow) -> None:
    features = {"max_disk_gb": 1, "downloads": 1}
    swept.write_config({**CONFIG, "features": features})
    assert swept.planned("results/hub/claims.json") == {}
    swept.write_config(CONFIG)


def test_killed_in_the_middle_of_downloads_it_ends_like_an_undisturbed_run(
    swept: Workflow, server: HubServer, tmp_path: Path
) -> None:
    workflow = start(tmp_path / "geomod")
    workflow.write_config({**CONFIG, "jobs": {"steps_per_job": 4}})  # two jobs side by side
    targets = [place_of(table) for table in TABLES]
    server.fault("^/content/", "slow", times=10_000, seconds=1.5)
    rng = np.random.default_rng(5)
    moments: list[Callable[[], bool]] = [
        lambda: server.under_way > 0,
        lambda: len(done(workflow)) > 0 and server.under_way > 0,
        lambda: len(done(workflow)) > 3,
    ]
    for moment in moments:
        kill_when(workflow, targets, moment, wait=float(rng.uniform(0, 1.5)))
    server.mend()
    workflow.run(*targets)
    for table in TABLES:
        pd.testing.assert_frame_equal(read(workflow, table), read(swept, table))
    for path in done(swept):
        same = workflow.folder / path.relative_to(swept.folder)
        assert same.read_bytes() == path.read_bytes()


def done(workflow: Workflow) -> list[Path]:
    return list((workflow.folder / "results/hub").glob("tiny-*/step*/mine/features.safetensors"))


def kill_when(
    workflow: Workflow, targets: list[str], moment: Callable[[], bool], wait: float
) -> None:
    """Start a run, and end it with all its jobs `wait` seconds after `moment`."""
    run = subprocess.Popen(
        [warm.python(environment()), *workflow.command(*targets)],
        cwd=workflow.folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not moment():
        assert run.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(wait)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
