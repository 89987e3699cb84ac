"""Which paths are URLs of an object store. Loads nothing, so that every command can ask."""

from __future__ import annotations

import re
from pathlib import Path

from pix2pix_data.errors import UsageError

__all__ = ["shown_place", "url_of"]

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)")  # two letters at least: C:/photos is a drive


def url_of(place: str | Path) -> str | None:
    """Return the URL that a path is, or None where it is a path; a Path of a URL has lost one of its two slashes.

    Raises
    ------
    UsageError
        If it holds a password, or lies in the memory of one process.

    Examples
    --------
    >>> url_of(Path("s3://bucket/photos/")), url_of("photos")
    ('s3://bucket/photos', None)
    """
    match = _URL.fullmatch(place if isinstance(place, str) else place.as_posix())
    if match is None:
        return None
    protocol, below = match[1].lower(), match[2].rstrip("/")
    if "@" in below.partition("/")[0]:
        fix = "leave it to the store's own variables or files, such as AWS_ACCESS_KEY_ID or ~/.aws/credentials"
        raise UsageError("a URL with a name or password in it would be written down", where=f"{protocol}://", fix=fix)
    if protocol == "memory":
        fix = "give a folder, or the URL of a store, such as s3://bucket/name"
        raise UsageError("what lies in the memory of one process is of no use to the next", where="memory://", fix=fix)
    return f"{protocol}:///{below}" if protocol == "file" else f"{protocol}://{below}"


def shown_place(path: Path) -> str:
    """Write a path, or the URL that it is, as it was typed."""
    return url_of(path) or path.as_posix()
