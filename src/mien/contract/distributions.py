"""Distributions of what a camera shows: confidence, emotions, scores, face size and pixels, in fixed bins. No images.

    tally = Tally(labels)
    tally.add(probs_NC, crops_NSS, sizes_N)            # one person's appearance, however many faces it has
    tally.weights["confidence"], tally.units

Each appearance of a person counts once, however long it lasts: its faces share a weight of 1, because faces of one
person are alike. The scores are the logarithms of the probabilities less their mean. They are what the last layer makes
of the network's features, so they stand for these, and every model has them.

A model card keeps such a distribution of the faces that its figures come from (``reference_of``). Comparing the two is
the work of mien.evaluate.drift.

Shape legend: N faces, C classes, B bins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.card import ModelCard
from mien.contract.errors import ModelError
from mien.contract.face_pixels import brightness, contrast, sharpness

REFERENCE_KEY = "reference"
"""Name of the reference in ``ModelCard.data``."""

SMALLEST_PROBABILITY = 1e-4

EDGES: Mapping[str, tuple[float, ...]] = {
    "confidence": tuple(np.linspace(0.05, 0.95, 19).round(2).tolist()),
    "face size": (24, 32, 40, 48, 64, 80, 96, 128, 192, 256, 384),
    "brightness": tuple(range(16, 256, 16)),
    "contrast": tuple(range(10, 100, 6)),
    "sharpness": (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.3, 1.6, 2.0),
}
"""Inner edges of the bins; below the first and above the last there is one bin more. Size: short side, pixels."""

SCORE_EDGES = tuple(np.arange(-5, 7.5, 1).tolist())
CLASSES = "emotion"
"""The measure without an order: the most probable emotion."""


def measures(labels: Sequence[str]) -> tuple[str, ...]:
    """Names of all measures of a model with these labels."""
    return (CLASSES, *EDGES, *(f"score of {label}" for label in labels))


def bin_count(measure: str, labels: Sequence[str]) -> int:
    """Bins of a measure."""
    return len(labels) if measure == CLASSES else len(EDGES.get(measure, SCORE_EDGES)) + 1


class Tally:
    """Weights in bins, measure by measure; 1 in all for each appearance.

    Attributes:
        labels: of the model.
        units: appearances.
        faces: that were looked at.
        weights: by measure, shape (B,).
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels, self.units, self.faces = tuple(labels), 0.0, 0.0
        self.weights = {name: np.zeros(bin_count(name, self.labels)) for name in measures(self.labels)}

    def add(
        self, probs_NC: NDArray[np.floating[Any]], crops_NSS: NDArray[np.uint8] | None, sizes_N: ArrayLike | None
    ) -> None:
        """Add one appearance.

        Args:
            probs_NC: of its faces, rows summing to 1 or less.
            crops_NSS: grey crops of the same faces; None where the pixels are not known.
            sizes_N: short side of each face in pixels of the photo; None where that is not known.
        """
        self._add(*_binned(probs_NC, crops_NSS, sizes_N), share=1 / len(probs_NC))
        self.units, self.faces = self.units + 1, self.faces + len(probs_NC)

    def add_each(
        self, probs_NC: NDArray[np.floating[Any]], crops_NSS: NDArray[np.uint8] | None, sizes_N: ArrayLike | None
    ) -> None:
        """Add faces of which each is an appearance of its own."""
        self._add(*_binned(probs_NC, crops_NSS, sizes_N), share=1.0)
        self.units, self.faces = self.units + len(probs_NC), self.faces + len(probs_NC)

    def _add(self, classes_N: NDArray[np.intp], scores_NC: NDArray[np.intp], rest: _Bins, share: float) -> None:
        columns = {CLASSES: classes_N, **rest}
        columns |= {f"score of {label}": scores_NC[:, at] for at, label in enumerate(self.labels)}
        for name, index_N in columns.items():
            self.weights[name] += share * np.bincount(index_N, minlength=len(self.weights[name]))

    def merge(self, other: Tally) -> None:
        """Add all that another one of the same labels holds."""
        assert self.labels == other.labels
        self.units, self.faces = self.units + other.units, self.faces + other.faces
        for name, weights_B in other.weights.items():
            self.weights[name] += weights_B

    def known(self, measure: str) -> bool:
        """Whether this measure was taken of every appearance."""
        return bool(self.weights[measure].sum() > self.units - 0.5)


_Bins = dict[str, NDArray[np.intp]]


def _binned(
    probs_NC: NDArray[np.floating[Any]], crops_NSS: NDArray[np.uint8] | None, sizes_N: ArrayLike | None
) -> tuple[NDArray[np.intp], NDArray[np.intp], _Bins]:
    probs = np.asarray(probs_NC, dtype=np.float64)
    logs_NC = np.log(np.maximum(probs, SMALLEST_PROBABILITY))
    scores_NC = np.digitize(logs_NC - logs_NC.mean(axis=1, keepdims=True), SCORE_EDGES)
    values: dict[str, NDArray[Any]] = {"confidence": probs.max(axis=1)}
    if sizes_N is not None:
        values["face size"] = np.asarray(sizes_N, dtype=np.float64)
    if crops_NSS is not None:
        values |= {
            "brightness": brightness(crops_NSS),
            "contrast": contrast(crops_NSS),
            "sharpness": sharpness(crops_NSS),
        }
    return probs.argmax(axis=1), scores_NC, {name: np.digitize(each, EDGES[name]) for name, each in values.items()}


@dataclass(frozen=True)
class Reference:
    """How the faces that a model's figures come from are distributed.

    Attributes:
        faces: how many; each counts as one appearance.
        data: what they are, in words.
        shares: by measure the share of the faces in each bin; a measure that was not known is missing.
    """

    faces: int
    data: str
    shares: Mapping[str, tuple[float, ...]]

    @classmethod
    def of(cls, tally: Tally, data: str) -> Self:
        """The reference of faces that were tallied one by one."""
        shares = {
            name: tuple((weights_B / tally.units).round(5).tolist())
            for name, weights_B in tally.weights.items()
            if tally.known(name)
        }
        return cls(int(tally.units), data, shares)

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for ``ModelCard.data``."""
        return {
            "faces": self.faces,
            "data": self.data,
            "shares": {name: list(row) for name, row in self.shares.items()},
        }


def reference_of(card: ModelCard) -> Reference | None:
    """The reference in a card; None where it holds none.

    Raises:
        ModelError: it holds something else there.
    """
    plain = card.data.get(REFERENCE_KEY)
    if plain is None:
        return None
    try:
        shares = {str(name): tuple(map(float, row)) for name, row in plain["shares"].items()}
        if any(len(row) != bin_count(name, card.labels) for name, row in shares.items()):
            raise ValueError("bins")
        return Reference(int(plain["faces"]), str(plain["data"]), shares)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ModelError(f"the card of {card.name!r} misstates its reference; make the file again") from None


def distance(seen_B: ArrayLike, reference_B: ArrayLike) -> float:
    """Total variation, 0..1: the share of the faces that would have to move to another bin."""
    seen, reference = np.asarray(seen_B, dtype=np.float64), np.asarray(reference_B, dtype=np.float64)
    return float(np.abs(seen / seen.sum() - reference / reference.sum()).sum() / 2)
