"""The kmeans maker: one palette for all photos, and what can be asked of it."""

from __future__ import annotations

import io
import json

import cv2
import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from pix2pix_data.errors import FormatError
from pix2pix_data.images import decode_rgb, encode_png, read_rgb
from pix2pix_data.makers.kmeans import KMeansMaker


def fitted(maker, source):
    plans = list(maker.plan(source))
    return maker.fitted(plans), plans


def made(maker, source):
    maker, plans = fitted(maker, source)
    return list(maker.make(plans))


def colors_of(image):
    return {tuple(color) for color in np.unique(image.reshape(-1, 3), axis=0).tolist()}


def entries_of(maker):
    return json.loads(maker.extra_files()["palette.json"])["colors"]


def test_one_palette_serves_all_and_is_written_down(photos):
    maker, plans = fitted(KMeansMaker(size=(48, 32), colors=5), photos)
    used = set().union(*(colors_of(pair.a) for pair in maker.make(plans)))
    assert used <= {tuple(bytes.fromhex(entry["color"][1:])) for entry in entries_of(maker)}
    assert len(entries_of(maker)) == 5
    assert sum(entry["share"] for entry in entries_of(maker)) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("smooth", ["none", "median", "majority", "meanshift"])
def test_segments_have_no_small_region(photos, smooth):
    for pair in made(KMeansMaker(size=(96, 64), colors=5, min_region=40, smooth=smooth), photos):
        for color in colors_of(pair.a):
            mask = (pair.a == color).all(2).astype(np.uint8)
            areas = cv2.connectedComponentsWithStats(mask, connectivity=4)[2][1:, cv2.CC_STAT_AREA]
            assert areas.min() >= 40


def test_smoothing_shortens_the_borders(photos):
    def border(smooth):
        pairs = made(KMeansMaker(size=(96, 64), colors=6, min_region=0, smooth=smooth), photos)
        return sum(int((pair.a[:, 1:] != pair.a[:, :-1]).any(2).sum()) for pair in pairs)

    assert border("majority") < border("none")
    assert border("median") < border("none")


def test_per_image_palettes_differ(photos):
    pairs = made(KMeansMaker(size=(48, 32), colors=3, per_image=True), photos)
    assert len({frozenset(colors_of(pair.a)) for pair in pairs}) > 6
    assert KMeansMaker(per_image=True).extra_files() == {}


def test_place_has_its_part_where_asked(photos):
    plain, placed = (entries_of(fitted(KMeansMaker(size=(48, 32), position=p), photos)[0]) for p in (0, 3))
    assert plain != placed
    assert len(made(KMeansMaker(size=(48, 32), position=1, per_image=True), photos)) == 12


def test_automatic_colours_say_how_many_and_why(photos):
    maker, _ = fitted(KMeansMaker(size=(48, 32), auto_colors=True), photos)
    written = json.loads(maker.extra_files()["palette.json"])
    assert written["note"].startswith(f"{len(written['colors'])} colours, chosen of 4 to 16")


def test_a_palette_labels_other_photos_in_the_same_colours(photos, tmp_path):
    first, _ = fitted(KMeansMaker(size=(48, 32), colors=4), photos / "left")
    path = tmp_path / "palette.json"
    path.write_text(first.extra_files()["palette.json"])
    second, plans = fitted(KMeansMaker(size=(48, 32), palette=path), photos / "right")
    assert [one["color"] for one in entries_of(second)] == [one["color"] for one in entries_of(first)]
    assert [one["share"] for one in entries_of(second)] != [one["share"] for one in entries_of(first)]
    known = {tuple(bytes.fromhex(one["color"][1:])) for one in entries_of(first)}
    assert all(colors_of(pair.a) <= known for pair in second.make(plans))


