"""p2p-data: makes paired datasets. One command for each maker, and a sample of photos to try them on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import pix2pix_data.makers  # noqa: F401 - registers the makers
from pix2pix_data._command import maker_command
from pix2pix_data.console import exit_with_errors_told, help_text, result
from pix2pix_data.maker import PAIR_MAKERS

__all__ = ["app", "main"]

_HELP = help_text(
    "Make a paired A|B dataset from a folder of photos.",
    ("p2p-data edges ./shoes", "p2p-data kmeans ./cityscapes", "p2p-data edges --help"),
)

app = typer.Typer(help=_HELP, add_completion=False, rich_markup_mode=None, no_args_is_help=True)
for _name in PAIR_MAKERS.names():
    app.command(_name)(maker_command(_name, PAIR_MAKERS.get(_name)))


@app.command(
    help=help_text(
        "Write real photos to try everything with: crops of those in scikit-image and scikit-learn.",
        ("p2p-data sample ./photos",),
    )
)
def sample(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write the photos.")],
    crop: Annotated[int, typer.Option(min=16, max=192, metavar="PX", help="Side of a crop.")] = 128,
) -> None:
    from pix2pix_data.sample import write_sample

    num_photos = write_sample(folder, crop_px=crop)
    result(f"{num_photos} photos in {folder}")
    result(f"next: p2p-data edges {folder}/chelsea --size 64 --group folder --val 0.5 --test 0")


def main() -> None:
    """Run p2p-data."""
    exit_with_errors_told(app)
