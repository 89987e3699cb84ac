"""onnxruntime-web, which runs a model in the browser: found on this machine, or fetched once by npm."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pix2pix_data.atomic import write_file
from pix2pix_data.cache_folder import cache_folder
from pix2pix_data.console import say
from pix2pix_data.errors import FormatError, UsageError

__all__ = ["TESTED", "Package", "Runtime", "find_runtime"]

_SCRIPT, _PROGRAM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
_FILES = (_SCRIPT, _PROGRAM)
_VERSION = re.compile(rb"ONNX Runtime Web v([0-9][0-9A-Za-z.-]*)")
_HEAD_BYTES = 500  # of the script, in which it says its version
_MOST_BYTES = 256 << 20
_TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class Package:
    """A version of the npm package.

    Attributes
    ----------
    version : str
    integrity : str
        SHA-512 as npm states it: base64.
    """

    version: str
    integrity: str

    @property
    def npm_name(self) -> str:
        return f"onnxruntime-web@{self.version}"

    @property
    def file_name(self) -> str:
        """What `npm pack` calls its file."""
        return f"onnxruntime-web-{self.version}.tgz"


TESTED = Package(
    "1.30.0",
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
)
"""What the page was tested with (MIT, 33 MB, of which 14 are needed)."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """The two files that a page needs.

    Attributes
    ----------
    version : str
    where : Path
        The package or folder that they are from.
    script, program : bytes
        JavaScript, and WebAssembly.
    """

    version: str
    where: Path
    script: bytes
    program: bytes


def find_runtime(given: Path | None, package: Package = TESTED) -> Runtime:
    """Return the runtime that was given, else the one in the cache; the first time, let npm fetch it.

    Parameters
    ----------
    given : Path or None
        The package as `npm pack` writes it, or a folder that it was unpacked to.
    package : Package
        What is fetched.

    Raises
    ------
    UsageError
        If what was given is not there, or there is none and npm is not there or cannot fetch it.
    FormatError
        If it is something else.
    """
    if given is not None:
        return _read_folder(given) if given.is_dir() else _read_package(given)
    kept = cache_folder() / f"onnxruntime-web-{package.version}"
    if not all((kept / name).is_file() for name in _FILES):
        content = _fetch(package, kept)
        for name, file in _unpacked(content, kept).items():
            write_file(kept / name, file)
    return _read_folder(kept)


# --- what is here -------------------------------------------------------------------------------------------------


def _read_folder(folder: Path) -> Runtime:
    for place in (folder, folder / "dist", folder / "package" / "dist"):
        if all((place / name).is_file() for name in _FILES):
            return _runtime({name: (place / name).read_bytes() for name in _FILES}, folder)
    raise _not_it(folder, f"there is no dist/{_SCRIPT} with dist/{_PROGRAM}")


def _read_package(path: Path) -> Runtime:
    if not path.is_file():
        raise UsageError("there is no such file", where=path, fix=_by_hand(TESTED))
    return _runtime(_unpacked(path.read_bytes(), path), path)


def _unpacked(content: bytes, where: Path) -> dict[str, bytes]:
    """Read the files that are needed from a package."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            return dict(_members(archive))
    except (tarfile.TarError, OSError, EOFError) as error:
        raise _not_it(where, str(error) or "it is cut") from None
    except KeyError as error:
        raise _not_it(where, str(error.args[0])) from None


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for name in _FILES:
        member = archive.getmember(f"package/dist/{name}")
        file = archive.extractfile(member) if member.size <= _MOST_BYTES else None
        if file is None:
            raise KeyError(f"{member.name} is no file")
        yield name, file.read()


def _runtime(files: Mapping[str, bytes], where: Path) -> Runtime:
    said = _VERSION.search(files[_SCRIPT][:_HEAD_BYTES])
    if said is None or not files[_PROGRAM].startswith(b"\0asm"):
        raise _not_it(where, f"{_SCRIPT} does not say its version, or {_PROGRAM} is no WebAssembly")
    return Runtime(said[1].decode(), where, files[_SCRIPT], files[_PROGRAM])


def _not_it(where: Path, reason: str) -> FormatError:
    return FormatError(f"this is no package of onnxruntime-web ({reason})", where=where, fix=_by_hand(TESTED))


# --- what is not --------------------------------------------------------------------------------------------------


def _fetch(package: Package, kept: Path) -> bytes:
    """Let npm fetch the package, from wherever this machine's npm fetches packages."""
    npm = shutil.which("npm")
    if npm is None:
        what = "onnxruntime-web is not here yet, and neither is npm (Node.js), which would fetch it"
        raise UsageError(what, fix=f"install Node.js, or elsewhere: {_by_hand(package)}")
    say(f"fetching {package.npm_name} once, by npm (licence: MIT), into {kept}")
    with TemporaryDirectory() as folder:
        command = [npm, "pack", package.npm_name, "--loglevel=error", "--no-update-notifier"]
        try:
            done = subprocess.run(
                command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT_S
            )
            reason = "" if done.returncode == 0 else done.stderr.strip().partition("\n")[0] or "it says nothing"
        except subprocess.TimeoutExpired:
            reason = f"it took more than {_TIMEOUT_S} s"
        if reason:
            what = f"onnxruntime-web is not here yet, and npm cannot fetch it ({reason})"
            raise UsageError(what, fix=f"elsewhere: {_by_hand(package)}")
        content = (Path(folder) / package.file_name).read_bytes()
    if base64.b64encode(hashlib.sha512(content).digest()).decode() != package.integrity:
        what = (
            f"what npm fetched as {package.npm_name} is another file than the one that was tested: its checksum differs"
        )
        raise FormatError(what, fix=f"see where npm fetches from (npm config get registry), or {_by_hand(package)}")
    return content


def _by_hand(package: Package) -> str:
    return f"npm pack {package.npm_name}, then --runtime {package.file_name}"
