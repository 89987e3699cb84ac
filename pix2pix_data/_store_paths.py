"""Paths of a command that are URLs: sources are fetched before it runs, and what it makes is published at its end."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from pix2pix_data.console import duration, result, say
from pix2pix_data.errors import UsageError
from pix2pix_data.urls import url_of

__all__ = ["bring_sources", "publish_and_tell", "refuse_sharing"]


def bring_sources(values: dict[str, Any], names: Iterable[str]) -> None:
    """Replace each of these values that is a URL by a folder of the cache with the same files.

    A dry run fetches nothing: it ends here, once it is told what would be fetched.
    """
    urls = {name: url for name in names if isinstance(values[name], Path) and (url := url_of(values[name]))}
    if not urls:
        return
    from pix2pix_data.mirror import mirrored
    from pix2pix_data.object_store import Store

    refuse_sharing(values["engine"], values["shard_index"])
    if values["dry_run"]:
        for url in urls.values():
            files = Store(url).files().values()
            say(f"would fetch {len(files)} files ({sum(file.num_bytes for file in files) / 1e6:.1f} MB) of {url}")
        say("what can be made of them is known when they are here")
        raise typer.Exit
    for name, url in urls.items():
        values[name] = mirrored(url)


def refuse_sharing(engine: str, shard_index: int | None) -> None:
    """Raise UsageError where several machines would need to see what is a copy on this one."""
    if engine != "local" or shard_index is not None:
        fix = "give folders that all of them see, and push the dataset when it is made: p2p-data push"
        raise UsageError("several machines share folders, and a URL is read and written by one", fix=fix)


def publish_and_tell(dataset: Path, url: str, *, dry_run: bool = False) -> None:
    """Bring a dataset to an object store, and say what was done; see `publishing.publish`."""
    from pix2pix_data.publishing import publish
    from pix2pix_data.pushing import open_pushable

    start = time.monotonic()
    pushable = open_pushable(dataset)
    say(f"push: {dataset} ({len(pushable.files)} files, {pushable.num_bytes / 1e6:.1f} MB) -> {url}")
    if dry_run:
        return
    done = publish(dataset, url, replace=True)
    told = "the store has all of it already; nothing was uploaded"
    if done.num_uploaded or done.num_removed:
        removed = f", {done.num_removed} removed" if done.num_removed else ""
        told = f"{done.num_uploaded} files ({done.num_bytes / 1e6:.1f} MB) uploaded and verified{removed}"
    result(f"{told}, in {duration(time.monotonic() - start)}")
    result(f"next: p2p-train RECIPE --set data.path={shlex.quote(url)}")
