"""A hub folder: timm opens it and gives our logits; the files say what they must."""

import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import yaml
from safetensors.torch import load_file
from typer.testing import CliRunner

from mien.cli.app import command_line
from mien.contract.errors import ModelError, OutputError
from mien.contract.onnx_container import read_card
from mien.data.faceset import FaceSet
from mien.export.checkpoint import Checkpoint
from mien.export.hub import write_hub_folder
from mien.export.onnx import export_run
from mien.recognition.classifier import Classifier
from mien.train.devices import Machine
from mien.train.fit import fit
from mien.train.recipe import load_recipe
from mien.train.run import Run

TINY_TIMM = """
name: tiny-timm
extends: base
network: {name: test_resnet, channels: 3, normalize: fixed, args: {}, channels_last: false}
precision: "32"
batch_size: 28
average: null
epochs: 1
"""


@pytest.fixture(scope="module")
def timm_run(toy: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("timm")
    (folder / "tiny-timm.yaml").write_text(TINY_TIMM)
    recipe = load_recipe(folder / "tiny-timm.yaml")
    return fit(recipe, toy, runs=folder / "runs", machine=Machine(accelerator="cpu"))


def test_timm_opens_the_folder_and_gives_our_logits(timm_run: Run, toy: FaceSet, tmp_path: Path) -> None:
    onnx = tmp_path / "mine.onnx"
    export_run(timm_run, toy, onnx)
    checkpoint = Checkpoint.open(timm_run.folder)
    folder = tmp_path / "hub"
    card = read_card(onnx.read_bytes())
    files = write_hub_folder(checkpoint, card, onnx, "# Mine\n", folder)
    assert [path.name for path in files] == [
        "README.md",
        "config.json",
        "model.onnx",
        "model.safetensors",
        "preprocessor_config.json",
    ]
    network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    faces_NHW = torch.from_numpy(toy.faces_NHW[:5].copy())
    with torch.inference_mode():
        ours_NC = checkpoint.classifier(faces_NHW)
        theirs_NC = network(checkpoint.classifier.prepare(faces_NHW))
    torch.testing.assert_close(theirs_NC, ours_NC, rtol=0, atol=1e-5)
    assert network.pretrained_cfg["label_names"] == list(toy.labels)
    np.testing.assert_array_equal(Classifier(folder / "model.onnx").card.labels, card.labels)
    top = (folder / "README.md").read_text().split("---")[1]
    assert yaml.safe_load(top)["library_name"] == "timm" and yaml.safe_load(top)["license"] == "apache-2.0"
    with pytest.raises(OutputError, match="expected a new or empty folder"):
        write_hub_folder(checkpoint, card, onnx, "", folder)


def test_our_own_network_says_what_it_is(run: Run, exported: Path, tmp_path: Path) -> None:
    checkpoint = Checkpoint.open(run.folder)
    card = read_card(exported.read_bytes())
    write_hub_folder(checkpoint, card, exported, "# Tiny\n", tmp_path / "hub")
    config = json.loads((tmp_path / "hub" / "config.json").read_text())
    assert config["architecture"] == "faceresnet" and config["num_classes"] == len(card.labels)
    state = load_file(tmp_path / "hub" / "model.safetensors")
    for name, weight in checkpoint.classifier.network.state_dict().items():
        torch.testing.assert_close(state[name], weight)
    prepared = json.loads((tmp_path / "hub" / "preprocessor_config.json").read_text())
    assert prepared["labels"] == list(card.labels) and prepared["face_side_px"] == card.image.side


def test_the_command_writes_the_folder(run: Run, toy_root: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny-hub"
    words = ["export", str(run.folder), "--data", str(toy_root), "--to", "hub", "--out", str(out)]
    done = CliRunner().invoke(command_line(["export"]), words)
    assert done.exit_code == 0, done.output
    assert "model.safetensors" in done.stderr and "mien predict photo.jpg --model" in done.stderr
    page = (out / "README.md").read_text()
    assert page.startswith("---\nlicense: apache-2.0") and "validation" in page.lower()
    assert Classifier(out / "model.onnx").card.labels == run.labels
    with pytest.raises(ModelError, match="--to hub holds the float32 weights"):
        CliRunner().invoke(command_line(["export"]), [*words, "--quantize", "int8"], catch_exceptions=False)
