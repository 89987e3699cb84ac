"""Edges: a line drawing of the photo, as in the paper's edges2shoes and edges2handbags."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator

from pix2pix_data.edges.detector import DETECTORS
from pix2pix_data.errors import UsageError
from pix2pix_data.maker import PAIR_MAKERS, PhotoMaker

if TYPE_CHECKING:
    from pix2pix_data.edges.detector import EdgeDetector
    from pix2pix_data.pair import RGB


@PAIR_MAKERS.register("edges")
class EdgesMaker(PhotoMaker):
    """Pair each photo with its edges: A is dark strokes on white, B the photo.

    A detector gives each pixel the probability of an edge; the authors' post-processing makes thin strokes of it.
    Both see the photo at its final size, so that A and B are aligned to the pixel.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "p2p-data edges ./shoes",
        "p2p-data edges ./handbags --fit pad --threshold 0.2 --min-length 12",
    )

    recipe: ClassVar[str] = "edges2shoes"

    batch_size: ClassVar[int] = 8

    detector: str = Field("classical", description="What sees the edges: classical, or one that a package adds.")
    threshold: float = Field(
        25 / 255, gt=0, lt=1, description="Probability from which an edge is drawn; the paper's is 25/255."
    )
    min_length: int = Field(5, ge=1, description="Shortest stroke drawn, in pixels.")

    @field_validator("detector")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            DETECTORS.get(name)
        except UsageError as error:
            raise ValueError(str(error)) from error
        return name

    def derive(self, photos: list[RGB]) -> list[RGB]:
        from pix2pix_data.edges.strokes import draw_strokes, strokes

        maps = _detector(self.detector)(photos)
        return [draw_strokes(strokes(soft, threshold=self.threshold, min_area=self.min_length)) for soft in maps]


@functools.cache
def _detector(name: str) -> EdgeDetector:
    """Make each detector once in a process: one that loads weights takes its time."""
    return DETECTORS.get(name)()
