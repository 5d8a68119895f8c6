"""What ``mien export --to hub`` does: a checkpoint -> a folder that model hubs read."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mien.cli.output import say

if TYPE_CHECKING:
    from mien.contract.card import ModelCard
    from mien.data.faceset import FaceSet
    from mien.export.checkpoint import Checkpoint
    from mien.export.parity import Parity


def write_hub(
    checkpoint: Checkpoint, faces: FaceSet, out: Path, options: dict[str, Any]
) -> tuple[ModelCard, Parity | None]:
    """Export the .onnx, then write it, the weights, the configuration and the page into ``out``."""
    from mien.export.hub import is_timm, write_hub_folder
    from mien.export.onnx import export_checkpoint
    from mien.report.model_card import model_card_markdown

    with TemporaryDirectory() as folder:
        onnx_path = Path(folder) / "model.onnx"
        card, parity = export_checkpoint(checkpoint, faces, onnx_path, **options)
        page = model_card_markdown(card, onnx_path.stat().st_size)
        for path in write_hub_folder(checkpoint, card, onnx_path, page, out):
            say(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    if is_timm(checkpoint.classifier.network):
        say(f"next: timm.create_model('local-dir:{out}', pretrained=True), or push the folder with the hub's own tool")
    else:
        say(f"next: mien predict photo.jpg --model {out}/model.onnx, or push the folder with the hub's own tool")
    return card, parity
