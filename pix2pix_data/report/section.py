"""What the sections of a page are made of."""

from __future__ import annotations

from dataclasses import dataclass

from pix2pix_data.report.markup import Html, element

__all__ = ["Section", "command", "counted", "name_caption", "portion"]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page with a heading, and a place in its table of contents.

    Attributes
    ----------
    name : str
        Where links lead to.
    title, lead : str
        The heading, and the sentence under it.
    content : Html
    """

    name: str
    title: str
    lead: str
    content: Html

    def to_html(self) -> Html:
        """Write the section."""
        lead = element("p", self.lead, class_="lead")
        return element("section", element("h2", self.title), lead, self.content, id=self.name)


def command(line: str) -> Html:
    """Write a command line with a button that copies it, which a script brings to life."""
    button = element("button", "Copy", type="button", class_="copy", hidden=True)
    return element("div", element("pre", element("code", line)), button, class_="command")


def name_caption(name: str) -> Html:
    """Write the name of a pair under it; of a long one the end is seen, which tells it from its neighbours."""
    return element("figcaption", element("bdi", name, dir="ltr"), class_="name", title=name)


def counted(number: int, things: str) -> str:
    """Write a number of things, given in the plural.

    Examples
    --------
    >>> counted(1, "pairs"), counted(1200, "pairs")
    ('1 pair', '1,200 pairs')
    """
    return f"{number:,} {things.removesuffix('s') if number == 1 else things}"


def portion(number: int, total: int) -> str:
    """Say how many of all pairs.

    Examples
    --------
    >>> portion(1200, 1200), portion(72, 1200)
    ('All 1,200 pairs', '72 of 1,200 pairs')
    """
    return f"All {counted(total, 'pairs')}" if number == total else f"{number:,} of {counted(total, 'pairs')}"
