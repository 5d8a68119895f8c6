"""Which weights each phase trains."""

import torch
from torch import nn

from mien.train.freeze import set_trainable


def network() -> tuple[nn.Sequential, nn.Linear]:
    head = nn.Linear(4, 2)
    body = (nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1))
    return nn.Sequential(*body, nn.Flatten(), head), head


def trained(layers: nn.Sequential) -> list[int]:
    return [i for i, layer in enumerate(layers) if any(weight.requires_grad for weight in layer.parameters())]


def test_each_choice_trains_its_layers_and_names_the_frozen_norms() -> None:
    layers, head = network()
    assert set_trainable(layers, "all", head) == []
    assert trained(layers) == [0, 1, 2, 3, 6]
    assert set_trainable(layers, "head", head) == [layers[1], layers[3]]
    assert trained(layers) == [6]
    assert set_trainable(layers, 2, head) == [layers[1]]
    assert trained(layers) == [2, 3, 6]
    assert set_trainable(layers, 99, head) == []


def test_a_frozen_norm_in_eval_mode_keeps_its_statistics() -> None:
    layers, head = network()
    frozen = set_trainable(layers, "head", head)
    layers.train()
    for norm in frozen:
        norm.eval()
    before = layers[1].running_mean.clone()
    layers(torch.randn(8, 1, 8, 8))
    assert torch.equal(layers[1].running_mean, before)
