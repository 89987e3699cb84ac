"""What every request passes: is it meant for us, does it come from our own page; and what every answer forbids."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard", "hosts_of"]

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_EVERYWHERE = {"0.0.0.0", "::"}

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",
}


def hosts_of(address: str) -> set[str] | None:
    """Name the hosts that requests to a bound address may be for; None for any number of this machine.

    A page elsewhere can make its own name lead to our address (DNS rebinding), so names are known ones alone. A server
    that is bound to all addresses cannot know which of them is used, but an address is not a name.
    """
    return None if address in _EVERYWHERE else _LOOPBACK | {address}


class Guard:
    """Refuses requests of other sites, and lets the page do nothing but what it needs.

    Parameters
    ----------
    app : ASGIApp
    hosts : collection of str or None
        As from `hosts_of`.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        reason = self._refusal(Headers(scope=scope))
        app = self._app if reason is None else JSONResponse({"error": reason}, 403)
        await app(scope, receive, send_guarded)

    def _refusal(self, headers: Headers) -> str | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_ours(host):
            return "this server is not the host that was asked for"
        if origin is not None and urlsplit(origin).netloc != host:
            return "requests of other pages are refused"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and headers.get("sec-fetch-mode") != "navigate":
            return "requests of other pages are refused"
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in _LOOPBACK or (_is_address(name) if self._hosts is None else name in self._hosts)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
