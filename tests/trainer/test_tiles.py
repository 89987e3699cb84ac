from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pix2pix_data.errors import UsageError
from pix2pix_model.device import choose_device
from pix2pix_model.generation import padded_size, run_generator, run_in_tiles
from pix2pix_model.nets import GENERATORS, GeneratorSpec
from pix2pix_model.nets.norms import BatchNorm
from pix2pix_model.nets.receptive_field import receptive_field
from pix2pix_model.picture_norms import norms_of_one_picture
from pix2pix_model.sides import Sides, SideSpec
from pix2pix_model.test_time import TestTime, set_test_time
from pix2pix_model.tiles import Tiling, most_pixels, plan_tiles
from pix2pix_model.views import views_of

CPU = choose_device("cpu")
VIEWS = views_of(Sides((SideSpec(side="A"),), SideSpec(side="B")))


def network(architecture: str = "unet", *, statistics: str = "running", **spec: object) -> nn.Module:
    """A narrow generator whose weights and statistics are random, and large enough to matter."""
    torch.manual_seed(0)
    generator = GENERATORS.get(architecture)(GeneratorSpec(**{"size_px": 32, "width": 4, "blocks": 1, **spec}))
    for module in generator.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.weight.data *= 3
        elif isinstance(module, BatchNorm):
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.2, 2)
    set_test_time(generator, TestTime(norm_statistics=statistics))
    return generator.requires_grad_(False)


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def peak_kib() -> int:
    """Return the most memory that this program has had; what getrusage says begins with that of the one before."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0])


def in_tiles(generator: nn.Module, given: np.ndarray, **how: int) -> tuple[np.ndarray, Tiling]:
    tiling = plan_tiles(generator, *padded_size(generator, *given.shape[:2]), **{"most": 1 << 30, **how})
    return run_in_tiles(generator, VIEWS, [given], CPU, tiling=tiling), tiling


def test_weights_of_all_tiles_add_up_to_one():
    for exact in (True, False):
        tiling = Tiling(1000, 640, 256, 256, 96, exact)
        for side, spans in ((1000, tiling.rows), (640, tiling.columns)):
            total = torch.zeros(side)
            for span in spans:
                assert len(span.weights) == 256
                total[span.place] += span.weights
            torch.testing.assert_close(total, torch.ones(side))


@pytest.mark.parametrize("architecture", ["unet", "encoder_decoder", "resnet"])
def test_tiles_that_overlap_as_widely_as_a_pixel_sees_give_what_the_whole_picture_gives(architecture):
    generator = network(architecture)
    given = picture(509, 700)
    made, tiling = in_tiles(generator, given, most=352 * 320)
    assert tiling.exact
    assert len(tiling.rows) * len(tiling.columns) > 2
    (whole,) = run_generator(generator, VIEWS, [[given]], CPU)
    assert made.shape == whole.shape
    assert np.abs(made.astype(int) - whole).max() <= 1, "but for the rounding of sums"


def test_a_picture_as_high_as_a_pixel_sees_is_cut_across_alone():
    generator = network()
    step = int(generator.multiple_px)
    seen = -(-receptive_field(generator) // step) * step
    given = picture(seen, 4 * seen)
    made, tiling = in_tiles(generator, given, most=seen * 2 * seen)
    assert (tiling.tile_height, tiling.overlap, len(tiling.rows)) == (seen, seen, 1)
    assert len(tiling.columns) > 1
    (whole,) = run_generator(generator, VIEWS, [[given]], CPU)
    assert np.abs(made.astype(int) - whole).max() <= 1


def test_small_tiles_are_blended():
    generator = network()
    given = picture(130, 200)
    made, tiling = in_tiles(generator, given, tile_px=70)
    assert (tiling.tile_height, tiling.overlap, tiling.exact) == (64, 32, False)
    assert tiling.words == "24 tiles of 64x64 px that overlap by 32 px or more"
    assert made.shape == given.shape
    assert all((span.weights >= 0).all() for span in tiling.columns)
    with pytest.raises(UsageError, match="no room for an overlap"):
        in_tiles(generator, given, tile_px=60)


@pytest.mark.parametrize("spec", [{"norm": "batch"}, {"norm": "instance"}, {"norm": "instance_affine"}])
def test_norms_of_each_picture_take_those_of_all_tiles(spec):
    generator = network("resnet", statistics="batch", **spec)
    given = picture(300, 300)
    given[:, 150:] //= 4  # halves that have other statistics
    made, _ = in_tiles(generator, given, most=220 * 300)
    (whole,) = run_generator(generator, VIEWS, [[given]], CPU)
    apart = np.abs(made.astype(int) - whole).mean()
    alone = run_generator(generator, VIEWS, [[given[:, 150:]]], CPU)[0]
    assert apart < np.abs(alone.astype(int) - whole[:, 150:]).mean() / 2
    again, _ = in_tiles(generator, given, most=220 * 300)
    assert np.array_equal(made, again), "the generator is left as it was"


def test_statistics_of_one_tile_are_those_of_the_picture():
    generator = network(statistics="batch")
    a = torch.rand(1, 3, 64, 96) * 2 - 1
    expected = generator(a)
    with norms_of_one_picture(generator, [a]):
        torch.testing.assert_close(generator(a), expected, atol=1e-4, rtol=0)
        assert not torch.allclose(generator(a / 2), expected, atol=0.1)
    torch.testing.assert_close(generator(a), expected)


def test_wider_generators_are_given_smaller_tiles():
    narrow, wide = (most_pixels(network(width=width), 3) for width in (16, 32))
    assert narrow == 2 * wide
    tiling = plan_tiles(network(width=4), 4096, 4096, most=1 << 20)
    assert tiling.tile_height * tiling.tile_width <= 1 << 20


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from Linux's /proc")
def test_a_large_picture_takes_no_more_memory_than_its_tiles():
    code = """
import numpy as np
from tests.trainer.test_tiles import CPU, VIEWS, network, peak_kib
from pix2pix_model.generation import run_generator, run_in_tiles
from pix2pix_model.tiles import plan_tiles
generator, given = network(width=32), np.zeros((768, 768, 3), np.uint8)
run_generator(generator, VIEWS, [[given[:128, :128]]], CPU)
peaks = [peak_kib()]
run_in_tiles(generator, VIEWS, [given], CPU, tiling=plan_tiles(generator, 768, 768, most=1, tile_px=256))
peaks.append(peak_kib())
run_generator(generator, VIEWS, [[given]], CPU)
peaks.append(peak_kib())
print(*peaks)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before, tiles, whole = map(int, done.stdout.split())
    assert tiles - before < (whole - before) / 2
