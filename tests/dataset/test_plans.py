"""Plans in columns are the plans that were put there, in a fraction of the memory."""

from __future__ import annotations

import pickle
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pix2pix_data.build import BuildOptions, plan_build
from pix2pix_data.maker import PairMaker
from pix2pix_data.pair import Failed, Other, Pair, PairPlan
from pix2pix_data.plans import Plans

PLANS = [
    PairPlan("x/1", ("photos/x/1.jpg",), "x"),
    PairPlan("drawn", (), "drawn"),
    PairPlan("caf\\udce9", ("photos/caf\udce9.jpg", "labels/caf\u00e9.png"), "x"),
]


class Drawn(PairMaker):
    """Draw pairs from their numbers alone: A is dark, B light."""

    num: int

    def plan(self, source: Path) -> Iterator[PairPlan | Failed | Other]:  # noqa: ARG002
        for i in range(self.num):
            key = f"{i // 1000:04}/{i:07}"
            yield PairPlan(key, (), key)

    def make(self, plans: Sequence[PairPlan]) -> Iterator[Pair | Failed]:
        for plan in plans:
            yield Pair(plan.key, np.zeros((8, 8, 3), np.uint8), np.ones((8, 8, 3), np.uint8), plan.group)


def test_plans_come_back_as_they_were():
    plans = Plans.of(iter(PLANS))
    assert list(plans) == PLANS
    assert [plans[i] for i in range(3)] == PLANS
    assert plans[-1] == PLANS[-1]
    assert list(plans.groups()) == ["x", "drawn", "x"]
    assert Plans.of(plans) is plans
    with pytest.raises(IndexError):
        plans[3]


def test_they_are_equal_to_any_sequence_of_the_same_plans():
    assert Plans.of(PLANS) == PLANS
    assert Plans.of(PLANS) == tuple(PLANS)
    assert Plans.of(PLANS) != PLANS[:2]
    assert Plans.of(PLANS) != PLANS[::-1]


def test_parts_of_plans_are_plans():
    plans = Plans.of(PLANS)
    assert plans[1:] == PLANS[1:]
    assert plans[2:1] == []
    assert plans.where(np.array([True, False, True])) == [PLANS[0], PLANS[2]]
    assert Plans.chained([plans[2:], plans[:2]]) == [PLANS[2], *PLANS[:2]]
    assert Plans.chained([]) == []


def test_many_plans_keep_their_order():
    many = [PairPlan(f"{i}", (f"{i}.png",) * (i % 3), f"{i % 7}") for i in range(40_000)]
    plans = Plans.of(many)
    assert plans == many
    assert plans[20_000:20_010] == many[20_000:20_010]
    assert [plan.group for plan in plans.with_groups(str(i) for i in range(40_000))] == [str(i) for i in range(40_000)]


def test_a_slice_is_sent_without_the_other_plans():
    plans = Plans.of(PairPlan(f"{i}", (f"{i}.png",), f"{i}") for i in range(10_000))
    sent = pickle.dumps(plans[5000:5010])
    assert len(sent) < 2000
    assert pickle.loads(sent) == plans[5000:5010]


def test_planning_takes_as_many_bytes_for_each_photo_as_docs_scale_says(tmp_path):
    num, maker = 60_000, Drawn(num=60_000)
    plan_build("drawn", Drawn(num=100), tmp_path, BuildOptions(group="file"))  # loads what is loaded once
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    plan = plan_build("drawn", maker, tmp_path, BuildOptions(group="file"))
    peak, kept = tracemalloc.get_traced_memory()[1], pa.total_allocated_bytes() - before
    tracemalloc.stop()
    assert plan.num_pairs == num
    assert kept / num < 21 + 2 * 12 + 1, "Arrow: key and group, of 12 bytes each; there are no files"
    assert peak / num < 120, "Python and numpy, while splits are drawn"
