"""A checkpoint, wherever it lies: fetched, verified, handed over, evicted.

    with open_checkpoint(source, step=512, workdir=store, max_disk_gb=20) as checkpoint:
        model = load_model(checkpoint.folder)

The weights exist on disk for the length of the block only (folders of the user's own are left
alone), so that a sweep over half a terabyte of checkpoints needs room for two of them.
"""

import errno
import hashlib
import json
import logging
import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomod.base.errors import Damaged
from geomod.base.extras import extra
from geomod.base.files import read_json, sha256_of
from geomod.base.tensors import Tensors
from geomod.checkpoints import hub
from geomod.checkpoints.budget import (
    GIGA,
    Abandoned,
    CheckpointError,
    Patience,
    evict,
    only_one,
    room,
    size_of,
    turn,
)
from geomod.checkpoints.hub import Meter, RemoteFile, clock
from geomod.checkpoints.listings import (
    CheckpointSource,
    Format,
    Snapshot,
    cached_snapshot,
    folder_snapshot,
    hub_snapshot,
    is_weight,
    needed_files,
    read_listing,
    snapshot,
    weights_sha256,
)

with extra("models"):
    from huggingface_hub import try_to_load_from_cache

log = logging.getLogger(__name__)

TOKENIZER_FILES = (
    "config.json",  # some families keep the class of their tokenizer here
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
)


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint on disk, and what identifies it."""

    model: str
    step: int
    folder: Path
    tokenizer_folder: Path
    tokenizer_sha256: str
    revision: str
    commit: str
    sha256: str
    bytes: int
    format: Format


@dataclass(frozen=True)
class Store:
    """The folder that all jobs share, and what they may take of it together."""

    folder: Path
    limit: int
    downloads: int
    patience: Patience


@contextmanager
def open_checkpoint(
    source: CheckpointSource,
    step: int,
    *,
    workdir: str | Path,
    max_disk_gb: float = 20,
    downloads: int = 2,
    listing: str | Path | None = None,
    patience: Patience | None = None,
) -> Iterator[Checkpoint]:
    """Give one checkpoint for the length of the block.

    `workdir` is shared by all jobs of the sweep, which together never hold more than `max_disk_gb`
    of weights there, nor run more than `downloads` downloads at once. With a `listing` (a file of
    `listings.write_listing`) the commits are the listing's, and nothing is asked for but
    files.
    """
    with ExitStack() as held:
        with _naming(source, step, Path(workdir)):
            if source.provider == "hub":
                limit = int(max_disk_gb * GIGA)
                store = Store(Path(workdir), limit, downloads, patience or Patience())
                checkpoint = _from_hub(held, store, source, step, listing)
            else:
                checkpoint = _from_folder(source, step)
        yield checkpoint


def open_checkpoints(
    wanted: Iterable[tuple[CheckpointSource, int]], **options: Any
) -> Iterator[Checkpoint]:
    """Give checkpoints one after the other; while one is in use, the next is on its way.

    A checkpoint is evicted when the next is asked for, so at most two are on disk.
    `options` are those of `open_checkpoint`.
    """
    todo = list(wanted)
    patience = Patience()
    start = time.monotonic()

    def fetch(index: int) -> tuple[Checkpoint, ExitStack]:
        source, step = todo[index]
        with ExitStack() as held:
            checkpoint = held.enter_context(
                open_checkpoint(source, step, patience=patience, **options)
            )
            return checkpoint, held.pop_all()

    with ThreadPoolExecutor(1, "fetch") as pool:
        ahead = [pool.submit(fetch, 0)] if todo else []
        try:
            for done in range(1, len(todo) + 1):
                checkpoint, held = ahead[0].result()
                ahead.pop()
                if done < len(todo):
                    ahead.append(pool.submit(fetch, done))
                with held:
                    yield checkpoint
                each = (time.monotonic() - start) / done
                left = clock(each * (len(todo) - done))
                log.info("%d of %d checkpoints done, about %s left", done, len(todo), left)
        finally:  # also where the caller stops early: what is on its way is not wanted any more
            patience.set()
            for unwanted in ahead:
                with suppress(Abandoned, CheckpointError):
                    unwanted.result()[1].close()


def _from_folder(source: CheckpointSource, step: int) -> Checkpoint:
    folder = Path(source.location.format(step=step))
    if source.provider == "train":
        _check_trained(folder)
    found = folder_snapshot(folder, step)
    tokenizer = Path(source.tokenizer) if source.tokenizer else folder
    return _checkpoint(source, found, folder, tokenizer)


def _check_trained(folder: Path) -> None:
    """Hold a checkpoint that was trained here to what `geomod.toy.training.save` wrote."""
    path = folder / "model.safetensors"
    weights = Tensors(path)
    for name in weights:
        _ = weights[name]
    for name, sha256 in json.loads(weights.metadata["files"]).items():
        if not (folder / name).is_file() or sha256_of(folder / name) != sha256:
            raise Damaged(path, f"lies beside a {name} that is damaged or missing")


def _from_hub(
    held: ExitStack,
    store: Store,
    source: CheckpointSource,
    step: int,
    listing: str | Path | None,
) -> Checkpoint:
    """Fetch a checkpoint into the store; leaving `held` evicts it."""
    repo = source.location
    found = _pinned(listing, step) if listing else snapshot(source, step)
    _, files = needed_files(found.files, f"{repo} at revision {found.revision}")
    tokenizer = _tokenizer(source, store)
    cached = _in_cache(repo, found.commit, files)
    if cached:
        return _checkpoint(source, found, cached, tokenizer)
    size = sum(file.size for file in files)
    name = f"{repo.replace('/', '--')}@{found.commit[:12]}"
    folder = held.enter_context(room(store.folder, name, size, store.limit, store.patience))
    label = f"{source.model} step {step}"
    with turn(store.folder, store.downloads, store.patience):
        _fetch(repo, found.commit, files, folder, Meter(label, size, store.patience))
    held.callback(evict, folder)
    _check_index(folder, files)
    return _checkpoint(source, found, folder, tokenizer)


def _fetch(repo: str, commit: str, files: Iterable[RemoteFile], folder: Path, meter: Meter) -> None:
    hub.check_space(folder, meter.total - size_of(folder))
    for file in files:
        hub.download(repo, commit, file, folder, meter)
    log.info("%s", meter)


def _in_cache(repo: str, commit: str, files: Iterable[RemoteFile]) -> Path | None:
    """The folder of the hub's own cache, where it has all files and they are right."""
    found = [(file, try_to_load_from_cache(repo, file.name, revision=commit)) for file in files]
    folder = None
    for file, path in found:
        if not isinstance(path, str):
            return None
        if not file.is_the_content_of(Path(path)):
            log.warning("%s in the local cache is damaged and is left aside", path)
            return None
        folder = Path(path).parent
    return folder


