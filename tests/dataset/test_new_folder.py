"""Folders that are there whole or not at all, and those that one process at a time fills."""

from __future__ import annotations

import pytest

from pix2pix_data.errors import BuildError
from pix2pix_data.new_folder import new_folder


def test_a_folder_takes_its_place_when_it_is_whole(tmp_path):
    with new_folder(tmp_path / "out") as beside:
        assert beside.name == "out", "what names itself after its folder is right"
        (beside / "file").write_text("whole")
        assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "file"]


def failing(out):
    with new_folder(out) as beside:
        (beside / "file").write_text("half")
        raise RuntimeError


def test_nothing_is_left_of_one_that_failed(tmp_path):
    with pytest.raises(RuntimeError):
        failing(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_is_taken_over(tmp_path):
    (tmp_path / ".out.part" / "out").mkdir(parents=True)
    (tmp_path / ".out.part" / "lock").touch()
    (tmp_path / ".out.part" / "out" / "old").write_text("half")
    with new_folder(tmp_path / "out") as beside:
        (beside / "file").write_text("whole")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "file"]


def test_two_processes_do_not_fill_one_folder(tmp_path):
    with new_folder(tmp_path / "out"), pytest.raises(BuildError, match="another process is at work"):
        new_folder(tmp_path / "out").__enter__()
