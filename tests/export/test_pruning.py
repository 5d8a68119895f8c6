"""A pruned network is smaller, is named by its recipe, keeps the strongest channels, and trains on."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mien.contract.errors import MissingExtraError, RecipeError
from mien.data.faceset import FaceSet
from mien.export.checkpoint import Checkpoint
from mien.export.onnx import export_run
from mien.export.pruning import prune, prune_run
from mien.recognition.classifier import Classifier
from mien.train.devices import Machine
from mien.train.network import FaceClassifier
from mien.train.recipe import load_recipe
from mien.train.run import Run

TINY = Path(__file__).parent / "tiny.yaml"


def wide(run: Run) -> Checkpoint:
    """A network of 16, 16, 32 and 64 channels of which the odd ones do nothing."""
    recipe = load_recipe(TINY, ["network.args.widths=[16, 16, 32, 64]"])
    torch.manual_seed(0)
    classifier = FaceClassifier.build(recipe, 7).eval()
    with torch.no_grad():
        for module in classifier.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.weight[1::2] *= 1e-6
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight[1::2] = 1e-6
    return replace(Checkpoint.of(run), recipe=recipe.model_dump(mode="json"), classifier=classifier)


def test_what_does_nothing_is_what_goes(run: Run, toy: FaceSet) -> None:
    checkpoint = wide(run)
    pruned = prune(checkpoint, 0.5)
    assert pruned.recipe.network.args["widths"] == [8, 8, 16, 32]
    assert pruned.recipe.name == "tiny-pruned"
    total = sum(weight.numel() for weight in pruned.classifier.parameters())
    assert pruned.parameters == (sum(weight.numel() for weight in checkpoint.classifier.parameters()), total)
    assert pruned.multiplications[1] < 0.3 * pruned.multiplications[0]
    faces = torch.from_numpy(toy.faces_NHW[:8])
    with torch.inference_mode():
        torch.testing.assert_close(pruned.classifier(faces), checkpoint.classifier(faces), atol=1e-3, rtol=1e-3)


def test_it_trains_on_and_exports_like_any_run(run: Run, toy: FaceSet, tmp_path: Path) -> None:
    cpu = Machine(accelerator="cpu")
    smaller, pruned, between = prune_run(
        Checkpoint.of(run), toy, ratio=0.5, epochs=1, runs=tmp_path, machine=cpu, name="half"
    )
    assert smaller.folder == tmp_path / "tiny-pruned" / "half"
    start = torch.load(smaller.folder.with_name("half-start.pth"), weights_only=True)
    for name, weight in pruned.classifier.network.state_dict().items():
        torch.testing.assert_close(start[name], weight)
    assert Run.read(smaller.folder).recipe.optimizer.lr == pytest.approx(run.recipe.optimizer.lr / 5)
    assert 0 <= between <= 1 and smaller.facts["best"]["epoch"] == 1
    card, parity = export_run(smaller, toy, tmp_path / "half.onnx")
    assert parity.difference <= 1e-4
    assert [(parent.name, parent.relation) for parent in card.parents] == [("half-start.pth", "fine-tuned from")]
    assert card.provenance["parameters"] == pruned.parameters[1] < pruned.parameters[0]
    assert Classifier(tmp_path / "half.onnx")(toy.faces_NHW[:3]).shape == (3, 7)


@pytest.mark.parametrize("ratio", [0.0, 1.0, -1.0])
def test_impossible_shares(run: Run, ratio: float) -> None:
    with pytest.raises(RecipeError, match="above 0 and below 1"):
        prune(Checkpoint.of(run), ratio)


def test_a_share_that_takes_nothing(run: Run) -> None:
    with pytest.raises(RecipeError, match=r"takes nothing away from widths \[8, 16, 16, 16\]"):
        prune(Checkpoint.of(run), 0.01)


def test_another_network_is_refused(run: Run) -> None:
    recipe = load_recipe(TINY, ["network.name=resnet18", "network.args={}"])
    with pytest.raises(RecipeError, match="pruning is for faceresnet"):
        prune(replace(Checkpoint.of(run), recipe=recipe.model_dump(mode="json")), 0.5)


def test_the_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_pruning", None)
    with pytest.raises(MissingExtraError, match=r"torch-pruning is not installed; .*mien\[prune\]"):
        prune(Checkpoint.of(run), 0.5)