def _check_index(folder: Path, files: Iterable[RemoteFile]) -> None:
    """An index may point to the files that were fetched, not to a path outside of the folder."""
    for path in folder.glob("*.index.json"):
        named = set(read_json(path).get("weight_map", {}).values())
        strange = sorted(named - {file.name for file in files})
        if strange:
            raise CheckpointError(
                f"{path.name} points to {strange[0]!r}, which is none of its parts"
            )


def _pinned(listing: str | Path, step: int) -> Snapshot:
    snapshots = {found.step: found for found in read_listing(listing)}
    if step not in snapshots:
        known = sorted(found for found in snapshots if found is not None)
        raise CheckpointError(
            f"{listing} lists no step {step}: the repository had no such revision when the listing "
            f"was taken; it had {len(known)} steps, {known[:3]} … {known[-1:]}"
        )
    return snapshots[step]


def _tokenizer(source: CheckpointSource, store: Store) -> Path:
    """The folder of the tokenizer: one for the whole sweep, fetched by whoever comes first."""
    repo = source.tokenizer or source.location
    if Path(repo).is_dir():
        return Path(repo)
    folder = store.folder / "tokenizers" / repo.replace("/", "--")
    with only_one(folder.with_name(f"{folder.name}.lock")):
        if not folder.is_dir():
            _fetch_tokenizer(repo, source.tokenizer_revision, folder, store.patience)
    return folder


def _fetch_tokenizer(repo: str, revision: str, folder: Path, patience: Patience) -> None:
    found = cached_snapshot(repo, revision) if hub.offline() else hub_snapshot(repo, revision)
    files = [file for file in found.files if file.name in TOKENIZER_FILES]
    incomplete = folder.with_name(f"{folder.name}.part")
    incomplete.mkdir(parents=True, exist_ok=True)
    meter = Meter(f"tokenizer of {repo}", sum(file.size for file in files), patience)
    for file in files:
        cached = try_to_load_from_cache(repo, file.name, revision=found.commit)
        if isinstance(cached, str):
            shutil.copyfile(cached, incomplete / file.name)
        else:
            hub.download(repo, found.commit, file, incomplete, meter)
    (incomplete / "commit.txt").write_text(found.commit, "utf-8")
    incomplete.rename(folder)


def _checkpoint(
    source: CheckpointSource, found: Snapshot, folder: Path, tokenizer: Path
) -> Checkpoint:
    kind, files = needed_files(found.files, str(folder))
    return Checkpoint(
        model=source.model,
        step=-1 if found.step is None else found.step,
        folder=folder,
        tokenizer_folder=tokenizer,
        tokenizer_sha256=_tokenizer_sha256(tokenizer),
        revision=found.revision,
        commit=found.commit,
        sha256=weights_sha256(files),
        bytes=sum(file.size for file in files if is_weight(file)),
        format=kind,
    )


def _tokenizer_sha256(folder: Path) -> str:
    names = [n for n in TOKENIZER_FILES if n != "config.json" and (folder / n).is_file()]
    if not names:
        raise CheckpointError(
            f"{folder} holds no tokenizer; name the folder or repository of one as `tokenizer` "
            "of the suite"
        )
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}\n{sha256_of(folder / name)}\n".encode())
    return digest.hexdigest()


@contextmanager
def _naming(source: CheckpointSource, step: int, workdir: Path) -> Iterator[None]:
    """Say in every error which checkpoint it was, and in words that a disk is full."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{source.model}, step {step}: {error}") from error
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise CheckpointError(
            f"{source.model}, step {step}: the disk of {workdir} is full. Make room, or put the "
            "checkpoints on another disk; what has arrived is kept, and the next run resumes it"
        ) from error
