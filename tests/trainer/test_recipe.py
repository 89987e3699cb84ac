from __future__ import annotations

from pathlib import Path

import pytest

from pix2pix_data.errors import RecipeError
from pix2pix_model.recipe import DataSettings, Recipe, to_toml
from pix2pix_model.recipe_file import load_recipe
from pix2pix_model.shipped import find_recipe


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def fault_of(tmp_path: Path, text: str, *overrides: str) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(tmp_path, text), overrides)
    return caught.value.what


def test_defaults_are_those_of_the_authors_pytorch_code():
    recipe = Recipe(data=DataSettings(path=Path("pairs")))
    data, train, loss = recipe.data, recipe.train, recipe.loss
    assert (data.load_size, data.crop_size) == ((286, 286), (256, 256))
    assert (data.mirror, data.direction) == (True, "AtoB")
    assert (train.epochs, train.decay_epochs, train.batch, train.learning_rate) == (100, 100, 1, 2e-4)
    assert (train.beta1, train.beta2, loss.l1, loss.gan, loss.discriminator_factor) == (0.5, 0.999, 100, "vanilla", 0.5)
    assert (recipe.generator.dropout_at, recipe.generator.dropout) == ("pytorch", 0.5)


def test_all_faults_are_told_at_once(tmp_path):
    text = """
    [data]
    lode_size = 286
    crop_size = 300
    epochs = 3
    direction = "AtoBB"
    [train]
    epochs = "many"
    batch = 0
    [generator]
    name = "unett"
    [discriminator]
    name = "patchgen"
    [lss]
    l1 = 10
    """
    faults = fault_of(tmp_path, text, "train.seeed=3", "train", "log.num_samples=0").splitlines()
    assert faults[0] == "the recipe has 13 faults"
    expected = [
        "--set train: should be section.key=value, such as train.epochs=20",
        "data.path: is required",
        "data.direction: should be 'AtoB' or 'BtoA', not 'AtoBB'; did you mean 'AtoB'?",
        "data.crop_size: should be at most data.load_size (286), not 300",
        "data.lode_size: no such setting; did you mean data.load_size?",
        "data.epochs: no such setting; did you mean train.epochs?",
        "train.epochs: should be a valid integer, not 'many'",
        "train.batch: should be greater than or equal to 1, not 0",
        "train.seeed: no such setting; did you mean train.seed?",
        "log.num_samples: should be greater than or equal to 1, not 0",
        "lss: no such section; did you mean loss?",
        "generator.name: no generator is called 'unett'; did you mean 'unet'?",
        "discriminator.name: no discriminator is called 'patchgen'; did you mean 'patchgan'?",
    ]
    assert sorted(line.strip() for line in faults[1:]) == sorted(expected)


def test_a_slip_of_toml_is_told_with_its_line(tmp_path):
    assert "line 2" in fault_of(tmp_path, "[data]\npath = pairs\n")


def test_a_value_in_place_of_a_section_is_told(tmp_path):
    assert "train: should be a section" in fault_of(tmp_path, 'train = 3\n[data]\npath = "p"\n', "train.epochs=1")


def test_an_empty_recipe_asks_for_the_data(tmp_path):
    assert 'data.path: is required, such as data.path = "shoes-edges"' in fault_of(tmp_path, "")


def test_overrides_replace_settings_of_the_file(tmp_path):
    path = write(tmp_path, '[data]\npath = "pairs"\n[train]\nepochs = 5\n')
    recipe = load_recipe(path, ["train.epochs=7", "data.mirror=false", "data.path=other", "train.learning_rate=1e-3"])
    assert (recipe.train.epochs, recipe.data.mirror, recipe.data.path) == (7, False, Path("other"))
    assert recipe.train.learning_rate == 1e-3


@pytest.mark.parametrize("folder", ["2024", "true", "a=b", '"quoted"', "C:/photos"])
def test_a_path_is_text_whatever_it_looks_like(tmp_path, folder):
    path = write(tmp_path, '[data]\npath = "pairs"\n')
    assert load_recipe(path, [f"data.path={folder}"]).data.path == Path(folder.strip('"'))


def test_a_recipe_is_named_after_its_file(tmp_path):
    assert load_recipe(write(tmp_path, '[data]\npath = "pairs"\n')).name == "mine"


def test_a_missing_recipe_names_the_nearest(tmp_path):
    write(tmp_path, "")
    with pytest.raises(RecipeError, match=r"did you mean .*mine.toml"):
        load_recipe(tmp_path / "mime.toml")
    with pytest.raises(RecipeError, match=r"did you mean facades\?"):
        load_recipe(tmp_path / "nowhere" / "facade.toml")
    with pytest.raises(RecipeError, match=r"did you mean ablations/patch-16\?"):
        load_recipe(Path("patch-16"))
    with pytest.raises(RecipeError, match=r"that ship with p2p are .*edges2shoes.*your-dataset"):
        load_recipe(tmp_path / "nowhere" / "zzz.toml")


