"""A Hugging Face hub on loopback: as much of it as `huggingface_hub` and `datasets` speak, with faults on request.

Accounts: the token "hf_owner" may write to all that is called owner/..., "hf_guest" may read alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import cv2
import numpy as np
import pytest
import yaml

from pix2pix_data.card import write_card
from pix2pix_data.dataset import EncodedPair, shard_path, write_shard
from pix2pix_data.images import decode_rgb, encode_jpeg, encode_png, write_png

Run = Callable[..., subprocess.CompletedProcess[str]]

OWNER_TOKEN = "hf_owner"
CUT = 0  # in place of a status: the connection breaks off in the middle


@dataclass
class Repo:
    """A repository: what each commit holds, by path, and where the branches stand."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        digest = hashlib.sha1(f"{len(self.commits)}".encode())
        for path, content in sorted(files.items()):
            digest.update(path.encode() + content)
        oid = digest.hexdigest()
        self.commits[oid] = dict(files)
        self.branches[branch] = oid
        return oid

    def at(self, revision: str) -> str | None:
        return self.branches.get(revision, revision if revision in self.commits else None)


@dataclass
class Fault:
    """The next `times` requests of this kind end in a status, or in a cut connection; `after` they were carried out.

    A status of 200 is no fault, but `first` is called.
    """

    request: str
    status: int
    times: int
    first: Callable[[], None] | None = None
    after: bool = False


class Hub:
    """The state of the server, which tests read and set.

    Attributes
    ----------
    repos : dict of str to Repo
        Datasets by owner/name, models by models/owner/name.
    blobs : dict of str to bytes
        Large files by their SHA-256, committed or not.
    requests : list of str
        "METHOD path" of all requests.
    num_bytes_uploaded : int
    num_bytes_sent : Counter of str
        What was sent of each file.
    """

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.num_bytes_uploaded = 0
        self.num_bytes_sent: Counter[str] = Counter()
        self.garbled = False
        self.url = ""
        self._faults: list[Fault] = []

    def fail(
        self,
        request: str,
        status: int,
        *,
        times: int = 1,
        first: Callable[[], None] | None = None,
        after: bool = False,
    ) -> None:
        """Let requests of which "METHOD path" matches the expression fail."""
        self._faults.append(Fault(request, status, times, first, after))

    def mend(self) -> None:
        """Let all requests succeed again."""
        self._faults.clear()

    def garble_next(self) -> None:
        """Let the next file that is sent have other bytes than the hub states."""
        self.garbled = True

    def fault_for(self, request: str) -> Fault | None:
        for fault in self._faults:
            if fault.times > 0 and re.search(fault.request, request):
                fault.times -= 1
                return fault
        return None

    def count(self, request: str) -> int:
        return sum(re.search(request, one) is not None for one in self.requests)

    def page(self, name: str) -> str:
        """Where people see a repository: a model has no word before its name."""
        return f"{self.url}/{name.removeprefix('models/') if name.startswith('models/') else f'datasets/{name}'}"

    def head(self, name: str, branch: str = "main") -> dict[str, bytes]:
        """The files of a branch."""
        repo = self.repos[name]
        return repo.commits[repo.branches[branch]]

    def create(self, name: str, files: dict[str, bytes] | None = None, *, private: bool = False) -> Repo:
        repo = self.repos[name] = Repo(private)
        repo.commit({".gitattributes": b"*.parquet filter=lfs\n"} | (files or {}))
        return repo


def is_large(path: str) -> bool:
    return path.endswith((".parquet", ".png", ".zip", ".safetensors"))


