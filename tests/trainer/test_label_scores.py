"""Segmentation scores, classes and their colours, and the Lab histograms: cases that a hand computes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from pix2pix_data.dataset import open_dataset
from pix2pix_data.errors import FormatError, ImageError, UsageError
from pix2pix_data.images import encode_jpeg, write_png
from pix2pix_data.known_labels import LABEL_PALETTES
from pix2pix_data.palette_file import Palette, palette_json
from pix2pix_model.evaluation.lab_histograms import LabHistograms
from pix2pix_model.evaluation.label_classes import LabelClasses, find_classes
from pix2pix_model.evaluation.label_scores import Confusion
from pix2pix_model.metrics import sharpness

FACADES = LABEL_PALETTES["facades"]


def labels(*rows: str) -> np.ndarray:
    return np.array([[int(label) for label in row] for row in rows], np.uint8)


# --- scores -------------------------------------------------------------------------------------------------------


def test_scores_of_a_case_computed_by_hand():
    """Twelve true pixels: six of class 0 (five right), four of class 1 (all right), two of class 2 (none right)."""
    true = labels("0001", "0001", "2211")
    made = labels("0011", "0001", "0111")
    confusion = Confusion(3)
    confusion.add(made, true)
    assert confusion.counts.tolist() == [[5, 1, 0], [0, 4, 0], [1, 1, 0]]
    scores = confusion.scores()
    assert scores.per_pixel == pytest.approx(9 / 12)
    assert scores.accuracies == pytest.approx((5 / 6, 1, 0))
    assert scores.per_class == pytest.approx((5 / 6 + 1 + 0) / 3)
    assert scores.ious == pytest.approx((5 / 7, 4 / 6, 0))
    assert scores.class_iou == pytest.approx((5 / 7 + 4 / 6) / 3)


def test_maps_are_counted_together_not_averaged():
    confusion = Confusion(2)
    confusion.add(labels("0000"), labels("0000"))
    confusion.add(labels("0"), labels("1"))
    assert confusion.scores().per_pixel == pytest.approx(4 / 5)


def test_pixels_of_classes_that_do_not_count_are_left_out():
    confusion = Confusion(2)
    confusion.add(labels("0101"), labels("0122"))
    assert confusion.counts.sum() == 2
    assert confusion.scores().per_pixel == 1


def test_a_class_that_no_true_pixel_has_is_left_out_of_the_means():
    confusion = Confusion(3)
    confusion.add(labels("0002"), labels("0011"))
    scores = confusion.scores()
    assert math.isnan(scores.accuracies[2])
    assert scores.per_class == pytest.approx((1 + 0) / 2)
    assert scores.class_iou == pytest.approx((2 / 3 + 0) / 2)


def test_scores_of_nothing_are_no_numbers():
    assert math.isnan(Confusion(2).scores().per_pixel)


def test_maps_of_two_shapes_are_refused():
    with pytest.raises(ImageError, match="two shapes"):
        Confusion(2).add(labels("01"), labels("0"))


# --- classes ------------------------------------------------------------------------------------------------------


def drawn_labels(seed: int) -> np.ndarray:
    """Stripes of five classes of facades, at another place each time."""
    names = [FACADES.colors[i] for i in (0, 1, 2, 6, 10)]
    rows = np.repeat(np.arange(5), 12)
    return np.roll(np.array(names, np.uint8)[rows][:, None].repeat(48, 1), seed, axis=0)


def write_pairs(folder: Path, maps: list[np.ndarray], *, labels_right: bool = True) -> Path:
    for i, one in enumerate(maps):
        photo = np.random.default_rng(i).integers(0, 256, one.shape, np.uint8)
        write_png(folder / "train" / f"{i}.png", np.hstack([photo, one] if labels_right else [one, photo]))
    return folder


def test_a_published_palette_and_its_side_are_found_by_the_colours(tmp_path):
    classes = find_classes(open_dataset(write_pairs(tmp_path / "d", [drawn_labels(i) for i in range(3)])))
    assert classes is not None
    assert (classes.side, classes.num_evaluated) == ("B", 12)
    assert "facades" in classes.source


def test_photos_and_black_and_white_masks_are_no_labels(tmp_path):
    mask = np.zeros((60, 48, 3), np.uint8)
    mask[20:40, 10:30] = 255
    assert find_classes(open_dataset(write_pairs(tmp_path / "d", [mask] * 3))) is None


def test_the_palette_of_the_dataset_comes_first(tmp_path):
    folder = write_pairs(tmp_path / "d", [drawn_labels(i) for i in range(3)], labels_right=False)
    own = Palette(tuple(FACADES.colors[i] for i in (0, 1, 2, 6, 10)), names=("sky", "wall", "window", "blind", "void"))
    (folder / "palette.json").write_text(palette_json(own))
    classes = find_classes(open_dataset(folder))
    assert classes is not None
    assert classes.side == "A"
    assert classes.names == ("sky", "wall", "window", "blind")  # a void is no class


def test_a_palette_of_neither_side_is_refused(tmp_path):
    dataset = open_dataset(write_pairs(tmp_path / "d", [drawn_labels(i) for i in range(3)]))
    with pytest.raises(FormatError, match="neither side"):
        find_classes(dataset, "cityscapes")
    with pytest.raises(UsageError, match="no palette"):
        find_classes(dataset, "facade")


def test_nineteen_classes_of_cityscapes_count():
    palette = LABEL_PALETTES["cityscapes"]
    stripes = np.array([palette.colors[i] for i in (0, 2, 8, 10, 13, 19)], np.uint8)[np.repeat(np.arange(6), 4)]
    picture = stripes[:, None].repeat(8, 1)
    classes = LabelClasses(palette, 19, "B", "here")
    true = classes.true_labels(picture, 24, 8)
    assert (true[-1] == 19).all()  # unlabeled
    assert classes.nearest(picture).max() < 19


def test_labels_smeared_by_jpeg_and_resized_are_the_true_ones():
    import cv2

    exact = drawn_labels(0)
    smeared = cv2.imdecode(np.frombuffer(encode_jpeg(exact), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    classes = LabelClasses(FACADES, 12, "B", "here")
    small = classes.true_labels(np.ascontiguousarray(smeared), 30, 24)
    assert small.shape == (30, 24)
    assert np.array_equal(small, np.repeat(np.repeat([0, 1, 2, 6, 10], 6), 24).reshape(30, 24))


def test_a_made_pixel_is_of_the_class_of_the_nearest_colour():
    off = np.clip(np.array(FACADES.colors, np.int16)[None] + (9, -7, 8), 0, 255).astype(np.uint8)
    assert LabelClasses(FACADES, 12, "B", "here").nearest(off)[0].tolist() == list(range(12))


# --- colours and sharpness ----------------------------------------------------------------------------------------


def histograms(*grays: int) -> LabHistograms:
    counted = LabHistograms()
    for gray in grays:
        counted.add(torch.full((1, 2, 3, 3), gray, dtype=torch.uint8))
    return counted


def test_the_same_colours_intersect_wholly_and_others_not_at_all():
    lightness, a, b = histograms(0, 255).intersection(histograms(0, 255))
    assert (lightness, a, b) == pytest.approx((1, 1, 1))
    lightness, a, b = histograms(0, 0).intersection(histograms(0, 255))
    assert lightness == pytest.approx(0.5)  # black and black of black and white
    assert (a, b) == pytest.approx((1, 1))  # all are gray


def test_lab_histograms_count_in_bins_of_one_unit():
    red = LabHistograms()
    red.add(torch.tensor([[[[255, 0, 0]]]], dtype=torch.uint8))  # L 53.24, a 80.09, b 67.20
    assert [int(share.argmax()) for share in red.shares] == [53, 110 + 80, 110 + 67]


def test_sharpness_is_the_mean_gradient():
    step = torch.zeros(1, 4, 5, 1, dtype=torch.uint8)
    step[:, :, 2:] = 255  # one of four columns of differences
    assert sharpness(step).item() == pytest.approx(1 / 4)
    corner = torch.zeros(1, 2, 2, 1, dtype=torch.uint8)
    corner[0, 0, 0] = 255
    assert sharpness(corner).item() == pytest.approx(math.sqrt(2))
