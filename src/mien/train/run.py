"""The run folder: what a training run leaves behind, and how to read it again.

    run = Run.read(Path("runs/base/2026-01-31T10-00-00"))
    run.classifier()                                        # the best weights, ready to use

    recipe.yaml        the resolved recipe
    run.json           labels, data fingerprint, versions, machine; for each finished phase its best epoch and its time
    metrics.csv        one row an epoch             events.out.*  the same and every step, for TensorBoard
    last.ckpt          resumes the run              best.ckpt     the best epoch on validation
    teacher.npy        what the teacher said of each training face, where the recipe asks it once
    best.pth           the best (averaged) weights as a plain state_dict of the network

A recipe of several phases keeps metrics, events and checkpoints of each in ``phase-1/``, ``phase-2/``, ….
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mien.contract.errors import RunError
from mien.train.config import Recipe
from mien.train.network import FaceClassifier, keep_outputs, outputs
from mien.train.recipe import load_recipe


@dataclass(frozen=True)
class Run:
    """A run folder, read back: its recipe and the facts in run.json."""

    folder: Path
    recipe: Recipe
    facts: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Run:
        """Open a run folder; RunError says what is missing."""
        try:
            recipe = load_recipe(folder / "recipe.yaml")
            return cls(folder, recipe, json.loads((folder / "run.json").read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise RunError(f"{folder}: not a run folder ({error})") from None

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in index order."""
        return tuple(self.facts["labels"])

    def classifier(self, head: str = "labels") -> FaceClassifier:
        """The classifier with the run's best weights, on the CPU, in eval mode.

        Args:
            head: "labels", or "votes" for the one over FER+'s ten columns where the recipe has it.
        """
        weights = self.folder / "best.pth"
        if not weights.is_file():
            raise RunError(f"{self.folder}: no best.pth; the run has not finished, go on with: mien train --resume")
        if head == "votes" and self.recipe.votes is None:
            raise RunError(f"{self.folder}: has no head for votes; its recipe {self.recipe.name} has no section votes")
        classes = len(self.labels)
        classifier = FaceClassifier.build(self.recipe, outputs(self.recipe, classes))  # fresh, replaced at once
        classifier.network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        if self.recipe.votes is not None:
            keep_outputs(classifier.network, slice(classes, None) if head == "votes" else slice(classes))
        return classifier.eval()


def torch_bytes(value: Any) -> bytes:
    """The bytes that ``torch.save`` would write, for ``write_whole``."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()