def git_oid(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


def described(path: str, content: bytes) -> dict[str, Any]:
    """A file as the tree of a revision lists it."""
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": git_oid(content)}
    if is_large(path):
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return entry


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms for an acknowledgement
    hub: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.serve()

    def do_HEAD(self) -> None:
        self.serve()

    def do_POST(self) -> None:
        self.serve()

    def do_PUT(self) -> None:
        self.serve()

    def serve(self) -> None:
        url = urlsplit(self.path)
        request = f"{self.command} {unquote(url.path)}"
        self.hub.requests.append(request)
        fault = self.hub.fault_for(request)
        num_bytes = int(self.headers.get("Content-Length") or 0)
        if fault is not None and fault.first is not None:
            fault.first()
        if fault is not None and fault.status == CUT and self.command != "GET" and not fault.after:
            self.rfile.read(num_bytes // 2)
            self.close_connection = True
            self.connection.close()
            return
        body = self.chunked() if self.headers.get("Transfer-Encoding") == "chunked" else self.rfile.read(num_bytes)
        if fault is not None and fault.status not in (CUT, 200):
            errors = [{"message": "a fault on request"}]  # as the check of a card's head words it
            self.answer({"error": "a fault on request", "errors": errors}, status=fault.status)
            return
        self.cut = fault is not None and fault.status == CUT
        # Pages and files of models have no word before their names, those of datasets have one.
        path = url.path if re.match("/(api|datasets|lfs|lfs-verify)/?", url.path) else f"/models{url.path}"
        for method, pattern, handle in ROUTES:
            if method in (self.command, "GET" if self.command == "HEAD" else "") and (
                match := re.fullmatch(pattern, path)
            ):
                handle(self, *(unquote(part or "") for part in match.groups()), body, parse_qs(url.query))
                return
        self.answer({"error": f"no such endpoint: {request}"}, status=404, code="EntryNotFound")

    def chunked(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, value: object, *, status: int = 200, code: str | None = None) -> None:
        self.send(json.dumps(value).encode(), status, {"Content-Type": "application/json"}, code)

    def send(self, content: bytes, status: int, headers: dict[str, str], code: str | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if code is not None:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if self.cut else content)
        if self.cut:
            self.close_connection = True

    cut = False

    # --- who may

    def may_write(self, name: str) -> bool:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if not token:
            self.answer({"error": "Invalid username or password."}, status=401)
        elif token != OWNER_TOKEN or not name.removeprefix("models/").startswith("owner/"):
            self.answer({"error": "You don't have the rights to do this."}, status=403)
        else:
            return True
        return False

    def repo(self, name: str, revision: str = "main") -> tuple[Repo, str] | None:
        repo = self.hub.repos.get(name)
        hidden = repo is not None and repo.private and OWNER_TOKEN not in (self.headers.get("Authorization") or "")
        if repo is None or hidden:
            self.answer({"error": "Repository not found"}, status=404, code="RepoNotFound")
            return None
        oid = repo.at(revision)
        if oid is None:
            self.answer({"error": "Invalid rev id"}, status=404, code="RevisionNotFound")
            return None
        return repo, oid

    # --- reading

    def info(self, name: str, revision: str, _: bytes, __: object) -> None:
        if found := self.repo(name, revision or "main"):
            repo, oid = found
            siblings = [{"rfilename": path} for path in repo.commits[oid]]
            head = re.match(rb"---\n(.*?)---\n", repo.commits[oid].get("README.md", b""), flags=re.DOTALL)
            card = yaml.safe_load(head[1]) if head else None
            facts = {
                "id": name.removeprefix("models/"),
                "sha": oid,
                "private": repo.private,
                "siblings": siblings,
                "tags": [],
            }
            self.answer(facts | {"cardData": card})

    def tree(self, name: str, revision: str, folder: str, _: bytes, query: dict[str, list[str]]) -> None:
        if not (found := self.repo(name, revision)):
            return
        repo, oid = found
        prefix = f"{folder}/" if folder else ""
        entries: dict[str, dict[str, Any]] = {}
        for path, content in repo.commits[oid].items():
            if path.startswith(prefix):
                parts = path.removeprefix(prefix).split("/")
                for depth in range(1, len(parts)):
                    parent = prefix + "/".join(parts[:depth])
                    entries.setdefault(parent, {"type": "directory", "path": parent, "size": 0, "oid": "0" * 40})
                entries[path] = described(path, content)
        if query.get("recursive", ["false"])[0].lower() != "true":
            entries = {path: entry for path, entry in entries.items() if "/" not in path.removeprefix(prefix)}
        if not entries and folder:
            self.answer({"error": "not there"}, status=404, code="EntryNotFound")
        else:
            self.answer(list(entries.values()))

    def paths_info(self, name: str, revision: str, body: bytes, _: object) -> None:
        if found := self.repo(name, revision):
            repo, oid = found
            asked = parse_qs(body.decode())["paths"] if body[:1] != b"{" else json.loads(body)["paths"]
            files = repo.commits[oid]
            entries = [described(path, files[path]) for path in asked if path in files]
            folders = [path for path in asked if any(file.startswith(f"{path}/") for file in files)]
            self.answer(entries + [{"type": "directory", "path": path, "oid": "0" * 40} for path in folders])

    def refs(self, name: str, _: bytes, __: object) -> None:
        if found := self.repo(name):
            branches = [{"name": b, "ref": f"refs/heads/{b}", "targetCommit": o} for b, o in found[0].branches.items()]
            self.answer({"branches": branches, "converts": [], "tags": []})

    def resolve(self, name: str, revision: str, path: str, _: bytes, __: object) -> None:
        if not (found := self.repo(name, revision)):
            return
        repo, oid = found
        content = repo.commits[oid].get(path)
        if content is None:
            self.answer({"error": "Entry not found"}, status=404, code="EntryNotFound")
            return
        etag = hashlib.sha256(content).hexdigest() if is_large(path) else git_oid(content)
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": oid, "Accept-Ranges": "bytes"}
        if is_large(path):
            headers |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(content))}
        if self.hub.garbled:
            self.hub.garbled, content = False, content[::-1]
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            start, stop = int(wanted[1]), min(int(wanted[2] or len(content)) + 1, len(content))
            if start >= len(content):
                self.answer({"error": "range"}, status=416)
                return
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
            self.send(content[start:stop], 206, headers)
        else:
            start, stop = 0, len(content)
            self.send(content, 200, headers)
        self.hub.num_bytes_sent[path] += (stop - start) // 2 if self.cut else stop - start

    # --- writing

    def create_repo(self, body: bytes, _: object) -> None:
        asked = json.loads(body)
        models = "models/" if asked.get("type", "model") == "model" else ""
        name = f"{models}{asked['organization']}/{asked['name']}"
        if not self.may_write(name):
            return
        if name in self.hub.repos:
            self.answer({"error": "You already created this repo", "url": self.hub.page(name)}, status=409)
            return
        self.hub.create(name, private=asked.get("visibility") == "private")
        self.answer({"url": self.hub.page(name), "name": name})

    def create_branch(self, name: str, branch: str, _: bytes, __: object) -> None:
        if self.may_write(name) and (found := self.repo(name)):
            repo, oid = found
            if branch in repo.branches:
                self.answer({"error": "Reference already exists"}, status=409)
            else:
                repo.branches[branch] = oid
                self.answer({})

    def preupload(self, name: str, revision: str, body: bytes, _: object) -> None:
        if self.may_write(name) and (found := self.repo(name, revision)):
            repo, oid = found
            files = repo.commits[oid]
            answers = []
            for file in json.loads(body)["files"]:
                path = file["path"]
                mode = "lfs" if is_large(path) else "regular"
                there = described(path, files[path]) if path in files else None
                known = None if there is None else there.get("lfs", there)["oid"]
                answers.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": known})
            self.answer({"files": answers})

    def lfs_batch(self, name: str, body: bytes, _: object) -> None:
        if not self.may_write(name):
            return
        objects = []
        for one in json.loads(body)["objects"]:
            oid = one["oid"]
            if oid not in self.hub.blobs:
                verify = {"href": f"{self.hub.url}/lfs-verify"}
                one = one | {"actions": {"upload": {"href": f"{self.hub.url}/lfs/{oid}"}, "verify": verify}}
            objects.append(one)
        self.answer({"transfer": "basic", "objects": objects})

    def put_blob(self, oid: str, body: bytes, _: object) -> None:
        self.hub.num_bytes_uploaded += len(body)
        if hashlib.sha256(body).hexdigest() != oid:
            self.answer({"error": "checksum"}, status=400)
        else:
            self.hub.blobs[oid] = body
            self.answer({})

    def verify(self, body: bytes, _: object) -> None:
        known = json.loads(body)["oid"] in self.hub.blobs
        self.answer({}, status=200 if known else 404)

    def validate_yaml(self, _: bytes, __: object) -> None:
        self.answer({"errors": [], "warnings": []})

    def commit(self, name: str, branch: str, body: bytes, _: object) -> None:
        if not self.may_write(name) or not (found := self.repo(name, branch)):
            return
        repo, oid = found
        lines = [json.loads(line) for line in body.splitlines()]
        if lines[0]["value"].get("parentCommit", oid) != oid:
            self.answer({"error": "A commit has happened since. Please refresh and try again."}, status=412)
            return
        files = dict(repo.commits[oid])
        for line in lines[1:]:
            kind, value = line["key"], line["value"]
            if kind == "file":
                files[value["path"]] = base64.b64decode(value["content"])
                self.hub.num_bytes_uploaded += len(files[value["path"]])
            elif kind == "lfsFile":
                files[value["path"]] = self.hub.blobs[value["oid"]]
            else:
                assert kind == "deletedFile", kind
                del files[value["path"]]
        new = repo.commit(files, branch)
        self.answer({"success": True, "commitOid": new, "commitUrl": f"{self.hub.page(name)}/commit/{new}"})


