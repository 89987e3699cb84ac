"""From a folder of photos to a dataset: plan, split, fit, shards, finish. A killed build goes on where it stood.

While a build runs, `.build/` in the output folder holds what it is a build of, the fitted maker, and for each finished
shard its outcome; a shard is done when that outcome exists. Several machines may build one dataset, each its share of
the shards; `closing` then makes it whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pix2pix_data import __version__
from pix2pix_data.atomic import write_json, write_once
from pix2pix_data.build_claim import claim, is_complete
from pix2pix_data.build_options import BuildOptions, Share
from pix2pix_data.closing import BuildSummary, Closing, close, write_closing
from pix2pix_data.console import ProgressLine
from pix2pix_data.engines.local import LocalEngine
from pix2pix_data.errors import UsageError
from pix2pix_data.grouping import Grouped, group_plans, parse_group_by
from pix2pix_data.maker import PairMaker, learned_fields
from pix2pix_data.one_at_a_time import one_at_a_time
from pix2pix_data.pair import Failed, Other, PairPlan, Unused
from pix2pix_data.provenance import command_line, named
from pix2pix_data.split_lock import read_lock, torn_groups
from pix2pix_data.splits import assign_splits, first_plans, splits_fingerprint, splits_of_folders
from pix2pix_data.unchanged import require_unchanged, sizes_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pix2pix_data.dataset import EncodedPair
    from pix2pix_data.engines import Engine, Tick
    from pix2pix_data.photo_prints import Prints
    from pix2pix_data.plans import Plans

__all__ = ["BuildOptions", "Plan", "Share", "build", "build_share", "divide", "plan_build"]

_FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What a build will do.

    Attributes
    ----------
    splits : dict of str to Plans
    failed : list of Failed
        What cannot be paired, known before any pixel is read.
    others : list of str
        Files that are no pictures.
    identity : dict
        All that decides the bytes of the dataset, as written to build.json.
    sizes : ndarray of shape (num_pairs,)
        Of the photos, split by split; see `unchanged`.
    notes : list of str
        What the user should know of groups and splits.
    lock : Path or None
        Where to write down the splits when the build is done.
    """

    splits: dict[str, Plans]
    failed: list[Failed]
    others: list[str]
    identity: dict[str, Any]
    sizes: npt.NDArray[np.int64]
    notes: list[str] = field(default_factory=list)
    lock: Path | None = None

    @property
    def num_pairs(self) -> int:
        return sum(map(len, self.splits.values()))

    @property
    def plans(self) -> Plans:
        """All of them, split by split."""
        from pix2pix_data.plans import Plans

        return Plans.chained(self.splits.values())


@dataclass(frozen=True, slots=True)
class _Shard:
    """A task for a worker; its plans are a slice of all, and become objects where they are made."""

    maker: PairMaker
    plans: Plans
    path: Path
    outcome_path: Path
    source: Path
    sizes: npt.NDArray[np.int64]
    lossless: bool

    def __str__(self) -> str:
        return f"{self.path.name} ({self.plans[0].key} to {self.plans[-1].key})"


# --- plan -------------------------------------------------------------------------------------------------------


def plan_build(name: str, maker: PairMaker, source: Path, options: BuildOptions, *, workers: int = 1) -> Plan:
    """List the photos and divide them; reads pixels to group near-duplicates alone.

    Parameters
    ----------
    name : str
        Name of the maker in the registry.
    maker : PairMaker
    source : Path
        The folder of photos; never written to.
    options : BuildOptions
    workers : int
        Processes; any number gives the same plan.

    Raises
    ------
    FormatError, UsageError
        If there is nothing to make pairs of, nothing would be left to train on, or the groups cannot be made.
    """
    shown = asdict(named(options))
    if options.lock is not None and options.lock.resolve().is_relative_to(source.resolve()):
        raise UsageError("the lock file would lie in the folder of photos", where=options.lock, fix="choose another")
    plans, failed, others = _planned(maker.plan(source))
    if options.limit is not None:
        plans = first_plans(plans, options.limit, {} if options.new_splits else splits_of_folders(plans)[0])
    if not plans:
        raise UsageError(
            "no pair can be made of these files",
            where=source,
            fix="name another folder; --help says what this maker takes",
        )
    grouped = _grouped(maker, plans, options, workers)
    splits, notes = divide(grouped, options, anew=options.new_splits)
    # Before the fingerprint, which needs every photo: one that goes away after it is seen to be gone.
    sizes = sizes_of(chain.from_iterable(splits.values()))
    identity = {
        "format": _FORMAT_VERSION,
        "maker": name,
        "settings": maker.model_dump(mode="json", exclude=learned_fields(maker)),
        "options": {name: str(value) if isinstance(value, Path) else value for name, value in shown.items()},
        "source": {"name": source.resolve().name, "photos": len(plans), "fingerprint": _fingerprint(plans, source)},
        "version": __version__,
        "splits": splits_fingerprint(splits),
    }
    others_shown = [_shown(other.source, source) for other in others]
    return Plan(splits, failed, others_shown, identity, sizes, notes, options.lock)


