"""A hub on 127.0.0.1: enough of its endpoints for the real client, and faults on demand.

    server = HubServer()
    server.commit("owner/model", "step0", {"config.json": b"{}", "model.safetensors": b"..."})
    server.fault(r"model\\.safetensors", "truncate")
    # HF_ENDPOINT=server.url
    server.close()

Large files are answered with a redirect to a content address, as the hub does, so that a listing,
a redirect and a transfer can fail separately.
"""

import hashlib
import io
import json
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".safetensors", ".bin")


@dataclass
class Fault:
    """What goes wrong with the next `times` requests whose path fits `pattern`.

    `kind`: "truncate" closes after half of the body, "corrupt" flips a byte, "stall" sends half and
    then nothing for `seconds`, "slow" takes `seconds` for the body, "whole" ignores the range that
    was asked for, "longer" sends more than was listed; a number is sent as the status, with
    `headers`.
    """

    pattern: str
    kind: str | int
    times: float = 1
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 5.0


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # clients are killed in some tests
            super().handle_error(request, client_address)


class HubServer:
    def __init__(self) -> None:
        self.requests: list[str] = []  # "GET /path", in order
        self.bytes_sent = 0
        self.tokens_leaked = 0  # requests that showed a token to the storage host
        self.most_at_once = 0  # bodies of large files under way together
        self.at_request: Callable[[str], None] = lambda path: None
        self.page_size = 1000  # files of a listing that are sent at once
        self._commits: dict[str, dict[str, bytes]] = {}
        self._branches: dict[str, dict[str, str]] = {}
        self._blobs: dict[str, bytes] = {}
        self._faults: list[Fault] = []
        self._tokens: dict[str, str] = {}
        self.under_way = 0
        self._lock = threading.Lock()
        self._http = _Http(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.storage = self.url.replace("127.0.0.1", "localhost")  # another host, as for the hub
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def commit(self, repo: str, branch: str, files: Mapping[str, bytes]) -> str:
        """Let `branch` point to a new commit that holds `files`; give the commit."""
        sha = hashlib.sha1(f"{repo} {branch} {len(self._commits)}".encode()).hexdigest()
        self._commits[sha] = dict(files)
        self._branches.setdefault(repo, {})[branch] = sha
        for content in files.values():
            self._blobs[hashlib.sha256(content).hexdigest()] = content
        return sha

    def gate(self, repo: str, token: str) -> None:
        """Let only requests with this token see the repository."""
        self._tokens[repo] = token

    def fault(
        self,
        pattern: str,
        kind: str | int,
        times: float = 1,
        headers: Mapping[str, str] | None = None,
        seconds: float = 5.0,
    ) -> None:
        with self._lock:
            self._faults.append(Fault(pattern, kind, times, headers or {}, seconds))

    def mend(self) -> None:
        """No fault from here on."""
        with self._lock:
            self._faults.clear()

    def _next_fault(self, path: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.times > 0 and re.search(fault.pattern, path):
                    fault.times -= 1
                    return fault
        return None

    @contextmanager
    def _one_more(self) -> Iterator[None]:
        with self._lock:
            self.under_way += 1
            self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            yield
        finally:
            with self._lock:
                self.under_way -= 1

    def _handler(server) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or every answer takes 40 ms

            def log_message(self, *arguments: object) -> None:
                pass

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                path = unquote(urlsplit(self.path).path)
                server.requests.append(f"{self.command} {path}")
                server.at_request(path)
                fault = server._next_fault(path)
                if fault and isinstance(fault.kind, int):
                    return self.answer(fault.kind, b"", dict(fault.headers))
                if match := re.fullmatch(r"/content/(\w+)/.+", path):
                    server.tokens_leaked += "Authorization" in self.headers
                    with server._one_more():
                        return self.body(server._blobs[match[1]], fault)
                if match := re.fullmatch(
                    r"/api/models/([^/]+/[^/]+)/(refs|tree|revision)/?(.*)", path
                ):
                    return self.api(*match.groups())
                if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                    return self.resolve(*match.groups(), fault)
                return self.refuse(404, "EntryNotFound")

            def api(self, repo: str, what: str, revision: str) -> None:
                if not self.allowed(repo):
                    return None
                branches = server._branches[repo]
                if what == "refs":
                    refs = [
                        {"name": name, "ref": f"refs/heads/{name}", "targetCommit": sha}
                        for name, sha in branches.items()
                    ]
                    return self.json({"branches": refs, "tags": [], "converts": []})
                sha = branches.get(revision, revision)
                if sha not in server._commits:
                    return self.refuse(404, "RevisionNotFound")
                return self.tree([listed(n, c) for n, c in server._commits[sha].items()])

            def tree(self, entries: list[dict[str, object]]) -> None:
                address = urlsplit(self.path)
                start = int(parse_qs(address.query).get("cursor", ["0"])[0])
                end = start + server.page_size
                link = f'<{server.url}{address.path}?cursor={end}>; rel="next"'
                self.json(entries[start:end], {"Link": link} if end < len(entries) else {})

            def resolve(self, repo: str, revision: str, name: str, fault: Fault | None) -> None:
                if not self.allowed(repo):
                    return None
                sha = server._branches[repo].get(revision, revision)
                if sha not in server._commits:
                    return self.refuse(404, "RevisionNotFound")
                content = server._commits[sha].get(name)
                if content is None:
                    return self.refuse(404, "EntryNotFound")
                entry = listed(name, content)
                headers = {"X-Repo-Commit": sha, "ETag": f'"{entry["oid"]}"'}
                if "lfs" not in entry:
                    return self.body(content, fault, headers)
                digest = entry["lfs"]["oid"]
                headers |= {
                    "X-Linked-ETag": f'"{digest}"',
                    "X-Linked-Size": str(len(content)),
                    "Location": f"{server.storage}/content/{digest}/{name}",
                }
                return self.answer(302, b"", headers)

            def allowed(self, repo: str) -> bool:
                token = server._tokens.get(repo)
                if repo not in server._branches:
                    self.refuse(404, "RepoNotFound")
                elif token and self.headers.get("Authorization") != f"Bearer {token}":
                    self.refuse(401 if "Authorization" not in self.headers else 403, "GatedRepo")
                else:
                    return True
                return False

            def refuse(self, status: int, code: str) -> None:
                self.answer(status, b"", {"X-Error-Code": code})

            def json(self, value: object, headers: Mapping[str, str] | None = None) -> None:
                headers = {"Content-Type": "application/json", **(headers or {})}
                self.answer(200, json.dumps(value).encode(), headers)

            def answer(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            def body(
                self, content: bytes, fault: Fault | None, headers: Mapping[str, str] | None = None
            ) -> None:
                """A file, or the range of it that was asked for, and what goes wrong on the way."""
                kind = fault.kind if fault else ""
                if kind == "corrupt":
                    middle = len(content) // 2
                    content = (
                        content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
                    )
                if kind == "longer":
                    content += content
                start, total = 0, len(content)
                wanted = None
                if kind != "whole" and (
                    wanted := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
                ):
                    start = int(wanted[1])
                self.send_response(206 if wanted else 200)
                if wanted:
                    self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(total - start))
                self.end_headers()
                if self.command == "HEAD":
                    return
                rest = content[start:]
                if kind in ("truncate", "stall"):
                    self.send(rest[: len(rest) // 2])
                    if fault and kind == "stall":
                        time.sleep(fault.seconds)
                    self.close_connection = True
                elif fault and kind == "slow":
                    for tenth in range(10):
                        piece = -(-len(rest) // 10)
                        self.send(rest[tenth * piece : (tenth + 1) * piece])
                        time.sleep(fault.seconds / 10)
                else:
                    self.send(rest)

            def send(self, content: bytes) -> None:
                try:
                    self.wfile.write(content)
                    self.wfile.flush()
                except ConnectionError:  # the client was killed or has given up
                    self.close_connection = True
                server.bytes_sent += len(content)

        return Handler


def point_client_at(server: HubServer, monkeypatch: Any, home: Path) -> None:
    """Let the client of this process talk to `server`, keep its files in `home`, and not dawdle.

    The client reads HF_ENDPOINT and the like once, when it is imported; a new process is simply
    given the variables.
    """
    from huggingface_hub import constants, utils

    from geomod.checkpoints import hub

    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 1)
    monkeypatch.setattr(hub, "FIRST_WAIT", 0.01)
    for variable in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    hub.revisions.cache_clear()
    hub.files.cache_clear()
    utils.build_hf_headers()  # asks once a process for a list that is of no interest here
    server.requests.clear()


def gpt_neox_files(seed: int, form: str = "safetensors", parts: int = 1) -> dict[str, bytes]:
    """A small GPT-NeoX checkpoint with a tokenizer, as files of a repository."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

    words = {"<|endoftext|>": 0, "<unk>": 1, "a": 2, "model": 3, "reads": 4, "words": 5}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    config = GPTNeoXConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        architectures=["GPTNeoXForCausalLM"],
        dtype="float16",
    )
    with torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(seed)
        state = {n: w.half() for n, w in GPTNeoXForCausalLM(config).state_dict().items()}
        config.save_pretrained(folder)
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>"
        ).save_pretrained(folder)
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    return files | weight_files(state, form, parts)


def weight_files(state: dict[str, Any], form: str, parts: int) -> dict[str, bytes]:
    """Weights as one file, or as parts with their index."""
    import torch
    from safetensors.torch import save

    def written(some: dict[str, Any]) -> bytes:
        if form == "safetensors":
            return save(some, metadata={"format": "pt"})
        stream = io.BytesIO()
        torch.save(some, stream)
        return stream.getvalue()

    stem = {"safetensors": "model", "bin": "pytorch_model"}[form]
    if parts == 1:
        return {f"{stem}.{form}": written(state)}
    names = [f"{stem}-{part:05d}-of-{parts:05d}.{form}" for part in range(1, parts + 1)]
    place = {tensor: names[rank % parts] for rank, tensor in enumerate(state)}
    files = {name: written({t: w for t, w in state.items() if place[t] == name}) for name in names}
    index = {"metadata": {}, "weight_map": place}
    return files | {f"{stem}.{form}.index.json": json.dumps(index).encode()}


def listed(name: str, content: bytes) -> dict[str, object]:
    """How the hub lists a file."""
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    entry: dict[str, object] = {"type": "file", "path": name, "size": len(content), "oid": blob}
    if name.endswith(LARGE):
        digest = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 134}
    return entry
