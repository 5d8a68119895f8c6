"""What scripts/short_recipes.py says of the published recipes holds; the runs themselves take minutes."""

import argparse
import importlib.util
import sys
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


def test_every_entry_of_the_queue_is_a_training_that_can_start(tmp_path: Path) -> None:
    path = Path(__file__).parents[1] / "experiments" / "run_queue.py"
    spec = importlib.util.spec_from_file_location("run_queue", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["run_queue"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    jobs = module.read_queue()
    assert len({(job.name, job.seed) for job in jobs}) == len(jobs) >= 6
    for job in jobs:
        changes = [value for option, value in zip(job.what[::2], job.what[1::2], strict=True) if option == "--set"]
        recipe = load_recipe(job.recipe, changes)
        assert (recipe.field is not None) == job.field
    first = jobs[0]
    assert "--resume" not in first.command(Path("data"), Path("crops"), tmp_path, [])
    folder = first.folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "last.ckpt").touch()
    assert first.command(Path("data"), Path("crops"), tmp_path, ["--devices", "2"])[4:6] == ["--resume", str(folder)]
    (folder / "run.json").write_text('{"best": {}}')
    assert first.finished(tmp_path) and not jobs[1].finished(tmp_path)
