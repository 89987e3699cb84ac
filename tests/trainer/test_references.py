from __future__ import annotations

from pathlib import Path

import pytest

from pix2pix_model.recipe import Recipe
from pix2pix_model.recipe_file import load_recipe
from pix2pix_model.references import REFERENCES, apply_reference


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text('[data]\npath = "pairs"\n[train]\nepochs = 15\n')
    return path


def said_by(recipe: Recipe, keys: list[str]) -> dict[str, object]:
    return {key: getattr(getattr(recipe, key.split(".")[0]), key.split(".")[1]) for key in keys}


def test_the_defaults_are_those_of_the_pytorch_code(tmp_path):
    (tmp_path / "bare.toml").write_text('[data]\npath = "pairs"\n')
    bare = load_recipe(tmp_path / "bare.toml")
    assert said_by(bare, list(REFERENCES["pytorch"])) == REFERENCES["pytorch"]
    applied = apply_reference("pytorch", tmp_path / "bare.toml")
    assert load_recipe(tmp_path / "bare.toml", applied.overrides) == bare


def test_the_two_codes_differ_in_all_that_a_reference_sets():
    torch, pytorch = REFERENCES["torch"], REFERENCES["pytorch"]
    assert torch.keys() == pytorch.keys()
    assert all(torch[key] != pytorch[key] for key in torch)


def test_torch_sets_what_the_recipe_does_not_say(path):
    applied = apply_reference("torch", path, ["loss.stale_logits=false"])
    recipe = load_recipe(path, ["loss.stale_logits=false", *applied.overrides])
    own = {"train.epochs": 15, "loss.stale_logits": False}
    assert said_by(recipe, list(REFERENCES["torch"])) == REFERENCES["torch"] | own
    assert applied.kept == ["loss.stale_logits is false, not true", "train.epochs is 15, not 200"]


def test_what_a_base_says_stands_too(path):
    path.with_name("above.toml").write_text('base = "mine.toml"\n')
    assert apply_reference("torch", path.with_name("above.toml")) == apply_reference("torch", path)


def test_what_the_torch_code_does_otherwise_is_said_where_the_setting_is_described():
    for key in REFERENCES["torch"]:
        section, _, setting = key.partition(".")
        description = Recipe.model_fields[section].annotation.model_fields[setting].description
        assert "torch" in description.lower() or description == "As the generator's.", key
