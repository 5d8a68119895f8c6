"""YuNet: a 0.2 MB network that finds faces of 10 to 300 px at any angle up to some 40 degrees, with five landmarks.

    found = YuNetDetector().detect(frame_rgb)            # the file that `mien models pull yunet` fetched
    found = YuNetDetector("yunet.onnx").detect(frame_rgb)

Wu, Peng & Yu 2023, "YuNet: A Tiny Millisecond-level Face Detector". Not here: the network itself (yunet_network.py).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import DetectorError
from mien.recognition.detectors.base import Detections
from mien.recognition.detectors.tiles import search_at_sizes, search_in_steps
from mien.recognition.detectors.yunet_network import YuNetNetwork

YUNET_FILE = "face_detection_yunet_2023mar.onnx"
YUNET_URL = f"https://huggingface.co/opencv/face_detection_yunet/resolve/main/{YUNET_FILE}"
"""OpenCV's own copy; MIT licence."""
YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
YUNET_BYTES = 232_589

LONGEST_SIDE_PX = 1440
"""Larger frames are shrunk to this before the search for small faces. Faces from about 1/50 of the longest side on are
found, below 1/100 none are (benchmarks/detectors.py)."""


class YuNetDetector:
    """YuNet on ONNX Runtime.

    Args:
        model_path: an ONNX file of YuNet; None for the one that ``mien models pull yunet`` fetched.
        min_score: faces with a lower score are dropped, 0..1.
        longest_side_px: frames are shrunk to this before the search.
        threads: CPU threads; None for one for each CPU that this process may use, at most 4.

    Raises:
        DetectorError: there is no such file, or it is another network.
    """

    name = "yunet"
    smallest_face_px = 10

    def __init__(
        self,
        model_path: str | Path | None = None,
        min_score: float = 0.7,
        longest_side_px: int = LONGEST_SIDE_PX,
        threads: int | None = None,
    ) -> None:
        path = yunet_path() if model_path is None else Path(model_path)
        if not path.is_file():
            raise DetectorError(
                f"no YuNet file at {path}; fetch it with `mien models pull yunet`, "
                "give one with --detector-model FILE, or use the detector 'auto'"
            )
        self.longest_side_px = longest_side_px
        try:
            self._network = YuNetNetwork(path.read_bytes(), min_score, threads)
        except OSError as error:
            raise DetectorError(f"{path}: cannot be read ({error.strerror})") from None
        except DetectorError as error:
            raise DetectorError(f"{path}: {error}") from None

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
        """Find faces in a uint8 RGB frame of shape (H, W, 3)."""
        return search_at_sizes(frame_rgb, self._network.search, self.longest_side_px)

    def detect_in_steps(self, frame_rgb: NDArray[np.uint8], before_step: Callable[[], None]) -> Detections:
        """As ``detect``, in short steps; ``before_step`` is called before each, and what it raises ends the search."""
        return search_in_steps(frame_rgb, self._network.search, self.longest_side_px, before_step)


def yunet_path() -> Path:
    """Where ``mien models pull yunet`` puts its file, whether or not it is there."""
    from platformdirs import user_cache_path

    return user_cache_path("mien", appauthor=False) / YUNET_FILE
