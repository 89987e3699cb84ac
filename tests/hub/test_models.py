"""Models to a hub on loopback and from it, in fair weather and in foul."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import PyTorchModelHubMixin
from typer.testing import CliRunner

from pix2pix_data.errors import BuildError, CheckpointError, HubError, UsageError
from pix2pix_data.images import write_png
from pix2pix_model.checkpoint import DataFacts, ModelConfig, load_model, save_model
from pix2pix_model.cli_model import app
from pix2pix_model.model_pull import find_model, pull_model
from pix2pix_model.model_push import hub_card, open_pushable, push_model
from pix2pix_model.nets import GENERATORS, GeneratorSpec
from pix2pix_model.nets.unet import UNet
from pix2pix_model.picture_size import PictureSize
from pix2pix_model.sides import Sides, SideSpec

pytestmark = [
    pytest.mark.network,
    pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload:DeprecationWarning"),  # the hub's own client
]

NAME = "owner/discs"
REPO = f"models/{NAME}"  # as the hub of the tests files models
CUT = 0
CARD = """# discs

Given a picture, it makes another.

Use it on a folder of pictures, from wherever this folder lies:

    p2p-model translate THIS_FOLDER IMAGES

```toml
[data]
path = "/home/somebody/secret/discs"
direction = "AtoB"
```
"""


def write_model(folder: Path, *, seed: int = 0) -> Path:
    """A generator of 32 pixels with weights of this seed, and one example, as a run leaves them."""
    torch.manual_seed(seed)
    spec = GeneratorSpec(size_px=32, width=2)
    config = ModelConfig(
        name="discs",
        architecture="unet",
        spec=spec,
        sides=Sides((SideSpec(side="A"),), SideSpec(side="B")),
        crop_size=PictureSize(32, 32),
        data=DataFacts(name="discs", fingerprint="0" * 16, num_pairs={"train": 7}),
        steps=6,
        version="0.1.0",
    )
    example = np.full((32, 32, 3), 200, np.uint8)
    save_model(folder, GENERATORS.get("unet")(spec), config, CARD, examples=[example])
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


@pytest.fixture
def client(client, monkeypatch, tmp_path):
    """The hub, with a cache of its own."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return client


def push(folder, **options):
    return push_model(open_pushable(folder), NAME, **options)


def num_commits(hub):
    return len(hub.repos[REPO].commits) - 1  # without the one that made the repository


def weights_of(path):
    return {name: tensor.tolist() for name, tensor in load_model(path).generator.state_dict().items()}


def replaced(hub, **files):
    """Commit other content for some files."""
    named = {"config": "config.json", "weights": "model.safetensors"}
    hub.repos[REPO].commit(hub.head(REPO) | {named.get(name, name): content for name, content in files.items()})


# --- push


def test_a_push_is_one_commit_of_the_very_files(client, model):
    pushed = push(model)
    there = client.head(REPO)
    assert set(there) == {".gitattributes", "README.md", "config.json", "model.safetensors", "examples/0.png"}
    for name in ("config.json", "model.safetensors", "examples/0.png"):
        assert there[name] == (model / name).read_bytes()
    assert num_commits(client) == 1
    assert (pushed.num_changed, pushed.num_deleted, pushed.has_licence) == (4, 0, False)
    assert (model / "README.md").read_text() == CARD, "the folder here stays as it is"


def test_a_second_push_uploads_nothing_and_makes_no_commit(client, model):
    push(model)
    num_bytes = client.num_bytes_uploaded
    pushed = push(model)
    assert (pushed.num_changed, pushed.num_bytes, num_commits(client)) == (0, 0, 1)
    assert client.num_bytes_uploaded == num_bytes


def test_other_weights_are_one_more_commit_of_these_alone(client, model):
    push(model)
    pushed = push(write_model(model.parent / "later", seed=1))
    assert (pushed.num_changed, num_commits(client)) == (1, 2)


def test_the_head_of_the_card_is_what_the_hub_goes_by(client, model):
    push(model)
    _, head, body = client.head(REPO)["README.md"].decode().split("---\n", 2)
    assert yaml.safe_load(head) == {
        "library_name": "pix2pix-kit",
        "pipeline_tag": "image-to-image",
        "tags": ["pix2pix", "image-to-image", "model_hub_mixin", "pytorch_model_hub_mixin"],
    }
    assert "p2p-model translate owner/discs IMAGES" in body


