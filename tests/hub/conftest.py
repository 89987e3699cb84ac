"""A hub on loopback, clients that speak to it, and small datasets to push."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from pix2pix_data.card import write_card
from pix2pix_data.dataset import EncodedPair
from pix2pix_data.images import decode_rgb, encode_jpeg, encode_png, write_png
from pix2pix_data.shards import shard_path, write_shard

sys.path.insert(0, str(Path(__file__).parent))
from hub_state import OWNER_TOKEN, Hub
from loopback_hub import Handler, Server

Run = Callable[..., subprocess.CompletedProcess[str]]


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
