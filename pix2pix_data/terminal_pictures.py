"""Pictures inside a terminal, where it is known to show them; everywhere else the reader is told of a file.

References
----------
Terminal graphics protocol of kitty: https://sw.kovidgoyal.net/kitty/graphics-protocol/
Inline images protocol of iTerm2: https://iterm2.com/documentation-images.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Literal, TypeAlias

__all__ = ["Protocol", "known_protocol", "picture_sequence"]

Protocol: TypeAlias = Literal["kitty", "iterm2"]

_BY_PROGRAM: dict[str, Protocol] = {"iTerm.app": "iterm2", "WezTerm": "iterm2", "mintty": "iterm2", "ghostty": "kitty"}
_CHUNK = 4096  # the longest payload that kitty takes at once
_CELL_PX = 8  # a common width of a character; asking the terminal could leave its answer in the reader's next line


def known_protocol(environment: Mapping[str, str]) -> Protocol | None:
    """Tell from environment variables how a terminal shows pictures; None where that is not certain.

    Inside tmux or screen it never is: they pass the variables on, but not the pictures.
    """
    term = environment.get("TERM", "")
    if "TMUX" in environment or term.startswith(("screen", "tmux")):
        return None
    if term in ("xterm-kitty", "xterm-ghostty"):
        return "kitty"
    return _BY_PROGRAM.get(environment.get("TERM_PROGRAM", ""))


def picture_sequence(png: bytes, protocol: Protocol, *, width_px: int, columns: int) -> str:
    """Write the control sequence that shows a PNG, no wider than the terminal.

    Parameters
    ----------
    png : bytes
        The whole file.
    protocol : {"kitty", "iterm2"}
    width_px : int
        Width of the picture in pixels.
    columns : int
        Width of the terminal in characters.
    """
    payload = base64.b64encode(png).decode()
    width = max(1, min(columns, -(-width_px // _CELL_PX)))
    if protocol == "iterm2":
        return f"\x1b]1337;File=inline=1;size={len(png)};width={width};preserveAspectRatio=1:{payload}\a"
    chunks = [payload[start : start + _CHUNK] for start in range(0, len(payload), _CHUNK)]
    written = []
    for i, chunk in enumerate(chunks):
        keys = f"a=T,f=100,q=2,c={width}," if i == 0 else ""  # transmit and show, a PNG, no answer, in so many columns
        written.append(f"\x1b_G{keys}m={int(i < len(chunks) - 1)};{chunk}\x1b\\")
    return "".join(written)
