"""Sides as networks see them: what goes in comes out, to the level, and in the order that the recipe says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pix2pix_data.channel_kinds import CHANNELS
from pix2pix_data.channels import decode_channels
from pix2pix_data.dataset import open_dataset
from pix2pix_data.errors import FormatError, RecipeError, UsageError
from pix2pix_data.images import encode_jpeg, encode_png, read_rgb, write_png
from pix2pix_data.png import png_of_levels
from pix2pix_model.checkpoint import load_model
from pix2pix_model.data import PairCache
from pix2pix_model.device import choose_device
from pix2pix_model.pair_reader import PairReader
from pix2pix_model.picture_size import PictureSize
from pix2pix_model.plan import describe
from pix2pix_model.recipe import DataSettings
from pix2pix_model.recipe_file import load_recipe
from pix2pix_model.sides import SideSpec, sides_of
from pix2pix_model.translate import Translator, encode_picture, find_inputs, translate
from pix2pix_model.views import to_array, to_tensor, view_of

CPU, DEVICE = choose_device("cpu"), torch.device("cpu")
PALETTE = ("#000000", "#ff0000", "#00ff00", "#fafafa")
COLORS = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [250, 250, 250]], np.uint8)
SIZE = PictureSize(32, 40)


def draw(name: str, index: int = 0, size: PictureSize = SIZE) -> np.ndarray:
    """Every pixel another: what is misplaced or rounded is seen."""
    form = CHANNELS[name]
    return np.random.default_rng(index).integers(1, 2**form.bits, (*size, form.num)).astype(form.dtype)


def labels(index: int = 0) -> np.ndarray:
    """Blocks of 4 px, so that a resize to half would mix colours if it were not nearest."""
    blocks = np.random.default_rng(index).integers(0, len(PALETTE), (SIZE.height // 4, SIZE.width // 4))
    return COLORS[blocks.repeat(4, 0).repeat(4, 1)]


def write_pairs(folder: Path, a: list[bytes], b: list[bytes], *, palette: bool = True) -> Path:
    """A dataset of two folders for each split; the same pairs in both splits."""
    for name, files in (("trainA", a), ("trainB", b), ("valA", a), ("valB", b)):
        (folder / name).mkdir(parents=True)
        for i, content in enumerate(files):
            (folder / name / f"{i}.png").write_bytes(content)
    if palette:
        entries = [{"name": f"class {i}", "color": color} for i, color in enumerate(PALETTE)]
        (folder / "palette.json").write_text(json.dumps({"colors": entries}))
    return folder


def settings(path: Path, **changes: object) -> DataSettings:
    plain = {"path": path, "load_size": list(SIZE), "crop_size": list(SIZE), "mirror": False}
    return DataSettings.model_validate({**plain, **changes})


def batch_of(path: Path, indices: list[int], **changes: object):
    cache = PairCache(open_dataset(path), settings(path, **changes), split="train", device=DEVICE)
    return cache.batch(np.array(indices), np.random.default_rng(0)), cache


def bytes_of(cache: PairCache) -> int:
    """What a pixel of a pair takes in the cache."""
    return sum(kept.shape[-1] * kept.itemsize for kept in cache._stored)


# --- exact there and back -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHANNELS)
def test_every_level_goes_through_the_cache_and_comes_back(tmp_path, name):
    folder = write_pairs(tmp_path, [png_of_levels(draw(name))], [encode_png(draw("rgb"))])
    batch, cache = batch_of(folder, [0], a_as=name)
    view = view_of(SideSpec(side="A", view=name))
    assert batch.a.shape == (1, CHANNELS[name].num, *SIZE)
    assert batch.a.abs().max() <= 1
    back = to_array(view.made(batch.a, batch.a))[0]
    expected = draw(name)
    if name == "rgba16":  # at a 65535th of opacity a colour has no 16 bits left in a float
        assert np.array_equal(back[..., 3], expected[..., 3])
        seen = expected[..., 3:] > 2**12
        assert np.abs(back.astype(int) - expected)[..., :3][seen[..., 0]].max() <= 1
    else:
        assert np.array_equal(back, expected)
    assert bytes_of(cache) == CHANNELS[name].num * CHANNELS[name].bits // 8 + 3


def test_classes_are_one_hot_and_come_back_as_their_colours(tmp_path):
    folder = write_pairs(tmp_path, [encode_png(labels())], [encode_png(draw("rgb"))])
    batch, cache = batch_of(folder, [0], a_as="classes")
    assert batch.a.shape == (1, 4, *SIZE)
    assert batch.a.sum(1).unique().tolist() == [-2]  # one is 1, three are -1
    for channel, color in enumerate(COLORS):
        assert np.array_equal(batch.a[0, channel].numpy() == 1, (labels() == color).all(2))
    view = view_of(SideSpec(side="A", view="classes", colors=PALETTE))
    made = view.made(batch.a * 0.1 + 0.3, batch.a)
    assert np.array_equal(view.picture(made)[0].numpy(), labels())
    assert bytes_of(cache) == 1 + 3


def test_classes_stay_classes_at_another_size(tmp_path):
    folder = write_pairs(tmp_path, [encode_png(labels())], [encode_png(draw("rgb"))])
    small = {"load_size": [SIZE.height // 2, SIZE.width // 2], "crop_size": 16}
    batch, _ = batch_of(folder, [0], a_as="classes", **small)
    assert set(batch.a.unique().tolist()) == {-1, 1}


def test_smeared_colours_become_their_class_with_a_word(tmp_path, capsys):
    big = labels().repeat(4, 0).repeat(4, 1)  # 16 px blocks
    folder = write_pairs(tmp_path, [encode_jpeg(big)], [encode_png(draw("rgb"))])
    batch, _ = batch_of(folder, [0], a_as="classes")
    found = batch.a[0].argmax(0).numpy()
    assert (COLORS[found] == labels()).all(2).mean() > 0.99
    assert "of the pixels of A have no colour of palette.json" in capsys.readouterr().err


def test_classes_without_a_palette_are_refused(tmp_path):
    folder = write_pairs(tmp_path, [encode_png(labels())], [encode_png(labels())], palette=False)
    with pytest.raises(FormatError, match="no palette"):
        sides_of(settings(folder, b_as="classes"))


def test_levels_say_what_is_seen_as_the_ends_of_the_range(tmp_path):
    depth = np.linspace(0, 6000, SIZE.height * SIZE.width).astype(np.uint16).reshape(*SIZE, 1)
    folder = write_pairs(tmp_path, [encode_png(draw("rgb"))], [png_of_levels(depth)])
    batch, _ = batch_of(folder, [0], b_as="gray16", levels=[1000, 5000])
    seen = batch.b[0, 0].numpy()
    assert (seen.min(), seen.max()) == (-1, 1)
    view = view_of(SideSpec(side="B", view="gray16", levels=(1000, 5000)))
    assert np.array_equal(to_array(view.made(batch.b, batch.a))[0], depth.clip(1000, 5000))
    shown = view.shown(to_tensor(depth[None]))[0]
    assert (shown.min(), shown.max(), shown.shape) == (0, 255, (*SIZE, 3))


def test_levels_that_are_cut_or_hardly_used_are_told(tmp_path, capsys):
    depth = np.linspace(1000, 6000, SIZE.height * SIZE.width).astype(np.uint16).reshape(*SIZE, 1)
    folder = write_pairs(tmp_path, [encode_png(draw("rgb"))], [png_of_levels(depth)])
    batch_of(folder, [0], b_as="gray16")
    assert "careful: levels of B go from 1000 to 6000, little of what" in capsys.readouterr().err
    batch_of(folder, [0], b_as="gray16", levels=[1000, 5000])
    assert "levels of B go from 1000 to 6000, and what is beyond data.levels (1000 to 5000) is cut" in (
        capsys.readouterr().err
    )
    batch_of(folder, [0], b_as="gray16", levels=[1000, 6000])
    assert "careful" not in capsys.readouterr().err


def test_what_is_invisible_bleeds_into_nothing(tmp_path):
    picture = np.zeros((*SIZE, 4), np.uint8)
    picture[:, :20] = (200, 100, 50, 255)
    picture[:, 20:] = (0, 255, 0, 0)  # green, and not to be seen
    folder = write_pairs(tmp_path, [encode_png(draw("rgb"))], [png_of_levels(picture)])
    batch, _ = batch_of(folder, [0], b_as="rgba", load_size=[16, 19], crop_size=[16, 19])
    back = to_array(view_of(SideSpec(side="B", view="rgba")).made(batch.b, batch.a))[0].astype(int)
    visible = back[..., 3] > 20
    assert 0.4 < visible.mean() < 0.7
    assert np.abs(back[visible][:, :3] - (200, 100, 50)).max() <= 6
    assert not back[back[..., 3] == 0].any()


def test_transparency_is_shown_on_a_board():
    view = view_of(SideSpec(side="B", view="rgba"))
    clear = torch.zeros(1, 16, 16, 4, dtype=torch.uint8)
    assert sorted(view.shown(clear).unique().tolist()) == [204, 255]
    clear[..., 3] = 255
    assert not view.shown(clear).any()


@pytest.mark.parametrize("name", [*CHANNELS, "classes"])
def test_a_file_has_the_channels_and_bits_that_were_made(name):
    view = view_of(SideSpec(side="B", view=name, colors=PALETTE))
    stored = draw(name) if name != "classes" else np.random.default_rng(0).integers(0, 4, (*SIZE, 1)).astype(np.uint8)
    content = encode_picture(view, stored)
    if name == "classes":
        assert np.array_equal(decode_channels(content, "rgb"), COLORS[stored[:, :, 0]])
    else:
        assert np.array_equal(decode_channels(content, name), stored)
        assert content[24] == CHANNELS[name].bits  # of a sample, in the head of a PNG


# --- several inputs -----------------------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two datasets of the same keys, in another order: 16-bit gray to RGB, and labels to 16-bit gray."""
    first = [png_of_levels(draw("gray16", i)) for i in range(4)]
    photos = [encode_png(draw("rgb", 10 + i)) for i in range(4)]
    one = write_pairs(tmp_path / "one", first, photos)
    other = write_pairs(tmp_path / "other", [encode_png(labels(i)) for i in range(4)], first)
    for folder in ("trainA", "trainB"):  # three of the keys are in the test split there
        (other / folder.replace("train", "test")).mkdir()
        for i in (0, 2, 3):
            (other / folder / f"{i}.png").rename(other / folder.replace("train", "test") / f"{i}.png")
        for i in range(4):
            (other / folder.replace("train", "val") / f"{i}.png").unlink()
        (other / folder.replace("train", "val")).rmdir()
    return one, other


