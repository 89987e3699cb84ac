"""A Hugging Face hub on loopback: as much of it as `huggingface_hub` and `datasets` speak, with faults on request.

Accounts: the token "hf_owner" may write to all that is called owner/..., "hf_guest" may read alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml
from hub_state import CUT, OWNER_TOKEN, Hub, Repo, described, git_oid, is_large


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
