"""Distillation: the teacher's probabilities, and what of them reaches the loss of the student."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from mien.contract.errors import RecipeError
from mien.contract.shipped_models import resolve_model
from mien.data.faceset import FaceSet
from mien.data.toy import toy_faces
from mien.data.votes import VOTES
from mien.recognition.classifier import Classifier
from mien.train.batches import Batch
from mien.train.config import AugmentConfig, MixConfig, Recipe, TeacherConfig, VotesConfig
from mien.train.fit import Machine, fit
from mien.train.losses import distillation_loss
from mien.train.module import FaceTraining
from mien.train.network import FaceClassifier
from mien.train.run import Run
from mien.train.teacher import Teacher, load_teacher


def test_a_shipped_model_teaches_what_it_says_itself() -> None:
    model = Classifier(resolve_model("fer2013"))
    teacher = load_teacher(TeacherConfig(models=("fer2013", "fer2013"), temperature=2.0), model.card.labels, 48)
    faces_NHW = toy_faces(per_class=8).faces_NHW
    x_NHW = torch.from_numpy(faces_NHW)
    said_NC = teacher(x_NHW)
    assert torch.allclose(said_NC, torch.softmax(teacher.members[0](x_NHW) / 2, dim=1), atol=1e-6)
    both_NC = said_NC.log() + teacher(x_NHW.flip(-1)).log()  # the file averages the mirror images, and is calibrated
    assert (both_NC.argmax(dim=1).numpy() == model(faces_NHW).argmax(axis=1)).mean() > 0.9


def test_the_loss_is_the_divergence_times_the_temperature_squared() -> None:
    card = Classifier(resolve_model("fer2013")).card
    teacher = load_teacher(TeacherConfig(models=("fer2013",), temperature=3.0), card.labels, card.image.side)
    faces = torch.from_numpy(toy_faces(per_class=2).faces_NHW)
    own_NC = teacher.members[0](faces)
    taught_NC = teacher(faces)
    assert distillation_loss(own_NC, taught_NC, 3.0).item() == pytest.approx(0, abs=1e-5)
    by_hand = 9 * (taught_NC * (taught_NC * own_NC.shape[1]).log()).sum(dim=1).mean()
    assert distillation_loss(torch.zeros_like(own_NC), taught_NC, 3.0).item() == pytest.approx(by_hand.item(), rel=1e-4)


def test_a_run_folder_teaches_and_leaves_no_trace_in_the_checkpoint(tiny: Recipe, tmp_path: Path) -> None:
    toy = toy_faces(per_class=10)
    one_epoch = tiny.model_copy(update={"epochs": 1})
    first = fit(one_epoch, toy, runs=tmp_path, machine=Machine("cpu"), name="teacher")
    taught = one_epoch.model_copy(update={"teacher": TeacherConfig(models=(str(first.folder),), weight=1.0)})
    run = fit(taught, toy, runs=tmp_path, machine=Machine("cpu"), name="student")
    names = torch.load(run.folder / "last.ckpt", weights_only=False)["state_dict"]
    assert not [name for name in names if "teacher" in name]
    alone = fit(one_epoch, toy, runs=tmp_path, machine=Machine("cpu"), name="alone")
    weights = [torch.load(each.folder / "best.pth", weights_only=True)["head.weight"] for each in (run, alone)]
    assert not torch.equal(*weights)


def test_a_model_of_votes_teaches_the_head_of_votes(
    tiny: Recipe, with_votes: Callable[[FaceSet], FaceSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the teacher's weight at 1 and no weight for the labels, its answers are all that is learnt."""
    toy = with_votes(toy_faces(per_class=10))
    model = Classifier(resolve_model("base"))
    teacher = load_teacher(TeacherConfig(models=("base",), head="votes", temperature=1), toy.labels, 48)
    x_NHW = torch.from_numpy(toy.split("validation").faces_NHW)
    both_NV = (teacher(x_NHW).log() + teacher(x_NHW.flip(-1)).log())[:, : len(model.card.labels)]
    assert (both_NV.argmax(dim=1).numpy() == model(x_NHW.numpy()).argmax(axis=1)).mean() > 0.9

    config = TeacherConfig(models=("base",), head="votes", weight=1.0, temperature=1)
    plain = {"augment": AugmentConfig(flip=False), "mix": MixConfig(), "outlier_exposure": 0.0}
    network = tiny.network.model_copy(update={"drop": 0.0})
    recipe = tiny.model_copy(
        update=plain | {"teacher": config, "votes": VotesConfig(labels_weight=0), "epochs": 1, "network": network}
    )
    run = fit(recipe, toy, runs=tmp_path, machine=Machine("cpu"), name="votes")
    assert run.facts["parents"][0]["relation"] == "taught by"

    pupil = FaceClassifier.build(recipe, len(toy.labels) + len(VOTES))
    step = FaceTraining(recipe, recipe.resolved_phases()[0], pupil, torch.ones(len(toy.labels)), teacher)
    monkeypatch.setattr(step, "log", lambda *args, **more: None)
    monkeypatch.setattr(FaceTraining, "current_epoch", 0)
    pupil.eval()
    batch = Batch(x_NHW, torch.zeros(len(x_NHW), dtype=torch.long), torch.zeros(len(x_NHW), len(VOTES)))
    said_NV = pupil(x_NHW)[:, len(toy.labels) :]
    expected = distillation_loss(said_NV, teacher(x_NHW), 1)
    assert step.training_step(batch, 0).item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_teacher_of_votes_needs_their_head() -> None:
    with pytest.raises(ValidationError, match="teacher.head: votes needs a section votes"):
        Recipe(name="x", teacher=TeacherConfig(models=("base",), head="votes"))
    with pytest.raises(RecipeError, match="fer2013: knows angry, .*; the head of votes has neutral, .*, not a face"):
        load_teacher(TeacherConfig(models=("fer2013",), head="votes"), ("happy", "sad"), 48)