def test_the_card_names_no_folder_of_this_machine(client, model):
    push(model)
    assert 'path = "discs"' in client.head(REPO)["README.md"].decode()
    assert b"somebody" not in b"".join(client.head(REPO).values())


def test_a_head_that_a_user_wrote_stays():
    card = hub_card("---\nlicense: mit\ntags:\n- cats\n---\n# mine\n", NAME)
    head = yaml.safe_load(card.split("---\n")[1])
    assert (head["license"], head["tags"], head["pipeline_tag"]) == ("mit", ["cats"], "image-to-image")
    assert hub_card(card, NAME) == card, "nothing is added twice"


def test_a_licence_that_was_added_on_the_hub_is_kept(client, model):
    push(model)
    card = client.head(REPO)["README.md"].replace(b"---\n", b"---\nlicense: cc-by-4.0\n", 1)
    replaced(client, **{"README.md": card})
    assert push(write_model(model.parent / "later", seed=1)).has_licence
    assert b"license: cc-by-4.0\n" in client.head(REPO)["README.md"]


def test_examples_stay_here_where_they_are_not_wanted(client, model):
    push(model)
    pushed = push_model(open_pushable(model, examples=False), NAME)
    assert pushed.num_deleted == 1
    assert "examples/0.png" not in client.head(REPO)


def test_a_revision_is_a_branch_and_private_is_private(client, model):
    assert push(model, private=True, revision="v2").is_private
    assert client.repos[REPO].private
    assert "config.json" in client.head(REPO, "v2")
    assert "config.json" not in client.head(REPO)


def test_a_dataset_of_the_same_name_is_another_repository(client, model):
    client.create(NAME, {"build.json": b"{}"})
    push(model)
    assert set(client.head(NAME)) == {".gitattributes", "build.json"}


def test_a_checkpoint_is_no_finished_model(client, model):
    (model / "README.md").unlink()
    with pytest.raises(CheckpointError, match=r"only a finished model.*validation\.keep"):
        push(model)
    assert not client.requests


@pytest.mark.parametrize("files", [{"pytorch_model.bin": b"x"}, {"config.json": b'{"model_type": "bert"}'}])
def test_a_repository_of_something_else_is_left_alone(client, model, files):
    client.create(REPO, files)
    with pytest.raises(UsageError, match="holds other things"):
        push(model)
    assert num_commits(client) == 0


# --- pull


def test_what_is_pulled_is_what_was_pushed(client, model, tmp_path):
    push(model)
    pulled = pull_model(NAME, tmp_path / "pulled")
    assert weights_of(tmp_path / "pulled") == weights_of(model)
    assert pulled.config == load_model(model).config
    names = {path.relative_to(pulled.path).as_posix() for path in pulled.path.rglob("*") if path.is_file()}
    assert names == {"README.md", "config.json", "model.safetensors", "examples/0.png"}
    assert not list(tmp_path.glob(".pulled*"))


def test_a_revision_is_pulled(client, model, tmp_path):
    push(model)
    push(write_model(tmp_path / "later", seed=1), revision="v2")
    pull_model(NAME, tmp_path / "pulled", revision="v2")
    assert weights_of(tmp_path / "pulled") == weights_of(tmp_path / "later")


def test_what_was_pulled_and_pushed_again_changes_nothing(client, model, tmp_path):
    push(model)
    pull_model(NAME, tmp_path / "pulled")
    assert push(tmp_path / "pulled").num_changed == 0


def test_a_folder_that_holds_something_is_not_pulled_into(client, model):
    push(model)
    with pytest.raises(BuildError, match="not empty"):
        pull_model(NAME, model)


def test_damage_on_the_way_is_found_and_the_next_pull_goes_on(client, model, tmp_path):
    push(model)
    client.fail("GET .*model.safetensors", 200, first=client.garble_next)
    with pytest.raises(HubError, match=r"not what the hub states by checksum.*model\.safetensors"):
        pull_model(NAME, tmp_path / "pulled")
    assert not (tmp_path / "pulled").exists()
    pull_model(NAME, tmp_path / "pulled")
    assert weights_of(tmp_path / "pulled") == weights_of(model)


