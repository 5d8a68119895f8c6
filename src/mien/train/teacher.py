"""The teacher of a distillation: other models' probabilities on the faces of each step.

    teacher = load_teacher(recipe.teacher, labels)
    probs_BC = teacher(augmented_BHW)

A teacher is a run folder, a model file of ours or a shipped name; of several the probabilities are averaged. It runs in
PyTorch on the training device and sees each augmented face, not mirrored.

Shape legend: B faces of a batch, C classes, H = W side in pixels.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from mien.contract.card import CARD_KEY, ModelCard
from mien.contract.errors import ModelError, RecipeError
from mien.train.config import TeacherConfig
from mien.train.model_file import model_path, network_of_card, shipped_names
from mien.train.network import FaceClassifier, load_weights
from mien.train.run import Run


class Teacher(nn.Module):
    """Mean softened probabilities of some classifiers, without gradients."""

    def __init__(self, members: list[FaceClassifier], temperature: float) -> None:
        super().__init__()
        self.members, self.temperature = nn.ModuleList(members).eval().requires_grad_(False), temperature

    @torch.no_grad()
    def forward(self, faces_BHW: Tensor) -> Tensor:
        members = [torch.softmax(member(faces_BHW).float() / self.temperature, dim=1) for member in self.members]
        return torch.stack(members).mean(dim=0)


def load_teacher(config: TeacherConfig, labels: tuple[str, ...], side: int) -> Teacher:
    """Open the models of ``config``.

    Raises:
        RecipeError: not a model, or one of other classes or another size of face.
    """
    members = []
    for name in config.models:
        member, its_labels, its_side = _open(name)
        if its_labels != labels or its_side != side:
            raise RecipeError(
                f"teacher.models: {name}: knows {', '.join(its_labels)} at {its_side} px; "
                f"this data set has {', '.join(labels)} at {side} px"
            )
        members.append(member)
    return Teacher(members, config.temperature)


def _open(name: str) -> tuple[FaceClassifier, tuple[str, ...], int]:
    folder = Path(name).expanduser()
    if folder.is_dir():
        run = Run.read(folder)
        return run.classifier(), run.labels, run.recipe.data.side
    path = model_path(name)
    try:
        properties = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
        card = ModelCard.from_json(properties[CARD_KEY])
        network = network_of_card(card)
    except ModelError as error:
        raise RecipeError(f"teacher.models: {name}: {error}") from None
    except Exception as error:  # protobuf and the operating system raise many kinds
        raise RecipeError(
            f"teacher.models: {name}: neither a run folder nor a model file of ours ({type(error).__name__}); "
            f"name a run folder, an .onnx that mien exported, or one of: {', '.join(shipped_names())}"
        ) from None
    classifier = FaceClassifier.of_network(network, card.image.side, len(card.labels))
    load_weights(classifier.network, path)
    return classifier, card.labels, card.image.side
