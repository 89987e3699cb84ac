"""The folders and files that the pages name, small: real photos, what a user would have made of them, and models."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from pix2pix_data.images import encode_jpeg, read_rgb, write_png
from pix2pix_data.sample import write_sample

RUN_COMMAND = Callable[[str], None]
SIDE_PX = 48
FACADE, WINDOW = (0, 48, 255), (0, 128, 255)  # as the published label maps have them
TRAIN_QUICKLY = (
    "data.load_size=68 data.crop_size=64 generator.width=2 discriminator.width=2 discriminator.patch=16 "
    "train.max_steps=2 train.batch=2 log.samples_every=1 log.num_samples=2 validation.every=1"
).split()
"""Whatever a recipe says, two steps of narrow networks are enough to see that it trains."""


def photos_of(folder: Path, num: int) -> Iterator[np.ndarray]:
    """Yield `num` real photos, each of another place."""
    if not folder.exists():
        write_sample(folder, crop_px=SIDE_PX)
    found = sorted(folder.rglob("*.png"))
    for path in found[:: len(found) // num][:num]:
        yield read_rgb(path)


def write_photos(root: Path, sample: Path) -> None:
    """Write the folders of photos, and of what goes with them."""
    for name in ("shoes", "handbags", "cityscapes", "photos", "new-photos", "facade_photos", "my-photos", "drawings"):
        for i, photo in enumerate(photos_of(sample, 12)):
            write_jpeg(root / name / f"cam0{i % 3}_{i:02d}.jpg", photo)
    for i, photo in enumerate(photos_of(sample, 12)):
        name = f"cam0{i % 3}_{i:02d}"
        gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
        bright = (gray > 128).astype(np.uint8)
        lines = cv2.cvtColor(255 - cv2.Canny(gray, 100, 200), cv2.COLOR_GRAY2RGB)
        classes = np.where(bright[..., None] == 1, WINDOW, FACADE).astype(np.uint8)
        write_png(root / "sketches" / f"{name}.png", lines)
        write_png(root / "hints" / f"{name}.png", photo)
        write_png(root / "labels" / f"{name}.png", classes)
        write_png(root / "label_maps" / f"{name}.png", classes)
        write_png(root / "facade_labels" / f"{name}.png", classes)
        write_png(root / "masks" / f"{name}.png", np.repeat(bright[..., None] * np.uint8(255), 3, 2))
        write_png(root / "pairs" / f"{i}_A.png", lines)
        write_png(root / "pairs" / f"{i}_B.png", photo)
        write_png(root / "base" / f"{i}.png", lines)
        write_jpeg(root / "base" / f"{i}.jpg", photo)
        write_png(root / "gt" / f"{i}_gtFine_color.png", classes)
        write_png(root / "images" / f"{i}_leftImg8bit.png", photo)
        write_png(root / "maps" / f"{i}.png", 255 - lines)
        folder = root / "cutouts"
        folder.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / f"{name}.png"), np.dstack([photo[..., ::-1], bright * 255]))
        (root / "depth").mkdir(exist_ok=True)
        cv2.imwrite(str(root / "depth" / f"{name}.png"), gray.astype(np.uint16) * 200)
        side_by_side = np.hstack([photo, classes])
        split = "train" if i < 6 else "val" if i < 9 else "test"
        for name in ("facades", "other-facades"):
            write_jpeg(root / name / split / f"{i}.jpg", side_by_side)
    write_png(root / "drawing.png", lines)
    write_png(root / "poster.png", cv2.resize(photo, (150, 100)))
    _write_webcams(root, sample)
    _write_lists(root)


def _write_webcams(root: Path, sample: Path) -> None:
    for camera, view in enumerate(photos_of(sample, 4)):
        view = cv2.resize(view, (160, 120), interpolation=cv2.INTER_CUBIC)
        for hour, light in ((11, 1.0), (12, 0.95), (13, 0.9), (23, 0.3)):
            frame = np.clip(view * light + 20 * light, 0, 255).astype(np.uint8)
            write_jpeg(root / "webcams" / f"camera{camera}" / f"20130621_{hour}0000.jpg", frame)
            season = "winter" if hour == 23 else "summer"
            write_jpeg(root / "streets" / f"street{camera}" / season / f"20130621_{hour}0000.jpg", frame)
    places = "".join(f"camera{camera},50.11,8.68\n" for camera in range(4))
    (root / "places.csv").write_text(f"camera,lat,lon\n{places}")


def _write_lists(root: Path) -> None:
    photos = sorted((root / "photos").iterdir())
    rows = "".join(f"{path.name},{i // 2}\n" for i, path in enumerate(photos))
    (root / "shoes.csv").write_text(f"file,product\n{rows}")
    (root / "names.toml").write_text('names = ["shadow", "trees", "road"]\n')
    (root / "classes.toml").write_text('[names]\n"#0080ff" = "window"\n"#0030ff" = "facade"\n')
    (root / "mine.toml").write_text('[data]\npath = "shoes-edges"\n')


def write_models(root: Path, run: RUN_COMMAND) -> None:
    """Make the datasets and runs that the pages use, by our own commands."""
    settings = " ".join(f"--set {one}" for one in TRAIN_QUICKLY)
    run("p2p-data edges ./shoes --size 48 --workers 1 --val 0.2 --test 0.2")
    run("p2p-data edges ./photos --size 48 --workers 1 --out my-photos-edges --group file")
    run("p2p-data kmeans ./cityscapes --size 48 --workers 1")
    run("p2p-data kmeans ./shoes --size 48 --workers 1")
    run("p2p-data colorize ./photos --size 48 --workers 1")
    shutil.copytree(root / "shoes-edges", root / "shoes-sketches")
    run(f"p2p-train recipes/edges2shoes.toml {settings}")
    run(f"p2p-train recipes/facades.toml {settings} --set data.path=facades")
    runs = root / "runs"
    (runs / "0002-facades").rename(runs / "0001-facades")
    run("p2p-model export runs/0001-edges2shoes")
    for name in ("0001-quickstart", "0003-edges2shoes"):
        shutil.copytree(runs / "0001-edges2shoes", runs / name)
    shutil.copytree(runs / "0001-edges2shoes" / "model", root / "me" / "edges2shoes")


def write_jpeg(path: Path, image: np.ndarray) -> None:
    """Write a photo as cameras do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_jpeg(image))
