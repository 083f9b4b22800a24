"""What the checkpoints of a model are, file by file, before anything is downloaded.

A listing holds one snapshot a step: the commit that its revision points to now, and name, size and
hash of every file. Written once, it pins a sweep: whatever is uploaded later, every job fetches the
same bytes.
"""

import hashlib
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from geomod.base.extras import extra
from geomod.base.files import sha256_of
from geomod.base.seals import read_json, write_json
from geomod.checkpoints import hub
from geomod.checkpoints.budget import CheckpointError
from geomod.checkpoints.hub import RemoteFile

with extra("models"):
    from huggingface_hub import try_to_load_from_cache

log = logging.getLogger(__name__)

Format = Literal["safetensors", "bin"]

STEMS: dict[Format, str] = {"safetensors": "model", "bin": "pytorch_model"}  # the better one first
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class CheckpointSource:
    """Where the checkpoints of one model lie; `{step}` is still open in `location`, `revision`.

    `location` is a repository for the provider `hub`, a folder for `folder` and `train`.
    `tokenizer` is a repository or a folder; left empty, it is the model's own.
    """

    provider: Literal["hub", "folder", "train"]
    model: str
    location: str
    revision: str = "step{step}"
    tokenizer: str = ""
    tokenizer_revision: str = "main"


@dataclass(frozen=True)
class Snapshot:
    """The files of one checkpoint; `main` and other revisions that are no step have step None."""

    step: int | None
    revision: str
    commit: str
    files: tuple[RemoteFile, ...]


def snapshot(source: CheckpointSource, step: int) -> Snapshot:
    """The checkpoint of `step` as it is now: at most two requests of a hub, none offline."""
    if source.provider != "hub":
        return folder_snapshot(Path(source.location.format(step=step)), step)
    revision = source.revision.format(step=step)
    if hub.offline():
        return cached_snapshot(source.location, revision, step)
    return hub_snapshot(source.location, revision, step)


def hub_snapshot(repo: str, revision: str, step: int | None = None) -> Snapshot:
    name, commit = hub.find_revision(repo, revision)
    return Snapshot(step, name, commit, hub.files(repo, commit))


def cached_snapshot(repo: str, revision: str, step: int | None = None) -> Snapshot:
    """What the hub's own cache (HF_HOME) holds of a revision."""
    config = try_to_load_from_cache(repo, "config.json", revision=revision)
    if not isinstance(config, str):
        raise CheckpointError(
            f"revision {revision} of {repo} is not in the local cache, and HF_HUB_OFFLINE forbids "
            "to ask for it; unset it, or fill the cache of HF_HOME first"
        )
    folder = Path(config).parent
    return Snapshot(step, revision, folder.name, tuple(map(_cached_file, _files_in(folder))))


def folder_snapshot(folder: Path, step: int | None = None) -> Snapshot:
    """What lies in a local folder, hashed."""
    if not folder.is_dir():
        raise CheckpointError(f"there is no folder {folder}; check `path` of the suite")
    listed = tuple(RemoteFile(p.name, p.stat().st_size, "", "") for p in _files_in(folder))
    try:
        _, chosen = needed_files(listed, str(folder))
    except CheckpointError:  # whoever opens it says what is lacking; an audit only notes it
        return Snapshot(step, "", "", listed)
    hashed = tuple(replace(file, sha256=sha256_of(folder / file.name)) for file in chosen)
    return Snapshot(step, "", "", hashed)


def needed_files(files: Iterable[RemoteFile], where: str) -> tuple[Format, tuple[RemoteFile, ...]]:
    """The files that a model is loaded from, and no others: config, weights, index of the weights.

    Safetensors where the set is complete, else .bin. Only names known beforehand are ever taken,
    so a listing can't name a path outside of its folder.
    """
    by_name = {file.name: file for file in files}
    if "config.json" not in by_name:
        raise CheckpointError(f"{where} has no config.json, so it holds no model")
    lacking: list[str] = []
    for suffix, stem in STEMS.items():
        names, missing = _weight_names(by_name, stem, suffix)
        if names and not missing:
            return suffix, tuple(by_name[name] for name in ["config.json", *names])
        lacking += missing
    raise CheckpointError(
        f"{where} lacks {', '.join(lacking[:3])}"
        if lacking
        else f"{where} has no weights: neither model.safetensors nor pytorch_model.bin"
    )


