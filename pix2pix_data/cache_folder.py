"""Where is kept what is fetched or decoded once."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """Return where downloads and decoded pixels are kept: $P2P_CACHE, or ~/.cache/pix2pix-kit."""
    given = os.environ.get("P2P_CACHE")
    return Path(given).expanduser() if given else Path.home() / ".cache" / "pix2pix-kit"
