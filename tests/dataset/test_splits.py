from __future__ import annotations

import pytest

from pix2pix_data.errors import UsageError
from pix2pix_data.pair import PairPlan
from pix2pix_data.splits import assign_splits, regroup


def plans_of(num_pairs: int, group_size: int = 1) -> list[PairPlan]:
    return [PairPlan(f"{i}", (f"{i}.png",), f"group {i // group_size}") for i in range(num_pairs)]


def sizes(splits: dict[str, list[PairPlan]]) -> dict[str, int]:
    return {split: len(plans) for split, plans in splits.items()}


def test_shares_are_exact():
    assert sizes(assign_splits(plans_of(200), val=0.1, test=0.25, seed=0)) == {
        "train": 130,
        "validation": 20,
        "test": 50,
    }


def test_counts_are_exact():
    assert sizes(assign_splits(plans_of(300), val=200, test=7, seed=3)) == {"train": 93, "validation": 200, "test": 7}


@pytest.mark.parametrize("group_size", [2, 7, 20])
def test_shares_are_exact_to_one_group(group_size):
    splits = sizes(assign_splits(plans_of(420, group_size), val=0.13, test=0.2, seed=1))
    assert abs(splits["validation"] - 0.13 * 420) <= group_size / 2
    assert abs(splits["test"] - 0.2 * 420) <= group_size / 2


def test_a_group_is_never_in_two_splits():
    splits = assign_splits(plans_of(300, 11), val=0.2, test=0.2, seed=5)
    groups = [{plan.group for plan in plans} for plans in splits.values()]
    assert sum(map(len, groups)) == len(set().union(*groups))


def test_every_pair_is_in_one_split_in_its_old_order():
    plans = plans_of(50)
    splits = assign_splits(plans, val=0.2, test=0.2, seed=0)
    assert sorted(plan.key for members in splits.values() for plan in members) == sorted(p.key for p in plans)
    assert [plan for plan in plans if plan in splits["train"]] == splits["train"]


def test_another_seed_gives_another_choice():
    one, other = (assign_splits(plans_of(100), val=0.2, test=0, seed=seed)["validation"] for seed in (0, 1))
    assert one != other


def test_more_photos_move_few_old_ones():
    old = assign_splits(plans_of(10_000), val=0.1, test=0.1, seed=0)
    new = assign_splits(plans_of(11_000), val=0.1, test=0.1, seed=0)
    split_of = {plan.key: split for split, members in new.items() for plan in members}
    moved = sum(split_of[plan.key] != split for split, members in old.items() for plan in members)
    assert moved < 100


@pytest.mark.parametrize("num_pairs", [1, 2, 3, 5])
def test_few_photos_leave_something_to_train_on(num_pairs):
    splits = sizes(assign_splits(plans_of(num_pairs), val=0.1, test=0.1, seed=0))
    assert splits["train"] >= 1
    assert ("validation" in splits) == (num_pairs >= 3)


def test_no_test_split_where_none_is_asked_for():
    assert "test" not in assign_splits(plans_of(40), val=0.1, test=0, seed=0)


def test_holding_out_everything_is_refused():
    with pytest.raises(UsageError, match="take all"):
        assign_splits(plans_of(10), val=0.5, test=6, seed=0)


def test_grouping_by_folder_uses_the_folder_of_the_photo():
    plans = [PairPlan(key, (), key) for key in ("a/x/1", "a/x/2", "a/3", "4")]
    assert [plan.group for plan in regroup(plans, "folder")] == ["a/x", "a/x", "a", "."]
