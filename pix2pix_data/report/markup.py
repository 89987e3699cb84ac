"""HTML that is escaped by construction: whatever is not an element is text."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

__all__ = ["NOTHING", "Html", "element", "join"]

_WITHOUT_END = {"br", "img", "input", "link", "meta"}


class Html(str):
    """Markup, as opposed to text that must be escaped."""

    __slots__ = ()


NOTHING = Html()


def element(tag: str, /, *children: str, **attributes: str | int | float | bool) -> Html:
    """Write an HTML or SVG element.

    Parameters
    ----------
    tag : str
        Such as "p".
    children : str
        `Html` stands as it is; any other text is escaped.
    attributes : str, int, float or bool
        Underscores become hyphens, and one at the end is dropped (`class_`); True is written as the bare name, False
        left out.

    Examples
    --------
    >>> element("p", "a < b", element("br"), class_="note", hidden=True)
    '<p class="note" hidden>a &lt; b<br></p>'
    """
    written = "".join(_attribute(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    if tag in _WITHOUT_END:
        return Html(f"<{tag}{written}>")
    return Html(f"<{tag}{written}>{join(children)}</{tag}>")


def join(parts: Iterable[str]) -> Html:
    """Put markup and text in a row; text is escaped."""
    return Html("".join(part if isinstance(part, Html) else escape(_readable(part)) for part in parts))


def _attribute(name: str, value: str | int | float | bool) -> str:
    if isinstance(value, bool):
        return f" {name}" if value else ""
    return f' {name}="{escape(_readable(str(value)))}"'


def _readable(content: str) -> str:
    """Spell out what a page cannot hold, or what deceives its reader, such as marks that turn the writing round."""
    if content.isprintable():
        return content
    return "".join(
        character if character.isprintable() or character in "\n\t" else f"\\u{ord(character):04x}"
        for character in content
    )
