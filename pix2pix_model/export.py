"""A trained generator as one file for other programs, ONNX or torch.export, and the proof that it answers the same."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Literal, TypeAlias

import torch
import torch.fx.experimental._config
from torch import Tensor, nn

from pix2pix_data.atomic import write_file
from pix2pix_data.errors import CheckpointError, ImageError, UsageError
from pix2pix_data.pair import Failed
from pix2pix_model.checkpoint import Model
from pix2pix_model.inputs import Source
from pix2pix_model.job_reader import read_jobs
from pix2pix_model.nets import sides_taken
from pix2pix_model.onnx_file import to_onnx
from pix2pix_model.views import to_tensor, views_of

__all__ = ["HIGHEST_DIFFERENCE", "Difference", "ExportFormat", "InHalfPrecision", "export", "facts_of"]
__all__ += ["pictures_to_prove", "require_no_dropout", "sizes_to_prove"]

ExportFormat: TypeAlias = Literal["onnx", "pt2"]
_Run: TypeAlias = Callable[[Tensor], Tensor]

HIGHEST_DIFFERENCE = {"float32": 1e-4, "float16": 2e-2}
"""From the generator's own answers, whose range is [-1, 1]: 0.0001 is a hundredth of a grey level, 0.02 are two and a
half. The former is what the order of sums may do, the latter what half precision may."""

_LARGEST_PX = 1 << 14


@dataclass(frozen=True, slots=True)
class Difference:
    """How far an exported file's answer is from the generator's, for one picture.

    Attributes
    ----------
    height, width : int
        Of the picture, in pixels.
    highest, mean : float
        Absolute, in the generator's range [-1, 1].
    """

    height: int
    width: int
    highest: float
    mean: float


class InHalfPrecision(nn.Module):
    """Computes in float16 between float32 pictures, so that a program need not know."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator.half()

    def forward(self, a: Tensor) -> Tensor:
        made: Tensor = self.generator(a.half())
        return made.float()


def export(model: Model, out: Path, pictures: Sequence[Tensor], *, to: ExportFormat, half: bool) -> list[Difference]:
    """Write a generator as one file, once it has been proved to give the generator's own answers.

    The file takes `a`, float32 (N, in_channels, H, W) in [-1, 1], and gives `b`, (N, out_channels, H, W); N, H and W
    may be anything, H and W multiples of the generator's. What config.json says is inside, test-time behaviour too.

    Parameters
    ----------
    model : Model
        As it is to behave; dropout must be off.
    out : Path
        The file.
    pictures : sequence of Tensor of shape (1, in_channels, H, W)
        What to prove it on.
    to : {"onnx", "pt2"}
    half : bool
        Compute in float16.

    Returns
    -------
    list of Difference
        One for each picture.

    Raises
    ------
    UsageError
        If the model draws dropout: no two answers would be the same.
    CheckpointError
        If an answer is farther from the generator's than `HIGHEST_DIFFERENCE`; nothing is written then.
    MissingExtraError
        If onnx or onnxscript is missing.
    """
    require_no_dropout(model)
    with torch.no_grad():
        expected = [model.generator(picture) for picture in pictures]
    beside = out.with_name(f".{out.name}.part")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        run = (_write_onnx if to == "onnx" else _write_pt2)(model, beside, half=half)
        differences = [_difference(run(given), own) for given, own in zip(pictures, expected, strict=True)]
        bound = HIGHEST_DIFFERENCE["float16" if half else "float32"]
        # Not "above the bound": an answer that is no number is no answer.
        if wrong := [one for one in differences if not one.highest <= bound]:
            told = ", ".join(f"{one.width}x{one.height}: {one.highest:.2g}" for one in wrong)
            raise CheckpointError(
                f"the exported file answers otherwise than the model, by more than {bound}: {told}",
                fix="leave out --half, or choose another --to; the model itself is untouched",
            )
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
    return differences


def require_no_dropout(model: Model) -> None:
    """Raise UsageError if a model draws dropout."""
    if model.config.test_time.dropout:
        raise UsageError("a model that draws dropout cannot be exported", where=model.path, fix="give --no-dropout")


