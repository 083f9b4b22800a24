"""Downloads appear whole, and what was downloaded once is what is downloaded again."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from geomod.download import download, extract
from geomod.errors import InputError


class Archive(BaseHTTPRequestHandler):
    """Serves `content`, announcing `missing` more bytes than come."""

    content = b"first"
    missing = 0
    requests = 0

    def do_GET(self) -> None:
        Archive.requests += 1
        if self.path != "/data.tar":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content) + self.missing))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Archive.content, Archive.missing, Archive.requests = b"first", 0, 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Archive)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/data.tar"
    server.shutdown()
    server.server_close()


FIRST = hashlib.sha256(b"first").hexdigest()


def test_the_first_checksum_is_written_down(url: str, tmp_path: Path) -> None:
    path = tmp_path / "data" / "data.tar"
    assert download(url, path) == FIRST
    assert path.read_bytes() == b"first"
    assert path.with_name("data.tar.sha256").read_text() == f"{FIRST}  data.tar\n"
    assert sorted(p.name for p in path.parent.iterdir()) == ["data.tar", "data.tar.sha256"]


def test_a_file_that_is_there_is_not_fetched_again(url: str, tmp_path: Path) -> None:
    path = tmp_path / "data.tar"
    path.write_bytes(b"by hand")
    download(url, path)
    download(url, path)
    assert Archive.requests == 0
    path.write_bytes(b"changed")
    with pytest.raises(InputError, match=r"not the file that results were computed from"):
        download(url, path)


def test_an_archive_that_changed_is_refused(url: str, tmp_path: Path) -> None:
    path = tmp_path / "data.tar"
    download(url, path)
    path.unlink()
    Archive.content = b"second"
    with pytest.raises(InputError, match=FIRST):
        download(url, path)
    assert [p.name for p in tmp_path.iterdir()] == ["data.tar.sha256"]


def test_a_given_checksum_counts(url: str, tmp_path: Path) -> None:
    assert download(url, tmp_path / "good", sha256=FIRST) == FIRST
    with pytest.raises(InputError, match="0000 was expected"):
        download(url, tmp_path / "bad", sha256="0000")
    assert not (tmp_path / "bad").exists()


def test_half_a_download_is_none(url: str, tmp_path: Path) -> None:
    Archive.missing = 7
    with pytest.raises(InputError, match="cannot be downloaded"):
        download(url, tmp_path / "data.tar", timeout=5)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", ["/other", "nonsense"])
def test_what_cannot_be_reached_is_said(url: str, tmp_path: Path, wrong: str) -> None:
    address = url.replace("/data.tar", wrong) if wrong[0] == "/" else wrong
    with pytest.raises(InputError, match=r"cannot be downloaded .* put the file at .*x by hand"):
        download(address, tmp_path / "x")


def tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_only_the_named_files_are_unpacked(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tar", {"data/x.csv": b"x", "../y.csv": b"y", "z": b"z"})
    paths = extract(archive, ["x.csv", "y.csv"], tmp_path / "out")
    assert paths == [tmp_path / "out" / "x.csv", tmp_path / "out" / "y.csv"]
    assert [path.read_bytes() for path in paths] == [b"x", b"y"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tar", "out"]
    with pytest.raises(InputError, match=r"no file 'w'. It has x.csv, y.csv, z"):
        extract(archive, ["w"], tmp_path)


def test_a_damaged_archive_is_said_to_be_one(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tar", {"x.csv": bytes(range(256)) * 999})
    archive.write_bytes(archive.read_bytes()[:300])
    with pytest.raises(InputError, match="cannot be unpacked"):
        extract(archive, ["x.csv"], tmp_path / "out")
    archive.write_bytes(b"no tar")
    with pytest.raises(InputError, match="cannot be unpacked"):
        extract(archive, ["x.csv"], tmp_path / "out")