def test_files_that_are_no_part_of_a_model_are_not_pulled(client, model, tmp_path):
    push(model)
    replaced(client, **{"modeling.py": b"print('run me')", "pytorch_model.bin": b"pickle"})
    pull_model(NAME, tmp_path / "pulled")
    assert not list((tmp_path / "pulled").glob("*.py"))
    assert not list((tmp_path / "pulled").glob("*.bin"))


@pytest.mark.parametrize("name", ["../outside.txt", "examples/../../outside.png", "C:\\outside.txt"])
def test_a_file_that_leads_out_of_the_folder_is_refused(client, model, tmp_path, name):
    push(model)
    replaced(client, **{name: b"x"})
    with pytest.raises(HubError, match="leads out of its folder"):
        pull_model(NAME, tmp_path / "inner" / "pulled")
    assert not list(tmp_path.glob("**/outside*"))


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"train.csv": b"a,b\n"}, r"no config\.json and no model\.safetensors"),
        ({"config.json": b"{}"}, r"no model\.safetensors"),
        ({"config.json": b'{"model_type": "bert"}', "model.safetensors": b"x"}, "that of something else"),
        ({"config.json": b"[1", "model.safetensors": b"x"}, "that of something else"),
    ],
)
def test_a_repository_that_is_no_model_of_ours_is_refused_before_its_weights_come(client, tmp_path, files, why):
    client.create(REPO, files)
    with pytest.raises(HubError, match=rf"no model of p2p-model: .*{why}"):
        pull_model(NAME, tmp_path / "pulled")
    assert not client.count(r"GET .*model\.safetensors")


def test_a_model_of_a_later_format_asks_for_a_later_version(client, model, tmp_path):
    push(model)
    config = json.loads((model / "config.json").read_text()) | {"format": 2}
    replaced(client, config=json.dumps(config).encode())
    with pytest.raises(CheckpointError, match="newer"):
        pull_model(NAME, tmp_path / "pulled")


def test_weights_of_another_network_are_refused(client, model, tmp_path):
    push(model)
    config = (model / "config.json").read_text().replace('"width": 2', '"width": 4')
    replaced(client, config=config.encode())
    with pytest.raises(CheckpointError, match="those of another network"):
        pull_model(NAME, tmp_path / "pulled")
    assert not (tmp_path / "pulled").exists()


# --- used by its name


def test_a_model_is_loaded_by_its_name_and_fetched_once(client, model):
    push(model)
    folder = find_model(Path(NAME))
    assert weights_of(folder) == weights_of(model)
    assert (folder / "examples" / "0.png").is_file()
    num_requests = client.count(r"GET .*model\.safetensors")
    assert find_model(Path(NAME)) == folder
    assert client.count(r"GET .*model\.safetensors") == num_requests == 1


def test_a_new_commit_is_noticed_and_a_revision_is_kept_to(client, model, tmp_path):
    push(model, revision="v1")
    push(write_model(tmp_path / "later", seed=1))
    assert weights_of(find_model(Path(NAME))) == weights_of(tmp_path / "later")
    assert weights_of(find_model(Path(f"{NAME}@v1"))) == weights_of(model)


def test_offline_the_cache_counts_and_without_it_that_is_told(client, model, monkeypatch):
    push(model)
    folder = find_model(Path(NAME))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert find_model(Path(NAME)) == folder
    with pytest.raises(HubError, match=r"not on this machine yet.*HF_HUB_OFFLINE.*while the hub can be reached"):
        find_model(Path("owner/never-seen"))


def test_without_a_network_the_cache_counts(client, model, monkeypatch):
    push(model)
    folder = find_model(Path(NAME))
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert find_model(Path(NAME)) == folder


def test_a_damaged_cache_is_found_and_mended(client, model):
    push(model)
    weights = find_model(Path(NAME)) / "model.safetensors"
    weights.resolve().write_bytes(weights.read_bytes()[::-1])
    with pytest.raises(HubError, match=r"checksum.*same command again"):
        find_model(Path(NAME))
    assert weights_of(find_model(Path(NAME))) == weights_of(model)