def test_a_shipped_recipe_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for meant in ("facades", "facades.toml", "recipes/facades.toml"):
        assert load_recipe(find_recipe(Path(meant))).name == "facades"
    for meant in ("ablations/patch-16", "ablations/patch-16.toml", "recipes/ablations/patch-16.toml"):
        assert load_recipe(find_recipe(Path(meant))).discriminator.patch == 16
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "facades.toml").write_text('[data]\npath = "mine"\n')
    assert load_recipe(find_recipe(Path("recipes/facades.toml"))).data.path == Path("mine"), "one's own comes first"
    assert not find_recipe(Path("elsewhere/facades.toml")).exists()


def test_a_resolved_recipe_reads_back_as_the_same(tmp_path):
    data = DataSettings(path=Path('odd "name"/ü'), source="a\\b\n\tc", load_size=64, crop_size=64, mirror=False)
    recipe = Recipe(name="x", data=data)
    assert load_recipe(write(tmp_path, to_toml(recipe))) == recipe


@pytest.mark.parametrize(
    ("setting", "told"), [("data.also=x:A", "further datasets"), ("train.order=drawn", "shuffled")]
)
def test_what_does_not_go_with_streaming_is_told(tmp_path, setting, told):
    setting = setting.replace("x:A", '["x:A"]')
    assert told in fault_of(tmp_path, '[data]\npath = "pairs"\nstream = 40\n', setting)


def test_a_size_is_a_number_or_height_and_width(tmp_path):
    path = write(tmp_path, '[data]\npath = "pairs"\nload_size = [286, 572]\ncrop_size = [256, 512]\n')
    recipe = load_recipe(path)
    assert (recipe.data.crop_size.height, recipe.data.crop_size.width) == (256, 512)
    assert "crop_size = [256, 512]" in to_toml(recipe)
    assert load_recipe(write(tmp_path, to_toml(recipe))) == recipe
    assert "\nload_size = 300 " in to_toml(load_recipe(path, ["data.load_size=300", "data.crop_size=[256, 300]"]))


@pytest.mark.parametrize("size", ["8", "true", "[256]", "256.0", '"256"', "[256, 512, 3]", "[256, 5000]"])
def test_a_size_that_is_none_is_told_once(tmp_path, size):
    fault = fault_of(tmp_path, '[data]\npath = "pairs"\n', f"data.load_size={size}")
    assert "1 fault" in fault
    assert "should be a number from 16 to 4096, or [height, width]" in fault


def test_a_cut_wider_than_the_picture_is_told(tmp_path):
    fault = fault_of(tmp_path, '[data]\npath = "pairs"\ncrop_size = [256, 512]\n')
    assert "data.crop_size: should be at most data.load_size (286), not 512x256" in fault


def test_a_recipe_may_say_no_more_than_how_it_differs_from_another(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "ground.toml").write_text('name = "ground"\n[data]\npath = "pairs"\n[train]\nepochs = 5\nbatch = 3\n')
    (tmp_path / "inner" / "middle.toml").write_text('base = "../ground.toml"\n[train]\nepochs = 7\n')
    recipe = load_recipe(write(tmp_path, 'base = "inner/middle.toml"\n[loss]\nl1 = 10.0\n'), ["train.seed=3"])
    assert (recipe.data.path, recipe.train.epochs, recipe.train.batch) == (Path("pairs"), 7, 3)
    assert (recipe.name, recipe.loss.l1, recipe.train.seed) == ("mine", 10, 3)
    assert load_recipe(write(tmp_path, to_toml(recipe))) == recipe, "the saved recipe stands alone"


def test_a_recipe_may_stand_on_one_that_ships(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facades").mkdir()  # the dataset
    mine, shipped = load_recipe(write(tmp_path, 'base = "facades"\n')), load_recipe(find_recipe(Path("facades")))
    assert mine.model_copy(update={"name": "facades"}) == shipped


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("base = 3", "base: should be the file or the name of a recipe, not 3"),
        ('base = "fasades"', "base: there is no such recipe as 'fasades'.*did you mean facades?"),
        ('base = "mine.toml"', "the recipe stands on itself, by base = 'mine.toml'"),
        ('bse = "facades"', "bse: no such setting; did you mean base?"),
    ],
)
def test_a_wrong_base_is_told(tmp_path, text, fault):
    with pytest.raises(RecipeError, match=fault):
        load_recipe(write(tmp_path, text))


def test_faults_of_a_base_are_told_with_those_of_the_recipe(tmp_path):
    (tmp_path / "ground.toml").write_text('[data]\npath = "pairs"\n[train]\nepochs = "many"\n')
    faults = fault_of(tmp_path, 'base = "ground.toml"\n[train]\nbatch = 0\n', "base=facades")
    assert "the recipe has 3 faults" in faults
    assert "train.epochs: should be a valid integer, not 'many'" in faults
    assert "the base of a recipe is said at the head of its file" in faults


def test_every_setting_is_described():
    for section in Recipe.model_fields.values():
        for field in getattr(section.annotation, "model_fields", {}).values():
            assert field.description
