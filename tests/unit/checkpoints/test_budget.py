"""The budget that all processes of a sweep share."""

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from geomod.checkpoints.budget import (
    Abandoned,
    CheckpointError,
    Patience,
    evict,
    room,
    size_of,
    turn,
)


def fill(folder: Path, size: int) -> None:
    (folder / "file").write_bytes(bytes(size))


def test_room_is_given_back(tmp_path: Path) -> None:
    for name in "abc":
        with room(tmp_path, name, 100, limit=100) as folder:
            fill(folder, 100)
            evict(folder)
    assert size_of(tmp_path / "weights") == 0
    assert list((tmp_path / "claims").iterdir()) == []


def test_what_never_fits_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(CheckpointError, match=r"needs 5\.00 GB .* budget is 3\.00 GB.*max_disk_gb"),
        room(tmp_path, "a", 5_000_000_000, limit=3_000_000_000),
    ):
        pass


def test_nobody_shares_a_folder(tmp_path: Path) -> None:
    with room(tmp_path, "a", 1, 10) as one, room(tmp_path, "a", 1, 10) as two:
        assert one != two
    with room(tmp_path, "a", 1, 10) as again:
        assert again == one


def test_many_together_keep_the_limit(tmp_path: Path) -> None:
    peaks, stop = [], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            peaks.append(size_of_now(tmp_path / "weights"))

    def work(number: int) -> None:
        with room(tmp_path, f"{number}", 100, limit=250) as folder:
            fill(folder, 100)
            time.sleep(0.02)
            evict(folder)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(12)))
    stop.set()
    watcher.join()
    assert 100 <= max(peaks) <= 200  # two fit, three do not


def size_of_now(folder: Path) -> int:
    """Like `size_of`, of a folder that others change meanwhile."""
    try:
        return size_of(folder)
    except FileNotFoundError:
        return 0


def test_waiting_ends_when_the_work_is_not_wanted(tmp_path: Path) -> None:
    patience = Patience()
    threading.Timer(0.1, patience.set).start()
    with (
        room(tmp_path, "a", 10, 10),
        pytest.raises(Abandoned),
        room(tmp_path, "b", 10, 10, patience),
    ):
        pass


def hold(store: Path, ready: "multiprocessing.Queue[None]") -> None:
    with room(store, "killed", 60, 100) as folder:
        fill(folder, 60)
        ready.put(None)
        time.sleep(60)


@pytest.fixture
def store_of_a_killed_process(tmp_path: Path) -> Path:
    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    process = context.Process(target=hold, args=(tmp_path, ready))
    process.start()
    ready.get(timeout=30)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    return tmp_path


def test_claim_of_a_killed_process_lapses(store_of_a_killed_process: Path) -> None:
    store = store_of_a_killed_process
    with room(store, "other", 100, 100, patience=at_most(5)) as folder:
        fill(folder, 100)
        # What it left gave way, because there was no room for both.
        assert size_of(store / "weights") == 100


def test_what_a_killed_process_left_is_kept_where_there_is_room(
    store_of_a_killed_process: Path,
) -> None:
    store = store_of_a_killed_process
    with room(store, "other", 40, 100, patience=at_most(5)):
        pass
    with room(store, "killed", 60, 100, patience=at_most(5)) as folder:
        assert size_of(folder) == 60


def at_most(seconds: float) -> Patience:
    patience = Patience()
    timer = threading.Timer(seconds, patience.set)
    timer.daemon = True
    timer.start()
    return patience


def test_turns(tmp_path: Path) -> None:
    busy, most, lock = [0], [0], threading.Lock()

    def work(_: int) -> None:
        with turn(tmp_path, 2):
            with lock:
                busy[0] += 1
                most[0] = max(most[0], busy[0])
            time.sleep(0.02)
            with lock:
                busy[0] -= 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(12)))
    assert most[0] == 2
