"""A proxy before an S3 server on loopback, that does to requests what is asked for."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ERROR, CUT, WRONG, SLOW, DENY = "500", "cut", "wrong", "slow", "403"


@dataclass
class Fault:
    """What to do to the next `times` requests that match, such as "GET .*parquet"."""

    pattern: str
    kind: str
    times: int = 1
    first: Callable[[], None] | None = None


@dataclass
class Faults:
    """What the proxy does, and what it was asked."""

    port_behind: int
    url: str = ""
    waiting: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, pattern: str, kind: str, times: int = 1, first: Callable[[], None] | None = None) -> None:
        self.waiting.append(Fault(pattern, kind, times, first))

    def take(self, request: str) -> Fault | None:
        with self.lock:
            self.requests.append(request)
            for fault in self.waiting:
                if fault.times and re.fullmatch(fault.pattern, request):
                    fault.times -= 1
                    return fault
        return None

    def count(self, pattern: str) -> int:
        return sum(re.fullmatch(pattern, request) is not None for request in self.requests)

    @property
    def all_used(self) -> bool:
        return not any(fault.times for fault in self.waiting)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    faults: Faults

    def log_message(self, *_: object) -> None:
        pass

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.faults.take(f"{self.command} {self.path.partition('?')[0]}")
        if fault is not None and fault.first is not None:
            fault.first()
        kind = fault.kind if fault else ""
        if kind in (ERROR, DENY):
            code = "InternalError" if kind == ERROR else "AccessDenied"
            self.answer(int(kind), [], f"<Error><Code>{code}</Code><Message>a fault</Message></Error>".encode())
            return
        if kind == CUT and self.command != "GET":
            self.close_connection = True
            self.connection.close()
            return
        if kind == SLOW:
            time.sleep(0.3)
        behind = http.client.HTTPConnection("127.0.0.1", self.faults.port_behind)
        sent = _other_bytes(body) if kind == WRONG and self.command == "PUT" else body
        # A checksum that goes with the request would have the server refuse what was spoilt on its way.
        headers = {name: value for name, value in self.headers.items() if "checksum" not in name or sent == body}
        behind.request(self.command, self.path, sent, headers)
        response = behind.getresponse()
        content = response.read()
        behind.close()
        length = response.headers["Content-Length"] if self.command == "HEAD" else str(len(content))
        kept = [(name, value) for name, value in response.headers.items() if name.lower() not in _OURS]
        if kind == WRONG and self.command == "GET":
            kept = [(name, value) for name, value in kept if "checksum" not in name.lower()]
            content = _other_bytes(content)
        self.answer(response.status, kept, content, length, cut=kind == CUT)

    def do_GET(self) -> None:
        self.serve()

    def do_HEAD(self) -> None:
        self.serve()

    def do_PUT(self) -> None:
        self.serve()

    def do_POST(self) -> None:
        self.serve()

    def do_DELETE(self) -> None:
        self.serve()

    def answer(
        self, status: int, headers: list[tuple[str, str]], body: bytes, length: str = "", *, cut: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.close_connection = True


_OURS = {"content-length", "connection", "transfer-encoding"}


def _other_bytes(body: bytes) -> bytes:
    """Change the bytes in the middle."""
    middle = len(body) // 2
    return body[:middle] + bytes(byte ^ 0xFF for byte in body[middle : middle + 8]) + body[middle + 8 :]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """A client that was killed, or given up on, is no error of the proxy's."""
