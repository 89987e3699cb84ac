from __future__ import annotations

from dataclasses import replace

import pytest

from pix2pix_data.errors import FormatError, UsageError
from pix2pix_data.pair import PairPlan
from pix2pix_data.plans import Plans
from pix2pix_data.split_lock import read_lock, torn_groups, write_lock
from pix2pix_data.splits import assign_splits, first_plans, splits_fingerprint, splits_of_folders


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


def test_a_group_too_large_for_a_split_is_passed_over():
    plans = [PairPlan(f"{i}", (), "crowd" if i < 300 else f"{i}") for i in range(1000)]
    for seed in range(20):
        splits = assign_splits(plans, val=0.1, test=0.05, seed=seed)
        assert sizes(splits) == {"train": 850, "validation": 100, "test": 50}


def test_fingerprint_changes_with_splits_and_groups():
    splits = assign_splits(plans_of(40), val=0.2, test=0, seed=0)
    other = assign_splits(plans_of(40), val=0.2, test=0, seed=1)
    joined = {split: [replace(plan, group="one") for plan in plans] for split, plans in splits.items()}
    assert len({splits_fingerprint(one) for one in (splits, other, joined)}) == 3


# --- near-duplicates that come later


def test_later_copies_move_few_old_photos():
    old = plans_of(10_000)
    new = old + [PairPlan(f"new{i}", (), f"new{i}") for i in range(900)]
    new += [PairPlan(f"{i} copy", (), f"group {i}") for i in range(0, 1000, 10)]
    before, after = (split_of(assign_splits(plans, val=0.1, test=0.1, seed=0)) for plans in (old, new))
    assert sum(after[key] != split for key, split in before.items()) < 100


def split_of(splits: dict[str, list[PairPlan]]) -> dict[str, str]:
    return {plan.key: split for split, plans in splits.items() for plan in plans}


# --- lock files


def test_locked_photos_stay_whatever_else_changes():
    locked = split_of(assign_splits(plans_of(100), val=0.1, test=0.1, seed=0))
    splits = assign_splits(plans_of(150), val=0.2, test=0.1, seed=7, locked=locked)
    after = split_of(splits)
    assert all(after[key] == split for key, split in locked.items())
    assert sizes(splits) == {"train": 105, "validation": 30, "test": 15}


def test_a_new_photo_follows_its_group_into_the_locked_split():
    plans = plans_of(40, group_size=2)
    locked = {plan.key: "validation" for plan in plans[:20:2]}
    after = split_of(assign_splits(plans, val=4, test=0, seed=0, locked=locked))
    assert {after[plan.key] for plan in plans[:20]} == {"validation"}
    assert {after[plan.key] for plan in plans[20:]} == {"train"}


def test_groups_that_grew_together_across_locked_splits_stay_and_are_told():
    plans = plans_of(40, group_size=4)
    locked = {"0": "test", "1": "train", "2": "test", "9": "train"}
    after = split_of(assign_splits(plans, val=0, test=0.1, seed=0, locked=locked))
    assert [after[key] for key in "0123"] == ["test", "train", "test", "test"]
    assert torn_groups(plans, locked, by="the lock file says") == [
        "  warning: 1 group of photos is in more than one split, as the lock file says: 0 (test) and 1 (train)"
    ]


def test_the_groups_with_most_photos_held_out_are_told_first():
    plans = plans_of(50, group_size=10)
    locked = {plan.key: "test" if int(plan.key) % 10 < int(plan.key) // 10 else "train" for plan in plans}
    (told,) = torn_groups(plans, locked, by="the folders say")
    assert told.endswith("such as 40 (test) and 44 (train); 30 (test) and 33 (train); 20 (test) and 22 (train)")
    assert "4 groups of photos" in told


def test_a_lock_file_gives_back_what_was_written(tmp_path):
    path = tmp_path / "splits.csv"
    assert read_lock(path) == {}
    splits = assign_splits(
        [PairPlan(key, (), key) for key in ("a,b", 'c"', "d\ne", "f", "\u00e4")], val=1, test=1, seed=0
    )
    write_lock(path, {"gone": "test"}, splits)
    assert read_lock(path) == {"gone": "test"} | split_of(splits)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("photo,label\n", "no lock file"),
        ("key,split\na,dev\n", "line 2"),
        ("key,split\na,test\na,train\n", "two splits"),
    ],
)
def test_a_wrong_lock_file_is_a_named_error(tmp_path, text, said):
    (tmp_path / "splits.csv").write_text(text)
    with pytest.raises(FormatError, match=said):
        read_lock(tmp_path / "splits.csv")


def test_a_lock_that_leaves_nothing_to_train_on_is_refused():
    with pytest.raises(UsageError, match="no pair to train on"):
        assign_splits(plans_of(3), val=0, test=0, seed=0, locked=dict.fromkeys("012", "test"))


# --- splits that folders make


def plans_called(*keys: str) -> list[PairPlan]:
    return [PairPlan(key, (), key) for key in keys]


@pytest.mark.parametrize("name", ["val", "validation", "valid", "Eval"])
def test_folders_called_like_splits_are_the_splits(name):
    splits, notes = splits_of_folders(plans_called("train/1", "train/x/2", f"{name}/1", "test/1"))
    assert list(splits.values()) == ["train", "train", "validation", "test"]
    assert "these splits are kept" in notes[0]


@pytest.mark.parametrize("keys", [("train/1", "2"), ("val/1", "test/1"), ("train/1", "train/2"), ("train", "test")])
def test_other_folders_are_no_splits(keys):
    assert splits_of_folders(plans_called(*keys)) == ({}, [])


def test_a_photo_outside_the_folders_of_splits_is_told():
    splits, notes = splits_of_folders(plans_called("more/1", "train/1", "val/1", "2"))
    assert splits == {}
    assert "2 photos, such as more/1, lie outside the folders" in notes[0]


@pytest.mark.parametrize(("limit", "chosen"), [(1, [2]), (3, [0, 2, 6]), (4, [0, 2, 3, 6]), (9, range(7))])
def test_the_first_photos_are_of_all_splits_that_folders_make(limit, chosen):
    plans = Plans.of(plans_called("test/1", "test/2", "train/1", "train/2", "train/3", "train/4", "val/1"))
    assert first_plans(plans, limit, splits_of_folders(plans)[0]) == [plans[i] for i in chosen]
    assert first_plans(plans, limit, {}) == plans[:limit]
