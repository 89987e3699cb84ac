from __future__ import annotations

import os
from pathlib import Path

import pytest

from pix2pix_data.errors import FormatError
from pix2pix_data.images import write_png
from pix2pix_data.listing import keys_of, list_photos, walk_photos


def names(paths: tuple[Path, ...]) -> list[str]:
    return [path.name for path in paths]


def test_photos_and_other_files_are_told_apart(photos, draw):
    (photos / "notes.txt").write_text("shot in May")
    (photos / ".DS_Store").write_bytes(b"\0")
    write_png(photos / "export", draw())  # no suffix, but a picture inside
    listing = list_photos(photos)
    assert len(listing.photos) == 13
    assert "export" in names(listing.photos)
    assert names(listing.others) == [".DS_Store", "notes.txt"]


def test_links_that_lead_back_up_are_walked_once(photos):
    (photos / "left" / "again").symlink_to(photos, target_is_directory=True)
    assert len(list_photos(photos).photos) == 12


@pytest.fixture
def without_left(monkeypatch):
    """Forbid to read folders called left."""
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "left":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


def test_a_folder_that_may_not_be_read_is_not_passed_over(photos, without_left):
    with pytest.raises(FormatError, match="a folder cannot be read: Permission denied"):
        list_photos(photos)


def test_photos_come_before_later_folders_are_listed(photos, draw, without_left):
    write_png(photos / "early" / "1.png", draw())
    files = walk_photos(photos)
    assert next(files).key == "early/1"
    with pytest.raises(FormatError, match="a folder cannot be read"):
        list(files)


def test_files_come_in_the_order_of_their_paths_with_the_keys_of_all(tmp_path):
    names = "a/b/1.jpg a/b/1.png a.jpg a-b/2.jpg a-b/2.jpg.png a/1.jpg b/a.txt b.txt B/.x/1.jpg a/b.jpg"
    for name in names.split():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    files = list(walk_photos(tmp_path))
    assert [file.path for file in files] == sorted(tmp_path / name for name in names.split())
    photos = [file for file in files if file.key is not None]
    assert [photo.key for photo in photos] == keys_of(tuple(photo.path for photo in photos), tmp_path)
    assert {file.path.name for file in files if file.key is None} == {"a.txt", "b.txt", "1.jpg"}


@pytest.mark.parametrize("problem", ["missing", "a file", "no photos"])
def test_a_folder_without_photos_is_a_named_error(problem, tmp_path):
    folder = tmp_path / "folder"
    if problem == "a file":
        folder.write_text("")
    elif problem == "no photos":
        folder.mkdir()
    with pytest.raises(FormatError) as caught:
        list_photos(folder)
    assert str(folder) in str(caught.value)


def test_photos_of_one_name_keep_their_suffix():
    paths = (Path("d/a.jpg"), Path("d/a.png"), Path("d/b.png"))
    assert keys_of(paths, Path("d")) == ["a.jpg", "a.png", "b"]
    tricky = (*paths, Path("d/a.jpg.png"), Path("d/c"))
    assert keys_of(tricky, Path("d")) == ["a.jpg", "a.png", "b", "a.jpg.png", "c"]


def test_a_name_in_another_encoding_gives_a_key_that_can_be_stored():
    assert keys_of((Path("d/caf\udce9.jpg"),), Path("d")) == ["caf\\udce9"]
