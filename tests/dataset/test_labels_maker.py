"""Label maps of every kind become flat classes in one palette."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from pix2pix_data.errors import BuildError, FormatError
from pix2pix_data.images import fit_to, write_png
from pix2pix_data.known_labels import LABEL_PALETTES
from pix2pix_data.label_colors import index_palette, recover_colors
from pix2pix_data.makers.labels import LabelsMaker
from pix2pix_data.pair import Failed, Pair
from pix2pix_data.palette_file import Palette, palette_json

WIDTH, HEIGHT = 96, 64
COLORS = ((0, 0, 142), (128, 64, 128), (70, 130, 180), (220, 20, 60))


def drawn(index):
    """Four classes: a ground, a sky, a box and a disc."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[: 20 + index] = 2
    labels[30:50, 10 + index : 40] = 1
    cv2.circle(labels, (70, 40), 10 + index, 3, -1)
    return labels


@pytest.fixture
def folders(tmp_path, draw):
    """Photos, and a way to write the maps that belong to them."""
    for i in range(4):
        write_png(tmp_path / "photos" / f"{i}.png", draw(i, WIDTH, HEIGHT))
    maps = tmp_path / "maps"
    maps.mkdir()

    def write(save):
        for i in range(4):
            save(maps / str(i), drawn(i))
        return maps, tmp_path / "photos"

    return write


def made(maps, photos, **settings):
    maker = LabelsMaker(folder_b=photos, size=(WIDTH, HEIGHT), **settings)
    plans = [plan for plan in maker.plan(maps) if hasattr(plan, "sources")]
    maker = maker.fitted(plans)
    return maker, list(maker.make(plans))


def save_gray(path, labels):
    Image.fromarray(labels).save(f"{path}.png")


def save_16_bit(path, labels):
    Image.fromarray(labels.astype(np.uint16)).save(f"{path}.png")


def save_indexed(path, labels):
    image = Image.new("P", labels.shape[::-1])
    image.putdata(labels.ravel().tolist())
    image.putpalette(np.array(COLORS, np.uint8).tobytes())
    image.save(f"{path}.png")


def save_colors(path, labels):
    Image.fromarray(np.array(COLORS, np.uint8)[labels]).save(f"{path}.png")


def save_transparent(path, labels):
    rgba = np.dstack([np.array(COLORS, np.uint8)[labels], np.full(labels.shape, 255, np.uint8)])
    Image.fromarray(rgba).save(f"{path}.png")


def save_jpeg(path, labels):
    Image.fromarray(np.array(COLORS, np.uint8)[labels]).save(f"{path}.jpg", quality=85)


@pytest.fixture
def palette(tmp_path):
    path = tmp_path / "palette.json"
    path.write_text(palette_json(Palette(COLORS, names=("car", "road", "sky", "person"))))
    return path


@pytest.mark.parametrize("save", [save_gray, save_16_bit, save_indexed, save_colors, save_transparent])
def test_clean_maps_of_any_kind_become_the_classes_they_are(folders, palette, save):
    maker, pairs = made(*folders(save), palette=palette)
    for i, pair in enumerate(pairs):
        assert np.array_equal(pair.a, np.array(COLORS, np.uint8)[drawn(i)])
    entries = json.loads(maker.extra_files()["palette.json"])["colors"]
    assert [entry["name"] for entry in entries] == ["car", "road", "sky", "person"]
    assert sum(entry["share"] for entry in entries) == pytest.approx(1, abs=1e-5)


def test_smeared_maps_snap_to_the_palette(folders, palette):
    _, pairs = made(*folders(save_jpeg), palette=palette)
    for i, pair in enumerate(pairs):
        right = (pair.a == np.array(COLORS, np.uint8)[drawn(i)]).all(axis=2)
        assert right.mean() > 0.985
        assert {tuple(color) for color in pair.a.reshape(-1, 3).tolist()} <= set(COLORS)


@pytest.mark.parametrize("save", [save_indexed, save_colors])
def test_colours_are_counted_where_no_palette_is_given(folders, save):
    maker, pairs = made(*folders(save))
    assert set(maker.fitted_palette.colors) == set(COLORS)
    assert maker.fitted_palette.note == "the 4 colours of 4 label maps"
    assert np.array_equal(pairs[2].a, np.array(COLORS, np.uint8)[drawn(2)])


def test_colours_are_recovered_from_smeared_maps(folders):
    maker, _ = made(*folders(save_jpeg))
    found = sorted(maker.fitted_palette.colors)
    assert np.abs(np.array(found) - np.array(sorted(COLORS))).max() <= 3
    assert maker.fitted_palette.note.startswith("4 colours recovered from 4 label maps: ")


def test_numbers_without_a_palette_get_the_colours_of_voc(folders):
    maker, pairs = made(*folders(save_gray))
    assert maker.fitted_palette.colors == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0))
    assert maker.fitted_palette.names == ("class 0", "class 1", "class 2", "class 3")
    assert np.array_equal(pairs[1].a, np.array(maker.fitted_palette.colors, np.uint8)[drawn(1)])


