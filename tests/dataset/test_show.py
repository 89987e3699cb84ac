from __future__ import annotations

import base64
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pix2pix_data._show_commands import report, show
from pix2pix_data.dataset import open_dataset
from pix2pix_data.errors import FormatError, UsageError
from pix2pix_data.images import read_rgb, write_png
from pix2pix_data.show import draw_pair, find_pair
from pix2pix_data.terminal_pictures import known_protocol, picture_sequence


@pytest.fixture
def folder(tmp_path, draw):
    """Side-by-side pictures: two splits, one key in both."""
    for i, name in enumerate(["train/boot/1", "train/boot/2", "train/same", "val/same"]):
        write_png(tmp_path / "pairs" / f"{name}.png", draw(i, 80, 30))
    return tmp_path / "pairs"


def test_a_pair_is_found_by_key_by_split_and_by_the_name_that_a_check_gives_it(folder):
    dataset = open_dataset(folder)
    assert find_pair(dataset, "boot/2") == ("train", 1)
    assert find_pair(dataset, "same") == ("train", 2)
    assert find_pair(dataset, "same", "validation") == ("validation", 0)
    assert find_pair(dataset, "validation/same") == ("validation", 0)


def test_an_unknown_key_names_the_nearest_and_an_unknown_split_those_there_are(folder):
    dataset = open_dataset(folder)
    for key in ("boots/2", "train/boots/2"):
        with pytest.raises(UsageError, match="did you mean 'boot/2'"):
            find_pair(dataset, key)
    with pytest.raises(FormatError, match="choose from train, validation"):
        find_pair(dataset, "same", "test")


def test_a_pair_alone_is_enlarged_and_laid_over_itself(tmp_path):
    sides = np.concatenate([np.full((64, 80, 3), value, np.uint8) for value in (7, 47)], axis=1)
    write_png(tmp_path / "pairs" / "train" / "one.png", sides)
    sheet = draw_pair(open_dataset(tmp_path / "pairs"), "train", 0)
    for value in (7, 47, 27):
        assert (sheet == value).all(2).sum() == 5 * 64 * 5 * 80, "five times as large, unsmoothed"


def test_show_writes_a_sheet_named_after_the_split(folder, monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # the same picture again is no loss
        show(Path("pairs"), num_pairs=2)
        assert capfd.readouterr() == (
            "2 of 3 pairs of train in pairs-train.png\n",
            "show: pairs (3 train, 1 validation)\n",
        )
    assert read_rgb(tmp_path / "pairs-train.png").shape[1] > 4 * 128


def test_show_enlarges_one_pair(folder, tmp_path, capfd):
    show(folder, "boot/2", out=tmp_path / "boot.png")
    assert capfd.readouterr().out == f"boot/2, pair 2 of train in {tmp_path / 'boot.png'}\n"
    assert read_rgb(tmp_path / "boot.png").shape[1] > 3 * 384


def test_an_unknown_split_is_a_named_error(folder):
    with pytest.raises(FormatError, match="choose from train, validation"):
        show(folder, split="test")


def test_show_replaces_no_other_file(folder, tmp_path):
    mine = tmp_path / "mine.png"
    mine.write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"such a file already.*mine\.png.*--overwrite"):
        show(folder, out=mine)
    assert mine.read_bytes() == b"mine"
    show(folder, out=mine, overwrite=True)
    assert read_rgb(mine).shape[2] == 3


def test_report_of_a_classic_folder_lies_outside_it_and_tells_of_the_check(folder, p2p_data, tmp_path, contents):
    before = contents(folder)
    done = p2p_data("report", "pairs", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("pairs-report.html (0.0 MB, in ")
    assert "All 4 pairs looked at." in (tmp_path / "pairs-report.html").read_text()
    assert contents(folder) == before


def test_report_replaces_no_file_without_being_told(folder, tmp_path):
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    with pytest.raises(UsageError, match="such a file already"):
        report(folder, out=mine, check=False)
    assert mine.read_text() == "mine"
    report(folder, out=mine, check=False, overwrite=True)
    assert "Not checked" in mine.read_text()


# --- the terminal


def test_only_terminals_known_to_show_pictures_get_one():
    assert known_protocol({"TERM": "xterm-kitty"}) == "kitty"
    assert known_protocol({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}) == "iterm2"
    assert known_protocol({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}) is None
    assert known_protocol({"TERM": "tmux-256color", "TERM_PROGRAM": "iTerm.app"}) is None
    assert known_protocol({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-0/default,1,0"}) is None
    assert known_protocol({}) is None


@pytest.mark.parametrize("num_bytes", [1, 3072, 3073, 20_000])
def test_kitty_gets_the_whole_file_in_chunks(num_bytes):
    png = np.random.default_rng(0).bytes(num_bytes)
    written = picture_sequence(png, "kitty", width_px=900, columns=80)
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", written)
    assert "".join(f"\x1b_G{keys};{payload}\x1b\\" for keys, payload in parts) == written
    assert base64.b64decode("".join(payload for _, payload in parts)) == png
    assert max(len(payload) for _, payload in parts) <= 4096
    assert [keys[-3:] for keys, _ in parts] == ["m=1"] * (len(parts) - 1) + ["m=0"]
    assert parts[0][0].startswith("a=T,f=100,q=2,c=80,")


def test_iterm2_gets_the_whole_file_no_wider_than_it_is():
    written = picture_sequence(b"png", "iterm2", width_px=160, columns=80)
    assert written == "\x1b]1337;File=inline=1;size=3;width=20;preserveAspectRatio=1:cG5n\a"


def test_show_draws_in_a_terminal_that_can_and_writes_no_file(folder, tmp_path):
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name not in ("TMUX", "TERM_PROGRAM")}
    with subprocess.Popen(
        [sys.executable, "-m", "pix2pix_data", "show", "pairs", "boot/1"],
        cwd=tmp_path,
        env=environment | {"TERM": "xterm-kitty"},
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    ):
        os.close(theirs)
        written = b""
        while b"pair 1 of train" not in written:
            written += os.read(ours, 1 << 16)
    os.close(ours)
    assert written.startswith(b"\x1b_Ga=T")
    assert [path.name for path in tmp_path.iterdir()] == ["pairs"]
