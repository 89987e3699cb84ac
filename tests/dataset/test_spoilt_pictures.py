"""Broken and odd pictures, drawn from a seed: each is read or refused with a reason, and accounted for."""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from pix2pix_data.check import check_dataset
from pix2pix_data.errors import ImageError
from pix2pix_data.images import decode_photo, encode_png
from pix2pix_data.srgb import to_srgb

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from spoilt_pictures import Spoilt, spoilt_pictures

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
    pytest.mark.filterwarnings("ignore:.* removed in Pillow:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def spoilt() -> list[Spoilt]:
    """Some 450 files: every format and mode, and a few dozen of each way to spoil one; fewer than 20 megapixels."""
    files = spoilt_pictures(7, 24)
    return [one for one in files if not ("4096" in one.name or "8000" in one.name or "12000" in one.name)]


@pytest.fixture(scope="module")
def folder(spoilt, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("spoilt")
    (path / "train").mkdir()
    for one in spoilt:
        (path / "train" / one.name).write_bytes(one.content)
    return path


def test_each_is_read_or_refused_with_a_reason(spoilt):
    outcomes: Counter[tuple[str, bool]] = Counter()
    for one in spoilt:
        try:
            rgb = decode_photo(one.content).rgb
            assert rgb.dtype == np.uint8
            assert rgb.ndim == 3
            outcomes[one.family, True] += 1
        except ImageError:
            outcomes[one.family, False] += 1
    assert sum(outcomes.values()) > 400
    assert outcomes["formats and modes", True] > 140
    assert outcomes["declared sizes", False] > 30
    for family in ("truncated", "heads changed", "bits flipped", "huge numbers"):
        assert outcomes[family, False] > 5, family


def test_check_accounts_for_each(spoilt, folder):
    result = check_dataset(folder, workers=1)
    num_damaged = sum(finding.count for finding in result.findings if finding.kind == "damaged-pairs")
    num_pairs = sum(result.facts.num_pairs.values())
    assert num_pairs > 400
    assert num_damaged + sum(result.facts.sizes.values()) == result.facts.num_looked_at == num_pairs


def test_import_accounts_for_each(spoilt, folder, p2p_data, tmp_path):
    done = p2p_data("import", folder, "--out", "pairs", "--max-failed", "1", "--workers", "1")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "pairs" / "build.json").read_text())
    num_failed = len((tmp_path / "pairs" / "failures.jsonl").read_text().splitlines())
    assert sum(record["pairs"].values()) + num_failed + len(record["others"]) == len(spoilt)


@pytest.mark.parametrize("orientation", range(10))
def test_strips_of_a_turned_picture_come_to_lie_where_the_whole_does(orientation, monkeypatch):
    monkeypatch.setattr("pix2pix_data.srgb._STRIP_PIXELS", 100)  # three rows at a time
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (23, 31, 3), np.uint8))
    image.getexif()[0x0112] = orientation
    turned = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(to_srgb(image, orientation=orientation), turned)


def test_of_a_large_picture_there_is_one_array_and_a_strip(monkeypatch):
    monkeypatch.setattr("pix2pix_data.srgb._STRIP_PIXELS", 1 << 16)
    content = encode_png(np.full((1200, 1200, 3), (200, 120, 40), np.uint8))
    tracemalloc.start()  # sees the arrays of numpy and the bytes of Python, not what Pillow holds
    decode_photo(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.3 * 1200 * 1200 * 3
