"""What scripts/short_recipes.py says of the published recipes holds; the runs themselves take minutes."""

import argparse
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

from mien.train.network import FaceClassifier
from mien.train.recipe import load_recipe

RECIPES = ("moodquest", "kaggle-b0", "two-phase-b0", "timm-b0", "fer2013-v2s")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = Path(__file__).parents[1] / "scripts" / "short_recipes.py"
    spec = importlib.util.spec_from_file_location("short_recipes", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", RECIPES)
def test_the_plain_network_takes_the_recipe_s_weights(name: str, script: ModuleType) -> None:
    with torch.device("meta"):
        ours = FaceClassifier.build(load_recipe(name), classes=7).network.state_dict()
        plain = script.NETWORKS[name]().state_dict()
    assert {key: weight.shape for key, weight in plain.items()} == {key: weight.shape for key, weight in ours.items()}


@pytest.mark.parametrize("name", RECIPES)
def test_a_shortened_recipe_differs_in_what_the_script_says_alone(name: str, script: ModuleType) -> None:
    whole = load_recipe(name)
    options = argparse.Namespace(pretrained=False, side=48, fraction=0.1, epochs=3)
    short = load_recipe(name, script.shortened(whole, options))
    assert [phase.epochs for phase in short.resolved_phases()] == [3] * len(whole.resolved_phases())
    assert short.data.fraction == pytest.approx(whole.data.fraction / 10)
    network = {"pretrained": True, "input_side": 224, "mirror": True}
    phases = tuple(b.model_copy(update={"epochs": a.epochs}) for a, b in zip(whole.phases, short.phases, strict=True))
    restored = short.model_copy(
        update={
            "network": short.network.model_copy(update=network),
            "data": whole.data,
            "precision": whole.precision,
            "epochs": whole.epochs,
            "phases": phases,
        }
    )
    assert restored == whole
