"""What is safely mended of what a check found, and what is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from pix2pix_data.errors import FormatError
from pix2pix_data.fixes.pictures import Alteration, flipped
from pix2pix_data.grouping import joined, numbers_of
from pix2pix_data.mends import (
    NO_EDGES,
    CutEdges,
    Edges,
    GatherCopies,
    LeaveOut,
    Mend,
    MirrorSide,
    ShiftBack,
    SnapLabels,
    SwapSides,
)
from pix2pix_data.pair import SPLITS, PairPlan
from pix2pix_data.plans import Plans
from pix2pix_data.splits import assign_splits

if TYPE_CHECKING:
    from pix2pix_data.dataset import PairDataset
    from pix2pix_data.findings import CheckResult, Finding
    from pix2pix_data.palette_file import Palette

__all__ = ["FixPlan", "plan_fix"]

_MOST_CUT = 0.25  # of a side's width or height
_MOST_LEFT_OUT = 0.5  # of the pairs
_LEAST_KEPT = 0.5  # of a split's pairs, where copies are gathered


class _UnsafeError(Exception):
    """What a finding asks for would do more harm than good; the reason is for the user."""


@dataclass(slots=True)
class FixPlan:
    """What will be done, and what will not.

    Attributes
    ----------
    dataset : PairDataset
    plans : list of PairPlan
        All pairs; the sources of each are the split and the position that it has now, and its name there.
    splits : dict of str to sequence of PairPlan
        Those that are kept, by their new split.
    left_out : dict of str to str
        Why pairs are not, by name.
    exchanged : set of str
        Names of the pairs whose sides are.
    mirror : MirrorSide or None
    cut_a, cut_b : (int, int, int, int)
        What all pairs lose at the edges, in pixels.
    labels : {"A", "B"} or None
        The side whose labels are given their colours, those of `palette`, in the pairs called `smeared`.
    palette : Palette or None
    smeared : set of str
    swap : bool
        The user asks for A and B of all pairs to change places.
    mended : list of Finding
    unmended : list of (Finding, str)
        Errors and warnings that stay, and why.
    """

    dataset: PairDataset
    plans: list[PairPlan]
    splits: Mapping[str, Sequence[PairPlan]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    exchanged: set[str] = field(default_factory=set)
    mirror: MirrorSide | None = None
    cut_a: Edges = NO_EDGES
    cut_b: Edges = NO_EDGES
    labels: Literal["A", "B"] | None = None
    palette: Palette | None = None
    smeared: set[str] = field(default_factory=set)
    swap: bool = False
    mended: list[Finding] = field(default_factory=list)
    unmended: list[tuple[Finding, str]] = field(default_factory=list)

    @property
    def num_pairs(self) -> dict[str, int]:
        return {split: len(plans) for split, plans in self.splits.items()}

    @property
    def changes_nothing(self) -> bool:
        return not (self.mended or self.swap)

    def alteration_of(self, name: str) -> Alteration:
        """Say what is done to the pictures of the pair of this name."""
        alteration = Alteration(name in self.exchanged, self.mirror, self.cut_a, self.cut_b, swap=self.swap)
        if self.palette is not None and name in self.smeared:
            alteration = replace(alteration, labels=self.labels, colors=self.palette.colors)
        return alteration


def plan_fix(dataset: PairDataset, found: CheckResult, *, swap: bool) -> FixPlan:
    """Decide which findings of a check are safely mended, and how.

    Safe is what loses nothing that anybody could want, and leaves no doubt: whole datasets are cut, mirrored and
    brought into their colours, single pairs exchanged or left out; a shift or a mirroring of single pairs may be no
    fault, so a person has to look at it.

    Parameters
    ----------
    dataset : PairDataset
    found : CheckResult
        Of all its pairs.
    swap : bool
        Make A of B, and B of A, beside what is mended.

    Raises
    ------
    FormatError
        If nothing would be left to train on.
    """
    plan = FixPlan(dataset, _plans(dataset), swap=swap)
    cuts: list[ShiftBack | CutEdges] = []
    groups: list[tuple[str, ...]] = []
    for finding in found.findings:
        if finding.severity == "note":
            continue
        try:
            if not finding.mends:
                raise _UnsafeError(finding.fix)
            _take(plan, finding, cuts, groups, found)
        except _UnsafeError as reason:
            plan.unmended.append((finding, str(reason)))
        else:
            plan.mended.append(finding)
    plan.cut_a, plan.cut_b = _cuts(plan, cuts)
    plan.splits = _divided(plan, groups)
    if "train" not in plan.splits:
        raise FormatError("nothing would be left to train on", where=dataset.path, fix="look at what check says")
    return plan


def _plans(dataset: PairDataset) -> list[PairPlan]:
    from pix2pix_data.dataset import ParquetDataset

    plans = []
    for split in dataset.num_pairs:
        if isinstance(dataset, ParquetDataset):
            named = [(key, group, f"{split}/{key}") for key, group in dataset.keys_and_groups(split)]
        else:  # names may come again in other splits; keys may not
            named = [(f"{split}/{key}",) * 3 for key in dataset.keys(split)]
        plans += [PairPlan(key, (split, str(i), name), group) for i, (key, group, name) in enumerate(named)]
    return plans


def _take(
    plan: FixPlan,
    finding: Finding,
    cuts: list[ShiftBack | CutEdges],
    groups: list[tuple[str, ...]],
    found: CheckResult,
) -> None:
    """Add what mends a finding to the plan, all of it or nothing; _UnsafeError says why not."""
    for mend in finding.mends:
        _check_safe(plan, mend, cuts, groups, found)
    for mend in finding.mends:
        if isinstance(mend, LeaveOut):
            plan.left_out = dict(mend.reasons) | plan.left_out
        elif isinstance(mend, SwapSides):
            plan.exchanged |= set(mend.names)
        elif isinstance(mend, MirrorSide):
            plan.mirror = mend
        elif isinstance(mend, ShiftBack | CutEdges):
            cuts.append(mend)
        elif isinstance(mend, GatherCopies):
            groups += mend.groups
        else:
            plan.palette = _palette(plan, mend, found)
            plan.labels, plan.smeared = mend.side, set(mend.names)


def _check_safe(
    plan: FixPlan,
    mend: Mend,
    cuts: Sequence[ShiftBack | CutEdges],
    groups: Sequence[tuple[str, ...]],
    found: CheckResult,
) -> None:
    if isinstance(mend, ShiftBack | CutEdges | MirrorSide | SnapLabels) and plan.dataset.modes != ("RGB", "RGB"):
        raise _UnsafeError("pictures that are not RGB of 8 bits would lose what they hold beyond that")
    if isinstance(mend, LeaveOut):
        if len(dict(mend.reasons) | plan.left_out) > _MOST_LEFT_OUT * len(plan.plans):
            raise _UnsafeError("more than half of the pairs would be left out")
    elif isinstance(mend, ShiftBack | CutEdges):
        cut_a, _ = _cuts(plan, [*cuts, mend])
        width, height = (min(size[i] for size in found.facts.sizes) for i in (0, 1))
        if cut_a[0] + cut_a[2] > _MOST_CUT * height or cut_a[1] + cut_a[3] > _MOST_CUT * width:
            raise _UnsafeError("more than a quarter of the pictures would be cut off")
    elif isinstance(mend, GatherCopies):
        before, after = plan.dataset.num_pairs, _divided(plan, [*groups, *mend.groups])
        for split, num in before.items():
            if len(after.get(split, ())) < _LEAST_KEPT * num:
                raise _UnsafeError(
                    f"{split} would lose more than half of its pairs: p2p-data split divides them all anew"
                )
    elif isinstance(mend, SnapLabels) and plan.labels is not None:
        raise _UnsafeError("both sides hold smeared labels")


# --- edges --------------------------------------------------------------------------------------------------------


def _cuts(plan: FixPlan, cuts: Sequence[ShiftBack | CutEdges]) -> tuple[Edges, Edges]:
    """Combine what has to be cut; both sides keep lying on each other, and keep one size."""
    right = sum(cut.right for cut in cuts if isinstance(cut, ShiftBack))
    down = sum(cut.down for cut in cuts if isinstance(cut, ShiftBack))
    a = (max(0, -down), max(0, right), max(0, down), max(0, -right))
    b = (max(0, down), max(0, -right), max(0, -down), max(0, right))
    more = [0, 0, 0, 0]
    for cut in cuts:
        if isinstance(cut, CutEdges):
            of_a, of_b = _mirrored(cut.a, "A", plan.mirror), _mirrored(cut.b, "B", plan.mirror)
            more = [max(more[i], of_a[i] - a[i], of_b[i] - b[i]) for i in range(4)]
    if plan.exchanged:  # of these pairs, what lies at the seam lies at the outer edges
        more[1] = more[3] = max(more[1], more[3])
    return _add(a, more), _add(b, more)


def _mirrored(edges: Edges, side: str, mirror: MirrorSide | None) -> Edges:
    return edges if mirror is None or mirror.side != side else flipped(edges, mirror.flip)


def _add(edges: Edges, more: Sequence[int]) -> Edges:
    top, right, bottom, left = (one + other for one, other in zip(edges, more, strict=True))
    return top, right, bottom, left


# --- splits -------------------------------------------------------------------------------------------------------


def _divided(plan: FixPlan, groups: Sequence[tuple[str, ...]]) -> Mapping[str, Sequence[PairPlan]]:
    """Divide what is not left out: groups that lie in two splits as `p2p-data split` would, all others as they are."""
    kept = Plans.of(one for one in plan.plans if one.sources[2] not in plan.left_out)
    label_of = {name: group[0] for group in groups for name in group}
    if label_of:
        labels = [label_of.get(one.sources[2], one.sources[2]) for one in kept]
        kept = joined(kept, numbers_of(labels), kept.groups)
    splits_of: dict[str, set[str]] = {}
    for one in kept:
        splits_of.setdefault(one.group, set()).add(one.sources[0])
    asked = {one.group for one in kept if one.sources[2] in label_of}
    locked = {one.key: one.sources[0] for one in kept if one.group not in asked or len(splits_of[one.group]) == 1}
    sizes = {split: sum(one.sources[0] == split for one in kept) for split in SPLITS}
    if len(locked) == len(kept) or not sizes["train"]:
        return {split: there for split in SPLITS if (there := [one for one in kept if one.sources[0] == split])}
    return assign_splits(kept, val=sizes["validation"], test=sizes["test"], seed=0, locked=locked)


# --- labels -------------------------------------------------------------------------------------------------------


def _palette(plan: FixPlan, mend: SnapLabels, found: CheckResult) -> Palette:
    """Find the colours that smeared labels had."""
    from pix2pix_data.fixes.labels import learn_palette

    names = [
        one.sources[2] for one in plan.plans if one.sources[2] not in plan.left_out | dict.fromkeys(plan.exchanged)
    ]
    is_told = not any(one.kind == "palette-mismatch" for one in found.findings)
    try:
        return learn_palette(plan.dataset, mend, names, trust_file=is_told)
    except FormatError as error:
        raise _UnsafeError(f"{error.what}: name them, with p2p-data labels --palette") from None
