"""The PNG files that we write are held against two decoders that others wrote."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from pix2pix_data.png import png_of_bits, png_of_labels, png_of_levels

SIZES = [(1, 1), (1, 5), (5, 1), (7, 9), (64, 33), (65, 64), (130, 17)]  # rows are filtered in blocks of 64


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("num_channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("is_flat", [False, True])
def test_levels_come_back(height, width, num_channels, dtype, is_flat):
    rng = np.random.default_rng(height * width)
    drawn = (height, 1, 1) if is_flat else (height, width, num_channels)
    pixels = np.broadcast_to(
        rng.integers(0, np.iinfo(dtype).max, drawn, dtype, endpoint=True), (height, width, num_channels)
    )
    content = png_of_levels(pixels)
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED).reshape(pixels.shape)
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[num_channels]
    assert np.array_equal(decoded[:, :, order], pixels)
    with Image.open(io.BytesIO(content)) as picture:
        picture.verify()  # checksums


@pytest.mark.parametrize("view", ["turned", "every second", "one channel of three"])
def test_pixels_may_lie_anyhow_in_memory(view):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    seen = {
        "turned": pixels.swapaxes(0, 1),
        "every second": pixels[::2, ::2],
        "one channel of three": pixels[:, :, 1:2],
    }
    decoded = cv2.imdecode(np.frombuffer(png_of_levels(seen[view]), np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(decoded[:, :, ::-1] if decoded.ndim == 3 else decoded[:, :, None], seen[view])


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize(("num_colors", "bits"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 4), (16, 4), (17, 8), (256, 8)])
def test_labels_come_back_with_their_palette(height, width, num_colors, bits):
    rng = np.random.default_rng(num_colors)
    colors = rng.integers(0, 256, (num_colors, 3), np.uint8)
    labels = rng.integers(0, num_colors, (height, width), np.uint8)
    content = png_of_labels(labels, colors)
    assert content[24] == bits
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.asarray(picture), labels)
        assert np.array_equal(np.asarray(picture.convert("RGB")), colors[labels])


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_black_and_white_take_a_bit(height, width):
    is_white = np.random.default_rng(0).random((height, width)) < 0.5
    content = png_of_bits(is_white)
    assert content[24] == 1
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.mode == "1"
        assert np.array_equal(np.asarray(picture), is_white)


def test_flat_pictures_become_small():
    stripes = np.repeat(np.arange(8, dtype=np.uint8) * 30, 32)[None, :, None]
    assert len(png_of_levels(np.broadcast_to(stripes, (256, 256, 3)))) < 2000


def test_what_was_written_before_changes_no_byte():
    pixels = np.random.default_rng(0).normal(128, 20, (256, 256, 3)).clip(0, 255).astype(np.uint8)
    first = png_of_levels(pixels)
    png_of_levels(255 - pixels)
    assert png_of_levels(pixels.copy()) == first


DIGEST_OF_FILES = """
import hashlib
import numpy as np
from pix2pix_data.png import png_of_bits, png_of_labels, png_of_levels
rng, digest = np.random.default_rng(0), hashlib.sha256()
for side in (4, 16, 48, 200):
    labels = np.kron(rng.integers(0, 8, (side // 4, side // 4), np.uint8), np.ones((4, 4), np.uint8))
    photo = rng.normal(128, 20, (side, side, 3)).clip(0, 255).astype(np.uint8)
    digest.update(png_of_labels(labels, np.zeros((8, 3), np.uint8)) + png_of_bits(labels > 3))
    for pixels in (photo, photo[:, :, :1], labels[:, :, None].repeat(3, 2)):
        digest.update(png_of_levels(pixels))
print(digest.hexdigest())
"""


@pytest.mark.parametrize("num_processes", [4, pytest.param(1000, marks=pytest.mark.slow)])
def test_every_process_writes_the_same_bytes(num_processes):
    # Not on where things lie in memory, or on what lay there before: ISA-L writes others in one of 200 processes.
    def digest(number: int) -> str:
        environment = os.environ | {"MALLOC_PERTURB_": str(number % 256)}  # what the GNU C library fills memory with
        line = [sys.executable, "-c", DIGEST_OF_FILES]
        return subprocess.run(line, env=environment, capture_output=True, text=True, check=True).stdout

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        assert len(set(pool.map(digest, range(num_processes)))) == 1
