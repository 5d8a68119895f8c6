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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

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
        """Open a run folder; RunError says what is missing or damaged."""
        try:
            recipe = load_recipe(folder / "recipe.yaml")
            facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:  # RecursionError: JSON that is nested too deeply
            raise RunError(f"{folder}: not a run folder ({error})") from None
        problem = _problem(facts)
        if problem is not None:
            raise RunError(f"{folder}: run.json is damaged: {problem}; take it from a copy, or train a new run")
        return cls(folder, recipe, facts)

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in index order."""
        return tuple(self.facts["labels"])

    def phase_folders(self) -> list[Path]:
        """Where each phase leaves its files: the run folder itself where there is one phase."""
        count = len(self.recipe.resolved_phases())
        return [self.folder / f"phase-{number}" for number in range(1, count + 1)] if count > 1 else [self.folder]

    def classifier(self, head: str = "labels") -> FaceClassifier:
        """The classifier with the run's best weights, on the CPU, in eval mode.

        Args:
            head: "labels", or "votes" for the one over FER+'s ten columns where the recipe has it.

        Raises:
            RunError: the run has not finished, has no such head, or its weights are damaged or of another network.
        """
        weights = self.folder / "best.pth"
        if not weights.is_file():
            raise RunError(f"{self.folder}: no best.pth; the run has not finished, go on with: mien train --resume")
        if head == "votes" and self.recipe.votes is None:
            raise RunError(f"{self.folder}: has no head for votes; its recipe {self.recipe.name} has no section votes")
        # the labels come first among the outputs, then the ten columns of votes
        classes = len(self.labels)
        classifier = FaceClassifier.build(self.recipe, outputs(self.recipe, classes))  # fresh, replaced at once
        load_state(classifier.network, read_state(weights), weights)
        if self.recipe.votes is not None:
            keep_outputs(classifier.network, slice(classes, None) if head == "votes" else slice(classes))
        return classifier.eval()


def _problem(facts: Any) -> str | None:
    """What makes the content of a run.json unusable; None where nothing does."""
    if not isinstance(facts, dict):
        return f"expected keys and values, found {type(facts).__name__}"
    labels = facts.get("labels")
    if not isinstance(labels, list) or len(labels) < 2 or not all(isinstance(label, str) for label in labels):
        return f"expected two or more class names under labels, found {labels!r:.60}"
    # the keys that export and resume read without asking
    wrong = [key for key in ("data", "versions", "machine") if not isinstance(facts.get(key), dict)]
    return f"{wrong[0]} is missing" if wrong else None


def read_state(path: Path) -> dict[str, Tensor]:
    """The plain state_dict in a ``best.pth``, read so that a hostile file cannot run code.

    Raises:
        RunError: damaged, or not a state_dict.
    """
    try:
        # weights_only refuses pickled objects, which could run code
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle and torch raise many kinds for a damaged file
        content = type(error).__name__
    if isinstance(content, dict) and content and all(isinstance(weight, Tensor) for weight in content.values()):
        return content
    reason = f" ({content})" if isinstance(content, str) else ""
    raise RunError(f"{path}: damaged or not a state_dict of PyTorch{reason}; export from best.ckpt beside it instead")


def load_state(network: nn.Module, state: Mapping[str, Any], path: Path) -> None:
    """Load weights that were read from ``path``; RunError where they are of another network."""
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        detail = " ".join(str(error).split())[:120]
        raise RunError(f"{path}: its weights are not of the network that its recipe names ({detail})") from None


def torch_bytes(value: Any) -> bytes:
    """The bytes that ``torch.save`` would write, for ``write_whole``."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()
