"""Curves of what a run logged, as SVG with a marker that a script moves to the step shown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from pix2pix_data.report.markup import Html, element
from pix2pix_model.gallery.progress import Logged

__all__ = ["MARKER_SPAN", "curve_figure"]

MARKER_SPAN = 320.0
"""Width of a curve in its own units: where a marker stands at the last step."""

_HEIGHT, _MARGIN = 96.0, 4.0
_MAX_POINTS = 240
_SPOKEN = {
    "val_l1": "validation L1",
    "val_psnr": "validation PSNR",
    "val_ssim": "validation SSIM",
    "loss_g_l1": "G loss, L1",
    "loss_g_gan": "G loss, GAN",
    "loss_d_real": "D loss, real",
    "loss_d_fake": "D loss, made",
    "d_accuracy": "D judges rightly",
}


def curve_figure(logged: Logged, last_step: int, shown_steps: Sequence[int]) -> Html:
    """Draw one number over the steps, from 0 on the left to `last_step`.

    Parameters
    ----------
    logged : Logged
        At least one value. Where there are more than 240, each point is the mean of its neighbours.
    last_step : int
    shown_steps : sequence of int
        Steps that the slider stops at; the figure holds the value at each, for the script.
    """
    points = _thinned(list(zip(logged.steps, logged.values, strict=True)))
    lowest, highest = min(value for _, value in points), max(value for _, value in points)
    span = (highest - lowest) or 1.0
    xy = [
        (MARKER_SPAN * step / last_step, _MARGIN + (_HEIGHT - 2 * _MARGIN) * (1 - (value - lowest) / span))
        for step, value in points
    ]
    name = _SPOKEN.get(logged.name, logged.name)
    shape = "line" if len(xy) > 1 else "line dot"  # a line from a point to itself is drawn as its round ends
    drawn = element("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in xy * (1 + (len(xy) == 1))), class_=shape)
    x = f"{MARKER_SPAN * shown_steps[-1] / last_step:.1f}"
    marker = element("line", x1=x, x2=x, y1=0, y2=_HEIGHT, class_="marker")
    chart = element(
        "svg",
        drawn,
        marker,
        viewBox=f"0 0 {MARKER_SPAN:g} {_HEIGHT:g}",
        class_="curve",
        role="img",
        aria_label=f"{name} over {last_step} steps, from {lowest:.4g} to {highest:.4g}",
        preserveAspectRatio="none",
    )
    values = [logged.at(step) for step in shown_steps]
    told = ["-" if value is None else f"{value:.4g}" for value in values]
    caption = element("figcaption", element("span", name), element("output", told[-1]))
    ends = element("p", f"{lowest:.4g} to {highest:.4g}" if len(points) > 1 else "measured once", class_="keys")
    return element("figure", caption, chart, ends, data_values=" ".join(told), title=logged.name)


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    if len(points) <= _MAX_POINTS:
        return points
    bounds = [i * len(points) // _MAX_POINTS for i in range(_MAX_POINTS + 1)]
    parts = [points[first:stop] for first, stop in pairwise(bounds)]
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]
