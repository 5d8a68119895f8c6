"""What recognition returns: frozen values, checked when they are made, of plain Python types that JSON can hold.

result = mien.recognize("party.jpg")
result.faces[0].emotion, result.faces[0].confidence
json.dumps(result.to_dict())
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mien.contract.errors import ModelError
from mien.contract.guarantees import Guarantees

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Face:
    """One face in one image and what it shows.

    Attributes:
        box_xyxy: the detector's box in pixels of the upright image: left, top, right, bottom.
        detector_score: the detector's own certainty, 0..1; None if it gives none (Haar) or no detector ran.
        emotion: the emotion that is named: the one with the largest score, unless the model's card or the user corrects
            for how frequent emotions are (mien.contract.naming).
        confidence: its calibrated probability, 0..1; not always the largest of ``scores``.
        accepted: False when the model abstains, because no score reaches the threshold in its card: the crop shows no
            face, or one that the model cannot read.
        scores: probability of every emotion by name, in the model's index order; they sum to 1, or to less where the
            model also says "none of these" (``ModelCard.rejected``).
        track_id: the same person over frames of a video; None for single images.
        guarantees: of the model, for ``emotions_at``; no part of ``to_dict``.
    """

    box_xyxy: Box
    detector_score: float | None
    emotion: str
    confidence: float
    accepted: bool
    scores: Mapping[str, float]
    track_id: int | None = None
    guarantees: Guarantees | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.box_xyxy
        if not all(math.isfinite(value) for value in self.box_xyxy) or x2 <= x1 or y2 <= y1:
            raise ValueError(f"expected a finite box with x2 > x1 and y2 > y1, got {self.box_xyxy}")
        if self.detector_score is not None and not 0 <= self.detector_score <= 1:
            raise ValueError(f"expected detector_score in 0..1, got {self.detector_score}")
        if not all(0 <= score <= 1 for score in self.scores.values()):  # false for NaN too
            raise ValueError(f"expected scores in 0..1, got {dict(self.scores)}")
        if sum(self.scores.values()) > 1 + 1e-3:
            raise ValueError(f"expected scores that sum to at most 1, got {sum(self.scores.values()):.4f}")
        if self.emotion not in self.scores or self.scores[self.emotion] != self.confidence:
            raise ValueError(f"expected confidence to be the score of {self.emotion!r}, got {self.confidence}")
        object.__setattr__(self, "scores", dict(self.scores))

    def emotions_at(self, coverage: float, *, by_class: bool = False) -> tuple[str, ...]:
        """The smallest set of emotions that holds the true one with at least this frequency, the likeliest first.

        The frequency is over new faces like those that the model's guarantees were fitted on (``Guarantees.data``); it
        is a promise for single photos, not for scores that were smoothed over a video. ``emotion`` is always in it.

        Args:
            coverage: between 0 and 1, such as 0.9.
            by_class: promise it for each emotion by itself, not over all faces together; the sets are larger.

        Raises:
            ModelError: the model's card promises nothing of the kind.
            ValueError: ``coverage`` is not between 0 and 1.
        """
        sets = None
        if self.guarantees is not None:
            sets = self.guarantees.sets_by_class if by_class else self.guarantees.sets
        if sets is None:
            raise ModelError(
                "the model's card holds no calibration scores for sets of emotions; "
                "add them with: mien adapt MODEL --data LABELLED --method none --out FILE.onnx"
            )
        inside_C = sets.emotions(np.array([list(self.scores.values())]), coverage)[0]
        chosen = {name for name, inside in zip(self.scores, inside_C, strict=True) if inside} | {self.emotion}
        return tuple(sorted(chosen, key=lambda name: -self.scores[name]))

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON; ``track_id`` only where there is one."""
        plain = {
            "box_xyxy": list(self.box_xyxy),
            "detector_score": self.detector_score,
            "emotion": self.emotion,
            "confidence": self.confidence,
            "accepted": self.accepted,
            "scores": dict(self.scores),
        }
        return plain if self.track_id is None else plain | {"track_id": self.track_id}


@dataclass(frozen=True)
class FrameResult:
    """All faces of one image or video frame. An image without a face has a result too.

    Attributes:
        source: path or name of the image.
        width: of the upright image in pixels.
        height: likewise.
        faces: largest first, so the first is the main face; empty when there is none.
        t_s: seconds from the start of the source, from its own timestamps; None for single images.
        smoothing_s: half-life of the mean over time that the scores went through; 0 for the scores of this frame alone.
    """

    source: str
    width: int
    height: int
    faces: tuple[Face, ...]
    t_s: float | None = None
    smoothing_s: float = 0.0

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"expected an image of at least 1 x 1, got {self.width} x {self.height}")
        if not 0 <= self.smoothing_s < math.inf:
            raise ValueError(f"expected smoothing_s of at least 0 seconds, got {self.smoothing_s}")

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON; ``t_s`` only where there is one, ``smoothing_s`` only where scores were smoothed."""
        plain: dict[str, Any] = {"source": self.source, "width": self.width, "height": self.height}
        if self.t_s is not None:
            plain["t_s"] = self.t_s
        if self.smoothing_s:
            plain["smoothing_s"] = self.smoothing_s
        return plain | {"faces": [face.to_dict() for face in self.faces]}
