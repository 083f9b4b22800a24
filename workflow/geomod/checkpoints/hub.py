"""What a hub says about a repository, and its files, byte for byte what the hub says they are.

The client is `huggingface_hub`: its session, token, endpoint, offline mode and backoff. Files are
streamed by hand instead of with `hf_hub_download`, because a download must resume after its process
was killed, never write more bytes than were announced, and be checked before anyone can read it.
Listings are asked for by the client's `http_backoff`: `HfApi.list_repo_refs` asks only once, and
neither it nor `list_repo_tree` has a timeout, so that a hub that falls silent would hold a job.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from geomod.base.extras import extra
from geomod.base.files import sha256_of
from geomod.checkpoints.budget import CheckpointError, Patience

with extra("models"):
    import httpx2
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )
    from huggingface_hub.utils import (
        build_hf_headers,
        hf_raise_for_status,
        http_backoff,
        http_stream_backoff,
    )

log = logging.getLogger(__name__)
# It writes a line a request, with signed addresses in it.
logging.getLogger("httpx2").setLevel(logging.WARNING)

RETRIES = 7
FIRST_WAIT = 1.0  # seconds; doubles with every retry
LONGEST_WAIT = 60.0
DOWNLOADS_OF_A_DAMAGED_FILE = 3
CHUNK = 1 << 20
LOG_EVERY = 10.0  # seconds
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class RemoteFile:
    """A file as the hub lists it: large ones carry a SHA-256, small ones a git blob's SHA-1."""

    name: str
    size: int
    sha256: str
    blob: str

    @property
    def identity(self) -> str:
        """Equal for equal content; empty where no hash is known."""
        return self.sha256 or self.blob

    def is_the_content_of(self, path: Path) -> bool:
        if self.sha256:
            return sha256_of(path) == self.sha256
        if not self.blob:  # a local cache or folder knows no hash of its small files
            return path.stat().st_size == self.size
        content = path.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == self.blob


class Meter:
    """A line in the log now and then: how much has come, how fast, how long it will take."""

    def __init__(self, label: str, total: int, patience: Patience | None = None) -> None:
        self.label, self.total, self.patience = label, total, patience or Patience()
        self.done = self._arrived = 0
        self._start = self._said = time.monotonic()

    def skip(self, count: int) -> None:
        """Count bytes that lie on disk already, or (negative) that were thrown away."""
        self.done += count

    def add(self, count: int) -> None:
        self.done += count
        self._arrived += count
        self.patience.pause(0)
        now = time.monotonic()
        if now - self._said >= LOG_EVERY:
            self._said = now
            log.info("%s", str(self))

    def __str__(self) -> str:
        rate = self._arrived / max(time.monotonic() - self._start, 1e-9)
        left = f"{clock((self.total - self.done) / rate)} left" if rate else "stalled"
        return (
            f"{self.label}: {amount(self.done)} of {amount(self.total)}, {amount(rate)}/s, {left}"
        )


def amount(count: float) -> str:
    """Bytes in the unit that reads best."""
    units = ("kB", "MB", "GB")
    power = 1 + sum(count >= 999.95 * 1000**power for power in (1, 2))
    return f"{count / 1000**power:.1f} {units[power - 1]}"


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{second:02d}"


def offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids every request."""
    return constants.is_offline_mode()


@cache
def revisions(repo: str) -> dict[str, str]:
    """Every branch and tag of a repository and the commit it points to: one request."""
    refs = next(_pages(repo, "refs"))
    return {ref["name"]: ref["targetCommit"] for ref in refs["tags"] + refs["branches"]}


@cache
def files(repo: str, commit: str) -> tuple[RemoteFile, ...]:
    """The files at the root of a repository at a commit: one request, or one a page."""
    return tuple(
        RemoteFile(entry["path"], entry["size"], entry.get("lfs", {}).get("oid", ""), entry["oid"])
        for page in _pages(repo, f"tree/{commit}")
        for entry in page
        if entry["type"] == "file"
    )


def find_revision(repo: str, revision: str) -> tuple[str, str]:
    """Name and commit of a revision; `*` in it stands for what only the hub knows.

    OLMo's branches, for instance, carry the number of tokens: `stage1-step1000-tokens*B`.
    """
    if COMMIT.fullmatch(revision):
        return revision, revision
    known = revisions(repo)
    pattern = re.compile(".*".join(map(re.escape, revision.split("*"))))
    found = sorted(name for name in known if pattern.fullmatch(name))
    if len(found) == 1:
        return found[0], known[found[0]]
    if found:
        raise CheckpointError(f"{repo}: revision {revision!r} fits several: {', '.join(found[:5])}")
    stem = re.sub(r"[\d*]+", "", revision)
    alike = sorted(name for name in known if re.sub(r"\d+", "", name) == stem) or sorted(known)
    raise CheckpointError(
        f"{repo} has no revision {revision!r}; it has {len(known)}, "
        f"such as {', '.join(alike[:3])} … {alike[-1]}"
        if known
        else f"{repo} has no revisions"
    )


def download(repo: str, commit: str, file: RemoteFile, folder: Path, meter: Meter) -> None:
    """Bring one file into `folder`, whole and verified, or raise.

    What has arrived lies in `{name}.part`; it takes its name once its hash is right, so a file with
    its name is good. A part that a killed process left is continued.
    """
    final = folder / file.name
    if final.exists() and file.is_the_content_of(final):  # a machine may have lost power since
        meter.skip(file.size)
        return
    part = folder / f"{file.name}.part"
    for _ in range(DOWNLOADS_OF_A_DAMAGED_FILE):
        _fill(part, repo, commit, file, meter)
        if file.is_the_content_of(part):
            os.replace(part, final)
            return
        log.warning("%s at %s: %s is damaged, fetching it again", repo, commit[:12], file.name)
        part.unlink()
        meter.skip(-file.size)
    raise CheckpointError(
        f"{repo} at commit {commit[:12]}, {file.name}: {DOWNLOADS_OF_A_DAMAGED_FILE} downloads "
        "differ from the hash that the hub lists; a proxy or the hub serves damaged bytes, "
        "try later or from another network"
    )


def check_space(folder: Path, size: int) -> None:
    """Refuse before the first byte what the disk has no room for."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise CheckpointError(
            f"the disk of {folder} is full: {amount(size)} are needed, {amount(free)} are free. "
            "Make room, or put the checkpoints on another disk, and run again"
        )


