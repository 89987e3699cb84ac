from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pix2pix_data.edges.soft_maps import read_map
from pix2pix_data.edges.strokes import strokes
from pix2pix_data.errors import ImageError
from pix2pix_data.images import read_rgb


def soft_circle(width: int = 61, height: int = 47) -> np.ndarray:
    canvas = np.zeros((height, width), np.float32)
    cv2.circle(canvas, (width // 2, height // 2), 15, 1.0, 3)
    return cv2.GaussianBlur(canvas, (0, 0), 1)


@pytest.mark.parametrize("suffix", ["8.png", "16.png", "rgb.png", "float.npy", "16.npy", "8.npy", "channel.npy"])
def test_every_kind_of_file_gives_the_same_map(suffix, tmp_path):
    edge_map = soft_circle()
    path = tmp_path / suffix
    bytes_map, words_map = (np.rint(edge_map * white).astype(kind) for white, kind in ((255, "u1"), (65535, "u2")))
    if suffix.endswith(".npy"):
        arrays = {"float": edge_map, "16": words_map, "8": bytes_map, "channel": edge_map[None]}
        np.save(path, arrays[path.stem])
    elif suffix == "rgb.png":
        Image.fromarray(np.repeat(bytes_map[:, :, None], 3, axis=2)).save(path)
    else:
        Image.fromarray(words_map if suffix == "16.png" else bytes_map).save(path)
    read = read_map(path)
    assert read.dtype == np.float32
    assert read.shape == edge_map.shape
    assert np.abs(read - edge_map).max() < 0.003


@pytest.mark.parametrize("what", ["colour", "logits", "nan", "pickle", "broken", "three-dimensional"])
def test_what_is_no_map_is_refused(what, tmp_path):
    path = tmp_path / ("map.png" if what in ("colour", "broken") else "map.npy")
    if what == "colour":
        Image.new("RGB", (9, 7), (200, 10, 10)).save(path)
    elif what == "broken":
        path.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    elif what == "pickle":
        np.save(path, np.array([{"not": "numbers"}], object), allow_pickle=True)
    else:
        arrays = {"logits": soft_circle() * 20 - 10, "nan": soft_circle() * np.nan}
        np.save(path, arrays.get(what, np.zeros((4, 5, 6), np.float32)))
    with pytest.raises(ImageError):
        read_map(path)


def test_the_command_draws_dark_strokes_on_white(p2p_data, tmp_path):
    (tmp_path / "maps" / "sub").mkdir(parents=True)
    np.save(tmp_path / "maps" / "sub" / "a.npy", soft_circle())
    Image.fromarray(np.rint(soft_circle() * 255).astype(np.uint8)).save(tmp_path / "maps" / "b.png")
    done = p2p_data("strokes", "maps", "--out", "drawn", "--size", "keep")
    assert done.returncode == 0, done.stderr
    drawn = read_rgb(tmp_path / "drawn" / "sub" / "a.png")
    assert np.array_equal(drawn[:, :, 0] == 0, strokes(soft_circle()))
    assert set(np.unique(drawn)) == {0, 255}
    assert p2p_data("strokes", "maps").returncode == 0
    assert read_rgb(tmp_path / "maps-strokes" / "b.png").shape == (256, 256, 3)


def test_a_map_that_cannot_be_read_is_told(p2p_data, tmp_path):
    (tmp_path / "maps").mkdir()
    np.save(tmp_path / "maps" / "good.npy", soft_circle())
    (tmp_path / "maps" / "bad.png").write_bytes(b"no")
    done = p2p_data("strokes", "maps")
    assert done.returncode == 3
    assert "bad.png: no edge map" in done.stdout
    assert (tmp_path / "maps-strokes" / "good.png").is_file()


@pytest.mark.parametrize("arguments", [("--size", "big"), ("--out", "maps/drawn")])
def test_wrong_use_of_the_command_is_told(p2p_data, tmp_path, arguments):
    (tmp_path / "maps").mkdir()
    np.save(tmp_path / "maps" / "good.npy", soft_circle())
    assert p2p_data("strokes", "maps", *arguments).returncode in (1, 2)
    assert [path.name for path in Path(tmp_path).iterdir()] == ["maps"]
