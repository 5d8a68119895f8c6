"""mien: recognise facial expressions in photos, calibrated, offline, without a deep-learning framework.

    import mien
    mien.recognize("photo.jpg").faces[0].emotion

Importing does nothing but name things; models, detectors and ONNX Runtime are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"


if TYPE_CHECKING:
    from mien.contract.card import ModelCard
    from mien.contract.errors import (
        DataError,
        DetectorError,
        ImageError,
        MienError,
        MissingExtraError,
        ModelError,
        OutputError,
        ParityError,
        RecipeError,
        RunError,
        StoreError,
        VideoError,
    )
    from mien.contract.results import Face, FrameResult
    from mien.contract.sample_photo import SAMPLE_PHOTO
    from mien.recognition.embeddings import embed
    from mien.recognition.recognizer import Recognizer, recognize

_HOMES = {
    "Face": "mien.contract.results",
    "FrameResult": "mien.contract.results",
    "ModelCard": "mien.contract.card",
    "Recognizer": "mien.recognition.recognizer",
    "embed": "mien.recognition.embeddings",
    "recognize": "mien.recognition.recognizer",
    "SAMPLE_PHOTO": "mien.contract.sample_photo",
    "MienError": "mien.contract.errors",
    "ImageError": "mien.contract.errors",
    "VideoError": "mien.contract.errors",
    "OutputError": "mien.contract.errors",
    "DataError": "mien.contract.errors",
    "RecipeError": "mien.contract.errors",
    "RunError": "mien.contract.errors",
    "ModelError": "mien.contract.errors",
    "ParityError": "mien.contract.errors",
    "DetectorError": "mien.contract.errors",
    "StoreError": "mien.contract.errors",
    "MissingExtraError": "mien.contract.errors",
}

__all__ = [
    "DataError",
    "DetectorError",
    "Face",
    "FrameResult",
    "ImageError",
    "MienError",
    "MissingExtraError",
    "ModelCard",
    "ModelError",
    "OutputError",
    "ParityError",
    "RecipeError",
    "SAMPLE_PHOTO",
    "Recognizer",
    "RunError",
    "StoreError",
    "VideoError",
    "__version__",
    "embed",
    "recognize",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mien' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
