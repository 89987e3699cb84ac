"""The walk from photos to the painting page, from end to end, as its page says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from page_inputs import photos_of, write_jpeg
from pages import ROOT

ENTRIES = {
    "p2p-data": "pix2pix_data.cli",
    "p2p-train": "pix2pix_model.cli_train",
    "p2p-model": "pix2pix_model.cli_model",
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Our commands on the PATH, whether or not they are installed, with one thread each."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, module in ENTRIES.items():
        script = commands / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from {module} import main; main()" "$@"\n')
        script.chmod(0o755)
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    ours = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PATH": path, "PYTHONPATH": ours, "OMP_NUM_THREADS": "1", "P2P_CACHE": ""}


@pytest.mark.skipif(os.name != "posix", reason="it is a shell script, which is stopped by a signal to its group")
def test_the_walk_ends_at_a_page(tmp_path, environment):
    for i, photo in enumerate(photos_of(tmp_path / "sample", 20)):
        write_jpeg(tmp_path / "my-photos" / f"IMG_{i:04}.JPG", photo)
    quick = {"EPOCHS": "1", "PAINT": "--no-browser --port 0"}
    walk = subprocess.Popen(
        ["sh", ROOT / "examples" / "phone_photos.sh", "./my-photos"],
        cwd=tmp_path,
        env=environment | quick,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # the signal below is to reach the page, not the tests
    )
    assert walk.stdout is not None
    assert walk.stderr is not None
    told = []
    try:
        for line in walk.stdout:
            told.append(line)
            if line.startswith("http://"):
                page = urllib.request.urlopen(line.strip(), timeout=20).read().decode()
                assert "<canvas" in page or "<script" in page
                break
        else:
            pytest.fail("".join(told) + walk.stderr.read())
    finally:
        os.killpg(walk.pid, signal.SIGINT)
        walk.communicate(timeout=20)
    work = tmp_path / "phone-photos"
    for made in ("pairs/report.html", "runs/0001-quickstart/model/config.json", "held-out/sheet.png"):
        assert (work / made).is_file(), made
