"""What an edge detector is, and the table of those that there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from pix2pix_data.registry import Registry

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB, FloatMap

__all__ = ["DETECTORS", "WEIGHTS", "DetectorFactory", "EdgeDetector", "make_detector"]


class EdgeDetector(Protocol):
    """A way to see edges in photos; what it loads, it loads when it is made."""

    def __call__(self, photos: Sequence[RGB]) -> list[FloatMap]:
        """Return the edge probability of each photo.

        Parameters
        ----------
        photos : sequence of ndarray of shape (H, W, 3), uint8
            One or many, of equal or different sizes; the map of a photo does not depend on the others.

        Returns
        -------
        list of ndarray of shape (H, W), float32
            In [0, 1], where 1 is a certain edge and 25/255 is worth drawing; aligned with the photo to the pixel.
        """


DetectorFactory: TypeAlias = Callable[..., EdgeDetector]
"""Takes nothing, or, if the detector is in WEIGHTS too, the Path of its weights."""

DETECTORS: Registry[DetectorFactory] = Registry("edge detector", "pix2pix_data.edge_detectors")
"""A factory imports what it needs when it is called: `--help` lists the names and loads none of it."""

WEIGHTS: Registry[Callable[[], Path]] = Registry("detector with weights", "pix2pix_data.edge_weights")
"""For each detector that loads a file of the user's choice: how to find one when the user names none."""


def make_detector(name: str, weights: Path | None = None) -> EdgeDetector:
    """Make the detector called `name`; with its weights, if it loads any."""
    factory = DETECTORS.get(name)
    return factory(weights or WEIGHTS.get(name)()) if name in WEIGHTS.names() else factory()


@DETECTORS.register("tiny")
def _tiny() -> EdgeDetector:
    from pix2pix_data.edges.tiny import TinyDetector

    return TinyDetector()


@DETECTORS.register("classical")
def _classical() -> EdgeDetector:
    from pix2pix_data.edges.classical import ClassicalDetector

    return ClassicalDetector()


@DETECTORS.register("hed")
def _hed(weights: Path | None = None) -> EdgeDetector:
    from pix2pix_data.edges.hed import HedDetector, load_hed

    return HedDetector(load_hed(weights or _hed_weights()))


@WEIGHTS.register("hed")
def _hed_weights() -> Path:
    from pix2pix_data.edges.hed_weights import find_weights

    return find_weights()
