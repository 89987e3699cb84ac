"""What every maker promises: those that are registered, and any that will be."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from skimage.color import rgb2lab

from pix2pix_data.build import BuildOptions, _make_shard, _shards, plan_build
from pix2pix_data.engines.local import run_local
from pix2pix_data.errors import UsageError
from pix2pix_data.maker import PairMaker, PhotoMaker
from pix2pix_data.makers import PAIR_MAKERS
from pix2pix_data.makers.colorize import ColorizeMaker
from pix2pix_data.pair import Failed, Pair, PairPlan

MAKERS = PAIR_MAKERS.names()
PHOTO_MAKERS = [name for name in MAKERS if issubclass(PAIR_MAKERS.get(name), PhotoMaker)]
REFUSES_TINY = {"daynight"}  # nothing can be laid on each other there
REFUSES_KIND = {("daynight", "1")}  # nor in dots that are black or white
SIZE = (48, 32)
KINDS = ["RGB", "1", "L", "LA", "P", "RGBA", "CMYK", "CMYK JPEG", "16-bit gray", "16-bit RGB", "float", "turned"]


def write(path: Path, rgb: np.ndarray, kind: str) -> None:
    """Write a picture as files of one kind hold it; `turned` lies on its side, and its EXIF says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    photo = Image.fromarray(rgb)
    gray = np.asarray(photo.convert("L"))
    if kind == "16-bit gray":
        Image.fromarray(gray.astype(np.uint16) * 257).save(path.with_suffix(".tif"))
    elif kind == "16-bit RGB":
        assert cv2.imwrite(str(path.with_suffix(".png")), rgb[:, :, ::-1].astype(np.uint16) * 257)
    elif kind == "float":
        Image.fromarray(gray.astype(np.float32) / 255).save(path.with_suffix(".tif"))
    elif kind == "CMYK JPEG":
        photo.convert("CMYK").save(path.with_suffix(".jpg"))
    elif kind == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6  # the viewer turns it clockwise by 90 degrees
        photo.transpose(Image.Transpose.ROTATE_90).save(path.with_suffix(".png"), exif=exif)
    else:
        photo.convert(kind).save(path.with_suffix(".tif"))


def write_scene(folder: Path, rgb: np.ndarray, kind: str = "RGB", name: str = "1") -> Path:
    """Write what any maker can begin with: a camera's folder, two pictures of one name, one bright and one dark."""
    write(folder / "camera" / f"{name}_A", rgb, kind)
    write(folder / "camera" / f"{name}_B", (rgb * 0.2).astype(np.uint8), kind)
    return folder


def bright(rgb: np.ndarray) -> np.ndarray:
    return np.clip(rgb * 1.6, 0, 255).astype(np.uint8)


def outcomes_of(maker: PairMaker, source: Path) -> list[Pair | Failed]:
    """Everything that a folder gives; there are plans, and an outcome for each."""
    planned = list(maker.plan(source))
    plans = [one for one in planned if isinstance(one, PairPlan)]
    made = list(maker.fitted(plans).make(plans))
    assert len(made) == len(plans) > 0
    return [one for one in planned if isinstance(one, Failed)] + made


# --- every maker


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_picture_gives_pairs_of_the_size_asked_for(name, kind, tmp_path, draw):
    source = write_scene(tmp_path / "photos", bright(draw(3, 61, 43)), kind)
    for outcome in outcomes_of(PAIR_MAKERS.get(name)(size=SIZE), source):
        if isinstance(outcome, Failed):
            assert (name, kind) in REFUSES_KIND, outcome.reason
            continue
        assert outcome.a.shape == outcome.b.shape == (32, 48, 3)
        assert outcome.a.dtype == outcome.b.dtype == np.uint8


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (2, 300)])
def test_a_tiny_picture_gives_a_pair_or_a_reason(name, kind, size, tmp_path, draw):
    source = write_scene(tmp_path / "photos", bright(draw(3, *size)), kind)
    try:
        outcomes = outcomes_of(PAIR_MAKERS.get(name)(size=SIZE), source)
    except UsageError:
        outcomes = []
        assert name in REFUSES_TINY
    assert all(isinstance(one, Pair) or name in REFUSES_TINY for one in outcomes)


@pytest.mark.parametrize("name", MAKERS)
def test_a_turned_picture_gives_the_pair_of_the_upright_one(name, tmp_path, draw):
    photo = bright(draw(3, 61, 43))
    upright, turned = (
        outcomes_of(PAIR_MAKERS.get(name)(size=SIZE), write_scene(tmp_path / kind, photo, kind))
        for kind in ("RGB", "turned")
    )
    for one, other in zip(upright, turned, strict=True):
        assert np.array_equal(one.a, other.a)
        assert np.array_equal(one.b, other.b)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("axis", [0, 1])
def test_a_border_is_at_the_same_place_on_both_sides(name, axis, tmp_path):
    ramp = np.linspace(20, 100, 96)[None, :, None] + np.zeros((64, 96, 3))  # a part of one colour is refused as broken
    ramp[:53, :80] += 120  # beyond the hole that inpaint makes
    photo = ramp.astype(np.uint8)
    source = write_scene(tmp_path / "photos", photo)
    for pair in outcomes_of(PAIR_MAKERS.get(name)(size=(96, 64)), source):
        at_a, at_b = (
            np.abs(np.diff(side.astype(int).sum(axis=2), axis=axis)).sum(axis=1 - axis).argmax()
            for side in (pair.a, pair.b)
        )
        assert abs(at_a - at_b) <= 1


