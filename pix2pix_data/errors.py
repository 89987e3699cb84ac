"""The errors that a user may meet, and nothing else.

P2PError
├── UsageError          a setting or an argument that cannot be used
├── ImageError          a picture that cannot be read, or has the wrong shape
├── FormatError         a folder or file that is not laid out as it should be
├── BuildError          a dataset build that cannot start or go on
├── HubError            the Hugging Face hub refuses, cannot be reached, or gives something else
├── StoreError          an object store refuses, cannot be reached, or gives something else
├── RecipeError         a training recipe with faults
├── CheckpointError     a run or model that cannot be loaded
├── TrainingError       a run that cannot go on
└── MissingExtraError   an optional package that is not installed
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "BuildError",
    "CheckpointError",
    "FormatError",
    "HubError",
    "ImageError",
    "MissingExtraError",
    "P2PError",
    "RecipeError",
    "StoreError",
    "TrainingError",
    "UsageError",
]


class P2PError(Exception):
    """An error with three parts: what is wrong, where, and what to do.

    Parameters
    ----------
    what : str
        One sentence without a full stop.
    where : str or Path, optional
        The file, key or setting concerned.
    fix : str, optional
        What the user can do, as an instruction.
    """

    def __init__(self, what: str, *, where: str | Path | None = None, fix: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = None if where is None else str(where)
        self.fix = fix

    def __str__(self) -> str:
        text = self.what if self.where is None else f"{self.what}: {self.where}"
        return text if self.fix is None else f"{text} ({self.fix})"


class UsageError(P2PError):
    """A setting or an argument that cannot be used."""


class ImageError(P2PError):
    """A picture that cannot be read, or has the wrong shape."""


class FormatError(P2PError):
    """A folder or file that is not laid out as it should be."""


class BuildError(P2PError):
    """A dataset build that cannot start or go on."""


class HubError(P2PError):
    """The Hugging Face hub refuses, cannot be reached, or gives something else."""


class StoreError(P2PError):
    """An object store refuses, cannot be reached, or gives something else."""


class RecipeError(P2PError):
    """A training recipe with faults; `what` names all of them."""


class CheckpointError(P2PError):
    """A run or model that cannot be loaded."""


class TrainingError(P2PError):
    """A run that cannot go on: numbers that are not finite, a full disk."""


class MissingExtraError(P2PError):
    """An optional package that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed", fix=f'pip install "pix2pix-kit[{extra}]"')
        self.args = (package, extra)  # what unpickling calls the class with