def test_voc_colours_are_all_different():
    assert len(set(index_palette(255, has_void=True).colors)) == 256
    assert index_palette(21, has_void=False).colors[20] == (0, 64, 128)


def test_255_is_a_pixel_without_a_class(folders, palette):
    def save(path, labels):
        labels[:3] = 255
        save_gray(path, labels)

    maker, pairs = made(*folders(save), palette=palette)
    assert maker.fitted_palette.names[-1] == "void"
    assert (pairs[0].a[:3] == maker.fitted_palette.colors[-1]).all()
    assert (pairs[0].a[5] == COLORS[2]).all()


@pytest.mark.parametrize("mode", ["1", "L"])
def test_a_mask_stays_black_and_white(folders, mode):
    def save(path, labels):
        Image.fromarray((labels == 1).astype(np.uint8) * 255).convert(mode).save(f"{path}.png")

    _, pairs = made(*folders(save))
    assert np.array_equal(pairs[3].a[:, :, 0], (drawn(3) == 1) * np.uint8(255))


def test_a_number_beyond_the_palette_is_a_failure(folders, palette):
    maps, photos = folders(save_gray)
    maker = LabelsMaker(folder_b=photos, palette=palette)
    plans = list(maker.plan(maps))
    maker = maker.fitted(plans)
    save_gray(maps / "1", np.full((HEIGHT, WIDTH), 9, np.uint8))
    save_colors(maps / "2", drawn(2))
    outcomes = list(maker.make(plans))
    assert [type(one) for one in outcomes] == [Pair, Failed, Failed, Pair]
    assert outcomes[1].reason == "the number 9 is beyond the 4 classes of the palette"
    assert outcomes[2].reason == "this label map holds colours, the others numbers"


def test_a_palette_of_other_maps_is_refused(folders):
    with pytest.raises(FormatError, match="have no colour of the palette"):
        made(*folders(save_colors), palette="facades")


def test_numbers_asked_for_where_there_are_colours_are_refused(folders):
    with pytest.raises(FormatError, match="hold colours, not numbers"):
        made(*folders(save_colors), kind="index")


def test_photos_are_no_label_maps(draw):
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    with pytest.raises(FormatError, match="no flat place"):
        recover_colors([noise])


def test_maps_that_cannot_be_read_end_the_build(folders):
    maps, photos = folders(save_gray)
    for path in maps.iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(BuildError, match="no label map"):
        made(maps, photos)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_no_colour_comes_out_that_did_not_go_in(folders, palette, fit):
    maps, photos = folders(save_colors)
    maker = LabelsMaker(folder_b=photos, size=(40, 57), fit=fit, palette=palette)
    plans = list(maker.plan(maps))
    for pair in maker.fitted(plans).make(plans):
        assert pair.a.shape == pair.b.shape == (57, 40, 3)
        assert {tuple(color) for color in pair.a.reshape(-1, 3).tolist()} <= set(COLORS)


def test_the_frame_of_padded_labels_is_a_class():
    two = np.repeat(np.array([[(0, 0, 0), (10, 10, 10), (30, 30, 30)]], np.uint8), 3, axis=0)
    assert {tuple(color) for color in fit_to(two, 9, 3, "pad", labels=True)[0].tolist()} <= {
        (0, 0, 0),
        (10, 10, 10),
        (30, 30, 30),
    }


def test_known_palettes_are_palettes():
    for known in LABEL_PALETTES.values():
        assert len(set(known.colors)) == len(known.colors) == len(known.names)
    assert LABEL_PALETTES["cityscapes"].names[:3] == ("road", "sidewalk", "building")
    assert len(LABEL_PALETTES["facades"].colors) == 12


def test_a_palette_that_is_nowhere_is_refused(tmp_path):
    with pytest.raises(ValidationError, match="nor is it one of facades, cityscapes"):
        LabelsMaker(folder_b=tmp_path, palette="facade")


def test_the_command_line_builds_and_writes_the_palette(folders, palette, p2p_data, tmp_path):
    maps, photos = folders(save_gray)
    done = p2p_data("labels", maps, photos, "--palette", palette, "--size", "48", "--val", "0", "--test", "0")
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "maps-photos" / "palette.json").read_text())
    assert [entry["name"] for entry in written["colors"]] == ["car", "road", "sky", "person"]
    record = json.loads((tmp_path / "maps-photos" / "build.json").read_text())
    assert record["identity"]["settings"]["palette"].startswith("palette.json sha256:")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("size", [(1, 1), (2, 300), (61, 43)])
def test_any_mode_and_size_gives_a_pair(tmp_path, draw, mode, size):
    labels = np.resize(np.repeat(np.arange(4, dtype=np.uint8) * 60, 40), size[::-1])
    image = Image.fromarray(labels.astype(np.uint16)) if mode == "I;16" else Image.fromarray(labels).convert(mode)
    (tmp_path / "maps").mkdir()
    image.save(tmp_path / "maps" / "1.tif")
    write_png(tmp_path / "photos" / "1.png", draw(0, *size))
    _, (pair,) = made(tmp_path / "maps", tmp_path / "photos")
    assert isinstance(pair, Pair)
    assert pair.a.shape == pair.b.shape == (HEIGHT, WIDTH, 3)
