"""What the pictures of a side are found to hold, and pictures of a user made into the same."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pix2pix_data.build import BuildOptions, build, plan_build
from pix2pix_data.dataset import open_dataset
from pix2pix_data.errors import UsageError
from pix2pix_data.images import decode_rgb, write_png
from pix2pix_data.known_labels import LABEL_PALETTES
from pix2pix_data.makers.kmeans import KMeansMaker
from pix2pix_data.redraw import clean_drawing, maker_of, side_of_photo, snap
from pix2pix_data.side_facts import NamedColor, SideFacts, side_facts

SHARED = Path(__file__).parents[3] / "shared" / "data"
LINES = SideFacts(
    kind="lines",
    colors=(NamedColor(name="paper", color="#ffffff"), NamedColor(name="line", color="#000000")),
    line_px=1,
)


def facts_of(folder: Path, *sides: np.ndarray, side: str = "A") -> SideFacts:
    for i, a in enumerate(sides):
        write_png(folder / "train" / f"{i}.png", np.hstack([a, a]))
    return side_facts(open_dataset(folder), side)


def noise(seed: int, height: int = 60, width: int = 80) -> np.ndarray:
    """Something like a photo: no flat place, no frequent colour."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def street(seed: int, palette: str) -> np.ndarray:
    """Rectangles of the first seven classes of a known palette."""
    picture = np.empty((60, 80, 3), np.uint8)
    colors = LABEL_PALETTES[palette].colors[:7]
    picture[:] = colors[0]
    rng = np.random.default_rng(seed)
    for color in colors[1:]:
        top, left = rng.integers(0, 40, 2)
        picture[top : top + 20, left : left + 24] = color
    return picture


def as_jpeg(picture: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=90)
    return decode_rgb(file.getvalue())


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_lines_are_seen_with_their_width(tmp_path, width):
    drawing = np.full((60, 80, 3), 255, np.uint8)
    drawing[10:50, 20 : 20 + width] = drawing[10:50, 60 : 60 + width] = 0
    drawing[30 : 30 + width, 20:60] = 0
    facts = facts_of(tmp_path, drawing)
    assert (facts.kind, facts.line_px) == ("lines", width)
    assert [one.color for one in facts.colors] == ["#ffffff", "#000000"]


def test_light_lines_on_black_have_black_paper(tmp_path):
    drawing = np.zeros((60, 80, 3), np.uint8)
    cv2.circle(drawing, (40, 30), 20, (255, 255, 255), 1)
    assert [one.color for one in facts_of(tmp_path, drawing).colors] == ["#000000", "#ffffff"]


def test_known_classes_are_named_even_after_jpeg(tmp_path):
    facts = facts_of(tmp_path, *(as_jpeg(street(seed, "facades")) for seed in range(4)))
    known = LABEL_PALETTES["facades"]
    assert facts.kind == "segments"
    assert [one.name for one in facts.colors] == list(known.names[:7])
    assert facts.rgb_colors == known.colors[:7]


def test_classes_of_no_known_set_are_numbered(tmp_path):
    pink, green = (250, 120, 200), (10, 200, 90)
    picture = np.full((240, 320, 3), pink, np.uint8)
    cv2.circle(picture, (160, 120), 80, green, -1)
    facts = facts_of(tmp_path, as_jpeg(picture))
    assert [one.name for one in facts.colors] == ["color 0", "color 1"]
    assert np.abs(np.array(facts.rgb_colors) - [pink, green]).max() <= 2


def test_photos_are_photos_on_white_ground_too(tmp_path):
    framed = np.full((90, 120, 3), 255, np.uint8)
    framed[20:80, 20:100] = noise(1)
    assert facts_of(tmp_path / "plain", noise(0)).kind == "photo"
    assert facts_of(tmp_path / "framed", framed).kind == "photo"


def test_gray_photos_are_gray(tmp_path):
    assert facts_of(tmp_path, np.repeat(noise(0)[:, :, :1], 3, axis=2)).kind == "gray"


