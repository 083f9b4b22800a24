"""Files from the archives that published them, held to the checksum of the first download.

An archive without a published checksum can still be trusted not to change unnoticed: the SHA-256 of
the first download is written down beside the file, and every later one must have the same.
"""

import hashlib
import http.client
import logging
import lzma
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from geomod.base.errors import InputError
from geomod.base.files import whole

logger = logging.getLogger(__name__)

CHUNK = 2**20


def fetch(
    url: str, folder: str | Path, names: Iterable[str], sha256: str | None = None
) -> list[Path]:
    """The files called `names` in `folder`, from the archive at `url`, or that file itself.

    What comes must have the checksum `sha256`, or that of the first download; the first is written
    down once all is unpacked. A download that cannot be unpacked is thrown away, so that the next
    run tries again.
    """
    folder, names = Path(folder), list(names)
    archive = folder / file_name(url)
    was_there = archive.exists()
    found = download(url, archive, sha256)
    if archive.name in names and archive.stat().st_size == 0:
        _discard(archive, was_there)
        raise InputError(
            f"{archive}: {public(url)} is empty. Check the address, or try again later."
        )
    if archive.name not in names:
        try:
            extract(archive, names, folder)
        except InputError:
            _discard(archive, was_there)
            raise
    record = _record(archive)
    if not record.exists():
        with whole(record) as temporary:  # as `sha256sum --check` reads it
            temporary.write_text(f"{found}  {archive.name}\n", encoding="utf-8")
    return [folder / name for name in names]


def download(url: str, path: str | Path, sha256: str | None = None, timeout: float = 60) -> str:
    """Bring `url` to `path`, unless the file is there, and return its SHA-256.

    It must be `sha256` where that is given, and else the one in `{path}.sha256`, where there is
    one. Keep that file when the download itself is deleted.
    """
    path = Path(path)
    record = _record(path)
    expected = sha256 or _recorded(record)
    if path.exists():
        found = checksum(path)
        _hold(found, expected, path, record)
        return found
    logger.info("downloading %s", public(url))
    with whole(path) as temporary:
        _bring(url, temporary, path, timeout)
        found = checksum(temporary)
        _hold(found, expected, path, record)
    return found


def extract(archive: str | Path, members: Iterable[str], folder: str | Path) -> list[Path]:
    """Unpack the files of a tar archive that are called `members`, wherever they lie in it: all of
    them, or none."""
    paths = []
    try:
        with tarfile.open(archive) as tar, ExitStack() as written:
            by_name = {Path(info.name).name: info for info in tar if info.isfile()}
            for name in members:
                source = tar.extractfile(by_name[name]) if name in by_name else None
                if source is None:
                    raise InputError(
                        f"{archive} holds no file {name!r}. It has {', '.join(sorted(by_name))}."
                    )
                paths.append(Path(folder) / name)
                temporary = written.enter_context(whole(paths[-1]))
                with temporary.open("wb") as file:
                    while chunk := source.read(CHUNK):
                        file.write(chunk)
    except (OSError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError) as error:
        kind = " It looks like a web page." if _is_page(Path(archive)) else ""
        raise InputError(
            f"{archive} cannot be unpacked ({error}).{kind} Check `dataset.download.url`, or "
            "download it again."
        ) from error
    return paths


def public(url: str) -> str:
    """An address as others may see it: what may be a secret, the query and a password, left out."""
    parts = urlsplit(url)
    query = "…" if parts.query else ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


def file_name(url: str) -> str:
    """The name of the file at an address."""
    return unquote(urlsplit(url).path).rsplit("/", 1)[-1]


def _discard(archive: Path, was_there: bool) -> None:
    """Throw a useless download away; a file that somebody put there is theirs."""
    if not was_there:
        archive.unlink()


def _is_page(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _record(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bring(url: str, temporary: Path, path: Path, timeout: float) -> None:
    try:
        with urllib.request.urlopen(url, timeout=timeout) as source, temporary.open("wb") as file:
            announced = source.headers.get("Content-Length")
            while chunk := source.read(CHUNK):
                file.write(chunk)
        size = temporary.stat().st_size
        if announced and size != int(announced):
            raise OSError(f"{size} of {announced} bytes came")
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        words = str(reason).replace(urlsplit(url).query or "?", "…")
        raise InputError(
            f"{public(url)} cannot be downloaded ({words}). Try again later, or put the file at "
            f"{path} by hand."
        ) from error


def _recorded(record: Path) -> str | None:
    return record.read_text(encoding="utf-8").split()[0] if record.exists() else None


def _hold(found: str, expected: str | None, path: Path, record: Path) -> None:
    if expected and found != expected:
        raise InputError(
            f"{path} has the SHA-256 {found}, and {expected} was expected: it is not the file that "
            f"results were computed from before. If the change is meant, delete {record.name}."
        )
