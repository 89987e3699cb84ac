"""An S3 server on loopback behind a proxy that makes faults, and photos to build from."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from moto.server import ThreadedMotoServer

from pix2pix_data.images import encode_jpeg

sys.path.insert(0, str(Path(__file__).parent))
from faulty_proxy import Faults, Handler, Server

BUCKET = "bucket"


@pytest.fixture(scope="session")
def s3_port() -> Iterator[int]:
    """An S3 server."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield int(server.get_host_and_port()[1])
    server.stop()


@pytest.fixture
def s3(s3_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Faults]:
    """An empty bucket, as all of this process and its children see it, and the faults of the way there."""
    faults = Faults(s3_port)
    server = Server(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"faults": faults}))
    faults.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    for name in [name for name in os.environ if "proxy" in name.lower() or name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ENDPOINT_URL": faults.url,
        "AWS_ACCESS_KEY_ID": "a-key",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-credentials"),
        "P2P_CACHE": str(tmp_path / "cache"),
    }.items():
        monkeypatch.setenv(name, value)
    real_sleep = time.sleep
    monkeypatch.setattr("pix2pix_data.object_store.time.sleep", lambda seconds: real_sleep(seconds / 1000))
    _empty(s3_port)
    yield faults
    server.shutdown()
    thread.join()
    server.server_close()


def _empty(port: int) -> None:
    import http.client

    for method, path in (("POST", "/moto-api/reset"), ("PUT", f"/{BUCKET}")):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request(method, path)
        assert connection.getresponse().status == 200
        connection.close()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A hundred photos in two folders: a training split of more than one shard."""
    folder = tmp_path / "photos"
    for i in range(100):
        rng = np.random.default_rng(i)
        photo = cv2.resize(rng.integers(0, 255, (5, 6, 3), np.uint8), (40, 36), interpolation=cv2.INTER_CUBIC)
        path = folder / f"{i % 2}" / f"{i:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_jpeg(photo))
    return folder


@pytest.fixture
def p2p_train(tmp_path: Path) -> Callable[..., None]:
    """Run p2p-train in a folder of its own, in this process."""
    import torch

    from pix2pix_model.cli_train import app

    def run(*arguments: object) -> None:
        before = torch.get_num_threads()
        torch.set_num_threads(1)  # networks this small are slower on two
        try:
            with contextlib.chdir(tmp_path):
                app([*map(str, arguments)], prog_name="p2p-train", standalone_mode=False)
        finally:
            torch.set_num_threads(before)
            gc.collect()  # what a process that ends does: the run is free for the next command

    return run
