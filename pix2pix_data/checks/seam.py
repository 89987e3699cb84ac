"""Side-by-side files: does the middle part A from B, or does one side run into the other?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pix2pix_data.findings import Finding
from pix2pix_data.images import open_picture
from pix2pix_data.mends import CutEdges

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.checks.look import PairLook
    from pix2pix_data.pair import RGB

__all__ = ["SeamSums", "columns_in_blocks", "seam_findings", "seam_sums"]

_REACH_PX = 12  # columns each side of the middle in which the seam is looked for
_FEWEST_COLUMNS = 2 * _REACH_PX
_LEAST_BLEED = 0.05  # measured: 0.03 on clean sets; Cityscapes, whose labels end in a line of void, leans at all edges
_CLEARER = 2.0  # times any step elsewhere, the next columns aside, that makes another column the seam
_BLEED_PX = 3  # columns that Lanczos, the widest of Pillow's filters, reaches beyond a seam when it reduces
_LEAST_STEP = 4.0  # gray levels; white beside white shows no seam


@dataclass(slots=True)
class SeamSums:
    """What is added up over pairs.

    Attributes
    ----------
    num_pairs : int
    steps : ndarray of shape (2 * 12 - 1,)
        Mean difference between neighbouring columns in gray levels, the middle at 11.
    products : ndarray of shape (4,)
        For A's last column, A's first, B's first and B's last: how far it leans to the other side's column.
    squares : ndarray of shape (4,)
        What to divide them by.
    """

    num_pairs: int
    steps: npt.NDArray[np.float64]
    products: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]

    @classmethod
    def none(cls) -> SeamSums:
        return cls(0, np.zeros(2 * _REACH_PX - 1), np.zeros(4), np.zeros(4))

    def add(self, other: SeamSums) -> None:
        self.num_pairs += other.num_pairs
        self.steps += other.steps
        self.products += other.products
        self.squares += other.squares


def seam_sums(a: RGB, b: RGB) -> SeamSums:
    """Measure the columns around the middle of one side-by-side picture; nothing where it is too narrow."""
    sums = SeamSums.none()
    if a.shape[1] < _FEWEST_COLUMNS:
        return sums
    luma_a, luma_b = (_outer_columns(side) for side in (a, b))
    joined = np.concatenate([luma_a[:, -_REACH_PX:], luma_b[:, :_REACH_PX]], axis=1)
    sums.num_pairs = 1
    sums.steps += np.abs(np.diff(joined, axis=1)).mean(axis=0)
    for i, (own, other) in enumerate(
        (
            (luma_a[:, ::-1], luma_b),
            (luma_a, luma_b),  # the outer edges tell how much a last column leans by chance
            (luma_b, luma_a[:, ::-1]),
            (luma_b[:, ::-1], luma_a[:, ::-1]),
        )
    ):
        across = other[:, 2] - own[:, 2]
        sums.products[i] = ((own[:, 0] - own[:, 1]) * across).mean()
        sums.squares[i] = (across**2).mean()
    return sums


def columns_in_blocks(content: bytes) -> tuple[int, int]:
    """Count the columns of A, and of B, that lie in blocks of a side-by-side JPEG which hold both; 0 in other files.

    JPEG codes blocks of 8 x 8 pixels, or 16 x 16 where colour is stored at half size, each by itself.
    """
    with open_picture(content) as image:
        layers = getattr(image, "layer", None)
        if image.format != "JPEG" or not layers:
            return 0, 0
        block_px = 8 * max(int(layer[1]) for layer in layers)
        of_a = image.width // 2 % block_px
        return of_a, block_px - of_a if of_a else 0


def seam_findings(sums: SeamSums, looks: Sequence[PairLook]) -> list[Finding]:
    """Say what is wrong with the seam, from the sums over all pairs that were looked at."""
    found = []
    names = tuple((look.name,) for look in looks[:10])
    if (off_px := _off_centre(sums)) != 0:
        found.append(
            Finding(
                "seam-off-centre",
                "error",
                f"A ends {abs(off_px)} px {'right' if off_px > 0 else 'left'} of the middle of the side-by-side files",
                len(looks),
                names,
                "a strip of one side is taken for the other, and the sides lie on each other shifted",
                "cut the files at the true seam, or join A and B again: p2p-data combine A B",
                (_cut_at_seam(max(0, -off_px), max(0, off_px)),),
            )
        )
    bleed = _bleed(sums)
    if off_px == 0 and bleed >= _LEAST_BLEED:  # elsewhere, what is in the middle is no seam
        found.append(
            Finding(
                "seam-bleed",
                "warning",
                f"the columns at the seam hold {bleed:.0%} of the other side, as when joined pictures are resized",
                len(looks),
                names,
                "the generator learns a stripe along one edge",
                "resize A and B before they are joined, or keep them apart: p2p-data combine A B",
                (_cut_at_seam(_BLEED_PX, _BLEED_PX),),
            )
        )
    crossed = [look for look in looks if any(look.columns_in_blocks)]
    if crossed:
        found.append(
            Finding(
                "jpeg-across-seam",
                "warning",
                "JPEG blocks hold pixels of both sides, since the seam is not at a multiple of their width",
                len(crossed),
                tuple((look.name,) for look in crossed[:10]),
                "the edges of one side shine through as a pattern in the last columns of the other",
                "join A and B again as PNG or with sides of a multiple of 16 pixels, or use p2p-data combine A B",
                (_cut_at_seam(*(max(look.columns_in_blocks[i] for look in crossed) for i in (0, 1))),),
            )
        )
    return found


def _cut_at_seam(of_a_px: int, of_b_px: int) -> CutEdges:
    return CutEdges((0, of_a_px, 0, 0), (0, 0, 0, of_b_px))


def _outer_columns(side: RGB) -> npt.NDArray[np.float32]:
    """Return the luma of the first and the last 12 columns, which is all that is asked for."""
    outer = np.concatenate([side[:, :_REACH_PX], side[:, -_REACH_PX:]], axis=1)
    return np.asarray(cv2.cvtColor(outer, cv2.COLOR_RGB2GRAY), np.float32)


def _off_centre(sums: SeamSums) -> int:
    steps = sums.steps / max(sums.num_pairs, 1)
    best = int(steps.argmax())
    elsewhere = np.delete(steps, [i for i in (best - 1, best, best + 1) if 0 <= i < len(steps)])
    is_clear = steps[best] >= max(_LEAST_STEP, _CLEARER * float(elsewhere.max()))
    centre = _REACH_PX - 1
    return best - centre if is_clear and abs(best - centre) > 1 else 0


def _bleed(sums: SeamSums) -> float:
    """Return what part of the other side the last columns hold, beyond what the outer edges say is chance."""
    lean = sums.products / np.maximum(sums.squares, sums.num_pairs * _LEAST_STEP**2 + 1e-9)
    inner, outer = lean[::2], np.maximum(lean[1::2], 0)
    return float(np.where(inner >= 2 * outer, inner - outer, 0).max())
