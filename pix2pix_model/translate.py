"""A trained model put to use: pictures in, pictures out, and one sheet to compare them on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
import torch

from pix2pix_data.atomic import write_file
from pix2pix_data.console import ProgressLine
from pix2pix_data.dataset import EncodedPair, PairDataset, open_dataset
from pix2pix_data.errors import FormatError, ImageError, UsageError
from pix2pix_data.images import read_rgb, resize, write_png
from pix2pix_data.listing import keys_of, list_photos
from pix2pix_data.pair import Failed
from pix2pix_data.sheet import draw_sheet
from pix2pix_model.checkpoint import Model, ModelConfig
from pix2pix_model.color_space import COLOR_SPACES, ColorSpace
from pix2pix_model.device import Device
from pix2pix_model.recipe import sides_read

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB

__all__ = ["Job", "Source", "Translated", "find_inputs", "run_generator", "translate"]

_MAX_PIXELS = 1 << 23  # 8 megapixels: the U-Net's activations take about 2 GB then
_BATCH_PIXELS = 1 << 19
_NUM_ON_SHEET = 12


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to translate.

    Attributes
    ----------
    key : str
        Names the output: `key`.png below the output folder.
    path : Path or None
        The picture's file; None for a pair of a dataset.
    """

    key: str
    path: Path | None


_Read: TypeAlias = "tuple[Job, RGB, RGB | None]"
"""A job with its condition and, from a dataset, its target."""


@dataclass(frozen=True, slots=True)
class Source:
    """What to translate, in order: files, or a split of a paired dataset, whose targets go onto the sheet."""

    jobs: tuple[Job, ...]
    dataset: PairDataset | None = None
    split: str = ""


@dataclass(frozen=True, slots=True)
class Translated:
    """How it ended."""

    num_pictures: int
    failures: tuple[Failed, ...]
    sheet: Path


def find_inputs(paths: Sequence[Path], *, split: str | None = None) -> Source:
    """Find what to translate.

    Parameters
    ----------
    paths : sequence of Path
        Files and folders of pictures, or one paired dataset.
    split : str, optional
        Split of the dataset; without it test, else validation, else train.

    Raises
    ------
    FormatError
        If there is no picture, or no such split.
    """
    if len(paths) == 1 and _is_dataset(paths[0]):
        dataset = open_dataset(paths[0])
        split = split or next(name for name in ("test", "validation", "train") if name in dataset.num_pairs)
        keys = dataset.keys(split)
        return Source(tuple(Job(key, None) for key in keys), dataset, split)
    if split is not None:
        raise UsageError("only a paired dataset has splits", where=paths[0], fix="leave out --split")
    jobs = []
    for path in paths:
        if path.is_file():
            jobs.append(Job(path.stem, path))
        else:
            photos = list_photos(path).photos
            jobs += [Job(key, photo) for key, photo in zip(keys_of(photos, path), photos, strict=True)]
    seen: dict[str, Path | None] = {}
    for job in jobs:
        if job.key in seen:
            raise FormatError(
                f"two pictures would both become {job.key}.png: {seen[job.key]} and", where=job.path, fix="rename one"
            )
        seen[job.key] = job.path
    return Source(tuple(jobs))


def _is_dataset(path: Path) -> bool:
    """Tell a paired dataset from a folder of pictures that happens to have a folder train/ in it."""
    if (path / "build.json").is_file():
        return True
    try:
        return open_dataset(path).doubt is None
    except FormatError:
        return False


