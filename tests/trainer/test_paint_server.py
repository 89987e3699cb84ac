"""The server of the painting page: what it answers, what it refuses, and that it stays up."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import uvicorn

from pix2pix_data.dataset import open_dataset
from pix2pix_data.errors import UsageError
from pix2pix_data.images import decode_rgb, encode_jpeg, encode_png, read_rgb, write_png
from pix2pix_data.known_labels import LABEL_PALETTES
from pix2pix_data.side_facts import NamedColor, SideFacts
from pix2pix_model.checkpoint import ModelConfig, load_model, save_model
from pix2pix_model.color_space import pixels_to_lab
from pix2pix_model.device import choose_device
from pix2pix_model.nets import GENERATORS, GeneratorSpec
from pix2pix_model.paint.painter import Painter
from pix2pix_model.paint.server import MOST_UPLOAD_BYTES, bind, build_app
from pix2pix_model.sides import Sides, SideSpec

pytestmark = pytest.mark.network

NASTY = Path(__file__).parents[3] / "shared" / "data" / "nasty"
HEIGHT, WIDTH = 32, 64
COLORS = (("road", "#804080"), ("sky", "#4682b4"), ("tree", "#6b8e23"))
SEGMENTS = SideFacts(kind="segments", colors=tuple(NamedColor(name=name, color=color) for name, color in COLORS))
LINES = SideFacts(
    kind="lines",
    colors=(NamedColor(name="paper", color="#ffffff"), NamedColor(name="line", color="#000000")),
    line_px=1,
    maker="edges",
    settings={"detector": "classical", "size": [64, 64]},
)


_A_TO_B = Sides((SideSpec(side="A"),), SideSpec(side="B"))


def make_model(folder: Path, given: SideFacts | None, *, dropout: float = 0.5, sides: Sides = _A_TO_B) -> Path:
    """A narrow U-Net with random weights, saved with two examples as a finished model is."""
    spec = GeneratorSpec(
        size_px=32,
        width=4,
        dropout=dropout,
        dropout_at="torch",
        in_channels=sides.in_channels,
        out_channels=sides.target.channels,
    )
    torch.manual_seed(0)
    config = ModelConfig(
        name="drawn",
        architecture="unet",
        spec=spec,
        sides=sides,
        crop_size=(HEIGHT, WIDTH),
        given=given,
        steps=7,
        version="0",
    )
    palette = np.array([[128, 64, 128], [70, 130, 180]], np.uint8)
    examples = [np.broadcast_to(color, (HEIGHT, WIDTH, 3)).copy() for color in palette]
    save_model(folder, GENERATORS.get("unet")(spec), config, "", examples=examples)
    return folder


COLORS_OF_FACADES = LABEL_PALETTES["facades"].colors


@dataclass
class Site:
    """A running server."""

    port: int
    painter: Painter

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def translate(self, drawing: np.ndarray, query: str = "", **headers: str) -> tuple[int, Any]:
        status, _, content = self.ask("POST", f"/api/translate{query}", encode_png(drawing), headers)
        return status, json.loads(content)


class _Started(uvicorn.Server):
    """A server that runs in a thread: without signals."""

    def install_signal_handlers(self) -> None:
        pass


def run_site(painter: Painter) -> Iterator[Site]:
    bound = bind("127.0.0.1")
    config = uvicorn.Config(build_app(painter), log_level="error", ws="none", http="h11", limit_concurrency=64)
    server = _Started(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    yield Site(bound.getsockname()[1], painter)
    server.should_exit = True
    thread.join(20)
    bound.close()
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    model = load_model(make_model(tmp_path_factory.mktemp("paint") / "model", SEGMENTS))
    yield from run_site(Painter(model, choose_device("cpu")))


def blank(color: tuple[int, int, int] = (70, 130, 180), height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.broadcast_to(np.array(color, np.uint8), (height, width, 3)).copy()


def pixels(url: str) -> np.ndarray:
    assert url.startswith("data:image/png;base64,")
    return decode_rgb(base64.b64decode(url.partition(",")[2]))


# --- what it answers ----------------------------------------------------------------------------------------------


def test_the_model_is_described_by_what_can_be_drawn_for_it(site):
    status, _, content = site.ask("GET", "/api/model")
    model = json.loads(content)
    assert status == 200
    assert [(one["name"], one["color"]) for one in model["colors"]] == list(COLORS)
    assert (model["kind"], model["width"], model["height"], model["examples"]) == ("segments", WIDTH, HEIGHT, 2)
    assert model["sources"] == ["drawing"], "nobody knows how to make these segments from a photo"


def test_a_drawing_becomes_what_the_model_makes_of_it(site):
    drawing = blank()
    drawing[10:20, 5:30] = (128, 64, 128)
    status, made = site.translate(drawing)
    assert status == 200
    (expected,) = site.painter.translate(drawing)
    assert (pixels(made["pictures"][0]) == expected).all()
    assert made["milliseconds"] > 0


def test_colours_that_are_a_little_off_are_those_of_the_palette(site):
    drawing = blank()
    near = drawing + np.array([3, -2, 2], np.int8).astype(np.uint8)
    assert site.translate(drawing)[1]["pictures"] == site.translate(near)[1]["pictures"]


def test_samples_differ_and_are_the_same_ones_each_time(site):
    drawing = blank()
    drawing[:16] = (107, 142, 35)
    (_, first), (_, again) = (site.translate(drawing, "?samples=3") for _ in range(2))
    assert len(set(first["pictures"])) == 3
    assert first["pictures"] == again["pictures"]
    assert site.translate(drawing)[1]["pictures"][0] not in first["pictures"], "one picture is without dropout"


def test_a_model_without_dropout_has_one_sample(tmp_path):
    painter = Painter(load_model(make_model(tmp_path / "model", LINES, dropout=0.0)), choose_device("cpu"))
    assert painter.description()["most_samples"] == 1


def test_examples_are_given_in_the_models_size(site):
    status, headers, content = site.ask("GET", "/api/examples/1")
    assert (status, headers["content-type"]) == (200, "image/png")
    assert (decode_rgb(content) == blank()).all()
    for number in ("2", "-1", "x", "99999999999999999999", "..%2f0"):
        assert site.ask("GET", f"/api/examples/{number}")[0] == 404


def test_an_upload_is_brought_to_size_and_palette(site):
    picture = blank((75, 125, 185), 90, 200)
    picture[:, :100] = (100, 150, 30)
    status, headers, content = site.ask("POST", "/api/prepare", encode_png(picture))
    prepared = decode_rgb(content)
    assert (status, headers["content-type"], prepared.shape) == (200, "image/png", (HEIGHT, WIDTH, 3))
    assert {tuple(color) for color in np.unique(prepared.reshape(-1, 3), axis=0).tolist()} == {
        (70, 130, 180),
        (107, 142, 35),
    }


def test_a_photo_becomes_edges_where_the_dataset_had_edges(tmp_path):
    painter = Painter(load_model(make_model(tmp_path / "model", LINES)), choose_device("cpu"))
    photo = blank((200, 180, 60), 120, 240)
    photo[30:90, 60:180] = (20, 40, 90)
    made = painter.prepare(encode_jpeg(photo), "photo")
    assert painter.sources() == ["drawing", "photo"]
    assert made.shape == (HEIGHT, WIDTH, 3)
    assert set(np.unique(made)) == {0, 255}


@pytest.mark.parametrize("given", [SideFacts(kind="gray"), None])
def test_gray_and_unknown_models_take_photos(tmp_path, given):
    painter = Painter(load_model(make_model(tmp_path / "model", given)), choose_device("cpu"))
    photo = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    made = painter.prepare(encode_png(photo), "photo")
    assert painter.sources() == ["photo"]
    assert (made == made[:, :, :1]).all() == (given is not None)


def test_the_page_and_its_files_forbid_all_that_they_do_not_need(site):
    for path, kind in (
        ("/", "text/html"),
        ("/assets/konva.min.js", "text/javascript"),
        ("/openapi.json", "application/json"),
    ):
        status, headers, _ = site.ask("GET", path)
        assert status == 200
        assert headers["content-type"].startswith(kind)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_every_route_of_the_api_is_in_its_description(site):
    described = set(json.loads(site.ask("GET", "/openapi.json")[2])["paths"])
    app = build_app(site.painter)
    assert described == {route.path for route in app.routes if route.path.startswith("/api/")}


# --- what it refuses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[", "10.0.0.1"])
def test_a_foreign_host_is_refused(site, host):
    for path in ("/", "/api/model", "/assets/konva.min.js"):
        assert site.ask("GET", path, headers={"Host": host})[0] in (400, 403)
    assert site.ask("POST", "/api/translate", encode_png(blank()), {"Host": host})[0] in (400, 403)


def test_a_foreign_origin_is_refused(site):
    here = f"127.0.0.1:{site.port}"
    for origin in ("http://evil.example", "null", f"http://{here}.evil.example", "http://127.0.0.1:1"):
        assert site.translate(blank(), Origin=origin)[0] == 403
    assert site.translate(blank(), Origin=f"http://{here}")[0] == 200
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert site.ask("GET", "/api/examples/0", headers=headers)[0] == 403


def test_localhost_is_this_host_too(site):
    assert site.ask("GET", "/api/model", headers={"Host": f"localhost:{site.port}"})[0] == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/translate", b"", 415),
        ("/api/translate", b"no picture", 415),
        ("/api/translate", encode_png(blank())[:-30], 415),
        ("/api/translate", encode_png(blank(height=33)), 415),
        ("/api/translate", encode_png(blank(height=16, width=16)), 415),
        ("/api/translate?samples=0", encode_png(blank()), 422),
        ("/api/translate?samples=10", encode_png(blank()), 422),
        ("/api/translate?samples=%D9%A1", encode_png(blank()), 422),
        ("/api/prepare?source=photo", encode_png(blank()), 422),
        ("/api/prepare?source=", encode_png(blank()), 422),
        ("/api/nothing", b"", 404),
        ("/assets/../server.py", b"", 404),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(site, path, body, status):
    answered, headers, content = site.ask("POST", path, body)
    assert answered == status
    assert headers["content-type"] == "application/json"
    assert json.loads(content)["error"]


def test_too_large_a_body_is_refused_however_it_is_sent(site):
    for path in ("/api/translate", "/api/prepare"):
        assert site.ask("POST", path, None, {"Content-Length": str(MOST_UPLOAD_BYTES + 1)})[0] == 413
    assert site.ask("POST", "/api/translate", bytes(1 << 18))[0] == 413, "a drawing of this model is smaller"
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    try:  # without saying how much there will be
        connection.request(
            "POST",
            "/api/translate",
            iter([bytes(1 << 20)] * 12),
            encode_chunked=True,
            headers={"Transfer-Encoding": "chunked"},
        )
        status = connection.getresponse().status
    except ConnectionError:  # it hung up while we were still sending
        status = 413
    finally:
        connection.close()
    assert status == 413


def test_a_picture_that_declares_too_many_pixels_is_refused_before_it_is_decoded(site):
    chunk = b"IHDR" + (9000).to_bytes(4, "big") + (6000).to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    huge = encode_png(blank())[:12] + chunk + zlib.crc32(chunk).to_bytes(4, "big") + encode_png(blank())[33:]
    for path in ("/api/prepare", "/api/translate"):
        status, _, content = site.ask("POST", path, huge)
        assert status == 415
        assert "9000x6000 pixels, more than" in json.loads(content)["error"]


def test_every_nasty_file_is_answered_or_refused(site):
    if not NASTY.is_dir():
        pytest.skip("needs ../shared/data/nasty")
    files = [path for path in sorted(NASTY.rglob("*")) if path.is_file()]
    before = resident_mb()
    statuses = {site.ask("POST", "/api/prepare", path.read_bytes())[0] for path in files}
    assert statuses <= {200, 415}
    assert site.translate(blank())[0] == 200
    assert resident_mb() - before < 700


def test_a_flood_is_answered_or_refused_and_the_server_stays_up(site):
    drawing = encode_png(blank())

    def one(number: int) -> int:
        try:
            return site.ask("POST", "/api/translate", drawing, {"X-Painter": str(number % 20)})[0]
        except ConnectionError:
            return 0

    before = resident_mb()
    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(one, range(500)))
    assert set(statuses) <= {200, 409, 503}
    assert statuses.count(200) >= 20, "each client gets an answer"
    assert site.translate(blank())[0] == 200
    assert resident_mb() - before < 200


def resident_mb() -> float:
    statm = Path("/proc/self/statm")
    if not statm.is_file():
        return 0.0
    return int(statm.read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_a_model_of_lightness_is_given_gray_pictures(tmp_path):
    sides = Sides((SideSpec(side="B", view="lightness"),), SideSpec(side="B", view="ab"))
    painter = Painter(load_model(make_model(tmp_path / "model", None, sides=sides)), choose_device("cpu"))
    photo = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    prepared = painter.prepare(encode_png(photo), "photo")
    assert painter.description()["kind"] == "gray"
    assert (prepared.max(axis=2).astype(int) - prepared.min(axis=2)).max() <= 1
    assert painter.translate(prepared)[0].shape == (HEIGHT, WIDTH, 3)


def test_photos_kept_with_a_model_of_lightness_are_shown_as_gray_as_they_are_light(tmp_path):
    sides = Sides((SideSpec(side="B", view="lightness"),), SideSpec(side="B", view="ab"))
    model = load_model(make_model(tmp_path / "model", None, sides=sides))
    kept = read_rgb(model.path / "examples" / "0.png")
    shown = Painter(model, choose_device("cpu")).examples[0]
    assert (shown.max(axis=2) == shown.min(axis=2)).all()
    light, gray = (pixels_to_lab(torch.from_numpy(one)[None])[:, 0] for one in (kept, shown))
    assert (light - gray).abs().max() < 0.4, "half a level"


def test_classes_of_the_network_are_the_palette_where_nothing_else_says_it(tmp_path):
    names, colors = zip(*COLORS, strict=True)
    classes = SideSpec(side="A", view="classes", names=names, colors=colors)
    sides = Sides((classes,), SideSpec(side="B"))
    painter = Painter(load_model(make_model(tmp_path / "model", None, sides=sides)), choose_device("cpu"))
    assert [(one.name, one.color) for one in painter.facts.colors] == list(COLORS)
    assert painter.translate(blank())[0].shape == (HEIGHT, WIDTH, 3)


def test_a_model_of_others_is_painted_like_a_dataset(tmp_path):
    labels = blank(COLORS_OF_FACADES[1])
    labels[5:20, 10:40] = COLORS_OF_FACADES[2]
    photo = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    smeared = decode_rgb(encode_jpeg(np.hstack([labels, photo])))
    write_png(tmp_path / "pairs" / "train" / "0.png", smeared)
    model = load_model(make_model(tmp_path / "model", None))
    painter = Painter(model, choose_device("cpu"), like=open_dataset(tmp_path / "pairs"))
    assert [one.name for one in painter.facts.colors] == ["facade", "window"]
    assert (painter.examples[0] == labels).all()


def test_a_model_that_is_given_two_pictures_is_refused(tmp_path):
    sides = Sides((SideSpec(side="A"), SideSpec(side="A", dataset="more")), SideSpec(side="B"))
    model = load_model(make_model(tmp_path / "model", SEGMENTS, sides=sides))
    with pytest.raises(UsageError, match="cannot be painted"):
        Painter(model, choose_device("cpu"))


def test_the_vendored_file_is_the_one_that_its_readme_names(site):
    vendor = Path(__file__).parents[2] / "pix2pix_model" / "paint" / "vendor"
    told = (vendor / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256((vendor / "konva.min.js").read_bytes()).hexdigest() in told
    assert b"Konva JavaScript Framework v10.9.1" in (vendor / "konva.min.js").read_bytes()[:1000]


# --- the command --------------------------------------------------------------------------------------------------


def paint(*arguments: object) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "pix2pix_model.cli_model", "paint", *map(str, arguments), "--no-browser"]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_port_that_is_taken_is_told(tmp_path):
    model = make_model(tmp_path / "model", SEGMENTS)
    with bind("127.0.0.1") as taken, paint(model, "--port", taken.getsockname()[1]) as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "choose another --port" in told
    assert "Traceback" not in told


def test_other_machines_are_let_in_with_a_warning_alone(tmp_path):
    with paint(make_model(tmp_path / "model", LINES), "--host", "0.0.0.0") as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        port = int(address.removeprefix("http://127.0.0.1:").rstrip("/"))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        statuses = []
        for host in ("192.0.2.7:80", "evil.example"):
            connection.request("GET", "/api/model", headers={"Host": host})
            statuses.append((answer := connection.getresponse()).status)
            answer.read()
        connection.close()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 0
    assert statuses == [200, 403], "an address may be this machine's, a name of others is not"
    assert "warning: whoever reaches 0.0.0.0" in told
