"""The BSDS500 boundary benchmark: how well our detectors, Canny, or anyone's maps find what people see as boundaries.

    python benchmarks/bsds.py --data ../shared/data/bsds500 --limit 20
    python benchmarks/bsds.py --data ../shared/data/bsds500 --detectors none --maps hed-maps

Prints a table with ODS (and its threshold), OIS and AP, by the protocol in boundary_score.py; and the processor time of
the detector by itself for one photo on one thread, the median over the photos. Maps in a folder are called after the
photo, 100007.png (8 or 16 bits) or 100007.npy (0 to 1), bright is edge; soft ones, as ridges are found here.
"""

from __future__ import annotations

import argparse
import functools
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from boundary_score import Counts, count_matches, even_thresholds, figures

from pix2pix_data.console import ProgressLine, exit_with_errors_told, result
from pix2pix_data.edges.detector import DETECTORS, WEIGHTS, make_detector
from pix2pix_data.edges.soft_maps import read_map
from pix2pix_data.errors import FormatError, UsageError
from pix2pix_data.images import read_rgb
from pix2pix_data.registry import nearest

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB, FloatMap

    See: TypeAlias = Callable[[RGB], FloatMap]

CANNY = "canny"
CANNY_SIGMA = 3.0  # of 2, 2.5 and 3: the best ODS on every fourth validation photo
CANNY_LOW_SHARE = 0.4  # of the high threshold
_GRADIENT_SCALE = 16  # OpenCV takes gradients as whole numbers: finer ones keep faint edges apart
_SOBEL_SUM = 8  # the gradient of a ramp of one gray level per pixel, as Sobel's filter gives it

MAP_SUFFIXES = (".png", ".npy")


@dataclass(frozen=True)
class Job:
    """One photo for one row of the table: a detector by its name, or a folder of maps."""

    source: str | Path
    photo_path: Path
    boundaries_path: Path
    num_thresholds: int


@dataclass(frozen=True)
class Scored:
    """What a job gave; the time is None where the map was made elsewhere."""

    counts: Counts
    elapsed_s: float | None


# --- the maps -----------------------------------------------------------------------------------------------------


def canny_map(photo: RGB) -> FloatMap:
    """Draw Canny's lines at every threshold, as one soft map.

    Returns
    -------
    ndarray of shape (H, W), float32
        At each pixel, the highest threshold at which it is still drawn, over 255; 0 where it never is.
    """
    gradients = canny_gradients(photo)
    highest = np.zeros(photo.shape[:2], np.float32)
    for level in range(1, 256):
        highest[canny_lines(*gradients, level)] = level
    return highest / np.float32(255)


def canny_gradients(photo: RGB) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    smooth = cv2.GaussianBlur(gray, (0, 0), CANNY_SIGMA)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx, scale=_GRADIENT_SCALE) for dx in (1, 0))
    return np.rint(across).astype(np.int16), np.rint(down).astype(np.int16)


def canny_lines(across: npt.NDArray[np.int16], down: npt.NDArray[np.int16], level: float) -> npt.NDArray[np.bool_]:
    """Draw at a high threshold of what a step of `level` gray levels gives."""
    high = level * _SOBEL_SUM * _GRADIENT_SCALE / (CANNY_SIGMA * math.sqrt(2 * math.pi))
    return np.asarray(cv2.Canny(across, down, CANNY_LOW_SHARE * high, high, L2gradient=True) > 0)


def canny_once(photo: RGB) -> FloatMap:
    """Draw at one threshold, for the time that this takes."""
    return canny_lines(*canny_gradients(photo), 32).astype(np.float32)


@functools.cache
def detector(name: str) -> See:
    """Make a detector once in each process."""
    see = make_detector(name)
    return lambda photo: see([photo])[0]


def timed_map(name: str, photo: RGB) -> tuple[FloatMap, float]:
    """See the edges of a photo; return with the map what seeing took of the processor, in seconds."""
    see = canny_once if name == CANNY else detector(name)
    start = time.process_time()
    seen = see(photo)
    elapsed_s = time.process_time() - start
    return (canny_map(photo) if name == CANNY else seen), elapsed_s


def find_map(folder: Path, key: str) -> Path:
    paths = [folder / f"{key}{suffix}" for suffix in MAP_SUFFIXES]
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise FormatError(
            f"there is no map of photo {key}", where=folder, fix=f"save it as {paths[0].name} or {paths[1].name}"
        )
    return found


# --- scoring ------------------------------------------------------------------------------------------------------


def score(job: Job) -> Scored:
    """Match one map with the boundaries of its photo."""
    boundaries = read_boundaries(job.boundaries_path)
    elapsed_s = None
    if isinstance(job.source, Path):
        path = find_map(job.source, job.photo_path.stem)
        edge_map = read_map(path)
        if edge_map.shape != boundaries.shape[1:]:
            raise FormatError(f"the map is {edge_map.shape}, its photo {boundaries.shape[1:]}", where=path)
    else:
        edge_map, elapsed_s = timed_map(job.source, read_rgb(job.photo_path))
    thresholds = even_thresholds(job.num_thresholds)
    return Scored(count_matches(edge_map, boundaries, thresholds, suppress=job.source != CANNY), elapsed_s)


