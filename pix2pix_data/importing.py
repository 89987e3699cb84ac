"""From any layout to a dataset of ours: the very bytes of its pictures where they can be kept, and its own splits."""

from __future__ import annotations

import contextlib
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from pix2pix_data import __version__
from pix2pix_data.console import ProgressLine
from pix2pix_data.errors import BuildError, FormatError
from pix2pix_data.listing import to_utf8
from pix2pix_data.new_folder import new_folder
from pix2pix_data.ordered_work import in_order
from pix2pix_data.pair import Failed

if TYPE_CHECKING:
    from pix2pix_data.dataset import EncodedPair
    from pix2pix_data.layouts.file_tree import FileTree
    from pix2pix_data.layouts.found import Found, RawPair
    from pix2pix_data.layouts.stored import StoredPair

__all__ = ["ImportOptions", "ImportSummary", "Opened", "import_pairs", "open_layout"]

_FORMAT_VERSION = 1  # of build.json, as in build.py


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How pairs are taken in.

    Attributes
    ----------
    columns : (str, str) or None
        Names of A and B, for layouts that name them in a way that we do not know.
    swap : bool
        Make A of B, and B of A.
    jpeg : bool
        Where B must be encoded anew, store it as JPEG quality 95 instead of PNG.
    """

    columns: tuple[str, str] | None = None
    swap: bool = False
    jpeg: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A layout that was recognised, and the folder or archive that it was found in."""

    tree: FileTree
    found: Found
    options: ImportOptions

    @property
    def others(self) -> tuple[Path, ...]:
        """Files that are no pictures, nor tables or archives of pairs."""
        return self.tree.others + self.found.others


@dataclass(slots=True)
class ImportSummary:
    """How an import ended.

    Attributes
    ----------
    num_pairs : dict of str to int
    num_failed : int
    sides : Counter of str
        How many sides have "their own bytes", how many are "PNG" (the same pixels, encoded anew) or "JPEG".
    """

    num_pairs: dict[str, int] = field(default_factory=dict)
    num_failed: int = 0
    sides: Counter[str] = field(default_factory=Counter)


@contextlib.contextmanager
def open_layout(path: Path, options: ImportOptions, *, scratch: Path) -> Iterator[Opened]:
    """Recognise what lies at `path`; see `layouts.find`.

    Parameters
    ----------
    path : Path
        A folder, an archive, or a Parquet or Arrow file.
    options : ImportOptions
    scratch : Path
        Where an archive that is compressed as a whole may be decompressed to.

    Raises
    ------
    FormatError
        If there is nothing that can be imported.
    """
    from pix2pix_data.layouts.archives import open_tree
    from pix2pix_data.layouts.find import find_layout

    if (path / "build.json").is_file():
        raise FormatError("this is a dataset of p2p-data already", where=path, fix="use it as it is")
    with open_tree(path, scratch=scratch) as tree:
        yield Opened(tree, find_layout(tree, options.columns, scratch=scratch), options)


def import_pairs(
    opened: Opened, out: Path, *, workers: int, finish: Callable[[Path], None] | None = None
) -> ImportSummary:
    """Write the dataset to a new folder, which is there whole or not at all; memory stays at a few dozen pairs.

    Parameters
    ----------
    opened : Opened
    out : Path
    workers : int
        Threads that decode and encode; any number gives the same bytes.
    finish : callable, optional
        Adds to the dataset, in a folder of the same name, before it takes its place.

    Raises
    ------
    BuildError
        If `out` holds anything, or no pair to train on could be read; then the error names some reasons.
    """
    summary = ImportSummary()
    failed = list(opened.found.failed)
    with new_folder(out) as beside:
        with (
            ProgressLine("Importing", sum(opened.found.num_pairs.values()), unit="pairs") as progress,
            ThreadPoolExecutor(workers) as threads,
        ):
            taken: set[str] = set()
            store = partial(_stored, options=opened.options)
            for split, num_expected in opened.found.num_pairs.items():
                outcomes = in_order(threads, store, _distinct(opened.found.read(split), taken), ahead=4 * workers)
                pairs = _accepted(outcomes, summary.sides, failed, progress)
                if num_pairs := _write_split(beside, split, pairs, num_expected):
                    summary.num_pairs[split] = num_pairs
        summary.num_failed = len(failed)
        if "train" not in summary.num_pairs:
            reasons = "; ".join(sorted({f"{one.source}: {one.reason}" for one in failed})[:3])
            what = "there is not one pair to train on" + (f" ({reasons})" if reasons else "")
            raise BuildError(what, where=opened.tree.path, fix="put training pairs into a folder train/")
        _write_rest(opened, beside, out.resolve().name, summary, failed)
        if finish is not None:
            finish(beside)
    return summary


