"""What columns of paired pictures are called, in the sets and scripts that people use."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from pix2pix_data.errors import FormatError
from pix2pix_data.listing import to_utf8

__all__ = ["KNOWN_COLUMNS", "choose_columns", "told_columns"]

KNOWN_COLUMNS = (
    ("imageA", "imageB"),  # the public pix2pix sets on the hub, and ours
    ("input_image", "edited_image"),  # diffusers, InstructPix2Pix
    ("conditioning_image", "image"),  # diffusers, ControlNet
    ("input_image", "ground_truth_image"),  # instruction-tuning-sd
    ("original_image", "edited_image"),  # the sets of InstructPix2Pix
    ("src_img", "trg_img"),
    ("input_image", "target_image"),  # the documentation of imagefolder
    ("source", "target"),  # the set of ControlNet's tutorial
    ("input", "target"),
    ("a", "b"),
)
"""Names of A and B, the most usual first."""


def choose_columns(
    names: Collection[str], wanted: tuple[str, str] | None, *, where: Path, there: Sequence[str] = ()
) -> tuple[str, str]:
    """Choose which columns are A and B: those `wanted`, else the first known pair of names.

    Parameters
    ----------
    names : collection of str
        Columns that may hold pictures.
    wanted : (str, str), optional
    where : Path
        For the error.
    there : sequence of str
        What the error lists, if not `names`.

    Raises
    ------
    FormatError
        If a wanted column is not there, or no known pair is.
    """
    listed = to_utf8(", ".join(there or sorted(names)))
    if wanted is not None:
        if missing := [name for name in wanted if name not in names]:
            raise FormatError(f"no column {missing[0]!r} among: {listed}", where=where, fix="correct --columns")
        return wanted
    for pair in KNOWN_COLUMNS:
        if set(pair) <= set(names):
            return pair
    raise FormatError(f"no known pair of columns among: {listed}", where=where, fix="name A and B: --columns A,B")


def told_columns(chosen: tuple[str, str], there: Collection[str]) -> str:
    """Say which columns are A and B, and which of those that are there are left out."""
    left_out = sorted({*there} - {*chosen, "key", "group"})
    told = f"A is {chosen[0]} and B is {chosen[1]}" + (f" (left out: {', '.join(left_out)})" if left_out else "")
    return to_utf8(told)
