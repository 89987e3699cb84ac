"""The command line and the files that it leaves, for the tests of every room."""

from __future__ import annotations

import contextlib
import hashlib
import io
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


class FileBytes(bytes):
    """What a file holds; where it is not what a test expects, it is told by its size and a checksum."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes, SHA-256 {hashlib.sha256(self).hexdigest()[:16]}>"


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Read every file below a folder, by name."""
    return lambda folder: {
        path.relative_to(folder).as_posix(): FileBytes(path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def p2p_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run p2p-data in a folder of its own, as a user does, but in this process: a new one takes a second to start.

    So do worker processes, of which there are none unless --workers asks for them.
    """
    monkeypatch.setattr("pix2pix_data.limits.num_processors", lambda: 1)

    from pix2pix_data.cli import app
    from pix2pix_data.console import exit_with_errors_told

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        out, err, code = io.StringIO(), io.StringIO(), 0
        with (
            contextlib.chdir(tmp_path),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            warnings.catch_warnings(),
        ):
            try:
                exit_with_errors_told(lambda: app([*map(str, arguments)], prog_name="p2p-data"))
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 0
        return subprocess.CompletedProcess([*arguments], code, out.getvalue(), err.getvalue())

    return run
