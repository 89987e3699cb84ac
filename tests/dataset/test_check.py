"""The dataset doctor on drawn pairs: what is planted is found, and nothing else."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pix2pix_data.check import check_dataset
from pix2pix_data.errors import FormatError

HEIGHT, WIDTH = 96, 128  # of a scene


def strokes(photo: np.ndarray) -> np.ndarray:
    edges = cv2.Canny(cv2.GaussianBlur(photo, (0, 0), 1.5), 20, 60)
    return np.repeat(255 - edges[:, :, None], 3, axis=2)


def gray_of(photo: np.ndarray) -> np.ndarray:
    return np.repeat(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2)


def found(path: Path, **options):
    result = check_dataset(path, workers=1, **options)
    return {finding.kind: finding for finding in result.findings}, result


def named(finding) -> set[str]:
    return {name for names in finding.examples for name in names}


# --- sound datasets


def test_a_sound_dataset_has_no_error_and_no_warning(plant):
    findings, result = found(plant())
    assert {finding.severity for finding in result.findings} <= {"note"}, findings
    assert result.facts.num_pairs == {"train": 25, "validation": 5}
    assert result.facts.num_looked_at == 30
    assert result.facts.sizes == {(WIDTH, HEIGHT): 30}
    assert (result.facts.about_a, result.facts.about_b) == ("labels", "photos")
    assert "class-shares" in findings
    assert not result.has_errors


def test_strokes_and_gray_are_told_from_photos(plant):
    _, drawn = found(plant(lambda _, __, b: (strokes(b), b)))
    assert drawn.facts.about_a == "strokes, black on white"
    assert not drawn.has_errors
    _, gray = found(plant(lambda _, __, b: (gray_of(b), b)))
    assert (gray.facts.about_a, gray.facts.about_b) == ("gray pictures", "photos")


def test_any_number_of_workers_gives_the_same(plant):
    folder = plant(lambda i, a, b: (a, np.roll(b, 9, axis=1)) if i % 9 == 0 else (a, b))
    assert check_dataset(folder, workers=2) == check_dataset(folder, workers=1)


def test_a_limit_looks_at_pairs_spread_over_all(plant):
    ticks: list[int] = []
    _, result = found(plant(), limit=12, tick=ticks.append)
    assert result.facts.num_looked_at == sum(ticks) == 12
    assert result.facts.num_pairs == {"train": 25, "validation": 5}


def test_a_dataset_that_has_changed_is_looked_at_anew(plant):
    folder = plant()
    assert found(folder)[1].facts.num_pairs["train"] == 25
    (folder / "train" / "00.png").unlink()
    assert found(folder)[1].facts.num_looked_at == 29


def test_what_is_no_dataset_is_a_named_error(tmp_path):
    (tmp_path / ".build").mkdir()
    with pytest.raises(FormatError, match="not finished"):
        check_dataset(tmp_path, workers=1)


# --- sides


def made(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    return path


def test_photos_on_a_are_told_with_the_direction_to_train_in(plant):
    findings, result = found(plant(lambda _, a, b: (b, a)))
    assert findings["photos-on-a"].severity == "note"
    assert "data.direction=BtoA" in findings["photos-on-a"].fix
    assert not result.has_errors


def test_single_swapped_pairs_are_named(plant):
    findings, result = found(plant(lambda i, a, b: (b, a) if i in (3, 17) else (a, b)))
    assert named(findings["swapped-sides"]) == {"train/03", "validation/17"}
    assert result.has_errors


def test_identical_and_blank_sides_are_named(plant):
    def change(i, a, b):
        if i == 4:
            return b, b
        return (np.full_like(a, 255), b) if i == 8 else (a, b)

    findings, _ = found(plant(change))
    assert named(findings["identical-sides"]) == {"train/04"}
    assert named(findings["blank-sides"]) == {"train/08"}


def test_sixteen_bits_of_which_few_are_used_are_not_blank(tmp_path):
    """A depth map in millimetres looks black at 8 bits; one that says a single number is blank at any depth."""
    rng = np.random.default_rng(0)
    for i in range(12):
        across = np.linspace(1000, 2000, 64) + rng.integers(200)
        depth = np.tile(across, (48, 1)) if i else np.full((48, 64), 1234)
        cv2.imwrite(str(made(tmp_path / "trainA" / f"{i:02}.png")), depth.astype(np.uint16))
        photo = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (64, 48))
        cv2.imwrite(str(made(tmp_path / "trainB" / f"{i:02}.png")), photo)
    findings, _ = found(tmp_path)
    assert named(findings["blank-sides"]) == {"train/00"}


# --- placing


def cut(a, b, right, down):
    """B lies shifted to the right and down, and no pixel is made up."""
    return a[: HEIGHT - down, : WIDTH - right], b[down:, right:]


@pytest.mark.parametrize(("right", "down"), [(2, 0), (0, 4), (21, 12)])
def test_a_shift_of_all_pairs_is_measured(plant, right, down):
    findings, _ = found(plant(lambda _, a, b: cut(a, b, right, down)))
    assert findings["shifted-sides"].severity == "error"
    sideways, _, vertically = findings["shifted-sides"].what.partition(": ")[2].partition(" and ")
    assert sideways.endswith("left")
    assert abs(float(sideways.split()[0]) - right) < 0.3
    assert abs(float(vertically.split()[0]) - down) < 0.3


def test_single_shifted_pairs_are_named(plant):
    findings, _ = found(plant(lambda i, a, b: (a, np.roll(b, (7, 11), (0, 1))) if i in (7, 14) else (a, b)))
    assert named(findings["shifted-pairs"]) == {"train/07", "train/14"}
    assert "by 13 px" in findings["shifted-pairs"].what


@pytest.mark.parametrize(
    ("turned", "said"),
    [((slice(None), slice(None, None, -1)), "left-right"), ((slice(None, None, -1),), "upside down")],
)
def test_mirrored_sides_are_told_from_shifted_ones(plant, turned, said):
    findings, _ = found(plant(lambda _, a, b: (a, b[turned])))
    assert said in findings["mirrored-sides"].what
    assert not {"shifted-sides", "shifted-pairs", "unrelated-sides"} & set(findings)


def test_single_mirrored_pairs_are_named(plant):
    findings, _ = found(plant(lambda i, a, b: (a, b[:, ::-1]) if i in (7, 14) else (a, b)))
    assert named(findings["mirrored-pairs"]) == {"train/07", "train/14"}


def test_pairs_matched_by_position_are_unrelated(plant, scene):
    findings, _ = found(plant(lambda i, a, _: (a, scene(i + 1)[1])))
    assert "unrelated-sides" in findings


# --- files


def as_jpeg(picture: np.ndarray, quality: int = 85) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return file.getvalue()


def test_labels_saved_as_jpeg_are_named_with_the_repair(plant):
    def change(i, a, b):
        return (np.asarray(Image.open(io.BytesIO(as_jpeg(a)))), b) if i == 2 else (a, b)

    findings, _ = found(plant(change))
    assert named(findings["smeared-labels"]) == {"train/02"}
    assert findings["smeared-labels"].fix.startswith("p2p-data labels ")


def test_jpeg_blocks_across_the_seam_are_told(tmp_path, scene):
    for width, folder in ((124, "crossed"), (128, "sound")):
        for i in range(6):
            path = tmp_path / folder / "train" / f"{i}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(as_jpeg(np.concatenate([side[:, :width] for side in scene(i)], axis=1)))
    assert found(tmp_path / "crossed")[0]["jpeg-across-seam"].count == 6
    assert "jpeg-across-seam" not in found(tmp_path / "sound")[0]


def test_a_seam_off_the_middle_is_measured(plant):
    def change(i, a, b):
        joined = np.concatenate([a, b, b[:, -5:]], axis=1)[:, 5:]
        return joined[:, :WIDTH], joined[:, WIDTH:]

    findings, _ = found(plant(change))
    assert "5 px left of the middle" in findings["seam-off-centre"].what


def test_sides_that_were_resized_when_joined_bleed(plant):
    def change(i, a, b):
        small = Image.fromarray(np.concatenate([a, b], axis=1)).resize((180, 68), Image.Resampling.BICUBIC)
        return np.asarray(small)[:, :90], np.asarray(small)[:, 90:]

    assert "seam-bleed" in found(plant(change))[0]


def test_a_frame_of_one_width_is_told_with_its_place(plant):
    def change(i, a, b):
        b = b.copy()
        b[:, -7:] = 0
        return a, b

    finding = found(plant(change))[0]["constant-borders"]
    assert "7 px at the right of B" in finding.what


def test_white_space_and_ramps_are_no_frames(plant):
    def change(_, a, b):
        ramp = np.linspace(0, 255, WIDTH)[None, :, None] * np.ones((HEIGHT, 1, 3))
        paper = np.full_like(a, 255)
        cv2.circle(paper, (60, 50), 35, (40, 90, 200), -1)
        return paper, (0.8 * ramp + 0.2 * b).astype(np.uint8)

    assert "constant-borders" not in found(plant(change))[0]


# --- twice


def test_the_same_picture_in_two_splits_is_an_error(plant, tmp_path):
    folder = plant()
    (folder / "val" / "leak.png").write_bytes((folder / "train" / "03.png").read_bytes())
    findings, result = found(folder)
    assert named(findings["leaked-pairs"]) == {"train/03", "validation/leak"}
    assert result.has_errors


def test_copies_in_other_bytes_are_found_within_and_across_splits(plant):
    folder = plant()
    for number, place in (("03", "val/leak.jpg"), ("07", "train/again.jpg")):
        (folder / place).write_bytes(as_jpeg(np.asarray(Image.open(folder / "train" / f"{number}.png"))))
    findings, _ = found(folder)
    assert named(findings["near-leaks"]) == {"train/03", "validation/leak"}
    assert named(findings["near-duplicates"]) == {"train/07", "train/again"}


def test_a_pair_twice_in_one_split_is_a_warning(plant):
    folder = plant()
    (folder / "train" / "again.png").write_bytes((folder / "train" / "03.png").read_bytes())
    findings, result = found(folder)
    assert named(findings["duplicate-pairs"]) == {"train/03", "train/again"}
    assert not result.has_errors


# --- what lies beside the pairs


def test_a_palette_of_other_colours_is_an_error(plant, class_colors):
    folder = plant()
    right = [
        {"name": f"class {i}", "color": "#{:02x}{:02x}{:02x}".format(*color)} for i, color in enumerate(class_colors)
    ]
    (folder / "palette.json").write_text(json.dumps({"colors": right}))
    findings, _ = found(folder)
    assert "palette-mismatch" not in findings
    assert "class 0 " in findings["class-shares"].what
    right[0]["color"] = "#ffffff"
    (folder / "palette.json").write_text(json.dumps({"colors": right}))
    assert found(folder)[0]["palette-mismatch"].severity == "error"
    (folder / "palette.json").write_text("no")
    assert found(folder)[0]["palette-mismatch"].severity == "error"


def test_damaged_pairs_are_counted_with_their_reasons(plant):
    folder = plant()
    (folder / "train" / "00.png").write_bytes(b"nothing")
    (folder / "train" / "01.png").unlink()
    (folder / "train" / "01.png").mkdir()
    (folder / "train" / "02.png").write_bytes((folder / "train" / "02.png").read_bytes()[:900])
    findings, result = found(folder)
    assert {"train/00", "train/02"} <= named(findings["damaged-pairs"])
    assert result.facts.num_looked_at == sum(result.facts.num_pairs.values())


def test_files_that_others_read_differently_are_noted(tmp_path, scene):
    for i in range(4):
        a, b = scene(i)
        for side, picture in (("A", a), ("B", b)):
            folder = tmp_path / f"train{side}"
            folder.mkdir(exist_ok=True)
            mode = "CMYK" if (side, i) == ("B", 1) else "RGBA" if (side, i) == ("A", 2) else "RGB"
            Image.fromarray(picture).convert(mode).save(folder / f"{i}.{'tif' if mode == 'CMYK' else 'png'}")
    _, result = found(tmp_path)
    noted = {finding.what: named(finding) for finding in result.findings if finding.kind == "unusual-files"}
    assert noted == {
        "files in CMYK instead of RGB": {"train/1"},
        "files with transparency, which is laid on white": {"train/2"},
    }
