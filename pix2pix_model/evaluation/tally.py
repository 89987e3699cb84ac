"""Adding up: every measure of every picture, the distributions of all of them, and the scores that come of it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from pix2pix_model.evaluation.distances import LPIPS_SMALLEST_PX, Lpips, set_distance, small_sample_warning
from pix2pix_model.evaluation.features import FeatureNetwork
from pix2pix_model.evaluation.lab_histograms import LabHistograms
from pix2pix_model.evaluation.label_classes import LabelClasses
from pix2pix_model.evaluation.label_scores import Confusion, LabelScores
from pix2pix_model.evaluation.pictures import Example
from pix2pix_model.evaluation.scores import Better, Score
from pix2pix_model.evaluation.segmenter import Segmenter
from pix2pix_model.metrics import MS_SSIM_SMALLEST_PX, SSIM_SMALLEST_PX, l1, ms_ssim, psnr, sharpness, ssim

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB

__all__ = ["Judges", "LabelTable", "PictureScores", "Tally"]

_PER_PICTURE: dict[str, tuple[str, Better, int]] = {
    "l1": ("L1, in [0, 1]", "lower", 4),
    "psnr": ("PSNR, dB", "higher", 2),
    "ssim": ("SSIM", "higher", 4),
    "ms_ssim": ("MS-SSIM", "higher", 4),
    "lpips": ("LPIPS (AlexNet)", "lower", 4),
}
_LABEL_NAMES = {"per_pixel": "per-pixel accuracy", "per_class": "per-class accuracy", "class_iou": "class IoU"}


@dataclass(frozen=True, slots=True)
class Judges:
    """What judges beside the plain measures; None where nothing does.

    Attributes
    ----------
    classes : LabelClasses or None
        Scores what is made as a label map, where `labels_are_made`.
    labels_are_made : bool
        The target side shows labels; otherwise the condition does, and `segmenter` finds them in what is made.
    segmenter : Segmenter or None
    features : FeatureNetwork or None
    lpips : Lpips or None
    """

    classes: LabelClasses | None = None
    labels_are_made: bool = False
    segmenter: Segmenter | None = None
    features: FeatureNetwork | None = None
    lpips: Lpips | None = None


@dataclass(frozen=True, slots=True)
class PictureScores:
    """What was measured of one picture, each value by the key of its measure."""

    key: str
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Scores of each class: of what was made and, by a segmentation network, of the real photos."""

    names: tuple[str, ...]
    made: LabelScores
    real: LabelScores | None


