"""p2p-model push and pull: trained models to the Hugging Face hub, and from it."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from pix2pix_data.console import duration, help_text, result, say
from pix2pix_data.errors import UsageError

__all__ = ["PULL_HELP", "PUSH_HELP", "pull", "push"]

PUSH_HELP = help_text(
    "Bring a finished model to the Hugging Face hub, in one commit; anybody then uses it by its name.\n\nType it again "
    "to go on after an interruption, or to push what changed. The token is that of `hf auth login` or $HF_TOKEN.",
    (
        "p2p-model push runs/0001-edges2shoes me/edges2shoes --private",
        "p2p-model push runs/0001-edges2shoes me/edges2shoes --revision v2",
    ),
)
PULL_HELP = help_text(
    "Bring a model from the Hugging Face hub into a folder of its own. Nothing in it is executed.",
    (
        "p2p-model pull user/edges2shoes",
        "p2p-model pull user/edges2shoes --revision v2 --out edges2shoes-v2",
        "p2p-model translate user/edges2shoes ./sketches    (without a folder of its own: the hub's cache keeps it)",
    ),
)


def push(
    model: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run, or a model folder; not changed.")],
    repo_id: Annotated[str, typer.Argument(metavar="USER/NAME", help="The repository; made if it is not there.")],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    revision: Annotated[
        str | None, typer.Option(metavar="BRANCH", help="A branch; made if it is not there.", show_default="main")
    ] = None,
    no_examples: Annotated[
        bool, typer.Option("--no-examples", help="Leave the example pictures here, which are of your dataset.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be pushed, and do nothing.")] = False,
) -> None:
    from pix2pix_model.model_push import open_pushable, push_model

    start = time.monotonic()
    pushable = open_pushable(model, examples=not no_examples)
    branch = f", branch {revision}" if revision else ""
    say(f"push: {pushable.model.path} ({pushable.size_in_words}) -> {repo_id}{branch}")
    if pushable.num_examples:
        say(f"  {pushable.num_examples} of them are pictures of your dataset; --no-examples leaves them here")
    if dry_run:
        return
    pushed = push_model(pushable, repo_id, private=private, revision=revision)
    for line in pushed.lines(duration(time.monotonic() - start)):
        result(line)
    if not pushed.has_licence:
        say("  the card names no licence, and nobody may use it without one: write `license:` into its head; mind the")
        say("  terms of the photos that it learned from")
    name = f"{repo_id}@{revision}" if revision else repo_id
    result(f"next: p2p-model translate {shlex.quote(name)} IMAGES")


def pull(
    repo_id: Annotated[str, typer.Argument(metavar="USER/NAME", help="The repository.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The model folder.", show_default="named after the repository")
    ] = None,
    revision: Annotated[
        str | None, typer.Option(metavar="REV", help="A branch, tag or commit.", show_default="main")
    ] = None,
) -> None:
    from pix2pix_model.model_pull import pull_model

    start = time.monotonic()
    out = out or Path(repo_id.rpartition("/")[2])
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError("the output folder is not empty", where=out, fix="choose another --out")
    say(f"pull: {repo_id}{f' at {revision}' if revision else ''} -> {out}")
    config = pull_model(repo_id, out, revision=revision).config
    say(f"{config.name}, {config.sides.words}, {config.crop_size} px; {config.test_time.in_words()}")
    result(f"pulled into {out}, in {duration(time.monotonic() - start)}")
    result(f"next: p2p-model translate {shlex.quote(str(out))} IMAGES")
