"""The pages as a site: it is built without a warning, and nothing in it is loaded from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from pages import PAGES, ROOT

_LOADED = re.compile(
    r"<(?:script|img|iframe|link rel=\"(?:stylesheet|preconnect|icon)\")[^>]*(?:src|href)=\"(https?:[^\"]*)"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("mkdocs") is None or find_spec("mkdocstrings") is None:
        pytest.skip('the site needs pip install ".[docs]"')
    folder = tmp_path_factory.mktemp("site")
    line = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(line, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    assert not built.stderr.strip(), built.stderr
    return folder


def test_every_page_is_in_it(site):
    names = {"README.md": "index.html", "CONTRIBUTING.md": "contributing.html", "examples/README.md": "examples.html"}
    for page in PAGES:
        name = names.get(page.relative_to(ROOT).as_posix(), f"{page.stem}.html")
        assert (site / name).is_file(), name


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site.rglob("*.html"):
        assert not _LOADED.findall(page.read_text(encoding="utf-8")), page.name


def test_links_lead_to_files_of_the_site(site):
    for page in {*site.glob("*.html")} - {site / "404.html"}:  # that one is for a server alone
        for link in re.findall(r'(?:href|src)="([^"#:]+)(?:#[^"]*)?"', page.read_text(encoding="utf-8")):
            assert (site / link).exists(), f"{page.name}: {link}"