# --- pairs --------------------------------------------------------------------------------------------------------


def _distinct(outcomes: Iterator[RawPair | Failed], taken: set[str]) -> Iterator[RawPair | Failed]:
    """Let the first pair of each key pass; the others fail."""
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            yield outcome
        elif outcome.pair.key in taken:
            yield Failed(outcome.pair.key, outcome.source, "another pair has this key")
        else:
            taken.add(outcome.pair.key)
            yield outcome


def _stored(outcome: RawPair | Failed, options: ImportOptions) -> StoredPair | Failed:
    from pix2pix_data.layouts.stored import store_pair

    return outcome if isinstance(outcome, Failed) else store_pair(outcome, swap=options.swap, jpeg=options.jpeg)


def _accepted(
    outcomes: Iterator[StoredPair | Failed], sides: Counter[str], failed: list[Failed], progress: ProgressLine
) -> Iterator[EncodedPair]:
    for outcome in outcomes:
        progress.advance()
        if isinstance(outcome, Failed):
            failed.append(outcome)
        else:
            sides.update(outcome.kinds)
            yield outcome.pair


def _write_split(out: Path, split: str, pairs: Iterator[EncodedPair], num_expected: int) -> int:
    from pix2pix_data.shards import pairs_per_shard, shard_path, write_shard

    per_shard = pairs_per_shard(num_expected)
    num_pairs = 0
    shards: list[Path] = []
    for first in pairs:
        shards.append(out / "data" / f"{split}-{len(shards)}.parquet")
        num_pairs += write_shard(shards[-1], chain([first], islice(pairs, per_shard - 1)))
    for i, shard in enumerate(shards):  # how many there are is known when all pairs were tried
        shard.replace(shard_path(out, split, i, len(shards)))
    return num_pairs


# --- the other files ----------------------------------------------------------------------------------------------


def _write_rest(opened: Opened, out: Path, name: str, summary: ImportSummary, failed: list[Failed]) -> None:
    from pix2pix_data.atomic import write_file, write_json
    from pix2pix_data.card import write_card
    from pix2pix_data.dataset import ParquetDataset, fingerprint_of
    from pix2pix_data.preview import write_preview

    path, options = opened.tree.path.resolve(), opened.options
    files = [path / file for file in opened.tree.files] if path.is_dir() else [path]
    write_file(out / "failures.jsonl", "".join(one.to_line() for one in failed))
    write_preview(ParquetDataset(out), out / "preview.png")
    source_name = to_utf8(path.name)
    command = _command_line(source_name, options)
    about = f"Imported from {opened.found.layout}{', with the sides swapped' if options.swap else ''}."
    write_file(out / "README.md", write_card(name, about, command, summary.num_pairs, len(failed)))
    identity = {
        "format": _FORMAT_VERSION,
        "maker": "import",
        "settings": {"layout": opened.found.layout},
        "options": asdict(options),
        "source": {
            "name": source_name,
            "photos": sum(opened.found.num_pairs.values()),
            "fingerprint": fingerprint_of(files, path if path.is_dir() else path.parent),
        },
        "version": __version__,
    }
    others = [to_utf8(file.as_posix()) for file in opened.others]
    record: Mapping[str, object] = {
        "identity": identity,
        "pairs": summary.num_pairs,
        "failed": len(failed),
        "others": others,
    }
    write_json(out / "build.json", record)


def _command_line(name: str, options: ImportOptions) -> str:
    typed = ["--columns", ",".join(options.columns)] if options.columns else []
    typed += [option for option, given in (("--swap", options.swap), ("--jpeg", options.jpeg)) if given]
    return shlex.join(["p2p-data", "import", name, *typed])