@pytest.mark.parametrize(
    ("name", "side", "kind", "names"),
    [
        ("facades", "B", "segments", {"window", "door", "balcony", "facade"}),
        ("facades", "A", "photo", set()),
        ("cityscapes", "B", "segments", {"road", "sky", "car", "vegetation", "building"}),
        ("cityscapes", "A", "photo", set()),
        ("photo_edges_shoes", "B", "lines", {"paper", "line"}),
        ("photo_edges_shoes", "A", "photo", set()),
    ],
)
def test_the_published_sets_are_seen_for_what_they_are(name, side, kind, names):
    if not (SHARED / name).is_dir():
        pytest.skip(f"needs ../shared/data/{name}")
    facts = side_facts(open_dataset(SHARED / name), side)
    assert facts.kind == kind
    assert names <= {one.name for one in facts.colors}
    assert facts.line_px == (1 if kind == "lines" else None)


def test_what_made_the_side_is_read_from_the_build(tmp_path):
    for i in range(2):
        write_png(tmp_path / "photos" / f"{i}.png", noise(i))
    maker = KMeansMaker(size=(32, 32), colors=3, min_region=0)
    source, out = tmp_path / "photos", tmp_path / "pairs"
    build(plan_build("kmeans", maker, source, BuildOptions(val=0, test=0)), maker, source, out, workers=1)
    facts = side_facts(open_dataset(out), "A")
    written = json.loads((out / "palette.json").read_text())["colors"]
    assert [(one.name, one.color) for one in facts.colors] == [(one["name"], one["color"]) for one in written]
    (pair,) = (pair for pair in open_dataset(out).pairs("train") if pair.key == "0")
    assert (side_of_photo(facts, noise(0), 32, 32) == pair.a).all(), "a photo becomes what the build made of it"


# --- redrawing ----------------------------------------------------------------------------------------------------


def test_a_painting_gets_the_nearest_colours_of_the_palette():
    colors = tuple(NamedColor(name=str(i), color=color) for i, color in enumerate(("#ff0000", "#00ff00")))
    painted = np.array([[[250, 20, 3], [0, 255, 0], [100, 240, 90]]], np.uint8)
    assert snap(SideFacts(kind="segments", colors=colors), painted).tolist() == [
        [[255, 0, 0], [0, 255, 0], [0, 255, 0]]
    ]


def test_a_photographed_drawing_becomes_thin_black_lines_on_white():
    shade = np.linspace(120, 220, 400).astype(np.uint8)
    drawing = np.repeat(np.repeat(shade[None, :, None], 300, axis=0), 3, axis=2)
    cv2.rectangle(drawing, (80, 60), (320, 240), (40, 30, 60), 5)
    lines = clean_drawing(LINES, drawing, 64, 64)[:, :, 0]
    assert set(np.unique(lines)) == {0, 255}
    assert (lines == 0).sum(axis=0)[20:40].max() <= 4, "two thin sides, whatever the shade of the paper"
    assert (lines == 0).mean() == pytest.approx(0.04, abs=0.02)


def test_a_drawing_that_fits_is_left_as_it_is():
    drawing = np.full((64, 64, 3), 255, np.uint8)
    drawing[10:20, 10:20] = 0
    assert (clean_drawing(LINES, drawing, 64, 64) == drawing).all()


def test_labels_cannot_be_made_from_a_photo():
    with pytest.raises(UsageError, match="cannot be made from a photo"):
        side_of_photo(SideFacts(kind="segments", maker="labels"), noise(0), 32, 32)


def test_edges_of_a_photo_are_those_of_the_dataset():
    facts = LINES.model_copy(
        update={"maker": "edges", "settings": {"size": [64, 64], "detector": "classical", "width": 1}}
    )
    made = side_of_photo(facts, cv2.GaussianBlur(noise(3), (9, 9), 3), 64, 48)
    assert made.shape == (48, 64, 3)
    assert set(np.unique(made)) <= {0, 255}


def test_settings_that_name_files_elsewhere_are_left_out():
    settings = {"size": [64, 64], "detector": "hed", "weights": "hed.pth sha256:0123456789abcdef"}
    maker = maker_of(LINES.model_copy(update={"maker": "edges", "settings": settings}))
    assert maker is not None
    assert maker.model_dump()["detector"] == "tiny"
