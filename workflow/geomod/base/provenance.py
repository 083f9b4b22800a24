"""Where a number comes from: the code and the checkpoints behind it.

A file's record is a dictionary that its header holds as JSON:

    code, stage, run, seed   the job that wrote it, `code` being the fingerprint of its modules
    device                   where it computed, of jobs that may do so on a GPU
    stages                   stage → fingerprints of the code behind the file, its own job included;
                             more than one, where jobs of before and after an edit were mixed
    devices                  stage → devices, of those behind the file that say one
    checkpoints              what identifies the weights of each checkpoint behind it
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from geomod.base.layers import read_header
from geomod.base.tables import read_provenance

Record = dict[str, Any]

IDENTITY = ("revision", "commit", "sha256", "tokenizer_sha256")
READERS = {".parquet": read_provenance, ".safetensors": read_header}


def of_checkpoint(checkpoint: Any) -> Record:
    """What identifies the weights behind a number: alone, and as the entry of a list."""
    identity = {name: str(getattr(checkpoint, name)) for name in IDENTITY}
    entry = {"model": checkpoint.model, "step": checkpoint.step, **identity}
    return {**identity, "checkpoints": [entry]}


def derived(own: Mapping[str, Any], files: Iterable[str | Path]) -> Record:
    """The record of what a job makes from `files`: its own, and all that stands behind them.

    Files that hold no record, such as those of the user, add nothing.
    """
    records = [READERS[Path(f).suffix](f) for f in files if Path(f).suffix in READERS]
    return joined(own, records)


def joined(own: Mapping[str, Any], records: Iterable[Mapping[str, Any]]) -> Record:
    """`own`, with the stages and checkpoints of all `records` beside its own."""
    stages: dict[str, set[str]] = {}
    devices: dict[str, set[str]] = {}
    checkpoints: dict[str, Record] = {}
    for record in (own, *records):
        codes = {record["stage"]: [record["code"]]} if "stage" in record else {}
        for stage, behind in [*codes.items(), *record.get("stages", {}).items()]:
            stages.setdefault(stage, set()).update(behind)
        used = {record["stage"]: [record["device"]]} if "device" in record else {}
        for stage, names in [*used.items(), *record.get("devices", {}).items()]:
            devices.setdefault(stage, set()).update(names)
        for entry in record.get("checkpoints", []):
            checkpoints[json.dumps(entry, sort_keys=True)] = entry
    return {
        **own,
        "stages": {stage: sorted(codes) for stage, codes in sorted(stages.items())},
        "devices": {stage: sorted(names) for stage, names in sorted(devices.items())},
        "checkpoints": sorted(checkpoints.values(), key=lambda c: (c["model"], c["step"])),
    }


def in_short(record: Mapping[str, Any], listed_in: str) -> Record:
    """A record for where a list of checkpoints would drown what is said beside it.

    In its place stand how many they are, a hash of the list (`hash_of`), and the file that has it.
    """
    checkpoints = record["checkpoints"]
    short = {"count": len(checkpoints), "sha256": hash_of(checkpoints), "listed_in": listed_in}
    return {**record, "checkpoints": short}


def hash_of(checkpoints: Iterable[Mapping[str, Any]]) -> str:
    """SHA-256 of a list of checkpoints as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(list(checkpoints), sort_keys=True).encode()).hexdigest()
