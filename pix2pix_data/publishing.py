"""A dataset to an object store, where no rename is atomic: files are written and verified, the manifest comes last.

Nobody who reads it through `mirror` sees half of it: while `publishing.json` lies there it counts as unfinished, and
each file is held against the checksum that the manifest states.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pix2pix_data.console import ProgressLine
from pix2pix_data.errors import BuildError
from pix2pix_data.mirror import MANIFEST, UNFINISHED
from pix2pix_data.object_store import Store, StoredFile
from pix2pix_data.pushing import open_pushable, travels

__all__ = ["Published", "check_can_publish", "publish"]


@dataclass(frozen=True, slots=True)
class Published:
    """How it ended.

    Attributes
    ----------
    num_uploaded, num_bytes : int
        Files that the store did not hold yet, and their size.
    num_removed : int
        Files that an earlier dataset left.
    """

    num_uploaded: int
    num_bytes: int
    num_removed: int


def check_can_publish(url: str, identity: object = None, *, replace: bool = True) -> None:
    """Find out before long work whether a dataset may go there; errors are those of `publish`.

    Parameters
    ----------
    url : str
    identity : dict, optional
        Of the dataset, as in its build.json.
    replace : bool
        Take the place of a dataset of another identity.
    """
    store = Store(url)
    _check_place(store, store.files(), identity, replace=replace)


def publish(dataset: Path, url: str, *, replace: bool) -> Published:
    """Bring a dataset to a store; what is there already is not sent again, so that the same call goes on after a kill.

    Parameters
    ----------
    dataset : Path
        A dataset of ours; it is not changed.
    url : str
    replace : bool
        Take the place of a dataset that was made differently.

    Raises
    ------
    BuildError
        If something else lies there.
    FormatError
        If it is no dataset that can be pushed.
    MissingExtraError, StoreError
        If the store cannot be written.
    """
    files = open_pushable(dataset).files
    identity = json.loads(files["build.json"].read_text(encoding="utf-8"))["identity"]
    store = Store(url)
    there = store.files()
    _check_place(store, there, identity, replace=replace)
    manifest = _manifest(files, identity)
    if MANIFEST in there and UNFINISHED not in there and store.read(MANIFEST) == manifest and _all_there(files, there):
        return Published(0, 0, 0)
    store.write(json.dumps({"identity": identity}).encode(), UNFINISHED)
    store.remove(MANIFEST)
    sent = []
    with ProgressLine("Publishing", len(files), unit="files") as progress:
        for path in sorted(files, key=lambda path: (path == "build.json", path)):
            if path not in there or not store.holds(path, files[path]):
                store.upload(files[path], path)
                sent.append(files[path])
            progress.advance()
    stale = [path for path in there if travels(path) and path not in files]
    for path in stale:
        store.remove(path)
    store.write(manifest, MANIFEST)
    store.remove(UNFINISHED)
    return Published(len(sent), sum(path.stat().st_size for path in sent), len(stale))


def _check_place(store: Store, there: Mapping[str, StoredFile], identity: object, *, replace: bool) -> None:
    if _identity_there(store, there) not in (None, identity) and not replace:
        fix = "choose another URL, or --overwrite"
        raise BuildError("the store holds a dataset there that was made differently", where=store.url, fix=fix)


def _identity_there(store: Store, there: Mapping[str, StoredFile]) -> Any:
    """Return which dataset the store holds, or was begun to; None where the place is free."""
    if not there:
        return None
    for name in (UNFINISHED, MANIFEST, "build.json"):
        if name in there:
            try:
                return json.loads(store.read(name) or b"")["identity"]
            except (ValueError, TypeError, KeyError):
                break
    raise BuildError("the store holds other things there", where=store.url, fix="choose another URL")


def _manifest(files: Mapping[str, Path], identity: object) -> bytes:
    facts = {path: _facts(file) for path, file in sorted(files.items())}
    return (json.dumps({"identity": identity, "files": facts}, indent=1, ensure_ascii=False) + "\n").encode()


def _facts(file: Path) -> dict[str, Any]:
    """State size and checksum of a file, and of a shard the number of pairs: so it can be read without the others."""
    import pyarrow.parquet as pq

    rows = {"pairs": pq.read_metadata(file).num_rows} if file.suffix == ".parquet" else {}
    return {"bytes": file.stat().st_size, "sha256": _digest(file), **rows}


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _all_there(files: Mapping[str, Path], there: Mapping[str, StoredFile]) -> bool:
    return all(path in there and there[path].num_bytes == file.stat().st_size for path, file in files.items())
