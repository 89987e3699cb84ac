"""From a maker class to a command: its fields become options, its docstring the help."""

from __future__ import annotations

import inspect
import json
import shlex
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, get_origin

import typer
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from pix2pix_data import _options
from pix2pix_data._hub_commands import check_can_push, push_and_tell
from pix2pix_data._show_commands import report_new
from pix2pix_data.build import BuildOptions, BuildSummary, build, plan_build
from pix2pix_data.console import duration, help_text, result, say
from pix2pix_data.errors import UsageError
from pix2pix_data.maker import PairMaker, is_argument, is_option, option_name
from pix2pix_data.pair import Failed, Unused

__all__ = ["maker_command"]

_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_DEFAULTS = BuildOptions()
_MOST_EXAMPLES = 5
_SHARED: tuple[tuple[str, Any, Any], ...] = (
    ("out", _options.Out, None),
    ("val", _options.Val, _DEFAULTS.val),
    ("test", _options.Test, _DEFAULTS.test),
    ("seed", _options.Seed, _DEFAULTS.seed),
    ("group", _options.Group, _DEFAULTS.group),
    ("lock", _options.Lock, _DEFAULTS.lock),
    ("new_splits", _options.NewSplits, _DEFAULTS.new_splits),
    ("limit", _options.Limit, _DEFAULTS.limit),
    ("lossless", _options.Lossless, _DEFAULTS.lossless),
    ("workers", _options.Workers, None),
    ("max_failed", _options.MaxFailed, 0.1),
    ("overwrite", _options.Overwrite, False),
    ("push", _options.Push, None),
    ("dry_run", _options.DryRun, False),
)


def maker_command(name: str, maker_class: type[PairMaker]) -> Callable[..., None]:
    """Return the function that Typer turns into the command `name`."""
    source = Annotated[Path, typer.Argument(metavar="FOLDER", help=maker_class.source_help)]
    parameters = [inspect.Parameter("source", _KEYWORD, annotation=source)]
    for field_name, field in maker_class.model_fields.items():
        if is_argument(field):
            parameters.append(_argument(field_name, field))
        elif is_option(field):
            parameters.append(_option(field_name, field))
    parameters += [inspect.Parameter(n, _KEYWORD, annotation=a, default=d) for n, a, d in _SHARED]

    def command(**values: Any) -> None:
        settings = {field: values.pop(field) for field in maker_class.model_fields if field in values}
        try:
            maker = maker_class.model_validate(settings)
        except ValidationError as error:
            raise typer.BadParameter(_told(error)) from None
        _run(name, maker, **values)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = help_text(maker_class.summary(), maker_class.examples)
    return command


def _argument(name: str, field: FieldInfo) -> inspect.Parameter:
    default = inspect.Parameter.empty if field.is_required() else field.default
    argument = typer.Argument(metavar=name.upper(), help=field.description, show_default=False)
    return inspect.Parameter(name, _KEYWORD, annotation=Annotated[field.annotation, argument], default=default)


def _option(name: str, field: FieldInfo) -> inspect.Parameter:
    annotation, default = field.annotation, field.default
    if get_origin(annotation) is tuple:  # a size
        annotation, default = str, "x".join(map(str, sorted(set(default))))
        option = typer.Option(option_name(name), help=field.description, metavar="PX|WxH")
    else:
        option = typer.Option(option_name(name), help=field.description)
    return inspect.Parameter(name, _KEYWORD, annotation=Annotated[annotation, option], default=default)


def _told(error: ValidationError) -> str:
    faults = []
    for fault in error.errors():
        name = option_name(str(fault["loc"][0])) if fault["loc"] else "settings"
        given = "" if fault["input"] is None else f" (given {str(fault['input'])!r})"
        faults.append(f"{name}: {fault['msg'].removeprefix('Value error, ')}{given}")
    return "; ".join(faults)


def _run(
    name: str,
    maker: PairMaker,
    *,
    source: Path,
    out: Path | None,
    workers: int | None,
    max_failed: float,
    overwrite: bool,
    push: str | None,
    dry_run: bool,
    **options: Any,
) -> None:
    from pix2pix_data.engines.local import default_workers

    start = time.monotonic()
    out = out or Path(maker.default_name(source, name))
    if out.resolve().is_relative_to(source.resolve()):
        raise UsageError("the output would lie in the folder of photos", where=out, fix="give --out another place")
    if push is not None:
        check_can_push(push)
    workers = workers or default_workers()
    plan = plan_build(name, maker, source, BuildOptions(**options), workers=workers)
    counts = ", ".join(f"{len(plans)} {split}" for split, plans in plan.splits.items())
    say(f"{name}: {source} ({plan.num_pairs} pairs: {counts}) -> {out}")
    for note in plan.notes + maker.notes([one for plans in plan.splits.values() for one in plans]):
        say(note)
    if dry_run:
        _tell_failed(plan.failed)
        _tell_others(plan.others)
        return
    summary = build(plan, maker, source, out, workers=workers, overwrite=overwrite)
    if not summary.was_complete or not (out / "report.html").is_file():
        report_new(out, photos=source)
    num_unused = sum(isinstance(one, Unused) for one in plan.failed)
    num_failed = summary.num_failed - num_unused
    _tell(summary, out, time.monotonic() - start, num_unused)
    settings = " ".join(f"--set {one}" for one in (f"data.path={shlex.quote(str(out))}", *maker.recipe_settings))
    result(f"next: p2p-train recipes/{maker.recipe}.toml {settings}")
    if num_failed > max_failed * (sum(summary.num_pairs.values()) + num_failed):
        say(f"more than {max_failed:.0%} failed, which --max-failed says is too many{'; not pushed' if push else ''}")
        raise typer.Exit(3)
    if push is not None:
        push_and_tell(out, push)


def _tell_failed(failed: Sequence[Failed]) -> None:
    """Say what gives no pair: each reason with how often it holds, and what it holds for first."""
    for kind, num in Counter(_kind(one.reason) for one in failed).most_common():
        say(f"  {num} x {kind}")
        examples = [one for one in failed if _kind(one.reason) == kind][:_MOST_EXAMPLES]
        for one in examples:
            say(f"      {one.source}{one.reason.removeprefix(kind)}")
        if num > len(examples):
            say("      ...")


def _kind(reason: str) -> str:
    return reason.partition(":")[0]


def _tell(summary: BuildSummary, out: Path, elapsed_s: float, num_unused: int) -> None:
    num_pairs = sum(summary.num_pairs.values())
    counts = ", ".join(f"{num} {split}" for split, num in summary.num_pairs.items())
    done = "already complete" if summary.was_complete else f"in {duration(elapsed_s)}"
    left_out = f"{num_unused} photos not used, " if num_unused else ""
    result(f"{num_pairs} pairs ({counts}), {left_out}{summary.num_failed - num_unused} failed, {done}")
    if summary.num_failed:
        lines = (out / "failures.jsonl").read_text().splitlines()
        reasons = Counter(_kind(json.loads(line)["reason"]) for line in lines)
        for reason, num in reasons.most_common(5):
            result(f"  {num} x {reason}")
        result(f"  each one: {out / 'failures.jsonl'}")
    _tell_others(summary.others)
    result(f"look at {out / 'report.html'}, or at {out / 'preview.png'}")


def _tell_others(others: list[str]) -> None:
    if others:
        more = ", ..." if len(others) > 3 else ""
        say(f"  {len(others)} other files are no pictures: {', '.join(others[:3])}{more}")