def _fill(part: Path, repo: str, commit: str, file: RemoteFile, meter: Meter) -> None:
    """Append to `part` until it has the listed size, through stalls and cuts."""
    url = hf_hub_url(repo, file.name, revision=commit, endpoint=constants.ENDPOINT)
    where = f"{repo} at commit {commit[:12]}, {file.name}"
    part.touch()
    if part.stat().st_size > file.size:
        os.truncate(part, 0)
    meter.skip(part.stat().st_size)
    failures = 0
    while (have := part.stat().st_size) < file.size:
        problem: Exception | None = None
        try:
            with understandable(repo, where):
                _stream(url, part, have, file.size, meter)
        except httpx2.RequestError as error:
            problem = error
        now = part.stat().st_size
        failures = 0 if now > have else failures + 1
        if failures > RETRIES:
            raise CheckpointError(
                f"{where}: no byte came in {failures} attempts ({problem or 'empty answers'}); "
                "check the network and run again, the download resumes"
            ) from problem
        if now < file.size:
            log.warning("%s: cut off at %d of %d bytes (%s)", where, now, file.size, problem)
            meter.patience.pause(min(LONGEST_WAIT, FIRST_WAIT * 2**failures))


def _stream(url: str, part: Path, have: int, size: int, meter: Meter) -> None:
    """One request for what is missing; never writes past `size`."""
    missing = {"Range": f"bytes={have}-"} if have else {}
    with http_stream_backoff(
        "GET",
        url,
        retry_on_exceptions=(),  # a cut in the middle is for the caller, who asks for the rest
        **_patiently({"Accept-Encoding": "identity"} | missing),
    ) as response:
        hf_raise_for_status(response)
        if have and response.status_code != 206:  # the server starts over
            os.truncate(part, 0)
            meter.skip(-have)
            have = 0
        with part.open("ab") as stream:
            for chunk in response.iter_bytes(CHUNK):
                stream.write(chunk[: size - have])
                have = min(size, have + len(chunk))
                meter.add(len(chunk))
                if have == size:
                    return


def _pages(repo: str, listing: str) -> Iterator[Any]:
    """What the hub's API answers, page by page."""
    url = f"{constants.ENDPOINT}/api/models/{repo}/{listing}"
    while url:
        with understandable(repo, repo):
            try:
                response = http_backoff("GET", url, **_patiently({}))
                hf_raise_for_status(response)
                page = response.json()
            except (httpx2.RequestError, json.JSONDecodeError) as error:
                raise CheckpointError(
                    f"{repo}: {constants.ENDPOINT} can't be reached, or is no hub ({error}); check "
                    "the network, or HF_ENDPOINT where it is set"
                ) from error
        yield page
        url = response.links.get("next", {}).get("url", "")


def _patiently(headers: dict[str, str]) -> dict[str, Any]:
    """How everything is asked for: as whom, how long to wait, how often to try again."""
    return {
        "headers": build_hf_headers() | headers,
        "timeout": constants.HF_HUB_DOWNLOAD_TIMEOUT,
        "max_retries": RETRIES,
        "base_wait_time": FIRST_WAIT,
        "max_wait_time": LONGEST_WAIT,
    }


@contextmanager
def understandable(repo: str, where: str) -> Iterator[None]:
    """Turn the hub's refusals into words; a lost connection passes through."""
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise CheckpointError(
            f"{where} is not in the local cache and HF_HUB_OFFLINE forbids to fetch it; unset it, "
            "or fill the cache of HF_HOME first"
        ) from error
    except GatedRepoError as error:
        raise CheckpointError(
            f"{where}: {repo} is gated; accept its terms on its page, then set HF_TOKEN to a token "
            "of that account"
        ) from error
    except RepositoryNotFoundError as error:
        raise CheckpointError(
            f"{where}: there is no repository {repo}, or it is private; check the name, and "
            "HF_TOKEN where it needs one"
        ) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        advice = {
            401: "the token is not valid; set HF_TOKEN to one that is",
            403: "the token may not read it; accept the terms of the repository or set HF_TOKEN",
            404: "there is no such file or revision",
            416: "the part that lies on disk does not fit; delete it and run again",
            429: "too many requests; wait some minutes, or set HF_TOKEN, which raises the limit",
        }.get(status, "the hub has a problem; try again later")
        raise CheckpointError(f"{where}: answer {status}, {advice}") from error
