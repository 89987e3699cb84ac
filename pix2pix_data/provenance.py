"""The command line that makes a dataset again; it goes into the card."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pix2pix_data.grouping import parse_group_by
from pix2pix_data.maker import PairMaker, is_argument, is_option, option_name

if TYPE_CHECKING:
    from pix2pix_data.build import BuildOptions

__all__ = ["command_line", "named", "split_command_line"]


def command_line(command: str, maker: PairMaker, source: Path, options: BuildOptions) -> str:
    """Write a build as it would be typed: files and folders by their last name, settings at their default left out."""
    arguments = [source.resolve().name]
    typed: list[str] = []
    for name, field in type(maker).model_fields.items():
        value = getattr(maker, name)
        if value == field.default:
            continue
        if is_argument(field):
            arguments.append(value.resolve().name)
        elif is_option(field):
            typed += _typed(option_name(name), value)
    return shlex.join(["p2p-data", command, *arguments, *typed, *_options_typed(options)])


def split_command_line(dataset: Path, options: BuildOptions) -> str:
    """Write a division of a dataset as it would be typed, likewise."""
    return shlex.join(["p2p-data", "split", dataset.resolve().name, *_options_typed(named(options))])


def named(options: BuildOptions) -> BuildOptions:
    """Name the files among the options by their last name: where they lie on this machine tells nobody anything."""
    lock = None if options.lock is None else Path(options.lock.name)
    return replace(options, group=str(parse_group_by(options.group)), lock=lock)


def _options_typed(options: BuildOptions) -> Iterator[str]:
    for option in fields(options):
        value = getattr(options, option.name)
        if value != option.default:
            yield from _typed(option_name(option.name), value)


def _typed(option: str, value: object) -> Iterator[str]:
    if isinstance(value, bool):
        yield option
    elif isinstance(value, tuple):
        yield from (option, "x".join(map(str, value)))
    elif isinstance(value, Path):
        yield from (option, value.name)
    else:
        yield from (option, str(value))
