"""Trained models from the Hugging Face hub: into a folder, or into the hub's own cache to be used at once."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path

from pydantic import ValidationError

from pix2pix_data.console import say
from pix2pix_data.errors import CheckpointError, HubError
from pix2pix_data.hub import HubRepo, transfer_line
from pix2pix_data.hub_files import Listing, RemoteFile
from pix2pix_data.layouts.file_tree import leads_outside
from pix2pix_data.new_folder import new_folder
from pix2pix_model.checkpoint import EXAMPLES, Model, ModelConfig, load_model
from pix2pix_model.weights_file import CONFIG, WEIGHTS

__all__ = ["check_is_ours", "find_model", "pull_model", "travels"]

_HUB_ID = re.compile(r"(\w[\w.-]*/\w[\w.-]*)(?:@(\S+))?")
_FILE = re.compile(rf"README\.md|{re.escape(CONFIG)}|{re.escape(WEIGHTS)}|{EXAMPLES}/\d+\.png")
_MAX_CONFIG_BYTES = 1 << 20
_MARKS = {"format", "architecture", "spec", "sides"}  # together in no config.json of others


def travels(name: str) -> bool:
    """Tell by its path whether a file is one that a model on the hub consists of."""
    return _FILE.fullmatch(name) is not None


def find_model(path: Path) -> Path:
    """Say where a run or model lies that was named by a user.

    Parameters
    ----------
    path : Path
        A folder here; or user/name on the hub, or user/name@revision, where there is neither such a folder nor one
        called user.

    Returns
    -------
    Path
        `path` itself, whatever it holds; or a folder of the hub's own cache, which keeps it for when the hub cannot be
        reached.

    Raises
    ------
    HubError, CheckpointError
        If the hub has no such model, or it is none of ours, or it cannot be fetched.
    """
    named = _HUB_ID.fullmatch(path.as_posix())
    if named is None or path.exists() or Path(path.parts[0]).exists():
        return path
    try:
        return _in_cache(named[1], named[2])
    except HubError as error:
        what = f"there is no folder {path}, and on the hub: {error.what}"
        raise HubError(what, where=error.where, fix=error.fix) from error


def _in_cache(repo_id: str, revision: str | None) -> Path:
    repo = HubRepo(repo_id, revision, kind="model")
    folder = repo.cached(CONFIG).parent
    commit = folder.name
    _check_config(folder / CONFIG, repo)
    if not (folder / WEIGHTS).exists():
        files = _files_of(repo, HubRepo(repo_id, commit, kind="model").list_files())
        say(f"fetching {repo_id} from the hub, {sum(file.num_bytes for file in files) / 1e6:.1f} MB ...")
        for file in files[:-1]:
            repo.cached(file.path, commit=commit)
    repo.cached(WEIGHTS, commit=commit)  # the last one: where it is, all are; held against its checksum each time
    return folder


def pull_model(repo_id: str, out: Path, *, revision: str | None = None) -> Model:
    """Bring a model from the hub into a new folder, which is there whole or not at all; nothing in it is executed.

    Each file is held against the hub's checksum. Downloads lie in a hidden folder beside `out` until all are there, so
    that a call that is interrupted goes on where it stood.

    Parameters
    ----------
    repo_id : str
        As user/name.
    out : Path
    revision : str, optional
        A branch, tag or commit.

    Returns
    -------
    Model
        Loaded from there: what was pulled can be used.

    Raises
    ------
    BuildError, HubError, CheckpointError
        If `out` holds anything, or the repository is none of ours, or it could not be fetched or loaded.
    """
    repo = HubRepo(repo_id, revision, kind="model")
    listing = repo.list_files()
    files = check_is_ours(repo, listing)
    out = out.resolve()
    downloads = out.with_name(f".{out.name}.pull")
    folder = downloads / listing.commit  # one revision each, so that two can never mix
    with new_folder(out) as beside:
        with transfer_line("Pulling", sum(file.num_bytes for file in files)) as tick:
            for file in files:
                repo.download(file, listing.commit, folder, tick)
        load_model(folder)
        for file in files:
            (beside / file.path).parent.mkdir(parents=True, exist_ok=True)
            (folder / file.path).replace(beside / file.path)
    shutil.rmtree(downloads)
    return load_model(out)


def check_is_ours(repo: HubRepo, listing: Listing) -> list[RemoteFile]:
    """Return the files of a model in a repository, the weights last; HubError or CheckpointError if it has none."""
    files = _files_of(repo, listing)
    config = listing.files[CONFIG]
    if config.num_bytes > _MAX_CONFIG_BYTES:
        raise _not_ours(repo, f"its {CONFIG} has {config.num_bytes:,} bytes")
    with tempfile.TemporaryDirectory() as scratch:
        _check_config(repo.download(config, listing.commit, Path(scratch)), repo)
    return files


def _files_of(repo: HubRepo, listing: Listing) -> list[RemoteFile]:
    if outside := next(filter(leads_outside, listing.files), None):
        raise HubError(
            f"a file there leads out of its folder: {outside}", where=repo.url, fix="do not trust this repository"
        )
    if missing := [name for name in (CONFIG, WEIGHTS) if name not in listing.files]:
        raise _not_ours(repo, f"it has no {' and no '.join(missing)}")
    files = [file for name, file in listing.files.items() if travels(name)]
    return sorted(files, key=lambda file: (file.path == WEIGHTS, file.path))


def _check_config(path: Path, repo: HubRepo) -> None:
    """Hold config.json against what this version understands."""
    try:
        described = json.loads(path.read_bytes())
    except ValueError:
        described = None
    if not isinstance(described, dict) or not described.keys() >= _MARKS:
        raise _not_ours(repo, f"its {CONFIG} is that of something else")
    try:
        ModelConfig.model_validate(described)
    except ValidationError as error:
        fix = "use the version of p2p that made it, or a newer one"
        raise CheckpointError("the model's description is not understood", where=repo.url, fix=fix) from error


def _not_ours(repo: HubRepo, why: str) -> HubError:
    return HubError(f"this is no model of p2p-model: {why}", where=repo.url, fix="name one that p2p-model push made")
