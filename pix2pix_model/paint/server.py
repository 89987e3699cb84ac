"""The server of the painting page: a few routes over a painter, each with its limits."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pix2pix_data.errors import ImageError, P2PError, UsageError
from pix2pix_data.images import encode_png
from pix2pix_model.paint.guard import Guard, hosts_of
from pix2pix_model.paint.painter import Painter, Source, as_data_url
from pix2pix_model.paint.turns import Crowded, Overtaken, Turns

__all__ = ["MOST_UPLOAD_BYTES", "address_of", "bind", "build_app", "page_files", "serve"]


MOST_UPLOAD_BYTES = 32 << 20
_MOST_UPLOADS = 4  # at a time, so that all of them together stay below 128 MiB
_PATIENCE_S = 20  # for a request to arrive whole
_MOST_CONNECTIONS = 64
_FREE_PORT = 0
_TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "json": "application/json",
}


def build_app(painter: Painter, address: str = "127.0.0.1") -> Starlette:
    """Wire the routes.

    Parameters
    ----------
    painter : Painter
    address : str
        What the server is bound to; decides which hosts it answers for.

    Returns
    -------
    Starlette
        An ASGI application.
    """
    api = _Api(painter)
    assets = page_files()
    routes = [
        Route("/", partial(_asset, *assets.pop("index.html"))),
        Route("/openapi.json", partial(_asset, *assets.pop("openapi.json"))),
        *(Route(f"/assets/{name}", partial(_asset, *asset)) for name, asset in assets.items()),
        Route("/api/model", api.model),
        Route("/api/examples/{number}", api.example),
        Route("/api/prepare", api.prepare, methods=["POST"]),
        Route("/api/translate", api.translate, methods=["POST"]),
    ]
    handlers = {HTTPException: _told, P2PError: _told, Overtaken: _told, Crowded: _told, ClientDisconnect: _told}
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, hosts=hosts_of(address))],
        exception_handlers=handlers,
        lifespan=api.lifespan,
    )


def bind(address: str, port: int = _FREE_PORT) -> socket.socket:
    """Bind a socket; UsageError where the port is taken or the address is not of this machine."""
    try:
        return socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    except OSError as error:
        where = f"{address}:{port}"
        raise UsageError(
            f"cannot listen there: {error.strerror or error}", where=where, fix="choose another --port"
        ) from None


def address_of(bound: socket.socket) -> str:
    """Return the address to open in a browser."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve(painter: Painter, bound: socket.socket) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    config = uvicorn.Config(
        build_app(painter, bound.getsockname()[0]),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        http="h11",
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run(sockets=[bound])


# --- answers ------------------------------------------------------------------------------------------------------


class _Api:
    """What the page asks of the painter. Uploads are made ready in a thread of their own, beside translations."""

    def __init__(self, painter: Painter) -> None:
        self._painter = painter
        self._translating, self._preparing = Turns("translate"), Turns("prepare")
        self._uploading = asyncio.Semaphore(_MOST_UPLOADS)
        self._most_drawing_bytes = 8 * painter.width * painter.height + (64 << 10)  # twice that of a PNG as it is

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:  # noqa: ARG002
        yield
        self._translating.close()
        self._preparing.close()

    async def model(self, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse(self._painter.description())

    async def example(self, request: Request) -> Response:
        number = request.path_params["number"]
        if (
            not number.isascii()
            or not number.isdecimal()
            or len(number) > 4
            or int(number) >= len(self._painter.examples)
        ):
            raise HTTPException(404, "there is no such example")
        return Response(encode_png(self._painter.examples[int(number)]), media_type="image/png")

    async def prepare(self, request: Request) -> Response:
        source = _choice(request, self._painter.sources())
        if self._uploading.locked():
            raise Crowded
        async with self._uploading:
            content = await _body(request, MOST_UPLOAD_BYTES)
            picture = await self._preparing.run(_client(request), lambda: self._painter.prepare(content, source))
        return Response(encode_png(picture), media_type="image/png")

    async def translate(self, request: Request) -> Response:
        num_samples = _whole(request, "samples", self._painter.most_samples)
        content = await _body(request, self._most_drawing_bytes)
        return JSONResponse(await self._translating.run(_client(request), lambda: self._made(content, num_samples)))

    def _made(self, content: bytes, num_samples: int) -> dict[str, object]:
        start = time.perf_counter()
        pictures = self._painter.translate(self._painter.read_drawing(content), num_samples=num_samples)
        urls = [as_data_url(picture) for picture in pictures]
        return {"pictures": urls, "milliseconds": round((time.perf_counter() - start) * 1000, 1)}


async def _body(request: Request, most: int) -> bytes:
    """Read the picture of a request, no more than allowed and no longer than patience lasts."""
    too_large = HTTPException(413, f"the file has more than {most:,} bytes")
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > most:
        raise too_large
    content = bytearray()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            async for part in request.stream():
                content += part
                if len(content) > most:
                    raise too_large
    except TimeoutError:
        raise HTTPException(408, "the file did not arrive in time") from None
    return bytes(content)


def _client(request: Request) -> str:
    """Tell clients apart: by what a page calls itself, else by where it is."""
    named = request.headers.get("x-painter", "")
    return named[:64] or (request.client.host if request.client else "")


def _choice(request: Request, sources: list[Source]) -> Source:
    asked = request.query_params.get("source", sources[0])
    for source in sources:
        if source == asked:
            return source
    raise HTTPException(422, f"source should be {' or '.join(sources)}")


def _whole(request: Request, name: str, most: int) -> int:
    text = request.query_params.get(name, "1")
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and 1 <= int(text) <= most):
        raise HTTPException(422, f"{name} should be a whole number from 1 to {most}")
    return int(text)


async def _told(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Answer an error in words, as JSON."""
    status, words, headers = 500, "", None
    if isinstance(error, HTTPException):
        status, words, headers = error.status_code, error.detail, error.headers
    elif isinstance(error, Overtaken):
        status, words = 409, "a newer drawing has taken its place"
    elif isinstance(error, Crowded):
        status, words, headers = 503, "too many drawings wait", {"Retry-After": "1"}
    elif isinstance(error, P2PError):
        status, words = (415 if isinstance(error, ImageError) else 422), str(error)
    elif isinstance(error, ClientDisconnect):
        status, words = 400, "the request was not sent whole"
    return JSONResponse({"error": words}, status, headers=headers)


# --- files of the page --------------------------------------------------------------------------------------------


async def _asset(content: bytes, media_type: str, request: Request) -> Response:  # noqa: ARG001
    return Response(content, media_type=media_type)


def page_files() -> dict[str, tuple[bytes, str]]:
    """Read the page's files, by name, with their types."""
    here = files("pix2pix_model.paint")
    found: list[Traversable] = [one for folder in ("page", "vendor") for one in (here / folder).iterdir()]
    return {
        one.name: (one.read_bytes(), _TYPES[suffix])
        for one in found
        if (suffix := one.name.rpartition(".")[2]) in _TYPES
    }
