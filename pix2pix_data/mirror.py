"""What lies in an object store, brought to the cache: whole, checked, and each file once.

A fetch that was killed goes on with what is missing, and a file that changed in the store is fetched anew. The copy may
be removed at any time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath, PureWindowsPath

from filelock import FileLock

from pix2pix_data.atomic import write_file
from pix2pix_data.cache_folder import cache_folder
from pix2pix_data.console import ProgressLine, say
from pix2pix_data.errors import FormatError, StoreError
from pix2pix_data.object_store import Store, StoredFile, md5_of
from pix2pix_data.ordered_work import in_order

__all__ = ["MANIFEST", "UNFINISHED", "fetch", "folder_for", "mirrored"]

MANIFEST = "published.json"
"""Names the files of a published dataset with their checksums; written last."""
UNFINISHED = "publishing.json"
"""Lies in the store while a dataset is published."""
_THREADS = 16  # most of the time a small file takes is waiting
_ATTEMPTS = 4


def folder_for(url: str, purpose: str) -> Path:
    """Return the folder of the cache for a URL and a purpose; its last part is that of the URL."""
    below = cache_folder() / purpose / hashlib.sha256(url.encode()).hexdigest()[:16]
    return below / url.rpartition("/")[2]


def mirrored(url: str) -> Path:
    """Bring all files below a URL to the cache, as far as they are not there, and return the folder.

    Each file is held against the manifest of a published dataset, else against its size and, where the store tells one,
    its MD5.

    Raises
    ------
    FormatError
        If there is nothing, or a dataset that is just being published.
    MissingExtraError, StoreError
        If the store cannot be read, or does not give what it states.
    """
    store = Store(url)
    there = store.files()
    if UNFINISHED in there:
        fix = "wait until it is, or type the command that publishes it again"
        raise FormatError("the dataset there is not published whole yet", where=url, fix=fix)
    if not there:
        raise FormatError("there is nothing at this URL", where=url, fix="correct the URL")
    if outside := [path for path in there if _leads_outside(path)]:
        fix = "look at who wrote it; then remove or rename it there"
        raise FormatError(f"a file there leads out of its folder: {outside[0]}", where=url, fix=fix)
    digests = _digests(store) if MANIFEST in there else {}
    if missing := sorted(digests.keys() - there.keys()):
        raise FormatError(f"a file of the dataset is not there: {missing[0]}", where=url, fix="publish it again")
    wanted = [file for path, file in sorted(there.items()) if not digests or path in digests]
    folder = folder_for(url, "stores")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name("lock")):
        _bring(store, wanted, digests, folder)
    return folder


def _bring(store: Store, wanted: list[StoredFile], digests: dict[str, str], folder: Path) -> None:
    record = folder.with_name("versions.jsonl")
    known = _read_versions(record)
    todo = [file for file in wanted if known.get(file.path) != _mark(file, digests) or not _has_size(folder, file)]
    _remove_others(folder, {file.path for file in wanted})
    if todo:
        say(f"{len(todo)} of {len(wanted)} files ({sum(file.num_bytes for file in todo) / 1e6:.1f} MB) of {store.url}")
        with (
            record.open("a", encoding="utf-8") as marks,
            ThreadPoolExecutor(_THREADS) as threads,
            ProgressLine("Fetching", len(todo), unit="files") as progress,
        ):
            try:
                fetched = in_order(threads, lambda file: fetch(store, file, digests, folder), todo, ahead=_THREADS * 2)
                for file in fetched:
                    marks.write(json.dumps([file.path, _mark(file, digests)]) + "\n")
                    marks.flush()
                    progress.advance()
            except BaseException:  # an interruption as well
                threads.shutdown(cancel_futures=True)
                raise
    lines = (json.dumps([file.path, _mark(file, digests)]) + "\n" for file in wanted)
    write_file(record, "".join(lines))


def fetch(store: Store, file: StoredFile, digests: dict[str, str], folder: Path) -> StoredFile:
    """Bring one file into a folder, whole and as the store states it, or not at all; StoreError if that fails."""
    path = folder / file.path
    part = path.with_name(f".{path.name}.part")
    before = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(_ATTEMPTS):
            try:
                store.download(file.path, part)
            except FileNotFoundError as error:
                fix = "let nobody write there meanwhile, and type the same command again"
                raise StoreError("a file vanished", where=f"{store.url}/{file.path}", fix=fix) from error
            came = _digest(part, file, digests)
            # Of a bucket that is encrypted by a key of its own, an ETag only looks like an MD5: then two must agree.
            if part.stat().st_size == file.num_bytes and (
                came in ("", digests.get(file.path, file.version)) or (came == before and file.path not in digests)
            ):
                part.replace(path)
                return file
            before = came
    finally:
        part.unlink(missing_ok=True)
    fix = "type the same command again; if it comes to this each time, the file there is damaged: bring it there anew"
    raise StoreError("what comes is not what the store states", where=f"{store.url}/{file.path}", fix=fix)


def _digest(path: Path, file: StoredFile, digests: dict[str, str]) -> str:
    """Return the checksum of what came, of the kind that is known of the file; empty where none is."""
    if file.path in digests:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    return md5_of(path) if file.may_be_md5 else ""


def _digests(store: Store) -> dict[str, str]:
    try:
        files = json.loads(store.read(MANIFEST) or b"")["files"]
        return {str(path): str(facts["sha256"]) for path, facts in files.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FormatError("its manifest is damaged", where=f"{store.url}/{MANIFEST}", fix="publish it again") from error


def _mark(file: StoredFile, digests: dict[str, str]) -> str:
    return digests.get(file.path) or f"{file.num_bytes} {file.version}"


def _read_versions(record: Path) -> dict[str, str]:
    return dict(_lines(record)) if record.is_file() else {}


def _lines(record: Path) -> Iterator[tuple[str, str]]:
    for line in record.read_text(encoding="utf-8").splitlines():
        try:
            path, mark = json.loads(line)
        except ValueError:  # the last line of a process that was killed
            continue
        yield path, mark


def _has_size(folder: Path, file: StoredFile) -> bool:
    path = folder / file.path
    return path.is_file() and path.stat().st_size == file.num_bytes


def _remove_others(folder: Path, wanted: set[str]) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in wanted:
            path.unlink()


def _leads_outside(name: str) -> bool:
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    return posix.is_absolute() or bool(windows.anchor) or ".." in (*posix.parts, *windows.parts) or "\0" in name
