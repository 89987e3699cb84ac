"""Segments by k-means, side by side: the usual way, a scikit-learn fit for each photo, and ours.

    python benchmarks/kmeans.py ./photos
    python benchmarks/kmeans.py ./photos --colors 16 --num 20

The usual way is that of the blogs: KMeans with 10 restarts on all RGB pixels of each photo, its labels painted. Ours
are `p2p-data kmeans` at its defaults, and with --per-image. Each way takes a photo from its file to a PNG and a JPEG in
memory; the shared palette is fitted once on all photos of the folder, and its share of time told apart and counted in.
Medians of processor time on one thread: of ours over all photos, in the midst of which --num of them are also done in
the usual way and with --per-image.

Inertia is the squared Lab distance of pixels to their palette colour, as a part of that of scikit-learn's KMeans with
10 restarts in Lab, with its colours in 8 bits too, as they are painted: on the very sample for the shared palette, on
all pixels of each photo for --per-image.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import cv2
import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from pix2pix_data.color_table import color_table, to_lab
from pix2pix_data.images import encode_jpeg, encode_png, fit_to, read_rgb
from pix2pix_data.listing import list_photos
from pix2pix_data.makers.kmeans import KMeansMaker
from pix2pix_data.pair import Pair, PairPlan
from pix2pix_data.palette import fit_palette

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import RGB

SIZE_PX = 256
RESTARTS = 10


def usual_way(path: Path, num_colors: int) -> None:
    photo = fit_to(read_rgb(path), SIZE_PX, SIZE_PX, "crop")
    means = KMeans(num_colors, n_init=RESTARTS, random_state=0).fit(photo.reshape(-1, 3).astype(np.float32))
    segments = means.cluster_centers_.round().astype(np.uint8)[means.labels_].reshape(photo.shape)
    encode_png(segments)
    encode_jpeg(photo)


def our_way(maker: KMeansMaker, path: Path) -> None:
    (pair,) = maker.make([plan_of(path)])
    assert isinstance(pair, Pair)
    encode_png(pair.a)
    encode_jpeg(pair.b)


def plan_of(path: Path) -> PairPlan:
    return PairPlan(path.stem, (str(path),), group=path.stem)


def inertia(pixels: npt.NDArray[np.uint8], colors: Sequence[tuple[int, int, int]]) -> float:
    lab, centers = to_lab(pixels), to_lab(np.array(colors, np.uint8))
    return float(np.min([((lab - center) ** 2).sum(axis=1) for center in centers], axis=0).sum())


def best_inertia(pixels: npt.NDArray[np.uint8], num_colors: int) -> float:
    centers = KMeans(num_colors, n_init=RESTARTS, random_state=0).fit(to_lab(pixels)).cluster_centers_
    rgb = cv2.cvtColor(centers.astype(np.float32)[:, None], cv2.COLOR_Lab2RGB)[:, 0]
    return inertia(pixels, np.rint(rgb.clip(0, 1) * 255).astype(np.uint8).tolist())


def timed_ms(work: object, *given: object) -> float:
    assert callable(work)
    start = time.process_time()
    work(*given)
    return (time.process_time() - start) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description="Hold our k-means segments against a scikit-learn fit per photo.")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--colors", type=int, default=8)
    parser.add_argument("--num", type=int, default=24, help="photos done in the usual way too")
    options = parser.parse_args()
    paths = list_photos(options.photos).photos
    timed = paths[:: max(1, len(paths) // options.num)][: options.num]
    with threadpool_limits(1):
        cv2.setNumThreads(1)
        compare(paths, timed, options.colors)


def compare(paths: Sequence[Path], timed: Sequence[Path], num_colors: int) -> None:
    per_image = KMeansMaker(colors=num_colors, per_image=True)
    our_way(per_image, timed[0])  # what is imported at first use is not of interest, on neither side
    start = time.process_time()
    plans = [plan_of(path) for path in paths]
    shared = KMeansMaker(colors=num_colors).fitted(plans)
    fit_ms = (time.process_time() - start) * 1e3 / len(paths)
    color_table.cache_clear()

    times: dict[str, list[float]] = {"usual": [], "shared": [], "per image": []}
    for path in paths:
        times["shared"].append(timed_ms(our_way, shared, path) + fit_ms)
        if path in timed:
            times["usual"].append(timed_ms(usual_way, path, num_colors))
            times["per image"].append(timed_ms(our_way, per_image, path))

    sample, _ = shared._sample(plans)
    assert shared.fitted_palette is not None
    ratios = {"shared": inertia(sample, shared.fitted_palette.colors) / best_inertia(sample, num_colors)}
    photos: list[RGB] = [fit_to(read_rgb(path), SIZE_PX, SIZE_PX, "crop") for path in timed]
    of_photos = []
    for photo in photos:
        pixels = photo.reshape(-1, 3)
        colors = fit_palette(pixels, num_colors, seed=0).colors
        of_photos.append(inertia(pixels, colors) / best_inertia(pixels, num_colors))
    ratios["per image"] = median(of_photos)

    print(f"{len(paths)} photos at {SIZE_PX} px ({len(timed)} in the usual way), {num_colors} colours")
    print("| | processor ms per photo | times faster | inertia |")
    print("|---|---|---|---|")
    usual = median(times["usual"])
    print(f"| scikit-learn for each photo | {usual:.0f} | 1 | 1 (in Lab) |")
    for name, title in (("shared", "p2p-data kmeans"), ("per image", "p2p-data kmeans --per-image")):
        ours = median(times[name])
        print(f"| {title} | {ours:.1f} | {usual / ours:.0f} | {ratios[name]:.4f} |")
    print(
        f"The fit of the shared palette takes {fit_ms * len(paths) / 1e3:.1f} s: {fit_ms:.1f} ms of each photo above."
    )
    print(f"The worst inertia of --per-image is {max(of_photos):.4f}.")


if __name__ == "__main__":
    main()
