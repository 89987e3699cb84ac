"""A trained model put to use: pictures in, pictures out, and one sheet to compare them on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from pix2pix_data.atomic import write_file
from pix2pix_data.channels import encode_channels
from pix2pix_data.console import ProgressLine
from pix2pix_data.errors import ImageError
from pix2pix_data.images import encode_png
from pix2pix_data.pair import Failed
from pix2pix_data.sheet import draw_sheet
from pix2pix_model.checkpoint import Model
from pix2pix_model.device import Device
from pix2pix_model.inputs import Job, Source, check_further, find_inputs, read_rows
from pix2pix_model.pair_reader import Row, same_shape
from pix2pix_model.sides import Sides
from pix2pix_model.views import View, Views, to_array, to_tensor, views_of

if TYPE_CHECKING:
    from pix2pix_data.channels import Pixels
    from pix2pix_data.pair import RGB

__all__ = ["Job", "Source", "Translated", "encode_picture", "find_inputs", "read_jobs", "run_generator", "translate"]

_MAX_PIXELS = 1 << 23  # 8 megapixels: the U-Net's activations take about 2 GB then
_BATCH_PIXELS = 1 << 19
_NUM_ON_SHEET = 12

_Read: TypeAlias = "tuple[Job, list[Pixels], Pixels | None]"
"""A job with what its views store of its inputs and, from a dataset, of its target."""


@dataclass(frozen=True, slots=True)
class Translated:
    """How it ended."""

    num_pictures: int
    failures: tuple[Failed, ...]
    sheet: Path


def translate(model: Model, source: Source, out: Path, *, device: Device, size_px: int | None = None) -> Translated:
    """Translate pictures, write each as PNG, and draw the sheet A | G(A) | B.

    Parameters
    ----------
    model : Model
    source : Source
    out : Path
        Output folder. The PNGs have the channels and bits of the side that the model makes.
    device : Device
    size_px : int or None
        Length of the shorter side that pictures are brought to; None keeps their size.

    Returns
    -------
    Translated
        With the pictures that failed; they are in failures.jsonl too.

    Raises
    ------
    UsageError
        If the model is given another number of pictures.
    """
    sides = model.config.sides
    check_further(sides, source)
    generator, views = model.generator.to(device.torch_device), views_of(sides)
    sheet = out / ("sheet.png" if all(job.key != "sheet" for job in source.jobs) else "comparison-sheet.png")
    on_sheet = {source.jobs[i * len(source.jobs) // _NUM_ON_SHEET].key for i in range(_NUM_ON_SHEET)}
    groups: list[list[RGB]] = []
    captions: list[str] = []
    failures: list[Failed] = []
    with ProgressLine("Translating", len(source.jobs), unit="pictures") as progress:
        for batch in _batches(read_jobs(source, sides, views, size_px, failures)):
            made = run_generator(generator, views, [given for _, given, _ in batch], device)
            for (job, given, target), picture in zip(batch, made, strict=True):
                write_file(out / f"{job.key}.png", encode_picture(views.target, picture))
                if job.key in on_sheet:
                    shown = [*zip(views.inputs, given, strict=True), (views.target, picture), (views.target, target)]
                    groups.append([_shown(view, stored) for view, stored in shown if stored is not None])
                    captions.append(job.key)
            progress.advance(len(batch))
    if groups:
        write_file(sheet, encode_png(draw_sheet(groups, sides.titles[: len(groups[0])], captions)))
    write_file(out / "failures.jsonl", "".join(failed.to_line() for failed in failures))
    return Translated(len(source.jobs) - len(failures), tuple(failures), sheet)


@torch.inference_mode()
def run_generator(
    generator: torch.nn.Module, views: Views, pictures: Sequence[Sequence[Pixels]], device: Device
) -> list[Pixels]:
    """Run a generator on pictures of one size: mirrored at their border up to its multiple, cut back after.

    Parameters
    ----------
    generator : nn.Module
        In eval mode, on the device; its `multiple_px` and `smallest_px` say what sides it takes.
    views : Views
        How it sees the pictures.
    pictures : sequence of sequence of ndarray of shape (H, W, C)
        For each picture its inputs, as their views store them.
    device : Device
        Where 16 bits are made, it computes in float32 all the same: half the bits of a float are no 16.

    Returns
    -------
    list of ndarray of shape (H, W, C)
        What was made of each, as the view of the target stores it.
    """
    height, width = pictures[0][0].shape[:2]
    multiple_px, smallest_px = int(generator.multiple_px), int(generator.smallest_px)  # type: ignore[arg-type]
    down, right = (max(-side % multiple_px, smallest_px - side) for side in (height, width))
    top, left = down // 2, right // 2
    around = ((0, 0), (top, down - top), (left, right - left), (0, 0))
    stacked = [np.pad(np.stack(one), around, mode="reflect") for one in zip(*pictures, strict=True)]
    given = views.given([to_tensor(one).to(device.torch_device) for one in stacked])
    is_deep = views.target.dtype.itemsize > 1
    with nullcontext() if is_deep else device.autocast():
        seen = generator(given)  # (N, out_channels, H, W)
    made = to_array(views.target.made(seen, given))
    return [np.ascontiguousarray(one[top : top + height, left : left + width]) for one in made]


def encode_picture(view: View, stored: Pixels) -> bytes:
    """Encode what was made as PNG, with the channels and bits that it has."""
    pixels = to_array(view.picture(to_tensor(stored[None])))[0]
    return encode_png(pixels) if pixels.shape[2] == 3 and pixels.dtype == np.uint8 else encode_channels(pixels)


def _shown(view: View, stored: Pixels) -> RGB:
    return view.shown(to_tensor(stored[None]))[0].numpy()


def _batches(read: Iterable[_Read]) -> Iterator[list[_Read]]:
    """Gather neighbours of one size, as many as memory takes easily."""
    batch: list[_Read] = []
    for job, given, target in read:
        height, width = given[0].shape[:2]
        full = (len(batch) + 1) * height * width > _BATCH_PIXELS
        if batch and (full or (height, width) != batch[0][1][0].shape[:2]):
            yield batch
            batch = []
        batch.append((job, given, target))
    if batch:
        yield batch


def _check_key(key: str) -> None:
    """Refuse a key that leads out of the output folder: those of a dataset made by others may be anything."""
    if PurePath(key).is_absolute() or ".." in PurePath(key).parts:
        raise ImageError("this key leads out of the output folder", where=key)


def read_jobs(
    source: Source, sides: Sides, views: Views, size_px: int | None, failures: list[Failed]
) -> Iterator[_Read]:
    """Read the inputs of each job and, from a dataset, its target; what cannot be used goes to `failures`."""
    for job, row in read_rows(source):
        try:
            _check_key(job.key)
            if isinstance(row, ImageError):
                raise row
            given, target = _decoded(row, sides, views, has_target=source.dataset is not None)
            height, width = _size(given[0], size_px)
            stored = [
                view.resized(view.read(pixels), width, height)
                for view, pixels in zip((*views.inputs, views.target), (*given, *target), strict=False)
            ]
        except ImageError as error:
            failures.append(Failed(job.key, str(job.path or job.key), str(error)))
        else:
            yield job, stored[: len(given)], stored[-1] if target else None


def _decoded(row: Row, sides: Sides, views: Views, *, has_target: bool) -> tuple[list[Pixels], list[Pixels]]:
    """Decode the inputs and, where there is one, the target; ImageError if they differ in shape."""
    wanted = [(sides.inputs[0].side, views.inputs[0].file)]
    if has_target:
        wanted.append((sides.target.side, views.target.file))
    first, *target = row[0].decode_sides(*wanted)
    given = [first]
    for pair, spec, view in zip(row[1:], sides.inputs[1:], views.inputs[1:], strict=True):
        given += pair.decode_sides((spec.side, view.file))
        if not same_shape(given[-1].shape, first.shape):
            raise ImageError(f"it and {spec.title} differ in shape")
    return given, target


def _size(picture: Pixels, size_px: int | None) -> tuple[int, int]:
    """Return the height and width that a picture is translated at; ImageError if that is too large."""
    height, width = picture.shape[:2]
    if size_px is not None:
        scale = size_px / min(height, width)
        height, width = (max(1, round(side * scale)) for side in (height, width))
    if height * width > _MAX_PIXELS:
        raise ImageError(f"{width}x{height} pixels are more than {_MAX_PIXELS:,}: give --size a number")
    return height, width
