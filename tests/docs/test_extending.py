"""The package that docs/extending.md shows, installed into a folder of its own and used from another one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from page_inputs import TRAIN_QUICKLY, photos_of, write_jpeg
from pages import ROOT, lines, snippets

PAGE = ROOT / "docs" / "extending.md"
MAIN = {
    "p2p-data": "pix2pix_data.cli",
    "p2p-train": "pix2pix_model.cli_train",
    "p2p-model": "pix2pix_model.cli_model",
}


def test_a_package_with_a_maker_and_a_network_is_used_once_it_is_installed(tmp_path):
    package, site, work = (tmp_path / name for name in ("tones", "site", "work"))
    package.mkdir()
    files = dict(zip(("tones_maker.py", "tones_network.py"), snippets(PAGE, "python"), strict=True))
    for name, content in {**files, "pyproject.toml": snippets(PAGE, "toml")[0]}.items():
        (package / name).write_text(content, encoding="utf-8")
    for i, photo in enumerate(photos_of(tmp_path / "sample", 20)):
        write_jpeg(work / "photos" / f"{i}.jpg", photo)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "P2P_CACHE": ""}
    environment["PYTHONPATH"] = os.pathsep.join([str(site), str(ROOT), os.environ.get("PYTHONPATH", "")])

    for line in (line for line in lines() if line.page == PAGE.name):
        if line.words[0] == "pip":
            offline = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(site))
            run("-m", "pip", "install", *offline, str(package), cwd=tmp_path, environment=environment)
            continue
        added = {"p2p-data": "--size 64 --workers 1", "p2p-train": " ".join(f"--set {one}" for one in TRAIN_QUICKLY)}
        start = f"from {MAIN[line.words[0]]} import main; main()"
        options = added.get(line.words[0], "").split()
        run("-c", start, *line.words[1:], *options, cwd=work, environment=environment)

    assert (work / "photos-tones-translated" / "sheet.png").is_file()
    assert '"small"' in (work / "runs" / "0001-pairs" / "model" / "config.json").read_text(encoding="utf-8")


def run(*arguments: str, cwd: Path, environment: dict[str, str]) -> None:
    line = [sys.executable, *arguments]
    done = subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
