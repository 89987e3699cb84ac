"""A model at the painter's service: what can be drawn for it, pictures made ready for it, and its translations."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import torch
from torch import nn

from pix2pix_data.channels import decode_channels
from pix2pix_data.errors import ImageError, UsageError
from pix2pix_data.images import decode_photo, decode_rgb, encode_png, open_picture, read_rgb
from pix2pix_data.redraw import clean_drawing, maker_of, side_of_photo, snap
from pix2pix_data.side_facts import NamedColor, SideFacts, side_facts
from pix2pix_model.checkpoint import EXAMPLES, Model
from pix2pix_model.examples import given_examples
from pix2pix_model.generation import run_generator
from pix2pix_model.sides import Sides
from pix2pix_model.test_time import set_test_time
from pix2pix_model.views import View, to_tensor, views_of

if TYPE_CHECKING:
    from pix2pix_data.channels import Pixels
    from pix2pix_data.dataset import PairDataset
    from pix2pix_data.pair import RGB
    from pix2pix_model.device import Device

__all__ = ["MOST_SAMPLES", "MOST_UPLOAD_PIXELS", "Painter", "Source", "as_data_url"]

Source: TypeAlias = Literal["photo", "drawing"]

MOST_SAMPLES = 9
MOST_UPLOAD_PIXELS = 50_000_000
"""A photo of a phone has up to 50 megapixels; decoded and turned it takes some 400 MB for a moment."""


class Painter:
    """A loaded model with what the page has to know of it.

    Parameters
    ----------
    model : Model
    device : Device
    like : PairDataset, optional
        A dataset of what the model is given, for a model that does not say it itself.

    Attributes
    ----------
    facts : SideFacts
        What the model is given.
    examples : list of ndarray of shape (height, width, 3), uint8
    """

    def __init__(self, model: Model, device: Device, *, like: PairDataset | None = None) -> None:
        self.config = model.config
        self.height, self.width = model.config.crop_size
        _check_drawable(model.config.sides)
        self._device = device
        self._generator = model.generator.to(device.torch_device)
        self._views = views_of(model.config.sides)
        self._dropouts = [layer for layer in self._generator.modules() if isinstance(layer, nn.Dropout) and layer.p > 0]
        self.facts = self._facts(like)
        if like is None:
            examples = [read_rgb(path) for path in sorted((model.path / EXAMPLES).glob("*.png"))]
        else:
            examples = given_examples(like, self.config.sides.inputs[0].side, self.config.crop_size)
        # A model that is given the lightness of photos keeps the photos.
        self.examples = [snap(self.facts, example) for example in examples]

    def _facts(self, like: PairDataset | None) -> SideFacts:
        spec = self.config.sides.inputs[0]
        if spec.view == "lightness":
            return SideFacts(kind="gray", maker="colorize", settings={"gray": "lightness"})
        if like is not None:
            return side_facts(like, spec.side)
        if self.config.given is None and spec.view == "classes":
            named = zip(spec.names, spec.colors, strict=True)
            return SideFacts(kind="segments", colors=tuple(NamedColor(name=name, color=color) for name, color in named))
        return self.config.given or SideFacts(kind="photo")

    def description(self) -> dict[str, object]:
        """Say what the page has to know, as JSON."""
        config = self.config
        return {
            "name": config.name,
            "task": config.sides.words,
            "dataset": config.data.name if config.data else None,
            "steps": config.steps,
            "version": config.version,
            "device": self._device.torch_device.type,
            "width": self.width,
            "height": self.height,
            "kind": self.facts.kind,
            "colors": [color.model_dump() for color in self.facts.colors],
            "line_px": self.facts.line_px,
            "sources": self.sources(),
            "examples": len(self.examples),
            "most_samples": self.most_samples,
        }

    @property
    def most_samples(self) -> int:
        """How many pictures may be asked for at once; 1 where there is no dropout to draw."""
        return MOST_SAMPLES if self._dropouts else 1

    def warm_up(self) -> None:
        """Translate a blank drawing, so that the first one of the user does not wait for what is set up once."""
        self.translate(np.full((self.height, self.width, 3), 255, np.uint8))

    def sources(self) -> list[Source]:
        """Say what an upload may be: a photo where a maker can do what it did for the dataset, a drawing."""
        if self.facts.kind in ("gray", "photo"):
            return ["photo"]
        return ["drawing", "photo"] if maker_of(self.facts) else ["drawing"]

    def prepare(self, content: bytes, source: Source) -> RGB:
        """Make of an uploaded file what the model is given.

        Raises
        ------
        ImageError, UsageError
            If it is no picture, too large a one, or of a kind that cannot be made use of.
        """
        _check_pixels(content, MOST_UPLOAD_PIXELS)
        picture = decode_photo(content, enough=(self.width, self.height)).rgb
        if source == "photo":
            ready = side_of_photo(self.facts, picture, self.width, self.height)
        else:
            ready = clean_drawing(self.facts, picture, self.width, self.height)
        return self.seen(ready)

    def seen(self, picture: RGB) -> RGB:
        """Return a picture as the model sees it."""
        return _shown(self._views.inputs[0], self._stored(picture))

    def _stored(self, picture: RGB) -> Pixels:
        """Bring a picture to the channels that the model sees."""
        view = self._views.inputs[0]
        return view.read(picture if view.file == "rgb" else decode_channels(encode_png(picture), view.file))

    def read_drawing(self, content: bytes) -> RGB:
        """Decode a drawing of the page, of exactly the model's size, and give each pixel a colour that it may have.

        Raises
        ------
        ImageError
            If it is no picture, or has another size.
        """
        _check_pixels(content, self.width * self.height)
        drawing = decode_rgb(content)
        height, width = drawing.shape[:2]
        if (height, width) != (self.height, self.width):
            raise ImageError(f"the drawing has {width}x{height} pixels, not {self.width}x{self.height}")
        return snap(self.facts, drawing)

    def translate(self, drawing: RGB, *, num_samples: int = 1) -> list[RGB]:
        """Translate a drawing.

        Parameters
        ----------
        drawing : ndarray of shape (height, width, 3), uint8
        num_samples : int
            1 is the model as it is used elsewhere, mostly without dropout; more are so many draws of dropout, the same
            ones each time.

        Returns
        -------
        list of ndarray of shape (height, width, 3), uint8

        Raises
        ------
        UsageError
            If more than one sample is asked of a model that has no dropout.
        """
        if num_samples > 1 and not self._dropouts:
            raise UsageError("this model has no dropout: all samples would be the same", fix="ask for one")
        if num_samples == 1 and not self.config.test_time.dropout:
            return self._run(drawing)
        made = []
        for seed in range(num_samples):
            with self._drawing_dropout(seed):
                made += self._run(drawing)
        return made

    def _run(self, drawing: RGB) -> list[RGB]:
        made = run_generator(self._generator, self._views, [[self._stored(drawing)]], self._device)
        return [_shown(self._views.target, picture) for picture in made]

    @contextmanager
    def _drawing_dropout(self, seed: int) -> Iterator[None]:
        device = self._device.torch_device
        with torch.random.fork_rng([device] if device.type == "cuda" else [], device_type="cuda"):
            torch.manual_seed(seed)
            set_test_time(self._generator, self.config.test_time.model_copy(update={"dropout": True}))
            try:
                yield
            finally:
                set_test_time(self._generator, self.config.test_time)


def as_data_url(picture: RGB) -> str:
    """Write a picture as a text that a page can show."""
    return f"data:image/png;base64,{base64.b64encode(encode_png(picture)).decode()}"


def _shown(view: View, stored: Pixels) -> RGB:
    return np.asarray(view.shown(to_tensor(stored[None]))[0].numpy(), np.uint8)


def _check_drawable(sides: Sides) -> None:
    """Refuse a model that is given more than one picture, or one with alpha: no page of ours paints these."""
    first = sides.inputs[0]
    if len(sides.inputs) > 1 or first.view in ("rgba", "rgba16"):
        given = " and ".join(spec.words for spec in sides.inputs)
        raise UsageError(f"this model is given {given}: that cannot be painted here", fix="use p2p-model translate")


def _check_pixels(content: bytes, most: int) -> None:
    """Refuse a picture by the size that it declares, before anything is decoded."""
    with open_picture(content) as image:
        if image.width * image.height > most:
            raise ImageError(f"the picture has {image.width}x{image.height} pixels, more than {most:,}")
