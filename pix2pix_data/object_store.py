"""A folder in an object store: S3 and all else that fsspec speaks to. The only importer of fsspec.

Which server, account and region is a matter of the store's own variables and files, such as AWS_ENDPOINT_URL and
~/.aws/credentials: none of it is a setting of ours, and none is written down.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pix2pix_data.console import say
from pix2pix_data.errors import MissingExtraError, P2PError, StoreError

__all__ = ["Store", "StoredFile", "md5_of"]

_Result = TypeVar("_Result")
_WAITS_S = (0.5, 1.0, 2.0, 4.0)
"""How long to wait before each new attempt, in seconds; the client of S3 makes one of its own before."""
_VERSIONS = ("ETag", "etag", "md5Hash", "content_md5", "blob_id", "mtime", "created")
"""What stores call that which changes with a file, the surest first."""
_MD5 = re.compile(r"[0-9a-f]{32}")
_S3 = {
    "config_kwargs": {
        "connect_timeout": 10,
        "read_timeout": 60,
        "retries": {"mode": "standard", "total_max_attempts": 1},
    }
}
_AGAIN = "look at the network and the store; the same command again goes on where it stood"
_NO_ACCOUNT = ("NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a store.

    Attributes
    ----------
    path : str
        Below the folder, with slashes.
    num_bytes : int
    version : str
        Changes with the file, such as the ETag of S3; empty where the store tells none.
    """

    path: str
    num_bytes: int
    version: str

    @property
    def may_be_md5(self) -> bool:
        """Whether the version may be the MD5 of the file: in S3 unless it came in parts or is encrypted by a key."""
        return _MD5.fullmatch(self.version) is not None


