"""The command line, for the tests of every room."""

from __future__ import annotations

import contextlib
import io
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def p2p_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run p2p-data in a folder of its own, as a user does, but in this process: a new one takes a second to start.

    So do worker processes, of which there are none unless --workers asks for them.
    """
    monkeypatch.setattr("pix2pix_data.engines.local.default_workers", lambda: 1)

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
