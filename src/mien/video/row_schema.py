"""The one table that JSONL, CSV and Parquet files hold: a row for each face of each frame.

What each column holds is in ``DESCRIPTIONS``; the scores come last, in the model's order. They sum to 1, or to less
where the model also says "none of these".

A photo or frame without a face is one row in which all but ``source`` and ``t_s`` is null: it was looked at. In CSV
null is an empty field and a bool is ``true`` or ``false``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mien.contract.emotions import valence_arousal
from mien.contract.results import FrameResult

SCHEMA_VERSION = 2
"""Raised when a column changes its name or its meaning; stored in Parquet's metadata."""

AFFECT_DECIMALS = 4

COLUMNS: dict[str, type] = {
    "source": str,
    "t_s": float,
    "track_id": int,
    "x1": float,
    "y1": float,
    "x2": float,
    "y2": float,
    "emotion": str,
    "confidence": float,
    "accepted": bool,
    "valence": float,
    "arousal": float,
    "smoothing_s": float,
}
"""All but the scores."""

DESCRIPTIONS: dict[str, tuple[str, str | None]] = {
    "source": ("File or stream, as the user named it", None),
    "t_s": ("Time from the start of the video, by its own timestamps; null for photos", "s"),
    "track_id": ("The same person within one video, from 1 on; null for photos", None),
    "x1": ("Left side of the detector's box in the upright frame", "px"),
    "y1": ("Top of the detector's box in the upright frame", "px"),
    "x2": ("Right side of the detector's box in the upright frame", "px"),
    "y2": ("Bottom of the detector's box in the upright frame", "px"),
    "emotion": ("The emotion that is named", None),
    "confidence": ("Its calibrated probability, 0 to 1; in videos smoothed over time", None),
    "accepted": ("False where the model abstains", None),
    "valence": ("Unpleasant to pleasant, -1 to 1, projected from the scores", None),
    "arousal": ("Sleepy to excited, -1 to 1, projected from the scores", None),
    "smoothing_s": ("Half-life of the mean over time that the scores went through; 0 for none, null for photos", "s"),
    "emotions": ("With --set-coverage: the emotions of the set, likeliest first, joined by a bar", None),
}
"""What each column holds, and its unit. A column score_<emotion> holds the probability of that emotion."""


def columns(labels: Sequence[str], sets: bool = False) -> dict[str, type]:
    """Names and types of a model's columns, in order; ``sets`` adds the column of sets."""
    return COLUMNS | ({"emotions": str} if sets else {}) | {f"score_{label}": float for label in labels}


def arrow_schema(labels: Sequence[str], sets: bool = False) -> Any:
    """The same columns as an Arrow schema, with the version in its metadata. ModuleNotFoundError without pyarrow."""
    import pyarrow as pa

    kinds = {str: pa.string(), float: pa.float64(), int: pa.int64(), bool: pa.bool_()}
    fields = [pa.field(name, kinds[kind]) for name, kind in columns(labels, sets).items()]
    return pa.schema(fields, metadata={"mien_schema": str(SCHEMA_VERSION)})


def rows(result: FrameResult, labels: Sequence[str], set_coverage: float | None = None) -> list[dict[str, Any]]:
    """The rows of one photo or frame, every column in each; one row with nulls where there is no face.

    ``set_coverage`` fills the column ``emotions``; ModelError where the model promises no sets.
    """
    empty: dict[str, Any] = dict.fromkeys(columns(labels, set_coverage is not None)) | {
        "source": result.source,
        "t_s": result.t_s,
    }
    if not result.faces:
        return [empty]
    found = []
    for face in result.faces:
        valence, arousal = (round(value, AFFECT_DECIMALS) for value in valence_arousal(face.scores))
        x1, y1, x2, y2 = face.box_xyxy
        filled: dict[str, Any] = {
            "track_id": face.track_id,
            "x1": x1,
            "y1": y1,
            "x2": x2,
            "y2": y2,
            "emotion": face.emotion,
            "confidence": face.confidence,
            "accepted": face.accepted,
            "valence": valence,
            "arousal": arousal,
            "smoothing_s": None if result.t_s is None else result.smoothing_s,
        }
        if set_coverage is not None:
            filled["emotions"] = "|".join(face.emotions_at(set_coverage))
        found.append(empty | filled | {f"score_{label}": face.scores[label] for label in labels})
    return found
