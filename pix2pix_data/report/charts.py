"""Charts as SVG. Their colours are attributes or classes: the policy of the page lets no style stand in an element."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pix2pix_data.report.markup import Html, element

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["bar", "color_histogram", "swatch"]

_WIDTH, _HEIGHT = 320, 96


def color_histogram(counts: npt.NDArray[np.int64], title: str) -> Html:
    """Draw pixels by the value of red, green and blue, from 0 on the left to 255 on the right.

    Heights go with the square root of the counts: in drawings nine pixels in ten are white.

    Parameters
    ----------
    counts : ndarray of shape (3, bins), int64
    title : str
        What is said to those who do not see it.
    """
    heights = np.sqrt(counts / max(1, counts.max()))
    step = _WIDTH / counts.shape[1]
    areas = []
    for name, channel in zip(("red", "green", "blue"), heights, strict=True):
        tops = [f"{i * step:g},{_HEIGHT * (1 - height):.1f}" for i, height in enumerate(channel)]
        steps = [f"{top} {(i + 1) * step:g},{top.partition(',')[2]}" for i, top in enumerate(tops)]
        areas.append(element("polygon", points=f"0,{_HEIGHT} {' '.join(steps)} {_WIDTH},{_HEIGHT}", class_=name))
    return _svg(*areas, width=_WIDTH, height=_HEIGHT, title=title, class_="histogram")


def bar(share: float) -> Html:
    """Draw a share in [0, 1] as a bar; the number stands beside it."""
    track = element("rect", width=100, height=8, class_="track")
    return _svg(track, element("rect", width=f"{100 * share:.2f}", height=8), width=100, height=8, class_="bar")


def swatch(color: str) -> Html:
    """Draw a square of the colour #rrggbb."""
    return _svg(element("rect", width=20, height=20, fill=color), width=20, height=20, class_="swatch")


def _svg(*children: Html, width: int, height: int, class_: str, title: str = "") -> Html:
    seen = {"role": "img", "aria_label": title} if title else {"aria_hidden": "true"}
    stretched = {} if class_ == "swatch" else {"preserveAspectRatio": "none"}
    return element("svg", *children, viewBox=f"0 0 {width} {height}", class_=class_, **seen, **stretched)
