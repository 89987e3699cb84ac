"""Datasets from the Hugging Face hub: ours as they are, the public pix2pix sets with their splits, and other pairs."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from pix2pix_data.atomic import write_file, write_json
from pix2pix_data.card import write_card
from pix2pix_data.console import say
from pix2pix_data.errors import FormatError, UsageError
from pix2pix_data.hub import HubRepo, transfer_line
from pix2pix_data.hub_files import Listing, RemoteFile
from pix2pix_data.importing import ImportOptions, ImportSummary, Opened, import_pairs, open_layout
from pix2pix_data.layouts.file_tree import is_wanted, leads_outside
from pix2pix_data.new_folder import new_folder
from pix2pix_data.public_sets import PUBLIC_SETS, Division, PublicSet, divide_officially
from pix2pix_data.pushing import check_counts, travels

__all__ = ["Fetched", "Source", "fetch_pairs", "find_source"]


@dataclass(frozen=True, slots=True)
class Source:
    """What will be fetched.

    Attributes
    ----------
    repo : HubRepo
    listing : Listing
    files : tuple of RemoteFile
        The files that are needed.
    is_ours : bool
        They are a dataset of p2p-data, and are taken as they are.
    name : str
        As it was typed: of a public set, or a repository.
    public : PublicSet or None
    only : tuple of str
    options : ImportOptions
    """

    repo: HubRepo
    listing: Listing
    files: tuple[RemoteFile, ...]
    is_ours: bool
    name: str
    public: PublicSet | None
    only: tuple[str, ...]
    options: ImportOptions

    @property
    def num_bytes(self) -> int:
        return sum(file.num_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Fetched:
    """How it ended.

    Attributes
    ----------
    layout : str
        In words, with what A and B are called there.
    notes : list of str
        What the user should know of splits and sides.
    summary : ImportSummary
    """

    layout: str
    notes: list[str]
    summary: ImportSummary


def find_source(name: str, *, revision: str | None, only: Sequence[str], options: ImportOptions) -> Source:
    """Look up what there is to fetch; nothing is downloaded.

    Parameters
    ----------
    name : str
        Of a public set, or user/name.
    revision : str, optional
        A branch, tag or commit.
    only : sequence of str
        Patterns of paths, of which a file must match one; none for all files.
    options : ImportOptions
        How pairs of other layouts are taken in.

    Raises
    ------
    UsageError, HubError, FormatError
        If there is no such set or repository, or it holds nothing that could be pairs.
    """
    public = PUBLIC_SETS.get(name)
    if public is None and "/" not in name:
        fix = f"choose from {', '.join(PUBLIC_SETS)}, or name a repository as user/name"
        raise UsageError("there is no public set of this name", where=name, fix=fix)
    if public is not None and public.repo_id is None:
        fix = "import the authors' archive, which has the official splits: p2p-data import ARCHIVE"
        raise UsageError("no complete copy of this set is known on the hub", where=name, fix=fix)
    repo = HubRepo(name if public is None else str(public.repo_id), revision)
    listing = repo.list_files()
    if len(listing.configs) > 1 and not only:
        what = f"there are {len(listing.configs)} sets in this repository: {', '.join(listing.configs)}"
        raise UsageError(what, where=repo.url, fix="choose the files of one, such as --only 'NAME/*'")
    names = {path for path in listing.files if not only or any(fnmatch(path, pattern) for pattern in only)}
    ours = {path for path in names if travels(path)}
    is_ours = options == ImportOptions() and "build.json" in ours and any(path.endswith(".parquet") for path in ours)
    if not is_ours:
        names = {path for path in names if is_wanted(Path(path)) and path != "build.json"}
    files = [file for path, file in listing.files.items() if path in (ours if is_ours else names)]
    if outside := [file.path for file in files if leads_outside(file.path)]:
        raise FormatError(
            f"a file there leads out of its folder: {outside[0]}", where=repo.url, fix="do not trust this repository"
        )
    if not files:
        what = "no file there matches --only" if only else "there are no pictures and no tables"
        raise FormatError(what, where=repo.url, fix=f"look at {repo.url}/tree/{listing.commit}")
    return Source(repo, listing, tuple(files), is_ours, name, public, tuple(only), options)


def fetch_pairs(source: Source, out: Path, *, workers: int, finish: Callable[[Path], None] | None = None) -> Fetched:
    """Download and make a dataset in a new folder, which is there whole or not at all.

    Downloads lie in a hidden folder beside `out` until the dataset is made, so that a call that is interrupted goes on
    where it stood; each file is held against the hub's checksum.

    Parameters
    ----------
    source : Source
    out : Path
    workers : int
        Threads that decode; any number gives the same bytes.
    finish : callable, optional
        Adds to the dataset, in a folder of the same name, before it takes its place.

    Raises
    ------
    BuildError, FormatError, HubError
        If `out` holds anything, what came is no paired dataset, or it could not be fetched.
    """
    out = out.resolve()
    downloads = out.with_name(f".{out.name}.fetch")
    folder = downloads / source.listing.commit  # one revision each, so that two can never mix
    with new_folder(out) as beside, _kept_downloads_told(downloads):
        with transfer_line("Fetching", source.num_bytes) as tick:
            for file in source.files:
                source.repo.download(file, source.listing.commit, folder, tick)
        fetched = (
            _taken_over(source, folder, beside) if source.is_ours else _imported(source, folder, beside, out, workers)
        )
        if finish is not None:
            finish(beside)
    shutil.rmtree(downloads)
    return fetched


@contextmanager
def _kept_downloads_told(downloads: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:  # an interruption as well
        if downloads.exists():
            say(f"  what was fetched is kept in {downloads}, for the next time")
        raise


def _taken_over(source: Source, folder: Path, out: Path) -> Fetched:
    from pix2pix_data.dataset import ParquetDataset

    for file in source.files:
        (out / file.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.path).replace(out / file.path)
    dataset = ParquetDataset(out)
    check_counts(dataset, fix=f"its owner should push it again: {source.repo.url}")
    return Fetched("a dataset of p2p-data", [], ImportSummary(dataset.num_pairs))


def _imported(source: Source, folder: Path, beside: Path, out: Path, workers: int) -> Fetched:
    with open_layout(folder, source.options, scratch=beside.parent) as opened:
        layout, notes, division = opened.found.layout, [], None
        if opened.found.doubt is not None:
            notes.append(f"doubtful: {opened.found.doubt}")
        if source.public is not None:
            division = divide_officially(opened.found, source.public)
            opened, told = _divided(opened, source.public, division)
            notes += told
        if opened.options.swap:
            layout = f"{layout}, with the sides swapped"
        summary = import_pairs(opened, beside, workers=workers)
    _write_provenance(source, layout, notes, division, summary, beside, out.name)
    return Fetched(layout, notes, summary)


def _divided(opened: Opened, public: PublicSet, division: Division) -> tuple[Opened, list[str]]:
    """Take the splits of a division, and the sides as the authors publish them, as far as they are known."""
    if division.photo_side is None:
        return replace(opened, found=division.found), [division.note]
    swap = opened.options.swap != (division.photo_side != public.photo_side)
    a, b = (public.b, public.a) if opened.options.swap else (public.a, public.b)
    options = replace(opened.options, swap=swap)
    return replace(opened, found=division.found, options=options), [division.note, f"A is {a}, B is {b}"]


def _write_provenance(
    source: Source,
    layout: str,
    notes: Sequence[str],
    division: Division | None,
    summary: ImportSummary,
    made: Path,
    name: str,
) -> None:
    """Say in the card and in build.json where the dataset is from, in place of the folder of downloads."""
    record: dict[str, Any] = json.loads((made / "build.json").read_text(encoding="utf-8"))
    record["identity"]["maker"] = "fetch"
    record["identity"]["source"] |= {
        "name": source.repo.repo_id,
        "revision": source.listing.commit,
        "splits": "as there" if division is None else "official" if division.is_official else "not divided",
    }
    write_json(made / "build.json", record)
    command = "\n".join([_command_line(source), *notes])
    about = f"Fetched from {source.repo.url} (commit {source.listing.commit}): {layout}."
    terms = None if source.public is None else source.public.terms
    card = write_card(name, about, command, summary.num_pairs, summary.num_failed, terms=terms)
    write_file(made / "README.md", card)


def _command_line(source: Source) -> str:
    options = source.options
    typed = ["--revision", source.listing.commit]
    typed += [word for pattern in source.only for word in ("--only", pattern)]
    typed += ["--columns", ",".join(options.columns)] if options.columns else []
    typed += [option for option, given in (("--swap", options.swap), ("--jpeg", options.jpeg)) if given]
    return shlex.join(["p2p-data", "fetch", source.name, *typed])
