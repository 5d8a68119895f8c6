"""OpenCV's frontal-face cascade: needs no model file, finds upright frontal faces only.

    found = HaarDetector().detect(frame_rgb)      # boxes; no scores, no landmarks

Comes with ``pip install 'mien[haar]'``. OpenCV 5 has no cascades, so the extra asks for OpenCV 4.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import DetectorError, MissingExtraError
from mien.recognition.detectors.base import Detections, downscale, inside
from mien.recognition.detectors.overlaps import suppress_overlaps

LONGEST_SIDE_PX = 640
"""Larger frames are shrunk to this before the search, so faces below 1/23 of the longest side are missed. At 800 px and
more the cascade reports patches of 25 px as faces, even if 16 overlapping hits are required."""

MIN_FACE_PX = 28
"""In the shrunk frame. The cascade's own window is 24 px. A search from 24 px on takes a fifth more time and finds only
a quarter of the faces of that size, and the model is right on 65 % of them instead of 71 % (n = 1,000 validation faces,
at 24 and at 48 px)."""


class HaarDetector:
    """OpenCV's ``haarcascade_frontalface_default``, which is inside the OpenCV package.

    Args:
        min_neighbors: a face is found where at least so many hits overlap. On FER2013 frames 4, 5, 6 and 8 find 75.5,
            73.8, 72.0 and 68.8 % of the faces (n = 400). A real face in a photograph gets about 40 hits; patches of
            cloth and sky get up to 7, so fewer than 8 would report faces where there are none.
        longest_side_px: frames are shrunk to this before the search.

    Raises:
        MissingExtraError: OpenCV is not installed.
        DetectorError: the installed OpenCV has no cascades.
    """

    name = "haar"
    smallest_face_px = MIN_FACE_PX

    def __init__(self, min_neighbors: int = 8, longest_side_px: int = LONGEST_SIDE_PX) -> None:
        try:
            import cv2
        except ModuleNotFoundError:
            raise MissingExtraError("OpenCV, which the detector 'haar' needs,", "haar") from None
        self.min_neighbors = min_neighbors
        self.longest_side_px = longest_side_px
        self._lock = threading.Lock()  # the cascade keeps scratch buffers
        if not hasattr(cv2, "CascadeClassifier"):
            raise DetectorError(f"OpenCV {cv2.__version__} has no face cascades; use opencv-python-headless>=4.10,<5")
        import cv2.data

        self._cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
        if self._cascade.empty():
            raise DetectorError("the installed OpenCV lacks its face cascade file; reinstall opencv-python-headless")

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
        """Find upright frontal faces in a uint8 RGB frame of shape (H, W, 3)."""
        import cv2

        small_rgb, scale_2 = downscale(frame_rgb, self.longest_side_px)
        # The histogram is not equalised: the cascade normalises each window itself, and in an equalised frame with a
        # plain border it finds fewer faces (55 % instead of 74 %).
        grey = cv2.cvtColor(small_rgb, cv2.COLOR_RGB2GRAY)
        with self._lock:
            found_N4, neighbours_N = self._cascade.detectMultiScale2(
                grey, scaleFactor=1.1, minNeighbors=self.min_neighbors, minSize=(MIN_FACE_PX, MIN_FACE_PX)
            )
        if len(found_N4) == 0:
            return Detections(np.empty((0, 4)))
        boxes_N4 = np.asarray(found_N4, dtype=np.float64)
        boxes_N4[:, 2:] += boxes_N4[:, :2]  # from width and height
        kept = suppress_overlaps(boxes_N4, np.asarray(neighbours_N, dtype=np.float64))
        return inside(frame_rgb, Detections(boxes_N4[kept]).scaled(scale_2))