NAME, REVISION = r"(?:datasets/)?((?:models/)?[^/]+/[^/]+)", r"([^/]+)"
ROUTES: list[tuple[str, str, Any]] = [
    ("GET", rf"/api/{NAME}/revision/{REVISION}", Handler.info),
    ("GET", rf"/api/{NAME}()", Handler.info),
    ("GET", rf"/api/{NAME}/tree/{REVISION}(?:/(.+))?", Handler.tree),
    ("GET", rf"/api/{NAME}/refs", Handler.refs),
    ("POST", rf"/api/{NAME}/paths-info/{REVISION}", Handler.paths_info),
    ("GET", rf"/{NAME}/resolve/{REVISION}/(.+)", Handler.resolve),
    ("POST", r"/api/repos/create", Handler.create_repo),
    ("POST", rf"/api/{NAME}/branch/{REVISION}", Handler.create_branch),
    ("POST", rf"/api/{NAME}/preupload/{REVISION}", Handler.preupload),
    ("POST", rf"/{NAME}\.git/info/lfs/objects/batch", Handler.lfs_batch),
    ("PUT", r"/lfs/([0-9a-f]+)", Handler.put_blob),
    ("POST", r"/lfs-verify", Handler.verify),
    ("POST", r"/api/validate-yaml", Handler.validate_yaml),
    ("POST", rf"/api/{NAME}/commit/{REVISION}", Handler.commit),
]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of connections that a test cuts."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub that holds nothing yet."""
    state = Hub()
    server = Server(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"hub": state}))
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