def _planned(outcomes: Iterator[PairPlan | Failed | Other]) -> tuple[Plans, list[Failed], list[Other]]:
    from pix2pix_data.plans import Plans

    failed: list[Failed] = []
    others: list[Other] = []

    def plans() -> Iterator[PairPlan]:
        for outcome in outcomes:
            if isinstance(outcome, PairPlan):
                yield outcome
            elif isinstance(outcome, Failed):
                failed.append(outcome)
            else:
                others.append(outcome)

    return Plans.of(plans()), failed, others


def divide(grouped: Grouped, options: BuildOptions, *, anew: bool = False) -> tuple[dict[str, Plans], list[str]]:
    """Assign splits to grouped plans, as folders, options and their lock file say; returns what to tell as well.

    Folders train/, val/ and test/ do not count if it is to be `anew`.
    """
    plans = grouped.plans
    locked, notes = ({}, []) if anew else splits_of_folders(plans)
    by = "the folders say" if locked else "the lock file says"
    if options.lock is not None:
        locked |= read_lock(options.lock)
    splits = assign_splits(plans, val=options.val, test=options.test, seed=options.seed, locked=locked)
    return splits, grouped.notes + notes + torn_groups(plans, locked, by=by)


def _grouped(maker: PairMaker, plans: Plans, options: BuildOptions, workers: int) -> Grouped:
    def prints() -> tuple[Prints, npt.NDArray[np.bool_]]:
        from pix2pix_data.photo_prints import read_prints

        return read_prints([maker.target_path(plan) for plan in plans], workers=workers)

    return group_plans(plans, parse_group_by(options.group), prints)


def _fingerprint(plans: Plans, source: Path) -> str:
    from pix2pix_data.dataset import fingerprint_of

    return fingerprint_of((Path(path) for plan in plans for path in plan.sources), source)


def _shown(path: str, source: Path) -> str:
    """Name a file without the folders of this machine, in characters that any reader takes."""
    from pix2pix_data.dataset import os_independent

    return os_independent(Path(path), source).encode("utf-8", "backslashreplace").decode()


# --- build ------------------------------------------------------------------------------------------------------


def build(
    plan: Plan,
    maker: PairMaker,
    source: Path,
    out: Path,
    *,
    workers: int,
    engine: Engine | None = None,
    overwrite: bool = False,
) -> BuildSummary:
    """Make the dataset of a plan in `out`, or go on where a killed build of the same plan stood.

    Parameters
    ----------
    plan : Plan
    maker : PairMaker
        The one that planned.
    source, out : Path
        `out` must be new, empty, or an unfinished or finished build of the same plan.
    workers : int
        Processes; any number gives the same bytes.
    engine : Engine, optional
        What makes the shards, if not `workers` processes here; any gives the same bytes.
    overwrite : bool
        Replace a dataset of another plan; a folder that is no dataset is never touched.

    Returns
    -------
    BuildSummary

    Raises
    ------
    BuildError
        If `out` holds something else, another process builds there, a photo changed meanwhile, or none gave a pair.
    """
    state = out / ".build"
    if is_complete(out, state, plan.identity, overwrite=overwrite):
        record = json.loads((out / "build.json").read_text(encoding="utf-8"))
        return BuildSummary(record["pairs"], record["failed"], plan.others, was_complete=True)
    with one_at_a_time(state, out):
        claim(out, state, plan.identity, overwrite=overwrite)
        closing = _make_shards(plan, maker, source, out, Share(0, 1), engine or LocalEngine(workers))
        return close(out, closing)


def build_share(plan: Plan, maker: PairMaker, source: Path, out: Path, share: Share, *, workers: int) -> bool:
    """Make one job's share of the shards of a plan in `out`, a folder that all jobs see; `close` makes them a dataset.

    The jobs may run in any order, at once, and again. Parameters and errors are those of `build`.

    Returns
    -------
    bool
        False where the dataset was complete before.
    """
    state = out / ".build"
    if is_complete(out, state, plan.identity, overwrite=False):
        return False
    claim(out, state, plan.identity, overwrite=False)
    _make_shards(plan, maker, source, out, share, LocalEngine(workers))
    return True


