"""The real client against a hub on this machine that fails in every way that hubs fail."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants, hf_hub_download

from geomod.checkpoints import hub
from geomod.checkpoints.budget import CheckpointError
from geomod.checkpoints.hub import Meter, RemoteFile, amount, clock, download, files, find_revision
from tests.hubserver import HubServer, point_client_at

REPO = "owner/model"
WEIGHTS = os.urandom(300_000)
CONTENT = r"^/content/"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    server = HubServer()
    server.commit(REPO, "step0", {"config.json": b"{}", "model.safetensors": WEIGHTS})
    point_client_at(server, monkeypatch, tmp_path / "home")
    monkeypatch.setattr(hub, "CHUNK", 10_000)
    yield server
    server.close()


def fetch(folder: Path, name: str = "model.safetensors") -> Path:
    folder.mkdir(exist_ok=True)
    _, commit = find_revision(REPO, "step0")
    file = next(file for file in files(REPO, commit) if file.name == name)
    download(REPO, commit, file, folder, Meter("test", file.size))
    return folder / name


def test_server_speaks_to_the_unchanged_client(server: HubServer, tmp_path: Path) -> None:
    api = HfApi()
    branch = api.list_repo_refs(REPO).branches[0]
    tree = {entry.path: entry for entry in api.list_repo_tree(REPO, revision="step0")}
    path = hf_hub_download(REPO, "model.safetensors", revision="step0", local_dir=tmp_path / "x")
    assert (branch.name, branch.target_commit) == find_revision(REPO, "step0")
    assert {f.name: f.size for f in files(REPO, branch.target_commit)} == {
        name: entry.size for name, entry in tree.items()
    }
    assert Path(path).read_bytes() == WEIGHTS


def test_download_is_whole_and_small_files_are_checked_too(
    server: HubServer, tmp_path: Path
) -> None:
    assert fetch(tmp_path / "a").read_bytes() == WEIGHTS
    assert fetch(tmp_path / "a", "config.json").read_bytes() == b"{}"
    assert sorted(os.listdir(tmp_path / "a")) == ["config.json", "model.safetensors"]
    before = len(server.requests)
    fetch(tmp_path / "a")
    assert len(server.requests) == before
    (tmp_path / "a" / "model.safetensors").write_bytes(bytes(len(WEIGHTS)))  # power was lost
    assert fetch(tmp_path / "a").read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("truncate", {"times": 3}),
        ("corrupt", {"times": 2}),
        ("stall", {"times": 1, "seconds": 2.0}),
        ("longer", {"times": 1}),
        (500, {"times": 2}),
        (503, {"times": 1}),
        (429, {"times": 2}),
        (429, {"times": 1, "headers": {"Retry-After": "0"}}),
        (429, {"times": 1, "headers": {"RateLimit": '"resolvers";r=0;t=0'}}),
    ],
)
def test_passing_faults_leave_no_trace(
    server: HubServer, tmp_path: Path, kind: str | int, options: dict
) -> None:
    server.fault(CONTENT, kind, **options)
    assert fetch(tmp_path / "a").read_bytes() == WEIGHTS
    assert os.listdir(tmp_path / "a") == ["model.safetensors"]


def test_listing_survives_faults(server: HubServer) -> None:
    for status in (429, 500, 502, 504):
        server.fault("^/api/models", status)
    assert find_revision(REPO, "step0")[0] == "step0"


def test_download_goes_on_where_it_was_cut(server: HubServer, tmp_path: Path) -> None:
    server.fault(CONTENT, "truncate", times=2)
    fetch(tmp_path / "a")
    assert server.bytes_sent < 1.1 * len(WEIGHTS)


def test_part_of_a_killed_process_is_continued(server: HubServer, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.part").write_bytes(WEIGHTS[:250_000])
    assert fetch(tmp_path).read_bytes() == WEIGHTS
    assert server.bytes_sent < 60_000


@pytest.mark.parametrize("left", [b"x" * 250_000, b"x" * 400_000])
def test_rubbish_in_a_part_is_found_out(server: HubServer, tmp_path: Path, left: bytes) -> None:
    (tmp_path / "model.safetensors.part").write_bytes(left)
    assert fetch(tmp_path).read_bytes() == WEIGHTS


def test_server_that_ignores_ranges(server: HubServer, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.part").write_bytes(WEIGHTS[:250_000])
    server.fault(CONTENT, "whole")
    assert fetch(tmp_path).read_bytes() == WEIGHTS


def test_lasting_damage_is_an_error_and_nothing_to_read(server: HubServer, tmp_path: Path) -> None:
    server.fault(CONTENT, "corrupt", times=99)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: 3 downloads differ .* hash"):
        fetch(tmp_path / "a")
    assert os.listdir(tmp_path / "a") == []
    assert sum(path.startswith("GET /content") for path in server.requests) == 3


def test_lasting_stall_is_an_error(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    (tmp_path / "model.safetensors.part").write_bytes(WEIGHTS[:-1])  # half of one byte is none
    server.fault(CONTENT, "stall", times=99, seconds=0.5)
    with pytest.raises(CheckpointError, match="no byte came in 8 attempts"):
        fetch(tmp_path)
    assert not (tmp_path / "model.safetensors").exists()


def test_hub_that_stays_broken(server: HubServer, tmp_path: Path) -> None:
    server.fault(CONTENT, 500, times=99)
    with pytest.raises(CheckpointError, match="answer 500, the hub has a problem; try again later"):
        fetch(tmp_path)


def test_no_hub_at_all(monkeypatch: pytest.MonkeyPatch, server: HubServer) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(hub, "RETRIES", 1)
    with pytest.raises(CheckpointError, match=r"127\.0\.0\.1:9 can't be reached"):
        find_revision(REPO, "step0")


def test_what_is_not_there_is_named_with_what_is(server: HubServer) -> None:
    server.commit(REPO, "step1000", {})
    server.commit(REPO, "main", {})
    with pytest.raises(CheckpointError, match=r"no revision 'step3'; .* step0, step1000"):
        find_revision(REPO, "step3")
    with pytest.raises(CheckpointError, match="there is no repository owner/other"):
        find_revision("owner/other", "step0")
    with pytest.raises(CheckpointError, match=r"answer 404|no such file or revision"):
        files(REPO, "0" * 40)


def test_star_in_a_revision(server: HubServer) -> None:
    for name in ("stage1-step1000-tokens5B", "stage1-step10000-tokens42B"):
        server.commit("owner/olmo", name, {})
    assert find_revision("owner/olmo", "stage1-step1000-tokens*B")[0] == "stage1-step1000-tokens5B"
    with pytest.raises(CheckpointError, match="fits several"):
        find_revision("owner/olmo", "stage1-step*B")


def test_gated_repository(
    server: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.gate(REPO, "secret")
    with pytest.raises(CheckpointError, match=r"gated; accept its terms .* HF_TOKEN"):
        find_revision(REPO, "step0")
    monkeypatch.setenv("HF_TOKEN", "wrong")
    with pytest.raises(CheckpointError, match="gated"):
        find_revision(REPO, "step0")
    monkeypatch.setenv("HF_TOKEN", "secret")
    assert fetch(tmp_path / "a").read_bytes() == WEIGHTS
    assert server.tokens_leaked == 0


def test_offline_asks_nobody(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="HF_HUB_OFFLINE forbids"):
        find_revision(REPO, "step0")
    assert server.requests == []


def test_environment_of_a_new_process_is_honoured(server: HubServer, tmp_path: Path) -> None:
    server.gate(REPO, "secret")
    code = (
        "from geomod.checkpoints.hub import find_revision; "
        "print(*find_revision('owner/model', 'step0'))"
    )
    environment = os.environ | {
        "PYTHONPATH": str(Path(hub.__file__).parents[2]),
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(tmp_path),
        "HF_TOKEN": "secret",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert re.fullmatch(r"step0 [0-9a-f]{40}\n", done.stdout), done.stderr
    offline = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert "HF_HUB_OFFLINE forbids" in offline.stderr


def test_progress_line(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(hub.time, "monotonic", lambda: now[0])
    meter = Meter("pythia-1b step 4000", 3_000_000_000)
    meter.skip(1_000_000_000)
    with caplog.at_level("INFO"):
        for _ in range(4):
            now[0] += 5
            meter.add(125_000_000)
    line = "pythia-1b step 4000: 1.2 GB of 3.0 GB, 25.0 MB/s, 0:01:10 left"
    assert caplog.messages[0] == line
    assert len(caplog.messages) == 2


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0.0 kB"), (999_940, "999.9 kB"), (999_950, "1.0 MB"), (2.5e9, "2.5 GB")],
)
def test_amount(count: float, text: str) -> None:
    assert amount(count) == text


def test_clock() -> None:
    assert [clock(s) for s in (0, 61.4, 3600 * 25)] == ["0:00:00", "0:01:01", "25:00:00"]


def test_file_without_any_hash_is_held_by_its_size(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert RemoteFile("x", 3, "", "").is_the_content_of(tmp_path / "x")
    assert not RemoteFile("x", 4, "", "").is_the_content_of(tmp_path / "x")
