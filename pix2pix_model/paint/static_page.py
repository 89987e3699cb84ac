"""The painting page as a folder of files, with the model inside: it runs in the browser, and no server computes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from pix2pix_data.atomic import write_file, write_json
from pix2pix_data.errors import CheckpointError
from pix2pix_data.images import write_png
from pix2pix_data.new_folder import new_folder
from pix2pix_data.redraw import maker_of, snap
from pix2pix_model.checkpoint import Model
from pix2pix_model.device import choose_device
from pix2pix_model.export import InHalfPrecision, facts_of, require_no_dropout
from pix2pix_model.onnx_file import to_onnx
from pix2pix_model.paint.browser_runtime import TESTED, Runtime
from pix2pix_model.paint.drawing_program import DrawingProgram
from pix2pix_model.paint.painter import Painter, Source
from pix2pix_model.paint.server import page_files

if TYPE_CHECKING:
    from pix2pix_data.dataset import PairDataset
    from pix2pix_data.pair import RGB

__all__ = ["HIGHEST_LEVELS", "LOWEST_SHARE", "Likeness", "write_static_page"]

HIGHEST_LEVELS = {"float32": 1, "float16": 3}
"""Grey levels by which a pixel may differ from PyTorch's: where rounding falls the other way, and what half precision
may do (`export.HIGHEST_DIFFERENCE`)."""
LOWEST_SHARE = 0.999
"""Of pixels that must hold to it. Not all: a class on the border between two becomes the other."""

_SERVED = {"index.html", "served.js", "server.js", "openapi.json"}
_SCRIPT = '<script src="assets/served.js" type="module"></script>'
_STATIC_HEAD = """\
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; \
form-action 'none'">
<script src="assets/opened_as_file.js" defer></script>
<script src="assets/static.js" type="module"></script>"""
"""frame-ancestors cannot be said in a page; the host may."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How far what the browser computes is from PyTorch's picture, for one drawing.

    Attributes
    ----------
    highest : int
        Grey levels, at the pixel that differs most.
    share : float
        Of the pixels that differ by `HIGHEST_LEVELS` or less, in [0, 1].
    """

    highest: int
    share: float


def write_static_page(
    model: Model, out: Path, runtime: Runtime, *, half: bool, like: PairDataset | None = None
) -> list[Likeness]:
    """Write the painting page of a model as a folder for any static host.

    The model inside takes the pixels of a drawing and gives those of the picture; it is run beside PyTorch first.

    Parameters
    ----------
    model : Model
        As it is to behave; dropout must be off.
    out : Path
        A new folder.
    runtime : Runtime
    half : bool
        Keep the weights in float16.
    like : PairDataset, optional
        A dataset of what the model is given, for a model that does not say it itself.

    Returns
    -------
    list of Likeness
        One for each drawing that it was proved on.

    Raises
    ------
    UsageError
        If the model draws dropout, or what it is given cannot be painted.
    CheckpointError
        If it answers otherwise than PyTorch; nothing is written then.
    BuildError
        If `out` holds anything.
    MissingExtraError
        If onnx or onnxscript is missing.
    """
    require_no_dropout(model)
    generator = copy.deepcopy(model.generator)  # a painter makes its own quicker, in ways that ONNX has not
    painter = Painter(model, choose_device("cpu"), like=like)
    content = _to_onnx(model, generator, half=half)
    likenesses = _prove(content, painter, half=half)
    with new_folder(out) as folder:
        write_file(folder / "model.onnx", content)
        write_json(folder / "model.json", _description(painter, len(content), len(runtime.program)))
        for number, example in enumerate(painter.examples):
            write_png(folder / "examples" / f"{number}.png", example)
        _write_page(folder, runtime)
        write_file(folder / "README.txt", _readme(model, runtime))
    return likenesses


# --- the model ----------------------------------------------------------------------------------------------------


def _to_onnx(model: Model, generator: torch.nn.Module, *, half: bool) -> bytes:
    program = DrawingProgram(generator, model.config)
    if half:
        program.generator = InHalfPrecision(generator)
    height, width = model.config.crop_size
    shape = f"uint8 (1, {height}, {width}, 4), RGBA"
    facts = facts_of(model, half=half) | {"drawing": f"what was painted, {shape}", "picture": f"what it makes, {shape}"}

    def traced() -> torch.export.ExportedProgram:
        return torch.export.export(program.eval(), (torch.zeros(1, height, width, 4, dtype=torch.uint8),))

    return to_onnx(traced, takes="drawing", gives="picture", facts=facts)


def _prove(content: bytes, painter: Painter, *, half: bool) -> list[Likeness]:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    bound = HIGHEST_LEVELS["float16" if half else "float32"]
    likenesses = []
    for drawing in painter.examples or [_noise(painter)]:
        opaque = np.dstack([drawing, np.full(drawing.shape[:2], 255, np.uint8)])[None]
        made = session.run(None, {"drawing": opaque})[0][0, :, :, :3]
        apart = np.abs(made.astype(np.int16) - painter.translate(drawing)[0]).max(axis=2)
        likenesses.append(Likeness(int(apart.max()), float((apart <= bound).mean())))
    if wrong := [one for one in likenesses if one.share < LOWEST_SHARE]:
        told = ", ".join(f"{1 - one.share:.2%} of the pixels, up to {one.highest}" for one in wrong)
        raise CheckpointError(
            f"in the browser the model would answer otherwise, by more than {bound} levels: {told}",
            fix="leave out --half; or serve it with p2p-model paint",
        )
    return likenesses


def _noise(painter: Painter) -> RGB:
    """Draw dots of all colours, where no example is kept with the model."""
    pixels = np.random.default_rng(0).integers(0, 256, (painter.height, painter.width, 3), np.uint8)
    return snap(painter.facts, pixels)


# --- the page -----------------------------------------------------------------------------------------------------


def _description(painter: Painter, model_bytes: int, runtime_bytes: int) -> dict[str, object]:
    """Say what the page has to know, and leave out what a browser cannot do alone."""
    return painter.description() | {
        "device": "browser",
        "sources": _sources(painter),
        "most_samples": 1,  # dropout is left out of the exported model
        "gray": painter.facts.settings.get("gray", "luma") if painter.facts.kind == "gray" else None,
        "bytes": {"model": model_bytes, "runtime": runtime_bytes},
    }


def _sources(painter: Painter) -> Sequence[Source]:
    """Say what an upload may be: makers do not run in the browser, nor does the cleaning of scanned lines."""
    match painter.facts.kind:
        case "lines":
            return ()
        case "gray":
            return ("photo",)
        case "photo" if maker_of(painter.facts) is None:
            return ("photo",)
    return ("drawing",)


def _write_page(folder: Path, runtime: Runtime) -> None:
    page = page_files()
    index = page["index.html"][0].decode()
    assert index.count(_SCRIPT) == 1
    write_file(folder / "index.html", index.replace(_SCRIPT, _STATIC_HEAD))
    assets = {name: content for name, (content, _) in page.items() if name not in _SERVED}
    assets |= {one.name: one.read_bytes() for one in (files("pix2pix_model.paint") / "web").iterdir()}
    assets["LICENSE-konva"] = (files("pix2pix_model.paint") / "vendor" / "LICENSE-konva").read_bytes()
    # Named .js: some hosts know no .mjs, and a browser runs no script of an unknown type.
    assets |= {"onnxruntime.js": runtime.script, "onnxruntime.wasm": runtime.program}
    for name, content in assets.items():
        write_file(folder / "assets" / name, content)


def _readme(model: Model, runtime: Runtime) -> str:
    return f"""\
{model.config.name}: a page to paint on. The model runs in the browser; nothing that is painted leaves it.

Put this folder on any web server or static host, at any path. To try it here:

    python -m http.server --bind 127.0.0.1 8000

in this folder, then open http://127.0.0.1:8000/. A page that is opened as a file may not load a model.

Model: {model.config.sides.words}, step {model.config.steps}; {model.config.test_time.in_words()}.
Mind the terms of the pictures that it was trained on.

Made of
  the page: p2p (pix2pix-kit), Apache-2.0, https://www.apache.org/licenses/LICENSE-2.0
  Konva: MIT, assets/LICENSE-konva
  ONNX Runtime Web {runtime.version}: MIT, assets/LICENSE-onnxruntime{_untested(runtime)}
"""


def _untested(runtime: Runtime) -> str:
    return "" if runtime.version == TESTED.version else f" (the page was tested with {TESTED.version})"
