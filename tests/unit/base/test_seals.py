"""A file that is not what was written, or not what was asked for, is named and not read."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geomod.base.errors import Damaged, InputError
from geomod.base.layers import read_features, read_header, write_features
from geomod.base.seals import read_json, read_svg, seal_svg, write_json
from geomod.base.tables import read_provenance, read_table, write_table
from geomod.checkpoints.continuity import read_sketch, write_sketch
from geomod.checkpoints.hub import RemoteFile
from geomod.checkpoints.listings import Snapshot, read_listing, write_listing
from geomod.geometry.grams import Grams, read_grams, write_grams

RNG = np.random.default_rng(0)
FEATURES = {layer: RNG.normal(size=(4, 3)).astype(np.float32) for layer in range(2)}
GRAMS = {0: Grams.of_states([RNG.normal(size=(n, 3)) for n in (2, 3)])}
LOSS = pd.DataFrame({"step": range(20), "loss": RNG.normal(size=20)})
CLAIMS = [{"claim": 1, "p": float("nan"), "why": "−5 %"}, {"claim": 2, "interval": [0.1, 0.2]}]
NOTES = ["2 of 180 responses are empty", "“quoted”"]
TRUTH = {"ceiling": {"IFG": 0.7}}
LISTING = [Snapshot(0, "step0", "c" * 40, (RemoteFile("config.json", 5, "a" * 64, ""),))]
SOURCES = {"code": "abc", "checkpoints": [{"model": "m", "step": 0, "commit": "c" * 40}]}


def draw(path: Path) -> None:
    path.write_text("<?xml version='1.0'?>\n<svg><text>−.1</text></svg>\n", encoding="utf-8")
    seal_svg(path, path)


Kind = tuple[str, Callable[[Path], Any], Callable[[Path], Any]]
KINDS: dict[str, Kind] = {
    "table": (
        "loss.parquet",
        lambda path: write_table(LOSS, path, "loss", SOURCES),
        lambda path: (read_table(path).to_dict("list"), read_provenance(path)),
    ),
    "features": (
        "features.safetensors",
        lambda path: write_features(FEATURES, path, SOURCES),
        lambda path: (
            {layer: x.tolist() for layer, x in read_features(path).items()},
            read_header(path),
        ),
    ),
    "grams": (
        "grams.safetensors",
        lambda path: write_grams(GRAMS, path, SOURCES),
        lambda path: {layer: gram.values.tolist() for layer, gram in read_grams(path).items()},
    ),
    "sketch": (
        "sketch.safetensors",
        lambda path: write_sketch({"w": FEATURES[0]}, path),
        lambda path: {name: x.tolist() for name, x in read_sketch(path).items()},
    ),
    "claims": (
        "claims.json",
        lambda path: write_json(CLAIMS, path),
        lambda path: json.dumps(read_json(path)),  # NaN differs from itself
    ),
    "notes": ("notes.json", lambda path: write_json(NOTES, path), read_json),
    "truth": ("truth.json", lambda path: write_json(TRUTH, path), read_json),
    "listing": ("m.json", lambda path: write_listing(LISTING, path), read_listing),
    "figure": ("f.svg", draw, read_svg),
}
every_kind = pytest.mark.parametrize(("name", "write", "read"), KINDS.values(), ids=KINDS)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "results/demo/toy-xs/step16"
    folder.mkdir(parents=True)
    return folder


@every_kind
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data())
def test_one_flipped_bit_is_told_wherever_it_is(
    place: Path, name: str, write: Any, read: Any, data: st.DataObject
) -> None:
    path = place / name
    write(path)
    whole = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[at // 8] ^= 1 << at % 8
    path.write_bytes(whole)
    with pytest.raises(Damaged, match=name) as caught:
        read(path)
    assert caught.value.path == path


@every_kind
def test_what_was_written_comes_back(place: Path, name: str, write: Any, read: Any) -> None:
    write(place / name)
    there, content = read(place / name), (place / name).read_bytes()
    for _ in range(5):
        write(place / name)
        assert (place / name).read_bytes() == content  # the same bytes for the same content
    assert read(place / name) == there


@every_kind
def test_a_truncated_or_empty_file_is_told(place: Path, name: str, write: Any, read: Any) -> None:
    path = place / name
    write(path)
    whole = path.read_bytes()
    for length in (0, 1, 7, 8, 9, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(Damaged, match=name):
            read(path)
    path.unlink()
    with pytest.raises(InputError, match="no such file") as caught:
        read(path)
    assert not isinstance(caught.value, Damaged)


@every_kind
def test_the_file_of_another_step_or_run_is_told(
    place: Path, name: str, write: Any, read: Any
) -> None:
    write(place / name)
    for other in ("demo/toy-xs/step64", "demo/toy-s/step16", "lab/toy-xs/step16"):
        folder = place.parents[2] / other
        folder.mkdir(parents=True)
        shutil.copy(place / name, folder)
        with pytest.raises(Damaged, match="written as demo/toy-xs/step16"):
            read(folder / name)
    shutil.copy(place / name, place / f"other{Path(name).suffix}")
    with pytest.raises(Damaged, match="is another file"):
        read(place / f"other{Path(name).suffix}")


@every_kind
def test_the_file_of_another_dataset_or_run_is_told(
    place: Path, name: str, write: Any, read: Any
) -> None:
    """Theirs lie one folder deeper."""
    (place / "one").mkdir()
    write(place / "one" / name)
    for other in ("demo/toy-xs/step16/two", "demo/toy-xs/step8/one", "lab/toy-xs/step16/one"):
        folder = place.parents[2] / other
        folder.mkdir(parents=True)
        shutil.copy(place / "one" / name, folder)
        with pytest.raises(Damaged, match="written as demo/toy-xs/step16/one"):
            read(folder / name)


@every_kind
def test_a_folder_may_be_moved_as_a_whole(
    place: Path, tmp_path: Path, name: str, write: Any, read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(place / name)
    there = read(place / name)
    (tmp_path / "results").rename(tmp_path / "elsewhere")
    moved = tmp_path / "elsewhere/demo/toy-xs/step16" / name
    assert read(moved) == there
    monkeypatch.chdir(moved.parent)
    assert read(Path(name)) == there


@pytest.mark.parametrize("name", ["a b", "ü--x", "{model}?>", 'q"uo<te'])
def test_a_place_may_have_any_name(place: Path, name: str) -> None:
    for file, write, read in KINDS.values():
        folder = place / name
        folder.mkdir(exist_ok=True)
        write(folder / file)
        read(folder / file)


def test_one_layer_is_read_though_another_is_damaged(place: Path) -> None:
    path = place / "features.safetensors"
    write_features(FEATURES, path)
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x00")
    assert np.array_equal(read_features(path, [0])[0], FEATURES[0])
    with pytest.raises(Damaged, match="layer01 is not what was written"):
        read_features(path, [1])


def test_json_is_what_it_was_but_for_the_seal(place: Path) -> None:
    write_json(CLAIMS, place / "claims.json")
    entries = json.loads((place / "claims.json").read_text("utf-8"))
    assert [entry["claim"] for entry in entries] == [1, 2]
    assert len({entry.pop("seal") for entry in entries}) == 1
    assert read_json(place / "claims.json")[1] == entries[1] == CLAIMS[1]
    write_json([], place / "notes.json")
    assert read_json(place / "notes.json") == []


def test_a_file_without_a_seal_is_not_taken_for_one_of_ours(place: Path) -> None:
    LOSS.to_parquet(place / "loss.parquet")
    with pytest.raises(Damaged, match="no seal"):
        read_table(place / "loss.parquet")