@pytest.mark.parametrize("name", MAKERS)
def test_same_plans_give_same_pixels(name, tmp_path, draw):
    source = write_scene(tmp_path / "photos", bright(draw(3)))
    first, second = (outcomes_of(PAIR_MAKERS.get(name)(size=SIZE), source) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.a, other.a)
        assert np.array_equal(one.b, other.b)


@pytest.mark.parametrize("name", MAKERS)
def test_pixels_do_not_depend_on_the_company(name, tmp_path, draw):
    for i in range(3):
        source = write_scene(tmp_path / "photos", bright(draw(i)), name=str(i))
    maker = PAIR_MAKERS.get(name)(size=SIZE)
    plans = [one for one in maker.plan(source) if isinstance(one, PairPlan)]
    fitted = maker.fitted(plans)
    together = list(fitted.make(plans))
    alone = [next(iter(fitted.make([plan]))) for plan in plans]
    assert all(np.array_equal(one.a, other.a) for one, other in zip(together, alone, strict=True))


def test_two_workers_write_the_bytes_of_one(tmp_path, draw, contents):
    for i in range(2):
        write_scene(tmp_path / "photos" / str(i), bright(draw(i)))
    source = tmp_path / "photos"
    for workers in (1, 2):
        shards = []
        for name in MAKERS:  # one pool for all: each takes seconds to start
            out = tmp_path / str(workers) / name
            maker = PAIR_MAKERS.get(name)(size=SIZE)
            plan = plan_build(name, maker, source, BuildOptions(val=1, test=0, group="file"))
            shards += _shards(plan, maker.fitted(plan.splits["train"]), source, out, out / "state", lossless=False)
        run_local(_make_shard, shards, workers=workers, tick=lambda _: None)
    one, two = contents(tmp_path / "1"), contents(tmp_path / "2")
    assert len(one) == 4 * len(MAKERS)  # two shards for each, and what became of each
    assert one == two


@pytest.mark.parametrize("name", MAKERS)
def test_a_maker_has_help_and_an_example(name):
    maker = PAIR_MAKERS.get(name)
    assert maker.summary().endswith(".")
    assert all(example.startswith(f"p2p-data {name} ") for example in maker.examples)
    assert maker.examples


def test_a_size_is_a_number_or_two():
    assert ColorizeMaker(size="512x256").size == (512, 256)
    assert ColorizeMaker(size=64).size == (64, 64)
    for wrong in ("big", "0", "1x2x3", "-5", 100_000):
        with pytest.raises(ValidationError):
            ColorizeMaker(size=wrong)


# --- every maker of photos


@pytest.mark.parametrize("name", PHOTO_MAKERS)
def test_a_broken_photo_is_a_failure_among_pairs(name, photos):
    (photos / "left" / "00.jpg").write_bytes(b"nothing")
    outcomes = outcomes_of(PAIR_MAKERS.get(name)(size=SIZE), photos)
    assert isinstance(outcomes[0], Failed)
    assert all(isinstance(outcome, Pair) for outcome in outcomes[1:])


# --- colorize


def test_gray_is_the_level_whose_lightness_is_nearest():
    def lightness(colors):
        return rgb2lab(colors.astype(np.float64) / 255)[..., 0]

    grays = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    colors = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    colors[0] = np.tile([[0, 0, 1], [1, 0, 0], [0, 1, 0], [255, 255, 254]], (16, 1))
    (side,) = ColorizeMaker().derive([colors])
    assert (side == side[:, :, :1]).all()
    distances = np.abs(lightness(colors)[..., None] - lightness(grays))
    told = np.take_along_axis(distances, side[:, :, :1].astype(np.intp), axis=2)[..., 0]
    assert (told - distances.min(axis=2)).max() < 1e-3  # two grays may be as near
    assert np.array_equal(ColorizeMaker().derive([grays[None]])[0], grays[None])


def test_gray_is_the_luma_where_asked(photos):
    for pair in outcomes_of(ColorizeMaker(size=SIZE, gray="luma"), photos):
        luma = pair.b @ np.array([0.299, 0.587, 0.114])
        assert np.abs(pair.a[:, :, 0] - luma).max() <= 0.51


@pytest.mark.parametrize(
    ("name", "settings", "recipe"),
    [
        ("edges", {}, "edges2shoes"),
        ("edges", {"style": "sketch"}, "sketches"),
        ("edges", {"size": "64"}, "quickstart"),
        ("edges", {"size": "64x128"}, "edges2shoes"),
        ("kmeans", {}, "cityscapes-kmeans"),
        ("kmeans", {"size": "512x256"}, "cityscapes-kmeans-512x256"),
        ("kmeans", {"size": "512"}, "cityscapes-kmeans-512x512"),
        ("kmeans", {"size": "256x512"}, "cityscapes-kmeans"),
    ],
)
def test_the_recipe_that_is_named_next_suits_the_settings(name, settings, recipe):
    assert PAIR_MAKERS.get(name)(**settings).recipe == recipe


def test_every_recipe_that_a_maker_names_ships():
    shipped = {path.stem for path in (Path(__file__).parents[2] / "recipes").glob("*.toml")}
    named = {PAIR_MAKERS.get(name).trained_by for name in MAKERS}
    assert named | {"sketches", "cityscapes-kmeans-512x256", "cityscapes-kmeans-512x512"} <= shipped
