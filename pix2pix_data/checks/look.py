"""What is seen of one pair: small enough to keep for every pair of a large dataset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pix2pix_data.channels import decode_channels
from pix2pix_data.checks.alignment import Placing, Surfaces, correlate, placing_of, reduced
from pix2pix_data.checks.frames import frame_of
from pix2pix_data.checks.seam import SeamSums, columns_in_blocks, seam_sums
from pix2pix_data.checks.sides import BLANK_LEVELS, SideLook, look_at_side
from pix2pix_data.errors import ImageError
from pix2pix_data.images import decode_rgb, open_picture
from pix2pix_data.srgb import ORIENTATION_TAG

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.dataset import EncodedPair
    from pix2pix_data.mends import Edges
    from pix2pix_data.pair import RGB

__all__ = ["Broken", "PairLook", "Sums", "look_at"]


@dataclass(frozen=True, slots=True)
class Broken:
    """A pair that cannot be read, as split/key, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class PairLook:
    """What is seen of one pair.

    Attributes
    ----------
    name : str
        As split/key.
    width, height : int
        Of a side, in pixels.
    a, b : SideLook
    frame_a, frame_b : (int, int, int, int)
        Widths of a border of one colour.
    placing : Placing or None
        How the sides lie on each other; None where a side has no edges or is too small.
    columns_in_blocks : (int, int)
        Columns of A, and of B, in JPEG blocks that hold both.
    oddities : tuple of str
        What other programs may read differently in its files, such as "files of 16 bits a channel, or floats".
    """

    name: str
    width: int
    height: int
    a: SideLook
    b: SideLook
    frame_a: Edges
    frame_b: Edges
    placing: Placing | None
    columns_in_blocks: tuple[int, int]
    oddities: tuple[str, ...]

    @property
    def split(self) -> str:
        return self.name.partition("/")[0]


@dataclass(slots=True)
class Sums:
    """What is added up over pairs.

    Attributes
    ----------
    surfaces : ndarray of shape (4, 129, 129) or None
        Sum of the correlations by flip and shift.
    num_surfaces : int
    flat_a, flat_b : ndarray of shape (32768,)
        Flat pixels of each side by colour, 5 bits for each channel.
    seam : SeamSums
        Of side-by-side files.
    """

    surfaces: Surfaces | None
    num_surfaces: int
    flat_a: npt.NDArray[np.int64]
    flat_b: npt.NDArray[np.int64]
    seam: SeamSums

    @classmethod
    def none(cls) -> Sums:
        return cls(None, 0, np.zeros(1 << 15, np.int64), np.zeros(1 << 15, np.int64), SeamSums.none())

    def add(self, other: Sums) -> None:
        if other.surfaces is not None:
            self.surfaces = other.surfaces if self.surfaces is None else self.surfaces + other.surfaces
        self.num_surfaces += other.num_surfaces
        self.flat_a += other.flat_a
        self.flat_b += other.flat_b
        self.seam.add(other.seam)


def look_at(split: str, encoded: EncodedPair, sums: Sums) -> PairLook:
    """Decode a pair and measure all that is to be known of it.

    Adds to `sums` what counts for the dataset as a whole.

    Raises
    ------
    ImageError
        If a side cannot be decoded, or they differ in size.
    """
    measured_a, measured_b = _measured_sides(encoded, sums)
    width, height = measured_a.size
    if measured_a.size != measured_b.size:
        raise ImageError(f"A is {width}x{height} and B is {'{}x{}'.format(*measured_b.size)} pixels")
    placing = None
    if (surfaces := correlate(measured_a.reduced, measured_b.reduced)) is not None:
        placing = placing_of(surfaces)
        sums.surfaces = surfaces if sums.surfaces is None else sums.surfaces + surfaces
        sums.num_surfaces += 1
    sums.flat_a += measured_a.flat_counts
    sums.flat_b += measured_b.flat_counts
    files = [encoded.a] if encoded.b is None else [encoded.a, encoded.b]
    return PairLook(
        f"{split}/{encoded.key}",
        width,
        height,
        measured_a.look,
        measured_b.look,
        measured_a.frame,
        measured_b.frame,
        placing,
        columns_in_blocks(encoded.a) if encoded.b is None else (0, 0),
        tuple(sorted({oddity for content in files for oddity in _oddities(content)})),
    )


@dataclass(frozen=True, slots=True)
class _Measured:
    """What is kept of a side while its pair is looked at."""

    size: tuple[int, int]
    look: SideLook
    flat_counts: npt.NDArray[np.int64]
    frame: Edges
    reduced: RGB


def _measured_sides(encoded: EncodedPair, sums: Sums) -> tuple[_Measured, _Measured]:
    if encoded.b is None:
        pair = encoded.decode()
        sums.seam.add(seam_sums(pair.a, pair.b))
        return _measured(pair.a), _measured(pair.b)
    # One after the other: two pictures of 134 megapixels do not fit into 1.5 GB.
    return _measured_file(encoded.a), _measured_file(encoded.b)


def _measured_file(content: bytes) -> _Measured:
    measured = _measured(decode_rgb(content))
    if measured.look.is_blank and _says_something_in_16_bits(content):
        measured = replace(measured, look=replace(measured.look, is_blank=False))
    return measured


def _says_something_in_16_bits(content: bytes) -> bool:
    """Tell a side of few of the 65,536 levels, such as a depth map or a thermal picture, from one of one colour."""
    levels = decode_channels(content, "gray16")
    return bool((levels % 257).any()) and int(np.ptp(levels)) > BLANK_LEVELS  # 8 bits become multiples of 257


def _measured(picture: RGB) -> _Measured:
    look, flat_counts = look_at_side(picture)
    return _Measured(picture.shape[1::-1], look, flat_counts, frame_of(picture), reduced(picture))


def _oddities(content: bytes) -> list[str]:
    """Name what is unusual in a picture file, without decoding it."""
    with open_picture(content) as image:
        mode = image.mode
        may_turn = image.format != "PNG" or "exif" in image.info  # asked for EXIF, Pillow decodes a PNG
        found = {
            "files of 16 bits a channel, or floats": mode in ("I", "F") or ";16" in mode,
            f"files in {mode} instead of RGB": mode in ("CMYK", "YCbCr", "LAB", "HSV"),
            "files with transparency, which is laid on white": image.has_transparency_data,
            "files that EXIF says to turn": may_turn and image.getexif().get(ORIENTATION_TAG, 1) != 1,
            "animations, of which the first frame is taken": getattr(image, "n_frames", 1) > 1,
            "files with a colour profile": bool(image.info.get("icc_profile")),
        }
    return [text for text, is_so in found.items() if is_so]
