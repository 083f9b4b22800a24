"""Every fault that public suites are known for, put into a hub on this machine and found again."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.checkpoints.audit import (
    STATUSES,
    KnownBad,
    audit,
    expected_sizes,
    in_words,
    parse_steps,
    read_known_bad,
    summary,
    with_continuity,
)
from geomod.checkpoints.budget import CheckpointError
from geomod.checkpoints.hub import RemoteFile
from geomod.checkpoints.listings import (
    CheckpointSource,
    needed_files,
    read_listing,
    steps_of,
    take_listing,
    write_listing,
)
from tests.hubserver import HubServer, point_client_at

REPO = "owner/pythia-70m"
SOURCE = CheckpointSource("hub", "pythia-70m", REPO)
RESOURCES = Path(__file__).parents[3] / "resources"
STEPS_OF_PYTHIA = [0, *(2**power for power in range(10)), *range(1000, 144000, 1000)]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    server = HubServer()
    point_client_at(server, monkeypatch, tmp_path / "home")
    yield server
    server.close()


def weights(text: object, size: int = 64) -> bytes:
    return hashlib.shake_256(str(text).encode()).digest(size)


def publish(server: HubServer, content: Mapping[Any, dict[str, bytes] | bytes]) -> None:
    for step, files in content.items():
        if isinstance(files, bytes):
            files = {"model.safetensors": files}
        branch = step if isinstance(step, str) else f"step{step}"
        server.commit(REPO, branch, {"config.json": b"{}"} | files)


def audited(steps: list[int], **options: Any) -> pd.DataFrame:
    return filled(audit(SOURCE, take_listing(SOURCE), steps, **options))


def filled(table: pd.DataFrame) -> pd.DataFrame:
    """The table by step, "" where it is a copy of nothing."""
    return table.set_index("step").fillna({"duplicate_of": ""})


def test_audit_of_154_revisions_costs_at_most_160_requests(server: HubServer) -> None:
    publish(server, {step: weights(step) for step in STEPS_OF_PYTHIA} | {"main": weights(143000)})
    table = audited(STEPS_OF_PYTHIA)
    assert len(STEPS_OF_PYTHIA) == len(table) == 154
    assert len(server.requests) <= 160
    assert set(table["status"]) == {"ok"}
    assert not any("/resolve/" in path for path in server.requests)


def test_steps_that_are_bit_identical(server: HubServer) -> None:
    content = {0: weights(0), 1: weights(0), 2: weights(0), 4: weights(4), "main": weights(4)}
    publish(server, content)
    table = audited([0, 1, 2, 4])
    assert table["duplicate_of"].tolist() == ["", "step0", "step0", ""]
    assert table["status"].tolist() == ["ok", "duplicate", "duplicate", "ok"]
    # Of a sweep without step 0, step 1 is as good a point as any, and step 2 is none.
    assert audited([1, 2, 4])["duplicate_of"].tolist() == ["", "step1", ""]


def test_end_of_training_under_earlier_names(server: HubServer) -> None:
    end, other_end = weights("end"), weights("another end")
    mixed = {0: end, 1000: end, 2000: other_end, 3000: weights(3000), 4000: other_end, "main": end}
    publish(server, mixed)
    table = audited([0, 1000, 2000, 3000, 4000])
    assert table["duplicate_of"].tolist() == ["main", "main", "step4000", "", ""]


def test_swapped_shard(server: HubServer) -> None:
    names = [f"pytorch_model-{part:05d}-of-00003.bin" for part in (1, 2, 3)]
    index = {"pytorch_model.bin.index.json": b"{}"}
    steps = (1000, 2000, 3000, 4000)
    content: dict[int | str, dict[str, bytes]] = {
        step: {name: weights((step, name)) for name in names} | index for step in steps
    }
    content["main"] = content[4000]
    content[2000][names[0]] = content[4000][names[0]]
    publish(server, content)
    table = audited(list(steps))
    assert table["status"].tolist() == ["ok", "foreign_part", "ok", "ok"]
    assert table.loc[2000, "detail"] == f"{names[0]} is that of step4000"
    assert set(table["duplicate_of"]) == {""}
    assert set(table["format"]) == {"bin"}


def test_two_steps_on_the_way_that_share_a_part_are_both_suspect(server: HubServer) -> None:
    names = [f"model-{part:05d}-of-00002.safetensors" for part in (1, 2)]
    index = {"model.safetensors.index.json": b"{}"}
    content: dict[int | str, dict[str, bytes]] = {
        step: {name: weights((step, name)) for name in names} | index for step in (16, 32, 64)
    }
    content[16][names[1]] = content[32][names[1]]
    publish(server, content)
    table = audited([16, 32, 64])
    assert table["status"].tolist() == ["foreign_part", "foreign_part", "ok"]
    assert table.loc[16, "detail"] == f"{names[1]} is that of step32"
    assert table.loc[32, "detail"] == f"{names[1]} is that of step16"


def test_missing_incomplete_and_of_the_wrong_size(server: HubServer) -> None:
    publish(
        server,
        {
            0: weights(0),
            2: {"model-00001-of-00002.safetensors": weights(2)},
            3: {"README.md": b""},
            4: weights(4, 300_000),
            5: {"pytorch_model.bin": weights(5)},
            6: weights(6),
        },
    )
    table = audited([0, 1, 2, 3, 4, 5, 6])
    assert table["status"].tolist() == (
        ["ok", "missing", "incomplete", "incomplete", "wrong_size", "ok", "ok"]
    )
    assert "lacks model-00002-of-00002.safetensors" in str(table.loc[2, "detail"])
    assert "no weights" in str(table.loc[3, "detail"])
    assert table.loc[4, "detail"] == "300.0 kB of weights where 0.0 kB to 100.1 kB are expected"
    assert table["format"].tolist()[4:6] == ["safetensors", "bin"]
    # Where the right size is known the majority does not decide.
    assert audited([0, 4], sizes=(200_000, 400_000))["status"].tolist() == ["wrong_size", "ok"]


def test_quarantine(server: HubServer) -> None:
    publish(server, {0: weights(0), 1: weights(1)})
    bad = KnownBad(REPO, "step{step}", frozenset({1}), "swapped", "https://example.org/1")
    elsewhere = KnownBad("owner/other", "step{step}", frozenset({0}), "x", "https://example.org/2")
    table = audited([0, 1], known_bad=[bad, elsewhere])
    assert table["status"].tolist() == ["ok", "known_bad"]
    assert table.loc[1, "detail"] == "swapped (https://example.org/1)"


def test_shipped_quarantine_list() -> None:
    rows = read_known_bad(RESOURCES / "known_bad.tsv")
    steps: dict[str, set[int]] = {}
    for row in rows:
        steps.setdefault(row.repo, set()).update(row.steps)
    # The report counts 86 branches; one of them is step143000, to which the weights belong.
    assert len(steps["EleutherAI/pythia-2.8b"]) == 85
    assert steps["EleutherAI/pythia-2.8b"] < set(STEPS_OF_PYTHIA)
    assert steps["EleutherAI/pythia-12b"] == {50000, 58000}
    assert all(row.source.startswith("https://") for row in rows)


def test_quarantine_row_without_source_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.tsv"
    path.write_text("repo\trevision\tsteps\tproblem\tsource\na/b\tstep{step}\t1\tbad\thearsay\n")
    with pytest.raises(InputError, match="line 2: every row names its public source"):
        read_known_bad(path)


def test_shipped_sizes() -> None:
    path = RESOURCES / "suites.tsv"
    least, most = expected_sizes(path, "EleutherAI/pythia-{size}", "70m") or (0, 0)
    assert least < 141e6 < 166e6 < most < 1.5 * least
    assert expected_sizes(path, "EleutherAI/pythia-{size}", "71m") is None
    suites = pd.read_csv(path, sep="\t")
    # Two bytes a number, and the attention mask that the published files hold for every block.
    masks = suites["blocks"] * 2048**2 / 1e6
    assert ((2 * suites["parameters_m"] + masks) / suites["file_mb"]).between(0.98, 1.02).all()


def test_listing_survives_a_file(server: HubServer, tmp_path: Path) -> None:
    publish(server, {0: weights(0), 1: weights(1), "main": weights(1)})
    listing = take_listing(SOURCE, [0, 1, 2])
    write_listing(listing, tmp_path / "listing.json")
    assert read_listing(tmp_path / "listing.json") == listing
    assert [snapshot.step for snapshot in listing] == [0, 1, None]


def test_folders_are_audited_too(tmp_path: Path) -> None:
    for step, content in {0: b"a", 1: b"a", 2: b"b"}.items():
        folder = tmp_path / f"step{step}"
        folder.mkdir()
        (folder / "config.json").write_bytes(b"{}")
        (folder / "model.safetensors").write_bytes(content)
    (tmp_path / "step3").mkdir()
    source = CheckpointSource("train", "toy-xs", str(tmp_path / "step{step}"))
    steps = [0, 1, 2, 3, 4]
    table = filled(audit(source, take_listing(source, steps), steps))
    assert table["status"].tolist() == ["ok", "duplicate", "ok", "incomplete", "missing"]
    assert table["duplicate_of"].tolist() == ["", "step0", "", "", ""]


def test_olmo_branches() -> None:
    names = [
        "stage1-step1000-tokens5B",
        "stage1-step20-tokens1B",
        "stage2-step1000-tokens5B",
        "main",
    ]
    assert steps_of("stage1-step{step}-tokens*B", names) == {1000: names[0], 20: names[1]}


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["model.safetensors", "pytorch_model.bin"], ["model.safetensors"]),
        (["pytorch_model.bin", "tf_model.h5", "optimizer.bin"], ["pytorch_model.bin"]),
        (["model-00001-of-00002.safetensors", "pytorch_model.bin"], ["pytorch_model.bin"]),
        (
            [
                "model-00001-of-00001.safetensors",
                "model.safetensors.index.json",
                "pytorch_model.bin",
            ],
            ["model-00001-of-00001.safetensors", "model.safetensors.index.json"],
        ),
        (["model.safetensors", "../model.safetensors", "x/config.json"], ["model.safetensors"]),
    ],
)
def test_needed_files(names: list[str], chosen: list[str]) -> None:
    listed = [RemoteFile(name, 1, "", "") for name in ["config.json", *names]]
    _, files = needed_files(listed, "here")
    assert [file.name for file in files] == ["config.json", *chosen]


def test_files_without_config_are_no_model() -> None:
    with pytest.raises(CheckpointError, match=r"here has no config\.json"):
        needed_files([RemoteFile("model.safetensors", 1, "", "")], "here")


def test_continuity_joins_the_audit() -> None:
    table = pd.DataFrame(
        {
            "model": "m",
            "step": [0, 1, 2, 3],
            "duplicate_of": None,
            "status": ["ok", "ok", "ok", "known_bad"],
            "detail": "",
        }
    )
    tensors = pd.DataFrame(
        {
            "model": "m",
            "step": [0, 1, 2, 3],
            "detour": [1.0, float("nan"), 7.25, 9.0],
            "copy_of": [-1, 0, -1, -1],
            "off_trajectory": [False, False, True, True],
        }
    )
    elsewhere = tensors.assign(model="other", off_trajectory=True)
    joined = with_continuity(table, pd.concat([tensors, elsewhere]))
    assert joined["status"].tolist() == ["ok", "duplicate", "off_trajectory", "known_bad"]
    assert joined["duplicate_of"].notna().tolist() == [False, True, False, False]
    assert (joined.loc[1, "duplicate_of"], joined.loc[1, "detail"]) == ("step0", "the same numbers")
    assert "7.2 times" in joined.loc[2, "detail"]
    assert set(joined["status"]) <= set(STATUSES)


def test_summary_reads_like_a_finding(server: HubServer) -> None:
    steps = list(range(0, 10000, 1000))
    content = {step: weights("end" if step < 6000 else step) for step in steps}
    publish(server, content | {"main": weights("end")})
    text = summary(audit(SOURCE, take_listing(SOURCE), [*steps, 11000]))
    assert text == (
        "pythia-70m: 4 of 11 checkpoints are sound\n"
        "  missing        no such revision: 1 (11000)\n"
        "  duplicate      bit-identical to another step: 6 (0 … 5000 by 1000)\n"
        "  same weights as main: 0 … 5000 by 1000\n"
    )


def test_bad_steps_are_named() -> None:
    assert parse_steps("0,1,4:8:2", "here") == [0, 1, 4, 6, 8]
    with pytest.raises(InputError, match="here: '1-3' is no step"):
        parse_steps("0,1-3", "here")


@given(st.sets(st.integers(0, 500), min_size=1))
def test_in_words_says_every_step_once(steps: set[int]) -> None:
    said: list[int] = []
    for word in in_words(sorted(steps)).split(", "):
        numbers = [int(part) for part in word.replace("…", "by").split(" by ")]
        first, last, stride = numbers if len(numbers) == 3 else (numbers[0], numbers[0], 1)
        said.extend(range(first, last + 1, stride))
    assert said == sorted(steps)
