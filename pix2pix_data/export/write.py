"""From a dataset to another layout, in a new folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from pix2pix_data.console import ProgressLine
from pix2pix_data.dataset import PairDataset, open_dataset
from pix2pix_data.errors import UsageError
from pix2pix_data.export.columns import ImageFolder, ParquetColumns, WebDataset
from pix2pix_data.export.layout import ExportLayout, NamedPair, both_sides, parse_columns
from pix2pix_data.export.names import file_names
from pix2pix_data.export.pictures import JpegSideBySide, SideBySide, TwoFolders
from pix2pix_data.new_folder import new_folder
from pix2pix_data.registry import nearest
from pix2pix_data.shards import Columns

__all__ = ["LAYOUTS", "ExportPlan", "export_pairs", "plan_export"]

LAYOUTS: Mapping[str, type[ExportLayout]] = {
    "ab": SideBySide,
    "folders": TwoFolders,
    "imagefolder": ImageFolder,
    "webdataset": WebDataset,
    "columns": ParquetColumns,
}


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What an export will write.

    Attributes
    ----------
    dataset : PairDataset
    layout : type of ExportLayout
    columns : Columns
    names : dict of str to list of str
        For each split to export, the names of the files of its pairs, without ending.
    """

    dataset: PairDataset
    layout: type[ExportLayout]
    columns: Columns
    names: dict[str, list[str]]

    @property
    def num_pairs(self) -> dict[str, int]:
        return {split: len(names) for split, names in self.names.items()}


def plan_export(
    folder: Path, to: str, *, splits: Sequence[str] = (), jpeg: bool = False, caption: str = ""
) -> ExportPlan:
    """Name what will be written; reads keys and no pictures.

    Parameters
    ----------
    folder : Path
        A dataset of any layout that `open_dataset` reads.
    to : str
        A layout, and where it has columns their names behind a colon: "columns:source,target".
    splits : sequence of str
        Export these alone; all where there are none.
    jpeg : bool
        Write side-by-side pictures as JPEG.
    caption : str
        Text for all rows of the text column.

    Raises
    ------
    FormatError, UsageError
        If there is no such dataset or split, the layout is not known, or it has no use for an option.
    """
    name, _, columns = to.partition(":")
    if name not in LAYOUTS:
        guess = nearest(name, LAYOUTS)
        fix = f"did you mean {guess!r}?" if guess else f"choose from {', '.join(LAYOUTS)}"
        raise UsageError(f"no layout is called {name!r}", where="--to", fix=fix)
    layout = LAYOUTS[name]
    if (columns or caption) and not layout.default_columns:
        raise UsageError(f"the layout {name} has no columns", where="--to, --text", fix=f"write --to {name}")
    if jpeg and layout is not SideBySide:
        raise UsageError("only side-by-side pictures are encoded anew", where="--jpeg", fix="leave it out, or --to ab")
    named = parse_columns(columns or layout.default_columns, caption) if layout.default_columns else Columns()
    dataset = open_dataset(folder)
    named = replace(named, modes=dataset.modes)
    wanted = [split for split in dataset.num_pairs if split in splits] if splits else list(dataset.num_pairs)
    names = {split: file_names(dataset.keys(split), split) for split in chain(wanted, set(splits) - set(wanted))}
    return ExportPlan(dataset, JpegSideBySide if jpeg else layout, named, names)


def export_pairs(plan: ExportPlan, out: Path) -> list[str]:
    """Write the layout of a plan to a new folder, which is there whole or not at all; memory stays at a few pairs.

    Returns
    -------
    list of str
        What became of the pictures, for the user.

    Raises
    ------
    BuildError
        If `out` holds anything.
    ImageError
        If a picture must be decoded and cannot be; it names the key.
    """
    with new_folder(out) as beside:
        layout = plan.layout(beside, plan.columns, plan.num_pairs)
        layout.prepare(chain.from_iterable(_pairs(plan, split) for split in plan.names))
        counts: Counter[str] = Counter()
        with ProgressLine("Exporting", sum(plan.num_pairs.values()), unit="pairs") as progress:
            for split in plan.names:
                layout.write(split, _counted(_pairs(plan, split), counts, progress))
    return [*(_told(counts) if layout.keeps_files else []), *layout.notes()]


def _told(counts: Counter[str]) -> list[str]:
    if not counts["encoded"]:
        return ["every picture is the very file that it was"]
    told = f"{counts['encoded']} pictures had no PNG or JPEG file of their own: now they do, PNG with the same pixels"
    return [told, f"the other {counts['kept']} are the very files that they were"] if counts["kept"] else [told]


def _pairs(plan: ExportPlan, split: str) -> Iterator[NamedPair]:
    for name, pair in zip(plan.names[split], plan.dataset.encoded_pairs(split), strict=True):
        yield both_sides(name, pair)


def _counted(pairs: Iterator[NamedPair], counts: Counter[str], progress: ProgressLine) -> Iterator[NamedPair]:
    for pair in pairs:
        yield pair
        counts["encoded"] += pair.num_encoded
        counts["kept"] += 2 - pair.num_encoded
        progress.advance()
