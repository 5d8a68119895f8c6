"""Recipes: what they extend, what overrides change, and one line for each mistake."""

from pathlib import Path

import pytest

from mien.contract.errors import RecipeError
from mien.train.config import VotesConfig
from mien.train.recipe import load_recipe, recipe_names


def test_every_built_in_recipe_resolves_and_survives_a_round_trip(tmp_path: Path) -> None:
    assert "base" in recipe_names()
    for name in recipe_names():
        recipe = load_recipe(name)
        saved = tmp_path / "saved.yaml"
        saved.write_text(recipe.to_yaml())
        assert load_recipe(saved) == recipe
        assert load_recipe(saved).sha256 == recipe.sha256


def test_overrides_reach_into_sections() -> None:
    recipe = load_recipe("base", ["epochs=3", "optimizer.lr=0.5", "average=null", "augment.scale=[0.9, 1.1]"])
    assert (recipe.epochs, recipe.optimizer.lr, recipe.average, recipe.augment.scale) == (3, 0.5, None, (0.9, 1.1))
    assert recipe.sha256 != load_recipe("base").sha256


def test_extends_changes_only_what_it_says(tmp_path: Path) -> None:
    child = tmp_path / "child.yaml"
    child.write_text("extends: base\nepochs: 2\noptimizer: {lr: 0.25}\n")
    recipe, base = load_recipe(child), load_recipe("base")
    assert recipe.name == "child"
    assert (recipe.epochs, recipe.optimizer.lr) == (2, 0.25)
    assert recipe.optimizer.weight_decay == base.optimizer.weight_decay
    assert recipe.network == base.network


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epoch=3", "epoch: no such key; there are: name, description, network"),
        ("optimizer.lrr=3", "optimizer.lrr: no such key; there are: name, lr"),
        ("average.dekay=0.9", "average.dekay: no such key; there are: name, decay"),
        ("optimizer.lr=-1", "optimizer.lr: Input should be greater than 0 (got -1)"),
        ("epochs=0", "epochs: Input should be greater than or equal to 1 (got 0)"),
        ("epochs", "--set epochs: expected key=value"),
        ("epochs.x=1", "--set epochs.x=1: epochs is not a section"),
        ("precision=fp8", "precision: Input should be '32', 'bf16' or 'fp16' (got 'fp8')"),
        ("network.mean=[1, 2]", "network: expected mean and std of 1 or 1 numbers"),
        ("network.head={hidden: [8], drop: [0.1]}", "network.head: expected 2 numbers in drop, got 1"),
        ("phases=[{train: tail, epochs: 1}]", "phases.0.train"),
        ("epochs=[", "--set epochs=[: the value is not valid YAML"),
        ("seed=2020-99-99", "--set seed=2020-99-99: the value is not valid YAML"),
        (
            "phases=[{train: head, epochs: 1, optimizer: {rate: 1}}]",
            "phases.0.optimizer.rate: no such key; there are: name",
        ),
        ("augment.scale=[2, 1]", "augment: expected scale as [smallest, largest] between 0.1 and 10, got [2, 1]"),
        ("batch_size=99999999999", "less than or equal to 65536 (got 99999999999)"),
        ("name=../../../etc/x", "name: it names a file or folder: expected letters, digits"),
        ("artefacts={../x.pth: best}", "artefacts.../x.pth.[key]: it names a file or folder"),
    ],
)
def test_a_mistake_is_one_clear_line(override: str, message: str) -> None:
    with pytest.raises(RecipeError) as error:
        load_recipe("base", [override])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_unknown_recipes_and_circles_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no recipe 'bsae'; built in: .*base"):
        load_recipe("bsae")
    with pytest.raises(RecipeError, match="no such recipe file"):
        load_recipe(tmp_path / "none.yaml")
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(f"extends: {other}\n")
    other.write_text(f"extends: {one}\n")
    with pytest.raises(RecipeError, match="extends itself"):
        load_recipe(one)


def test_phases_inherit_what_they_do_not_say() -> None:
    recipe = load_recipe("fer2013-v2s")
    first, second = recipe.resolved_phases()
    assert (first.train, second.train) == ("head", 30)
    assert first.optimizer is not None
    assert second.optimizer is not None
    assert (first.optimizer.lr, second.optimizer.lr) == (2e-4, 2e-5)
    assert first.schedule == recipe.schedule
    (only,) = load_recipe("base").resolved_phases()
    assert (only.train, only.epochs, only.optimizer) == ("all", 46, load_recipe("base").optimizer)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\xff", "not text in UTF-8, so no YAML; give the .yaml file"),
        (b"epochs: \x00", "is not valid YAML: .*special characters are not allowed"),
        (b"epochs: 3\nseed: 1\nepochs: 4\n", "the key 'epochs' appears twice in .*line 3"),
        (b"optimizer:\n  lr: 1\n  lr: 2\n", "the key 'lr' appears twice"),
        (b"? [a, b]\n: 1\n", "not valid YAML"),
        (b"1: 2\n", "expected keys and values such as epochs: 30, found keys that are not text"),
        (b"- a\n", "expected keys and values such as epochs: 30, found list"),
        (b"seed: 2020-99-99\n", "not valid YAML"),
        (b"[" * 5000, "not valid YAML"),
        (b"#" * 2_000_000, "2,000,000 bytes is too large to be a recipe"),
    ],
    ids=["binary", "nul", "twice", "twice-inside", "list-key", "number-key", "list", "date", "deep", "large"],
)
def test_a_damaged_file_is_one_clear_line(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=message) as error:
        load_recipe(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_file_extends_what_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "ours.yaml").write_text("extends: base\nepochs: 7\n")
    (tmp_path / "recipes" / "mine.yaml").write_text("extends: ours.yaml\nseed: 5\n")
    (tmp_path / "ours.yaml").write_text("extends: base\nepochs: 99\n")  # of the working directory: not meant
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe("recipes/mine.yaml")
    assert (recipe.name, recipe.epochs, recipe.seed) == ("mine", 7, 5)
    (tmp_path / "recipes" / "mine.yaml").write_text("extends: none.yaml\n")
    with pytest.raises(RecipeError, match="recipes/none.yaml: no such recipe file; built in are: audit, base"):
        load_recipe("recipes/mine.yaml")


def test_a_section_that_is_off_can_be_turned_on() -> None:
    assert load_recipe("base", ["votes.weight=0.5"]).votes == VotesConfig(weight=0.5)
