"""Image -> faces with emotions: read, detect, crop, classify, draw.

    result = mien.recognize("party.jpg")
    recognizer = mien.Recognizer(model="my.onnx", detector="yunet")      # for many images

Importing this loads neither ONNX Runtime nor OpenCV nor Pillow; the first recognition does. Inside ``mien`` the name
``recognize`` is the function below, so modules of this room are reached with ``from mien.recognize.<module> import``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from mien.contract.results import FrameResult
    from mien.recognize.recognizer import Recognizer

__all__ = ["Recognizer", "recognize"]


def recognize(
    image: str | Path | NDArray[np.uint8], *, model: str | Path = "base", detector: str = "auto"
) -> FrameResult:
    """Find the faces in one image and say what they show.

    Args:
        image: path of an image file, or a uint8 array of shape (H, W, 3) RGB or (H, W) grey, upright.
        model: name of a shipped model, or path of an .onnx file that mien exported.
        detector: "auto" (YuNet where its file is, else Haar), "yunet", "haar", or "none" for an image that is a face.

    Returns:
        The faces, largest first; none is a result too. The model stays loaded for the next call.

    Raises:
        ImageError: the image cannot be read.
        ModelError: no such model, or a file that is not one.
        DetectorError: no such detector, or its file is missing.
    """
    return _recognizer(model, detector).recognize(image)


@lru_cache(maxsize=4)
def _recognizer(model: str | Path, detector: str) -> Recognizer:
    from mien.recognize.recognizer import Recognizer

    return Recognizer(model, detector)


def __getattr__(name: str) -> Any:
    if name == "Recognizer":
        from mien.recognize.recognizer import Recognizer

        return Recognizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
