"""A published dataset whose shards come from the object store when they are read, and leave when room is needed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from filelock import FileLock

from pix2pix_data.dataset import ParquetDataset, modes_of
from pix2pix_data.errors import FormatError
from pix2pix_data.mirror import MANIFEST, UNFINISHED, fetch, folder_for
from pix2pix_data.object_store import Store, StoredFile
from pix2pix_data.pair import SPLITS

__all__ = ["StoredDataset"]

_MOST_BYTES = 8 << 30  # of the shards of a dataset that are kept in the cache; those read longest ago go first


class StoredDataset(ParquetDataset):
    """A dataset of ours that `p2p-data` has published.

    Parameters
    ----------
    url : str

    Raises
    ------
    FormatError
        If there is none, or it is not published whole.
    StoreError
        If it cannot be read.
    """

    def __init__(self, url: str) -> None:
        self._store = Store(url)
        if self._store.file(UNFINISHED) is not None:
            fix = "wait until it is, or type the command that publishes it again"
            raise FormatError("the dataset there is not published whole yet", where=url, fix=fix)
        manifest = self._store.read(MANIFEST)
        try:
            self._facts: dict[str, dict[str, Any]] = json.loads(manifest or b"")["files"]
            shards = {name: int(facts["pairs"]) for name, facts in self._facts.items() if name.endswith(".parquet")}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            fix = "push it there with p2p-data push, or leave out data.stream"
            raise FormatError("there is no dataset that can be streamed", where=url, fix=fix) from error
        self.path = folder_for(url, "streams")
        of_split = {split: sorted(name for name in shards if name.startswith(f"data/{split}-")) for split in SPLITS}
        self._files = {split: [self.path / name for name in names] for split, names in of_split.items() if names}
        self._sizes = {split: [shards[name] for name in of_split[split]] for split in self._files}
        self.num_pairs = {split: sum(sizes) for split, sizes in self._sizes.items() if sum(sizes)}
        digest = hashlib.sha256()  # as of the same dataset in a folder
        for names in of_split.values():
            for name in names:
                digest.update(f"{name}\0{self._facts[name]['bytes']}\n".encode())
        self.fingerprint = digest.hexdigest()[:16]
        self.stamp = hashlib.sha256(manifest or b"").hexdigest()
        for name in self._facts.keys() - shards.keys():
            self._here(self.path / name)
        self.modes = modes_of(self._here(next(reversed(self._files.values()))[0]))

    def _here(self, path: Path) -> Path:
        name = path.relative_to(self.path).as_posix()
        facts = self._facts[name]
        mark = self.path.with_name("marks") / f"{name}.sha256"
        self.path.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_name("lock")):
            if not (path.is_file() and mark.is_file() and mark.read_text(encoding="utf-8") == facts["sha256"]):
                self._make_room(int(facts["bytes"]))
                fetch(self._store, StoredFile(name, int(facts["bytes"]), ""), {name: facts["sha256"]}, self.path)
                mark.parent.mkdir(parents=True, exist_ok=True)
                mark.write_text(facts["sha256"], encoding="utf-8")
            os.utime(path)
        return path

    def _make_room(self, num_bytes: int) -> None:
        kept = sorted((self.path / "data").glob("*.parquet"), key=lambda path: path.stat().st_mtime)
        sizes = {path: path.stat().st_size for path in kept}
        for path in kept[:-1]:  # the last may be about to be opened
            if sum(sizes.values()) + num_bytes <= _MOST_BYTES:
                return
            path.unlink()
            del sizes[path]