def _make_shards(plan: Plan, maker: PairMaker, source: Path, out: Path, share: Share, engine: Engine) -> Closing:
    state = out / ".build"
    maker = _fitted(maker, plan, source, state)
    with maker.at_work(engine.num_beside) as sent:
        require_unchanged(plan.sizes, sizes_of(plan.plans), source)  # each shard looks at its own afterwards
        shards = _shards(plan, sent, source, out, state, lossless=plan.identity["options"]["lossless"])
        closing = _closing(plan, maker, source, [shard.path.name for shard in shards])
        write_closing(state, closing, plan.splits)
        ours = shards[share.index :: share.num]
        waiting = [shard for shard in ours if not shard.outcome_path.is_file()]
        num_pairs, num_waiting = (sum(len(shard.plans) for shard in some) for some in (ours, waiting))
        with ProgressLine("Making pairs", num_pairs, unit="photos", done=num_pairs - num_waiting) as progress:
            engine.run(_make_shard, waiting, tick=progress.advance, on_gpu=maker.wants_gpu)
    return closing


def _closing(plan: Plan, maker: PairMaker, source: Path, shards: list[str]) -> Closing:
    options = BuildOptions(**plan.identity["options"])
    return Closing(
        identity=plan.identity,
        shards=shards,
        failed=[_line(one, source) for one in plan.failed],
        others=plan.others,
        num_unused=sum(isinstance(one, Unused) for one in plan.failed),
        told="\n".join([command_line(plan.identity["maker"], maker, source, options), *plan.notes]),
        about=maker.sides(),
        modes=list(maker.modes),
        extra_files=dict(maker.extra_files()),
        recipe=[maker.recipe, *maker.recipe_settings],
        source=str(source.resolve()),
        lock=None if plan.lock is None else str(plan.lock.resolve()),
    )


def _fitted(maker: PairMaker, plan: Plan, source: Path, state: Path) -> PairMaker:
    record = state / "maker.json"  # kept, so that all who go on use the same palette to the bit
    if not record.is_file():
        fitted = maker.fitted(plan.splits["train"])
        if learned_fields(maker):
            require_unchanged(plan.sizes, sizes_of(plan.plans), source)
        write_once(record, fitted.model_dump_json(include=learned_fields(maker)))
    return type(maker).model_validate(maker.model_dump() | json.loads(record.read_text(encoding="utf-8")))


def _shards(plan: Plan, maker: PairMaker, source: Path, out: Path, state: Path, *, lossless: bool) -> list[_Shard]:
    from pix2pix_data.shards import pairs_per_shard, shard_path

    shards = []
    sizes = plan.sizes
    for split, plans in plan.splits.items():
        per_shard = pairs_per_shard(len(plans))
        starts = range(0, len(plans), per_shard)
        for i, start in enumerate(starts):
            path = shard_path(out, split, i, len(starts))
            members, record = plans[start : start + per_shard], state / f"{path.stem}.json"
            own, sizes = sizes[: len(members)], sizes[len(members) :]
            shards.append(_Shard(maker, members, path, record, source, own, lossless))
    return shards


def _make_shard(shard: _Shard, tick: Tick) -> None:
    """Make one Parquet file and the record of how it went."""
    from pix2pix_data.dataset import encode_pair
    from pix2pix_data.shards import Columns, write_shard

    failed: list[Failed] = []
    plans = tuple(shard.plans)

    def encoded() -> Iterator[EncodedPair]:
        for outcome in shard.maker.make(plans):
            if isinstance(outcome, Failed):
                failed.append(outcome)
            else:
                yield encode_pair(outcome, lossless=shard.lossless)
            tick(1)

    num_pairs = write_shard(shard.path, encoded(), Columns(modes=shard.maker.modes))
    assert num_pairs + len(failed) == len(plans), "a maker gives one outcome for each plan"
    require_unchanged(shard.sizes, sizes_of(plans), shard.source)
    lines = [_line(one, shard.source) for one in failed]
    write_json(shard.outcome_path, {"pairs": num_pairs, "failed": lines})


def _line(failed: Failed, source: Path) -> str:
    return Failed(failed.key, _shown(failed.source, source), failed.reason).to_line()
