"""`p2p-data check --fix`: what is planted is mended, looked at again, written down, and nothing else is touched."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pix2pix_data.check import check_dataset
from pix2pix_data.dataset import ParquetDataset, open_dataset
from pix2pix_data.fixes.plan import FixPlan, plan_fix
from pix2pix_data.fixes.write import write_fixed
from pix2pix_data.images import decode_rgb, encode_jpeg
from pix2pix_data.importing import ImportOptions, import_pairs, open_layout

HEIGHT, WIDTH = 96, 128  # of a scene


@pytest.fixture
def fix(tmp_path):
    """Mend a dataset into the folder "fixed"; gives what was planned."""

    def fixed(path: Path, *, swap=False, jpeg=False, workers=1, out="fixed") -> FixPlan:
        plan = plan_fix(open_dataset(path), check_dataset(path, workers=1), swap=swap)
        write_fixed(plan, tmp_path / out, jpeg=jpeg, workers=workers)
        return plan

    return fixed


@pytest.fixture
def ours(plant, tmp_path):
    """The scenes as a dataset of ours, changed as by `plant`; keys are such as train/07."""

    def imported(*change) -> Path:
        with open_layout(plant(*change), ImportOptions(), scratch=tmp_path) as opened:
            import_pairs(opened, tmp_path / "ours", workers=1)
        return tmp_path / "ours"

    return imported


def left(path: Path) -> set[str]:
    """What is still found, notes aside."""
    return {one.kind for one in check_dataset(path, workers=1).findings if one.severity != "note"}


def pairs_of(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    dataset = open_dataset(path)
    return {one.key: (one.a, one.b) for split in dataset.num_pairs for one in dataset.pairs(split)}


def files_in(path: Path) -> dict[str, tuple[bytes, bytes | None]]:
    dataset = open_dataset(path)
    return {one.key: (one.a, one.b) for split in dataset.num_pairs for one in dataset.encoded_pairs(split)}


def changes(path: Path) -> dict[str, list[str]]:
    return {line["pair"]: line["changes"] for line in map(json.loads, (path / "fixes.jsonl").read_text().splitlines())}


# --- all pairs


def cut(a, b, right, down):
    """B lies shifted to the right and down, and no pixel is made up."""
    return a[: HEIGHT - down, : WIDTH - right], b[down:, right:]


@pytest.mark.parametrize(("right", "down"), [(2, 0), (21, 12)])
def test_a_common_shift_is_cut_back(plant, fix, scene, tmp_path, right, down):
    fix(plant(lambda _, a, b: cut(a, b, right, down)))
    assert left(tmp_path / "fixed") == set()
    a, b = pairs_of(tmp_path / "fixed")["train/03"]
    true_a, true_b = scene(3)
    assert a.shape == (HEIGHT - 2 * down, WIDTH - 2 * right, 3)
    assert np.array_equal(a, true_a[down : HEIGHT - down, right : WIDTH - right])
    assert np.array_equal(b, true_b[down : HEIGHT - down, right : WIDTH - right])
    assert len(changes(tmp_path / "fixed")) == 30


@pytest.mark.parametrize("turn", [np.s_[:, ::-1], np.s_[::-1, ::-1]], ids=["left-right", "turned"])
def test_the_drawn_side_is_mirrored_back_and_the_photo_keeps_its_bytes(ours, fix, scene, tmp_path, turn):
    dataset = ours(lambda _, a, b: (a, b[turn]))
    fix(dataset)
    assert left(tmp_path / "fixed") == set()
    assert all(files_in(tmp_path / "fixed")[key][1] == b for key, (_, b) in files_in(dataset).items())
    a, b = pairs_of(tmp_path / "fixed")["train/03"]
    assert np.array_equal(a[turn], scene(3)[0])
    assert np.array_equal(b[turn], scene(3)[1])


def test_borders_are_cut_off_both_sides(plant, fix, scene, tmp_path):
    def change(_, a, b):
        b = b.copy()
        b[:, -7:] = b[:5] = 0
        return a, b

    fix(plant(change))
    assert left(tmp_path / "fixed") == set()
    a, b = pairs_of(tmp_path / "fixed")["train/03"]
    assert a.shape == (HEIGHT - 7, WIDTH - 9, 3)
    assert all(np.array_equal(one, true[7:, :-9]) for one, true in zip((a, b), scene(3), strict=True))


def test_what_runs_across_the_seam_is_cut(plant, fix, tmp_path):
    """The columns that are left are what each side gives when it is reduced by itself."""

    def small(picture):
        size = (picture.shape[1] * 90 // 128, 68)
        return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))

    alone = {}

    def change(i, a, b):
        alone[i] = small(a), small(b)
        joined = small(np.concatenate([a, b], axis=1))
        return joined[:, :90], joined[:, 90:]

    fix(plant(change))
    assert left(tmp_path / "fixed") == set()
    for side, true in zip(pairs_of(tmp_path / "fixed")["train/03"], alone[3], strict=True):
        assert np.abs(side.astype(int) - true[:, 3:-3]).max() <= 1


def test_jpeg_blocks_that_hold_both_sides_are_cut(scene, fix, tmp_path):
    for i in range(24):
        path = tmp_path / "set" / ("val" if i % 6 == 5 else "train") / f"{i:02d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_jpeg(np.concatenate([side[:, :124] for side in scene(i)], axis=1)))
    fix(tmp_path / "set")
    assert "jpeg-across-seam" not in left(tmp_path / "fixed")
    assert pairs_of(tmp_path / "fixed")["train/03"][0].shape == (HEIGHT, 124 - 8, 3)  # 4 columns of A, 4 of B


def test_a_seam_off_the_middle_costs_the_strip(plant, fix, scene, tmp_path):
    def change(_, a, b):
        joined = np.concatenate([a, b, b[:, -5:]], axis=1)[:, 5:]
        return joined[:, :WIDTH], joined[:, WIDTH:]

    fix(plant(change))
    assert left(tmp_path / "fixed") == set()
    a, b = pairs_of(tmp_path / "fixed")["train/03"]
    assert np.array_equal(a, scene(3)[0][:, 5:])
    assert np.array_equal(b, scene(3)[1][:, 5:])


def test_smeared_labels_get_their_colours_back(plant, fix, scene, class_colors, tmp_path):
    def change(i, a, b):
        return (decode_rgb(encode_jpeg(a)), b) if i % 3 == 0 else (a, b)

    fix(plant(change))
    assert left(tmp_path / "fixed") == set()
    fixed = pairs_of(tmp_path / "fixed")
    assert np.array_equal(fixed["train/04"][0], scene(4)[0])
    wrong = np.mean([(fixed[f"train/{i:02d}"][0] != scene(i)[0]).any(axis=2).mean() for i in (0, 3, 6, 9)])
    assert wrong < 0.005
    assert set(changes(tmp_path / "fixed")) == {f"train/{i:02d}" for i in range(0, 30, 3)}
    palette = json.loads((tmp_path / "fixed" / "palette.json").read_text())
    assert {one["color"] for one in palette["colors"]} > {"#{:02x}{:02x}{:02x}".format(*one) for one in class_colors}


# --- single pairs


def test_single_pairs_are_exchanged_or_left_out_and_the_rest_keeps_its_bytes(ours, fix, tmp_path, contents):
    def change(i, a, b):
        if i in (3, 17):
            return b, a
        if i == 4:
            return b, b
        return (np.full_like(a, 255), b) if i == 8 else (a, b)

    dataset = ours(change)
    before = contents(dataset)
    plan = fix(dataset)
    assert contents(dataset) == before
    assert left(tmp_path / "fixed") == set()
    old, new = files_in(dataset), files_in(tmp_path / "fixed")
    assert set(old) - set(new) == {"train/04", "train/08"}
    swapped = {"train/03", "validation/17"}
    assert all(new[key] == (old[key][::-1] if key in swapped else old[key]) for key in new)
    assert changes(tmp_path / "fixed") == {
        "train/train/04": ["left out: A is the same picture as B"],
        "train/train/08": ["left out: a side has one colour alone"],
        "train/train/03": ["A and B exchanged"],
        "validation/validation/17": ["A and B exchanged"],
    }
    failed = [json.loads(line)["key"] for line in (tmp_path / "fixed" / "failures.jsonl").read_text().splitlines()]
    assert failed == ["train/04", "train/08"]
    assert {one.kind for one in plan.mended} == {"swapped-sides", "identical-sides", "blank-sides"}


def test_copies_are_left_out_and_leaks_brought_together(plant, fix, tmp_path):
    folder = plant()
    for old, new in (("train/03", "val/leak"), ("train/07", "train/again")):
        (folder / f"{new}.png").write_bytes((folder / f"{old}.png").read_bytes())
    recoded = encode_jpeg(decode_rgb((folder / "train" / "12.png").read_bytes()))
    (folder / "val" / "recoded.jpg").write_bytes(recoded)
    fix(folder)
    assert not left(tmp_path / "fixed") & {"leaked-pairs", "near-leaks", "duplicate-pairs"}
    told = changes(tmp_path / "fixed")
    assert told["train/03"] == ["left out: the same pair as validation/leak"]
    assert told["train/again"] == ["left out: the same pair as train/07"]
    split_of = {key: split for split in ("train", "validation") for key in open_dataset(tmp_path / "fixed").keys(split)}
    assert split_of["train/12"] == split_of["validation/recoded"]
    assert told["train/12"] == ["moved from train to validation"]


def test_damaged_pairs_are_left_out_with_their_reasons(plant, fix, tmp_path):
    folder = plant()
    (folder / "train" / "00.png").write_bytes(b"nothing")
    (folder / "train" / "02.png").write_bytes((folder / "train" / "02.png").read_bytes()[:900])
    fix(folder)
    assert left(tmp_path / "fixed") == set()
    assert changes(tmp_path / "fixed")["train/00"] == ["left out: not a picture in a known format"]
    assert sum(open_dataset(tmp_path / "fixed").num_pairs.values()) == 28


def test_several_faults_are_mended_at_once(plant, fix, tmp_path):
    def change(i, a, b):
        a, b = cut(a, b, 6, 3)
        return (b, a) if i in (3, 17) else (a, np.zeros_like(b)) if i == 8 else (a, b)

    folder = plant(change)
    (folder / "train" / "again.png").write_bytes((folder / "train" / "07.png").read_bytes())
    fix(folder)
    assert left(tmp_path / "fixed") == set()
    assert sum(open_dataset(tmp_path / "fixed").num_pairs.values()) == 29
    assert [one.partition(":")[0] for one in changes(tmp_path / "fixed")["train/03"]] == [
        "A and B exchanged",
        "A cut",
        "B cut",
    ]


# --- options, and what is not mended


def test_sides_are_swapped_on_request(ours, fix, tmp_path):
    dataset = ours(lambda _, a, b: (b, a))
    fix(dataset, swap=True)
    assert files_in(tmp_path / "fixed") == {key: files[::-1] for key, files in files_in(dataset).items()}
    result = check_dataset(tmp_path / "fixed", workers=1)
    assert (result.facts.about_a, result.facts.about_b) == ("labels", "photos")


def test_photos_encoded_anew_are_jpeg_on_request_and_any_number_of_workers_writes_the_same(plant, fix, tmp_path):
    folder = plant(lambda _, a, b: cut(a, b, 4, 0))
    fix(folder, jpeg=True)
    assert all(b.startswith(b"\xff\xd8") and a.startswith(b"\x89PNG") for a, b in files_in(tmp_path / "fixed").values())
    fix(folder, jpeg=True, workers=3, out="again")
    assert files_in(tmp_path / "again") == files_in(tmp_path / "fixed")


def test_what_a_person_must_look_at_is_left_and_said(plant, fix, tmp_path):
    def change(i, a, b):
        return (a, np.roll(b, (7, 11), (0, 1))) if i in (7, 14) else (a, b[:, ::-1]) if i == 9 else (a, b)

    folder = plant(change)
    plan = plan_fix(open_dataset(folder), check_dataset(folder, workers=1), swap=False)
    assert plan.changes_nothing
    assert {finding.kind for finding, _ in plan.unmended} == {"shifted-pairs", "mirrored-pairs"}
    assert all(reason for _, reason in plan.unmended)


def test_a_mend_that_would_cost_too_much_is_refused(plant):
    folder = plant(lambda i, a, b: (b, b) if i % 5 else (a, b))
    plan = plan_fix(open_dataset(folder), check_dataset(folder, workers=1), swap=False)
    assert ("identical-sides", "more than half of the pairs would be left out") in [
        (finding.kind, reason) for finding, reason in plan.unmended
    ]
    assert not plan.left_out


def test_pictures_of_more_than_8_bits_are_not_encoded_anew(ours):
    dataset = open_dataset(ours(lambda _, a, b: (a, b[:, ::-1])))
    found = check_dataset(dataset.path, workers=1)
    dataset.modes = ("RGB", "I;16")
    plan = plan_fix(dataset, found, swap=False)
    assert plan.changes_nothing
    assert [finding.kind for finding, _ in plan.unmended] == ["mirrored-sides"]


def test_a_split_is_not_emptied_to_mend_leaks(plant):
    folder = plant(num=24)
    for i, file in enumerate(sorted((folder / "val").iterdir())[:3]):
        for quality in range(50, 95, 5):
            buffer = io.BytesIO()
            Image.open(file).save(buffer, "JPEG", quality=quality)
            (folder / "train" / f"copy{i}-{quality}.jpg").write_bytes(buffer.getvalue())
    plan = plan_fix(open_dataset(folder), check_dataset(folder, workers=1), swap=False)
    reasons = {finding.kind: reason for finding, reason in plan.unmended}
    assert reasons["near-leaks"].startswith("validation would lose more than half of its pairs")
    assert plan.num_pairs == open_dataset(folder).num_pairs


# --- the new folder, and the command


def test_card_and_record_of_our_datasets_go_on(ours, fix, tmp_path):
    dataset = ours(lambda i, a, b: (b, b) if i == 4 else (a, b))
    (dataset / "README.md").write_text((dataset / "README.md").read_text() + "\nOur own words.\n")
    fix(dataset)
    card = (tmp_path / "fixed" / "README.md").read_text()
    assert "| train | 24 |\n| validation | 5 |" in card
    assert "p2p-data check ours --fix\n  identical-sides: 1 pairs\n```" in card
    assert "1 photos gave no pair;" in card
    assert "Our own words." in card
    record = json.loads((tmp_path / "fixed" / "build.json").read_text())
    assert record["identity"]["maker"] == "import"
    assert record["identity"]["fixed"] == [{"command": "p2p-data check ours --fix", "mended": ["identical-sides"]}]
    assert (record["pairs"], record["failed"]) == ({"train": 24, "validation": 5}, 1)
    assert str(tmp_path) not in card + json.dumps(record)
    assert isinstance(open_dataset(tmp_path / "fixed"), ParquetDataset)


def test_the_command_says_what_it_did_and_looks_again(plant, p2p_data, tmp_path, contents):
    folder = plant(lambda i, a, b: (b, a) if i in (3, 17) else (a, np.roll(b, (7, 11), (0, 1))) if i == 7 else (a, b))
    before = contents(folder)
    plain = p2p_data("check", "set", "--workers", "1")
    assert plain.returncode == 3
    assert "; --fix mends 1 of them, in a new folder" in plain.stdout.splitlines()[-1]
    done = p2p_data("check", "set", "--fix", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert "fix: set -> set-fixed" in done.stderr
    assert "  mended: A and B are the other way round than in most pairs [swapped-sides, 2 pairs]" in done.stderr
    assert "  not mended: B is shifted against A, unlike in most pairs" in done.stderr
    out = done.stdout.splitlines()
    assert out[0].startswith("30 pairs (25 train, 5 validation), 0 left out, in ")
    assert out[1] == "  2 pairs changed; each one: set-fixed/fixes.jsonl"
    assert out[3] == "looked at again: shifted-pairs (warning)"
    assert (tmp_path / "set-fixed" / "report.html").is_file()
    assert contents(folder) == before


def test_nothing_is_written_where_it_was_not_asked_for(plant, p2p_data, tmp_path):
    plant(num=12)
    done = p2p_data("check", "set", "--fix", "--workers", "1")
    assert (done.returncode, done.stdout) == (0, "there is nothing that --fix can mend; nothing was written\n")
    assert p2p_data("check", "set", "--fix", "--swap", "--dry-run", "--workers", "1").returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    for wrong in (("--out", "x"), ("--fix", "--limit", "3"), ("--fix", "--json"), ("--fix", "--out", "set/x")):
        done = p2p_data("check", "set", *wrong)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")


def test_a_fix_stopped_before_its_report_can_be_given_again(plant, p2p_data, tmp_path, monkeypatch):
    plant(lambda i, a, b: (b, a) if i in (3, 17) else (a, b))
    with monkeypatch.context() as patched:
        patched.setattr("pix2pix_data.report.write_report", full_disk)
        assert p2p_data("check", "set", "--fix", "--workers", "1").returncode == 1
    assert not (tmp_path / "set-fixed").exists()
    again = p2p_data("check", "set", "--fix", "--workers", "1")
    assert again.returncode == 0, again.stderr
    assert "check: set-fixed (30 pairs)" in again.stderr.splitlines()


def full_disk(*_: object, **__: object) -> None:
    raise OSError("no space left")
