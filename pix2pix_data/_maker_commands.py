"""The makers among the commands: each is imported when it is run or explained, none of them to list them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from pix2pix_data.makers import PAIR_MAKERS, SIDES

__all__ = ["MakersFirst"]


class MakersFirst(TyperGroup):
    """A command for each maker, then those it is given."""

    def __init__(self, *, commands: Mapping[str, Any], **attributes: Any) -> None:
        makers = {name: _MakerCommand(name) for name in PAIR_MAKERS.names()}
        super().__init__(commands={**makers, **commands}, **attributes)


class _MakerCommand(TyperCommand):
    """Stands for a maker's command until somebody wants more than its name."""

    def __init__(self, name: str) -> None:
        self._maker = name
        super().__init__(name, short_help=SIDES.get(name) or PAIR_MAKERS.get(name).sides(), rich_markup_mode=None)

    def make_context(self, *given: Any, **also_given: Any) -> Any:
        from pix2pix_data._command import maker_command

        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(self._maker)(maker_command(self._maker, PAIR_MAKERS.get(self._maker)))
        return typer.main.get_command(alone).make_context(*given, **also_given)
