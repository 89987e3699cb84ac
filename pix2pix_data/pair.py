"""The records that flow through everything: a plan for a pair, the pair, or the reason why there is none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pix2pix_data.errors import ImageError

if TYPE_CHECKING:  # numpy stays out of every `--help`
    import numpy as np
    import numpy.typing as npt

    RGB: TypeAlias = npt.NDArray[np.uint8]  # (H, W, 3), sRGB
    FloatMap: TypeAlias = npt.NDArray[np.float32]  # (H, W)
    BoolMap: TypeAlias = npt.NDArray[np.bool_]  # (H, W)
    LabelMap: TypeAlias = npt.NDArray[np.uint8]  # (H, W), indices into a palette

__all__ = ["SPLITS", "SPLIT_FOLDERS", "Failed", "Other", "Pair", "PairPlan", "Unused"]

SPLITS = ("train", "validation", "test")
SPLIT_FOLDERS = {"train": ("train",), "validation": ("validation", "val", "valid", "eval"), "test": ("test",)}
"""How the folder of each split is called, in published sets."""


@dataclass(frozen=True, slots=True)
class PairPlan:
    """What will be made: cheap, picklable, no pixels.

    Attributes
    ----------
    key : str
        Unique in a dataset: the path below the source folder without its suffix, with forward slashes.
    sources : tuple of str
        Files that the pair is made from, in the maker's order.
    group : str
        Pairs of one group never straddle a split.
    """

    key: str
    sources: tuple[str, ...]
    group: str


@dataclass(frozen=True, slots=True)
class Pair:
    """What was made: `a` is the condition, `b` the target, of one height and width.

    Attributes
    ----------
    key, group : str
        As in the plan.
    a, b : ndarray of shape (H, W, 3), uint8
        sRGB pixels.
    a_file, b_file : bytes or None
        The side's own PNG or JPEG file, where it decodes to exactly `a` or `b` and carries nothing else but bits and
        transparency that are to be kept.

    Raises
    ------
    ImageError
        If the two sides differ in height or width, or are not (H, W, 3).
    """

    key: str
    a: RGB
    b: RGB
    group: str
    b_file: bytes | None = None
    a_file: bytes | None = None

    def __post_init__(self) -> None:
        for side, image in (("A", self.a), ("B", self.b)):
            if image.ndim != 3 or image.shape[2] != 3 or image.dtype != "uint8":
                raise ImageError(f"side {side} is {image.dtype} {image.shape}, not uint8 (H, W, 3)", where=self.key)
        if self.a.shape != self.b.shape:
            raise ImageError(f"A is {_size(self.a)} and B is {_size(self.b)}", where=self.key)


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a plan gave no pair: one line of failures.jsonl."""

    key: str
    source: str
    reason: str

    def to_line(self) -> str:
        """Write the line of failures.jsonl, with its end."""
        return json.dumps({"key": self.key, "source": self.source, "reason": self.reason}) + "\n"


@dataclass(frozen=True, slots=True)
class Unused(Failed):
    """Why a sound photo is left out, such as dusk between day and night; listed like a failure, not counted as one."""


@dataclass(frozen=True, slots=True)
class Other:
    """A file beside the photos that is no picture: told in the summary, not counted as failed."""

    source: str


def _size(image: RGB) -> str:
    return f"{image.shape[1]}x{image.shape[0]} pixels"
