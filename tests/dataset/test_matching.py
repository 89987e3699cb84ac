from __future__ import annotations

from pathlib import Path

import pytest

from pix2pix_data.errors import FormatError, UsageError
from pix2pix_data.matching import Matches, SideNames, match_folders, match_one_folder

A, B = SideNames("A"), SideNames("B")
PICTURE = b"\x89PNG\r\n\x1a\n"  # all that a listing looks at


def write(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE)
    return folder


def matched(matches: Matches) -> list[tuple[str, str, str]]:
    return [(key, a.name, b.name) for key, a, b in matches.pairs]


def reasons(matches: Matches) -> dict[str, str]:
    return {Path(one.source).name: one.reason for one in matches.failed}


@pytest.mark.parametrize(
    ("of_a", "of_b", "key"),
    [
        ("1.png", "1.jpg", "1"),
        ("IMG_1.JPG", "img_1.png", "img_1"),
        ("x/y/1.png", "x/y/1.tif", "x/y/1"),
        ("Street/1.png", "street/1.png", "street/1"),
        ("cafe\u0301.png", "caf\u00e9.jpg", "caf\u00e9"),
        ("1.v2.png", "1.v2.jpg", "1.v2"),
        ("1_A.png", "1_B.png", "1"),
        ("1-a.png", "1-b.png", "1"),
        ("1_real_A.png", "1_real_B.png", "1"),
        ("1_input.png", "1_target.jpg", "1"),
        ("1_label.png", "1_photo.jpg", "1"),
        ("x/1_mask.png", "x/1.jpg", "x/1"),
        ("vitamin_A.png", "vitamin_A.jpg", "vitamin_A"),
    ],
)
def test_names_that_mean_one_thing_belong_together(of_a, of_b, key, tmp_path):
    matches = match_folders(write(tmp_path / "A", of_a), write(tmp_path / "B", of_b), A, B)
    assert matched(matches) == [(key, Path(of_a).name, Path(of_b).name)]
    assert matches.failed == []


@pytest.mark.parametrize(
    ("of_a", "of_b"),
    [("1.png", "2.png"), ("x/1.png", "y/1.png"), ("1.png", "01.png"), ("1_B.png", "1_A.png"), ("1A.png", "1B.png")],
)
def test_names_that_may_mean_two_things_do_not(of_a, of_b, tmp_path):
    matches = match_folders(write(tmp_path / "A", of_a), write(tmp_path / "B", of_b), A, B)
    assert matches.pairs == []
    assert [one.reason.partition(":")[0] for one in matches.failed] == [
        "no picture of this name in B",
        "no picture of this name in A",
    ]


def test_two_candidates_are_both_refused_and_told(tmp_path):
    folder_a = write(tmp_path / "A", "1.png", "1.jpg", "2.png", "3_input.png", "3_label.png")
    matches = match_folders(folder_a, write(tmp_path / "B", "1.jpg", "2.jpg", "3.jpg"), A, B)
    assert matched(matches) == [("2", "2.png", "2.jpg")]
    assert [one.key for one in matches.failed] == ["1.jpg", "1.png", "1", "3_input", "3_label", "3"]
    told = [one.reason for one in matches.failed]
    assert set(told[:3]) == {"more than one pair could be made: of 1.jpg in A and 1.png in A and 1.jpg in B"}
    assert set(told[3:]) == {
        "more than one pair could be made: of 3_input.png in A and 3_label.png in A and 3.jpg in B"
    }


def test_an_equal_name_goes_before_one_that_is_nearly_equal(tmp_path):
    folder_a = write(tmp_path / "A", "x.png", "x_A.png", "y.png", "Y.png")
    matches = match_folders(folder_a, write(tmp_path / "B", "x.jpg", "x_B.jpg", "y.jpg"), A, B)
    assert matched(matches) == [("x", "x.png", "x.jpg"), ("x_B", "x_A.png", "x_B.jpg"), ("y", "y.png", "y.jpg")]
    assert list(reasons(matches)) == ["Y.png"]


def test_the_nearest_name_of_the_same_numbers_is_suggested(tmp_path):
    folder_a = write(tmp_path / "A", "street_0007.png", "street_0008.png")
    matches = match_folders(folder_a, write(tmp_path / "B", "streets-7.png", "streets-9.png"), A, B)
    assert reasons(matches)["street_0007.png"] == "no picture of this name in B: the nearest is streets-7.png"
    assert reasons(matches)["street_0008.png"] == "no picture of this name in B"


def test_patterns_say_what_names_share(tmp_path):
    folder_a = write(tmp_path / "A", "a/1_gtFine_labelIds.png", "a/1_gtFine_color.png")
    folder_b = write(tmp_path / "B", "a/1_leftImg8bit.png")
    a, b = SideNames("A", "*_gtFine_labelIds"), SideNames("B", "*_leftImg8bit.png")
    matches = match_folders(folder_a, folder_b, a, b)
    assert matched(matches) == [("a/1", "1_gtFine_labelIds.png", "1_leftImg8bit.png")]
    assert reasons(matches) == {"1_gtFine_color.png": "its name does not fit *_gtFine_labelIds"}


def test_endings_tell_the_sides_of_one_folder_apart(tmp_path):
    folder = write(tmp_path / "set", "x/1_A.png", "x/1_B.jpg", "2_real_A.png", "2_real_B.png", "2_fake_B.png", "3.png")
    matches = match_one_folder(folder, A, B)
    assert matched(matches) == [("2", "2_real_A.png", "2_real_B.png"), ("x/1", "1_A.png", "1_B.jpg")]
    assert reasons(matches) == {
        "3.png": "its name says neither A nor B",
        "2_fake_B.png": "no picture of this name in A",
    }


@pytest.mark.parametrize(
    ("pattern_a", "pattern_b", "names"),
    [
        ("*_mask", "*", ("1_mask.png", "1.png")),
        ("*", "*_photo", ("1.png", "1_photo.png")),
        ("*.png", "*.jpg", ("1.png", "1.jpg")),
        ("label-*", "photo-*", ("label-1.png", "photo-1.png")),
    ],
)
def test_patterns_tell_the_sides_of_one_folder_apart(pattern_a, pattern_b, names, tmp_path):
    folder = write(tmp_path / "set", *names)
    matches = match_one_folder(folder, SideNames("A", pattern_a), SideNames("B", pattern_b))
    assert matched(matches) == [("1", *names)]


def test_files_that_are_no_pictures_are_kept_apart(tmp_path):
    folder_a, folder_b = write(tmp_path / "A", "1.png"), write(tmp_path / "B", "1.png")
    (folder_b / "notes.txt").write_text("May")
    assert match_folders(folder_a, folder_b, A, B).others == (folder_b / "notes.txt",)


@pytest.mark.parametrize(("folder_b", "what"), [("set", "the same folder"), ("set/photos", "lies in the other")])
def test_two_folders_are_two(folder_b, what, tmp_path):
    write(tmp_path / "set" / "photos", "1.png")
    with pytest.raises(UsageError, match=what):
        match_folders(tmp_path / "set", tmp_path / folder_b, A, B)


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(FormatError, match=r"no such folder: .*nowhere"):
        match_folders(write(tmp_path / "A", "1.png"), tmp_path / "nowhere", A, B)
