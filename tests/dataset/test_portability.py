"""What another system does otherwise: the encoding of text, letters that a console lacks, calls that only POSIX has."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [path for package in ("pix2pix_data", "pix2pix_model") for path in sorted((ROOT / package).rglob("*.py"))]
POSIX_ALONE = {"fcntl", "resource", "pwd", "grp", "termios", "os.fork", "os.getuid", "signal.SIGKILL", "signal.SIGHUP"}


def calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_text_is_utf_8_whatever_the_system_prefers(path):
    for call in calls(path):
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("read_text", "write_text"):
            given = len(call.args) > (call.func.attr == "write_text") or any(k.arg == "encoding" for k in call.keywords)
            assert given, f"{path.name}, line {call.lineno}: say encoding"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_is_asked_of_the_system_that_only_posix_has(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    asked = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not (imported | asked) & POSIX_ALONE


def test_a_console_without_a_letter_ends_nothing():
    line = "from pix2pix_data.console import *; exit_with_errors_told(lambda: result('better \\u2191'))"
    ascii_alone = os.environ | {"PYTHONIOENCODING": "ascii:strict"}
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, env=ascii_alone, check=False)
    assert (done.returncode, done.stdout) == (0, "better ?\n"), done.stderr
