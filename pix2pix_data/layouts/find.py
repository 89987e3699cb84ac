"""Which layout a tree of files has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pix2pix_data.errors import FormatError
from pix2pix_data.layouts.file_tree import FileTree
from pix2pix_data.layouts.found import Found
from pix2pix_data.layouts.image_folder import find_image_folder
from pix2pix_data.layouts.pictures import find_side_by_side, find_two_folders
from pix2pix_data.layouts.samples import find_samples
from pix2pix_data.layouts.tables import find_tables

__all__ = ["find_layout"]


def find_layout(tree: FileTree, columns: tuple[str, str] | None, *, scratch: Path) -> Found:
    """Recognise the layout of a tree; what the tree refused is among the failed.

    Parameters
    ----------
    tree : FileTree
    columns : (str, str), optional
        Names of A and B, for layouts that name them.
    scratch : Path
        As for `open_tree`.

    Raises
    ------
    FormatError
        If it has none that we know, or gives no pair.
    """
    found = (
        find_tables(tree, columns)
        or find_image_folder(tree, columns)
        or find_samples(tree, columns, scratch=scratch)
        or find_two_folders(tree)
        or find_side_by_side(tree)
    )
    refused = f"; {len(tree.refused)} members were refused, the first: {tree.refused[0].reason}" if tree.refused else ""
    if found is None:
        raise FormatError(
            f"no paired pictures in a layout that we know{refused}",
            where=tree.path,
            fix="p2p-data import --help lists the layouts; from photos, make pairs first, such as: p2p-data edges",
        )
    if not any(found.num_pairs.values()):
        raise FormatError(
            f"no pair in this layout ({found.layout}){refused}",
            where=tree.path,
            fix="p2p-data import --help lists what each layout wants",
        )
    return replace(found, failed=(*tree.refused, *found.failed))
