"""Check that a file gives the answers of the checkpoint that it was made from, on real faces.

    parity = check_parity(path, file, stored, checkpoint, faces_NHW)      # ParityError past 1e-4

For arithmetic of another precision that check is too strict. There ``measure_accuracy_drop`` counts the faces whose
answer changes and the accuracy that is lost, and ``refuse_past`` refuses more than the caller allows.

Shape legend: N faces, H = W side in pixels, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import ParityError
from mien.data.faceset import FaceSet
from mien.evaluate.scoring import Predictor, predict_all

PARITY_LIMIT = 1e-4
PARITY_FACES = 256


@dataclass(frozen=True)
class Parity:
    """How far the file is from PyTorch.

    Attributes:
        faces: real faces compared.
        difference: largest absolute difference of a probability against PyTorch with the stored weights.
        drift: the same against the float32 checkpoint, so what storing the weights in half changed.
    """

    faces: int
    difference: float
    drift: float


@dataclass(frozen=True)
class AccuracyDrop:
    """What a change of arithmetic, or of the network, cost on a split.

    Attributes:
        faces: labelled faces compared.
        accuracy_before: of the model that it was made from.
        accuracy: of the new one.
        agreement: share of the faces that both answer alike.
        divergence: mean Kullback-Leibler divergence of the new probabilities from the old, in nats.
    """

    faces: int
    accuracy_before: float
    accuracy: float
    agreement: float
    divergence: float

    @property
    def points(self) -> float:
        """Percentage points of accuracy lost; below zero where it got better."""
        return 100 * (self.accuracy_before - self.accuracy)

    def facts(self) -> dict[str, float]:
        """What the card keeps beside its own metrics."""
        kept = ("accuracy_before", "agreement", "divergence")
        return {name: getattr(self, name) for name in kept}


def check_parity(
    path: Path, file: Predictor, stored: Predictor, checkpoint: Predictor, faces_NHW: NDArray[np.uint8]
) -> Parity:
    """Compare a file that is about to be written to ``path`` with the networks that it was made from.

    Raises:
        ParityError: a probability differs by more than 1e-4 from that of ``stored``.
    """
    probs_NC = predict_all(file, faces_NHW)
    difference = float(np.abs(probs_NC - stored(faces_NHW)).max())
    drift = float(np.abs(probs_NC - checkpoint(faces_NHW)).max())
    if not difference <= PARITY_LIMIT:
        raise ParityError(
            f"{path}: not written: on {len(faces_NHW)} faces a probability differs from PyTorch's by {difference:.2g}, "
            f"more than {PARITY_LIMIT:g}"
        )
    return Parity(len(faces_NHW), difference, drift)


def measure_accuracy_drop(
    before_NC: NDArray[np.floating], after_NC: NDArray[np.floating], labels_N: NDArray[np.int64]
) -> AccuracyDrop:
    """What became worse between two sets of probabilities of the same labelled faces."""
    old_N, new_N = before_NC.argmax(axis=1), after_NC.argmax(axis=1)
    return AccuracyDrop(
        len(labels_N),
        float((old_N == labels_N).mean()),
        float((new_N == labels_N).mean()),
        float((old_N == new_N).mean()),
        divergence(before_NC, after_NC),
    )


def divergence(before_NC: NDArray[np.floating], after_NC: NDArray[np.floating]) -> float:
    """Mean Kullback-Leibler divergence of ``after`` from ``before``, in nats; 0 where they are the same."""
    old_NC, new_NC = (_whole(np.asarray(each, dtype=np.float64)) for each in (before_NC, after_NC))
    return float((old_NC * np.log(old_NC / new_NC)).sum(axis=1).mean())


def _whole(probs_NC: NDArray[np.float64]) -> NDArray[np.float64]:
    """With a last column for the rest to 1 (of models that reject), and no value below 1e-12, whose log must exist."""
    missing_N1 = 1 - probs_NC.sum(axis=1, keepdims=True)
    whole_NC: NDArray[np.float64] = np.maximum(np.concatenate([probs_NC, missing_N1], axis=1), 1e-12)
    return whole_NC


def refuse_past(limit_points: float, loss: AccuracyDrop, path: Path, remedy: str) -> None:
    """ParityError where more than ``limit_points`` of accuracy were lost."""
    if not loss.points <= limit_points:
        raise ParityError(
            f"{path}: not written: accuracy on {loss.faces} faces fell from {loss.accuracy_before:.4f} to "
            f"{loss.accuracy:.4f}, {loss.points:.2f} points, more than the {limit_points:g} allowed; {remedy}"
        )


def sample_faces(faces: FaceSet, wanted: int) -> NDArray[np.uint8]:
    """``wanted`` faces spread evenly over a set: folders are sorted by class, so all classes are met."""
    return faces.faces_NHW[np.linspace(0, len(faces) - 1, min(wanted, len(faces))).astype(np.int64)]
