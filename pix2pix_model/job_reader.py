"""The pictures of each job as a generator is given them: decoded, prepared, brought to a size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal, TypeAlias

from pix2pix_data.channels import decode_channels
from pix2pix_data.errors import ImageError, UsageError
from pix2pix_data.images import decode_rgb, encode_png, open_picture
from pix2pix_data.pair import Failed
from pix2pix_data.redraw import clean_drawing, side_of_photo
from pix2pix_data.side_facts import SideFacts
from pix2pix_model.checkpoint import ModelConfig
from pix2pix_model.inputs import Job, Source, read_rows
from pix2pix_model.pair_reader import Row, same_shape
from pix2pix_model.sides import Sides
from pix2pix_model.views import Views

if TYPE_CHECKING:
    from pix2pix_data.channels import Pixels

__all__ = ["Preparation", "Read", "check_preparation", "read_jobs"]

Preparation: TypeAlias = Literal["photo", "drawing"]


@dataclass(frozen=True, slots=True)
class Read:
    """A job with its pictures.

    Attributes
    ----------
    job : Job
    given : list of ndarray of shape (H, W, C)
        What the views of the inputs store, at the size that is translated.
    target : ndarray or None
        The same of the target, from a dataset.
    size : (int, int)
        Height and width of the first input as it came, upright.
    encoded : bytes
        The file of the first input.
    """

    job: Job
    given: list[Pixels]
    target: Pixels | None
    size: tuple[int, int]
    encoded: bytes

    def alpha(self) -> Pixels | None:
        """Return the transparency of the first input, (*size, 1) of 8 bits; None where it has none."""
        if self.target is not None:  # sides of a pair have none of their own
            return None
        with open_picture(self.encoded) as image:
            if not image.has_transparency_data:
                return None
        return decode_channels(self.encoded, "rgba")[:, :, 3:]


def check_preparation(config: ModelConfig, source: Source) -> SideFacts:
    """Return what a model's input holds, to prepare pictures by.

    Raises
    ------
    UsageError
        If the model does not say it, is given several pictures, or the pictures are those of a dataset.
    """
    if source.dataset is not None:
        raise UsageError("the pictures of a dataset are prepared already", fix="leave out --from")
    if len(config.sides.inputs) > 1:
        raise UsageError("a model of several inputs cannot prepare them", fix="prepare them, and leave out --from")
    if config.given is None:
        raise UsageError(
            "this model does not say what its pictures hold, so none can be prepared for it",
            where=config.name,
            fix="make them with p2p-data as for the training, and leave out --from",
        )
    return config.given


def read_jobs(
    source: Source,
    sides: Sides,
    views: Views,
    size_px: int | None,
    failures: list[Failed],
    *,
    prepare: Preparation | None = None,
    facts: SideFacts | None = None,
) -> Iterator[Read]:
    """Read the inputs of each job and, from a dataset, its target; what cannot be used goes to `failures`.

    Parameters
    ----------
    source : Source
    sides : Sides
    views : Views
        Of these sides.
    size_px : int or None
        Length of the shorter side that pictures are brought to; None keeps their size.
    failures : list of Failed
    prepare : {"photo", "drawing"}, optional
        Make of each picture what the model is given.
    facts : SideFacts, optional
        Needed with `prepare`.
    """
    for job, row in read_rows(source):
        try:
            _check_key(job.key)
            if isinstance(row, ImageError):
                raise row
            given, target = _decoded(row, sides, views, has_target=source.dataset is not None)
            size = given[0].shape[0], given[0].shape[1]
            height, width = _size(*size, size_px)
            if prepare is not None and facts is not None:
                given[0] = _prepared(row[0].a, facts, prepare, width, height, views)
            stored = [
                view.resized(view.read(pixels), width, height)
                for view, pixels in zip((*views.inputs, views.target), (*given, *target), strict=False)
            ]
        except ImageError as error:
            failures.append(Failed(job.key, str(job.path or job.key), str(error)))
        else:
            yield Read(job, stored[: len(given)], stored[-1] if target else None, size, row[0].a)


def _check_key(key: str) -> None:
    """Refuse a key that leads out of the output folder: those of a dataset made by others may be anything."""
    if PurePath(key).is_absolute() or ".." in PurePath(key).parts:
        raise ImageError("this key leads out of the output folder", where=key)


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


def _prepared(encoded: bytes, facts: SideFacts, prepare: Preparation, width: int, height: int, views: Views) -> Pixels:
    made_of = {"photo": side_of_photo, "drawing": clean_drawing}[prepare]
    prepared = made_of(facts, decode_rgb(encoded), width, height)
    file = views.inputs[0].file
    return prepared if file == "rgb" else decode_channels(encode_png(prepared), file)


def _size(height: int, width: int, size_px: int | None) -> tuple[int, int]:
    """Return the height and width that a picture is translated at."""
    if size_px is None:
        return height, width
    scale = size_px / min(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))
