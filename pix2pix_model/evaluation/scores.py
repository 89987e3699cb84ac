"""A measured number, with what it takes to read it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

__all__ = ["Better", "Score", "finite"]

Better: TypeAlias = Literal["higher", "lower", "nearest"]
"""Which way is better; "nearest" means near what real pictures have."""


@dataclass(frozen=True, slots=True)
class Score:
    """One measure of all pictures.

    Attributes
    ----------
    key : str
        Its name in evaluation.json, such as "ssim".
    name : str
        Its name for people.
    value : float
        Of what was made.
    better : {"higher", "lower", "nearest"}
    real : float or None
        The same of real pictures, where that says what can be reached; None where it is known without measuring.
    digits : int
        Decimal places worth showing.
    spread : float or None
        Standard deviation: over pictures, or as the note says.
    note : str
        What a reader must know.
    """

    key: str
    name: str
    value: float
    better: Better
    real: float | None = None
    digits: int = 3
    spread: float | None = None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return what stands in evaluation.json; infinite and undefined numbers, which JSON has not, are null."""
        numbers = {"value": self.value, "real": self.real, "spread": self.spread}
        told = {name: finite(number) for name, number in numbers.items() if number is not None}
        return {"name": self.name, **told, "better": self.better} | ({"note": self.note} if self.note else {})


def finite(number: float) -> float | None:
    """Return a number, None if it is infinite or undefined."""
    return number if math.isfinite(number) else None
