"""Archives: read as their folders would be, and nothing in them can do harm."""

from __future__ import annotations

import struct
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from pix2pix_data.errors import FormatError
from pix2pix_data.importing import ImportOptions, open_layout
from pix2pix_data.layouts import archives, file_tree

sys.path.insert(0, str(Path(__file__).parent))
from layout_files import folders_of, write, write_tar


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz", "tar.xz"])
def test_archives_give_what_their_folder_gives(take_in, sides, tmp_path, ending):
    files = {f"maps/{name}": content for name, content in folders_of(sides).items()} | {"__MACOSX/._0.png": b"x"}
    path = tmp_path / f"maps.{ending}"
    if ending == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name.replace("/", "\\" if "valA" in name else "/"), content)
    else:
        write_tar(path, files.items(), f"w:{ending.partition('.')[2]}")
    pairs, failed = take_in(path)
    assert [(pair.a, pair.b) for pair in pairs.values()] == sides
    assert failed == {}


def hostile_tar(path, sides):
    link, hard, device = tarfile.TarInfo("trainA/link.png"), tarfile.TarInfo("trainB/hard.png"), tarfile.TarInfo("dev")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    hard.type, hard.linkname = tarfile.LNKTYPE, "../../secret.png"
    device.type = tarfile.CHRTYPE
    outside = [("../evil.png", sides[0][0]), ("/evil.png", sides[0][0]), ("trainA/../../evil.png", sides[0][0])]
    return write_tar(path, [*outside, link, hard, device, *folders_of(sides).items(), ("trainA/0.png", b"second")])


def test_hostile_members_are_refused_by_name_and_nothing_is_written_outside(take_in, sides, tmp_path, contents):
    path = hostile_tar(tmp_path / "in.tar", sides)
    pairs, failed = take_in(path)
    assert [(pair.a, pair.b) for pair in pairs.values()] == sides
    assert failed == {
        "../evil.png": "refused: the name leads out of the archive",
        "/evil.png": "refused: the name leads out of the archive",
        "trainA/../../evil.png": "refused: the name leads out of the archive",
        "trainA/link.png": "refused: a link to /etc/passwd",
        "trainB/hard.png": "refused: a link to ../../secret.png",
        "dev": "refused: a device, not a file",
        "trainA/0.png": "refused: two members have this name, and the first is taken",
    }
    assert {name.partition("/")[0] for name in contents(tmp_path)} == {"in.tar", "out"}


def test_hostile_members_of_a_zip_are_refused_by_name(take_in, sides, tmp_path, contents):
    link = zipfile.ZipInfo("trainA/link.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        for name in ("../evil.png", "/evil.png", "C:\\evil.png", "a\\..\\..\\evil.png"):
            archive.writestr(name, sides[0][0])
        for name, content in folders_of(sides).items():
            archive.writestr(name, content)
    pairs, failed = take_in(tmp_path / "in.zip")
    assert len(pairs) == 4
    assert len(failed) == 5
    assert all(reason.startswith("refused: ") for reason in failed.values())
    assert {name.partition("/")[0] for name in contents(tmp_path)} == {"in.zip", "out"}


def test_huge_members_are_never_read(take_in, sides, tmp_path, monkeypatch):
    monkeypatch.setattr(file_tree, "MAX_FILE_BYTES", 1 << 20)
    huge = bytes((1 << 20) + 1)
    with zipfile.ZipFile(tmp_path / "in.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (folders_of(sides) | {"trainA/0.png": huge}).items():
            archive.writestr(name, content)
    pairs, failed = take_in(tmp_path / "in.zip")
    assert len(pairs) == 3
    assert failed == {"trainA/0.png, trainB/0.jpg": "the file has 1 MiB, more than 1"}


def test_a_tar_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_FREE_EXPANSION_BYTES", 1 << 16)
    write_tar(tmp_path / "in.tar.gz", [("train/0.png", bytes(1 << 21))], "w:gz")
    with (
        pytest.raises(FormatError, match="unpack to more than"),
        open_layout(tmp_path / "in.tar.gz", ImportOptions(), scratch=tmp_path),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["in.tar.gz"]


def test_a_tar_that_is_cut_off_says_so(take_in, sides, tmp_path):
    whole = write_tar(tmp_path / "whole.tar", folders_of(sides).items()).read_bytes()
    with tarfile.open(tmp_path / "whole.tar") as tar:
        last, before = tar.getmembers()[-1], tar.getmembers()[-3]
    for i, cut in enumerate((last.offset_data + 7, before.offset, last.offset + 100)):
        path = tmp_path / f"cut{i}" / "in.tar"
        write(tmp_path / f"cut{i}", {"in.tar": whole[:cut]})
        with open_layout(path, ImportOptions(), scratch=tmp_path) as opened:
            (told,) = [one.reason for one in opened.found.failed if one.source == "in.tar"]
            assert told.startswith("the archive ")


def test_damaged_members_and_encrypted_ones_are_accounted_for(take_in, sides, tmp_path):
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for name, content in folders_of(sides).items():
            archive.writestr(name, content)
        info = archive.getinfo("trainA/0.png")
    content = bytearray((tmp_path / "in.zip").read_bytes())
    content[info.header_offset + 80] ^= 0xFF
    entry = content.index(b"trainA/1.png", content.index(b"PK\x01\x02"))
    struct.pack_into("<H", content, entry - 46 + 8, 1)  # the flag of an encrypted member
    (tmp_path / "in.zip").write_bytes(content)
    pairs, failed = take_in(tmp_path / "in.zip")
    assert len(pairs) == 2
    assert set(failed) == {"trainA/0.png, trainB/0.jpg", "trainA/1.png, trainB/1.jpg"}
    assert all(reason.startswith("damaged member: ") for reason in failed.values())


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8bno gzip", b"PK\x05\x06" + bytes(18), b"PAR1"])
@pytest.mark.parametrize("ending", ["tar", "zip", "parquet"])
def test_what_is_no_archive_is_told(tmp_path, content, ending):
    (tmp_path / f"in.{ending}").write_bytes(content)
    with pytest.raises(FormatError), open_layout(tmp_path / f"in.{ending}", ImportOptions(), scratch=tmp_path):
        pass


# --- the whole ----------------------------------------------------------------------------------------------------
