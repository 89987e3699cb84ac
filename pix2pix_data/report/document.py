"""A page as one file that needs no server and asks nobody for anything: its head, its style and its policy."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from pix2pix_data.report.markup import Html, element

__all__ = ["document"]


def document(title: str, body: Html, *, style: str = "", script: str = "") -> str:
    """Write a page of ours: its style and script within, and a policy that lets nothing else in.

    Parameters
    ----------
    title : str
        For the browser's tab.
    body : Html
        A header, and a main element with sections.
    style, script : str
        What this page needs beside the style and script of all pages of ours.
    """
    here = files("pix2pix_data.report")
    style, script = (
        Html((here / name).read_text(encoding="utf-8") + more)
        for name, more in (("page.css", style), ("page.js", script))
    )
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", style),
    )
    return f"<!doctype html>\n{element('html', head, element('body', body, element('script', script)), lang='en')}\n"


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
