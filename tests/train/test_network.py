import pytest
import torch

from mien.contract.errors import RecipeError
from mien.train.network import FaceClassifier, FaceResNet
from mien.train.recipe import Recipe, load_recipe


def test_the_base_network_has_its_published_size() -> None:
    classifier = FaceClassifier.build(load_recipe("base"), classes=7)
    assert sum(weight.numel() for weight in classifier.parameters()) == 6_288_823


def test_light_and_contrast_do_not_reach_the_network(tiny: Recipe) -> None:
    classifier = FaceClassifier.build(tiny, classes=7).eval()
    face = torch.randint(60, 120, (1, 48, 48)).float()
    torch.testing.assert_close(classifier.prepare(face + 40), classifier.prepare(face))
    blank = classifier.prepare(torch.full((1, 48, 48), 7, dtype=torch.uint8))
    assert blank.abs().max() < 1e-5


def test_fixed_normalisation_replicated_channels_and_enlarging() -> None:
    changes = ["network.normalize=fixed", "network.channels=3", "network.input_side=64"]
    classifier = FaceClassifier.build(load_recipe("base", changes), classes=7)
    x = classifier.prepare(torch.full((2, 48, 48), 255, dtype=torch.uint8))
    assert x.shape == (2, 3, 64, 64)
    assert x.unique().tolist() == [2.0]


def test_the_stem_keeps_the_resolution_and_each_stage_halves_it() -> None:
    network = FaceResNet(7, widths=(4, 8, 8, 8), blocks=(1, 1, 1, 1)).eval()
    x = network.stem(torch.zeros(1, 1, 48, 48))
    sides = [x.shape[-1]]
    for stage in network.stages:
        x = stage(x)
        sides.append(x.shape[-1])
    assert sides == [48, 24, 12, 6, 3]


def test_timm_networks_come_by_name() -> None:
    recipe = load_recipe("base", ["network.name=mobilenetv3_small_050", "network.args={}"])
    logits = FaceClassifier.build(recipe, classes=5).eval()(torch.zeros(2, 48, 48, dtype=torch.uint8))
    assert logits.shape == (2, 5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["network.name=resnet_of_dreams"], "'resnet_of_dreams' is neither faceresnet nor a network of timm"),
        (["network.args={width: 3}"], "network.args do not fit faceresnet"),
    ],
)
def test_impossible_networks_are_named(changes: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        FaceClassifier.build(load_recipe("base", changes), classes=7)