def test_inputs_are_stacked_in_the_order_of_the_recipe_whatever_the_splits(two):
    one, other = two
    batch, cache = batch_of(one, [3, 0], a_as="gray16", also=[f"{other}:A as classes", f"{other}:B as gray16"])
    assert batch.a.shape == (2, 1 + 4 + 1, *SIZE)
    assert batch.b.shape == (2, 3, *SIZE)
    for row, index in enumerate((3, 0)):
        levels = ((batch.a[row, [0, 5]].double() + 1) * 32767.5).round().numpy()
        assert np.array_equal(levels, draw("gray16", index).transpose(2, 0, 1).repeat(2, 0))
        assert np.array_equal(COLORS[batch.a[row, 1:5].argmax(0).numpy()], labels(index))
    assert bytes_of(cache) == 2 + 3 + 1 + 2


def test_all_sides_are_cut_and_mirrored_alike(two):
    one, other = two
    same = {"a_as": "gray16", "also": [f"{other}:B as gray16"], "load_size": [32, 40], "crop_size": [24, 24]}
    cache = PairCache(open_dataset(one), settings(one, mirror=True, **same), split="train", device=DEVICE)
    batch = cache.batch(np.array([0, 1, 2, 3] * 5), np.random.default_rng(0))
    assert torch.equal(batch.a[:, 0], batch.a[:, 1])
    assert len({one.numpy().tobytes() for one in batch.a[::4, 0]}) > 1


