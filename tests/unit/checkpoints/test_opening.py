"""Checkpoints are fetched, handed over whole, and gone afterwards."""

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants, hf_hub_download
from transformers import AutoModelForCausalLM, AutoTokenizer

from geomod.base.files import sha256_of
from geomod.checkpoints import hub
from geomod.checkpoints.budget import CheckpointError, size_of
from geomod.checkpoints.listings import CheckpointSource, take_listing, write_listing
from geomod.checkpoints.opening import open_checkpoint, open_checkpoints
from tests.hubserver import HubServer, gpt_neox_files, point_client_at

REPO = "owner/pythia-70m"
SOURCE = CheckpointSource("hub", "pythia-70m", REPO)
SIZE = 200_000
TOKENIZER = {"tokenizer.json": b'{"made": "up"}'}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    server = HubServer()
    point_client_at(server, monkeypatch, tmp_path / "home")
    yield server
    server.close()


def publish(server: HubServer, steps: int, size: int = SIZE) -> dict[int, bytes]:
    """Steps with random bytes as their weights, and `main` with the tokenizer."""
    weights = {step: os.urandom(size) for step in range(steps)}
    for step, content in weights.items():
        files = {"config.json": b"{}", "model.safetensors": content, "README.md": b"x" * 1000}
        server.commit(REPO, f"step{step}", files | {"pytorch_model.bin": content[::-1]})
    server.commit(REPO, "main", TOKENIZER)
    return weights


def weight_files_left(store: Path) -> list[str]:
    return [path.name for path in (store / "weights").rglob("*") if path.is_file()]


def test_exactly_what_is_needed_is_fetched_and_evicted(server: HubServer, tmp_path: Path) -> None:
    weights = publish(server, 2)
    with open_checkpoint(SOURCE, 1, workdir=tmp_path) as checkpoint:
        assert (checkpoint.folder / "model.safetensors").read_bytes() == weights[1]
        assert sorted(os.listdir(checkpoint.folder)) == ["config.json", "model.safetensors"]
        assert (checkpoint.tokenizer_folder / "tokenizer.json").read_bytes() == (
            TOKENIZER["tokenizer.json"]
        )
        assert (checkpoint.model, checkpoint.step, checkpoint.revision) == (
            "pythia-70m",
            1,
            "step1",
        )
        assert checkpoint.commit == hub.revisions(REPO)["step1"]
        assert checkpoint.sha256 == sha256_of(checkpoint.folder / "model.safetensors")
        assert (checkpoint.bytes, checkpoint.format) == (SIZE, "safetensors")
    assert weight_files_left(tmp_path) == []
    assert not any("bin" in path or "README" in path for path in server.requests)


def test_plain_values_do_for_a_source(server: HubServer, tmp_path: Path) -> None:
    publish(server, 1)
    with open_checkpoint(SOURCE, 0, workdir=str(tmp_path)) as checkpoint:
        assert checkpoint.step == 0


def test_an_error_of_the_caller_evicts_too(server: HubServer, tmp_path: Path) -> None:
    publish(server, 1)
    with pytest.raises(ZeroDivisionError), open_checkpoint(SOURCE, 0, workdir=tmp_path):
        1 / 0  # noqa: B018
    assert weight_files_left(tmp_path) == []


def test_errors_say_which_checkpoint(server: HubServer, tmp_path: Path) -> None:
    publish(server, 1)
    with (
        pytest.raises(CheckpointError, match=r"pythia-70m, step 7: .* no revision 'step7'"),
        open_checkpoint(SOURCE, 7, workdir=tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("form", "parts"), [("safetensors", 1), ("safetensors", 2), ("bin", 1), ("bin", 2)]
)
def test_every_format_gives_the_same_model(
    server: HubServer, tmp_path: Path, form: str, parts: int
) -> None:
    server.commit(REPO, "step0", gpt_neox_files(seed=3, form=form, parts=parts))
    server.commit(REPO, "main", gpt_neox_files(seed=4))
    with open_checkpoint(SOURCE, 0, workdir=tmp_path) as checkpoint:
        before = len(server.requests)
        model = AutoModelForCausalLM.from_pretrained(checkpoint.folder, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(checkpoint.tokenizer_folder)
        assert checkpoint.format == form
    expected = tmp_path / "expected"
    expected.mkdir()
    for name, content in gpt_neox_files(seed=3).items():
        (expected / name).write_bytes(content)
    reference = AutoModelForCausalLM.from_pretrained(expected, dtype=torch.float32)
    for name, weight in reference.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name])
    assert tokenizer("a model reads words")["input_ids"] == [2, 3, 4, 5]
    assert len(server.requests) == before  # nothing is converted or looked up behind our back