def _weight_names(names: Iterable[str], stem: str, suffix: str) -> tuple[list[str], list[str]]:
    """Files of one format, and those of them that are missing."""
    single = f"{stem}.{suffix}"
    if single in names:
        return [single], []
    parts = {
        int(match["parts"])
        for name in names
        if (match := re.fullmatch(rf"{stem}-\d{{5}}-of-(?P<parts>\d{{5}})\.{suffix}", name))
    }
    if not parts:
        return [], []
    count = max(parts)
    wanted = [f"{stem}-{part:05d}-of-{count:05d}.{suffix}" for part in range(1, count + 1)]
    wanted.append(f"{single}.index.json")
    return wanted, [name for name in wanted if name not in names]


def is_weight(file: RemoteFile) -> bool:
    return file.name.endswith((".safetensors", ".bin"))


def weights_sha256(files: Iterable[RemoteFile]) -> str:
    """One hash for the weights: that of the file, or of the hashes of its parts in order."""
    hashes = [file.identity for file in sorted(files, key=lambda f: f.name) if is_weight(file)]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def take_listing(source: CheckpointSource, steps: Sequence[int] | None = None) -> list[Snapshot]:
    """Snapshots of `steps`, or of every step that there is, and of `main` where there is one.

    A step whose revision does not exist is left out. Costs a hub one request, and one a snapshot.
    """
    if source.provider != "hub":
        if steps is None:
            raise TypeError("the steps of a folder are those of the config")
        paths = {step: Path(source.location.format(step=step)) for step in steps}
        return [folder_snapshot(path, step) for step, path in paths.items() if path.is_dir()]
    repo = source.location
    revisions = steps_of(source.revision, hub.revisions(repo))
    wanted = sorted(revisions if steps is None else set(steps) & set(revisions))
    found = []
    for number, step in enumerate(wanted):
        found.append(hub_snapshot(repo, revisions[step], step))
        if number % 20 == 19:
            log.info("%s: %d of %d steps listed", source.model, number + 1, len(wanted))
    if "main" in hub.revisions(repo):
        found.append(hub_snapshot(repo, "main"))
    return found


def steps_of(pattern: str, names: Iterable[str]) -> dict[int, str]:
    """Step → name of the revisions that fit a pattern such as `step{step}-tokens*B`."""
    parts = re.split(r"(\{step\}|\*)", pattern)
    regex = re.compile("".join({"{step}": r"(\d+)", "*": ".*"}.get(p, re.escape(p)) for p in parts))
    return {int(match[1]): name for name in names if (match := regex.fullmatch(name))}


def write_listing(snapshots: Iterable[Snapshot], path: str | Path) -> None:
    write_json([asdict(found) for found in snapshots], path)


def read_listing(path: str | Path) -> list[Snapshot]:
    return [
        Snapshot(**row | {"files": tuple(RemoteFile(**file) for file in row["files"])})
        for row in read_json(path)
    ]


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def _cached_file(path: Path) -> RemoteFile:
    """A file of the hub's own cache, whose blobs are named after the hash of their content."""
    blob = path.resolve().name
    size = path.stat().st_size
    if SHA256.fullmatch(blob):
        return RemoteFile(path.name, size, sha256=blob, blob="")
    if hub.COMMIT.fullmatch(blob):  # the SHA-1 of a small file
        return RemoteFile(path.name, size, sha256="", blob=blob)
    return RemoteFile(path.name, size, sha256=sha256_of(path), blob="")