def test_a_cache_that_stores_what_several_repositories_share_elsewhere_is_whole_too(client, model, tmp_path):
    push(model)
    weights = find_model(Path(NAME)) / "model.safetensors"
    blob, shared = weights.resolve(), tmp_path / "cache" / "blobs" / ("f" * 64)  # as the hub's client does with Xet
    shared.parent.mkdir()
    blob.rename(shared)
    blob.symlink_to(shared)
    assert weights_of(find_model(Path(NAME))) == weights_of(model)
    shared.write_bytes(shared.read_bytes()[::-1])
    with pytest.raises(HubError, match="checksum"):
        find_model(Path(NAME))
    assert weights_of(find_model(Path(NAME))) == weights_of(model)


def test_a_folder_here_wins_and_a_mistyped_one_is_not_asked_for_on_the_hub(client, model, tmp_path):
    push(model)
    write_model(tmp_path / "owner" / "discs", seed=1)
    assert find_model(Path(NAME)) == Path(NAME)
    assert find_model(Path("owner/dixs")) == Path("owner/dixs")
    with pytest.raises(CheckpointError, match="no such run or model"):
        load_model(find_model(Path("owner/dixs")))
    assert not client.count("dixs")


def test_a_name_that_is_nowhere_is_told_for_both(client):
    with pytest.raises(HubError, match=r"no folder owner/nowhere, and on the hub: there is no such model"):
        find_model(Path("owner/nowhere"))


def test_the_commands_take_a_name_in_place_of_a_folder(client, model, tmp_path):
    write_png(tmp_path / "in" / "a.png", np.full((32, 32, 3), 90, np.uint8))
    runner = CliRunner()
    pushed = runner.invoke(app, ["push", str(model), NAME])
    assert "4 files" in pushed.output
    assert "one commit" in pushed.output
    assert "names no licence" in pushed.output
    assert "nothing was uploaded" in runner.invoke(app, ["push", str(model), NAME]).output
    for number, named in enumerate((NAME, str(model))):
        ended = runner.invoke(app, ["translate", named, "in", "--out", str(number), "--device", "cpu"])
        assert ended.exit_code == 0, ended.output
    assert (tmp_path / "0" / "a.png").read_bytes() == (tmp_path / "1" / "a.png").read_bytes()
    assert "pulled into discs" in runner.invoke(app, ["pull", NAME]).output


class Published(UNet, PyTorchModelHubMixin):
    """A generator as anybody would write it who has only the hub's client."""

    def __init__(self, spec: dict) -> None:
        super().__init__(GeneratorSpec(**spec))


def test_the_mixin_of_the_hub_reads_the_files(client, model, monkeypatch):
    push(model)
    read = Published.from_pretrained(NAME, strict=True)
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    ours = load_model(model).generator
    mean_of_batch = {name: value.tolist() for name, value in read.state_dict().items()}
    assert mean_of_batch == weights_of(model)
    torch.testing.assert_close(read.eval()(x), ours(x), atol=1e-6, rtol=0)  # sums may be taken in another order


# --- foul weather


def test_without_a_token_it_says_how_to_get_one_and_shows_none(client, model, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="hf auth login"):
        push(model)
    monkeypatch.setenv("HF_TOKEN", "hf_guest")
    with pytest.raises(HubError, match="your token may not do this") as caught:
        push(model)
    assert "hf_guest" not in str(caught.value)
    assert client.num_bytes_uploaded == 0


@pytest.mark.parametrize("status", [503, CUT])
def test_a_commit_that_fails_twice_is_tried_again(client, model, status):
    client.fail("POST .*/commit/", status, times=2)
    push(model)
    assert num_commits(client) == 1


def test_a_hub_that_stays_busy_is_told_and_the_next_push_goes_on(client, model):
    client.fail("POST .*/commit/", 503, times=99)
    with pytest.raises(HubError, match=r"status 503.*same command again"):
        push(model)
    client.mend()
    num_puts = client.count("PUT ")
    push(model)
    assert (client.count("PUT "), num_commits(client)) == (num_puts, 1)


def test_a_missing_repository_is_told_to_who_pulls(client, tmp_path):
    with pytest.raises(HubError, match=r"there is no such model, or it is private"):
        pull_model(NAME, tmp_path / "pulled")
    with pytest.raises(UsageError, match="name of a model"):
        pull_model("discs", tmp_path / "pulled")