def test_index_can_not_point_out_of_the_folder(server: HubServer, tmp_path: Path) -> None:
    files = gpt_neox_files(seed=0, parts=2)
    index = json.loads(files["model.safetensors.index.json"])
    index["weight_map"]["embed_out.weight"] = "../../../somewhere.safetensors"
    files["model.safetensors.index.json"] = json.dumps(index).encode()
    server.commit(REPO, "step0", files)
    server.commit(REPO, "main", TOKENIZER)
    with (
        pytest.raises(CheckpointError, match=r"points to '\.\./\.\./\.\./somewhere"),
        open_checkpoint(SOURCE, 0, workdir=tmp_path),
    ):
        pass
    assert weight_files_left(tmp_path) == []


def test_listing_can_not_name_a_path_out_of_the_folder(server: HubServer, tmp_path: Path) -> None:
    publish(server, 1)
    evil = {"../../model.safetensors": b"evil", "/config.json": b"evil", "../tokenizer.json": b"x"}
    server.commit(REPO, "step0", {"config.json": b"{}", "model.safetensors": b"good"} | evil)
    with open_checkpoint(SOURCE, 0, workdir=tmp_path / "store") as checkpoint:
        assert (checkpoint.folder / "model.safetensors").read_bytes() == b"good"
    assert [
        path for path in tmp_path.rglob("*") if path.is_file() and b"evil" in path.read_bytes()
    ] == []


def test_a_listing_pins_the_sweep(server: HubServer, tmp_path: Path) -> None:
    weights = publish(server, 3)
    write_listing(take_listing(SOURCE, [0, 1, 2]), tmp_path / "listing.json")
    server.commit(REPO, "step1", {"config.json": b"{}", "model.safetensors": b"uploaded later"})
    server.requests.clear()
    options = {"workdir": tmp_path / "store", "listing": tmp_path / "listing.json"}
    with open_checkpoint(SOURCE, 1, **options) as checkpoint:
        assert (checkpoint.folder / "model.safetensors").read_bytes() == weights[1]
    with (
        pytest.raises(CheckpointError, match="lists no step 9"),
        open_checkpoint(SOURCE, 9, **options),
    ):
        pass
    assert not any(path.endswith("/refs") for path in server.requests)


def test_sweep_of_19_steps_needs_two_checkpoints_of_disk(server: HubServer, tmp_path: Path) -> None:
    weights = publish(server, 19)
    peaks: list[int] = []
    server.at_request = lambda path: peaks.append(size_of_now(tmp_path))
    for checkpoint in open_checkpoints([(SOURCE, step) for step in weights], workdir=tmp_path):
        assert (checkpoint.folder / "model.safetensors").read_bytes() == weights[checkpoint.step]
        if checkpoint.step < 18:  # a caller slow enough for the next to arrive
            wait_until(lambda: len(list(tmp_path.rglob("model.safetensors"))) == 2)
        peaks.append(size_of_now(tmp_path))
    assert 2 * SIZE <= max(peaks) <= 2.1 * SIZE
    assert weight_files_left(tmp_path) == []


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def size_of_now(folder: Path) -> int:
    """Like `size_of`, of a folder that others change meanwhile."""
    for _ in range(5):
        try:
            return size_of(folder)
        except FileNotFoundError:
            continue
    return 0


def test_the_next_is_fetched_while_the_caller_works(server: HubServer, tmp_path: Path) -> None:
    publish(server, 3)
    steps = open_checkpoints([(SOURCE, step) for step in range(3)], workdir=tmp_path)
    next(steps)
    # Sent is not yet stored: what is cut off on its way stays, so that it can be resumed.
    both = sorted(["config.json", "model.safetensors"] * 2)
    wait_until(lambda: sorted(weight_files_left(tmp_path)) == both)
    assert server.bytes_sent < 3 * SIZE
    steps.close()
    assert weight_files_left(tmp_path) == []


def test_stopping_early_does_not_wait_for_what_is_on_its_way(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server, 2)
    monkeypatch.setattr(hub, "CHUNK", 1000)
    server.fault("^/content", "slow", times=1, seconds=0)
    server.fault("^/content", "slow", times=1, seconds=30)
    steps = open_checkpoints([(SOURCE, step) for step in range(2)], workdir=tmp_path)
    next(steps)
    start = time.monotonic()
    steps.close()
    assert time.monotonic() - start < 10


