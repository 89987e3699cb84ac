"""The layouts that people already have: side-by-side pictures, and two folders for each split."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from pix2pix_data.dataset import EncodedPair, PairDataset, fingerprint_of, stamp_of
from pix2pix_data.errors import FormatError, ImageError
from pix2pix_data.images import read_rgb
from pix2pix_data.listing import list_photos
from pix2pix_data.matching import SideNames, match_folders
from pix2pix_data.pair import SPLIT_FOLDERS

__all__ = ["doubt_of_sides", "open_classic"]


class ClassicDataset(PairDataset):
    """Picture files: one side-by-side file, or a file in an A folder and one in a B folder, for each pair."""

    def __init__(self, path: Path, files: dict[str, list[tuple[str, tuple[Path, ...]]]]) -> None:
        self.path = path
        self._files = files
        self.num_pairs = {split: len(pairs) for split, pairs in files.items()}
        paths = [file for pairs in files.values() for _, sides in pairs for file in sides]
        self.fingerprint, self.stamp = fingerprint_of(paths, path), stamp_of(paths)
        self.doubt = _doubt(files["train"][0][1])

    def _keys(self, split: str) -> list[str]:
        return [key for key, _ in self._files[split]]

    def _read(self, split: str, wanted: Collection[int] | None) -> Iterator[EncodedPair]:
        for i, (key, paths) in enumerate(self._files[split]):
            if wanted is not None and i not in wanted:
                continue
            try:
                contents = [path.read_bytes() for path in paths]
            except OSError as error:
                raise ImageError(f"the file cannot be read: {error.strerror or error}", where=key) from error
            yield EncodedPair(key, key, contents[0], contents[1] if len(contents) == 2 else None)


def _doubt(first: tuple[Path, ...]) -> str | None:
    if len(first) == 2:
        return None
    try:
        return doubt_of_sides(first[0].name, *read_rgb(first[0]).shape[:2])
    except ImageError:
        return None  # told with its key when the pairs are read


def doubt_of_sides(name: str, height: int, width: int) -> str | None:
    """Doubt that a picture holds two sides; `height` and `width` are in pixels.

    Side-by-side pictures are mostly twice as wide as high, or wider; photos are not, and halves of them no pairs.
    """
    if width >= 2 * height:
        return None
    return (
        f"{name} has {width}x{height} pixels, and is read as A|B with sides of {width // 2}x{height}; "
        "if these are plain photos, make pairs of them first, such as: p2p-data edges"
    )


def open_classic(path: Path) -> PairDataset:
    """Open a folder of one of the classic layouts; FormatError says what was looked for."""
    files: dict[str, list[tuple[str, tuple[Path, ...]]]] = {}
    for split, names in SPLIT_FOLDERS.items():
        for name in names:
            pairs = _pairs_called(path, name)
            if pairs and split in files:
                fix = "leave one of them, or make them one"
                raise FormatError(f"more than one folder is that of the {split} split", where=path / name, fix=fix)
            if pairs:
                files[split] = pairs
    if "train" not in files:
        raise FormatError(
            "no paired dataset here: neither build.json nor train/ nor trainA/ and trainB/",
            where=path,
            fix=f"from photos, make one first, such as: p2p-data edges {path}",
        )
    return ClassicDataset(path, files)


def _pairs_called(path: Path, name: str) -> list[tuple[str, tuple[Path, ...]]]:
    """List the pairs in the folder of a split, or in its two folders; none where these are not there."""
    if (path / name).is_dir():
        return [(key, (photo,)) for key, photo in list_photos(path / name).named()]
    if (path / f"{name}A").is_dir() and (path / f"{name}B").is_dir():
        return _two_folders(path / f"{name}A", path / f"{name}B")
    return []


def _two_folders(folder_a: Path, folder_b: Path) -> list[tuple[str, tuple[Path, ...]]]:
    matches = match_folders(folder_a, folder_b, SideNames(folder_a.name), SideNames(folder_b.name))
    if matches.failed:
        first = matches.failed[0]
        raise FormatError(
            f"{len(matches.failed)} pictures have no partner, such as {first.key}: {first.reason}",
            where=folder_a.parent,
            fix="use p2p-data combine, which pairs what matches and lists the rest",
        )
    return [(key, (a, b)) for key, a, b in matches.pairs]
