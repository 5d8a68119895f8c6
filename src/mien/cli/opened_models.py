"""Open whatever names a model on the command line: a shipped model, a file or a run folder.

opened = open_model("base")
opened.predictor(faces_NHW), opened.labels
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mien.cli.output import needs

if TYPE_CHECKING:
    from mien.contract.card import ModelCard
    from mien.evaluate.scoring import Predictor

MODEL_HELP = "A shipped model's name, an .onnx file, a TorchScript .pt file with a card, or a run folder."


@dataclass(frozen=True)
class OpenedModel:
    """A model as a callable, and what is known about it.

    Attributes:
        predictor: crops uint8 (B, H, W) -> probabilities (B, C).
        labels: classes in the order of its columns.
        side: of its crops, in pixels.
        kind: "ONNX file", "TorchScript file" or "run folder".
        card: None for a run folder.
        size_bytes: of its file; None where there is none.
        run: the run folder.
    """

    predictor: Predictor
    labels: tuple[str, ...]
    side: int
    kind: str
    card: ModelCard | None = None
    size_bytes: int | None = None
    run: Path | None = None


def open_model(model: str) -> OpenedModel:
    """Open a model by its name or path.

    Raises:
        ModelError: no such model, or not one of ours.
        RunError: a run folder without weights.
    """
    path = Path(model)
    if path.is_dir() or path.name == "best.pth":
        with needs("train"):
            from mien.export.serving import torch_predictor
            from mien.train.run import Run
        run = Run.read(path if path.is_dir() else path.parent)
        size = (run.folder / "best.pth").stat().st_size if (run.folder / "best.pth").is_file() else None
        predictor = torch_predictor(run)
        return OpenedModel(predictor, run.labels, run.recipe.data.side, "run folder", None, size, run.folder)
    if path.suffix == ".pt" and path.is_file():
        with needs("train"):
            from mien.export.torchfiles import open_torchscript
        traced, card = open_torchscript(path)
        return OpenedModel(traced, card.labels, card.image.side, "TorchScript file", card, path.stat().st_size)
    from mien.contract.shipped_models import resolve_model
    from mien.recognition.classifier import Classifier

    file = resolve_model(model)
    classifier = Classifier(file)
    card = classifier.card
    return OpenedModel(classifier, card.labels, card.image.side, "ONNX file", card, file.stat().st_size)