def test_a_missing_key_is_named_before_a_run_is_made(two, recipe_path):
    one, other = two
    (other / "testA" / "2.png").unlink()
    (other / "testB" / "2.png").unlink()
    recipe = load_recipe(recipe_path, [f"data.path={one}", f'data.also=["{other}:A"]'])
    with pytest.raises(FormatError, match="1 of 4 keys are not in this dataset, such as 2"):
        describe(recipe, open_dataset(one))


def test_sides_of_other_proportions_are_named(two):
    one, other = two
    (other / "testB" / "3.png").write_bytes(encode_png(draw("rgb", 0, PictureSize(32, 64))))
    reader = PairReader(open_dataset(one), settings(one, also=[f"{other}:B"]))
    *_, last = reader.rows("train")
    with pytest.raises(Exception, match="its sides differ in shape: 40x32 pixels and 64x32 pixels: 3"):
        reader.read(last, SIZE)


@pytest.mark.parametrize("text", ["shoes", "shoes:C", "shoes:A as blue", "shoes:A as lab"])
def test_a_further_input_that_names_no_side_is_told(recipe_path, text):
    with pytest.raises(RecipeError, match=r"data\.also: should be like"):
        load_recipe(recipe_path, [f'data.also=["{text}"]'])


def test_a_run_in_words(two):
    one, other = two
    assert sides_of(settings(one)).words == "AtoB"
    assert sides_of(settings(one, direction="BtoA", a_as="gray16")).words == "B to A as gray16"
    stacked = sides_of(settings(one, also=[f"{other}:A as classes"]))
    assert stacked.words == "A and A of other as classes to B"
    assert stacked.titles == ["A", "A of other", "G(A)", "B"]


