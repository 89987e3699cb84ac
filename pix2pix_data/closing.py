"""The last step of a build: from finished shards to a dataset that any reader takes.

All that it needs lies in `.build/`, so that another process than the one that planned can take it. `build.json` is
written last.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pix2pix_data.atomic import write_file, write_json
from pix2pix_data.errors import BuildError, FormatError
from pix2pix_data.pair import PairPlan
from pix2pix_data.split_lock import read_lock, write_lock

__all__ = ["BuildSummary", "Closing", "close", "read_closing", "write_closing"]

_NUM_SHOWN = 3  # shards that are not made


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """How a build ended."""

    num_pairs: dict[str, int]
    num_failed: int
    others: list[str] = field(default_factory=list)
    was_complete: bool = False


@dataclass(frozen=True, slots=True)
class Closing:
    """What the last step needs to know beside the shards.

    Attributes
    ----------
    identity : dict
        All that decides the bytes of the dataset, as written to build.json.
    shards : list of str
        Names of the Parquet files, in their order.
    failed, others : list of str
        Lines of failures.jsonl known from the plan, and files that are no pictures.
    num_unused : int
        How many of the lines are of sound photos that are left out.
    told : str
        The command and its notes, for the card.
    about : str
        What A and B are.
    modes : list of str
        Pillow's modes of A and B.
    extra_files : dict of str to str
        Texts that belong beside the dataset.
    recipe : list of str
        The recipe that trains on the pairs, and what to `--set` in it.
    source, lock : str and str or None
        The folder of photos, and where to write down the splits.
    """

    identity: dict[str, Any]
    shards: list[str]
    failed: list[str]
    others: list[str]
    num_unused: int
    told: str
    about: str
    modes: list[str]
    extra_files: dict[str, str]
    recipe: list[str]
    source: str
    lock: str | None


def write_closing(state: Path, closing: Closing, splits: Mapping[str, Sequence[PairPlan]]) -> None:
    """Keep what the last step needs in the folder of an unfinished build."""
    if closing.lock is not None:
        write_lock(state / "splits.lock", {}, splits)
    write_json(state / "closing.json", asdict(closing))


def read_closing(out: Path) -> Closing | None:
    """Read what the last step of the unfinished build in `out` needs; None if the dataset is complete.

    Raises
    ------
    FormatError
        If no build was started there, or it has not come to its first shard.
    """
    if (out / "build.json").is_file():
        return None
    try:
        return Closing(**json.loads((out / ".build" / "closing.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise FormatError("there is no build to finish", where=out, fix="name the --out of its jobs") from None
    except (ValueError, TypeError) as error:
        fix = "run one of the jobs again, which writes it anew"
        raise FormatError(f"the state of the build cannot be read: {error}", where=out, fix=fix) from None


def close(out: Path, closing: Closing) -> BuildSummary:
    """Make a dataset of the shards in `out`.

    Raises
    ------
    BuildError
        If a shard is not made yet, or no photo gave a pair.
    """
    from pix2pix_data.card import write_card
    from pix2pix_data.dataset import ParquetDataset
    from pix2pix_data.preview import write_preview

    state = out / ".build"
    num_pairs, failed = _outcomes(out, closing)
    write_file(out / "failures.jsonl", "".join(failed))
    if "train" not in num_pairs:
        raise BuildError("not one photo gave a pair to train on", where=out / "failures.jsonl", fix="read the reasons")

    record = {"identity": closing.identity, "pairs": num_pairs, "failed": len(failed), "others": closing.others}
    for name, text in closing.extra_files.items():
        write_file(out / name, text)
    write_preview(ParquetDataset(out), out / "preview.png")
    modes = (closing.modes[0], closing.modes[1])
    card = write_card(out.resolve().name, closing.about, closing.told, num_pairs, len(failed), modes=modes)
    write_file(out / "README.md", card)
    for left_behind in (*out.glob(".*.part"), *(out / "data").glob(".*.part")):  # by a process that was killed
        left_behind.unlink(missing_ok=True)
    if closing.lock is not None:
        lock = Path(closing.lock)
        write_lock(lock, read_lock(lock) | read_lock(state / "splits.lock"), {})
    write_json(out / "build.json", record)
    shutil.rmtree(state, ignore_errors=True)  # some systems keep its lock while it is held
    return BuildSummary(num_pairs, len(failed), closing.others)


def _outcomes(out: Path, closing: Closing) -> tuple[dict[str, int], list[str]]:
    """Count the pairs of each split that has any, and gather the lines of failures.jsonl."""
    outcome_paths = [out / ".build" / Path(name).with_suffix(".json") for name in closing.shards]
    missing = [path.stem for path in outcome_paths if not path.is_file()]
    if missing:
        shown = ", ".join(missing[:_NUM_SHOWN]) + (", ..." if len(missing) > _NUM_SHOWN else "")
        fix = "run their jobs again, or the same command without --shard-index, which makes what is left"
        what = f"{len(missing)} of {len(outcome_paths)} shards are not made ({shown})"
        raise BuildError(what, where=out, fix=fix)
    num_pairs: dict[str, int] = {}
    failed = list(closing.failed)
    for path in outcome_paths:
        outcome = json.loads(path.read_text(encoding="utf-8"))
        split = path.name.partition("-")[0]
        num_pairs[split] = num_pairs.get(split, 0) + outcome["pairs"]
        failed += outcome["failed"]
    return {split: num for split, num in num_pairs.items() if num}, failed
