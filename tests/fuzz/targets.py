"""What is attacked: each target takes any bytes, and may answer with nothing but a result or a named error of ours."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pix2pix_data.build import BuildOptions, build, plan_build
from pix2pix_data.dataset import open_dataset
from pix2pix_data.errors import P2PError
from pix2pix_data.images import decode_photo, encode_png, write_png
from pix2pix_data.importing import ImportOptions, open_layout
from pix2pix_data.makers.colorize import ColorizeMaker
from pix2pix_data.palette_file import Palette, palette_json, read_names, read_palette
from pix2pix_model.checkpoint import ModelConfig, load_model, save_model
from pix2pix_model.device import choose_device
from pix2pix_model.nets import GENERATORS, GeneratorSpec
from pix2pix_model.paint.painter import Painter
from pix2pix_model.paint.server import build_app
from pix2pix_model.recipe import Recipe
from pix2pix_model.recipe_file import load_recipe
from pix2pix_model.saved_state import load_state, save_state
from pix2pix_model.sides import Sides, SideSpec
from pix2pix_model.state import build_state

__all__ = ["TARGETS", "Target"]

RECIPES = Path(__file__).parents[2] / "recipes"
SIDE_PX = 32
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS")
PATHS = (
    *(
        "/",
        "/openapi.json",
        "/api/model",
        "/api/examples/0",
        "/api/examples/-1",
        "/api/examples/%2e%2e",
        "/assets/../x",
    ),
    *("/api/translate", "/api/translate?sample=1", "/api/prepare", "/api/prepare?as=photo", "/api/translate?seed=x"),
)


@dataclass(frozen=True, slots=True)
class Target:
    """Good inputs to begin with, and what is done with any."""

    seeds: tuple[bytes, ...]
    run: Callable[[bytes], None]


def photo(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8)


def images(work: Path) -> Target:
    """Any file as a picture."""
    seeds = []
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "PPM", "TGA", "ICO", "JPEG2000"):
        with io.BytesIO() as file:
            Image.fromarray(photo()).save(file, kind)
            seeds.append(file.getvalue())

    def run(content: bytes) -> None:
        with contextlib.suppress(P2PError):
            decode_photo(content)

    return Target(tuple(seeds), run)


def recipes(work: Path) -> Target:
    """Any text as a recipe."""
    path = work / "recipe.toml"

    def run(content: bytes) -> None:
        path.write_bytes(content)
        with contextlib.suppress(P2PError):
            load_recipe(path)

    return Target(tuple(file.read_bytes() for file in sorted(RECIPES.glob("*.toml"))), run)


def palettes(work: Path) -> Target:
    """Any text as a palette, or as names for one."""
    path = work / "palette.json"
    colors = Palette(((1, 2, 3), (200, 100, 0)), (0.5, 0.5))

    def run(content: bytes) -> None:
        path.write_bytes(content)
        for read in (read_palette, read_names):
            with contextlib.suppress(P2PError):
                read(path)

    return Target((palette_json(colors).encode(), b'"#010203" = "road"\n"#c86400" = "sky"\n'), run)


def parquet(work: Path) -> Target:
    """Any bytes as a shard of a dataset."""
    for i in range(6):
        write_png(work / "photos" / f"{i}.png", photo(i))
    maker, dataset = ColorizeMaker(size=(16, 16)), work / "pairs"
    plan = plan_build("colorize", maker, work / "photos", BuildOptions(group="file"))
    build(plan, maker, work / "photos", dataset, workers=1)
    shard = min((dataset / "data").glob("train-*"))

    def run(content: bytes) -> None:
        shard.write_bytes(content)
        with contextlib.suppress(P2PError):
            for pair in open_dataset(dataset).encoded_pairs("train"):
                with contextlib.suppress(P2PError):
                    pair.decode()

    return Target((shard.read_bytes(),), run)


def archives(work: Path) -> Target:
    """Any bytes as an archive of pairs; nothing may be written beside its scratch folder."""
    picture, seeds = encode_png(photo()), []
    names = [f"{split}{side}/{i}.png" for split in ("train", "val") for side in "AB" for i in range(2)]
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as zipped:
            for name in names:
                zipped.writestr(name, picture)
        seeds.append(file.getvalue())
    for mode in ("w", "w:gz"):
        with io.BytesIO() as file:
            with tarfile.open(fileobj=file, mode=mode) as tar:
                for name in names:
                    member = tarfile.TarInfo(name)
                    member.size = len(picture)
                    tar.addfile(member, io.BytesIO(picture))
            seeds.append(file.getvalue())

    def run(content: bytes) -> None:
        scratch = work / "scratch"
        scratch.mkdir()
        for ending in ("zip", "tar", "tar.gz"):
            path = work / f"pairs.{ending}"
            path.write_bytes(content)
            with contextlib.suppress(P2PError), open_layout(path, ImportOptions(), scratch=scratch) as opened:
                for split in opened.found.num_pairs:
                    for _ in opened.found.read(split):
                        pass
            path.unlink()
        shutil.rmtree(scratch)
        assert not list(work.iterdir()), "something was written outside"

    return Target(tuple(seeds), run)


def models(work: Path) -> Target:
    """Any bytes as a file of a model: the first byte says of which."""
    folder = small_model(work)
    files = [folder / "model.safetensors", folder / "config.json"]
    whole = [file.read_bytes() for file in files]

    def run(content: bytes) -> None:
        number = content[0] % len(files) if content else 0
        for i, file in enumerate(files):
            file.write_bytes(content[1:] if i == number else whole[i])
        with contextlib.suppress(P2PError):
            load_model(folder)

    return Target(tuple(bytes([i]) + one for i, one in enumerate(whole)), run)


def checkpoints(work: Path) -> Target:
    """Any bytes as a file of a checkpoint: the first byte says of which."""
    sections = {"generator": {"width": 2}, "discriminator": {"width": 2, "patch": 16}}
    recipe = Recipe.model_validate({"data": {"path": ".", "load_size": SIDE_PX, "crop_size": SIDE_PX}, **sections})
    state = build_state(recipe, choose_device("cpu", "float32"))
    save_state(work, state, model_config())
    folder = next(work.glob("step-*"))
    files = sorted(file for file in folder.iterdir() if file.is_file())
    whole = [file.read_bytes() for file in files]

    def run(content: bytes) -> None:
        number = content[0] % len(files) if content else 0
        for i, file in enumerate(files):
            file.write_bytes(content[1:] if i == number else whole[i])
        with contextlib.suppress(P2PError):
            load_state(folder, state)

    return Target(tuple(bytes([i]) + one for i, one in enumerate(whole)), run)


def server(work: Path) -> Target:
    """Any request to the painting page: method, path, size of a query, and body. An exception in it is a fault."""
    from starlette.testclient import TestClient

    painter = Painter(load_model(small_model(work)), choose_device("cpu", "float32"))
    client = TestClient(build_app(painter), base_url="http://127.0.0.1")
    drawing = encode_png(photo())

    def run(content: bytes) -> None:
        method, path, length, body = content[:1], content[1:2], content[2:3], content[3:]
        url = PATHS[path[0] % len(PATHS)] if path else "/"
        query = body[: length[0] % 16] if length else b""
        if query:
            url += ("&" if "?" in url else "?") + query.decode("latin-1").encode("unicode_escape").decode()
        name = METHODS[method[0] % len(METHODS)] if method else "GET"
        answer = client.request(name, url, content=body[len(query) :])
        assert answer.status_code < 500, answer.status_code
        if answer.status_code >= 400 and name != "HEAD":
            assert "error" in json.loads(answer.content)

    places = range(len(PATHS))
    return Target(tuple(bytes([i % 2, i, 0]) + drawing for i in places), run)


def model_config() -> ModelConfig:
    spec = GeneratorSpec(size_px=SIDE_PX, width=2)
    sides = Sides((SideSpec(side="A"),), SideSpec(side="B"))
    return ModelConfig(
        name="small", architecture="unet", spec=spec, sides=sides, crop_size=(SIDE_PX, SIDE_PX), steps=1, version="0"
    )


def small_model(work: Path) -> Path:
    torch.manual_seed(0)
    config = model_config()
    save_model(work / "model", GENERATORS.get("unet")(config.spec), config, "", examples=[photo()])
    return work / "model"


TARGETS: dict[str, Callable[[Path], Target]] = {
    make.__name__: make for make in (images, recipes, palettes, parquet, archives, models, checkpoints, server)
}