class Tally:
    """Takes pictures in batches, and gives scores when all were added.

    Attributes
    ----------
    pictures : list of PictureScores
        In the order in which they were added.
    made_colors, real_colors : LabHistograms
    """

    def __init__(self, judges: Judges) -> None:
        self.pictures: list[PictureScores] = []
        self.made_colors, self.real_colors = LabHistograms(), LabHistograms()
        self._judges = judges
        self._other_colors, self._num_others = LabHistograms(), 0
        self._features: dict[str, list[Tensor]] = {"made": [], "real": [], "other": []}
        self._labels: dict[str, Confusion] = {}
        if judges.classes is not None:
            sides = ("made", "real") if judges.segmenter else ("made",)
            self._labels = {side: Confusion(judges.classes.num_evaluated) for side in sides}

    # --- adding -------------------------------------------------------------------------------------------------

    def add(self, examples: Sequence[Example]) -> None:
        """Add translated pairs of one size."""
        made, real = (_stacked([getattr(one, side) for one in examples]) for side in ("made", "real"))
        measured = self._measured(made, real)
        self.made_colors.add(made)
        self.real_colors.add(real)
        if self._judges.features is not None:
            self._features["made"].append(self._judges.features(made))
            self._features["real"].append(self._judges.features(real))
        if self._labels:
            measured["per_pixel"] = self._label_accuracies(examples, made, real)
        for i, example in enumerate(examples):
            self.pictures.append(PictureScores(example.key, {name: values[i] for name, values in measured.items()}))

    def _measured(self, made: Tensor, real: Tensor) -> dict[str, list[float]]:
        shorter_px = min(made.shape[1:3])
        measured = {"l1": l1(made, real), "psnr": psnr(made, real)}
        if shorter_px >= SSIM_SMALLEST_PX:
            measured["ssim"] = ssim(made, real)
        if shorter_px >= MS_SSIM_SMALLEST_PX:
            measured["ms_ssim"] = ms_ssim(made, real)
        if self._judges.lpips is not None and shorter_px >= LPIPS_SMALLEST_PX:
            measured["lpips"] = self._judges.lpips(made, real)
        measured["sharpness"], measured["sharpness_real"] = sharpness(made), sharpness(real)
        return {name: values.tolist() for name, values in measured.items()}

    def _label_accuracies(self, examples: Sequence[Example], made: Tensor, real: Tensor) -> list[float]:
        """Count labels; returns the per-pixel accuracy of what was made, for each picture."""
        classes, segmenter = self._judges.classes, self._judges.segmenter
        assert classes is not None
        height, width = made.shape[1:3]
        maps = [one.encoded.decode_sides((classes.side, "rgb"))[0] for one in examples]
        true = [classes.true_labels(one, height, width) for one in maps]
        given = {"made": segmenter(made) if segmenter else [classes.nearest(one.made) for one in examples]}
        if segmenter:
            given["real"] = segmenter(real)
        for side, labels in given.items():
            for ours, theirs in zip(labels, true, strict=True):
                self._labels[side].add(ours, theirs)
        return [_accuracy(ours, theirs, classes) for ours, theirs in zip(given["made"], true, strict=True)]

    def add_others(self, pictures: Sequence[RGB]) -> None:
        """Add further real pictures, which show how near two sets of real ones are."""
        pixels = _stacked(pictures)
        self._num_others += len(pictures)
        self._other_colors.add(pixels)
        if self._judges.features is not None:
            self._features["other"].append(self._judges.features(pixels))

    # --- scores -------------------------------------------------------------------------------------------------

    def scores(self) -> list[Score]:
        """Return all scores, those of single pictures first."""
        return [
            *(self._picture_score(key) for key in _PER_PICTURE if self._values(key)),
            self._sharpness(),
            *self._color_scores(),
            *(self._distances() if self._features["made"] else []),
            *self._label_scores(),
        ]

    def label_table(self) -> LabelTable | None:
        """Return the scores of each class, None where there are no labels."""
        if not self._labels:
            return None
        assert self._judges.classes is not None
        real = self._labels["real"].scores() if "real" in self._labels else None
        return LabelTable(self._judges.classes.names, self._labels["made"].scores(), real)

    def _values(self, key: str) -> list[float]:
        return [one.values[key] for one in self.pictures if key in one.values]

    def _picture_score(self, key: str) -> Score:
        name, better, digits = _PER_PICTURE[key]
        values = [value for value in self._values(key) if math.isfinite(value)]
        num_same, num_without = len(self._values(key)) - len(values), len(self.pictures) - len(self._values(key))
        notes = [f"{num_same} pictures are the same as the real ones, and left out of the mean"] if num_same else []
        notes += [f"{num_without} pictures are too small for it"] if num_without else []
        mean = statistics.fmean(values) if values else math.inf
        spread = statistics.pstdev(values) if values else None
        return Score(key, name, mean, better, digits=digits, spread=spread, note="; ".join(notes))

    def _sharpness(self) -> Score:
        made, real = self._values("sharpness"), self._values("sharpness_real")
        name, note = "sharpness (mean gradient)", "less than the real pictures' is blur, more is noise"
        spread = statistics.pstdev(made)
        return Score("sharpness", name, statistics.fmean(made), "nearest", statistics.fmean(real), 4, spread, note)

    def _color_scores(self) -> list[Score]:
        made = self.made_colors.intersection(self.real_colors)
        others = self._other_colors.intersection(self.real_colors) if self._num_others else (None,) * 3
        note = f"real: {self._num_others} real training pictures against these" if self._num_others else ""
        return [
            Score(f"lab_{axis.lower()}", f"Lab histogram intersection, {axis}", value, "higher", real, 3, note=note)
            for axis, value, real in zip("Lab", made, others, strict=True)
        ]

    def _distances(self) -> list[Score]:
        features = self._judges.features
        assert features is not None
        sets = {name: torch.cat(parts) for name, parts in self._features.items() if parts}
        if len(sets["made"]) < 2:
            return []
        made = set_distance(sets["made"], sets["real"])
        others = set_distance(sets["other"], sets["real"]) if len(sets.get("other", ())) > 1 else None
        frechet, kernel = "Frechet distance on " + features.name, "kernel distance on " + features.name
        if features.is_inception:
            frechet, kernel = "FID", "KID"
        few = small_sample_warning(made)
        few += f"; real: {others.num_made} real training pictures against these" if others else ""
        subsets = f"mean and deviation over 100 subsets of {made.subset}"
        marks = (others.frechet, others.kernel) if others else (None, None)
        return [
            Score("frechet", frechet, made.frechet, "lower", marks[0], 2, note=few),
            Score("kernel", kernel, made.kernel, "lower", marks[1], 5, spread=made.kernel_spread, note=subsets),
        ]

    def _label_scores(self) -> list[Score]:
        table = self.label_table()
        if table is None:
            return []
        segmenter, classes = self._judges.segmenter, self._judges.classes
        assert classes is not None
        prefix, note = "FCN-score", "compare with the real photos' score alone"
        if segmenter is None:
            prefix, note = "labels", f"{classes.source}; a made pixel is of the class with the nearest colour"
        else:
            note = f"judged by {segmenter.name}: {note}"
        key = "labels" if segmenter is None else "fcn"
        scores = []
        for attribute, name in _LABEL_NAMES.items():
            real = None if table.real is None else getattr(table.real, attribute)
            value = getattr(table.made, attribute)
            scores.append(Score(f"{key}_{attribute}", f"{prefix}: {name}", value, "higher", real, note=note))
        return scores


def _stacked(pictures: Sequence[RGB]) -> Tensor:
    return torch.from_numpy(np.stack(pictures))


def _accuracy(given: RGB, true: RGB, classes: LabelClasses) -> float:
    counted = true < classes.num_evaluated
    return float((given == true)[counted].mean()) if counted.any() else math.nan
