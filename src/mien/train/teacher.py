"""The teacher of a distillation: other models' probabilities on the faces of each step.

    teacher = load_teacher(recipe.teacher, labels)
    probs_BC = teacher(augmented_BHW)

A teacher is a run folder, a model file of ours or a shipped name; of several the probabilities are averaged. It runs in
PyTorch on the training device and sees each augmented face, not mirrored.

Shape legend: B faces of a batch, C classes, H = W side in pixels.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from mien.contract.errors import ModelError, RecipeError
from mien.contract.onnx_container import read_card
from mien.contract.shipped_models import shipped_models
from mien.train.config import TeacherConfig
from mien.train.model_file import model_path, network_of_card
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
        card = read_card(path.read_bytes())
        network = network_of_card(card)
    except (OSError, ModelError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RecipeError(
            f"teacher.models: {name}: cannot be a teacher: {reason}; "
            f"name a run folder, an .onnx that mien exported, or one of: {', '.join(shipped_models())}"
        ) from None
    classifier = FaceClassifier.of_network(network, card.image.side, len(card.labels))
    load_weights(classifier.network, path)
    return classifier, card.labels, card.image.side
