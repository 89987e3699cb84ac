"""p2p-model paint: a page to paint on, translated while one paints."""

from __future__ import annotations

import contextlib
import threading
import webbrowser
from pathlib import Path
from typing import Annotated, Literal

import typer

from pix2pix_data.console import help_text, result, say

__all__ = ["HELP", "paint"]

HELP = help_text(
    "Open a page in the browser to paint on: what the model makes of it is shown while you paint.",
    (
        "p2p-model paint runs/0001-facades",
        "p2p-model paint runs/0001-edges2shoes --port 8000 --no-browser",
        "p2p-model paint facades_label2photo_pretrained-model --like ./facades",
        "p2p-model paint model --host 0.0.0.0",
    ),
)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def paint(
    model: Annotated[Path, typer.Argument(metavar="RUN", help="A run, a model folder, or user/name on the hub.")],
    like: Annotated[
        Path | None,
        typer.Option(
            metavar="DATASET",
            help="A paired dataset of what the model is given; for models of others, which do not say it.",
            show_default="as the model says",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page.", show_default="a free one")] = 0,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on; others than this let other machines in.")
    ] = "127.0.0.1",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where the model runs.")] = "auto",
) -> None:
    from pix2pix_data.dataset import open_dataset
    from pix2pix_model.checkpoint import load_model
    from pix2pix_model.device import choose_device
    from pix2pix_model.model_pull import find_model
    from pix2pix_model.paint.painter import Painter
    from pix2pix_model.paint.server import address_of, bind, serve

    loaded, where = load_model(find_model(model)), choose_device(device)
    painter = Painter(loaded, where, like=None if like is None else open_dataset(like))
    say(f"paint: {loaded.config.name} of {loaded.path}, {painter.width}x{painter.height} px; on {where.words}")
    say({"segments": f"it is given segments in {len(painter.facts.colors)} colours", "lines": "it is given lines",
         "gray": "it is given gray pictures", "photo": "it is given photos"}[painter.facts.kind])  # fmt: skip
    painter.warm_up()
    bound = bind(host, port)
    if host not in _LOOPBACK:
        say(f"warning: whoever reaches {host} may use this page; it has no password")
    address = address_of(bound)
    result(address)
    say("Ctrl-C ends it")
    if browser:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()  # some browsers stay in it
    with contextlib.suppress(KeyboardInterrupt):  # the ordinary end, not a failure
        serve(painter, bound)
    say("ended")