def md5_of(path: Path) -> str:
    """Return the MD5 of a file, as S3 uses it for an ETag."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


class Store:
    """A folder in a store.

    Parameters
    ----------
    url : str
        As `url_of` gives it.

    Raises
    ------
    MissingExtraError, StoreError
        If the package for this kind of store is not installed, or there is no such kind.
    """

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs

        self.url = url
        protocol = url.partition(":")[0]
        # No client or listing of before: this process may have seen other servers, and this store other files.
        fresh = {"use_listings_cache": False, "skip_instance_cache": True}
        options: dict[str, Any] = {**fresh, **(_S3 if protocol in ("s3", "s3a") else {})}
        try:
            self._fs, self._root = url_to_fs(url, **options)
            if hasattr(self._fs, "retries"):
                self._fs.retries = 2  # of its own, in silence, for each of ours
        except ImportError as error:
            if protocol in ("s3", "s3a"):
                raise MissingExtraError("s3fs", "s3") from error
            raise StoreError(f"a package is missing: {error}", where=url, fix="install it beside this one") from error
        except ValueError as error:
            raise StoreError(f"there is no such kind of store: {error}", where=url, fix="correct the URL") from error

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return self.url.rpartition("/")[2]

    def files(self) -> dict[str, StoredFile]:
        """List all files below the folder by their paths there: none where it is empty or not there.

        Raises
        ------
        StoreError
            If there is no such bucket, or it may not be read.
        """

        def listed() -> dict[str, StoredFile]:
            found = self._fs.find(self._root, detail=True)
            files = (self._stored(info) for info in found.values() if info["type"] == "file")
            return {file.path: file for file in files if file.path and not file.path.endswith("/")}

        with self._errors_told():
            return self._patiently(listed)

    def file(self, path: str) -> StoredFile | None:
        """Look one file up; None where it is not there."""
        with self._errors_told(path):
            try:
                return self._stored(self._patiently(lambda: self._fs.info(self._place(path))))
            except FileNotFoundError:
                return None

    def read(self, path: str) -> bytes | None:
        """Read a small file; None where it is not there."""
        with self._errors_told(path):
            try:
                content: bytes = self._patiently(lambda: self._fs.cat_file(self._place(path)))
            except FileNotFoundError:
                return None
            return content

    def download(self, path: str, to: Path) -> None:
        """Fetch a file; what came is not checked here."""
        with self._errors_told(path):
            self._patiently(lambda: self._fs.get_file(self._place(path), str(to)))

    def upload(self, content: Path, path: str) -> None:
        """Write a file to the store, and make sure that it holds the same bytes.

        Where the store tells no MD5, the file is read back.

        Raises
        ------
        StoreError
            If it cannot be written, or holds other bytes each time.
        """

        def uploaded() -> None:
            if self._root.startswith("/"):  # on disk; a store has no folders
                self._fs.makedirs(self._place(path).rpartition("/")[0], exist_ok=True)
            self._fs.put_file(str(content), self._place(path))
            if not self.holds(path, content):
                raise OSError("the store holds other bytes than were sent")

        with self._errors_told(path, writing=True):
            self._patiently(uploaded)

    def write(self, content: bytes, path: str) -> None:
        """Write a small file, and make sure that it is there."""

        def written() -> None:
            self._fs.pipe_file(self._place(path), content)
            if self._fs.cat_file(self._place(path)) != content:
                raise OSError("the store holds other bytes than were sent")

        with self._errors_told(path, writing=True):
            self._patiently(written)

    def holds(self, path: str, content: Path) -> bool:
        """Tell whether the store has the bytes of a local file at a path."""
        there = self.file(path)
        if there is None or there.num_bytes != content.stat().st_size:
            return False
        if there.may_be_md5 and there.version == md5_of(content):
            return True
        with self._errors_told(path), content.open("rb") as ours:
            digest = self._patiently(lambda: self._digest(path))
            return digest == hashlib.file_digest(ours, "sha256").hexdigest()

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        with self._errors_told(path):
            try:
                self._patiently(lambda: self._fs.rm_file(self._place(path)))
            except FileNotFoundError:
                return

    def _digest(self, path: str) -> str:
        with self._fs.open(self._place(path), "rb", cache_type="readahead") as stream:
            digest = hashlib.sha256()
            while block := stream.read(1 << 22):
                digest.update(block)
            return digest.hexdigest()

    def _place(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _stored(self, info: dict[str, Any]) -> StoredFile:
        path = info["name"].removeprefix(f"{self._root}/") if info["name"] != self._root else ""
        version = next((str(info[name]) for name in _VERSIONS if info.get(name) is not None), "")
        return StoredFile(path, int(info["size"] or 0), version.strip('"'))

    # --- faults -------------------------------------------------------------------------------------------------

    def _patiently(self, call: Callable[[], _Result]) -> _Result:
        for wait_s in _WAITS_S:
            try:
                return call()
            except Exception as error:
                if not _is_passing(error):
                    raise
                say(f"  {_reason(error)}: trying again in {wait_s:g} s")
                time.sleep(wait_s)
        return call()

    @contextmanager
    def _errors_told(self, path: str = "", *, writing: bool = False) -> Iterator[None]:
        """Turn what the store's client raises into an error that says what to do."""
        where = f"{self.url}/{path}" if path else self.url
        try:
            yield
        except (P2PError, FileNotFoundError) as error:
            # a file that is not there to be read is for the caller to judge
            if isinstance(error, P2PError) or (path and not writing):
                raise
            raise StoreError("there is no such bucket or folder", where=where, fix="correct the URL") from error
        except PermissionError as error:
            fix = "ask its owner for the right, or log in to another account of the store"
            raise StoreError("the store does not allow this", where=where, fix=fix) from error
        except Exception as error:  # clients of many stores raise their own
            if type(error).__name__ in _NO_ACCOUNT:
                fix = "log in as its own tools do: for S3, aws configure, or AWS_ACCESS_KEY_ID and its secret"
                raise StoreError("nobody is logged in to this store", where=where, fix=fix) from error
            if not _is_passing(error) and not _is_of_client(error):
                raise
            raise StoreError(f"the store does not answer well: {_reason(error)}", where=where, fix=_AGAIN) from error


def _is_passing(error: Exception) -> bool:
    """Tell whether trying again may help."""
    if isinstance(error, (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError, FileExistsError)):
        return False
    if type(error).__name__ in (*_NO_ACCOUNT, "EndpointConnectionError", "ParamValidationError"):
        return False
    return not isinstance(error, P2PError) and (isinstance(error, OSError) or _is_of_client(error))


def _is_of_client(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] in ("aiohttp", "aiobotocore", "botocore", "urllib3", "httpx2")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]}..."
