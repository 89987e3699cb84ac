"""How well label maps agree: per-pixel and per-class accuracy, and class IoU, as in the paper's Tables 1 to 3 and 6."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pix2pix_data.errors import ImageError

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import LabelMap

__all__ = ["Confusion", "LabelScores"]


@dataclass(frozen=True, slots=True)
class LabelScores:
    """Scores of label maps against the true ones, all in [0, 1].

    Attributes
    ----------
    per_pixel : float
        Part of the pixels whose class is right.
    per_class : float
        The same of each class's pixels, as the mean over classes.
    class_iou : float
        Pixels of a class in both maps, as a part of those in either; the mean over classes.
    accuracies, ious : tuple of float
        Those of each class; not a number where no true pixel has it.
    """

    per_pixel: float
    per_class: float
    class_iou: float
    accuracies: tuple[float, ...]
    ious: tuple[float, ...]


class Confusion:
    """How many pixels of each true class were given which class.

    Parameters
    ----------
    num_classes : int
        True labels from this number on are of no evaluated class, and their pixels are left out.
    """

    def __init__(self, num_classes: int) -> None:
        self._num_classes = num_classes
        self.counts: npt.NDArray[np.int64] = np.zeros((num_classes, num_classes), np.int64)  # true, given

    def add(self, given: LabelMap, true: LabelMap) -> None:
        """Count one pair of maps of one shape (H, W).

        Raises
        ------
        ImageError
            If the shapes differ, or a given label is of no class.
        """
        if given.shape != true.shape:
            raise ImageError(f"label maps of two shapes cannot be compared: {given.shape} and {true.shape}")
        counted = true < self._num_classes
        ours, theirs = given[counted].astype(np.int64), true[counted].astype(np.int64)
        if ours.size and int(ours.max()) >= self._num_classes:
            raise ImageError(f"label {int(ours.max())} is beyond the {self._num_classes} classes")
        pairs = np.bincount(theirs * self._num_classes + ours, minlength=self._num_classes**2)
        self.counts += pairs.reshape(self.counts.shape)

    def scores(self) -> LabelScores:
        """Return the scores of all maps that were added; not a number where no pixel counted.

        Means are over the classes that the true maps hold. (The authors' script counts a class that none of them holds
        as 0; on the whole of Cityscapes there is none.)

        References
        ----------
        Long, Shelhamer and Darrell 2015, arXiv:1411.4038, section 5: pixel accuracy, mean accuracy, mean IU;
        junyanz/pytorch-CycleGAN-and-pix2pix, scripts/eval_cityscapes/util.py.
        """
        right, true, given = self.counts.diagonal(), self.counts.sum(1), self.counts.sum(0)
        accuracies = _ratio(right, true)
        ious = np.where(true > 0, _ratio(right, true + given - right), np.nan)
        there = true > 0
        total = int(true.sum())
        return LabelScores(
            per_pixel=float(right.sum() / total) if total else float("nan"),
            per_class=float(accuracies[there].mean()) if total else float("nan"),
            class_iou=float(ious[there].mean()) if total else float("nan"),
            accuracies=tuple(accuracies.tolist()),
            ious=tuple(ious.tolist()),
        )


def _ratio(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