def test_names_are_given_to_the_palette(photos, tmp_path):
    path = tmp_path / "names.toml"
    path.write_text('names = ["night", "dusk"]')
    maker, _ = fitted(KMeansMaker(size=(48, 32), colors=3, names=path), photos)
    assert [entry["name"] for entry in entries_of(maker)] == ["night", "dusk", "color 2"]
    path.write_text('[names]\n"#123456" = "no such"')
    with pytest.raises(FormatError, match="no colour '#123456'"):
        fitted(KMeansMaker(size=(48, 32), colors=3, names=path), photos)


def test_regions_are_painted_in_the_mean_of_the_photo(photos):
    by_palette = made(KMeansMaker(size=(48, 32), colors=4), photos)
    for pair, flat in zip(made(KMeansMaker(size=(48, 32), colors=4, paint="mean"), photos), by_palette, strict=True):
        assert np.abs(pair.a.mean((0, 1)) - pair.b.mean((0, 1))).max() < 1
        assert len(colors_of(pair.a)) >= len(colors_of(flat.a))


@pytest.mark.parametrize(
    "settings",
    [
        {"palette": True, "colors": 4},
        {"palette": True, "per_image": True},
        {"palette": True, "auto_colors": True},
        {"palette": True, "position": 1.0},
        {"colors": 4, "auto_colors": True},
        {"per_image": True, "auto_colors": True},
        {"per_image": True, "names": True},
    ],
)
def test_settings_that_contradict_each_other_are_refused(tmp_path, settings):
    path = tmp_path / "file"
    path.write_text("")
    paths = {name: path for name in ("palette", "names") if name in settings}
    with pytest.raises(ValidationError, match="cannot be combined with --"):
        KMeansMaker(**(settings | paths))


def test_files_that_are_not_there_are_refused(tmp_path):
    for name in ("palette", "names"):
        with pytest.raises(ValidationError, match="there is no such file"):
            KMeansMaker(**{name: tmp_path / "nothing"})


def test_provenance_names_files_by_content(tmp_path):
    path = tmp_path / "names.toml"
    path.write_text('names = ["a"]')
    before = KMeansMaker(names=path).model_dump(mode="json")["names"]
    path.write_text('names = ["b"]')
    after = KMeansMaker(names=path).model_dump(mode="json")["names"]
    assert before.startswith("names.toml sha256:")
    assert before != after
    assert str(tmp_path) not in before


def test_the_command_line_takes_a_palette_and_shows_it(photos, p2p_data, tmp_path):
    (tmp_path / "names.toml").write_text('names = ["night"]')
    done = p2p_data("kmeans", photos, "--size", "48", "--colors", "3", "--names", tmp_path / "names.toml")
    assert done.returncode == 0, done.stderr
    palette = tmp_path / "photos-kmeans" / "palette.json"
    assert json.loads(palette.read_text())["colors"][0]["name"] == "night"
    card = (tmp_path / "photos-kmeans" / "README.md").read_text()
    assert "--colors 3 --names names.toml" in card
    swatches = read_rgb(tmp_path / "photos-kmeans" / "preview.png")[-30:]
    written = {tuple(bytes.fromhex(one["color"][1:])) for one in json.loads(palette.read_text())["colors"]}
    assert written <= colors_of(swatches)
    done = p2p_data("kmeans", photos, "--palette", palette, "--colors", "3", "--out", "other")
    assert done.returncode == 2
    assert "--palette: cannot be combined with --colors" in done.stderr
    done = p2p_data("kmeans", photos, "--size", "48", "--palette", palette, "--out", "other", "--workers", "2")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("paint", "mode"), [("palette", "P"), ("mean", None)])
def test_the_file_of_segments_holds_their_colours_once(photos, paint, mode):
    for pair in made(KMeansMaker(size=(48, 32), colors=5, paint=paint), photos):
        if mode is None:
            assert pair.a_file is None
        else:
            picture = Image.open(io.BytesIO(pair.a_file))
            assert (picture.format, picture.mode) == ("PNG", mode)
            assert np.array_equal(decode_rgb(pair.a_file), pair.a)
            assert len(pair.a_file) < len(encode_png(pair.a))
