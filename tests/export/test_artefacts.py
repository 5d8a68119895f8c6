"""Each file loaded the way its own documentation loads it, without mien."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import timm
import torch

from mien.data.faceset import FaceSet
from mien.export.artefacts import write_artefacts
from mien.export.torchfiles import open_torchscript
from mien.train.fit import Machine, fit
from mien.train.recipe import load_recipe

CPU = Machine(accelerator="cpu")
SHORT = ["network.pretrained=false", "network.input_side=32", "batch_size=28", "precision='32'"]


def test_moodquest_s_weights_load_into_a_bare_timm_network(toy: FaceSet, tmp_path: Path) -> None:
    recipe = load_recipe("moodquest", [*SHORT, "epochs=1", "data.fraction=1"])
    run = fit(recipe, toy, runs=tmp_path, machine=CPU)
    assert write_artefacts(run) == ["best_fer2013_model_70.pth"]
    network = timm.create_model("efficientnet_b0", num_classes=7)
    network.load_state_dict(torch.load(run.folder / "best_fer2013_model_70.pth", weights_only=True))
    x = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(network.eval()(x), run.classifier().network(x))


@pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated")
def test_v2s_leaves_its_six_files_and_they_agree(toy: FaceSet, tmp_path: Path) -> None:
    phases = "phases=[{train: head, epochs: 1}, {train: 30, epochs: 1}]"
    recipe = load_recipe("fer2013-v2s", [*SHORT, phases, "network.name=mobilenetv3_small_050"])
    run = fit(recipe, toy, runs=tmp_path, machine=CPU)
    names = write_artefacts(run)
    assert names == list(load_recipe("fer2013-v2s").artefacts)
    for name in ("best_emotion_model_gpu.pth", "best_emotion_model_finetuned_gpu.pth", "emotion_model_final.pth"):
        content = torch.load(run.folder / name, weights_only=True)
        assert content["class_names"] == list(toy.labels)
        run.classifier().network.load_state_dict(content["model_state_dict"])
    metadata = json.loads((run.folder / "model_metadata.json").read_text())
    assert [row["phase"] for row in metadata["history"]] == [1, 2]
    assert metadata["parameters"]["total"] == sum(w.numel() for w in run.classifier().network.parameters())
    x = torch.randn(3, 3, 32, 32)
    with torch.inference_mode():
        expected = run.classifier().network(x)
        torch.testing.assert_close(torch.jit.load(run.folder / "emotion_model_scripted.pt")(x), expected)
    predictor, card = open_torchscript(run.folder / "emotion_model_scripted.pt")  # as mien evaluate does
    with torch.inference_mode():
        probs_NC = torch.softmax(run.classifier()(torch.from_numpy(toy.faces_NHW[:5])), dim=1).numpy()
    np.testing.assert_allclose(predictor(toy.faces_NHW[:5]), probs_NC, atol=1e-5)
    assert (card.labels, card.temperature, card.recipe["sha256"]) == (run.labels, 1.0, run.recipe.sha256)
    session = onnxruntime.InferenceSession(run.folder / "emotion_model.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"input": x.numpy()})
    np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4)


@pytest.mark.parametrize("name", ["kaggle-b0", "base"])
def test_recipes_that_promise_nothing_leave_nothing_more(name: str) -> None:
    assert load_recipe(name).artefacts == {}
