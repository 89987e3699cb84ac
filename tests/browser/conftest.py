"""A headless Chromium, spoken to over its DevTools pipe: no driver, no port, no package."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pix2pix_data.images import decode_rgb

sys.path.insert(0, str(Path(__file__).parent))  # for painted_page

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome-headless-shell")
_PATIENCE_S = 60


class Browser:
    """One tab. `events` keeps what it told: requests, console messages, uncaught exceptions."""

    def __init__(self, program: str, profile: Path) -> None:
        flags = ["--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--hide-scrollbars"]
        flags += ["--no-first-run", "--disable-gpu", "--disable-dev-shm-usage"]
        flags += ["--no-sandbox"]  # it runs as root in a container, and opens files of ours alone
        commands, self._to = os.pipe()
        self._from, answers = os.pipe()
        files = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
        # The browser reads commands from 3 and answers on 4; the copies are above both, so that none hides the other.
        for fd, name in ((commands, 3), (answers, 4)):
            files.append((os.POSIX_SPAWN_DUP2, fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10), name))
            os.close(fd)
        self._pid = os.posix_spawn(program, [program, *flags], os.environ, file_actions=files)
        for _, fd, _ in files[3:]:
            os.close(fd)
        self._waiting = b""
        self._last_id = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: object) -> dict[str, Any]:
        self._last_id += 1
        message: dict[str, object] = {"id": self._last_id, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._last_id:
            self.events.append(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._waiting:
            assert select.select([self._from], [], [], _PATIENCE_S)[0], "the browser does not answer"
            part = os.read(self._from, 1 << 20)
            assert part, "the browser has gone"
            self._waiting += part
        message, _, self._waiting = self._waiting.partition(b"\0")
        return dict(json.loads(message))

    def open(self, path: Path, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def evaluate(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def screenshot(self, **options: object) -> Any:
        return decode_rgb(base64.b64decode(self.call("Page.captureScreenshot", **options)["data"]))

    def mouse(self, kind: str, x: float, y: float) -> None:
        held = int(kind != "mouseReleased")
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=held, clickCount=1)

    def close(self) -> None:
        self._session = None
        self.call("Browser.close")
        os.waitpid(self._pid, 0)
        os.close(self._to)
        os.close(self._from)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip(f"no Chromium here: none of {', '.join(_NAMES)} is on the PATH")
    one = Browser(program, tmp_path_factory.mktemp("chromium"))
    yield one
    one.close()