def test_views_come_again_with_remembered_answers(
    tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = toy_faces(per_class=10)
    first = fit(tiny.model_copy(update={"epochs": 1}), toy, runs=tmp_path, machine=Machine("cpu"), name="teacher")
    seen: list[torch.Tensor] = []
    asked: list[int] = []
    inputs, answer = FaceTraining._inputs, Teacher.forward

    def record_inputs(self: FaceTraining, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        made = inputs(self, batch)
        seen.append(made[0])
        return made

    def record_answer(self: Teacher, faces_BHW: torch.Tensor) -> torch.Tensor:
        asked.append(len(seen) - 1)
        return answer(self, faces_BHW)

    monkeypatch.setattr(FaceTraining, "_inputs", record_inputs)
    monkeypatch.setattr(Teacher, "forward", record_answer)
    update = {
        "epochs": 5,
        "augment": AugmentConfig(rotate_deg=20),
        "mix": MixConfig(mixup=0.5),
        "teacher": TeacherConfig(models=(str(first.folder),), views=2),
    }
    fit(tiny.model_copy(update=update), toy, runs=tmp_path, machine=Machine("cpu"), name="student")
    steps = len(seen) // 5
    assert steps > 1
    assert asked == list(range(2 * steps))  # in the first two epochs and never again
    for step in range(steps):
        assert not torch.equal(seen[step], seen[steps + step])
        for epoch in (2, 4):
            assert torch.equal(seen[step], seen[epoch * steps + step])
        assert torch.equal(seen[steps + step], seen[3 * steps + step])


def test_a_teacher_of_something_else_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="teacher.models: fer2013: knows angry, .* at 48 px; this data set has happy"):
        load_teacher(TeacherConfig(models=("fer2013",)), ("happy", "sad"), 48)
    (tmp_path / "x.onnx").write_bytes(b"junk")
    with pytest.raises(RecipeError, match="cannot be a teacher: truncated or not an ONNX .* or one of: base, "):
        load_teacher(TeacherConfig(models=(str(tmp_path / "x.onnx"),)), ("happy", "sad"), 48)


def test_a_shipped_teacher_of_other_classes_is_left_out_and_that_is_said(tiny: Recipe, tmp_path: Path) -> None:
    toy = toy_faces(per_class=6)
    own = replace(toy, labels=("calm", *toy.labels[1:]))
    recipe = tiny.model_copy(update={"epochs": 1, "teacher": TeacherConfig(models=("base",))})
    told: list[str] = []
    run = fit(recipe, own, runs=tmp_path, machine=Machine("cpu"), name="own", on_notice=told.append)
    assert len(told) == 1 and "trains without its teacher 'base', which knows " in told[0]
    assert Run.read(run.folder).recipe.teacher is None and run.facts["notices"] == told
    mine = recipe.model_copy(update={"teacher": TeacherConfig(models=(str(run.folder),))})
    with pytest.raises(RecipeError, match="knows calm, .*; this data set has angry, .*--set teacher=null"):
        fit(mine, toy, runs=tmp_path, machine=Machine("cpu"), name="refused")
    assert not (tmp_path / "base" / "refused").exists()


def test_a_teacher_of_the_same_classes_in_another_order_is_sorted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = Classifier(resolve_model("fer2013")).card.labels
    x_NHW = torch.from_numpy(toy_faces(per_class=1).faces_NHW)
    (tmp_path / "fer2013").mkdir()  # a folder of that name is not meant
    monkeypatch.chdir(tmp_path)
    config = TeacherConfig(models=("fer2013",))
    in_order, turned = (load_teacher(config, names, 48)(x_NHW) for names in (labels, labels[::-1]))
    torch.testing.assert_close(turned, in_order.flip(1))
