"""What all adapters use: one loaded recognizer for each choice of model and detector, and its faces.

    seen = see(recognizer_for("base", "auto"), frame_rgb)
    seen.faces[0].emotion; seen.landmarks_N52
    in_order(seen.faces[0].scores, SEVEN)

Shape legend: N faces, C emotions of the peer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.emotions import canonical
from mien.contract.errors import DetectorError, MissingExtraError, ModelError
from mien.contract.results import Face
from mien.recognition.detectors import DETECTORS
from mien.recognition.recognizer import Recognizer, largest_first


@dataclass(frozen=True, eq=False)
class Seen:
    """The faces of one frame, largest first.

    Attributes:
        faces: the faces, each with its scores.
        landmarks_N52: as ``Detections`` holds them; None if the detector gives none.
        width: width of the frame in pixels.
        height: height of the frame in pixels.
    """

    faces: tuple[Face, ...]
    landmarks_N52: NDArray[np.float64] | None
    width: int
    height: int


@lru_cache(maxsize=4)
def recognizer_for(model: str | Path, detector: str) -> Recognizer:
    """A recognizer, loaded once for each model and detector."""
    return Recognizer(model, detector)


def our_detector(peer_name: str, skips: Sequence[str] = ("skip",)) -> str:
    """The detector that answers for a peer's: one of ours by its own name, "none" where the peer skips detection, and
    the best that there is for all others (opencv, mtcnn, retinaface, ...).

    Raises:
        DetectorError: not a name at all.
    """
    if not isinstance(peer_name, str) or not peer_name:
        raise DetectorError(f"expected the name of a detector, got {peer_name!r}")
    if peer_name in skips:
        return "none"
    return peer_name if peer_name in DETECTORS else "auto"


def see(recognizer: Recognizer, frame_rgb: NDArray[np.uint8]) -> Seen:
    """Find and classify the faces of one frame."""
    found = largest_first(recognizer.detector.detect(frame_rgb))
    probs_NC = recognizer.classifier(recognizer.crops(frame_rgb, found))
    height, width = frame_rgb.shape[:2]
    result = recognizer.result(width, height, found, probs_NC, "array")
    return Seen(result.faces, found.landmarks_N52, width, height)


def in_order(scores: Mapping[str, float], labels: Sequence[str]) -> list[float]:
    """Scores in a peer's order, rescaled to sum to 1 over the peer's labels. Names are matched by what they mean.

    Raises:
        ModelError: the model has none of these labels.
    """
    ours = {canonical(name): score for name, score in scores.items()}
    found = [ours.get(canonical(label), 0.0) for label in labels]
    if not any(canonical(label) in ours for label in labels):
        raise ModelError(f"the model knows {', '.join(scores)}, and none of {', '.join(labels)}")
    total = sum(found)
    return [score / total for score in found] if total > 0 else [1 / len(labels)] * len(labels)


def load_pandas() -> Any:
    """Import pandas, or name the extra that brings it."""
    try:
        import pandas
    except ModuleNotFoundError:
        raise MissingExtraError("pandas", "adapters") from None
    return pandas
