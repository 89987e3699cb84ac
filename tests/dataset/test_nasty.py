"""Difficult files from the test suites of imaging libraries, where they lie beside the repository."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pix2pix_data.dataset import open_dataset
from pix2pix_data.errors import ImageError
from pix2pix_data.images import read_rgb
from pix2pix_data.maker import PhotoMaker
from pix2pix_data.makers import PAIR_MAKERS
from pix2pix_data.pair import Pair, PairPlan

PHOTO_MAKERS = [name for name in PAIR_MAKERS.names() if issubclass(PAIR_MAKERS.get(name), PhotoMaker)]
NASTY = Path(__file__).parents[3] / "shared" / "data" / "nasty"

pytestmark = pytest.mark.skipif(not NASTY.is_dir(), reason="the difficult files are not on this machine")


def test_every_difficult_file_is_accounted_for(p2p_data, tmp_path):
    done = p2p_data("colorize", NASTY, "--size", "64", "--max-failed", "0.2")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "nasty-colorize"
    record = json.loads((out / "build.json").read_text())
    num_pairs = sum(open_dataset(out).num_pairs.values())
    num_failed = len((out / "failures.jsonl").read_text().splitlines())
    num_files = sum(path.is_file() for path in NASTY.rglob("*"))
    assert num_pairs + num_failed + len(record["others"]) == num_files
    assert num_pairs >= 470
    assert "Traceback" not in done.stderr
    assert "TIFF" not in done.stderr, "libtiff speaks for itself"


@pytest.mark.parametrize("name", PHOTO_MAKERS)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_every_maker_of_photos_gives_a_pair_or_a_reason(name):
    maker = PAIR_MAKERS.get(name)(size=(64, 48))
    plans = [one for one in maker.plan(NASTY) if isinstance(one, PairPlan)][::8]
    outcomes = list(maker.fitted(plans).make(plans))
    assert [one.key for one in outcomes] == [plan.key for plan in plans]
    pairs = [one for one in outcomes if isinstance(one, Pair)]
    assert all(pair.a.shape == pair.b.shape == (48, 64, 3) for pair in pairs)
    assert len(pairs) > 0.8 * len(plans)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_pillow_reads_we_read():
    refused = []  # files tagged bad-exif are broken in ways that Pillow refuses too
    with (NASTY / "CATALOG.csv").open(newline="") as file:
        readable = [
            row for row in csv.DictReader(file) if row["mode"] and not row["error"] and "bad-exif" not in row["tags"]
        ]
    for row in readable:
        try:
            read_rgb(NASTY / row["path"])
        except ImageError as error:
            refused.append(f"{row['path']}: {error}")
    assert len(readable) > 450
    assert refused == []
