"""What is kept together, and what is said where that cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from pix2pix_data.errors import FormatError, UsageError
from pix2pix_data.grouping import group_plans, parse_group_by
from pix2pix_data.pair import PairPlan


def plans_of(*keys: str, groups: tuple[str, ...] = ()) -> list[PairPlan]:
    return [PairPlan(key, (f"{key}.png",), group) for key, group in zip(keys, groups or keys, strict=True)]


def never():
    pytest.fail("prints are read for near-duplicates alone")


def groups_of(plans, how: str, read_prints=never) -> list[str]:
    return [plan.group for plan in group_plans(plans, parse_group_by(how), read_prints).plans]


def prints_of(*values: int | None):
    """Equal values look the same; None cannot be read."""
    prints = np.stack([np.random.default_rng(value or 0).integers(0, 256, (24, 24)) for value in values])
    return lambda: (prints.astype(np.uint8), np.array([value is not None for value in values]))


def test_by_folder():
    assert groups_of(plans_of("a/x/1", "a/x/2", "a/3", "4"), "folder") == ["a/x", "a/x", "a", "."]


def test_by_file_leaves_groups_as_they_are():
    assert groups_of(plans_of("1", "2", groups=("cam", "cam")), "file") == ["cam", "cam"]


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [("^cam[0-9]+", ["cam1", "cam1", "cam2"]), ("(cam[0-9]+).*(jpg|png)", ["cam1/jpg", "cam1/png", "cam2/jpg"])],
)
def test_by_what_a_pattern_finds(pattern, groups):
    assert groups_of(plans_of("cam1-a.jpg", "cam1-b.png", "cam2-a.jpg"), f"regex:{pattern}") == groups


def test_by_a_column(tmp_path):
    table = tmp_path / "shoes.csv"
    table.write_text("product,file\nboot,./a/1.jpg\nboot,a\\2.jpg\n,a/3.jpg\nclog,4\nclog,unused.jpg\n")
    assert groups_of(plans_of("a/1", "a/2", "a/3", "4"), f"csv:{table}:product") == ["boot", "boot", "a/3", "clog"]


def test_near_duplicates_are_called_after_the_shortest_name():
    plans = plans_of("b", "b copy", "c", "broken", "a-new-one")
    assert groups_of(plans, "near-duplicates", prints_of(1, 1, 2, None, 1)) == ["b", "b", "c", "broken", "b"]


def test_a_group_too_large_to_be_copies_is_told():
    plans = plans_of(*(f"{i:03d}" for i in range(100)))
    for num_alike, told in ((25, True), (15, False)):
        values = [1] * num_alike + list(range(2, 102 - num_alike))
        notes = group_plans(plans, parse_group_by("near-duplicates"), prints_of(*values)).notes
        assert any("25% of the photos are one group" in note for note in notes) == told


def test_what_the_maker_joined_is_never_taken_apart():
    plans = plans_of("x/1", "y/1", "x/2", "z/1", groups=("cam1", "cam1", "cam2", "cam3"))
    assert groups_of(plans, "folder") == ["x", "x", "x", "z"]
    assert groups_of(plans, "near-duplicates", prints_of(1, 2, 3, 3)) == ["cam1", "cam1", "cam2", "cam2"]


def test_a_photo_outside_the_pattern_is_an_error():
    with pytest.raises(UsageError, match=r"1 photos do not match, such as dog: --group regex:\^cam"):
        groups_of(plans_of("cam1", "dog"), "regex:^cam")


def test_a_photo_without_a_row_is_an_error(tmp_path):
    (tmp_path / "t.csv").write_text("key,product\na,1\n")
    with pytest.raises(UsageError, match=r"1 photos have no row in the table, such as b: --group csv:t\.csv:product"):
        groups_of(plans_of("a", "b"), f"csv:{tmp_path / 't.csv'}:product")


def test_a_table_that_cannot_be_used_is_an_error(tmp_path):
    (tmp_path / "t.csv").write_text("key,product\na,1\n")
    with pytest.raises(FormatError, match=r"no column 'colour'.*choose from: key, product"):
        groups_of(plans_of("a"), f"csv:{tmp_path / 't.csv'}:colour")
    with pytest.raises(FormatError, match="cannot be read"):
        groups_of(plans_of("a"), f"csv:{tmp_path / 'none.csv'}:colour")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("foldr", "did you mean 'folder'"),
        ("regex:(", "no regular expression"),
        ("csv:shoes.csv", "csv:FILE:COLUMN"),
        ("", "near-duplicates, file, folder"),
    ],
)
def test_wrong_ways_to_group_say_what_to_type(how, said):
    with pytest.raises(UsageError, match=said):
        parse_group_by(how)


def test_no_folder_of_this_machine_is_written_down(tmp_path):
    assert str(parse_group_by(f"csv:{tmp_path}/shoes.csv:product")) == "csv:shoes.csv:product"