def read_boundaries(path: Path) -> npt.NDArray[np.bool_]:
    """Read what people drew, as bool (annotators, H, W)."""
    with np.load(path) as packed:
        return np.unpackbits(packed["boundaries"], axis=2)[:, :, : packed["shape"][2]].astype(bool)


def use_one_thread() -> None:
    cv2.setNumThreads(1)


def score_all(rows: Sequence[list[Job]], num_workers: int) -> list[list[Scored]]:
    """Score the jobs of all rows, in processes of one thread each."""
    # Read by OpenMP and the BLAS libraries when a worker loads them. Workers are spawned: a fork of a process in which
    # OpenMP has run may hang.
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    num_jobs = sum(map(len, rows))
    with (
        multiprocessing.get_context("spawn").Pool(num_workers, use_one_thread) as pool,
        ProgressLine("Matching boundaries", num_jobs, unit="maps") as progress,
    ):
        scored = []
        for one in pool.imap(score, [job for row in rows for job in row]):
            scored.append(one)
            progress.advance()
    ends = np.cumsum([len(row) for row in rows])
    return [scored[end - len(row) : end] for row, end in zip(rows, ends, strict=True)]


# --- the command --------------------------------------------------------------------------------------------------


def choose_sources(names: str, maps: Path | None) -> list[str | Path]:
    """Read --detectors and --maps: what the rows of the table are."""
    known = [CANNY, *DETECTORS.names()]
    own = [name for name in known if name not in WEIGHTS.names()]
    chosen = {"all": own, "none": []}.get(names, [name.strip() for name in names.split(",")])
    for name in chosen:
        if name not in known:
            meant = nearest(name, known)
            raise UsageError(
                f"there is no edge detector called {name!r}",
                where="--detectors",
                fix=f"did you mean {meant!r}?" if meant else f"choose from {', '.join(known)}, all, none",
            )
    if maps is not None and not maps.is_dir():
        raise FormatError("there is no such folder of maps", where=maps)
    sources: list[str | Path] = [*chosen, *([] if maps is None else [maps])]
    if not sources:
        raise UsageError("there is nothing to score", fix="name detectors with --detectors, or a folder with --maps")
    return sources


def find_photos(data: Path, split: str) -> list[tuple[Path, Path]]:
    """Pair each photo of a split with the file of its boundaries."""
    folder, truth = data / "images" / split, data / "boundaries" / split
    pairs = [(path, truth / f"{path.stem}.npz") for path in sorted(folder.glob("*.jpg"))]
    missing = next((boundaries for _, boundaries in pairs if not boundaries.is_file()), None)
    if not pairs or missing is not None:
        raise FormatError(
            "a photo's boundaries are missing" if missing else "there are no photos of BSDS500",
            where=missing or folder,
            fix="give --data the folder that holds images/ and boundaries/",
        )
    return pairs


def print_row(source: str | Path, row: list[Scored], num_thresholds: int) -> None:
    found = figures(np.stack([one.counts for one in row]), even_thresholds(num_thresholds))
    times = [one.elapsed_s for one in row if one.elapsed_s is not None]
    ms = f"{1000 * median(times):.1f}" if times else "-"
    name = f"maps in {source.name}" if isinstance(source, Path) else source
    if source == CANNY:
        name = f"Canny, sigma {CANNY_SIGMA:g}, low {CANNY_LOW_SHARE:g} of high"
    line = f"{name:<44} {found.ods:6.3f} {found.threshold:6.2f} {found.ois:6.3f} {found.ap:6.3f} {ms:>13} {len(row):>7}"
    result(line)


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not 1 or more")
    return number


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The BSDS500 boundary benchmark.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/bsds500"), help="images/ and boundaries/")
    parser.add_argument("--split", choices=("train", "val", "test"), default="test")
    parser.add_argument("--every", type=positive, default=1, metavar="N", help="take every N-th photo")
    parser.add_argument("--limit", type=positive, metavar="N", help="take no more than N photos")
    parser.add_argument("--thresholds", type=positive, default=99, metavar="N", help="how many, evenly inside 0 to 1")
    parser.add_argument("--detectors", default="all", metavar="A,B", help="names, all (without weights to load), none")
    parser.add_argument("--maps", type=Path, metavar="FOLDER", help="soft maps of another detector, ID.png or ID.npy")
    parser.add_argument("--workers", type=positive, default=os.cpu_count() or 1, metavar="N", help="processes")
    return parser.parse_args()


def main() -> None:
    options = read_options()
    sources = choose_sources(options.detectors, options.maps)
    photos = find_photos(options.data, options.split)[:: options.every][: options.limit]
    for source in sources:
        if isinstance(source, Path):
            for photo_path, _ in photos:  # a missing map is told now, not after an hour
                find_map(source, photo_path.stem)
    rows = [[Job(source, *photo, options.thresholds) for photo in photos] for source in sources]
    scored = score_all(rows, options.workers)
    result(f"{len(photos)} photos of {options.data / 'images' / options.split}, {options.thresholds} thresholds")
    result(f"{'':<44} {'ODS':>6} {'at':>6} {'OIS':>6} {'AP':>6} {'CPU ms/photo':>13} {'photos':>7}")
    for source, row in zip(sources, scored, strict=True):
        print_row(source, row, options.thresholds)


if __name__ == "__main__":
    exit_with_errors_told(main)