def translate(model: Model, source: Source, out: Path, *, device: Device, size_px: int | None = None) -> Translated:
    """Translate pictures, write each as PNG, and draw the sheet A | G(A) | B.

    Parameters
    ----------
    model : Model
    source : Source
    out : Path
        Output folder.
    device : Device
    size_px : int or None
        Length of the shorter side that pictures are brought to; None keeps their size.

    Returns
    -------
    Translated
        With the pictures that failed; they are in failures.jsonl too.
    """
    generator = model.generator.to(device.torch_device)
    space = COLOR_SPACES[model.config.color_space]
    sheet = out / ("sheet.png" if all(job.key != "sheet" for job in source.jobs) else "comparison-sheet.png")
    on_sheet = {source.jobs[i * len(source.jobs) // _NUM_ON_SHEET].key for i in range(_NUM_ON_SHEET)}
    groups: list[list[RGB]] = []
    captions: list[str] = []
    failures: list[Failed] = []
    with ProgressLine("Translating", len(source.jobs), unit="pictures") as progress:
        for batch in _batches(_read(source, model.config, size_px, failures)):
            made = run_generator(generator, space, [given for _, given, _ in batch], device)
            for (job, given, target), picture in zip(batch, made, strict=True):
                write_png(out / f"{job.key}.png", picture)
                if job.key in on_sheet:
                    seen = space.seen(torch.from_numpy(given)[None])[0].numpy()
                    groups.append([side for side in (seen, picture, target) if side is not None])
                    captions.append(job.key)
            progress.advance(len(batch))
    if groups:
        titles = ["A", "G(A)", "B"] if model.config.direction == "AtoB" else ["B", "G(B)", "A"]
        write_png(sheet, draw_sheet(groups, titles[: len(groups[0])], captions))
    write_file(out / "failures.jsonl", "".join(failed.to_line() for failed in failures))
    return Translated(len(source.jobs) - len(failures), tuple(failures), sheet)


@torch.inference_mode()
def run_generator(generator: torch.nn.Module, space: ColorSpace, pictures: Sequence[RGB], device: Device) -> list[RGB]:
    """Run a generator on pictures of one size: mirrored at their border up to its multiple, cut back after.

    Parameters
    ----------
    generator : nn.Module
        In eval mode, on the device; its `multiple_px` and `smallest_px` say what sides it takes.
    space : ColorSpace
        What it sees of the pictures.
    pictures : sequence of ndarray of shape (H, W, 3), uint8
    device : Device

    Returns
    -------
    list of ndarray of shape (H, W, 3), uint8
    """
    height, width = pictures[0].shape[:2]
    multiple_px, smallest_px = int(generator.multiple_px), int(generator.smallest_px)  # type: ignore[arg-type]
    down, right = (max(-side % multiple_px, smallest_px - side) for side in (height, width))
    top, left = down // 2, right // 2
    padded = [
        cv2.copyMakeBorder(picture, top, down - top, left, right - left, cv2.BORDER_REFLECT_101) for picture in pictures
    ]
    given = space.given(torch.from_numpy(np.stack(padded).astype(np.uint8, copy=False)).to(device.torch_device))
    with device.autocast():
        made = generator(given)  # (N, out_channels, H, W)
    pixels = space.picture(given, made).cpu().numpy()
    return [np.ascontiguousarray(one[top : top + height, left : left + width]) for one in pixels]


def _batches(read: Iterable[_Read]) -> Iterator[list[_Read]]:
    """Gather neighbours of one size, as many as memory takes easily."""
    batch: list[_Read] = []
    for job, given, target in read:
        full = (len(batch) + 1) * given.shape[0] * given.shape[1] > _BATCH_PIXELS
        if batch and (full or given.shape != batch[0][1].shape):
            yield batch
            batch = []
        batch.append((job, given, target))
    if batch:
        yield batch


def _check_key(key: str) -> None:
    """Refuse a key that leads out of the output folder: those of a dataset made by others may be anything."""
    if PurePath(key).is_absolute() or ".." in PurePath(key).parts:
        raise ImageError("this key leads out of the output folder", where=key)


def _read(source: Source, config: ModelConfig, size_px: int | None, failures: list[Failed]) -> Iterator[_Read]:
    """Read the condition of each job and, from a dataset, its target; what cannot be used goes to `failures`."""
    encoded = None if source.dataset is None else source.dataset.encoded_pairs(source.split)
    for job in source.jobs:
        try:
            _check_key(job.key)
            sides = _sides(job, encoded, config)
            given, target = (None if side is None else _to_size(side, size_px) for side in sides)
            assert given is not None
            height, width = given.shape[:2]
            if height * width > _MAX_PIXELS:
                raise ImageError(f"{width}x{height} pixels are more than {_MAX_PIXELS:,}: give --size a number")
        except ImageError as error:
            failures.append(Failed(job.key, str(job.path or job.key), str(error)))
        else:
            yield job, given, target


def _sides(job: Job, encoded: Iterator[EncodedPair] | None, config: ModelConfig) -> tuple[RGB, RGB | None]:
    if encoded is None:
        assert job.path is not None
        return read_rgb(job.path), None
    pair = next(encoded).decode()
    sides = [{"A": pair.a, "B": pair.b}[side] for side in sides_read(config.direction, config.color_space)]
    return sides[0], sides[-1]


def _to_size(picture: RGB, size_px: int | None) -> RGB:
    if size_px is None:
        return picture
    height, width = picture.shape[:2]
    scale = size_px / min(height, width)
    return resize(picture, max(1, round(width * scale)), max(1, round(height * scale)))
