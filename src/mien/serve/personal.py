"""A visitor's own model, from a dozen labelled moments: collected in memory, adapted, kept as one file or deleted.

    personal = Personal(folder, recognizer, adapt)
    personal.add(key, "happy", moment=3, crop_SS)          # a face; in memory alone
    outcome = personal.make(key)                            # blocks for some seconds; the faces are forgotten then
    personal.recognizer(key)                                # the visitor's model, or None
    personal.forget(key)

Pictures are never written. What stays on disk is the adapted model, readable by this user alone, named by the digest of
the visitor's secret, and only where cross-validation showed that it helps. Faces that nobody makes a model of are
forgotten after half an hour.

Fitting is given from outside (``Adapt``), because it needs scikit-learn, which a server runs without.

Shape legend: S side of the crop, N faces.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import MienError
from mien.recognition.classifier import Classifier
from mien.recognition.recognizer import Recognizer

MOST_FACES = 96
MOST_VISITORS = 16
"""Visitors whose faces are in memory at once; 16 times 96 faces are 4 MB."""

KEPT_S = 1800.0
OWNER = "owner"
"""Key of whoever uses the server without being one of several visitors."""


@dataclass(frozen=True)
class Outcome:
    """What adapting found, each face judged by a model without its moment.

    Attributes:
        helps: whether the model was kept.
        faces: how many.
        before: share of them that the shipped model names right.
        after: share that the adapted one does.
    """

    helps: bool
    faces: int
    before: float
    after: float


Adapt = Callable[[Path, NDArray[np.uint8], Sequence[str], Sequence[int], Path], Outcome]
"""The source model, crops (N, S, S), their emotions, the moment of each, and where the new model goes if it helps."""


@dataclass
class _Collected:
    crops: list[NDArray[np.uint8]] = field(default_factory=list)
    emotions: list[str] = field(default_factory=list)
    moments: list[int] = field(default_factory=list)
    touched_s: float = field(default_factory=time.monotonic)


class Personal:
    """The personal models of one server. May be used from any thread.

    Args:
        folder: of the models; made with the first.
        shipped: what everybody else gets.
        adapt: does the fitting.
    """

    def __init__(self, folder: Path, shipped: Recognizer, adapt: Adapt) -> None:
        self._folder, self._shipped, self._adapt = folder, shipped, adapt
        self._collected: dict[str, _Collected] = {}
        self._opened: dict[str, Recognizer] = {}
        self._lock = threading.Lock()
        self._making = threading.Lock()

    @property
    def emotions(self) -> tuple[str, ...]:
        """That may be shown."""
        return self._shipped.card.labels

    def add(self, key: str, emotion: str, moment: int, crop_SS: NDArray[np.uint8]) -> None:
        """Take a face.

        Args:
            key: of the visitor.
            emotion: one of ``emotions``.
            moment: faces of one moment are judged together.
            crop_SS: as the network sees it.

        Raises:
            MienError: an unknown emotion, or too many faces or visitors.
        """
        if emotion not in self.emotions:
            raise MienError(f"no emotion {emotion!r}; there are: {', '.join(self.emotions)}")
        with self._lock:
            now_s = time.monotonic()
            self._collected = {name: each for name, each in self._collected.items() if now_s - each.touched_s < KEPT_S}
            if key not in self._collected and len(self._collected) >= MOST_VISITORS:
                raise MienError("too many people teach the server now; try again later")
            mine = self._collected.setdefault(key, _Collected())
            if len(mine.crops) >= MOST_FACES:
                raise MienError(f"{MOST_FACES} faces are enough; make the model, or delete them")
            mine.crops.append(crop_SS.copy())
            mine.emotions.append(emotion)
            mine.moments.append(moment)
            mine.touched_s = now_s

    def counts(self, key: str) -> dict[str, int]:
        """Faces in memory, by emotion."""
        with self._lock:
            mine = self._collected.get(key)
            return {name: mine.emotions.count(name) for name in dict.fromkeys(mine.emotions)} if mine else {}

    def has_model(self, key: str) -> bool:
        """Whether there is one on disk."""
        return self._file(key).is_file()

    def make(self, key: str) -> Outcome:
        """Adapt the shipped model to the faces, which are forgotten whatever comes out.

        Raises:
            MienError: too few faces, or another model is being made.
        """
        if not self._making.acquire(blocking=False):
            raise MienError("another model is being made; try again in a minute")
        try:
            with self._lock:
                mine = self._collected.pop(key, None)
            if mine is None:
                raise MienError("no face was collected yet")
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._adapt(
                self._shipped.classifier.path, np.stack(mine.crops), mine.emotions, mine.moments, self._file(key)
            )
        finally:
            with self._lock:
                self._opened.pop(key, None)
            self._making.release()

    def recognizer(self, key: str) -> Recognizer | None:
        """With the visitor's model; None where there is none."""
        with self._lock:
            if key not in self._opened:
                if not self.has_model(key):
                    return None
                if len(self._opened) >= MOST_VISITORS:
                    self._opened.pop(next(iter(self._opened)))
                model = Classifier(self._file(key), threads=1, provider="cpu")
                self._opened[key] = Recognizer(model, self._shipped.detector, priors=self._shipped.priors)
            return self._opened[key]

    def forget(self, key: str) -> bool:
        """Delete the faces and the model; whether there was anything."""
        with self._lock:
            known = self._collected.pop(key, None) is not None
            self._opened.pop(key, None)
            known |= self.has_model(key)
            self._file(key).unlink(missing_ok=True)
            return known

    def _file(self, key: str) -> Path:
        assert key.isalnum()  # a digest, or OWNER
        return self._folder / f"{key}.onnx"
