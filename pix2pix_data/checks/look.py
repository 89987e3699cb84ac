"""What is seen of one pair: small enough to keep for every pair of a large dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pix2pix_data.checks.alignment import Placing, Surfaces, correlate, placing_of
from pix2pix_data.checks.frames import Frame, frame_of
from pix2pix_data.checks.seam import SeamSums, jpeg_crosses_seam, seam_sums
from pix2pix_data.checks.sides import SideLook, look_at_side
from pix2pix_data.images import open_picture

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.dataset import EncodedPair

__all__ = ["Broken", "PairLook", "Sums", "look_at"]

_ORIENTATION_TAG = 0x0112  # of EXIF; 1 is upright


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
    frame_a, frame_b : Frame
    placing : Placing or None
        How the sides lie on each other; None where a side has no edges or is too small.
    jpeg_crosses_seam : bool
    oddities : tuple of str
        What other programs may read differently in its files, such as "16 bits a channel".
    """

    name: str
    width: int
    height: int
    a: SideLook
    b: SideLook
    frame_a: Frame
    frame_b: Frame
    placing: Placing | None
    jpeg_crosses_seam: bool
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
    """Decode a pair and measure all that is to be known of it; ImageError if it cannot be decoded.

    Adds to `sums` what counts for the dataset as a whole.
    """
    pair = encoded.decode()
    height, width = pair.a.shape[:2]
    placing = None
    if (surfaces := correlate(pair.a, pair.b)) is not None:
        placing = placing_of(surfaces)
        sums.surfaces = surfaces if sums.surfaces is None else sums.surfaces + surfaces
        sums.num_surfaces += 1
    (look_a, flat_a), (look_b, flat_b) = look_at_side(pair.a), look_at_side(pair.b)
    sums.flat_a += flat_a
    sums.flat_b += flat_b
    is_joined = encoded.b is None
    if is_joined:
        sums.seam.add(seam_sums(pair.a, pair.b))
    files = [encoded.a] if encoded.b is None else [encoded.a, encoded.b]
    return PairLook(
        f"{split}/{encoded.key}",
        width,
        height,
        look_a,
        look_b,
        frame_of(pair.a),
        frame_of(pair.b),
        placing,
        is_joined and jpeg_crosses_seam(encoded.a),
        tuple(sorted({oddity for content in files for oddity in _oddities(content)})),
    )


def _oddities(content: bytes) -> list[str]:
    """Name what is unusual in a picture file, without decoding it."""
    with open_picture(content) as image:
        mode = image.mode
        may_turn = image.format != "PNG" or "exif" in image.info  # asked for EXIF, Pillow decodes a PNG
        found = {
            "16 bits a channel or floats": mode in ("I", "F") or ";16" in mode,
            f"{mode} instead of RGB": mode in ("CMYK", "YCbCr", "LAB", "HSV"),
            "transparency (laid on white)": image.has_transparency_data,
            "turned by EXIF": may_turn and image.getexif().get(_ORIENTATION_TAG, 1) != 1,
            "animated (the first frame is taken)": getattr(image, "n_frames", 1) > 1,
            "a colour profile": bool(image.info.get("icc_profile")),
        }
    return [text for text, is_so in found.items() if is_so]
