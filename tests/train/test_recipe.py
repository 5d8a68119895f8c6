from pathlib import Path

import pytest

from mien.contract.errors import RecipeError
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
        ("network.mean=[1, 2]", "network: Value error, expected mean and std of 1 or 1 numbers"),
        ("network.head={hidden: [8], drop: [0.1]}", "network.head: Value error, expected 2 numbers in drop, got 1"),
        ("phases=[{train: tail, epochs: 1}]", "phases.0.train"),
        ("epochs=[", "--set epochs=[: the value is not valid YAML"),
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
