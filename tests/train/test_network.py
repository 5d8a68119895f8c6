"""Networks: shapes, normalisation, and which weights load into which."""

from pathlib import Path

import pytest
import timm
import torch

from mien.contract.errors import RecipeError
from mien.train.config import Recipe
from mien.train.network import FaceClassifier, FaceResNet, HeadedNetwork, build_network, count_parameters, head_of
from mien.train.recipe import load_recipe


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


def test_imagenet_statistics_are_applied_by_channel() -> None:
    classifier = FaceClassifier.build(load_recipe("moodquest", ["network.input_side=32"]), classes=7)
    x = classifier.prepare(torch.full((1, 48, 48), 255, dtype=torch.uint8))
    expected = [(1 - mean) / std for mean, std in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))]
    assert x[0, :, 0, 0].tolist() == pytest.approx(expected, rel=1e-5)


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
        (["network.args.widths=[1]"], "need one number for each stage, got 1 widths, 4 blocks, 4 strides"),
        (["network.args.widths=[1, 2, 3, -4]"], "network.args.widths: expected a list of numbers from 1 to 4096"),
        (["network.args.blocks=two"], "network.args.blocks: expected a list of numbers from 1 to 4096, got 'two'"),
        (["network.args.drop_path=x"], "network.args do not fit faceresnet: {.*'drop_path': 'x'}: "),
    ],
)
def test_impossible_networks_are_named(changes: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        FaceClassifier.build(load_recipe("base", changes), classes=7)


@pytest.mark.parametrize(
    ("name", "total", "trainable"),
    [
        ("fer2013-v2s", 20_968_023, 790_535),  # the counts that its authors published
        ("two-phase-b0", 4_337_795, 330_247),
        ("moodquest", 4_016_515, 4_016_515),
        ("kaggle-b0", 4_016_515, 4_016_515),
        ("timm-b0", 4_016_515, 4_016_515),
    ],
)
def test_published_recipes_have_their_parameter_counts(name: str, total: int, trainable: int) -> None:
    counts = count_parameters(load_recipe(name), classes=7)
    assert (counts["total"], counts["trainable_by_phase"][0]) == (total, trainable)


SMALL = ["network.name=mobilenetv3_small_050", "network.args={}", "network.channels=1"]


def test_local_weights_are_loaded_and_a_head_of_another_size_starts_afresh(tmp_path: Path) -> None:
    torch.manual_seed(1)
    donor = timm.create_model("mobilenetv3_small_050", num_classes=1000)
    path = tmp_path / "imagenet.pth"
    torch.save({"state_dict": donor.state_dict()}, path)
    config = load_recipe("base", [*SMALL, f"network.weights={path}"]).network
    network = build_network(config, classes=7)
    torch.testing.assert_close(network.conv_stem.weight, donor.conv_stem.weight.sum(dim=1, keepdim=True))
    torch.testing.assert_close(network.conv_head.weight, donor.conv_head.weight)
    assert head_of(network).weight.shape == (7, 1024)
    headed = build_network(config.model_copy(update={"head": load_recipe("two-phase-b0").network.head}), classes=7)
    assert isinstance(headed, HeadedNetwork)
    torch.testing.assert_close(headed.backbone.conv_head.weight, donor.conv_head.weight)


def test_weights_that_do_not_fit_are_refused_by_name(tmp_path: Path) -> None:
    other, text = tmp_path / "other.pth", tmp_path / "text.pth"
    torch.save({"layer.weight": torch.zeros(3)}, other)
    text.write_text("hello")
    for path, message in (
        (other, "of another network: .* such as conv_stem.weight"),
        (text, "not a state_dict of PyTorch"),
        (tmp_path / "none.pth", "no such file"),
    ):
        with pytest.raises(RecipeError, match=message):
            build_network(load_recipe("base", [*SMALL, f"network.weights={path}"]).network, classes=7)


def test_pretrained_weights_that_cannot_be_had_name_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*arguments: object, **options: object) -> None:
        raise OSError("no connection")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(RecipeError, match=r"network.weights=FILE, train from scratch with .*pretrained=false, .*lite0"):
        build_network(load_recipe("moodquest").network, classes=7)
