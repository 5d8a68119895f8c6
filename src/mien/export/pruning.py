"""Fewer channels: a trained network loses the weakest of them and is trained on for a few epochs.

    run = prune_run(Checkpoint.open(Path("runs/base/…")), faces, ratio=0.5, epochs=5, runs=Path("runs"))

Torch-Pruning (Fang et al. 2023, arXiv:2301.12900) removes whole channels and knows which layers must lose the same
ones. The result is a smaller dense network, which is faster everywhere without support for sparsity. Every layer loses
the same share, the channels of the least magnitude first. So the pruned network is again a ``faceresnet``, with other
widths, and its run folder trains, resumes and exports like any other. Widths stay multiples of 8, the unit of CPUs'
vector code.

Not here: networks of timm, whose pruned shapes no recipe could name.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from mien.contract.atomic_files import write_whole
from mien.contract.errors import MissingExtraError, RecipeError
from mien.data.faceset import FaceSet
from mien.evaluate.scoring import predict_all
from mien.export.checkpoint import Checkpoint
from mien.export.serving import ServingModel, on_arrays
from mien.train.config import Recipe
from mien.train.devices import Machine
from mien.train.fit import fit
from mien.train.network import FaceClassifier, FaceResNet, ResidualBlock
from mien.train.run import Run, torch_bytes

MULTIPLE = 8
"""Of channels that a layer keeps."""

SHARE_OF_RATE = 0.2
"""Share of the recipe's peak learning rate after pruning: enough to recover, too little to start over."""


@dataclass(frozen=True)
class Pruned:
    """A pruned network before it is trained on, and its size beside that of the whole one.

    Attributes:
        recipe: names its widths.
        classifier: on the CPU, in eval mode.
        parameters: before and after.
        multiplications: of one face (one of the two mirror images), before and after.
    """

    recipe: Recipe
    classifier: FaceClassifier
    parameters: tuple[int, int]
    multiplications: tuple[int, int]


def prune(checkpoint: Checkpoint, ratio: float) -> Pruned:
    """Take ``ratio`` of the channels of every layer away.

    Args:
        checkpoint: of a ``faceresnet``.
        ratio: above 0 and below 1; widths become the nearest multiple of 8, and not less.

    Raises:
        RecipeError: another network, an impossible ratio, or one that takes nothing away.
    """
    try:
        import torch_pruning
    except ImportError:
        raise MissingExtraError("torch-pruning", "prune") from None
    recipe = checkpoint.trainable_recipe()
    if recipe.network.name != "faceresnet":
        raise RecipeError(
            f"pruning is for faceresnet: the pruned shape of {recipe.network.name} has no name of its own"
        )
    if not 0 < ratio < 1:
        raise RecipeError(f"expected a share of the channels above 0 and below 1, got {ratio:g}")
    network = copy.deepcopy(checkpoint.classifier.network)
    assert isinstance(network, FaceResNet)
    side = checkpoint.classifier.input_side
    example = torch.zeros(1, recipe.network.channels, side, side)
    before = torch_pruning.utils.count_ops_and_params(network, example)
    pruner = torch_pruning.pruner.BasePruner(
        network,
        example,
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=0,
        pruning_ratio_dict={layer: _share(layer.out_channels, ratio) for layer in _convolutions(network)},
        ignored_layers=[network.head],
    )
    pruner.step()
    after = torch_pruning.utils.count_ops_and_params(network, example)
    widths = _widths(network)
    if widths == _widths(checkpoint.classifier.network):
        raise RecipeError(f"{checkpoint.path}: a ratio of {ratio:g} takes nothing away from widths {widths}")
    args = {**recipe.network.args, "widths": widths}
    named = {"args": args, "weights": None, "pretrained": False}
    smaller = recipe.model_copy(
        update={
            "name": f"{recipe.name}-pruned",
            "network": recipe.network.model_copy(update=named),
            "votes": None,
            "best_by": "accuracy" if recipe.best_by == "votes_accuracy" else recipe.best_by,
            "artefacts": {},
        }
    )
    classifier = FaceClassifier.build(smaller, len(checkpoint.labels))
    classifier.network.load_state_dict(network.state_dict())  # fits, because the widths describe the network fully
    return Pruned(smaller, classifier.eval(), (int(before[1]), int(after[1])), (int(before[0]), int(after[0])))


def _convolutions(network: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]


def _share(channels: int, ratio: float) -> float:
    """What Torch-Pruning is to be told so that the nearest multiple of 8 is left: it cuts off decimals."""
    left = max(MULTIPLE, round(channels * (1 - ratio) / MULTIPLE) * MULTIPLE)
    return max(0.0, 1 - (left + 0.5) / channels)


def _widths(network: nn.Module) -> list[int]:
    """Channels of the stages: those of the first block of each, which is where they change."""
    assert isinstance(network, FaceResNet)
    blocks = [block for block in network.stages if isinstance(block, ResidualBlock)]
    return [_convolutions(block.body)[0].out_channels for block in blocks if isinstance(block.shortcut, nn.Sequential)]


def prune_run(
    checkpoint: Checkpoint,
    faces: FaceSet,
    *,
    ratio: float,
    epochs: int,
    runs: Path,
    machine: Machine | None = None,
    name: str | None = None,
) -> tuple[Run, Pruned, float]:
    """Prune, then train on by the checkpoint's own recipe, at a fifth of its learning rate.

    Args:
        checkpoint: of a ``faceresnet``.
        faces: with the splits "train" and "validation".
        ratio: share of the channels to take away.
        epochs: of training after it.
        runs: where run folders go; the weights that it begins with lie beside the run.
        machine: what to train on.
        name: of the run folder; the time if left out.

    Returns:
        The finished run, what was pruned, and the accuracy on validation between the two.
    """
    pruned = prune(checkpoint, ratio)
    validation = faces.split("validation")
    bare = on_arrays(ServingModel(pruned.classifier, len(checkpoint.labels)).eval())
    probs_NC = predict_all(bare, validation.faces_NHW)
    between = float((probs_NC.argmax(axis=1) == validation.labels_N).mean())
    recipe = pruned.recipe
    name = name or time.strftime("%Y-%m-%dT%H-%M-%S")
    start = runs / recipe.name / f"{name}-start.pth"
    start.parent.mkdir(parents=True, exist_ok=True)
    write_whole(start, torch_bytes(pruned.classifier.network.state_dict()))
    optimizer = recipe.optimizer.model_copy(update={"lr": recipe.optimizer.lr * SHARE_OF_RATE})
    trained = recipe.model_copy(
        update={
            "network": recipe.network.model_copy(update={"weights": str(start.resolve())}),
            "optimizer": optimizer,
            "phases": (),
            "epochs": epochs,
        }
    )
    return fit(trained, faces, runs=runs, machine=machine, name=name), pruned, between
