"""Whether seams of tiles show, and what a large picture takes.

    python benchmarks/tiles.py RUN --on PICTURE
    python benchmarks/tiles.py RUN --on PICTURE --memory 4000x3000

Translates a picture at once and in tiles, by a trained model and by one of random weights, and prints how far apart
they are, in grey levels at the pixels that differ most: with running statistics for tiles of several sizes, and with
those of the picture itself for several ways to measure them. With --memory it translates an enlarged picture in tiles,
with the paper's U-Net of width 64 at 256 px, and prints the most memory that it took.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from pix2pix_data.images import read_rgb, resize
from pix2pix_model.checkpoint import load_model
from pix2pix_model.device import choose_device
from pix2pix_model.generation import given_to, padded_size, run_generator, run_in_tiles
from pix2pix_model.nets import GENERATORS, GeneratorSpec, initialise
from pix2pix_model.nets.receptive_field import receptive_field
from pix2pix_model.picture_norms import norms_of_one_picture
from pix2pix_model.sides import Sides, SideSpec
from pix2pix_model.test_time import TestTime, set_test_time
from pix2pix_model.tiles import Tiling, most_pixels, plan_tiles
from pix2pix_model.views import views_of

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB

CPU = choose_device("cpu")
VIEWS = views_of(Sides((SideSpec(side="A"),), SideSpec(side="B")))


def apart(made: RGB, whole: RGB) -> str:
    """Say how far two pictures are apart: the pixel that differs most, one in a thousand, and the mean."""
    levels = np.abs(made.astype(int) - whole)
    return f"{levels.max():4d} {np.quantile(levels, 0.999):6.1f} {levels.mean():6.2f}"


def in_tiles(generator: nn.Module, picture: RGB, tiling: Tiling) -> RGB:
    return run_in_tiles(generator, VIEWS, [picture], CPU, tiling=tiling)


def seams(name: str, generator: nn.Module, picture: RGB) -> None:
    """Print what overlaps do with running statistics, at the one seam between two tiles as high as the picture."""
    set_test_time(generator, TestTime(norm_statistics="running"))
    step = int(generator.multiple_px)  # type: ignore[arg-type]
    seen = -(-receptive_field(generator) // step) * step
    side = seen + 2 * step
    height = picture.shape[0] // step * step
    print(f"{name}, running statistics: a pixel sees {receptive_field(generator)} px, tiles of {side} px")
    print("  overlap px   times the work   highest  p99.9   mean")
    for overlap in range(0, seen + 1, step):
        width = 2 * side - overlap
        if picture.shape[1] < width:
            raise SystemExit(f"the picture must be {2 * side} px wide")
        part = picture[:height, :width]
        (whole,) = run_generator(generator, VIEWS, [[part]], CPU)
        tiling = Tiling(height, width, height, side, overlap, exact=overlap in (0, seen))
        work = (side / (side - overlap)) ** 2  # where a picture is much larger than its tiles
        print(f"  {overlap:10d} {work:16.1f}      {apart(in_tiles(generator, part, tiling), whole)}", flush=True)


def statistics(name: str, generator: nn.Module, picture: RGB) -> None:
    """Print what ways to measure a picture's statistics do, by themselves: the picture is translated at once."""
    set_test_time(generator, TestTime())
    (whole,) = run_generator(generator, VIEWS, [[picture]], CPU)
    height, width = padded_size(generator, *picture.shape[:2])
    step = int(generator.multiple_px)  # type: ignore[arg-type]
    given = given_to(generator, VIEWS, [picture], CPU)
    print(f"{name}, statistics of the picture    highest  p99.9   mean")

    def covering(side: int) -> Iterator[Tensor]:
        for rows, columns in Tiling(height, width, side, side, 0, exact=False).covering():
            yield given[:, :, rows, columns]

    ways = {f"tiles of {side} px that cover it": list(covering(side)) for side in (step, 2 * step, 4 * step, 6 * step)}
    small = resize(picture, width // 2 // step * step, height // 2 // step * step)
    ways["a copy of half its size"] = [given_to(generator, VIEWS, [small], CPU)]
    ways["its middle, 4 steps wide"] = [list(covering(4 * step))[1]]
    for way, tiles in ways.items():
        with torch.inference_mode(), ExitStack() as stack:
            stack.enter_context(norms_of_one_picture(generator, tiles))
            (made,) = run_generator(generator, VIEWS, [[picture]], CPU)
        print(f"  {way:32} {apart(made, whole)}", flush=True)


def memory(picture: RGB, width: int, height: int) -> None:
    """Print what a large picture takes."""
    torch.manual_seed(0)
    generator = GENERATORS.get("unet")(GeneratorSpec(size_px=256)).requires_grad_(False)
    set_test_time(generator, TestTime(norm_statistics="running"))
    large = resize(picture, width, height)
    tiling = plan_tiles(generator, *padded_size(generator, height, width), most=most_pixels(generator, 3))
    start = time.process_time()
    in_tiles(generator, large, tiling)
    print(
        f"{width}x{height}, U-Net of width 64: {len(tiling.rows)}x{len(tiling.columns)} tiles of {tiling.tile_width}x"
        f"{tiling.tile_height} px that overlap by {tiling.overlap}; {tiling.num_pixels / width / height:.1f} times the "
        f"pixels, {time.process_time() - start:.0f} s of processor time, at most {_peak_gb():.2f} GB of memory"
    )


def _peak_gb() -> float:
    """Return the most memory that this process held (Linux); getrusage also counts what it was forked from."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak is not None
    return int(peak[1]) * 1024 / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a trained model of RGB pictures")
    parser.add_argument("--on", type=Path, required=True, help="a picture as it is given")
    parser.add_argument("--memory", metavar="WxH", help="translate it at this size, and print the memory alone")
    options = parser.parse_args()
    picture = read_rgb(options.on)
    if options.memory:
        memory(picture, *map(int, options.memory.split("x")))
        return
    model = load_model(options.run)
    drawn = GENERATORS.get(model.config.architecture)(model.config.spec).requires_grad_(False)
    torch.manual_seed(0)
    initialise(drawn)
    for name, generator in (("trained", model.generator), ("random", drawn)):
        seams(name, generator, picture)
        statistics(name, generator, picture)


if __name__ == "__main__":
    main()
