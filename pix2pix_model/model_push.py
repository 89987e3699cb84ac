"""A trained model to the Hugging Face hub, in the layout of its PyTorchModelHubMixin, in one commit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pix2pix_data.card import with_licence_of
from pix2pix_data.errors import CheckpointError, P2PError
from pix2pix_data.hub import HubRepo
from pix2pix_data.hub_files import Content, Listing
from pix2pix_data.hub_push import PushSummary, files_in_words, num_bytes_of, push_files
from pix2pix_model.checkpoint import EXAMPLES, Model, load_model
from pix2pix_model.model_pull import check_is_ours, travels
from pix2pix_model.weights_file import CONFIG, WEIGHTS

__all__ = ["Pushable", "hub_card", "open_pushable", "push_model"]

# What the hub's page and its search go by; the last two tags are those of the mixin itself.
_HEAD = {
    "library_name": "library_name: pix2pix-kit\n",
    "pipeline_tag": "pipeline_tag: image-to-image\n",
    "tags": "tags:\n- pix2pix\n- image-to-image\n- model_hub_mixin\n- pytorch_model_hub_mixin\n",
}
# A recipe may name folders of the machine that it was run on; the hub is told their names alone.
_FOLDERS = re.compile(r'"(?:/|~|\.\./|[A-Za-z]:)[^"\n]*[/\\]([^"/\\\n]+)[/\\]?"')


@dataclass(frozen=True, slots=True)
class Pushable:
    """A finished model that can be pushed.

    Attributes
    ----------
    model : Model
    files : dict of str to Path
        What travels, by path in the repository.
    """

    model: Model
    files: dict[str, Path]

    @property
    def size_in_words(self) -> str:
        return files_in_words(len(self.files), self.num_bytes)

    @property
    def num_bytes(self) -> int:
        return num_bytes_of(self.files)

    @property
    def num_examples(self) -> int:
        return sum(name.startswith(f"{EXAMPLES}/") for name in self.files)


def open_pushable(path: Path, *, examples: bool = True) -> Pushable:
    """Load a model as anybody will who pulls it, before it is pushed.

    Parameters
    ----------
    path : Path
        A finished run, or a model folder.
    examples : bool
        Take the pictures along that are kept with the model; they are of the dataset that it learned from.

    Raises
    ------
    CheckpointError
        If there is no finished model, or it cannot be loaded.
    """
    model = load_model(path)
    folder = model.path
    if not (folder / "README.md").is_file():
        fix = 'let the run train to its end; validation.keep = "best" makes the best checkpoint the finished model'
        raise CheckpointError("only a finished model can be pushed", where=folder, fix=fix)
    names = [CONFIG, WEIGHTS, "README.md"]
    if examples:
        names += [f"{EXAMPLES}/{one.name}" for one in sorted((folder / EXAMPLES).glob("*.png"))]
    return Pushable(model, {name: folder / name for name in names if travels(name)})


def push_model(pushable: Pushable, repo_id: str, *, private: bool = False, revision: str | None = None) -> PushSummary:
    """Bring a model to the hub: one commit, or none where nothing changed, see `hub_push.push_files`.

    Parameters
    ----------
    pushable : Pushable
    repo_id : str
        As user/name; made if it is not there.
    private : bool
        Make a new repository private, and refuse one that is public.
    revision : str, optional
        A branch, made from main if it is not there.

    Raises
    ------
    HubError, UsageError
        If the hub refuses or cannot be reached, or the repository holds something else than a model of ours.
    """
    repo = HubRepo(repo_id, revision, kind="model")
    card = hub_card(pushable.files["README.md"].read_text(encoding="utf-8"), repo_id)
    steps = pushable.model.config.steps
    age = "" if steps is None else f" after {steps} steps"
    message = f"{pushable.model.config.name}{age}, by pix2pix-kit {version('pix2pix-kit')}"
    files: dict[str, Content] = {**pushable.files, "README.md": card.encode()}
    return push_files(
        repo, files, message, private=private, travels=travels, is_ours=lambda there: _is_ours(repo, there)
    )


def hub_card(card: str, repo_id: str) -> str:
    """Write the card as it goes to the hub: with a head of YAML, the repository in its example, and no folder of ours.

    A head that is there stays, with what it lacks added; a licence is left to the user.
    """
    head = re.match(r"---\r?\n(.*?)^---\r?\n", card, flags=re.DOTALL | re.MULTILINE)
    body = card[head.end() :] if head else f"\n{card}"
    own = head[1] if head else ""
    missing = [lines for key, lines in _HEAD.items() if not re.search(rf"^{key}:", own, flags=re.MULTILINE)]
    body = re.sub(r"(?m)^(    p2p-model translate )\S+( IMAGES)$", lambda line: f"{line[1]}{repo_id}{line[2]}", body)
    body = body.replace(", from wherever this folder lies:", ":")
    return with_licence_of(card, f"---\n{''.join(missing)}{own}---\n{_FOLDERS.sub(_last_part, body)}")


def _last_part(path: re.Match[str]) -> str:
    return f'"{path[1]}"'


def _is_ours(repo: HubRepo, there: Listing) -> bool:
    try:
        check_is_ours(repo, there)
    except P2PError:
        return False
    return True
