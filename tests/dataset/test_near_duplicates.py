"""Which copies are found, and that different photos are not taken for copies."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from pix2pix_data.build import BuildOptions, plan_build
from pix2pix_data.disjoint_sets import DisjointSets
from pix2pix_data.images import encode_jpeg, write_png
from pix2pix_data.makers.colorize import ColorizeMaker
from pix2pix_data.near_duplicates import codes_of, find_near_duplicates
from pix2pix_data.photo_prints import print_of, print_of_file, read_prints
from pix2pix_data.print_likeness import likeness

PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "bsds500" / "images"
needs_photos = pytest.mark.skipif(not PHOTOS.is_dir(), reason="the BSDS500 photos are not on this machine")


def jpeg(photo: np.ndarray, quality: int) -> np.ndarray:
    encoded = cv2.imencode(".jpg", photo[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR)[:, :, ::-1]


def cut(photo: np.ndarray) -> np.ndarray:
    """95 % of each side, somewhere that the photo decides."""
    height, width = photo.shape[:2]
    rng = np.random.default_rng(photo[0, 0].tolist())
    top, left = (rng.integers(0, side - round(0.95 * side) + 1) for side in (height, width))
    return photo[top : top + round(0.95 * height), left : left + round(0.95 * width)]


def half(photo: np.ndarray) -> np.ndarray:
    return cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def brighter(photo: np.ndarray) -> np.ndarray:
    return cv2.convertScaleAbs(photo, alpha=1.2)


DISGUISES = {
    "JPEG of quality 50": lambda photo: jpeg(photo, 50),
    "half size": half,
    "mirrored": lambda photo: photo[:, ::-1],
    "brighter": brighter,
    "darker": lambda photo: cv2.convertScaleAbs(photo, alpha=0.8),
    "cut by 5 %": cut,
    "all of it": lambda photo: jpeg(brighter(half(cut(photo)[:, ::-1])), 50),
}
LEAST_CAUGHT = {"cut by 5 %": 0.98, "all of it": 0.95}  # the others: 0.99


def noise(num: int, seed: int = 0) -> np.ndarray:
    """Prints with the spectrum of photos and nothing else in common."""
    k = np.arange(24)
    cosines = np.cos(np.pi * np.outer(k, 2 * k + 1) / 48)
    spectrum = 1 / np.maximum(np.hypot(k[:, None], k), 1) ** 1.2
    pixels = cosines.T @ (np.random.default_rng(seed).standard_normal((num, 24, 24)) * spectrum) @ cosines
    low, high = pixels.min((1, 2), keepdims=True), pixels.max((1, 2), keepdims=True)
    return ((pixels - low) / (high - low) * 255).astype(np.uint8)


# --- photos


@pytest.fixture(scope="module")
def originals() -> np.ndarray:
    return np.stack([print_of_file(path.read_bytes()) for path in sorted(PHOTOS.glob("*/*.jpg"))])


@needs_photos
def test_no_two_of_500_photos_are_taken_for_copies(originals):
    assert len(originals) == 500
    assert find_near_duplicates(originals).tolist() == list(range(500))


@needs_photos
@pytest.mark.parametrize("name", DISGUISES)
def test_disguised_copies_are_found(originals, name):
    chosen = range(0, 500, 5)
    paths = sorted(PHOTOS.glob("*/*.jpg"))
    photos = [cv2.imread(str(paths[i]))[:, :, ::-1] for i in chosen]
    copies = [print_of_file(encode_jpeg(np.ascontiguousarray(DISGUISES[name](photo)))) for photo in photos]
    groups = find_near_duplicates(np.concatenate([originals, copies]))
    assert groups[:500].tolist() == list(range(500))
    assert (groups[500:] == chosen).mean() >= LEAST_CAUGHT.get(name, 0.99)


@needs_photos
def test_no_copy_of_a_photo_is_in_another_split(tmp_path):
    photos = [cv2.imread(str(path))[:, :, ::-1] for path in sorted(PHOTOS.glob("val/*.jpg"))[:20]]
    assert_copies_stay_together(photos, tmp_path / "photos")


def test_no_copy_of_a_drawn_photo_is_in_another_split(tmp_path):
    photos = [cv2.resize(one, (240, 160), interpolation=cv2.INTER_CUBIC) for one in noise(20)]
    assert_copies_stay_together([cv2.merge([one, one, one]) for one in photos], tmp_path / "photos")


def assert_copies_stay_together(photos, folder):
    """Build from photos and a copy in each disguise: each photo keeps to one split, unless photos are not grouped."""
    folder.mkdir()
    for i, photo in enumerate(photos):
        for name, disguise in {"itself": np.asarray, **DISGUISES}.items():
            (folder / f"{i:02d} {name}.jpg").write_bytes(encode_jpeg(np.ascontiguousarray(disguise(photo))))
    by_looks, by_file = (
        plan_build("colorize", ColorizeMaker(), folder, BuildOptions(val=0.2, test=0.2, **options)).splits
        for options in ({}, {"group": "file"})
    )
    assert [len(plans) for plans in by_looks.values()] == [96, 32, 32]
    num_photos = [len({plan.key[:2] for plan in plans}) for plans in by_looks.values()]
    assert num_photos == [12, 4, 4]
    assert sum(len({plan.key[:2] for plan in plans}) for plans in by_file.values()) > 20


# --- by construction


def test_a_group_is_called_after_its_first_photo():
    prints = noise(40)
    everything = np.concatenate([prints, prints[::-1], prints[:, :, ::-1]])
    assert find_near_duplicates(everything).tolist() == [*range(40), *range(39, -1, -1), *range(40)]


def test_a_mirror_image_has_the_mirrored_code():
    prints = noise(30)
    direct, mirrored = codes_of(prints)
    of_mirror_images, back = codes_of(prints[:, :, ::-1])
    assert np.array_equal(mirrored, of_mirror_images)
    assert np.array_equal(direct, back)


def test_a_cut_is_like_the_whole_whichever_comes_first(draw):
    photo = cv2.resize(noise(1)[0], (480, 320), interpolation=cv2.INTER_CUBIC)[:, :, None].repeat(3, axis=2)
    whole, part, other = print_of(photo), print_of(photo[16:, :456]), noise(1, seed=1)[0]
    one, turned, unlike = likeness(np.stack([whole, part, whole]), np.stack([part, whole, other]))
    assert one == pytest.approx(turned)
    assert one > 0.97
    assert unlike < 0.6


@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank_photos_are_like_none_but_their_equals(level):
    blank = np.full((3, 24, 24), level, np.uint8)
    blank[2, 5, 5] ^= 1
    groups = find_near_duplicates(np.concatenate([blank, noise(5)]))
    assert groups.tolist() == [0, 0, 2, 3, 4, 5, 6, 7]


def test_no_photos_are_no_groups():
    assert find_near_duplicates(np.empty((0, 24, 24), np.uint8)).shape == (0,)


def test_thousands_that_look_alike_do_not_take_for_ever():
    base = noise(1)[0].astype(np.int16)
    jitter = np.random.default_rng(0).integers(-4, 5, (4000, 24, 24))
    start_s = time.process_time()
    groups = find_near_duplicates((base + jitter).clip(0, 255).astype(np.uint8))
    assert (groups == 0).mean() > 0.99
    assert time.process_time() - start_s < 40, "a minute and more, where each is compared with all"


def test_workers_change_no_print_and_a_broken_photo_is_told(tmp_path, draw):
    paths = []
    for i in range(300):
        paths.append(str(tmp_path / f"{i}.png"))
        write_png(Path(paths[-1]), draw(i, 30, 20))
    Path(paths[7]).write_bytes(b"nothing")
    alone, readable = read_prints(paths, workers=1)
    together, _ = read_prints(paths, workers=2)
    assert np.array_equal(alone, together)
    assert np.flatnonzero(~readable).tolist() == [7]


def test_a_turned_photo_has_the_print_of_an_upright_one(tmp_path, draw):
    from PIL import Image

    photo = draw(3, 300, 200)
    Image.fromarray(photo).save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(photo[::-1, ::-1].copy()).save(tmp_path / "turned.png", exif=exif)
    prints = [print_of_file((tmp_path / f"{name}.png").read_bytes()) for name in ("upright", "turned")]
    assert np.array_equal(*prints)


def test_sets_join_through_any_number_of_steps():
    sets = DisjointSets(6)
    for one, other in ((5, 4), (4, 3), (1, 2)):
        sets.join(one, other)
    assert sets.roots() == [0, 1, 1, 3, 3, 3]
