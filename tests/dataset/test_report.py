from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from pix2pix_data.dataset import EncodedPair, PairDataset, open_dataset
from pix2pix_data.errors import FormatError
from pix2pix_data.findings import CheckResult, Facts, Finding
from pix2pix_data.images import encode_png, write_png
from pix2pix_data.mends import LeaveOut
from pix2pix_data.report import write_report
from pix2pix_data.report.markup import element
from pix2pix_data.shards import shard_path, write_shard

HOSTILE = "<script>alert('1')</script>\"&"


def write_dataset(folder: Path, num_pairs: dict[str, int], *, side_px: int = 40, prefix: str = "") -> PairDataset:
    """Flat pairs, of which the content tells the place."""
    for split, num in num_pairs.items():
        sides = [encode_png(np.full((side_px, side_px + 8, 3), i % 256, np.uint8)) for i in range(min(num, 256))]
        pairs = (EncodedPair(f"{prefix}{i:06d}", "", sides[i % 256], sides[i % 256]) for i in range(num))
        write_shard(shard_path(folder, split, 0, 1), pairs)
    (folder / "build.json").write_text("{}")
    return open_dataset(folder)


def result_of(dataset: PairDataset, *findings: Finding) -> CheckResult:
    num = sum(dataset.num_pairs.values())
    return CheckResult(Facts(dataset.num_pairs, num, {(48, 40): num}, "strokes", "photos"), findings)


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def count(self, tag: str, **attributes: str) -> int:
        return sum(t == tag and attributes.items() <= a.items() for t, a in self.elements)


def page_of(dataset: PairDataset, result: CheckResult | None = None) -> Page:
    out = dataset.path / "report.html"
    write_report(dataset, result, out)
    return Page(out.read_text(encoding="utf-8"))


def test_each_split_shows_up_to_24_pairs_evenly_spread(tmp_path):
    page = page_of(write_dataset(tmp_path / "pairs", {"train": 100, "test": 5}))
    assert page.count("input", type="range") == 24 + 5
    assert page.count("div", **{"class": "split train"}) == 1
    assert {"24 of 100 pairs", "All 5 pairs", "000095"} <= set(page.texts)


