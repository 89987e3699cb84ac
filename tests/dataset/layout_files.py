"""Files in the layouts that people have, for the tests of import."""

from __future__ import annotations

import io
import tarfile


def write(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def write_tar(path, members, mode="w"):
    """Write a tar of (name, content) pairs, or of TarInfo objects."""
    with tarfile.open(path, mode) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return path


def folders_of(sides):
    """trainA/, trainB/, valA/, valB/ as a dictionary of files."""
    files = {}
    for i, (a, b) in enumerate(sides):
        split = "val" if i == 3 else "train"
        files |= {f"{split}A/{i}.png": a, f"{split}B/{i}.jpg": b}
    return files
