"""Two sides that are there already: which pictures are paired, and how they are brought to one size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from pix2pix_data.channel_kinds import CHANNELS
from pix2pix_data.dataset import encode_pair, open_dataset
from pix2pix_data.errors import UsageError
from pix2pix_data.images import write_png
from pix2pix_data.makers.combine import CombineMaker
from pix2pix_data.pair import Failed, Other, Pair, PairPlan
from pix2pix_data.png import png_of_levels


def pair_of(folder: Path, a: np.ndarray, b: np.ndarray, **settings: object) -> Pair | Failed:
    """Write one picture for each side and combine them."""
    write_png(folder / "A" / "1.png", a)
    write_png(folder / "B" / "1.png", b)
    maker = CombineMaker(folder_b=folder / "B", **settings)
    (outcome,) = maker.make(list(maker.plan(folder / "A")))
    return outcome


def test_two_folders_are_combined_and_the_rest_accounted_for(tmp_path, draw):
    for i in range(4):
        write_png(tmp_path / "A" / f"{i}.png", draw(i))
        write_png(tmp_path / "B" / f"{i + 1}.png", draw(i + 11))
    (tmp_path / "B" / "readme.md").write_text("hi")
    maker = CombineMaker(folder_b=tmp_path / "B", size=(90, 70))
    planned = list(maker.plan(tmp_path / "A"))
    failed = [(one.key, one.reason) for one in planned if isinstance(one, Failed)]
    assert failed == [("0", "no picture of this name in B"), ("4", "no picture of this name in A")]
    assert [one for one in planned if isinstance(one, Other)] == [Other(str(tmp_path / "B" / "readme.md"))]
    pairs = list(maker.make([one for one in planned if isinstance(one, PairPlan)]))
    assert np.array_equal(pairs[0].a, draw(1))
    assert np.array_equal(pairs[0].b, draw(11))


def test_a_side_that_needs_no_change_keeps_its_file(tmp_path, draw):
    maker = CombineMaker(folder_b=tmp_path / "B", size=(90, 70))
    for i, side in enumerate("AB"):
        (tmp_path / side).mkdir()
        Image.fromarray(draw(i)).save(tmp_path / side / "1.png", compress_level=1)  # not as we would write it
    (pair,) = maker.make(list(maker.plan(tmp_path / "A")))
    encoded = encode_pair(pair, lossless=False)
    assert (encoded.a, encoded.b) == tuple((tmp_path / side / "1.png").read_bytes() for side in "AB")


def test_a_side_that_was_cut_and_enlarged_again_does_not_keep_its_file(tmp_path, draw):
    pair = pair_of(tmp_path, draw(0)[:50], draw(1), size=(90, 70), unequal="crop")
    decoded = encode_pair(pair, lossless=True).decode()
    assert np.array_equal(decoded.b, pair.b)
    assert not np.array_equal(decoded.b, draw(1))


def test_a_folder_of_both_sides_is_combined(tmp_path, draw, p2p_data):
    for i in range(3):
        write_png(tmp_path / "set" / f"{i}_A.png", draw(i))
        write_png(tmp_path / "set" / f"{i}_B.png", draw(i + 11))
    done = p2p_data("combine", "set", "--size", "90x70", "--lossless", "--val", "0", "--test", "0", "--group", "file")
    assert done.returncode == 0, done.stderr
    pairs = list(open_dataset(tmp_path / "set-combine").pairs("train"))
    assert sorted(pair.key for pair in pairs) == ["0", "1", "2"]
    assert all(np.array_equal(pair.b, draw(int(pair.key) + 11)) for pair in pairs)
    assert "p2p-data combine set --size 90x70" in (tmp_path / "set-combine" / "README.md").read_text()


def test_pictures_without_a_partner_are_counted_and_listed(tmp_path, draw, p2p_data):
    for i in range(3):
        write_png(tmp_path / "A" / f"photo_{i}.png", draw(i))
        write_png(tmp_path / "B" / f"photo_{i}.png", draw(i))
    write_png(tmp_path / "A" / "photo_3.png", draw(3))
    write_png(tmp_path / "B" / "photos_3.png", draw(3))
    done = p2p_data("combine", "A", "B", "--size", "64", "--val", "0", "--test", "0", "--group", "file")
    assert done.returncode == 3
    assert "pairs with the same file on both sides: 3, such as photo_0" in done.stderr
    assert "3 pairs (3 train), 2 failed" in done.stdout
    assert "1 x no picture of this name in B" in done.stdout
    lines = [json.loads(line) for line in (tmp_path / "A-B" / "failures.jsonl").read_text().splitlines()]
    assert lines[0] == {
        "key": "photo_3",
        "source": "photo_3.png",
        "reason": "no picture of this name in B: the nearest is photos_3.png",
    }


def test_folders_without_one_pair_are_refused_with_an_example(tmp_path, draw):
    write_png(tmp_path / "A" / "cat.png", draw())
    write_png(tmp_path / "B" / "dog.png", draw())
    with pytest.raises(UsageError, match=r"no two of 2 pictures belong together .*: no picture of this name in B"):
        list(CombineMaker(folder_b=tmp_path / "B").plan(tmp_path / "A"))


def test_names_that_differ_in_their_endings_are_told(tmp_path, draw):
    write_png(tmp_path / "A" / "1_a.png", draw(0))
    write_png(tmp_path / "B" / "1_b.png", draw(1))
    maker = CombineMaker(folder_b=tmp_path / "B")
    notes = maker.notes(list(maker.plan(tmp_path / "A")))
    assert notes == ["pairs whose names differ in their endings: 1, such as 1_a.png and 1_b.png"]


@pytest.mark.parametrize("names", [{"a_name": "*_a"}, {"b_name": "*_b"}, {"a_name": "_a", "b_name": "*"}])
def test_name_patterns_go_together_and_have_a_star(names):
    with pytest.raises(ValidationError, match=r"go together|needs one"):
        CombineMaker(**names)


# --- sizes


def test_sides_of_other_shapes_are_refused_with_both_sizes_and_a_way_out(tmp_path, draw):
    outcome = pair_of(tmp_path, draw(1, 90, 70), draw(1, 90, 60))
    assert outcome.reason == (
        "A and B differ in shape: 90x70 and 90x60 pixels; --unequal crop or stretch makes a pair of them"
    )


def test_a_side_that_lost_its_exif_turn_is_told(tmp_path, draw):
    outcome = pair_of(tmp_path, draw(1, 90, 70), draw(1, 70, 90))
    assert outcome.reason.endswith("90x70 and 70x90 pixels; one of them seems to have lost its EXIF turn")


@pytest.mark.parametrize("size_b", [(45, 35), (270, 210), (91, 70), (30, 23)])
def test_a_side_of_another_size_is_brought_to_size(size_b, tmp_path, draw):
    pair = pair_of(tmp_path, draw(1, 90, 70), draw(1, *size_b), size=(64, 48))
    assert pair.a.shape == pair.b.shape == (48, 64, 3)


def test_unequal_sides_are_cut_around_their_middles(tmp_path, draw):
    whole = draw(1, 90, 70)
    pair = pair_of(tmp_path, whole[5:65, 10:80], whole, size=(70, 60), unequal="crop")
    assert np.array_equal(pair.a, pair.b)


@pytest.mark.parametrize("labels", [True, False])
def test_an_unequal_side_is_stretched(labels, tmp_path, draw):
    whole = draw(1, 90, 70)
    half = np.asarray(Image.fromarray(whole).resize((45, 70), Image.Resampling.NEAREST))
    pair = pair_of(tmp_path, half, whole, size=(90, 70), unequal="stretch", labels=labels)
    colors = {tuple(color) for color in np.unique(pair.a.reshape(-1, 3), axis=0)}
    assert (colors <= {tuple(color) for color in half.reshape(-1, 3)}) == labels
    assert np.abs(pair.a.astype(int) - pair.b).mean() < 3


def test_label_colours_are_not_mixed(tmp_path):
    colors = ((20, 30, 40), (200, 40, 30), (90, 200, 80), (240, 240, 230))
    labels = np.repeat(np.repeat(np.array(colors, np.uint8)[:, None], 30, axis=0), 20, axis=1)
    pair = pair_of(tmp_path, labels, labels, size=(33, 47), labels=True)
    assert {tuple(color) for color in np.unique(pair.a.reshape(-1, 3), axis=0)} <= set(colors)


# --- more than RGB ------------------------------------------------------------------------------------------------


def write_channels(path: Path, name: str, seed: int, height: int = 70, width: int = 90) -> np.ndarray:
    form = CHANNELS[name]
    pixels = np.random.default_rng(seed).integers(1, 2**form.bits, (height, width, form.num)).astype(form.dtype)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_of_levels(pixels))
    return pixels


@pytest.mark.parametrize("name", CHANNELS)
def test_bits_and_transparency_are_kept_where_they_are_asked_for(tmp_path, name):
    a = write_channels(tmp_path / "A" / "1.png", name, 0)
    b = write_channels(tmp_path / "B" / "1.png", "gray16", 1)
    maker = CombineMaker(folder_b=tmp_path / "B", size=(90, 70), a_as=name, b_as="gray16")
    (pair,) = maker.make(list(maker.plan(tmp_path / "A")))
    encoded = encode_pair(pair, lossless=False)
    kept_a, kept_b = encoded.decode_sides(("A", name), ("B", "gray16"))
    assert np.array_equal(kept_a, a)
    assert np.array_equal(kept_b, b)
    assert np.array_equal(encoded.decode().a, pair.a), "what people see is what the file holds"
    assert np.array_equal(encoded.decode().b, pair.b)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_what_is_invisible_does_not_bleed_when_it_is_resized(tmp_path, fit):
    cutout = np.zeros((70, 90, 4), np.uint8)
    cutout[:, 30:60] = (200, 100, 50, 255)
    cutout[:, 60:] = (0, 255, 0, 0)  # green, and not to be seen
    (tmp_path / "B").mkdir()
    (tmp_path / "B" / "1.png").write_bytes(png_of_levels(cutout))
    write_channels(tmp_path / "A" / "1.png", "rgb", 0)
    maker = CombineMaker(folder_b=tmp_path / "B", size=(64, 48), fit=fit, b_as="rgba")
    (pair,) = maker.make(list(maker.plan(tmp_path / "A")))
    (kept,) = encode_pair(pair, lossless=False).decode_sides(("B", "rgba"))
    assert kept.shape == (48, 64, 4)
    visible = kept[..., 3] > 20
    assert 0.2 < visible.mean() < 0.5
    assert np.abs(kept[visible][:, :3].astype(int) - (200, 100, 50)).max() <= 6


def test_datasets_loads_what_was_kept_also_after_another_split(tmp_path, p2p_data):
    for i in range(4):
        write_channels(tmp_path / "A" / f"{i}.png", "gray16", i)
        write_channels(tmp_path / "B" / f"{i}.png", "rgba", i)
    options = ("--size", "90x70", "--val", "0", "--test", "0", "--group", "file")
    done = p2p_data("combine", "A", "B", "--a-as", "gray16", "--b-as", "rgba", "--out", "pairs", *options)
    assert done.returncode == 0, done.stderr
    assert "--set data.path=pairs --set data.a_as=gray16 --set data.b_as=rgba" in done.stdout
    done = p2p_data("split", "pairs", "--out", "again", "--val", "1", "--test", "0", "--group", "file")
    assert done.returncode == 0, done.stderr
    for name in ("pairs", "again"):
        card = (tmp_path / name / "README.md").read_text()
        assert card.index("mode: I;16") < card.index("mode: RGBA")
        assert open_dataset(tmp_path / name).modes == ("I;16", "RGBA")
    code = (
        "from datasets import load_dataset\n"
        "row = load_dataset('pairs', split='train')[0]\n"
        "print(row['imageA'].mode, row['imageB'].mode, row['imageA'].getextrema()[1] > 255)"
    )
    environment = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "PATH": ""}
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False)
    assert loaded.stdout.split() == ["I;16", "RGBA", "True"], loaded.stderr
