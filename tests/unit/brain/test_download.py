"""Downloads appear whole, and what was downloaded once is what is downloaded again."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from geomod.base.errors import InputError
from geomod.brain.download import download, extract, fetch, file_name, public
from geomod.plan.config import Download


class Archive(BaseHTTPRequestHandler):
    """Serves `content`, announcing `missing` more bytes than come."""

    content = b"first"
    missing = 0
    announced = True
    requests = 0

    def do_GET(self) -> None:
        Archive.requests += 1
        if self.path.split("?")[0] != "/data.tar":
            self.send_error(404)
            return
        self.send_response(200)
        if Archive.announced:
            self.send_header("Content-Length", str(len(self.content) + self.missing))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Archive.content, Archive.missing, Archive.requests = b"first", 0, 0
    Archive.announced = True
    server = ThreadingHTTPServer(("127.0.0.1", 0), Archive)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/data.tar"
    server.shutdown()
    server.server_close()


FIRST = hashlib.sha256(b"first").hexdigest()


def test_the_first_checksum_is_written_down(url: str, tmp_path: Path) -> None:
    path = tmp_path / "data" / "data.tar"
    assert fetch(url, path.parent, ["data.tar"]) == [path]
    assert path.read_bytes() == b"first"
    assert path.with_name("data.tar.sha256").read_text() == f"{FIRST}  data.tar\n"
    assert sorted(p.name for p in path.parent.iterdir()) == ["data.tar", "data.tar.sha256"]


def test_a_file_that_is_there_is_not_fetched_again(url: str, tmp_path: Path) -> None:
    path = tmp_path / "data.tar"
    path.write_bytes(b"by hand")
    fetch(url, tmp_path, ["data.tar"])
    fetch(url, tmp_path, ["data.tar"])
    assert Archive.requests == 0
    path.write_bytes(b"changed")
    with pytest.raises(InputError, match=r"not the file that results were computed from"):
        fetch(url, tmp_path, ["data.tar"])


def test_an_archive_that_changed_is_refused(url: str, tmp_path: Path) -> None:
    path = tmp_path / "data.tar"
    fetch(url, tmp_path, ["data.tar"])
    path.unlink()
    Archive.content = b"second"
    with pytest.raises(InputError, match=FIRST):
        fetch(url, tmp_path, ["data.tar"])
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


def in_bytes(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


GOOD = in_bytes({"x.csv": bytes(range(256)) * 999, "y.csv": b"y"})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (GOOD[:300], "cannot be unpacked"),
        (GOOD[:-200], "cannot be unpacked"),
        (b"", "cannot be unpacked"),
        (b"<!DOCTYPE html><html>not found</html>", "It looks like a web page"),
        (in_bytes({"x.csv": b"x"}), "holds no file 'y.csv'"),
    ],
    ids=["breaks off", "breaks off late", "empty", "page", "other files"],
)
def test_nothing_is_held_to_what_could_not_be_unpacked(
    url: str, tmp_path: Path, content: bytes, words: str
) -> None:
    Archive.content, Archive.announced = content, False
    with pytest.raises(InputError, match=words):
        fetch(url, tmp_path, ["x.csv", "y.csv"])
    assert list(tmp_path.iterdir()) == []
    Archive.content = GOOD
    fetch(url, tmp_path, ["x.csv", "y.csv"])
    names = ["data.tar", "data.tar.sha256", "x.csv", "y.csv"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    assert Archive.requests == 2


def test_an_archive_put_there_by_hand_is_not_thrown_away(url: str, tmp_path: Path) -> None:
    (tmp_path / "data.tar").write_bytes(b"by hand")
    with pytest.raises(InputError, match="cannot be unpacked"):
        fetch(url, tmp_path, ["x.csv"])
    assert [p.name for p in tmp_path.iterdir()] == ["data.tar"]


def test_an_empty_file_is_none(url: str, tmp_path: Path) -> None:
    Archive.content = b""
    with pytest.raises(InputError, match="is empty"):
        fetch(url, tmp_path, ["data.tar"])
    assert list(tmp_path.iterdir()) == []


def test_what_may_be_a_secret_is_in_no_name_and_no_message(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    signed = f"{url}?sig=SECRET"
    fetch(signed, tmp_path, ["data.tar"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.tar", "data.tar.sha256"]
    with pytest.raises(InputError) as caught:
        fetch(signed.replace("data.tar", "other"), tmp_path, ["other"])
    keys = Download(url="https://me:SECRET@lab.org/a%20b.tar?SECRET", folder="d", files=["x"])
    shown = str(keys.model_dump(mode="json"))
    with pytest.raises(InputError, match="cannot be downloaded") as strange:
        fetch(signed.replace("data.tar", "a b"), tmp_path, ["a b"])
    assert "SECRET" not in str(strange.value)
    assert "downloading http://127.0.0.1" in caplog.text
    assert "SECRET" not in caplog.text + str(caught.value) + shown
    assert public(keys.url) == "https://lab.org/a%20b.tar?…"
    assert file_name(keys.url) == "a b.tar"
    assert "SECRET" in keys.model_dump()["url"]
