"""HED as the detector of the edge maker: its weights given, found and fetched."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from pix2pix_data import engines
from pix2pix_data.build import BuildOptions, build, plan_build
from pix2pix_data.edges.detector import DETECTORS, make_detector
from pix2pix_data.images import write_png
from pix2pix_data.makers.edges import EdgesMaker

sys.path.insert(0, str(Path(__file__).parent))
from hed_files import (
    expected_map,
    random_photo,
    write_weights,
)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """So small a network spends its time on waking threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_provenance_names_weights_by_content_and_no_place(tmp_path):
    path = write_weights(tmp_path, "caffe")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    settings = EdgesMaker(detector="hed", weights=path).model_dump(mode="json")
    assert settings["weights"] == f"caffe.weights sha256:{digest[:16]}"
    assert EdgesMaker().model_dump(mode="json")["weights"] is None


def test_weights_that_are_not_there_or_of_no_use_are_a_usage_error(tmp_path):
    with pytest.raises(ValidationError, match="no such file"):
        EdgesMaker(detector="hed", weights=tmp_path / "none.pth")
    with pytest.raises(ValidationError, match="loads no weights"):
        EdgesMaker(detector="classical", weights=write_weights(tmp_path, "caffe"))


def test_maker_draws_with_given_weights(tmp_path):
    (drawing,) = EdgesMaker(detector="hed", weights=write_weights(tmp_path, "caffe")).derive([random_photo()])
    assert drawing.shape == (48, 64, 3)


def test_network_on_a_gpu_is_in_one_process_and_the_dataset_stays_the_same(photos, tmp_path, monkeypatch, contents):
    maker = EdgesMaker(size=48, detector="hed", weights=write_weights(tmp_path, "sniklaus"))
    plan = plan_build("edges", maker, photos, BuildOptions(group="file"))
    build(plan, maker, photos, tmp_path / "1" / "set", workers=1)
    monkeypatch.setattr("pix2pix_data.makers.edges._has_gpu", lambda: True)
    seen: list[object] = []
    run_local = engines.local.run_local

    def watched(function, tasks, **options):
        seen.extend(pickle.loads(pickle.dumps(task)).maker._shared.address for task in tasks)
        run_local(function, tasks, **options)

    monkeypatch.setattr("pix2pix_data.engines.local.run_local", watched)
    build(plan, maker, photos, tmp_path / "2" / "set", workers=2)
    assert len(seen) > 1
    assert len(set(seen)) == 1
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_weights_in_the_cache_are_found(tmp_path, monkeypatch):
    monkeypatch.setenv("P2P_CACHE", str(tmp_path))
    write_weights(tmp_path, "caffe").rename(tmp_path / "hed_pretrained_bsds.caffemodel")
    photo = random_photo()
    detectors = (DETECTORS.get("hed")(), make_detector("hed"))
    assert all(np.abs(detector([photo])[0] - expected_map(photo, "caffe")).max() < 0.05 for detector in detectors)


def run_edges(folder: Path, endpoint: str) -> subprocess.CompletedProcess[str]:
    (folder / "photos").mkdir()
    for index in range(4):
        write_png(folder / "photos" / f"{index}.png", random_photo(seed=index))
    command = [
        sys.executable,
        "-c",
        "from pix2pix_data.cli import main; main()",
        "edges",
        str(folder / "photos"),
        "--detector",
        "hed",
    ]
    options = ["--size", "64", "--workers", "1", "--out", str(folder / "pairs")]
    places = {"P2P_CACHE": str(folder / "cache"), "HF_HOME": str(folder / "hf"), "HF_ENDPOINT": endpoint}
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()} | places
    return subprocess.run(
        command + options, env=environment | {"HF_HUB_OFFLINE": "0"}, capture_output=True, text=True, timeout=60
    )


@pytest.mark.network
def test_without_network_it_says_what_to_download_and_where_to_put_it(tmp_path):
    done = run_edges(tmp_path, "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "lllyasviel/Annotators/resolve/main/ControlNetHED.pth" in done.stderr
    assert str(tmp_path / "cache" / "ControlNetHED.pth") in done.stderr.replace("\n", "")
    assert "--weights" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "cache").exists()


class Hub(BaseHTTPRequestHandler):
    content = b""
    digest = ""

    def do_HEAD(self) -> None:
        self.send_response(200 if self.path.endswith("Annotators/resolve/main/ControlNetHED.pth") else 404)
        self.send_header("Content-Length", str(len(self.content)))
        self.send_header("ETag", f'"{self.digest}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(self.content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.network
@pytest.mark.parametrize("fault", ["", "these are not the weights of HED", "its checksum is not the one"])
def test_weights_are_fetched_once_and_kept_only_if_they_are_whole(tmp_path, fault):
    path = write_weights(tmp_path, "controlnet")
    if "weights" in fault:
        torch.save({"features": torch.zeros(1)}, path)
    Hub.content = path.read_bytes()
    Hub.digest = hashlib.sha256(b"another file" if "checksum" in fault else Hub.content).hexdigest()
    with HTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = run_edges(tmp_path, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert "Apache-2.0" in done.stderr
    assert "huggingface.co/lllyasviel/Annotators" in done.stderr
    kept = [path.name for path in (tmp_path / "cache").iterdir()]
    if not fault:
        assert done.returncode == 0, done.stderr
        assert kept == ["ControlNetHED.pth"]
    else:
        assert done.returncode == 1
        assert "what the hub gave is not ControlNetHED.pth" in done.stderr
        assert fault in done.stderr
        assert kept == []