def facts_of(model: Model, *, half: bool) -> dict[str, str]:
    """Return what an exported file says of itself, in words and, under "p2p", as config.json."""
    return {
        "name": model.config.name,
        "precision": "float16" if half else "float32",
        "test_time": model.config.test_time.in_words(),
        "p2p": model.config.model_dump_json(),
    }


def sizes_to_prove(model: Model) -> list[tuple[int, int]]:
    """Return the sizes to prove an export on, as (height, width): that of the training, a larger and a narrow one."""
    multiple, smallest = sides_taken(model.generator)
    side = model.config.crop_size.shorter
    narrow = max(smallest, side // 2 // multiple * multiple)
    wide = -(-3 * side // 2 // multiple) * multiple
    return [(side, side), (side, wide), (wide + multiple, narrow)]


def pictures_to_prove(model: Model, source: Source | None) -> list[Tensor]:
    """Return pictures to prove an export on, one of each size of `sizes_to_prove`.

    Parameters
    ----------
    model : Model
    source : Source or None
        Its first pictures are taken; None draws noise.

    Returns
    -------
    list of Tensor of shape (1, in_channels, H, W)

    Raises
    ------
    ImageError
        If none of the first pictures can be read.
    """
    sizes = sizes_to_prove(model)
    if source is None:
        generator = torch.Generator().manual_seed(0)
        return [torch.rand(1, model.config.spec.in_channels, *size, generator=generator) * 2 - 1 for size in sizes]
    views, failures = views_of(model.config.sides), list[Failed]()
    jobs = read_jobs(source, model.config.sides, views, model.config.crop_size.shorter, failures)
    read = [one.given for one in islice(jobs, len(sizes))]
    if not read:
        raise ImageError(failures[0].reason, where=failures[0].source)
    pictures = []
    for (height, width), inputs in zip(sizes, cycle(read), strict=False):
        resized = [view.resized(one, width, height) for view, one in zip(views.inputs, inputs, strict=True)]
        pictures.append(views.given([to_tensor(one[None]) for one in resized]))
    return pictures


def _difference(made: Tensor, own: Tensor) -> Difference:
    apart = (made.float() - own.float()).abs()
    height, width = own.shape[-2:]
    return Difference(height, width, float(apart.max()), float(apart.mean()))


# --- the two formats ----------------------------------------------------------------------------------------------


def _write_pt2(model: Model, path: Path, *, half: bool) -> _Run:
    program = _program(model, half=half)
    with path.open("wb") as file:
        torch.export.save(program, file, extra_files={"config.json": model.config.model_dump_json()})
    with path.open("rb") as file:
        loaded = torch.export.load(file).module()
    return lambda a: loaded(a)


def _write_onnx(model: Model, path: Path, *, half: bool) -> _Run:
    import onnxruntime

    spec = model.config.spec
    facts = facts_of(model, half=half) | {
        "a": f"what it is given, float32 (N, {spec.in_channels}, H, W) in [-1, 1]",
        "b": f"what it makes, float32 (N, {spec.out_channels}, H, W) in [-1, 1]",
        "multiple_px": str(sides_taken(model.generator).multiple_px),
    }
    content = to_onnx(partial(_program, model, half=half), takes="a", gives="b", facts=facts)
    write_file(path, content)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda a: torch.from_numpy(session.run(None, {"a": a.numpy()})[0])


def _program(model: Model, *, half: bool) -> torch.export.ExportedProgram:
    """Trace the generator for any number of pictures of any size that it takes."""
    multiple, smallest = sides_taken(model.generator)
    least = -(-smallest // multiple)
    height, width = (multiple * torch.export.Dim(side, min=least, max=_LARGEST_PX // multiple) for side in ("h", "w"))
    network = InHalfPrecision(copy.deepcopy(model.generator)) if half else model.generator
    example = torch.zeros(2, model.config.spec.in_channels, multiple * (least + 1), multiple * (least + 2))
    shapes = ({0: torch.export.Dim("n"), 2: height, 3: width},)
    # At the size of the training a U-Net's bottleneck is one pixel; the tracer would hold that case to be another
    # program, and leave it out.
    with torch.fx.experimental._config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        return torch.export.export(network.eval(), (example,), dynamic_shapes=shapes)
