"""Distillation: what the teacher says, and that a student listens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mien.contract.errors import RecipeError
from mien.data.toy import toy_faces
from mien.recognize.classify import Classifier, resolve_model
from mien.train.config import Recipe, TeacherConfig
from mien.train.fit import Machine, fit
from mien.train.losses import taught_loss
from mien.train.teacher import load_teacher


def test_a_shipped_model_teaches_what_it_says_itself() -> None:
    model = Classifier(resolve_model("base"))
    teacher = load_teacher(TeacherConfig(models=("base", "base"), temperature=2.0), model.card.labels, 48)
    faces_NHW = toy_faces(per_class=8).faces_NHW
    x_NHW = torch.from_numpy(faces_NHW)
    said_NC = teacher(x_NHW)
    assert torch.allclose(said_NC, torch.softmax(teacher.members[0](x_NHW) / 2, dim=1), atol=1e-6)
    both_NC = said_NC.log() + teacher(x_NHW.flip(-1)).log()  # the file averages the mirror images, and is calibrated
    assert (both_NC.argmax(dim=1).numpy() == model(faces_NHW).argmax(axis=1)).mean() > 0.9


def test_the_loss_is_the_divergence_times_the_temperature_squared() -> None:
    card = Classifier(resolve_model("base")).card
    teacher = load_teacher(TeacherConfig(models=("base",), temperature=3.0), card.labels, card.image.side)
    faces = torch.from_numpy(toy_faces(per_class=2).faces_NHW)
    own_NC = teacher.members[0](faces)
    taught_NC = teacher(faces)
    assert taught_loss(own_NC, taught_NC, 3.0).item() == pytest.approx(0, abs=1e-5)
    by_hand = 9 * (taught_NC * (taught_NC * own_NC.shape[1]).log()).sum(dim=1).mean()
    assert taught_loss(torch.zeros_like(own_NC), taught_NC, 3.0).item() == pytest.approx(by_hand.item(), rel=1e-4)
    both_NC = (taught_NC + teacher(faces.flip(-1))) / 2
    assert np.abs(teacher.once(faces.numpy(), "cpu") - both_NC.numpy()).max() < 0.02  # bf16


def test_a_run_folder_teaches_and_leaves_no_trace_in_the_checkpoint(tiny: Recipe, tmp_path: Path) -> None:
    toy = toy_faces(per_class=10)
    one_epoch = tiny.model_copy(update={"epochs": 1})
    first = fit(one_epoch, toy, runs=tmp_path, machine=Machine("cpu"), name="teacher")
    taught = one_epoch.model_copy(update={"teacher": TeacherConfig(models=(str(first.folder),), weight=1.0)})
    run = fit(taught, toy, runs=tmp_path, machine=Machine("cpu"), name="student")
    names = torch.load(run.folder / "last.ckpt", weights_only=False)["state_dict"]
    assert not [name for name in names if "teacher" in name]
    assert not (run.folder / "teacher.npy").exists()
    once = taught.model_copy(update={"teacher": TeacherConfig(models=(str(first.folder),), weight=1.0, views="once")})
    asked_once = fit(once, toy, runs=tmp_path, machine=Machine("cpu"), name="once")
    assert np.load(asked_once.folder / "teacher.npy").shape == (len(toy.split("train")), len(toy.labels))
    alone = fit(one_epoch, toy, runs=tmp_path, machine=Machine("cpu"), name="alone")
    weights = [torch.load(each.folder / "best.pth", weights_only=True)["head.weight"] for each in (run, alone)]
    assert not torch.equal(*weights)


def test_a_teacher_of_something_else_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="teacher.models: base: knows angry, .* at 48 px; this data set has happy"):
        load_teacher(TeacherConfig(models=("base",)), ("happy", "sad"), 48)
    (tmp_path / "x.onnx").write_bytes(b"junk")
    with pytest.raises(RecipeError, match="neither a run folder nor a model file of ours"):
        load_teacher(TeacherConfig(models=(str(tmp_path / "x.onnx"),)), ("happy", "sad"), 48)
