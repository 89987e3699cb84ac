"""Regions of a label map: free of specks, smooth, or painted in their mean colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import RGB, LabelMap

__all__ = ["clean_regions", "majority", "paint_means"]


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
    marked = labels.astype(np.int16)
    cv2.filterSpeckles(marked, -1, min(min_region, labels.size + 1) - 1, 0)  # by -1; what differs by 0 is one region
    is_small = marked < 0
    small, large = np.flatnonzero(is_small), np.flatnonzero(~is_small)
    if not small.size or not large.size:
        return labels
    # Each small pixel learns which large pixel lies nearest: those measured to are 0, and numbered from 1 in order.
    _, nearest = cv2.distanceTransformWithLabels(
        is_small.view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    cleaned = labels.copy()
    cleaned.put(small, labels.take(large[nearest.take(small) - 1]))
    return cleaned


def majority(labels: LabelMap, size_px: int = 5) -> LabelMap:
    """Give each pixel the label that most pixels of the square around it have; its own where two are as frequent.

    Parameters
    ----------
    labels : ndarray of shape (H, W), uint8
    size_px : int
        Side of the square, odd.

    Returns
    -------
    ndarray of shape (H, W), uint8
    """
    most = np.zeros(labels.shape, np.int32)
    winners = labels.copy()
    for label in np.unique(labels):
        mask = (labels == label).astype(np.uint8)
        votes = 2 * cv2.boxFilter(
            mask, cv2.CV_32S, (size_px, size_px), normalize=False, borderType=cv2.BORDER_REPLICATE
        )
        votes += mask  # breaks ties
        winners[votes > most] = label
        np.maximum(most, votes, out=most)
    return winners


def paint_means(labels: LabelMap, photo: RGB) -> RGB:
    """Paint each 4-connected region in the mean colour of the photo below it.

    Parameters
    ----------
    labels : ndarray of shape (H, W), uint8
    photo : ndarray of shape (H, W, 3), uint8

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
    """
    regions = _regions(labels)
    where = regions.ravel()
    counts = np.bincount(where)
    sums = np.stack([np.bincount(where, weights=photo[:, :, i].ravel()) for i in range(3)], axis=1)
    means = np.rint(sums / np.maximum(counts, 1)[:, None]).astype(np.uint8)
    return means[regions]


def _regions(labels: LabelMap) -> npt.NDArray[np.intp]:
    """Number the 4-connected regions of one label, from 1.

    OpenCV numbers regions of ones. So pixels are laid apart, and what lies between two of one label becomes one, too;
    across a corner only ones of the same region touch, which allows the quicker search for 8-connected regions.
    """
    height, width = labels.shape
    apart = np.zeros((2 * height - 1, 2 * width - 1), np.uint8)
    apart[::2, ::2] = 1
    apart[::2, 1::2] = labels[:, 1:] == labels[:, :-1]
    apart[1::2, ::2] = labels[1:] == labels[:-1]
    _, numbers = cv2.connectedComponents(apart, connectivity=8)
    return numbers[::2, ::2].astype(np.intp)
