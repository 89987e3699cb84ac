"""docs/recipes.md is in step with the recipes and with the models that check them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from pix2pix_model.recipe import Recipe
from pix2pix_model.shipped import shipped_recipes

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("recipes_page", ROOT / "tools" / "recipes_page.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_models_and_recipes_say(writer):
    page = writer.PAGE.read_text(encoding="utf-8")
    assert page == writer.updated(page), "run: python tools/recipes_page.py"


def test_the_page_names_every_recipe_and_every_setting(writer):
    page = writer.PAGE.read_text(encoding="utf-8")
    for shipped in shipped_recipes():
        assert f"\n| [`{shipped.name}`](../recipes/{shipped.name}.toml) | " in page
    for section, field in Recipe.model_fields.items():
        rows = page.partition(f"### [{section}]")[2].partition("\n### ")[0]
        for key in getattr(field.annotation, "model_fields", {}):
            assert f"\n| `{key}` | " in rows


def test_a_table_that_has_gone_stale_is_written_anew(writer):
    page = "before\n<!-- references -->\nof yesterday\n<!-- /references -->\nafter\n"
    made = writer.updated(page)
    assert made.startswith("before\n<!-- references -->\n")
    assert made.endswith("\n<!-- /references -->\nafter\n")
    assert '| `generator.dropout_at` | `"torch"` | `"pytorch"` |' in made
    assert "of yesterday" not in made
