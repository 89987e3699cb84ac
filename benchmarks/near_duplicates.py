"""What near-duplicate grouping catches, what it takes for copies though it is none, and what it costs.

    python benchmarks/near_duplicates.py --data ../shared/data
    python benchmarks/near_duplicates.py --data ../shared/data --synthetic 1000000

Disguises every BSDS500 photo, one disguise at a time, and counts the copies that are grouped with their photo; groups
photos that are no copies of each other; and with --synthetic groups and divides so many prints of noise that has the
spectrum of photos, then a tenth more, of which a tenth are copies of old ones.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from sides import peak_mb

from pix2pix_data.grouping import group_plans, parse_group_by
from pix2pix_data.images import read_rgb
from pix2pix_data.near_duplicates import find_near_duplicates
from pix2pix_data.pair import PairPlan
from pix2pix_data.photo_prints import print_of, print_of_file
from pix2pix_data.splits import assign_splits

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import RGB
    from pix2pix_data.photo_prints import Prints

    Disguise = Callable[[RGB, np.random.Generator], RGB]

USUAL_QUALITY = 90
CHUNK = 20_000


# --- disguises ----------------------------------------------------------------------------------------------------


def jpeg(photo: RGB, quality: int) -> bytes:
    done, encoded = cv2.imencode(".jpg", photo[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return encoded.tobytes()


def half(photo: RGB) -> RGB:
    return cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def lit(photo: RGB, factor: float) -> RGB:
    return (photo * factor + 0.5).clip(0, 255).astype(np.uint8)


def cut(photo: RGB, share: float, rng: np.random.Generator | None) -> RGB:
    """Keep a share of each side, in the middle or anywhere."""
    height, width = photo.shape[:2]
    rows, columns = round(share * height), round(share * width)
    top, left = (height - rows) // 2, (width - columns) // 2
    if rng is not None:
        top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    return photo[top : top + rows, left : left + columns]


DISGUISES: dict[str, tuple[Disguise, int]] = {
    "JPEG of quality 50": (lambda photo, _: photo, 50),
    "half size": (lambda photo, _: half(photo), USUAL_QUALITY),
    "mirrored": (lambda photo, _: photo[:, ::-1], USUAL_QUALITY),
    "20 % brighter": (lambda photo, _: lit(photo, 1.2), USUAL_QUALITY),
    "20 % darker": (lambda photo, _: lit(photo, 0.8), USUAL_QUALITY),
    "cut to 95 % of each side, anywhere": (lambda photo, rng: cut(photo, 0.95, rng), USUAL_QUALITY),
    "cut by 5 % on all four sides": (lambda photo, _: cut(photo, 0.9, None), USUAL_QUALITY),
    "cut to 90 % of each side, anywhere": (lambda photo, rng: cut(photo, 0.9, rng), USUAL_QUALITY),
    "half size, mirrored": (lambda photo, _: half(photo)[:, ::-1], USUAL_QUALITY),
    "cut to 95 %, mirrored, JPEG 50": (lambda photo, rng: cut(photo, 0.95, rng)[:, ::-1], 50),
    "cut to 95 %, half, mirrored, brighter, JPEG 50": (
        lambda photo, rng: lit(half(cut(photo, 0.95, rng)[:, ::-1]), 1.2),
        50,
    ),
    "cut to 80 % of each side, anywhere": (lambda photo, rng: cut(photo, 0.8, rng), USUAL_QUALITY),
    "turned by 90 degrees": (lambda photo, _: photo.transpose(1, 0, 2)[::-1], USUAL_QUALITY),
}


def catch_table(paths: Sequence[Path], seeds: int) -> Iterator[str]:
    photos = [read_rgb(path) for path in paths]
    originals = np.stack([print_of_file(path.read_bytes()) for path in paths])
    yield f"| disguise of {len(paths)} photos | caught | photos taken for copies of others |"
    yield "|---|---|---|"
    for name, (disguise, quality) in DISGUISES.items():
        caught, merged = [], 0
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            copies = [print_of_file(jpeg(np.ascontiguousarray(disguise(photo, rng)), quality)) for photo in photos]
            groups = find_near_duplicates(np.concatenate([originals, copies]))
            caught.append(float((groups[len(photos) :] == groups[: len(photos)]).mean()))
            merged += int((groups[: len(photos)] != np.arange(len(photos))).sum())
        yield f"| {name} | {100 * np.mean(caught):.1f} % | {merged} |"


# --- photos that are no copies ------------------------------------------------------------------------------------


def crowd_table(data: Path) -> Iterator[str]:
    yield "| photos | | in groups of two or more | groups | the largest |"
    yield "|---|---|---|---|---|"
    for folder, halved in (
        ("bsds500/images", False),
        ("shoes", False),
        ("webcams", False),
        ("photo_edges_shoes", True),
    ):
        paths = sorted((data / folder).rglob("*.jpg"))
        photos = [read_rgb(path) for path in paths]
        if halved:  # the photo is the left half
            photos = [photo[:, : photo.shape[1] // 2] for photo in photos]
        groups = find_near_duplicates(np.stack([print_of(photo) for photo in photos]))
        crowds = [size for size in Counter(groups.tolist()).values() if size > 1]
        yield f"| {folder} | {len(paths)} | {sum(crowds)} | {len(crowds)} | {max(crowds, default=1)} |"


def decode_ms(paths: Sequence[Path]) -> float:
    contents = [path.read_bytes() for path in paths]
    start = time.process_time()
    for content in contents:
        print_of_file(content)
    return 1000 * (time.process_time() - start) / len(paths)


# --- a million ----------------------------------------------------------------------------------------------------


def noise_prints(num: int) -> Prints:
    k = np.arange(24)
    cosines = np.cos(np.pi * np.outer(k, 2 * k + 1) / 48).astype(np.float32)
    spectrum = (1 / np.maximum(np.hypot(k[:, None], k), 1) ** 1.2).astype(np.float32)
    prints = np.empty((num, 24, 24), np.uint8)
    for start in range(0, num, CHUNK):
        rng = np.random.default_rng([0, start])
        pixels = rng.standard_normal((min(CHUNK, num - start), 24, 24), np.float32) * spectrum
        pixels = cosines.T @ pixels @ cosines
        low = pixels.min(axis=(1, 2), keepdims=True)
        prints[start : start + CHUNK] = (pixels - low) * (255 / np.ptp(pixels, axis=(1, 2))[:, None, None])
    return prints


def synthetic(num: int) -> Iterator[str]:
    num_added = num // 10
    prints = noise_prints(num + num_added)
    copied = np.arange(0, num_added, 10)
    prints[num + copied] = prints[copied * (num // num_added)][:, :, ::-1]
    before_mb = peak_mb()
    split_of, elapsed = divide(prints[:num])
    yield f"{num:,} photos grouped and divided in {elapsed}, {peak_mb() - before_mb:.0f} MB beside the prints"
    after, elapsed = divide(prints)
    moved = sum(after[key] != split for key, split in split_of.items())
    yield f"{num_added:,} more, {len(copied):,} of them copies of old ones, in {elapsed}: "
    yield f"{moved:,} of the old ones moved, {100 * moved / num:.3f} %"
    yield f"shares: {dict(Counter(after.values()))}"


def divide(prints: Prints) -> tuple[dict[str, str], str]:
    readable: npt.NDArray[np.bool_] = np.ones(len(prints), np.bool_)
    start_s, start_cpu_s = time.monotonic(), time.process_time()
    plans = [PairPlan(f"{i:08x}", (), f"{i:08x}") for i in range(len(prints))]
    grouped = group_plans(plans, parse_group_by("near-duplicates"), lambda: (prints, readable))
    splits = assign_splits(grouped.plans, val=0.1, test=0.1, seed=0)
    elapsed = f"{time.monotonic() - start_s:.0f} s ({time.process_time() - start_cpu_s:.0f} s of processor time)"
    return {plan.key: split for split, plans in splits.items() for plan in plans}, elapsed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=1, help="How often each disguise is drawn anew.")
    parser.add_argument(
        "--synthetic", type=int, default=0, metavar="N", help="Group this many prints of noise instead."
    )
    asked = parser.parse_args()
    if asked.synthetic:
        for line in synthetic(asked.synthetic):
            print(line, flush=True)
        return
    paths = sorted((asked.data / "bsds500" / "images").rglob("*.jpg"))
    for line in catch_table(paths, asked.seeds):
        print(line, flush=True)
    print()
    for line in crowd_table(asked.data):
        print(line, flush=True)
    print(f"\n{decode_ms(paths):.1f} ms of processor time for the print of a photo of 481x321 pixels")


if __name__ == "__main__":
    main()
