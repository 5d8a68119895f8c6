"""The teacher of a distillation: other models' probabilities on the faces of each step.

    teacher = load_teacher(recipe.teacher, labels, side)
    probs_BC = teacher(augmented_BHW)

It teaches the head of the labels, or the one of FER+'s votes where ``teacher.head`` says so.

A teacher is a shipped model's name, a run folder or a model file of ours. Of several teachers the probabilities are
averaged. They run in PyTorch on the training device and see each augmented face as the pupil does, not its mirror image
as well. A teacher that names the same classes in another order fits: its columns are sorted.

Shape legend: B faces of a batch, C classes, H = W side in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from mien.contract.emotions import canonical
from mien.contract.errors import ModelError, RecipeError, RunError
from mien.contract.onnx_container import read_card
from mien.contract.shipped_models import shipped_models
from mien.data.votes import VOTES
from mien.train.config import Recipe, TeacherConfig
from mien.train.model_file import model_path, network_of_card
from mien.train.network import FaceClassifier, load_weights
from mien.train.run import Run


class Teacher(nn.Module):
    """Mean softened probabilities of some classifiers, without gradients.

    Args:
        members: the classifiers.
        columns: for each member, which of its outputs stands for each class of the pupil.
        temperature: what the logits are divided by; above 1 the less likely classes get larger probabilities.
    """

    def __init__(self, members: Sequence[FaceClassifier], columns: Sequence[Sequence[int]], temperature: float) -> None:
        super().__init__()
        # eval: dropout would make its answers random, and its BatchNorms would learn from the pupil's batches
        self.members, self.temperature = nn.ModuleList(members).eval().requires_grad_(False), temperature
        self.columns = [list(order) for order in columns]

    @torch.no_grad()
    def forward(self, faces_BHW: Tensor) -> Tensor:
        # float(): under autocast the logits are bf16, too coarse for small probabilities
        probs_MBC = [
            torch.softmax(member(faces_BHW)[:, order].float() / self.temperature, dim=1)
            for member, order in zip(self.members, self.columns, strict=True)
        ]
        # probabilities, not logits: the logits of two networks need not have the same scale
        return torch.stack(probs_MBC).mean(dim=0)


def load_teacher(config: TeacherConfig, labels: tuple[str, ...], side: int) -> Teacher:
    """Open the models of ``config``.

    Args:
        config: names the models.
        labels: classes of the data set, in the order of the pupil's outputs; not used for the head of votes.
        side: px of the faces.

    Raises:
        RecipeError: not a model, or one of other classes or another size of face.
    """
    members, columns = [], []
    # the head of votes is judged by FER+'s ten columns, whatever the classes of the data set
    pupil, labels = ("this data set has", labels) if config.head == "labels" else ("the head of votes has", VOTES)
    for name in config.models:
        member, its_labels, its_side = _open(name, config.head)
        if not _fits(its_labels, its_side, labels, side):
            raise RecipeError(
                f"teacher.models: {name}: knows {', '.join(its_labels)} at {its_side} px; "
                f"{pupil} {', '.join(labels)} at {side} px; train without one: --set teacher=null"
            )
        members.append(member)
        columns.append([list(map(canonical, its_labels)).index(canonical(label)) for label in labels])
    return Teacher(members, columns, config.temperature)


def without_unfit_teacher(recipe: Recipe, labels: tuple[str, ...], side: int) -> tuple[Recipe, str | None]:
    """The recipe, without its teacher where that is a shipped model which names other classes than the data.

    A built-in recipe names its teacher for FER2013's classes; somebody who trains it on classes of their own did not
    choose that teacher. A teacher of the user's own that does not fit stays, and is refused by ``load_teacher``.

    Returns:
        The recipe to train by, and one line that says what was left out; None where nothing was.
    """
    teacher = recipe.teacher
    if teacher is None or teacher.head != "labels" or not set(teacher.models) <= set(shipped_models()):
        return recipe, None
    for name in teacher.models:
        card = read_card(model_path(name).read_bytes())
        if not _fits(card.labels, card.image.side, labels, side):
            notice = (
                f"recipe {recipe.name}: trains without its teacher {name!r}, which knows {', '.join(card.labels)} at "
                f"{card.image.side} px; this data set has {', '.join(labels)} at {side} px"
            )
            return recipe.model_copy(update={"teacher": None}), notice
    return recipe, None


def _fits(its_labels: Sequence[str], its_side: int, labels: Sequence[str], side: int) -> bool:
    return its_side == side and sorted(map(canonical, its_labels)) == sorted(map(canonical, labels))


def _open(name: str, head: str) -> tuple[FaceClassifier, tuple[str, ...], int]:
    """A teacher, its outputs' names and the px of its faces. A shipped name wins over a folder of that name."""
    folder = Path(name).expanduser()
    if name not in shipped_models() and folder.is_dir():
        try:
            run = Run.read(folder)
            return run.classifier(head), VOTES if head == "votes" else run.labels, run.recipe.data.side
        except RunError as error:
            raise RecipeError(f"teacher.models: {error}") from None
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
    # a model that rejects has outputs for "unknown" and "not a face" too, and its weights need places for them
    names = (*card.labels, *card.rejected)
    classifier = FaceClassifier.of_network(network, card.image.side, len(names))
    load_weights(classifier.network, path)
    return classifier, names, card.image.side
