"""How long pairs take to make, beside how others make them, and beside reading and writing their pictures alone.

    python benchmarks/makers.py
    python benchmarks/makers.py ./photos --num 40 --num-large 4

The baselines are in rival_makers.py. Processor time of one thread, in turn, photo by photo; medians, and the lowest and
the highest of the ratios. Photos smaller than the size asked for are enlarged. The floor of a maker is what its two
sides cost without it: the photo read, brought to size, and both encoded as they are. Soft maps are those of `tiny`.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import cv2
import numpy as np
import rival_makers
from kmeans import plan_of
from PIL import Image
from threadpoolctl import threadpool_limits

from pix2pix_data.color_table import to_lab
from pix2pix_data.console import exit_with_errors_told, result
from pix2pix_data.dataset import encode_pair
from pix2pix_data.edges.detector import make_detector
from pix2pix_data.edges.strokes import strokes
from pix2pix_data.images import encode_jpeg, encode_png, fit_to, read_photo, read_rgb, write_png
from pix2pix_data.listing import list_photos
from pix2pix_data.makers.colorize import ColorizeMaker
from pix2pix_data.makers.combine import CombineMaker
from pix2pix_data.makers.inpaint import InpaintMaker
from pix2pix_data.makers.kmeans import KMeansMaker
from pix2pix_data.memory import give_back_memory
from pix2pix_data.pair import Failed, Pair, PairPlan
from pix2pix_data.png import png_of_labels, png_of_levels
from pix2pix_data.shards import write_shard

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.maker import PairMaker
    from pix2pix_data.pair import RGB

SIZE_PX, LARGE_PX = 256, 1024
NUM_COLORS = 8
MAP_REPEATS = 3  # of each map: a map of 256 px takes a millisecond or two


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="How long pairs take to make.")
    parser.add_argument("photos", type=Path, nargs="?", default=Path("../shared/data/bsds500/images/train"))
    parser.add_argument("--num", type=int, default=24, help=f"photos at {SIZE_PX} px")
    parser.add_argument("--num-large", type=int, default=3, help=f"photos at {LARGE_PX} px")
    options = parser.parse_args()
    found = list_photos(options.photos).photos
    paths = found[:: max(1, len(found) // options.num)][: options.num]
    cv2.setNumThreads(1)
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        result(f"{len(paths)} photos at {SIZE_PX} px, {options.num_large} of them at {LARGE_PX} px; one thread")
        result("| | theirs | ours | theirs over ours | |\n|---|---|---|---|---|")
        compare_k_means(paths, SIZE_PX)
        compare_k_means(paths[: options.num_large], LARGE_PX)
        compare_strokes(paths, SIZE_PX)
        compare_strokes(paths[: options.num_large], LARGE_PX)
        compare_folders(paths, Path(folder))
        result("\n| maker | of a pair | its floor | over the floor |\n|---|---|---|---|")
        give_back_memory()  # as p2p-data does, and others do not
        compare_floors(paths)
        result("")
        tell_writing(paths, Path(folder))


def ms_of(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1e3


def print_row(name: str, theirs: Sequence[float], ours: Sequence[float], note: str = "") -> None:
    ratios = [their / our for their, our in zip(theirs, ours, strict=True)]
    spread = f"{median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
    result(f"| {name} | {median(theirs):.1f} ms | {median(ours):.1f} ms | {spread} | {note} |")


# --- beside others ------------------------------------------------------------------------------------------------


def compare_k_means(paths: Sequence[Path], size_px: int) -> None:
    """Find the colours of each photo and the label of each pixel."""
    maker = KMeansMaker(colors=NUM_COLORS, per_image=True)
    photos: list[RGB] = [fit_to(read_rgb(path), size_px, size_px, "crop") for path in paths]
    maker._labels(photos[0])  # what is imported at first use is not of interest
    theirs, ours, inertias = (list[float]() for _ in range(3))
    for photo in photos:
        start = time.process_time()
        fit = rival_makers.k_means(photo, NUM_COLORS)
        theirs.append((time.process_time() - start) * 1e3)
        start = time.process_time()
        colors, labels = maker._labels(photo)
        ours.append((time.process_time() - start) * 1e3)
        best = inertia(photo, rgb_of(fit.cluster_centers_), fit.labels_.reshape(labels.shape))
        inertias.append(inertia(photo, np.array(colors, np.uint8), labels) / best)
    note = f"inertia {median(inertias):.4f}, at worst {max(inertias):.4f}"
    print_row(f"k-means and labels, {size_px} px", theirs, ours, note)


def inertia(photo: RGB, colors: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer]) -> float:
    """Return the squared Lab distance of pixels to the colour that they are given, in 8 bits as it is painted."""
    return float(((to_lab(photo) - to_lab(colors)[labels]) ** 2).sum(dtype=np.float64))


def rgb_of(lab: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    rgb = cv2.cvtColor(lab.astype(np.float32)[:, None], cv2.COLOR_Lab2RGB)[:, 0]
    return np.rint(rgb.clip(0, 1) * 255).astype(np.uint8)


def compare_strokes(paths: Sequence[Path], size_px: int) -> None:
    """Draw strokes from soft maps; they must be the same to the bit."""
    detector = make_detector("tiny", None)
    theirs, ours = list[float](), list[float]()
    for path in paths:
        (soft,) = detector([fit_to(read_rgb(path), size_px, size_px, "crop")])
        assert np.array_equal(strokes(soft), rival_makers.plain_strokes(soft)), f"strokes differ: {path}"
        for _ in range(MAP_REPEATS):
            theirs.append(ms_of(lambda: rival_makers.plain_strokes(soft)))  # noqa: B023 - called at once
            ours.append(ms_of(lambda: strokes(soft)))  # noqa: B023
    print_row(f"strokes from soft maps, {size_px} px", theirs, ours, "identical")


def compare_folders(paths: Sequence[Path], work: Path) -> None:
    """Make whole folders: theirs files, ours a shard."""
    plans = [plan_of(path) for path in paths]
    theirs, ours = list[float](), list[float]()
    for i in range(MAP_REPEATS):
        (passes := work / f"passes-{i}").mkdir()
        theirs.append(ms_of(lambda: rival_makers.colorize_folder(paths, passes, SIZE_PX)) / len(paths))
        ours.append(ms_of(lambda: make_shard(ColorizeMaker(), plans, work)) / len(paths))
    print_row("colourisation, a photo", theirs, ours)

    for suffix, write, note in ((".png", write_png, "same pixels"), (".jpg", write_jpeg, "theirs lose, ours do not")):
        sides = write_sides(paths, work, suffix, write)
        theirs, ours = [], []
        for _ in range(MAP_REPEATS):
            both = work / f"both{suffix}"
            theirs.append(ms_of(lambda: [rival_makers.combine(a, b, both) for a, b in sides]) / len(sides))  # noqa: B023
            twos = [PairPlan(a.stem, (str(a), str(b)), a.stem) for a, b in sides]
            maker = CombineMaker(folder_b=sides[0][1].parent)
            ours.append(ms_of(lambda: make_shard(maker, twos, work)) / len(sides))  # noqa: B023
        print_row(f"combining {suffix[1:].upper()}, a pair", theirs, ours, note)


def write_sides(
    paths: Sequence[Path], work: Path, suffix: str, write: Callable[[Path, RGB], None]
) -> list[tuple[Path, Path]]:
    """Write segments and photos of one size to two folders."""
    plans = [plan_of(path) for path in paths]
    maker = KMeansMaker(colors=NUM_COLORS).fitted(plans)
    sides = []
    for name in ("a", "b"):
        (work / f"{name}{suffix}").mkdir()
    for pair in maker.make(plans):
        assert isinstance(pair, Pair)
        sides.append(tuple(work / f"{name}{suffix}" / f"{pair.key}{suffix}" for name in ("a", "b")))
        for path, side in zip(sides[-1], (pair.a, pair.b), strict=True):
            write(path, side)
    return [(a, b) for a, b in sides]


def write_jpeg(path: Path, picture: RGB) -> None:
    path.write_bytes(encode_jpeg(picture))


def make_shard(maker: PairMaker, plans: Sequence[PairPlan], work: Path) -> None:
    pairs = (encode_pair(pair, lossless=False) for pair in maker.make(plans) if not isinstance(pair, Failed))
    assert write_shard(work / "shard.parquet", pairs) == len(plans)


# --- beside the floor ---------------------------------------------------------------------------------------------


def compare_floors(paths: Sequence[Path]) -> None:
    """Make pairs from files to encoded sides, and only read and encode the same sides."""
    plans = [plan_of(path) for path in paths]
    makers: dict[str, PairMaker] = {
        "colorize": ColorizeMaker(),
        "inpaint": InpaintMaker(),
        "kmeans": KMeansMaker(colors=NUM_COLORS).fitted(plans),
        "kmeans --per-image": KMeansMaker(colors=NUM_COLORS, per_image=True),
    }
    for name, maker in makers.items():
        encodings = [encoding_of(pair) for pair in maker.make(plans) if isinstance(pair, Pair)]
        ours, floors = list[float](), list[float]()
        for plan, encode_a in zip(plans, encodings, strict=True):
            ours.append(ms_of(lambda: [encode_pair(pair, lossless=False) for pair in maker.make([plan])]))  # noqa: B023
            floors.append(ms_of(lambda: read_and_encode(plan.sources[0], encode_a)))  # noqa: B023
        ratios = [our / floor for our, floor in zip(ours, floors, strict=True)]
        spread = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        result(f"| `{name}` | {median(ours):.1f} ms | {median(floors):.1f} ms | {spread} |")


def encoding_of(pair: Pair) -> Callable[[], bytes]:
    """Return what encodes side A as the maker does, with its grays or numbers known where it writes these."""
    if pair.a_file is None:
        return partial(encode_png, pair.a)
    with Image.open(io.BytesIO(pair.a_file)) as picture:
        if picture.mode == "L":
            return partial(png_of_levels, np.asarray(picture)[:, :, None])
        colors = np.array(picture.getpalette(), np.uint8).reshape(-1, 3)
        return partial(png_of_labels, np.asarray(picture), colors)


def read_and_encode(path: str, encode_a: Callable[[], bytes]) -> None:
    photo, _ = read_photo(path, enough=(SIZE_PX, SIZE_PX))
    b = fit_to(photo.rgb, SIZE_PX, SIZE_PX, "crop")
    encode_a()
    encode_jpeg(b)


def tell_writing(paths: Sequence[Path], work: Path, num: int = 1000) -> None:
    """Write encoded pairs to a shard of the size that large builds have."""
    made = [pair for pair in ColorizeMaker().make([plan_of(path) for path in paths]) if isinstance(pair, Pair)]
    encoded = [encode_pair(pair, lossless=False) for pair in made]
    pairs = (encoded * (num // len(encoded) + 1))[:num]
    times = [ms_of(lambda: write_shard(work / "shard.parquet", pairs)) / num for _ in range(MAP_REPEATS)]
    result(
        f"Writing an encoded pair to a shard of {num}: {median(times):.2f} ms ({min(times):.2f} to {max(times):.2f})"
    )


if __name__ == "__main__":
    exit_with_errors_told(main)
