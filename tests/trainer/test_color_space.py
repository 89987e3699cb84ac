"""Lab against scikit-image's, there and back, and a model that colours."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab

from pix2pix_data.errors import RecipeError
from pix2pix_data.images import read_rgb, write_png
from pix2pix_data.makers.colorize import ColorizeMaker
from pix2pix_model.checkpoint import load_model
from pix2pix_model.color_space import lab_to_pixels, pixels_to_lab
from pix2pix_model.data import PairCache
from pix2pix_model.device import choose_device
from pix2pix_model.plan import describe
from pix2pix_model.recipe import DataSettings
from pix2pix_model.recipe_file import load_recipe
from pix2pix_model.translate import Translator, find_inputs, translate
from pix2pix_model.views import Colors, Lightness

L, AB = Lightness(), Colors()
CPU = choose_device("cpu")


def all_kinds_of_colors() -> torch.Tensor:
    """Every 15th level of each channel, and the one below: black, white, gray and all pure colours among them."""
    levels = np.unique([max(0, level - step) for level in range(0, 256, 15) for step in (0, 1)])
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).astype(np.uint8)
    return torch.from_numpy(grid.reshape(1, len(levels), -1, 3))


def test_lab_is_that_of_scikit_image():
    colors = all_kinds_of_colors()
    np.testing.assert_allclose(pixels_to_lab(colors)[0].permute(1, 2, 0), rgb2lab(colors[0].numpy()), atol=0.01)


def test_way_back_is_that_of_scikit_image():
    lab = rgb2lab(all_kinds_of_colors()[0].numpy()) + np.random.default_rng(0).uniform(-0.5, 0.5, 3)
    ours = lab_to_pixels(torch.from_numpy(lab).permute(2, 0, 1)[None])[0].numpy()
    assert np.abs(ours - 255 * lab2rgb(lab)).max() < 0.6


def test_colors_that_srgb_has_not_are_cut_off():
    far = torch.tensor([[50.0, 128, -128], [99, -128, 128], [1, 100, 100], [120, 0, 0], [-20, 0, 0]])
    pixels = lab_to_pixels(far.T[None, :, :, None])[0, :, 0]
    assert pixels[3].tolist() == [255, 255, 255]
    assert pixels[4].tolist() == [0, 0, 0]
    assert pixels[0, 2] == 255
    assert pixels[1, 0] == 0


def test_identity_on_lightness_and_color_gives_the_photo_back():
    colors = all_kinds_of_colors()
    assert torch.equal(AB.made(AB.seen(colors), L.seen(colors)), colors)


def test_networks_see_lab_within_one():
    given, target = L.seen(all_kinds_of_colors()), AB.seen(all_kinds_of_colors())
    assert (given.shape[1], target.shape[1]) == (1, 2)
    assert (given.min(), given.max()) == (-1, pytest.approx(1, abs=1e-6))
    assert 0.9 < target.abs().max() <= 1


def test_side_a_that_colorize_makes_is_the_picture_as_it_is_seen():
    colors = all_kinds_of_colors()
    (a,) = ColorizeMaker().derive([colors[0].numpy()])
    # The maker takes L from OpenCV, which is within 0.2 of it, and a level is 0.27 of L or more.
    assert np.abs(L.shown(colors)[0].numpy().astype(int) - a).max() <= 1


def test_picture_is_seen_as_the_gray_of_its_lightness():
    gray = torch.arange(256, dtype=torch.uint8)[None, :, None, None].expand(1, 256, 1, 3)
    assert AB.seen(gray).abs().max() < 1e-5
    assert torch.equal(L.shown(gray), gray)
    seen = L.shown(all_kinds_of_colors())
    assert (L.seen(seen) - L.seen(all_kinds_of_colors())).abs().max() < 0.01


def test_lightness_comes_from_the_target_which_is_kept_alone(dataset, tmp_path):
    settings = DataSettings(path=dataset.path, load_size=36, crop_size=32, b_as="lab")
    cache = PairCache(dataset, settings, split="train", device=torch.device("cpu"))
    batch = cache.batch(np.array([0, 1]), np.random.default_rng(0))
    assert batch.a.shape == (2, 1, 32, 32)
    assert batch.b.shape == (2, 2, 32, 32)
    assert [kept.shape for kept in cache._stored] == [(7, 36, 36, 3)]
    photos = AB.made(batch.b, batch.a).reshape(-1, 3)
    assert (photos == torch.tensor([200, 60, 30])).all(dim=1).sum() > 200  # the discs that side B shows


def test_lab_is_for_the_side_that_is_made(recipe_path):
    with pytest.raises(RecipeError, match=r"data\.a_as: .*side that is made, and data\.direction is \"AtoB\""):
        load_recipe(recipe_path, ["data.a_as=lab"])
    assert load_recipe(recipe_path, ["data.a_as=lab", "data.direction=BtoA"]).data.a_as == "lab"


def test_plan_says_so(recipe_path, dataset):
    told = describe(load_recipe(recipe_path, ["data.b_as=lab"]), dataset)
    assert "lightness to colours of B at 32 px" in told


def test_run_in_lab_makes_a_model_that_colours_pictures_of_any_kind(train_tiny, dataset_dir, tmp_path):
    run = train_tiny("data.b_as=lab")
    model = load_model(run)
    assert (model.config.spec.in_channels, model.config.spec.out_channels) == (1, 2)
    assert json.loads((run / "model" / "config.json").read_text())["sides"]["target"]["view"] == "ab"
    assert "keeps the lightness" in (run / "model" / "README.md").read_text()
    sheet = read_rgb(run / "samples" / "000006.png")
    assert sheet.std(axis=2).max() > 10  # G(A) and B are in colour

    photo = np.random.default_rng(0).integers(60, 200, (40, 50, 3), np.uint8)
    gray = L.shown(torch.from_numpy(photo)[None])[0].numpy()
    write_png(tmp_path / "in" / "colored.png", photo)
    write_png(tmp_path / "in" / "gray.png", gray)
    translate(Translator(model, CPU), find_inputs([tmp_path / "in"]), tmp_path / "out")
    made = [read_rgb(tmp_path / "out" / name) for name in ("colored.png", "gray.png")]
    assert made[0].shape == photo.shape
    assert np.abs(made[0].astype(int) - made[1]).mean() < 2  # the colours of what is given play no part
    seen = L.shown(torch.from_numpy(made[0])[None])[0].numpy()
    assert np.median(np.abs(seen.astype(int) - gray)) <= 1

    found = find_inputs([dataset_dir])
    assert translate(Translator(model, CPU), found, tmp_path / "pairs").num_pictures == 3
