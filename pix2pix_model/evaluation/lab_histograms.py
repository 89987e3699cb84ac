"""How alike the colours of two sets of pictures are: the histograms of the paper's Figure 7."""

from __future__ import annotations

import torch
from torch import Tensor

from pix2pix_model.color_space import pixels_to_lab

__all__ = ["LabHistograms"]

_RANGES = ((0, 100), (-110, 110), (-110, 110))  # of L, a and b, in bins one unit wide; all of sRGB but bright blue


class LabHistograms:
    """Histograms of L, a and b over all pixels of the pictures that were added, each axis by itself.

    The paper states no width of bins; ours are one unit of CIE Lab.
    """

    def __init__(self) -> None:
        self._counts = [torch.zeros(high - low, dtype=torch.int64) for low, high in _RANGES]

    @property
    def shares(self) -> tuple[Tensor, ...]:
        """Parts of all pixels in each bin, float64: (100,) for L, (220,) for a and for b."""
        return tuple(counts / counts.sum().clamp(min=1).double() for counts in self._counts)

    def add(self, pixels: Tensor) -> None:
        """Count sRGB pixels, uint8 (N, H, W, 3)."""
        for counts, (low, high), values in zip(self._counts, _RANGES, pixels_to_lab(pixels).unbind(1), strict=True):
            bins = (values.flatten() - low).floor().long().clamp(0, high - low - 1)
            counts += torch.bincount(bins, minlength=len(counts)).cpu()

    def intersection(self, real: LabHistograms) -> tuple[float, float, float]:
        """Return for L, a and b the part that both distributions share: 1 where they are the same.

        References
        ----------
        Swain and Ballard 1991, "Color indexing"; Isola et al. 2017, arXiv:1611.07004, Figure 7.
        """
        shared = [torch.minimum(ours, theirs).sum() for ours, theirs in zip(self.shares, real.shares, strict=True)]
        lightness, a, b = (float(part) for part in shared)
        return lightness, a, b
