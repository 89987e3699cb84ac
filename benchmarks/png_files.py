"""How long PNG files of ours take to write, and how large they are, beside zlib's by OpenCV and Pillow.

    python benchmarks/png_files.py
    python benchmarks/png_files.py ./photos --num 40

Photos of 256 px and what makers draw of them. OpenCV and Pillow are set as p2p-data had them before: for photos runs
alone, after the filter that foretells most; for drawings levels 3 to 9. Processor time of one thread, in turn; medians.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import cv2
import numpy as np
from kmeans import plan_of
from PIL import Image

from pix2pix_data.console import exit_with_errors_told, result
from pix2pix_data.edges.detector import make_detector
from pix2pix_data.edges.strokes import strokes
from pix2pix_data.images import fit_to, read_rgb
from pix2pix_data.listing import list_photos
from pix2pix_data.makers.kmeans import KMeansMaker
from pix2pix_data.png import png_of_bits, png_of_labels, png_of_levels
from pix2pix_data.regions import clean_regions, paint_means

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import LabelMap

    Encode = Callable[[], bytes]

SIZE_PX = 256
NUM_COLORS = 8
REPEATS = 3
PHOTO = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
PHOTO += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH]
FLAT = [cv2.IMWRITE_PNG_COMPRESSION, 6, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]
BITS = [cv2.IMWRITE_PNG_COMPRESSION, 9, cv2.IMWRITE_PNG_BILEVEL, 1]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How long PNG files take to write.")
    parser.add_argument("photos", type=Path, nargs="?", default=Path("../shared/data/bsds500/images/train"))
    parser.add_argument("--num", type=int, default=24)
    options = parser.parse_args()
    found = list_photos(options.photos).photos
    cv2.setNumThreads(1)
    ms: dict[str, list[tuple[float, float]]] = {}
    sizes: dict[str, list[tuple[int, int]]] = {}
    for name, by_zlib, ours in encodings(found[:: max(1, len(found) // options.num)][: options.num]):
        for _ in range(REPEATS):
            ms.setdefault(name, []).append((ms_of(by_zlib), ms_of(ours)))
        sizes.setdefault(name, []).append((len(by_zlib()), len(ours())))
    result("| | by zlib | ours, by zlib-ng | times as fast | bytes, as a part of zlib's |\n|---|---|---|---|---|")
    for name, times in ms.items():
        theirs, mine = (median(column) for column in zip(*times, strict=True))
        ratio = median(one / other for one, other in times)
        bytes_zlib, bytes_ours = (sum(column) for column in zip(*sizes[name], strict=True))
        result(f"| {name} | {theirs:.2f} ms | {mine:.2f} ms | {ratio:.1f} | {bytes_ours / bytes_zlib:.2f} |")


def encodings(paths: list[Path]) -> Iterator[tuple[str, Encode, Encode]]:
    """Give of each photo, and of each drawing of it, both ways to write it."""
    maker = KMeansMaker(colors=NUM_COLORS).fitted([plan_of(path) for path in paths])
    detector = make_detector("tiny", None)
    for path in paths:
        photo = fit_to(read_rgb(path), SIZE_PX, SIZE_PX, "crop")
        gray = np.ascontiguousarray(photo[:, :, 1])
        colors, labels = maker._labels(maker._smoothed(photo))
        labels, palette = clean_regions(labels, maker.min_region), np.array(colors, np.uint8)
        means, is_white = paint_means(labels, photo), ~strokes(detector([photo])[0])
        bits = is_white.view(np.uint8) * np.uint8(255)
        yield "a photo", lambda: by_opencv(photo[:, :, ::-1], PHOTO), lambda: png_of_levels(photo)  # noqa: B023
        yield "its green, as gray", lambda: by_opencv(gray, PHOTO), lambda: png_of_levels(gray[:, :, None])  # noqa: B023
        yield (
            "regions in mean colours",
            lambda: by_opencv(means[:, :, ::-1], FLAT),  # noqa: B023
            lambda: png_of_levels(means),  # noqa: B023
        )
        yield "strokes, one bit a pixel", lambda: by_opencv(bits, BITS), lambda: png_of_bits(is_white)  # noqa: B023
        yield (
            "segments, four bits and a palette",
            lambda: by_pillow(labels, palette),  # noqa: B023
            lambda: png_of_labels(labels, palette),  # noqa: B023
        )


def ms_of(encode: Encode) -> float:
    start = time.process_time()
    encode()
    return (time.process_time() - start) * 1e3


def by_opencv(pixels: npt.NDArray[np.uint8], flags: list[int]) -> bytes:
    return cv2.imencode(".png", pixels, flags)[1].tobytes()


def by_pillow(labels: LabelMap, palette: npt.NDArray[np.uint8]) -> bytes:
    picture = Image.fromarray(labels)
    picture.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


if __name__ == "__main__":
    exit_with_errors_told(main)
