"""p2p-model: puts a trained model to use."""

from __future__ import annotations

import os

import typer

from pix2pix_data.console import exit_with_errors_told, help_text
from pix2pix_data.limits import limit_threads
from pix2pix_data.memory import keep_memory
from pix2pix_model import (
    _evaluate_command,
    _export_command,
    _gallery_command,
    _hub_commands,
    _import_command,
    _paint_command,
    _translate_command,
)

__all__ = ["app", "main"]

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback(help=help_text("Put a trained model to use.", ("p2p-model translate runs/0001-edges2shoes ./sketches",)))
def _group() -> None:
    pass


app.command("translate", help=_translate_command.HELP)(_translate_command.translate)
app.command("evaluate", help=_evaluate_command.HELP)(_evaluate_command.evaluate)
app.command("paint", help=_paint_command.HELP)(_paint_command.paint)
app.command("export", help=_export_command.HELP)(_export_command.export_model)
app.command("gallery", help=_gallery_command.HELP)(_gallery_command.gallery)
app.command("import", help=_import_command.HELP)(_import_command.import_weights)
app.command("push", help=_hub_commands.PUSH_HELP)(_hub_commands.push)
app.command("pull", help=_hub_commands.PULL_HELP)(_hub_commands.pull)


def main() -> None:
    """Run p2p-model."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in p2p-train: threads that wait should sleep
    limit_threads()
    keep_memory()
    exit_with_errors_told(app)


if __name__ == "__main__":
    main()
