"""A trained model put to use: pictures in, pictures out, and one sheet to compare them on."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from pix2pix_data.atomic import write_file
from pix2pix_data.console import ProgressLine, say
from pix2pix_data.errors import ImageError, UsageError
from pix2pix_data.images import encode_png
from pix2pix_data.pair import Failed
from pix2pix_data.sheet import draw_sheet, to_cell
from pix2pix_model.checkpoint import Model
from pix2pix_model.device import Device
from pix2pix_model.generation import padded_size, run_generator, run_in_tiles
from pix2pix_model.inputs import Job, Source, check_further, find_inputs
from pix2pix_model.job_reader import Preparation, Read, check_preparation, read_jobs
from pix2pix_model.outputs import PictureFormat, check_format, encode_picture
from pix2pix_model.tiles import most_pixels, plan_tiles
from pix2pix_model.views import View, to_tensor, views_of

if TYPE_CHECKING:
    from pix2pix_data.channels import Pixels
    from pix2pix_data.pair import RGB

__all__ = [
    "Job",
    "Options",
    "Source",
    "Translated",
    "Translator",
    "encode_picture",
    "find_inputs",
    "read_jobs",
    "run_generator",
    "translate",
]

_BATCH_PIXELS = 1 << 19
_NUM_ON_SHEET = 12


@dataclass(frozen=True, slots=True)
class Options:
    """How pictures are translated.

    Attributes
    ----------
    size_px : int or None
        Length of the shorter side that pictures are brought to; None keeps their size.
    as_made : bool
        Leave results at the size that they were made at; else each is brought back to the size of its input.
    tile_px : int or None
        Side of tiles, 0 for none; None takes tiles where a picture is too large for memory.
    file_format : {"png", "jpg", "webp"}
    prepare : {"photo", "drawing"} or None
        Make of each picture what the model is given.
    num_samples : int
        Results of each picture; more than one need dropout.
    seed : int
        Together with a picture's key and the number of its sample it decides what dropout draws.
    """

    size_px: int | None = None
    as_made: bool = False
    tile_px: int | None = None
    file_format: PictureFormat = "png"
    prepare: Preparation | None = None
    num_samples: int = 1
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Translated:
    """How it ended."""

    num_pictures: int
    failures: tuple[Failed, ...]
    sheet: Path


class Translator:
    """A model at work.

    Parameters
    ----------
    model : Model
        Its generator is moved to the device, where that is the CPU with layers that are quicker for one picture.
    device : Device
    options : Options, optional

    Raises
    ------
    UsageError
        If the model cannot do what the options ask for.
    """

    def __init__(self, model: Model, device: Device, options: Options = Options()) -> None:
        self.config, self.options, self.device = model.config, options, device
        self.generator = model.generator.to(device.torch_device)
        self.views = views_of(model.config.sides)
        check_format(self.views.target, options.file_format)
        self._has_dropout = any(
            isinstance(module, nn.Dropout) and module.training and module.p > 0 for module in self.generator.modules()
        )
        if options.num_samples > 1 and not self._has_dropout:
            raise UsageError("without dropout all samples of a picture are the same", fix="add --dropout")

    @cached_property
    def most_pixels(self) -> int:
        """Pixels of a picture that fit into memory at once."""
        return most_pixels(self.generator, self.config.spec.in_channels)

    def read(self, source: Source, failures: list[Failed], *, prepare: bool = True) -> Iterator[list[Read]]:
        """Read pictures in batches of one size, prepared as the options say, unless `prepare` is False.

        Raises
        ------
        UsageError
            If the model is given another number of pictures, or none can be prepared for it.
        """
        sides, how = self.config.sides, self.options.prepare if prepare else None
        check_further(sides, source)
        facts = None if how is None else check_preparation(self.config, source)
        jobs = read_jobs(source, sides, self.views, self.options.size_px, failures, prepare=how, facts=facts)
        return _batches(jobs)

    def samples(self, batch: Sequence[Read]) -> Iterator[list[Pixels]]:
        """Translate pictures of one size; for each its samples, as the view of the target stores them.

        Raises
        ------
        ImageError
            If memory does not suffice.
        """
        if not self._has_dropout:
            yield from ([made] for made in self._made(batch))
            return
        for read in batch:
            yield [self._drawn(read, number) for number in range(1, self.options.num_samples + 1)]

    def encode(self, read: Read, made: Pixels) -> bytes:
        """Make a picture file of a result: of the size of its input, and transparent where that is."""
        if not self.options.as_made:
            height, width = read.size
            made = self.views.target.resized(made, width, height)
        return encode_picture(self.views.target, made, self.options.file_format, alpha=read.alpha())

    def _drawn(self, read: Read, number: int) -> Pixels:
        """Translate with dropout that depends on nothing but the seed, the picture's key, and the number."""
        with torch.random.fork_rng():
            name = f"{self.options.seed}/{number}/{read.job.key}"
            torch.manual_seed(zlib.crc32(name.encode("utf-8", "surrogateescape")))
            return self._made([read])[0]

    def _made(self, batch: Sequence[Read]) -> list[Pixels]:
        height, width = padded_size(self.generator, *batch[0].given[0].shape[:2])
        tile_px = self.options.tile_px
        if tile_px is None:
            in_tiles = height * width > _BATCH_PIXELS and height * width > self.most_pixels
        else:
            in_tiles = 0 < tile_px < max(height, width)
        try:
            if not in_tiles:
                return run_generator(self.generator, self.views, [read.given for read in batch], self.device)
            tiling = plan_tiles(self.generator, height, width, most=self.most_pixels, tile_px=tile_px)
            say(f"{batch[0].job.key}: {width}x{height} px go through the network in {tiling.words}")
            return [run_in_tiles(self.generator, self.views, read.given, self.device, tiling=tiling) for read in batch]
        except RuntimeError as error:  # torch has no error of its own for it on a CPU
            if "memory" not in str(error):
                raise
            raise ImageError(f"memory does not suffice for {width}x{height} pixels; try --tile 1024") from error


