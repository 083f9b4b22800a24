"""Every file leads back to the code of all stages behind it, and to every checkpoint."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from geomod.base.layers import read_header, write_features
from geomod.base.provenance import derived, hash_of, in_short, joined, of_checkpoint
from geomod.base.tables import read_provenance, write_table

LOSS = pd.DataFrame({"step": [0], "loss": [5.0]})


def checkpoint(step: int) -> Any:
    return SimpleNamespace(
        model="toy-xs",
        step=step,
        revision=f"step{step}",
        commit="c" * 40,
        sha256=f"{step:064d}",
        tokenizer_sha256="t" * 64,
    )


def job(stage: str, code: str) -> dict[str, Any]:
    return {"stage": stage, "code": code, "run": "demo", "seed": 0}


def test_a_stacked_table_leads_back_to_every_stage_and_checkpoint(tmp_path: Path) -> None:
    stacked = []
    for step in (4, 0):
        features = tmp_path / f"step{step}/features.safetensors"
        behind = {**derived(job("activations", "aa"), []), **of_checkpoint(checkpoint(step))}
        write_features({0: np.zeros((1, 1), np.float32)}, features, behind)
        table = tmp_path / f"step{step}/encoding.parquet"
        write_table(LOSS, table, "loss", derived(job("encoding", "bb"), [features]))
        stacked.append(table)
    write_table(LOSS, tmp_path / "all.parquet", "loss", derived(job("stack", "cc"), stacked))
    found = read_provenance(tmp_path / "all.parquet")
    assert found["stages"] == {"activations": ["aa"], "encoding": ["bb"], "stack": ["cc"]}
    assert [entry["step"] for entry in found["checkpoints"]] == [0, 4]
    for entry in found["checkpoints"]:
        known = vars(checkpoint(entry["step"]))
        assert entry == known
    assert (found["stage"], found["code"], found["run"], found["seed"]) == (
        "stack",
        "cc",
        "demo",
        0,
    )
    header = read_header(tmp_path / "step4/features.safetensors")
    assert (header["commit"], header["sha256"]) == ("c" * 40, checkpoint(4).sha256)


def test_a_file_knows_on_what_its_stages_computed() -> None:
    read_on = [{**job("activations", "a"), "device": name} for name in ("cpu", "H100")]
    fitted = joined({**job("encoding", "b"), "device": "cpu"}, read_on)
    found = joined(job("stack", "c"), [fitted, job("geometry", "d")])
    assert found["devices"] == {"activations": ["H100", "cpu"], "encoding": ["cpu"]}
    assert "device" not in found


def test_a_checkpoint_behind_two_files_is_listed_once() -> None:
    record = joined(job("a", "1"), [of_checkpoint(checkpoint(0))] * 2)
    assert len(record["checkpoints"]) == 1


def test_files_of_before_and_after_an_edit_are_both_told() -> None:
    sources = [joined(job("encoding", code), []) for code in ("new", "old", "new")]
    assert joined(job("stack", "s"), sources)["stages"]["encoding"] == ["new", "old"]


def test_what_holds_no_record_adds_nothing(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("item_id\n")
    assert derived(job("brain", "b"), [tmp_path / "own.csv"]) == joined(job("brain", "b"), [])


def test_a_short_record_names_the_list_by_its_hash() -> None:
    record = joined(job("stack", "s"), [of_checkpoint(checkpoint(step)) for step in (4, 0, 16)])
    short = in_short(record, "results/demo/tables/encoding.parquet")
    assert short["stages"] == record["stages"]
    assert short["checkpoints"] == {
        "count": 3,
        "sha256": hash_of(record["checkpoints"]),
        "listed_in": "results/demo/tables/encoding.parquet",
    }
    assert hash_of(record["checkpoints"]) != hash_of(record["checkpoints"][:2])
