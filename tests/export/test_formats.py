"""TorchScript and .pth open in plain torch, without mien, and answer as the checkpoint does; each carries the card."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.contract.card import CARD_KEY, ModelCard
from mien.contract.errors import ModelError, ParityError, RunError
from mien.data.faceset import FaceSet
from mien.export.checkpoint import Checkpoint
from mien.export.onnx import export_checkpoint, export_run
from mien.export.torchfiles import open_torchscript
from mien.recognition.classifier import Classifier
from mien.train.run import Run

PLAIN_TORCH = Path(__file__).parent / "plain_torch.py"


def test_plain_torch_opens_both_formats_and_gives_the_same_answers(
    run: Run, toy: FaceSet, exported: Path, tmp_path: Path
) -> None:
    scripted, state = tmp_path / "any.pt", tmp_path / "any.pth"
    card, parity = export_run(run, toy, scripted, to="torchscript", name="toy")
    assert (card.name, card.precision, card.graph_sha256, parity.faces) == ("toy", "fp32", None, 14)
    export_run(run, toy, state, to="pth", name="toy")
    np.save(tmp_path / "faces.npy", toy.faces_NHW[:20])
    subprocess.run([sys.executable, str(PLAIN_TORCH), str(tmp_path)], check=True, timeout=120)
    expected = Classifier(exported)(toy.faces_NHW[:20])
    for name in ("torchscript", "pth"):  # the .onnx has its weights rounded to half
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), expected, atol=2e-3)
    np.testing.assert_allclose(np.load(tmp_path / "torchscript.npy"), np.load(tmp_path / "pth.npy"), atol=1e-5)
    assert json.loads((tmp_path / "card.json").read_text()) == json.loads(card.to_json())


def test_torchscript_takes_any_number_of_faces(run: Run, toy: FaceSet, tmp_path: Path) -> None:
    export_run(run, toy, tmp_path / "m.pt", to="torchscript")
    predictor, card = open_torchscript(tmp_path / "m.pt")
    assert card.labels == toy.labels
    many = predictor(toy.faces_NHW[:33])
    assert many.shape == (33, 7)
    np.testing.assert_allclose(many[:1], predictor(toy.faces_NHW[:1]), atol=1e-5)


def test_lower_precision_is_reported_and_limited(run: Run, toy: FaceSet, tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    card, parity = export_run(run, toy, path, to="torchscript", precision="bf16", max_loss_points=100)
    predictor, read = open_torchscript(path)
    assert read.precision == "bf16" and read.name == "tiny-bf16"
    assert parity.difference <= 1e-4 < parity.drift < 0.1
    facts = card.provenance["quantized"]
    full = predictor(toy.split("validation").faces_NHW)
    labels = toy.split("validation").labels_N
    assert card.metrics["validation"]["accuracy"] == pytest.approx((full.argmax(axis=1) == labels).mean())
    assert 0.8 <= facts["agreement"] <= 1
    with pytest.raises(ParityError, match=r"not written: accuracy on 14 faces fell .* more than the -101 allowed"):
        export_run(run, toy, tmp_path / "no.pt", to="torchscript", precision="bf16", max_loss_points=-101)
    assert not (tmp_path / "no.pt").exists()


def test_checkpoints_are_found_by_folder_file_or_card(run: Run, toy: FaceSet, tmp_path: Path) -> None:
    folder = Checkpoint.open(run.folder)
    best = Checkpoint.open(run.folder / "best.ckpt")
    export_checkpoint(folder, toy, tmp_path / "lone.pth", to="pth")
    lone = Checkpoint.open(tmp_path / "lone.pth")
    faces = torch.from_numpy(toy.faces_NHW[:8])
    with torch.inference_mode():
        for other in (best, Checkpoint.open(run.folder / "best.pth"), lone):
            assert (other.labels, other.recipe) == (folder.labels, folder.recipe)
            torch.testing.assert_close(other.classifier(faces), folder.classifier(faces))
    assert lone.data["fingerprint"] == toy.fingerprint
    card, _ = export_checkpoint(lone, toy, tmp_path / "again.onnx")
    assert card.provenance["best_epoch"] == run.facts["best"]["epoch"]


def test_a_card_of_an_older_recipe_still_opens_and_says_so_only_when_trained_on(
    run: Run, toy: FaceSet, tmp_path: Path
) -> None:
    whole = Checkpoint.of(run)
    older = replace(whole, recipe={**whole.recipe, "renamed_since": 1})
    for format in ("pth", "onnx"):
        path = tmp_path / f"older.{format}"
        export_checkpoint(older, toy, path, to=format, half_weights=False)
        opened = Checkpoint.open(path)
        assert opened.recipe["renamed_since"] == 1
        faces = torch.from_numpy(toy.faces_NHW[:8])
        with torch.inference_mode():
            torch.testing.assert_close(opened.classifier(faces), whole.classifier(faces), atol=1e-4, rtol=1e-4)
        with pytest.raises(RunError, match="another version of mien wrote its recipe: renamed_since: .*; train a new"):
            opened.trainable_recipe()
    newer = {**whole.recipe, "network": {**whole.recipe["network"], "not_yet": 1}}
    with pytest.raises(RunError, match="says network.not_yet, which this version of mien does not .*; upgrade mien"):
        export_checkpoint(replace(whole, recipe=newer), toy, tmp_path / "newer.pth", to="pth")


def test_the_last_epoch_is_not_the_best(run: Run, toy: FaceSet) -> None:
    last = torch.load(run.folder / "last.ckpt", weights_only=True)["state_dict"]
    read = Checkpoint.open(run.folder / "last.ckpt").classifier.network.state_dict()
    for name, weight in read.items():
        torch.testing.assert_close(weight, last[f"classifier.network.{name}"])


def test_what_is_no_checkpoint_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run folder or checkpoint"):
        Checkpoint.open(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(RunError, match="not a checkpoint of PyTorch"):
        Checkpoint.open(tmp_path / "text.pth")
    torch.save({"weight": torch.zeros(2)}, tmp_path / "bare.pth")
    with pytest.raises(RunError, match="neither a .pth with a model card nor inside a run folder"):
        Checkpoint.open(tmp_path / "bare.pth")
    torch.save({"weight": torch.zeros(2)}, run.folder / "other.pth")
    try:
        with pytest.raises(RunError, match="not of the network that its recipe names"):
            Checkpoint.open(run.folder / "other.pth")
    finally:
        (run.folder / "other.pth").unlink()
    card = ModelCard.from_json(_card_without_recipe(run))
    torch.save({"state_dict": {}, CARD_KEY: card.to_json()}, tmp_path / "norecipe.pth")
    with pytest.raises(RunError, match="names no network, .*; give the run folder"):
        Checkpoint.open(tmp_path / "norecipe.pth")


def test_torchscript_without_a_card_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_bytes(b"PK no")
    with pytest.raises(ModelError, match="not a TorchScript file"):
        open_torchscript(tmp_path / "m.pt")


def _card_without_recipe(run: Run) -> str:
    image = {"side": 48, "channels": 1, "margins": {}}
    facts = {"format": 1, "name": "x", "labels": list(run.labels), "image": image}
    return json.dumps(facts | {"temperature": 1.0, "accept_threshold": 0.0})
