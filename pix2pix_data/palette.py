"""Palettes: k-means colours in Lab, the nearest colour of a pixel, and regions free of specks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pix2pix_data.images import to_lab

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import RGB, LabelMap

__all__ = ["Palette", "clean_regions", "fit_palette", "nearest_labels", "palette_json"]

_RESTARTS = 4
_MAX_ITERATIONS = 100


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours from dark to light.

    Attributes
    ----------
    colors : tuple of (int, int, int)
        sRGB, each in [0, 255].
    shares : tuple of float
        Part of the pixels that the palette was fitted on that is nearest to each colour; they add up to 1.
    """

    colors: tuple[tuple[int, int, int], ...]
    shares: tuple[float, ...]


def fit_palette(pixels: npt.NDArray[np.uint8], num_colors: int, *, seed: int) -> Palette:
    """Find the colours that stand best for many pixels: k-means in Lab, k-means++ starts, the best of four.

    Parameters
    ----------
    pixels : ndarray of shape (n, 3), uint8
        sRGB.
    num_colors : int
        Colours wanted; fewer come out where the pixels have fewer.
    seed : int

    Returns
    -------
    Palette
        Ordered by lightness, then a, then b, so that labels do not depend on the order that k-means found them in.

    References
    ----------
    Arthur and Vassilvitskii 2007, "k-means++: the advantages of careful seeding".
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    lab = to_lab(pixels)
    num_colors = min(num_colors, len(np.unique(pixels, axis=0)))
    means = KMeans(num_colors, n_init=_RESTARTS, max_iter=_MAX_ITERATIONS, random_state=seed)
    with threadpool_limits(1):  # sums in another order would give other last digits
        labels = means.fit_predict(lab)
    centers = means.cluster_centers_.astype(np.float32)
    order = np.lexsort((centers[:, 2], centers[:, 1], centers[:, 0]))
    counts = np.bincount(labels, minlength=num_colors)[order]
    colors = np.rint(np.clip(cv2.cvtColor(centers[order][:, None], cv2.COLOR_Lab2RGB)[:, 0], 0, 1) * 255)
    return Palette(
        tuple((int(red), int(green), int(blue)) for red, green, blue in colors),
        tuple(float(share) for share in np.round(counts / counts.sum(), 6)),
    )


def nearest_labels(image: RGB, colors: Sequence[tuple[int, int, int]]) -> LabelMap:
    """Find for each pixel the palette colour nearest in Lab; the first of equals.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
    colors : sequence of (int, int, int)
        At most 256 sRGB colours.

    Returns
    -------
    ndarray of shape (H, W), uint8
        Indices into `colors`.
    """
    centers = to_lab(np.array(colors, np.uint8))  # (k, 3)
    lab = to_lab(image).reshape(-1, 3)
    # |x - c|^2 less the part that is the same for every c
    distances = (centers**2).sum(1) - 2 * (lab @ centers.T)  # (H * W, k)
    labels: LabelMap = distances.argmin(1).astype(np.uint8).reshape(image.shape[:2])
    return labels


def clean_regions(labels: LabelMap, min_region: int) -> LabelMap:
    """Give every 4-connected region of fewer than `min_region` pixels the label of its nearest large neighbour.

    Parameters
    ----------
    labels : ndarray of shape (H, W), uint8
    min_region : int
        In pixels. Where no region is as large, nothing is changed.

    Returns
    -------
    ndarray of shape (H, W), uint8
    """
    small = np.zeros(labels.shape, bool)
    for label in np.unique(labels):
        _, regions, stats, _ = cv2.connectedComponentsWithStats((labels == label).astype(np.uint8), connectivity=4)
        is_small = stats[:, cv2.CC_STAT_AREA] < min_region
        is_small[0] = False  # everything that has another label
        small |= is_small[regions]
    if not small.any() or small.all():
        return labels
    # Each small pixel learns which large pixel lies nearest: pixels of value 0 are the ones measured to.
    _, nearest = cv2.distanceTransformWithLabels(small.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    label_of = np.zeros(int(nearest.max()) + 1, np.uint8)
    label_of[nearest[~small]] = labels[~small]
    cleaned: LabelMap = label_of[nearest]
    return cleaned


def palette_json(palette: Palette) -> str:
    """Write palette.json: colours as #rrggbb, a name for each (numbers until the user names them), and shares."""
    entries = [
        {"name": f"color {i}", "color": "#{:02x}{:02x}{:02x}".format(*color), "share": share}
        for i, (color, share) in enumerate(zip(palette.colors, palette.shares, strict=True))
    ]
    return json.dumps({"colors": entries}, indent=1) + "\n"
