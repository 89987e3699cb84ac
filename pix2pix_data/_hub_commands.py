"""The commands that bring datasets to the Hugging Face hub and from it: push and fetch."""

from __future__ import annotations

import shlex
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pix2pix_data import _options
from pix2pix_data._layout_commands import counts, two_names
from pix2pix_data._show_commands import report_new
from pix2pix_data._store_paths import publish_and_tell
from pix2pix_data.console import duration, help_text, result, say
from pix2pix_data.errors import UsageError
from pix2pix_data.urls import url_of

__all__ = ["add_hub_commands", "check_can_push", "push_and_tell"]

_PUSH_HELP = help_text(
    "Bring a dataset to the Hugging Face hub: its Parquet files as they are and its card, in one commit; or to an "
    "object store, such as s3://bucket/name.\n\nType it again to go on after an interruption, or to push what changed. "
    "The token is that of `hf auth login` or $HF_TOKEN; the account of a store is that of its own tools.",
    ("p2p-data push shoes-edges me/shoes-edges --private", "p2p-data push shoes-edges me/shoes-edges --revision v2"),
)
_FETCH_HELP = help_text(
    "Make a dataset of a paired one on the Hugging Face hub, with the very bytes of its pictures where they can be "
    "kept.\n\nfacades, cityscapes, maps, edges2shoes and night2day are the public pix2pix sets; the first two and "
    "edges2shoes get their official splits back, which the copies on the hub have merged. Type it again to go on after "
    "an interruption.",
    (
        "p2p-data fetch facades",
        "p2p-data fetch user/name --out pairs",
        "p2p-data fetch user/name --columns sketch,photo --only 'data/train-*'",
    ),
)


def add_hub_commands(app: typer.Typer) -> None:
    """Add the commands to p2p-data."""
    app.command("fetch", help=_FETCH_HELP)(fetch)
    app.command("push", help=_PUSH_HELP)(push)


def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A public set, or a repository as user/name.")],
    out: _options.Out = None,
    revision: Annotated[
        str | None, typer.Option(metavar="REV", help="A branch, tag or commit.", show_default="main")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Fetch files like this alone; may be given again.", show_default="all"),
    ] = None,
    columns: _options.Columns = None,
    swap: _options.Swap = False,
    jpeg: _options.Jpeg = False,
    workers: _options.Workers = None,
    max_failed: _options.MaxFailed = 0.1,
    dry_run: _options.DryRun = False,
) -> None:
    from pix2pix_data.fetching import fetch_pairs, find_source
    from pix2pix_data.hub_push import files_in_words
    from pix2pix_data.importing import ImportOptions
    from pix2pix_data.limits import num_processors

    start = time.monotonic()
    options = ImportOptions(two_names(columns), swap, jpeg)
    source = find_source(name, revision=revision, only=only or (), options=options)
    out = out or Path(name.rpartition("/")[2])
    size = files_in_words(len(source.files), source.num_bytes)
    say(f"fetch: {source.repo.repo_id} at {source.listing.commit[:7]} ({size}) -> {out}")
    if dry_run:
        return
    fetched = fetch_pairs(source, out, workers=workers or num_processors(), finish=partial(report_new, out=out))
    say(f"  {fetched.layout}")
    for note in fetched.notes:
        say(f"  {note}")
    if source.public is not None:
        say(f"  terms: {source.public.terms}")
    num_pairs, num_failed = sum(fetched.summary.num_pairs.values()), fetched.summary.num_failed
    elapsed = duration(time.monotonic() - start)
    result(f"{num_pairs} pairs ({counts(fetched.summary.num_pairs)}), {num_failed} failed, in {elapsed}")
    if num_failed:
        result(f"  each one: {out / 'failures.jsonl'}")
    result(f"look at {out / 'report.html'}, or at {out / 'preview.png'}")
    if source.public is None:
        result(f"next: p2p-data check {shlex.quote(str(out))}")
    else:
        result(f"next: p2p-train recipes/{source.public.recipe}.toml --set data.path={shlex.quote(str(out))}")
    if num_failed > max_failed * (num_pairs + num_failed):
        say(f"more than {max_failed:.0%} of the pairs failed")
        raise typer.Exit(3)


def push(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A dataset of p2p-data; it is not changed.")],
    repo_id: Annotated[
        str, typer.Argument(metavar="USER/NAME", help="The repository, made if it is not there; or a URL.")
    ],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    revision: Annotated[
        str | None, typer.Option(metavar="BRANCH", help="A branch; made if it is not there.", show_default="main")
    ] = None,
    dry_run: _options.DryRun = False,
) -> None:
    push_and_tell(dataset, repo_id, private=private, revision=revision, dry_run=dry_run)


def check_can_push(repo_id: str) -> None:
    """Find out before a long build whether a push could begin; UsageError or HubError if not."""
    if url := url_of(repo_id):
        from pix2pix_data.publishing import check_can_publish

        check_can_publish(url)
        return
    from pix2pix_data.hub import HubRepo

    HubRepo(repo_id).require_token()


def push_and_tell(
    dataset: Path, repo_id: str, *, private: bool = False, revision: str | None = None, dry_run: bool = False
) -> None:
    """Push a dataset, and say what was done and what is left to the user; see `pushing.push_dataset`."""
    if url := url_of(repo_id):
        if private or revision:
            raise UsageError("an object store has no --private and no --revision", where=url, fix="leave them out")
        publish_and_tell(dataset, url, dry_run=dry_run)
        return
    from pix2pix_data.hub_push import files_in_words
    from pix2pix_data.pushing import open_pushable, push_dataset

    start = time.monotonic()
    pushable = open_pushable(dataset)
    branch = f", branch {revision}" if revision else ""
    size = files_in_words(len(pushable.files), pushable.num_bytes)
    say(f"push: {dataset} ({counts(pushable.num_pairs)}; {size}) -> {repo_id}{branch}")
    if pushable.left_here:
        say(f"  not pushed: {', '.join(pushable.left_here[:5])}{', ...' if len(pushable.left_here) > 5 else ''}")
    if dry_run:
        return
    pushed = push_dataset(dataset, repo_id, private=private, revision=revision)
    for line in pushed.lines(duration(time.monotonic() - start)):
        result(line)
    if not pushed.has_licence:
        say("  the card names no licence: the photos keep the terms of their source; write `license:` into its head")
    at = f", revision={revision!r}" if revision else ""
    result(f"next: datasets.load_dataset({repo_id!r}{at}), or p2p-data fetch {shlex.quote(repo_id)}")
