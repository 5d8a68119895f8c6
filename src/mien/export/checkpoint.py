"""Open trained weights: of a finished run, of one of its checkpoints, or of a .pth that mien exported.

checkpoint = Checkpoint.open(Path("runs/base/…"))                  # the run's best weights
checkpoint = Checkpoint.open(Path("runs/base/…/last.ckpt"))        # those of its last epoch
checkpoint = Checkpoint.open(Path("base.pth"))                     # its card has the recipe: no run folder needed
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

import mien
from mien.contract.card import ImageSpec, ModelCard
from mien.contract.emotions import FERPLUS_EMOTIONS
from mien.contract.errors import ModelError, RunError
from mien.contract.lineage import Parent
from mien.data.votes import VOTES
from mien.export.torchfiles import card_of_pth
from mien.recognition.classifier import Classifier
from mien.recognition.detectors.margins import MARGINS
from mien.train.config import Recipe
from mien.train.model_file import network_of_card
from mien.train.network import FaceClassifier, keep_outputs, load_weights, outputs
from mien.train.run import Run, load_state

PREFIX = "classifier.network."
"""Of the network's weights in Lightning's checkpoints."""


@dataclass(frozen=True)
class Checkpoint:
    """A network with its weights, and facts about their training.

    Attributes:
        path: where they were read.
        recipe: the resolved recipe that they were trained by, as it was written down at that time; an older version of
            mien may have written it, so ``trainable_recipe`` is what parses it.
        face_side: px of the faces that it takes.
        labels: class names in the order of the outputs.
        rejected: names of the outputs after those; a head of votes has "unknown" and "not a face".
        classifier: on the CPU, in eval mode.
        data: fingerprint and counts of the data set.
        parents: the models that it was fine-tuned from or taught by.
        provenance: seconds, best epoch, machine, versions of libraries.
    """

    path: Path
    recipe: Mapping[str, Any]
    face_side: int
    labels: tuple[str, ...]
    classifier: FaceClassifier
    data: Mapping[str, Any]
    provenance: Mapping[str, Any]
    rejected: tuple[str, ...] = ()
    parents: tuple[Parent, ...] = ()

    @classmethod
    def open(cls, path: Path, head: str = "labels") -> Checkpoint:
        """Read a run folder, a .ckpt or .pth inside one, a .pth with a card, or an .onnx of our own network.

        Args:
            path: of any of these.
            head: as in ``Run.classifier``; "votes" needs the run folder.

        Raises:
            RunError, ModelError, RecipeError: none of these, or of another network than its recipe's.
        """
        if path.is_dir():
            return cls.of(Run.read(path), head)
        if head != "labels":
            raise RunError(f"{path}: the head of {head} is read from the run folder; name that")
        if not path.is_file():
            raise RunError(f"{path}: no such run folder or checkpoint")
        if path.suffix == ".onnx":
            return cls._of_model_file(path)
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            state = next((content[key] for key in ("state_dict", "model_state_dict") if key in content), content)
            state = {str(name).removeprefix(PREFIX): weight for name, weight in state.items()}
        except Exception as error:  # zip, pickle and torch errors of any kind
            raise RunError(f"{path}: not a checkpoint of PyTorch ({type(error).__name__})") from None
        card = card_of_pth(content)
        if card is not None:
            return cls._of_card(path, card, _loaded(_fresh(card, path), state, path))
        folder = next((each for each in (path.parent, path.parent.parent) if (each / "run.json").is_file()), None)
        if folder is None:
            raise RunError(f"{path}: neither a .pth with a model card nor inside a run folder, which has the recipe")
        run = Run.read(folder)
        classifier = FaceClassifier.build(run.recipe, outputs(run.recipe, len(run.labels)))
        _loaded(classifier, state, path)
        if run.recipe.votes is not None:
            keep_outputs(classifier.network, slice(len(run.labels)))
        return cls._of_run(path, run, classifier)

    def trainable_recipe(self) -> Recipe:
        """The recipe as this version of mien reads it, to train on by.

        Raises:
            RunError: another version of mien wrote it, with fields that this one does not have.
        """
        try:
            return Recipe.model_validate({key: value for key, value in self.recipe.items() if key != "sha256"})
        except ValidationError as error:
            first = error.errors()[0]
            raise RunError(
                f"{self.path}: another version of mien wrote its recipe: {'.'.join(map(str, first['loc']))}: "
                f"{first['msg']}; train a new run with this version and start from that"
            ) from None

    def card(self) -> ModelCard:
        """The card before calibration: it has no temperature, threshold or figures yet."""
        return ModelCard(
            name=str(self.recipe["name"]),
            labels=self.labels,
            image=ImageSpec(self.face_side, self.classifier.config.channels, MARGINS),
            temperature=1.0,
            accept_threshold=0.0,
            recipe=self.recipe,
            data=self.data,
            rejected=self.rejected,
            parents=self.parents,
            provenance={
                **self.provenance,
                "mien": mien.__version__,
                "exported": datetime.now(UTC).strftime("%Y-%m-%d"),
                "parameters": sum(weight.numel() for weight in self.classifier.parameters()),
            },
        )

    @classmethod
    def _of_model_file(cls, path: Path) -> Checkpoint:
        card = Classifier(path, provider="cpu").card
        classifier = _fresh(card, path)
        load_weights(classifier.network, path)
        return cls._of_card(path, card, classifier.eval())

    @classmethod
    def _of_card(cls, path: Path, card: ModelCard, classifier: FaceClassifier) -> Checkpoint:
        facts = (card.data, card.provenance, card.rejected, card.parents)
        return cls(path, card.recipe, card.image.side, card.labels, classifier, *facts)

    @classmethod
    def _of_run(cls, path: Path, run: Run, classifier: FaceClassifier, head: str = "labels") -> Checkpoint:
        labels: tuple[str, ...] = run.labels
        rejected: tuple[str, ...] = ()
        if head == "votes":
            labels, rejected = VOTES[: len(FERPLUS_EMOTIONS)], VOTES[len(FERPLUS_EMOTIONS) :]
        recipe = run.recipe.model_dump(mode="json") | {"sha256": run.recipe.sha256}
        side, data = run.recipe.data.side, run.facts["data"]
        return cls(path, recipe, side, labels, classifier, data, _provenance(run), rejected, _parents(run))

    @classmethod
    def of(cls, run: Run, head: str = "labels") -> Checkpoint:
        """A finished run's best weights; ``head`` as in ``Run.classifier``."""
        return cls._of_run(run.folder, run, run.classifier(head), head)


def _fresh(card: ModelCard, path: Path) -> FaceClassifier:
    """The network that a card names, with random weights."""
    try:
        return FaceClassifier.of_network(network_of_card(card), card.image.side, len(card.labels) + len(card.rejected))
    except ModelError as error:
        raise RunError(f"{path}: {error}") from None


def _loaded(classifier: FaceClassifier, state: Mapping[str, Any], path: Path) -> FaceClassifier:
    load_state(classifier.network, state, path)
    return classifier.eval()


def _parents(run: Run) -> tuple[Parent, ...]:
    return tuple(Parent(**parent) for parent in run.facts.get("parents", ()))


def _provenance(run: Run) -> dict[str, Any]:
    facts: dict[str, Any] = {"machine": run.facts["machine"], "versions": run.facts["versions"]}
    if "best" in run.facts:  # a run that has not finished lacks these
        facts |= {"training_seconds": run.facts["seconds"], "best_epoch": run.facts["best"]["epoch"]}
    return facts
