"""Edges: a line drawing of the photo, as in the paper's edges2shoes and edges2handbags."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, ValidationInfo, field_serializer, field_validator

from pix2pix_data.edges.detector import DETECTORS, WEIGHTS, make_detector
from pix2pix_data.errors import UsageError
from pix2pix_data.maker import PhotoMaker
from pix2pix_data.makers import PAIR_MAKERS

if TYPE_CHECKING:
    from pix2pix_data.edges.detector import EdgeDetector
    from pix2pix_data.pair import RGB, FloatMap, PairPlan


_SMALL_PX = 96  # up to here a side is nearer to the 64 px of the quickstart than to the paper's 256


@PAIR_MAKERS.register("edges")
class EdgesMaker(PhotoMaker):
    """Pair each photo with its edges: A is dark strokes on white, B the photo.

    A detector gives each pixel the probability of an edge; the authors' post-processing makes thin strokes of it.
    Both see the photo at its final size, so that A and B are aligned to the pixel.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "p2p-data edges ./shoes",
        "p2p-data edges ./handbags --fit pad --threshold 0.2 --min-length 12",
        "p2p-data edges ./shoes --style sketch",
    )

    trained_by: ClassVar[str] = "edges2shoes"

    batch_size: ClassVar[int] = 8

    detector: str = Field("tiny", description="What sees the edges: tiny, hed, classical, or one that a package adds.")
    weights: Path | None = Field(
        None, description="Weights for hed, in any public layout; without, they are fetched once."
    )
    threshold: float = Field(
        25 / 255, gt=0, lt=1, description="Probability from which an edge is drawn; the paper's is 25/255."
    )
    min_length: int = Field(5, ge=1, description="Shortest stroke drawn, in pixels.")
    width: int = Field(1, ge=1, le=16, description="Width of a stroke, in pixels.")
    invert: bool = Field(False, description="Draw white strokes on black.")
    style: Literal["paper", "sketch"] = Field(
        "paper",
        description=(
            "The paper's strokes; or a hand drawn at random for each photo, so that a model learns to accept sketches: "
            "threshold from 1/2 to 4 times --threshold (at most the median of the strokes at --threshold), "
            "minimum length from --min-length to 40 px, width from --width to 2 px more, up to 15% of short strokes "
            "left out, lines bent by up to 1.5 px; px at size 256, more in larger pictures."
        ),
    )
    style_seed: int = Field(0, ge=0, description="Seed of the hands that --style sketch draws.")

    _shared: EdgeDetector | None = PrivateAttr(None)

    @property
    def recipe(self) -> str:
        if max(self.size) <= _SMALL_PX:
            return "quickstart"
        return "sketches" if self.style == "sketch" else self.trained_by

    @field_validator("detector")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            DETECTORS.get(name)
        except UsageError as error:
            raise ValueError(str(error)) from error
        return name

    @field_validator("weights")
    @classmethod
    def _are_there(cls, weights: Path | None, info: ValidationInfo) -> Path | None:
        if weights is None:
            return None
        detector = info.data.get("detector")
        if detector is not None and detector not in WEIGHTS.names():
            raise ValueError(f"the detector {detector!r} loads no weights; choose --detector {WEIGHTS.names()[0]}")
        if not weights.is_file():
            raise ValueError("there is no such file")
        return weights

    @field_serializer("weights", when_used="json")
    def _as_provenance(self, weights: Path | None) -> str | None:
        """Name weights by their content: where they lie on this machine tells nobody else anything."""
        if weights is None:
            return None
        with weights.open("rb") as file:
            return f"{weights.name} sha256:{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"

    def fitted(self, plans: Sequence[PairPlan]) -> Self:  # noqa: ARG002
        """Learn nothing; but fetch what the detector loads, once, before there are many processes that need it."""
        if self.weights is None and self.detector in WEIGHTS.names():
            WEIGHTS.get(self.detector)()
        return self

    @property
    def wants_gpu(self) -> bool:
        return self.detector in WEIGHTS.names()

    @contextmanager
    def at_work(self, workers: int) -> Iterator[Self]:
        if workers > 1 and self.wants_gpu and _has_gpu():
            from pix2pix_data.edges.shared_detector import shared_detector

            with shared_detector(functools.partial(make_detector, self.detector, self.weights)) as shared:
                maker = self.model_copy()
                maker._shared = shared
                yield maker
        else:
            yield self

    def derive(self, photos: list[RGB]) -> list[RGB]:
        maps = (self._shared or _detector(self.detector, self.weights))(photos)
        return [self._drawing(photo, edge_map) for photo, edge_map in zip(photos, maps, strict=True)]

    def _drawing(self, photo: RGB, edge_map: FloatMap) -> RGB:
        from pix2pix_data.edges.strokes import draw_strokes
        from pix2pix_data.edges.style import LineStyle, draw_lines, photo_generator, sketch_style

        style, generator = LineStyle(self.threshold, self.min_length, self.width), None
        if self.style == "sketch":
            generator = photo_generator(photo, seed=self.style_seed)
            style = sketch_style(style, edge_map, generator)
        lines = draw_lines(edge_map, style, generator)
        return draw_strokes(~lines if self.invert else lines)


@functools.cache
def _detector(name: str, weights: Path | None) -> EdgeDetector:
    """Make each detector once in a process: one that loads weights takes its time."""
    return make_detector(name, weights)


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
