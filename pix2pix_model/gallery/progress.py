"""How a run went, read from its folder: the same pairs over the steps, and the numbers that it logged."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pix2pix_data.dataset import open_dataset
from pix2pix_data.errors import CheckpointError, P2PError
from pix2pix_data.images import read_rgb
from pix2pix_data.sheet import cut_sheet
from pix2pix_model.weights_file import read_json

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB
    from pix2pix_model.checkpoint import Model
    from pix2pix_model.recipe import Recipe

__all__ = ["Frame", "Logged", "Progress", "read_progress"]

_MAX_FRAMES, _MAX_PAIRS = 40, 6
_SHOWN = ("loss_", "val_", "d_accuracy")  # beginnings of the names of what is drawn
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Frame:
    """What the generator made of the pairs after so many steps; pictures of shape (H, W, 3), uint8."""

    step: int
    made: tuple[RGB, ...]


@dataclass(frozen=True, slots=True)
class Logged:
    """One number over the steps: those at which it was logged, and its values."""

    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]

    def at(self, step: int) -> float | None:
        """Return the last value up to a step, None where there is none yet."""
        known = [value for logged, value in zip(self.steps, self.values, strict=True) if logged <= step]
        return known[-1] if known else None


@dataclass(frozen=True, slots=True)
class Progress:
    """How a run went.

    Attributes
    ----------
    titles : tuple of str
        What is given, made and real, such as A, G(A), B.
    split : str
        That the pairs are of: validation, or train where there is no other.
    keys : tuple of str
        Of the pairs.
    given : tuple of tuple of ndarray of shape (H, W, 3), uint8
        For each pair what the generator is given.
    real : tuple of ndarray of shape (H, W, 3), uint8
    frames : tuple of Frame
        In the order of the steps; at least one.
    logged : tuple of Logged
    epochs : dict of int to int
        Epochs by logged step.
    num_left_out : int
        Sheets that could not be cut: drawn with other settings, or damaged.
    """

    titles: tuple[str, ...]
    split: str
    keys: tuple[str, ...]
    given: tuple[tuple[RGB, ...], ...]
    real: tuple[RGB, ...]
    frames: tuple[Frame, ...]
    logged: tuple[Logged, ...]
    epochs: dict[int, int]
    num_left_out: int

    @property
    def last_step(self) -> int:
        return max([self.frames[-1].step, *(max(one.steps) for one in self.logged)])


def read_progress(run_dir: Path, recipe: Recipe, model: Model) -> Progress:
    """Read samples/ and metrics.jsonl: up to 40 steps and 6 pairs, evenly spread, the first and the last among them.

    The pictures are cut out of the sheets, whose layout follows from the recipe and the size of the dataset.

    Parameters
    ----------
    run_dir : Path
    recipe : Recipe
        Of the run.
    model : Model
        Of the run: knows the sides and the size.

    Raises
    ------
    CheckpointError
        If there are no sheets yet, or none that this recipe draws.
    """
    num_pairs: dict[str, int] = read_json(run_dir / "environment.json")["dataset"]["num_pairs"]
    split = "validation" if "validation" in num_pairs else "train"
    num_groups = min(recipe.log.num_samples, num_pairs[split])
    titles = tuple(model.config.sides.titles)
    paths = sorted((run_dir / "samples").glob("*.png"), key=lambda path: (len(path.stem), path.stem))
    if not paths:
        fix = f"let it train: the first is drawn after {recipe.log.samples_every} steps (log.samples_every)"
        raise CheckpointError("this run has drawn no samples yet", where=run_dir, fix=fix)
    chosen = _spread(range(num_groups), _MAX_PAIRS)
    cut: list[tuple[int, list[list[RGB]]]] = []
    shown = _spread(paths, _MAX_FRAMES)
    for path in shown:
        groups = _cut(path, num_groups, len(titles), model.config.crop_size)
        if groups is not None:
            cut.append((int(path.stem), [groups[i] for i in chosen]))
    if not cut:
        fix = "give back log.num_samples and data.crop_size the values that the sheets were drawn with"
        raise CheckpointError("the sheets of this run are not those of its recipe", where=run_dir / "samples", fix=fix)
    last = cut[-1][1]
    steps, logged = _read_log(run_dir / "metrics.jsonl")
    return Progress(
        titles=titles,
        split=split,
        keys=_keys(recipe, split, num_groups, chosen),
        given=tuple(tuple(group[:-2]) for group in last),
        real=tuple(group[-1] for group in last),
        frames=tuple(Frame(step, tuple(group[-2] for group in groups)) for step, groups in cut),
        logged=logged,
        epochs=steps,
        num_left_out=len(shown) - len(cut),
    )


def _cut(path: Path, num_groups: int, num_titles: int, size: tuple[int, int]) -> list[list[RGB]] | None:
    try:
        return cut_sheet(read_rgb(path), num_groups, num_titles, size) if path.stem.isdecimal() else None
    except P2PError:  # a file that cannot be read
        return None


def _spread(ones: Sequence[_T], most: int) -> list[_T]:
    """Choose so many at most, evenly spread, the first and the last among them."""
    if len(ones) <= most:
        return list(ones)
    return [ones[round(i * (len(ones) - 1) / (most - 1))] for i in range(most)]


def _keys(recipe: Recipe, split: str, num_groups: int, chosen: Sequence[int]) -> tuple[str, ...]:
    """Name the pairs of a sheet as the dataset does, if it is still there; it takes them evenly spread over a split."""
    try:
        keys = open_dataset(recipe.data.path).keys(split)
    except (P2PError, OSError):
        return tuple(f"pair {i + 1}" for i in chosen)
    return tuple(keys[i * len(keys) // num_groups] for i in chosen)


def _read_log(path: Path) -> tuple[dict[int, int], tuple[Logged, ...]]:
    series: dict[str, list[tuple[int, float]]] = defaultdict(list)
    epochs: dict[int, int] = {}
    for line in _lines(path):
        epochs[line["step"]] = line.get("epoch", 0)
        for name, value in line.items():
            if name.startswith(_SHOWN) and isinstance(value, int | float) and math.isfinite(value):
                series[name].append((line["step"], float(value)))
    logged = (Logged(name, *zip(*points, strict=True)) for name, points in series.items())
    return epochs, tuple(logged)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            return  # the half line of a run that is being written, or was killed: nothing follows it
        if isinstance(record, dict) and isinstance(record.get("step"), int):
            yield record
