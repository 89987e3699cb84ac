"""A picture of the user's made into what a side of a dataset holds: from a photo by its maker, or from a drawing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import cv2
import numpy as np
from pydantic import ValidationError

from pix2pix_data.color_table import paint_labels, snap_to_palette
from pix2pix_data.edges.thinning import thin
from pix2pix_data.errors import UsageError
from pix2pix_data.images import fit_to
from pix2pix_data.label_map import label_colors
from pix2pix_data.maker import PhotoMaker
from pix2pix_data.makers import PAIR_MAKERS
from pix2pix_data.palette_file import Palette

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB
    from pix2pix_data.side_facts import SideFacts

__all__ = ["clean_drawing", "maker_of", "side_of_photo", "snap"]

_FINGERPRINT = re.compile(r" sha256:[0-9a-f]{16}$")
"""How files stand in settings that were written down, see `palette_file.fingerprint`."""
_FETCHED = {"hed": "tiny"}
"""Our own detector stands in for one whose weights may not be here; it draws the same strokes at F1 0.89."""
_PAPER_PX = 31  # wider than any stroke: the median of a square is the paper


def snap(facts: SideFacts, picture: RGB) -> RGB:
    """Give every pixel a colour that the side has: the nearest of the palette, paper or ink, gray.

    Parameters
    ----------
    facts : SideFacts
    picture : ndarray of shape (H, W, 3), uint8

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        A photo comes back as it is.
    """
    if facts.kind in ("segments", "lines"):
        return snap_to_palette(picture, Palette(facts.rgb_colors))
    if facts.kind == "gray" and not (picture == picture[:, :, :1]).all():
        return _gray(facts, picture)
    return picture


def clean_drawing(facts: SideFacts, drawing: RGB, width: int, height: int) -> RGB:
    """Bring a drawing to size and to what the side holds.

    Of label pictures nearest pixels are taken, and what JPEG mixed at a border becomes one of the classes that meet
    there. A scanned or photographed line drawing is freed from the shade of its
    paper, told from it by Otsu's threshold, and drawn anew with lines of the side's width.

    Parameters
    ----------
    facts : SideFacts
    drawing : ndarray of shape (H, W, 3), uint8
    width, height : int
        Size wanted, in pixels; what hangs over is cut.

    Returns
    -------
    ndarray of shape (height, width, 3), uint8

    References
    ----------
    Otsu 1979, "A threshold selection method from gray-level histograms".
    """
    fitted = fit_to(drawing, width, height, "crop", labels=facts.kind == "segments")
    if facts.kind == "segments":
        return paint_labels(label_colors(fitted, facts.rgb_colors), facts.rgb_colors)
    if facts.kind != "lines" or _has_only(fitted, facts):
        return snap(facts, fitted)
    paper, ink = (np.array(color, np.uint8) for color in facts.rgb_colors)
    drawn = _ink(cv2.cvtColor(drawing, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False))
    shrunk = fit_to(np.repeat(drawn[:, :, None], 3, axis=2), width, height, "crop")[:, :, 0]
    lines = thin(shrunk >= _seen_from(drawing, width, height))
    if facts.line_px and facts.line_px > 1:
        pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (facts.line_px, facts.line_px))
        lines = cv2.dilate(lines.astype(np.uint8), pen) > 0
    return np.where(lines[:, :, None], ink, paper).astype(np.uint8)


def side_of_photo(facts: SideFacts, photo: RGB, width: int, height: int) -> RGB:
    """Make of a photo what the side would have been, by the maker and settings of the dataset.

    Parameters
    ----------
    facts : SideFacts
    photo : ndarray of shape (H, W, 3), uint8
    width, height : int
        Size wanted, in pixels; what hangs over is cut.

    Returns
    -------
    ndarray of shape (height, width, 3), uint8

    Raises
    ------
    UsageError
        If the side is drawn by people: no photo can be turned into it.
    """
    fitted = fit_to(photo, width, height, "crop")
    if maker := maker_of(facts):
        return snap(facts, maker.derive([fitted])[0])
    if facts.kind in ("segments", "lines"):
        raise UsageError("what this model is given cannot be made from a photo", fix="give a drawing")
    return snap(facts, fitted)


def maker_of(facts: SideFacts) -> PhotoMaker | None:
    """Build the maker of the side once more; None where it does not work from the photo alone."""
    if facts.maker not in PAIR_MAKERS.names():
        return None
    maker_class = PAIR_MAKERS.get(facts.maker)
    if not issubclass(maker_class, PhotoMaker):
        return None
    settings = {
        name: value
        for name, value in facts.settings.items()
        if name in maker_class.model_fields and not (isinstance(value, str) and _FINGERPRINT.search(value))
    }
    if settings.get("detector") in _FETCHED:
        settings["detector"] = _FETCHED[str(settings["detector"])]
    try:
        maker = maker_class.model_validate(settings)
    except ValidationError:  # it needs a file or a folder that is not here
        return None
    if "fitted_palette" in maker_class.model_fields and facts.colors:
        return maker.model_copy(update={"fitted_palette": Palette(facts.rgb_colors)})
    return maker


def _gray(facts: SideFacts, picture: RGB) -> RGB:
    maker = maker_of(facts)
    if facts.maker == "colorize" and maker is not None:
        return maker.derive([picture])[0]
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
    return np.repeat(gray[:, :, None], 3, axis=2)


def _has_only(picture: RGB, facts: SideFacts) -> bool:
    pixels = picture.reshape(-1, 1, 3)
    return bool((pixels == np.array(facts.rgb_colors, np.uint8)[None]).all(axis=2).any(axis=1).all())


def _ink(gray: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Tell ink from paper: 255 where it is; whichever there is less of is the ink."""
    scale = max(gray.shape) / 1024
    small = cv2.resize(gray, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA) if scale > 1 else gray
    paper = cv2.resize(cv2.medianBlur(small, _PAPER_PX), gray.shape[::-1], interpolation=cv2.INTER_LINEAR)
    contrast = cv2.absdiff(gray, paper)
    threshold, _ = cv2.threshold(contrast, 0, 255, cv2.THRESH_OTSU)
    return np.where(contrast > max(threshold, 24), 255, 0).astype(np.uint8)


def _seen_from(drawing: RGB, width: int, height: int) -> int:
    """Return the part of a pixel, in [1, 255], that ink must cover: thin lines survive however much they shrink."""
    scale = float(min(drawing.shape[0] / height, drawing.shape[1] / width))
    return max(16, round(128 / max(scale, 1.0)))