def test_jobs_side_by_side_keep_the_budget_and_the_downloads(
    server: HubServer, tmp_path: Path
) -> None:
    publish(server, 8)
    server.fault("^/content", "slow", times=99, seconds=0.1)
    peaks: list[int] = []

    def job(step: int) -> None:
        for checkpoint in open_checkpoints(
            [(SOURCE, step), (SOURCE, step + 4)],
            workdir=tmp_path,
            max_disk_gb=3.5 * SIZE / 1e9,
            downloads=2,
        ):
            peaks.append(size_of_now(tmp_path / "weights"))
            assert (checkpoint.folder / "model.safetensors").is_file()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(job, range(4)))
    assert max(peaks) <= 3.5 * SIZE
    assert server.most_at_once == 2


def test_sweep_killed_20_times_ends_like_an_undisturbed_one(
    server: HubServer, tmp_path: Path
) -> None:
    """A process forks a sweep, kills it at a random moment, and forks it again, 20 times.

    A sweep writes the hash of the weights it read to a file a step. Where one finishes before its
    time, what it wrote is checked and thrown away, and it starts over in the same store.
    """
    weights = publish(server, 6, size=60_000)
    server.fault("^/content", "slow", times=10_000, seconds=0.05)
    program = textwrap.dedent(f"""
        import hashlib, json, os, random, shutil, signal, sys, time
        from pathlib import Path
        from geomod.checkpoints import hub
        from geomod.base.files import whole
        from geomod.checkpoints.opening import CheckpointSource, open_checkpoints

        hub.CHUNK, hub.FIRST_WAIT = 5_000, 0.01
        store, results = Path({str(tmp_path)!r}) / "store", Path({str(tmp_path)!r}) / "results"
        source = CheckpointSource("hub", "pythia-70m", {REPO!r})

        def sweep():
            todo = [step for step in range(6) if not (results / str(step)).exists()]
            for found in open_checkpoints([(source, step) for step in todo], workdir=store):
                files = sorted(path.name for path in found.folder.iterdir())
                assert files == ["config.json", "model.safetensors"], files
                content = (found.folder / "model.safetensors").read_bytes()
                with whole(results / str(found.step)) as path:
                    path.write_text(hashlib.sha256(content).hexdigest())

        def run(seconds):
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    sweep()
                    code = 0
                finally:
                    os._exit(code)
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                done, status = os.waitpid(child, os.WNOHANG)
                if done:
                    assert status == 0, "the sweep failed"
                    return True
                time.sleep(0.001)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return False

        def read():
            return {{path.name: path.read_text() for path in results.glob("[0-9]*")}}

        random.seed(1)
        kills, finished = 0, []
        while kills < 20:
            if run(random.uniform(0.05, 0.6)):
                finished.append(read())
                shutil.rmtree(results)
            else:
                kills += 1
        assert run(60)
        finished.append(read())
        # Who is killed between a result and the end of its weights leaves these to the next reader.
        shutil.rmtree(results)
        assert run(60)
        left = [path.name for path in (store / "weights").rglob("*") if path.is_file()]
        print(json.dumps([read(), finished, left]))
    """)
    environment = os.environ | {
        "PYTHONPATH": str(Path(hub.__file__).parents[2]),
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(tmp_path / "home"),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    last, finished, left = json.loads(done.stdout)
    truth = {str(step): hashlib.sha256(content).hexdigest() for step, content in weights.items()}
    assert last == truth
    assert all(results == truth for results in finished)
    assert left == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 600 kB."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(path)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root on Linux")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_full_disk_is_told_and_the_download_goes_on_once_there_is_room(
    server: HubServer, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = publish(server, 1, size=400_000)
    monkeypatch.setattr(hub, "CHUNK", 10_000)
    (small_disk / "filler").write_bytes(bytes(350_000))
    with (
        pytest.raises(
            CheckpointError, match=r"step 0: the disk of .* is full: 400\.0 kB are needed"
        ),
        open_checkpoint(SOURCE, 0, workdir=small_disk / "store"),
    ):
        pass
    assert server.bytes_sent < 1000  # the tokenizer
    # Others fill the disk while the download is under way.
    monkeypatch.setattr(hub, "check_space", lambda folder, size: None)
    with (
        pytest.raises(CheckpointError, match=r"step 0: the disk of .* is full\. Make room"),
        open_checkpoint(SOURCE, 0, workdir=small_disk / "store"),
    ):
        pass
    (small_disk / "filler").unlink()
    wait_until(lambda: server.under_way == 0)
    arrived = size_of(small_disk / "store" / "weights")
    assert arrived > 100_000
    server.bytes_sent = 0
    with open_checkpoint(SOURCE, 0, workdir=small_disk / "store") as checkpoint:
        assert (checkpoint.folder / "model.safetensors").read_bytes() == weights[0]
    assert server.bytes_sent < 400_000 - arrived + 10_000


def test_cache_of_the_hub_is_used_and_left_alone(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = publish(server, 1)
    server.commit(REPO, "main", TOKENIZER | {"config.json": b"{}"})
    for revision, names in {
        "step0": ["config.json", "model.safetensors"],
        "main": ["tokenizer.json", "config.json"],
    }.items():
        for name in names:
            hf_hub_download(REPO, name, revision=revision)
    server.requests.clear()
    with open_checkpoint(SOURCE, 0, workdir=tmp_path / "a") as checkpoint:
        assert (checkpoint.folder / "model.safetensors").read_bytes() == weights[0]
    assert not any("/content/" in path for path in server.requests)
    assert (checkpoint.folder / "model.safetensors").is_file()

    server.requests.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with open_checkpoint(SOURCE, 0, workdir=tmp_path / "b") as offline:
        assert offline == dataclasses.replace(checkpoint, tokenizer_folder=offline.tokenizer_folder)
    assert server.requests == []
    with (
        pytest.raises(CheckpointError, match=r"step 1: revision step1 .* not in the local cache"),
        open_checkpoint(SOURCE, 1, workdir=tmp_path / "b"),
    ):
        pass


def test_damaged_cache_is_passed_by(server: HubServer, tmp_path: Path) -> None:
    weights = publish(server, 1)
    for name in ("config.json", "model.safetensors"):
        path = Path(hf_hub_download(REPO, name, revision="step0"))
    path.resolve().write_bytes(b"x" * SIZE)
    with open_checkpoint(SOURCE, 0, workdir=tmp_path / "a") as checkpoint:
        assert (checkpoint.folder / "model.safetensors").read_bytes() == weights[0]


def test_one_tokenizer_for_the_sweep(server: HubServer, tmp_path: Path) -> None:
    publish(server, 2)
    source = dataclasses.replace(SOURCE, tokenizer="owner/pythia-14m")
    server.commit("owner/pythia-14m", "main", TOKENIZER)
    found = list(open_checkpoints([(source, 0), (SOURCE, 0), (source, 1)], workdir=tmp_path))
    assert found[0].tokenizer_folder == found[2].tokenizer_folder != found[1].tokenizer_folder
    assert len({checkpoint.tokenizer_sha256 for checkpoint in found}) == 1
    assert sum("pythia-14m/resolve" in path for path in server.requests) == 1
    server.commit("owner/pythia-14m", "main", {"tokenizer.json": b"other"})
    with open_checkpoint(source, 1, workdir=tmp_path) as later:
        assert later.tokenizer_sha256 == found[0].tokenizer_sha256


def test_own_folders_are_read_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "step10"
    folder.mkdir(parents=True)
    for name, content in gpt_neox_files(seed=5).items():
        (folder / name).write_bytes(content)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    source = CheckpointSource("folder", "mine-a", str(tmp_path / "mine" / "step{step}"))
    [checkpoint] = open_checkpoints([(source, 10)], workdir=tmp_path / "store")
    assert checkpoint.folder == checkpoint.tokenizer_folder == folder
    assert checkpoint.sha256 == sha256_of(folder / "model.safetensors")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (None, "there is no folder"),
        ({}, "no config.json"),
        ({"config.json": b"{}"}, "no weights"),
        (
            {"config.json": b"{}", "model-00001-of-00002.safetensors": b""},
            r"lacks model-00002-of-00002\.safetensors, model\.safetensors\.index\.json",
        ),
        ({"config.json": b"{}", "model.safetensors": b""}, "holds no tokenizer"),
    ],
)
def test_own_folder_that_is_not_whole(
    tmp_path: Path, files: dict[str, bytes] | None, problem: str
) -> None:
    folder = tmp_path / "step1"
    if files is not None:
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
    source = CheckpointSource("folder", "mine-a", str(tmp_path / "step{step}"))
    with (
        pytest.raises(CheckpointError, match=f"mine-a, step 1: .*{problem}"),
        open_checkpoint(source, 1, workdir=tmp_path),
    ):
        pass


def test_threads_are_gone_after_a_sweep(server: HubServer, tmp_path: Path) -> None:
    publish(server, 2)
    list(open_checkpoints([(SOURCE, 0), (SOURCE, 1)], workdir=tmp_path))
    assert not any(thread.name.startswith("fetch") for thread in threading.enumerate())
    assert list(open_checkpoints([], workdir=tmp_path)) == []