def test_a_page_asks_nobody_for_anything_and_runs_no_other_script(tmp_path):
    page = page_of(write_dataset(tmp_path / "pairs", {"train": 3}))
    (policy,) = (a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert re.fullmatch(
        r"default-src 'none'; img-src data:; style-src 'sha256-\S{44}'; script-src 'sha256-\S{44}'; "
        r"base-uri 'none'; form-action 'none'",
        policy,
    )
    for tag, attributes in page.elements:
        links = [value or "" for name, value in attributes.items() if name in ("src", "href", "action")]
        assert all(link.startswith(("data:image/", "#")) for link in links), tag
        assert not [name for name in attributes if name == "style" or name.startswith("on")], tag
    assert page.count("script") == 1


def test_hostile_names_are_text(tmp_path):
    dataset = write_dataset(tmp_path / "a <b>", {"train": 3, "test": 1}, prefix=HOSTILE)
    key = f"{HOSTILE}000000"
    (dataset.path / "failures.jsonl").write_text(json.dumps({"key": HOSTILE, "source": HOSTILE, "reason": HOSTILE}))
    palette = {"note": HOSTILE, "colors": [{"name": HOSTILE, "color": "#102030"}]}
    (dataset.path / "palette.json").write_text(json.dumps(palette))
    (dataset.path / "README.md").write_text(f"## How it was made\n\n```\np2p-data {HOSTILE}\n  {HOSTILE}\n```\n")
    finding = Finding(HOSTILE, "error", HOSTILE, 1, ((f"train/{key}", f"test/{key}"),), HOSTILE, f"p2p-data {HOSTILE}")
    page = page_of(dataset, result_of(dataset, finding))
    assert page.count("script") == 1
    assert page.count("b") == 1, "of the reject, none of the folder's name"
    assert page.texts.count(HOSTILE) == 7, "finding, why, colour, note, reason, source and what the build told"
    assert page.texts.count(f"p2p-data {HOSTILE}") == 2


def test_what_no_page_can_hold_is_spelt_out():
    assert element("p", "a\udcffb\x00\u202e", title="\x1b") == '<p title="\\u001b">a\\udcffb\\u0000\\u202e</p>'


def test_findings_show_their_worst_examples_side_by_side(tmp_path):
    dataset = write_dataset(tmp_path / "pairs", {"train": 90, "test": 9})
    leaks = tuple((f"train/{i:06d}", f"test/{i:06d}") for i in range(9))
    page = page_of(dataset, result_of(dataset, Finding("leak", "error", "In two splits", 9, leaks, "Why", "Do this")))
    assert page.count("div", **{"class": "sides"}) == 8, "four examples of two"
    assert "test/000003" in page.texts
    assert "Also: train/000004 = test/000004, train/000005 = test/000005" in " ".join(page.texts)
    assert "To do: Do this" in page.texts


def test_what_can_be_mended_is_told_with_the_command(tmp_path):
    dataset = write_dataset(tmp_path / "pairs", {"train": 3})
    mend = LeaveOut((("train/000001", "blank"),))
    finding = Finding("blank-sides", "warning", "x", 1, (("train/000001",),), mends=(mend,))
    texts = page_of(dataset, result_of(dataset, finding)).texts
    assert "1 finding can be mended safely, in a new folder:" in texts
    assert "p2p-data check pairs --fix" in texts


def test_a_clean_dataset_and_an_unchecked_one_say_so(tmp_path):
    dataset = write_dataset(tmp_path / "pairs", {"train": 3})
    assert "All 3 pairs looked at. Nothing wrong was found." in page_of(dataset, result_of(dataset)).texts
    assert "p2p-data check pairs" in page_of(dataset).texts


def test_rejects_are_counted_by_reason_and_shown_where_the_photo_is_there(tmp_path, draw):
    dataset = write_dataset(tmp_path / "pairs", {"train": 3})
    photos = tmp_path / "photos"
    write_png(photos / "dusk.png", draw())
    write_png(tmp_path / "private.png", draw())
    sources = [("dusk.png", "dusk"), ("gone.png", "dusk"), ("../private.png", "dusk"), ("a.jpg", "damaged: at byte 7")]
    lines = [json.dumps({"key": source, "source": source, "reason": reason}) for source, reason in sources]
    (dataset.path / "failures.jsonl").write_text("\n".join([*lines, "no json"]))
    out = tmp_path / "report.html"
    write_report(dataset, None, out, photos=photos)
    page = Page(out.read_text())
    assert page.count("img", alt="") == 1, "what lies outside the folder of photos stays out of the page"
    assert {"5 sources gave no pair; failures.jsonl names each one.", "damaged", "at byte 7"} <= set(page.texts)
    assert "a line that is no record" in page.texts


def test_an_unreadable_pair_is_shown_with_the_reason(tmp_path, draw):
    folder = tmp_path / "pairs"
    write_png(folder / "train" / "good.png", draw(0, 80, 40))
    (folder / "train" / "bad.png").write_bytes(b"")
    (folder / "train" / "gone.png").write_bytes(b"x")
    dataset = open_dataset(folder)
    (folder / "train" / "gone.png").unlink()
    out = tmp_path / "report.html"
    write_report(dataset, None, out)
    page = Page(out.read_text())
    assert page.count("input", type="range") == 1
    assert {"Cannot be shown: the file is empty", "bad", "gone", "good"} <= set(page.texts)


def test_a_damaged_shard_is_shown_with_the_reason(tmp_path):
    dataset = write_dataset(tmp_path / "pairs", {"train": 3, "test": 3})
    shard = shard_path(dataset.path, "test", 0, 1)
    content = shard.read_bytes()
    shard.write_bytes(b"PAR1" + bytes(len(content) // 2) + content[4 + len(content) // 2 :])
    page = page_of(dataset, result_of(dataset, Finding("k", "note", "x", 1, (("test/000001",),))))
    assert page.count("input", type="range") == 3
    assert page.texts.count("Cannot be shown: its shard is damaged") == 3
    assert {"pair 1", "Also: test/000001"} <= set(page.texts)


def test_a_page_of_noise_in_a_large_dataset_stays_below_6_mb(tmp_path):
    noise = encode_png(np.random.default_rng(0).integers(0, 256, (220, 220, 3), dtype=np.uint8))
    folder = tmp_path / "pairs"
    for split in ("train", "validation", "test"):
        pairs = (EncodedPair(f"{i:03d}", "", noise, noise) for i in range(52))
        write_shard(shard_path(folder, split, 0, 1), pairs)
    (folder / "build.json").write_text("{}")
    dataset = open_dataset(folder)
    findings = [
        Finding(f"k{i}", "note", "x", 9, tuple((f"train/{i * 4 + j:03d}",) for j in range(9))) for i in range(13)
    ]
    write_report(dataset, result_of(dataset, *findings), tmp_path / "report.html")
    assert 3e6 < (tmp_path / "report.html").stat().st_size < 6e6


def test_only_a_sample_of_a_large_dataset_is_read(tmp_path, monkeypatch):
    dataset = write_dataset(tmp_path / "pairs", {"train": 3000}, side_px=2)
    decoded = []
    decode = EncodedPair.decode
    monkeypatch.setattr(EncodedPair, "decode", lambda pair: decoded.append(pair.key) or decode(pair))
    page_of(dataset, result_of(dataset, Finding("k", "note", "x", 1, (("train/000001",),))))
    assert len(decoded) == 25


def test_a_damaged_palette_is_a_named_error_and_leaves_no_page(tmp_path):
    dataset = write_dataset(tmp_path / "pairs", {"train": 3})
    (dataset.path / "palette.json").write_text("{")
    with pytest.raises(FormatError, match=r"palette\.json"):
        page_of(dataset)
    assert not list(dataset.path.glob("*.html"))


def test_a_moved_dataset_does_not_name_the_machine(tmp_path, photos, p2p_data):
    assert p2p_data("colorize", photos, "--size", "32", "--val", "0", "--test", "0").returncode == 0
    shutil.move(tmp_path / "photos-colorize", tmp_path / "moved")
    page = page_of(open_dataset(tmp_path / "moved"))
    assert "p2p-data colorize photos --size 32x32 --val 0.0 --test 0.0" in page.texts
    assert str(tmp_path) not in (tmp_path / "moved" / "report.html").read_text()
