"""Real photos to try everything with: crops of those that scikit-image and scikit-learn ship."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from pix2pix_data.errors import BuildError, MissingExtraError
from pix2pix_data.images import read_rgb, write_png

__all__ = ["write_sample"]

# Natural photos in colour, by the package and the file in it. See the README.txt beside each for its author and terms.
_PHOTOS = (
    ("skimage", "data/astronaut.png"),
    ("skimage", "data/chelsea.png"),
    ("skimage", "data/coffee.png"),
    ("skimage", "data/rocket.jpg"),
    ("skimage", "data/motorcycle_left.png"),
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
)

_CROPS_OF_A_HALF = 60


def write_sample(folder: Path, *, crop_px: int = 128) -> int:
    """Cut the left and the right half of each photo into crops: folder/PHOTO/left, folder/PHOTO/right.

    Crops of one half overlap, those of two halves share no pixel: with `--group folder` no split leaks.

    Parameters
    ----------
    folder : Path
        New or empty, or an earlier sample.
    crop_px : int
        Side of a crop in pixels.

    Returns
    -------
    int
        How many crops were written.

    Raises
    ------
    BuildError
        If `folder` holds something else.
    """
    names = {Path(file).stem for _, file in _PHOTOS}
    if folder.exists() and {path.name for path in folder.iterdir()} - names:
        raise BuildError("this folder holds other things", where=folder, fix="name a new folder")
    num_written = 0
    for package, file in _PHOTOS:
        photo = read_rgb(_package_folder(package) / file)
        middle = photo.shape[1] // 2
        for side, half in (("left", photo[:, :middle]), ("right", photo[:, middle:])):
            for top, left in _places(half.shape[0] - crop_px, half.shape[1] - crop_px):
                crop = half[top : top + crop_px, left : left + crop_px]
                write_png(folder / Path(file).stem / side / f"{top:03d}-{left:03d}.png", crop)
                num_written += 1
    return num_written


def _places(room_down: int, room_right: int) -> Iterator[tuple[int, int]]:
    """Spread about `_CROPS_OF_A_HALF` places evenly over all that there are."""
    step = max(1, math.isqrt(room_down * room_right // _CROPS_OF_A_HALF))
    return itertools.product(range(0, room_down + 1, step), range(0, room_right + 1, step))


def _package_folder(package: str) -> Path:
    spec = find_spec(package)  # finds the files without the seconds that importing the package takes
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(package, "dev")
    return Path(spec.submodule_search_locations[0])
