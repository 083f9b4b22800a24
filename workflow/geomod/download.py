"""Files from the archives that published them, held to the checksum of the first download.

An archive without a published checksum can still be trusted not to change unnoticed: the SHA-256 of
the first download is written down beside the file, and every later one must have the same.
"""

import hashlib
import http.client
import logging
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from geomod.errors import InputError
from geomod.files import whole

logger = logging.getLogger(__name__)

CHUNK = 2**20


def download(url: str, path: str | Path, sha256: str | None = None, timeout: float = 60) -> str:
    """Bring `url` to `path`, unless the file is there, and return its SHA-256.

    It must be `sha256` where that is given, and else the one in `{path}.sha256`; where there is no
    such file yet, it is written. Keep it when the download itself is deleted.
    """
    path = Path(path)
    record = path.with_name(path.name + ".sha256")
    expected = sha256 or _recorded(record)
    if path.exists():
        found = checksum(path)
        _hold(found, expected, path, record)
    else:
        logger.info("downloading %s", url)
        with whole(path) as temporary:
            _bring(url, temporary, path, timeout)
            found = checksum(temporary)
            _hold(found, expected, path, record)
    if not record.exists():
        with whole(record) as temporary:  # as `sha256sum --check` reads it
            temporary.write_text(f"{found}  {path.name}\n", encoding="ascii")
    return found


def extract(archive: str | Path, members: Iterable[str], folder: str | Path) -> list[Path]:
    """Unpack the files of a tar archive that are called `members`, wherever they lie in it."""
    paths = []
    try:
        with tarfile.open(archive) as tar:
            by_name = {Path(info.name).name: info for info in tar if info.isfile()}
            for name in members:
                source = tar.extractfile(by_name[name]) if name in by_name else None
                if source is None:
                    raise InputError(
                        f"{archive} holds no file {name!r}. It has {', '.join(sorted(by_name))}."
                    )
                paths.append(Path(folder) / name)
                with whole(paths[-1]) as temporary, temporary.open("wb") as file:
                    while chunk := source.read(CHUNK):
                        file.write(chunk)
    except (OSError, EOFError, tarfile.TarError) as error:
        raise InputError(f"{archive} cannot be unpacked ({error}). Download it again.") from error
    return paths


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
        raise InputError(
            f"{url} cannot be downloaded ({reason}). Try again later, or put the file at {path} by "
            "hand."
        ) from error


def _recorded(record: Path) -> str | None:
    return record.read_text(encoding="ascii").split()[0] if record.exists() else None


def _hold(found: str, expected: str | None, path: Path, record: Path) -> None:
    if expected and found != expected:
        raise InputError(
            f"{path} has the SHA-256 {found}, and {expected} was expected: it is not the file that "
            f"results were computed from before. If the change is meant, delete {record.name}."
        )
