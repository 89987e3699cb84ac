"""From a maker class to a command: its fields become options, its docstring the help."""

from __future__ import annotations

import inspect
import shlex
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin

import typer
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from pix2pix_data import _options
from pix2pix_data._finish_command import end_build, reason_kind, tell_others
from pix2pix_data._hub_commands import check_can_push
from pix2pix_data._store_paths import bring_sources, refuse_sharing
from pix2pix_data.build import BuildOptions, Share, build, build_share, plan_build
from pix2pix_data.console import duration, help_text, result, say
from pix2pix_data.errors import UsageError
from pix2pix_data.maker import PairMaker, is_argument, is_option, option_name
from pix2pix_data.pair import Failed, Unused
from pix2pix_data.urls import url_of

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
    ("engine", _options.EngineName, "local"),
    ("address", _options.Address, "auto"),
    ("shard_index", _options.ShardIndex, None),
    ("num_shards", _options.NumShards, None),
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
        arguments = [field for field, facts in maker_class.model_fields.items() if is_argument(facts)]
        bring_sources(values, ["source", *arguments])
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
    engine: Literal["local", "ray"],
    address: str,
    shard_index: int | None,
    num_shards: int | None,
    max_failed: float,
    overwrite: bool,
    push: str | None,
    dry_run: bool,
    **options: Any,
) -> None:
    from pix2pix_data.engines.ray import RayEngine
    from pix2pix_data.limits import num_processors
    from pix2pix_data.mirror import folder_for
    from pix2pix_data.publishing import check_can_publish

    start = time.monotonic()
    out = out or Path(maker.default_name(source, name))
    if out_url := url_of(out):
        refuse_sharing(engine, shard_index)
        if push is not None:
            raise UsageError("the dataset goes to one place", fix="leave out --push, and push it there afterwards")
        out, push = folder_for(out_url, "builds"), out_url
    if out.resolve().is_relative_to(source.resolve()):
        raise UsageError("the output would lie in the folder of photos", where=out, fix="give --out another place")
    share = _share(shard_index, num_shards, overwrite=overwrite, push=push)
    if engine == "local" and address != "auto":
        raise UsageError("--address is of a Ray cluster", where=address, fix="add --engine ray")
    if engine == "ray" and share is not None:
        raise UsageError("--engine ray shares out the shards itself", fix="leave out --shard-index and --num-shards")
    if push is not None:
        check_can_push(push)
    cluster = RayEngine.connected(address, (source, out / ".build")) if engine == "ray" else None
    workers = workers or num_processors()
    plan = plan_build(name, maker, source, BuildOptions(**options), workers=workers)
    counts = ", ".join(f"{len(plans)} {split}" for split, plans in plan.splits.items())
    say(f"{name}: {source} ({plan.num_pairs} pairs: {counts}) -> {out}")
    for note in plan.notes + maker.notes(plan.plans):
        say(note)
    if dry_run:
        _tell_failed(plan.failed)
        tell_others(plan.others)
        return
    if out_url:
        check_can_publish(out_url, plan.identity, replace=overwrite)
    if share is not None:
        made = build_share(plan, maker, source, out, share, workers=workers)
        told = f"the share of job {share.index} of {share.num} is made" if made else "already complete"
        result(f"{told}, in {duration(time.monotonic() - start)}")
        result(f"when all jobs have ended: p2p-data finish {shlex.quote(str(out))}")
        return
    summary = build(plan, maker, source, out, workers=workers, engine=cluster, overwrite=overwrite)
    num_unused = sum(isinstance(one, Unused) for one in plan.failed)
    recipe = (maker.recipe, *maker.recipe_settings)
    end_build(summary, out, source, recipe, start=start, num_unused=num_unused, max_failed=max_failed, push=push)


def _share(index: int | None, num: int | None, *, overwrite: bool, push: str | None) -> Share | None:
    if index is None and num is None:
        return None
    if index is None or num is None:
        raise UsageError("--shard-index and --num-shards go together", fix="give both, or neither")
    if overwrite:
        raise UsageError("one of many jobs cannot overwrite what the others make", fix="choose another --out")
    if push is not None:
        raise UsageError("one of many jobs has no dataset to push", fix="give --push to p2p-data finish")
    return Share(index, num)


def _tell_failed(failed: Sequence[Failed]) -> None:
    """Say what gives no pair: each reason with how often it holds, and what it holds for first."""
    for kind, num in Counter(reason_kind(one.reason) for one in failed).most_common():
        say(f"  {num} x {kind}")
        examples = [one for one in failed if reason_kind(one.reason) == kind][:_MOST_EXAMPLES]
        for one in examples:
            say(f"      {one.source}{one.reason.removeprefix(kind)}")
        if num > len(examples):
            say("      ...")
