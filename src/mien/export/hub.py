"""A folder as model hubs read it: weights, graph, configuration, preprocessing and a page with metadata.

    write_hub_folder(checkpoint, card, Path("mine.onnx"), page, Path("mine-hub"))
    network = timm.create_model("local-dir:mine-hub", pretrained=True)     # where the network is timm's

| file | what |
|---|---|
| README.md | the model card, with metadata on top: licence, library, task, labels |
| model.onnx | what mien, ONNX Runtime and browsers read: raw grey faces in, calibrated probabilities out |
| model.safetensors | the network's own weights, by timm's names where it is timm's |
| config.json | timm's configuration: architecture, classes, input size, mean and deviation |
| preprocessor_config.json | what is done to a face before the network, in words and numbers |

mien uploads nothing: push the folder with the hub's own tool.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

import mien
from mien.contract.atomic_files import write_whole
from mien.contract.card import ModelCard
from mien.contract.errors import OutputError
from mien.export.checkpoint import Checkpoint
from mien.train.network import FaceResNet, HeadedNetwork

LICENCE = "apache-2.0"


def is_timm(network: nn.Module) -> bool:
    """Whether timm can build this network from its name alone."""
    return not isinstance(network, FaceResNet | HeadedNetwork)


def write_hub_folder(checkpoint: Checkpoint, card: ModelCard, onnx_path: Path, page: str, folder: Path) -> list[Path]:
    """Write the folder.

    Args:
        checkpoint: whose weights go into ``model.safetensors``.
        card: of the exported .onnx.
        onnx_path: that file.
        page: Markdown of the model card, without metadata.
        folder: a new or empty folder.

    Returns:
        The files.

    Raises:
        OutputError: the folder holds something already, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder}: expected a new or empty folder for --to hub")
    network = checkpoint.classifier.network
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(onnx_path, folder / "model.onnx")
        state = {name: weight.detach().contiguous() for name, weight in network.state_dict().items()}
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
        write_whole(folder / "config.json", _json(timm_config(checkpoint, card)))
        write_whole(folder / "preprocessor_config.json", _json(preprocessing(checkpoint, card)))
        write_whole(folder / "README.md", (metadata(card, is_timm(network)) + page).encode())
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from None
    return sorted(folder.iterdir())


def timm_config(checkpoint: Checkpoint, card: ModelCard) -> dict[str, Any]:
    """config.json in timm's form. Of a network that is not timm's it names our own as the architecture."""
    classifier = checkpoint.classifier
    config, side = classifier.config, classifier.input_side
    fixed = config.normalize == "fixed"
    named: dict[str, Any] = {
        "architecture": config.name,
        "num_classes": len(card.labels) + len(card.rejected),
        "pretrained_cfg": {
            "input_size": [config.channels, side, side],
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "mean": _each(config.mean, config.channels) if fixed else [0.0] * config.channels,
            "std": _each(config.std, config.channels) if fixed else [1.0] * config.channels,
            "num_classes": len(card.labels) + len(card.rejected),
            "label_names": [*card.labels, *card.rejected],
            "license": LICENCE,
        },
        "mien": {"version": mien.__version__, "normalize": config.normalize, "mirror": config.mirror},
    }
    arguments = {**config.args, **({"in_chans": config.channels} if config.channels != 3 else {})}
    return {**named, "model_args": arguments} if arguments else named


def preprocessing(checkpoint: Checkpoint, card: ModelCard) -> dict[str, Any]:
    """What is done to a face before the network. ``model.onnx`` does all of it but the crop itself."""
    config = checkpoint.classifier.config
    return {
        "crop": "square around the detector's box plus the margin (left, top, right, bottom; shares of the box)",
        "margins": {name: list(margin) for name, margin in card.image.margins.items()},
        "grey": "ITU-R BT.601",
        "face_side_px": card.image.side,
        "network_side_px": checkpoint.classifier.input_side,
        "channels": config.channels,
        "rescale": 1 / 255,
        "normalize": config.normalize,
        "mean": list(config.mean) if config.normalize == "fixed" else None,
        "std": list(config.std) if config.normalize == "fixed" else None,
        "average_of_both_mirror_images": config.mirror,
        "labels": list(card.labels),
        "rejected": list(card.rejected),
    }


def metadata(card: ModelCard, timm_network: bool) -> str:
    """The YAML block that hubs read, at the top of README.md."""
    accuracy = card.metrics.get("validation", {}).get("accuracy")
    lines = [
        "---",
        f"license: {LICENCE}",
        f"library_name: {'timm' if timm_network else 'onnx'}",
        "pipeline_tag: image-classification",
        "tags: [facial-expression-recognition, emotion, onnx, mien]",
        f"model_name: {json.dumps(card.name)}",
    ]
    if accuracy is not None:
        lines += ["metrics: [accuracy]"]
    return "\n".join([*lines, "---", "", ""])


def _each(values: tuple[float, ...], channels: int) -> list[float]:
    """One number for each channel, also where the recipe gives one for all."""
    return list(values) if len(values) == channels else list(values) * channels


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