# --- from a recipe to pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a_as", "b_as"),
    [
        *(("gray", "rgb"), ("rgb", "gray"), ("gray16", "rgb"), ("rgb", "gray16"), ("rgb16", "rgba16")),
        *(("rgb", "rgba"), ("rgba", "rgb"), ("classes", "rgb"), ("rgb", "classes"), ("rgb", "lab")),
    ],
)
def test_every_view_trains_and_translates(tmp_path, train_tiny, a_as, b_as):
    def encoded(view: str, index: int) -> bytes:
        known = {"classes": encode_png(labels(index)), "lab": encode_png(draw("rgb", index))}
        return known[view] if view in known else png_of_levels(draw(view, index))

    pairs = [[encoded(view, 10 * side + i) for i in range(2)] for side, view in enumerate((a_as, b_as))]
    folder = write_pairs(tmp_path / "pairs", *pairs)
    sizes = ["data.load_size=36", "data.crop_size=32", "train.max_steps=2", "validation.every=0"]
    run = train_tiny(f"data.path={folder}", f"data.a_as={a_as}", f"data.b_as={b_as}", *sizes)
    model = load_model(run)
    assert model.config.spec.in_channels == model.config.sides.in_channels
    assert (run / "samples" / "000002.png").is_file()

    done = translate(Translator(model, CPU), find_inputs([folder / "trainA"]), tmp_path / "out")
    assert (done.num_pictures, done.failures) == (2, ())
    content = (tmp_path / "out" / "0.png").read_bytes()
    made = b_as if b_as in CHANNELS else "rgb"
    assert decode_channels(content, made).shape == (*SIZE, CHANNELS[made].num)
    assert content[24] in (CHANNELS[made].bits, 1)  # bits of a sample
    if b_as == "classes":
        colors = read_rgb(tmp_path / "out" / "0.png").reshape(-1, 3)
        assert {tuple(color) for color in colors} <= {tuple(color) for color in COLORS}
    assert translate(Translator(model, CPU), find_inputs([folder]), tmp_path / "pairs-out").num_pictures == 2


def test_a_model_of_two_inputs_asks_for_both(two, tmp_path, train_tiny):
    one, other = two
    also = f'data.also=["{other}:A as classes"]'
    run = train_tiny(f"data.path={one}", "data.a_as=gray16", also, "train.max_steps=2", "data.load_size=36")
    model = load_model(run)
    assert [spec.words for spec in model.config.sides.inputs] == ["A as gray16", "A of other as classes"]
    assert "translate THIS_FOLDER IMAGES --also DIR\n" in (run / "model" / "README.md").read_text()
    assert str(other.parent) not in (run / "model" / "config.json").read_text(), "where it lay is nobody's business"

    with pytest.raises(UsageError, match=r"is given 2 pictures \(A as gray16, A of other as classes\), not 1"):
        translate(Translator(model, CPU), find_inputs([one]), tmp_path / "out")
    with pytest.raises(UsageError, match="not 3"):
        translate(Translator(model, CPU), find_inputs([one], also=[other, other]), tmp_path / "out")
    assert translate(Translator(model, CPU), find_inputs([one], also=[other]), tmp_path / "out").num_pictures == 4

    hints = tmp_path / "hints"
    for i in range(4):
        write_png(hints / f"{i}.png", labels(i))
    found = find_inputs([one / "trainA"], also=[hints])
    assert translate(Translator(model, CPU), found, tmp_path / "files").num_pictures == 4
    for i in range(4):
        assert (tmp_path / "files" / f"{i}.png").read_bytes() == (tmp_path / "out" / f"{i}.png").read_bytes()
    single = find_inputs([one / "trainA" / "1.png"], also=[hints / "1.png"])
    translate(Translator(model, CPU), single, tmp_path / "single")
    assert (tmp_path / "single" / "1.png").read_bytes() == (tmp_path / "out" / "1.png").read_bytes()
    (hints / "2.png").unlink()
    with pytest.raises(FormatError, match="1 of 4 pictures are not here, such as 2"):
        find_inputs([one / "trainA"], also=[hints])


def test_a_run_cannot_change_what_its_networks_see(two, train_tiny):
    one, _ = two
    run = train_tiny(f"data.path={one}", "data.a_as=gray16", "train.max_steps=2")
    with pytest.raises(Exception, match=r"cannot change data\.a_as"):
        train_tiny(f"data.path={one}", "data.a_as=gray", "train.max_steps=4", resume=run)
