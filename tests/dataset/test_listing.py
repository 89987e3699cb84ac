from __future__ import annotations

import os
from pathlib import Path

import pytest

from pix2pix_data.errors import FormatError
from pix2pix_data.images import write_png
from pix2pix_data.listing import keys_of, list_photos


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


def test_a_folder_that_may_not_be_read_is_not_passed_over(photos, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "left":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(FormatError, match="a folder cannot be read: Permission denied"):
        list_photos(photos)


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