# --- datasets and clients


@pytest.fixture
def client(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hub:
    """The hub, as the one that code in this process speaks to, logged in as the owner; retries wait for no time."""
    import huggingface_hub.constants as constants

    url_template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url_template)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100)  # what is kept of a cut download is whole chunks
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setenv("HF_TOKEN", OWNER_TOKEN)
    real_sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: real_sleep(seconds / 1000))
    return hub


@pytest.fixture
def environment(hub: Hub, tmp_path: Path) -> dict[str, str]:
    """The variables of a process that speaks to the hub as the owner."""
    ours = {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": OWNER_TOKEN,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "0",
    }
    return {name: value for name, value in os.environ.items() if "proxy" not in name.lower()} | ours


def draw_pair(index: int) -> tuple[bytes, bytes]:
    """A drawing as PNG and a photo as JPEG, 64 x 48; each index looks different."""
    rng = np.random.default_rng(index)
    photo = cv2.resize(rng.integers(0, 255, (5, 6, 3), np.uint8), (64, 48), interpolation=cv2.INTER_CUBIC)
    lines = np.where(cv2.Canny(photo, 40, 90)[..., None] > 0, 0, 255).astype(np.uint8).repeat(3, 2)
    return encode_png(lines), encode_jpeg(photo)


def write_dataset(folder: Path, num_pairs: dict[str, int], *, per_shard: int = 4) -> Path:
    """A small dataset as p2p-data writes it."""
    first = 0
    for split, num in num_pairs.items():
        starts = range(0, num, per_shard)
        for i, start in enumerate(starts):
            indices = range(first + start, first + min(start + per_shard, num))
            pairs = [EncodedPair(f"{n:03d}", f"{n:03d}", *draw_pair(n)) for n in indices]
            write_shard(shard_path(folder, split, i, len(starts)), pairs)
        first += num
    card = write_card(folder.name, "A is lines, B the photo.", "p2p-data edges photos", num_pairs, 0)
    (folder / "README.md").write_text(card)
    (folder / "failures.jsonl").write_text("")
    (folder / "preview.png").write_bytes(draw_pair(0)[0])
    (folder / "report.html").write_text("<p>stays here</p>")
    (folder / "build.json").write_text(json.dumps({"identity": {"format": 1, "maker": "edges"}, "pairs": num_pairs}))
    return folder


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Twelve pairs in five shards."""
    return write_dataset(tmp_path / "shoes-edges", {"train": 9, "validation": 2, "test": 1}, per_shard=3)


@pytest.fixture(name="draw_pair")
def _draw_pair() -> Callable[[int], tuple[bytes, bytes]]:
    return draw_pair


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[[str, dict[str, int]], Path]:
    return lambda name, num_pairs: write_dataset(tmp_path / name, num_pairs)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six photos."""
    for i in range(6):
        (tmp_path / "photos").mkdir(exist_ok=True)
        (tmp_path / "photos" / f"{i}.jpg").write_bytes(draw_pair(i)[1])
    return tmp_path / "photos"


@pytest.fixture
def write_ab() -> Callable[[Path], Path]:
    """Write a folder of side-by-side pictures."""

    def write(folder: Path) -> Path:
        a, b = (decode_rgb(side) for side in draw_pair(0))
        write_png(folder / "train" / "0.png", np.hstack([a, b]))
        return folder

    return write


@pytest.fixture
def p2p_data(client: Hub, p2p_data: Run) -> Run:
    """Run p2p-data in a folder of its own, against the hub."""
    return p2p_data
