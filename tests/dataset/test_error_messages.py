"""What errors say, as a set: what is wrong, and what to do. Each `raise` of both packages is read."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pix2pix_data import errors

ROOT = Path(__file__).parents[2]
# A picture's error is the reason beside its name in failures.jsonl; MissingExtraError says by itself what to install.
NO_REMEDY = {"ImageError", "MissingExtraError"}
ERRORS = {name for name in errors.__all__ if name not in NO_REMEDY}


def made_errors(names: set[str]) -> list[tuple[str, ast.Call]]:
    paths = [path for package in ("pix2pix_data", "pix2pix_model") for path in sorted((ROOT / package).rglob("*.py"))]
    nodes = [(path, node) for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    return [
        (f"{path.relative_to(ROOT).as_posix()}:{node.lineno}", node)
        for path, node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
    ]


def test_there_are_errors_to_read():
    assert len(made_errors(ERRORS)) > 200


@pytest.mark.parametrize(("place", "error"), made_errors(ERRORS), ids=lambda one: one if isinstance(one, str) else "")
def test_an_error_says_what_to_do(place, error):
    assert "fix" in {keyword.arg for keyword in error.keywords}, ast.unparse(error)


@pytest.mark.parametrize(
    ("place", "error"), made_errors(ERRORS | {"ImageError"}), ids=lambda one: one if isinstance(one, str) else ""
)
def test_an_error_is_a_phrase_that_others_can_go_on_from(place, error):
    what = error.args[0]
    if isinstance(what, ast.JoinedStr):
        what = what.values[-1]
    if isinstance(what, ast.Constant) and isinstance(what.value, str):
        assert not what.value.rstrip().endswith((".", "!")), what.value
        assert what.value.strip(), "it says nothing"
