"""`p2p-data check` as a user meets it, on a dataset that p2p-data built, and on files that are no pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pix2pix_data.build import BuildOptions, build, plan_build
from pix2pix_data.check import check_dataset
from pix2pix_data.makers.kmeans import KMeansMaker

NASTY = Path(__file__).parents[2] / "../shared/data/nasty"


@pytest.fixture
def dataset(photos, tmp_path):
    maker = KMeansMaker(size=(48, 40), colors=3)
    build(
        plan_build("kmeans", maker, photos, BuildOptions(group="file", val=2, test=2)),
        maker,
        photos,
        tmp_path / "pairs",
        workers=1,
    )
    return tmp_path / "pairs"


def kinds(path: Path) -> dict[str, int]:
    return {finding.kind: finding.count for finding in check_dataset(path, workers=1).findings}


# --- what it says


def test_without_an_error_the_dataset_is_described_and_left_alone(dataset, p2p_data, contents):
    before = contents(dataset)
    done = p2p_data("check", "pairs", "--workers", "1")
    assert done.returncode == 0, done.stderr
    out = done.stdout.splitlines()
    assert done.stderr.splitlines()[0] == "check: pairs (12 pairs)"
    assert out[:2] == ["pairs  12 (8 train, 2 validation, 2 test)", "sides  48x40 pixels"]
    assert out[2].startswith("A      labels")
    assert [line for line in out if line.startswith("error")] == []
    assert " notes" in out[-1]
    assert contents(dataset) == before


def test_an_error_is_told_first_with_what_to_do_and_exit_code_3(dataset, p2p_data):
    (dataset / "palette.json").write_text('{"colors": [{"name": "none", "color": "#010203"}]}')
    done = p2p_data("check", "pairs", "--workers", "1")
    assert done.returncode == 3
    first = done.stdout.splitlines().index("") + 1
    assert done.stdout.splitlines()[first].startswith("error: palette.json is not that of A")
    assert "  to do: put the palette.json there" in done.stdout
    assert "1 error, " in done.stdout.splitlines()[-1]
    assert all(len(line) <= 100 for line in done.stdout.splitlines())


def test_json_is_all_that_stdout_holds(dataset, p2p_data):
    done = p2p_data("check", "pairs", "--json", "--limit", "5", "--workers", "1")
    told = json.loads(done.stdout)
    assert told["facts"]["num_pairs"] == {"train": 8, "validation": 2, "test": 2}
    assert told["facts"]["num_looked_at"] == 5
    assert told["facts"]["sizes"] == {"48x40": 5}
    assert {"kind", "severity", "what", "count", "examples", "why", "fix", "mended_by_fix"} == set(told["findings"][0])


def test_no_dataset_is_a_named_error(p2p_data):
    done = p2p_data("check", "nowhere")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "error: there is no such dataset"


# --- damage


def test_a_lost_shard_is_found(dataset):
    next((dataset / "data").glob("test-*.parquet")).unlink()
    assert kinds(dataset)["incomplete-dataset"] == 2


def test_damage_within_a_shard_is_counted(dataset):
    shard = next((dataset / "data").glob("train-*.parquet"))
    content = shard.read_bytes()
    place = content.index(b"\x89PNG") + 30
    shard.write_bytes(content[:place] + bytes(16) + content[place + 16 :])
    assert kinds(dataset)["damaged-pairs"] == 1


def test_photos_that_gave_no_pair_are_recalled(photos, tmp_path):
    (photos / "broken.jpg").write_bytes(b"nothing")
    maker = KMeansMaker(size=(48, 40), colors=3)
    build(plan_build("kmeans", maker, photos, BuildOptions(group="file")), maker, photos, tmp_path / "pairs", workers=1)
    assert kinds(tmp_path / "pairs")["photos-without-pair"] == 1


@pytest.mark.skipif(not NASTY.is_dir(), reason="the difficult files are not here")
def test_difficult_files_are_all_accounted_for(tmp_path):
    files = sorted(path for path in NASTY.glob("*/**/*") if path.is_file())[::6]
    (tmp_path / "train").mkdir()
    for i, file in enumerate(files):
        (tmp_path / "train" / f"{i:03d}{file.suffix}").symlink_to(file.resolve())
    result = check_dataset(tmp_path, workers=1)
    total = sum(result.facts.num_pairs.values())
    num_damaged = sum(finding.count for finding in result.findings if finding.kind == "damaged-pairs")
    assert total > 80
    assert num_damaged + sum(result.facts.sizes.values()) == result.facts.num_looked_at == total
