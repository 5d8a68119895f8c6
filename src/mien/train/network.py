"""Networks: our small-face residual network, and any network of timm by name; and what wraps them.

    classifier = FaceClassifier.build(recipe, classes=7)     # uint8 faces in, logits out

``faceresnet`` is a plain residual network for 48 px faces: the stem keeps the full resolution, each of the four
stages halves it, every convolution is a dense 3x3. Dense convolutions are what CPUs and GPUs multiply fastest
(in bf16 twice as fast again, where depthwise networks gain nothing), and conv-BN-ReLU folds into one operator in
ONNX Runtime. Every other name goes to ``timm.create_model``.

Not here: heads of the published recipes, layer freezing.

Shape legend: N faces, C channels or classes, H = W side in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import timm
import torch
from torch import Tensor, nn

from mien.contract.errors import RecipeError
from mien.train.recipe import NetworkConfig, Recipe

STD_FLOOR = 0.03
"""Added to a face's standard deviation (pixels in 0..1), so that a blank crop is not blown up into noise."""


def _conv_bn(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2, bias=False)
    # He et al. 2015. PyTorch's default is 2.4 times smaller, and under BatchNorm that is a 6 times larger step
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around an identity, the basic block of He et al. 2016 (arXiv:1512.03385).

    Where the resolution drops, the shortcut averages before its 1x1 convolution (ResNet-D, arXiv:1812.01187).
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _conv_bn(channels_in, channels_out, 3, stride),
            nn.ReLU(inplace=True),
            _conv_bn(channels_out, channels_out, 3),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            pool = nn.AvgPool2d(stride, ceil_mode=True) if stride != 1 else nn.Identity()
            self.shortcut = nn.Sequential(pool, _conv_bn(channels_in, channels_out, 1))
        self.act = nn.ReLU(inplace=True)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.act(self.body(x_NCHW) + self.shortcut(x_NCHW))


class FaceResNet(nn.Module):
    """The small-face residual network; returns logits_NC.

    Args:
        classes: number of outputs.
        channels: 1 for grey faces, 3 for replicated ones.
        widths: channels of the stages; the first is also the stem's.
        blocks: residual blocks per stage.
        strides: stride of the first block of each stage.
        drop: dropout before the linear head.
    """

    def __init__(
        self,
        classes: int,
        channels: int = 1,
        widths: Sequence[int] = (48, 96, 192, 384),
        blocks: Sequence[int] = (2, 2, 2, 2),
        strides: Sequence[int] = (2, 2, 2, 2),
        drop: float = 0.3,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv_bn(channels, widths[0], 3), nn.ReLU(inplace=True))
        stages: list[nn.Module] = []
        width_in = widths[0]
        for width, depth, stride in zip(widths, blocks, strides, strict=True):
            for index in range(depth):
                stages.append(ResidualBlock(width_in, width, stride if index == 0 else 1))
                width_in = width
        self.stages = nn.Sequential(*stages)
        self.drop = nn.Dropout(drop)
        self.head = nn.Linear(width_in, classes)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        features_NCHW = self.stages(self.stem(x_NCHW))
        return self.head(self.drop(features_NCHW.mean(dim=(2, 3))))


def build_network(config: NetworkConfig, classes: int) -> nn.Module:
    """Make the network that a recipe names, with fresh weights.

    Raises:
        RecipeError: neither ours nor timm's, or its arguments do not fit.
    """
    try:
        if config.name == "faceresnet":
            return FaceResNet(classes, channels=config.channels, drop=config.drop, **config.args)
        if not timm.is_model(config.name):
            raise RecipeError(f"network.name: {config.name!r} is neither faceresnet nor a network of timm")
        return timm.create_model(
            config.name, num_classes=classes, in_chans=config.channels, drop_rate=config.drop, **config.args
        )
    except (TypeError, AssertionError) as error:
        raise RecipeError(f"network.args do not fit {config.name}: {error}") from error


class FaceClassifier(nn.Module):
    """A network with everything between raw uint8 faces and logits, so that training and export share one path.

    ``prepare`` turns faces_NHW (uint8) into the network's input; ``forward`` is prepare, then the network.
    """

    def __init__(self, network: nn.Module, config: NetworkConfig, input_side: int) -> None:
        super().__init__()
        self.network, self.config, self.input_side = network, config, input_side

    @classmethod
    def build(cls, recipe: Recipe, classes: int) -> FaceClassifier:
        """The classifier of a recipe with fresh weights, in the memory format that its recipe asks for."""
        config = recipe.network
        network = build_network(config, classes)
        if config.channels_last:
            network = network.to(memory_format=torch.channels_last)
        return cls(network, config, config.input_side or recipe.data.side)

    def prepare(self, faces_NHW: Tensor) -> Tensor:
        """uint8 (N, H, W), or float of the same range after augmentation -> normalised x_NCHW."""
        x_NHW = faces_NHW.float() / 255
        if self.config.normalize == "face":
            mean_N11 = x_NHW.mean(dim=(1, 2), keepdim=True)
            variance_N11 = (x_NHW - mean_N11).square().mean(dim=(1, 2), keepdim=True)
            x_NHW = (x_NHW - mean_N11) / (variance_N11.sqrt() + STD_FLOOR)
        else:
            x_NHW = (x_NHW - self.config.mean) / self.config.std
        x_NCHW = x_NHW.unsqueeze(1)
        if x_NCHW.shape[-1] != self.input_side:
            size = (self.input_side, self.input_side)
            x_NCHW = nn.functional.interpolate(x_NCHW, size, mode="bilinear", align_corners=False)
        return x_NCHW.expand(-1, self.config.channels, -1, -1) if self.config.channels > 1 else x_NCHW

    def forward(self, faces_NHW: Tensor) -> Tensor:
        return self.network(self.prepare(faces_NHW))
