"""The options that several commands share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Out = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Output folder; of pairs made of photos also a URL.", show_default="named after the input"
    ),
]
Val = Annotated[float, typer.Option(min=0, help="Pairs for validation: a share below 1, or a number.")]
Test = Annotated[float, typer.Option(min=0, help="Pairs for the test split: a share below 1, or a number.")]
Seed = Annotated[int, typer.Option(help="Seed of the splits.")]
Group = Annotated[
    str,
    typer.Option(
        metavar="HOW",
        help=(
            "What is kept on one side of a split: near-duplicates, file, folder, "
            '"regex:^(cam[0-9]+)_" (what it finds in the path), or csv:FILE:COLUMN.'
        ),
    ),
]
Lock = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Keep photos in the splits that this file says, and write the others to it."),
]
NewSplits = Annotated[
    bool,
    typer.Option("--new-splits", help="Divide photos anew that lie in folders train/, val/, test/."),
]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="Use the first N photos alone.")]
Lossless = Annotated[bool, typer.Option("--lossless", help="Store B as PNG instead of JPEG quality 95.")]
Workers = Annotated[int | None, typer.Option(min=1, metavar="N", help="Processes.", show_default="one for each core")]
EngineName = Annotated[
    Literal["local", "ray"],
    typer.Option("--engine", help="What makes the shards: processes of this machine, or a Ray cluster."),
]
Address = Annotated[
    str,
    typer.Option(
        metavar="WHERE",
        help="The Ray cluster: auto for the one that this machine belongs to, HOST:6379 for its head, or ray://HOST:10001.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a dataset that was made differently.")]
ShardIndex = Annotated[
    int | None,
    typer.Option(
        min=0, metavar="I", help="As job I of N, from 0, make a share of the dataset in --out; then p2p-data finish."
    ),
]
NumShards = Annotated[int | None, typer.Option(min=1, metavar="N", help="How many such jobs there are.")]
Push = Annotated[
    str | None,
    typer.Option(
        metavar="USER/NAME", help="Push the dataset to the Hugging Face hub when it is made, as p2p-data push does."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
MaxFailed = Annotated[
    float, typer.Option(min=0, max=1, metavar="SHARE", help="More failed photos than this end in exit code 3.")
]
Columns = Annotated[
    str | None,
    typer.Option(metavar="A,B", help="Names of the two columns.", show_default="the usual pairs of names"),
]
Swap = Annotated[bool, typer.Option("--swap", help="Make A of B, and B of A.")]
Jpeg = Annotated[bool, typer.Option("--jpeg", help="Where B must be encoded anew, as JPEG quality 95 instead of PNG.")]
