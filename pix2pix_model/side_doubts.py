"""What looks wrong of sides while they are read: colours of no class, levels of 16 bits that are cut or hardly used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pix2pix_model.views import Classes, Levels, View

if TYPE_CHECKING:
    from pix2pix_data.channels import Pixels

__all__ = ["SideDoubts"]

_FEWEST_USED = 0.25  # of the levels that networks see from -1 to 1


class SideDoubts:
    """Takes note of sides as they are read, from any number of threads, and says in words what to look at."""

    def __init__(self) -> None:
        self._unclear: dict[str, list[float]] = {}
        self._extremes: dict[str, list[tuple[int, int]]] = {}
        self._levels: dict[str, tuple[int, int]] = {}

    def note(self, title: str, view: View, decoded: Pixels, stored: Pixels) -> None:
        """Take note of one picture of a side."""
        if isinstance(view, Classes):
            self._unclear.setdefault(title, []).append(view.share_unclear(decoded, stored))
        elif isinstance(view, Levels) and view.is_deep:
            self._levels[title] = view.levels
            self._extremes.setdefault(title, []).append((int(stored.min()), int(stored.max())))

    def words(self) -> list[str]:
        """Say what was found, a line for each."""
        return [*self._about_classes(), *self._about_levels()]

    def _about_classes(self) -> list[str]:
        means = {title: sum(shares) / len(shares) for title, shares in self._unclear.items()}
        return [
            f"careful: {mean:.2%} of the pixels of {title} have no colour of palette.json (smeared by JPEG?); "
            "each was taken for the class that it is nearest to"
            for title, mean in means.items()
            if mean > 0
        ]

    def _about_levels(self) -> list[str]:
        lines = []
        for title, extremes in self._extremes.items():
            lowest, highest = min(low for low, _ in extremes), max(high for _, high in extremes)
            low, high = self._levels[title]
            found = f"careful: levels of {title} go from {lowest} to {highest}"
            if lowest < low or highest > high:
                lines.append(f"{found}, and what is beyond data.levels ({low} to {high}) is cut")
            elif highest - lowest < _FEWEST_USED * (high - low):
                fix = f"--set 'data.levels=[{lowest}, {highest}]'"
                lines.append(f"{found}, little of what networks can tell apart: {fix}")
        return lines
