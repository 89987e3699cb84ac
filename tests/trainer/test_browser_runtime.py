"""onnxruntime-web: what is taken for it, and how npm fetches it, from a registry on loopback."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pix2pix_data.errors import FormatError, UsageError
from pix2pix_model.paint.browser_runtime import TESTED, Package, find_runtime

FILES = {
    "dist/ort.wasm.bundle.min.mjs": b"/*!\n * ONNX Runtime Web v9.8.7\n * MIT */\nexport {};",
    "dist/ort-wasm-simd-threaded.wasm": b"\0asm\1\0\0\0",
    "dist/other.js": b"not needed",
}


def packed(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, file in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(file)
            archive.addfile(member, io.BytesIO(file))
    return content.getvalue()


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, file in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(file)
    return folder


class Handler(BaseHTTPRequestHandler):
    """Hands out one package, and what npm asks about it first."""

    content = packed(FILES)

    def do_GET(self) -> None:
        self.server.num_asked += 1
        answer = self.content if self.path.endswith(".tgz") else json.dumps(self.server.about).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


class Registry(ThreadingHTTPServer):
    """A registry on loopback that counts how often it is asked."""

    num_asked = 0
    package = Package("9.8.7", base64.b64encode(hashlib.sha512(Handler.content).digest()).decode())

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    @property
    def about(self) -> dict[str, object]:
        dist = {"tarball": f"{self.address}{self.package.file_name}", "integrity": f"sha512-{self.package.integrity}"}
        version = {"name": "onnxruntime-web", "version": self.package.version, "dist": dist}
        latest = {"latest": self.package.version}
        return {"name": "onnxruntime-web", "dist-tags": latest, "versions": {self.package.version: version}}


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Registry]:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    one = Registry(("127.0.0.1", 0), Handler)
    monkeypatch.setenv("P2P_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("npm_config_registry", one.address)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield one
    one.shutdown()
    thread.join()
    one.server_close()


@pytest.mark.network
def test_it_is_fetched_once_with_its_licence_said(registry, tmp_path, capsys):
    first = find_runtime(None, registry.package)
    assert (first.version, first.script, first.program) == ("9.8.7", *list(FILES.values())[:2])
    said = capsys.readouterr().err
    assert "onnxruntime-web@9.8.7" in said
    assert "MIT" in said
    num_asked = registry.num_asked
    assert num_asked > 0
    assert find_runtime(None, registry.package) == first
    assert registry.num_asked == num_asked
    assert sorted(path.name for path in (tmp_path / "cache" / "onnxruntime-web-9.8.7").iterdir()) == [
        "ort-wasm-simd-threaded.wasm",
        "ort.wasm.bundle.min.mjs",
    ]


@pytest.mark.network
def test_another_content_than_was_tested_is_refused_and_not_kept(registry, tmp_path):
    other = Package("9.8.7", TESTED.integrity)
    with pytest.raises(FormatError, match="checksum") as caught:
        find_runtime(None, other)
    assert "npm pack onnxruntime-web@9.8.7" in str(caught.value.fix)
    assert not (tmp_path / "cache").exists()


@pytest.mark.network
def test_what_npm_cannot_fetch_is_told_in_its_words(registry, tmp_path):
    with pytest.raises(UsageError, match=r"npm cannot fetch it .*ETARGET") as caught:
        find_runtime(None, Package("9.9.9", ""))
    for word in ("npm pack onnxruntime-web@9.9.9", "--runtime onnxruntime-web-9.9.9.tgz"):
        assert word in str(caught.value.fix)
    assert not (tmp_path / "cache").exists()


def test_without_npm_it_says_what_to_get_and_where_to_put_it(monkeypatch, tmp_path):
    monkeypatch.setenv("P2P_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"neither is npm \(Node.js\)") as caught:
        find_runtime(None, Package("9.8.7", ""))
    for word in ("install Node.js", "npm pack onnxruntime-web@9.8.7", "--runtime onnxruntime-web-9.8.7.tgz"):
        assert word in str(caught.value.fix)


def test_a_package_and_the_folders_it_may_be_unpacked_to_are_taken(tmp_path):
    (tmp_path / "runtime.tgz").write_bytes(packed(FILES))
    from_package = find_runtime(tmp_path / "runtime.tgz")
    folder = write_folder(tmp_path / "unpacked" / "package", FILES)
    for given in (folder, folder.parent, folder / "dist"):
        found = find_runtime(given)
        assert (found.version, found.script, found.program) == ("9.8.7", from_package.script, from_package.program)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("cut.tgz", packed(FILES)[:-30], "no package of onnxruntime-web"),
        ("junk.tgz", b"junk", "no package of onnxruntime-web"),
        ("other.tgz", packed({"dist/other.js": b""}), "'package/dist/ort.wasm.bundle.min.mjs' not found"),
        ("odd.tgz", packed(FILES | {"dist/ort-wasm-simd-threaded.wasm": b"<html>"}), "is no WebAssembly"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FormatError, match=reason) as caught:
        find_runtime(tmp_path / name)
    assert caught.value.where == str(tmp_path / name)


def test_a_file_or_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        find_runtime(tmp_path / "missing.tgz")
    with pytest.raises(FormatError, match="there is no dist/"):
        find_runtime(tmp_path)
