"""Arrow arrays made of buffers are those that pyarrow makes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from pix2pix_data.arrow_arrays import array_of_bools, array_of_lists, array_of_texts

TEXTS = [b"", b"a", "\u00e9\U0001f600".encode(), b"", b"longer than the others"]


@pytest.mark.parametrize("kind", [pa.binary(), pa.string(), pa.large_binary(), pa.large_string()])
@pytest.mark.parametrize("texts", [[], [b""], TEXTS])
def test_texts(kind, texts):
    array = array_of_texts(texts, kind)
    array.validate(full=True)
    assert array.equals(pa.array(texts, kind))
    assert array.type == kind


@pytest.mark.parametrize("lists", [[], [[]], [[b"a"], [], [b"b", b"c"]]])
def test_lists(lists):
    array = array_of_lists(lists, pa.large_binary())
    array.validate(full=True)
    assert array.equals(pa.array(lists, pa.list_(pa.large_binary())))


@pytest.mark.parametrize("num", [0, 1, 7, 8, 9, 100])
def test_masks(num):
    mask = np.random.default_rng(num).random(num) < 0.5
    array = array_of_bools(mask)
    array.validate(full=True)
    assert array.equals(pa.array(mask))


def test_more_than_small_offsets_can_say_is_told():
    class Long(bytes):
        def __len__(self) -> int:
            return 1 << 31

    with pytest.raises(OverflowError, match="2,147,483,648"):
        array_of_texts([Long()], pa.binary())


def test_a_build_imports_neither_pandas_nor_scikit_image(photos, tmp_path):
    pytest.importorskip("pandas")
    code = (
        "import sys\n"
        "from pix2pix_data.cli import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit as ended: assert not ended.code\n"
        "assert not {'pandas', 'skimage', 'scipy', 'pyarrow.dataset'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", code, "kmeans", str(photos), "--out", str(tmp_path / "out"), "--workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