def translate(translator: Translator, source: Source, out: Path) -> Translated:
    """Translate pictures, write each, and draw the sheet A | G(A) | B.

    Parameters
    ----------
    translator : Translator
    source : Source
    out : Path
        Output folder. Each picture has the name of its input; several samples of it are numbered from 1.

    Returns
    -------
    Translated
        With the pictures that failed; they are in failures.jsonl too.

    Raises
    ------
    UsageError
        If the model is given another number of pictures, or none can be prepared for it.
    """
    sheet = out / ("sheet.png" if all(job.key != "sheet" for job in source.jobs) else "comparison-sheet.png")
    on_sheet = {source.jobs[i * len(source.jobs) // _NUM_ON_SHEET].key for i in range(_NUM_ON_SHEET)}
    groups: list[list[RGB]] = []
    captions: list[str] = []
    failures: list[Failed] = []
    with ProgressLine("Translating", len(source.jobs), unit="pictures") as progress:
        for batch in translator.read(source, failures):
            for read, samples in _each(translator, batch, failures):
                try:
                    _write(translator, read, samples, out)
                except ImageError as error:
                    failures.append(_failed(read, error))
                    continue
                if read.job.key in on_sheet:
                    groups.append(_group(translator, read, samples[0]))
                    captions.append(read.job.key)
            progress.advance(len(batch))
    if groups:
        write_file(sheet, encode_png(draw_sheet(groups, translator.config.sides.titles[: len(groups[0])], captions)))
    write_file(out / "failures.jsonl", "".join(failed.to_line() for failed in failures))
    return Translated(len(source.jobs) - len(failures), tuple(failures), sheet)


def _each(translator: Translator, batch: Sequence[Read], failures: list[Failed]) -> Iterator[tuple[Read, list[Pixels]]]:
    """Translate a batch; where memory does not suffice for a picture, the others go on."""
    try:
        yield from zip(batch, translator.samples(batch), strict=True)
    except ImageError as error:
        failures.extend(_failed(read, error) for read in batch)


def _failed(read: Read, error: ImageError) -> Failed:
    return Failed(read.job.key, str(read.job.path or read.job.key), str(error))


def _write(translator: Translator, read: Read, samples: Sequence[Pixels], out: Path) -> None:
    for number, made in enumerate(samples, 1):
        numbered = f"-{number}" if len(samples) > 1 else ""
        path = out / f"{read.job.key}{numbered}.{translator.options.file_format}"
        write_file(path, translator.encode(read, made))


def _group(translator: Translator, read: Read, made: Pixels) -> list[RGB]:
    """Return what stands on the sheet: what was given, what was made, and the target where there is one."""
    views = translator.views
    shown = [*zip(views.inputs, read.given, strict=True), (views.target, made)]
    if read.target is not None:
        shown.append((views.target, read.target))
    return [to_cell(_shown(view, stored)) for view, stored in shown]


def _shown(view: View, stored: Pixels) -> RGB:
    return view.shown(to_tensor(stored[None]))[0].numpy()


def _batches(jobs: Iterable[Read]) -> Iterator[list[Read]]:
    """Gather neighbours of one size, as many as memory takes easily."""
    batch: list[Read] = []
    for read in jobs:
        height, width = read.given[0].shape[:2]
        full = (len(batch) + 1) * height * width > _BATCH_PIXELS
        if batch and (full or (height, width) != batch[0].given[0].shape[:2]):
            yield batch
            batch = []
        batch.append(read)
    if batch:
        yield batch
