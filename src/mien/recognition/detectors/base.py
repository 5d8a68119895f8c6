"""What all face detectors share: their answer, their interface, and how a frame is shrunk before the search.

    found = detector.detect(frame_rgb)
    found.boxes_N4, found.scores_N, found.landmarks_N52

Shape legend: N faces; a box is left, top, right, bottom; a landmark is x, y; all in pixels of the upright frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Detections:
    """Faces found in one frame.

    Attributes:
        boxes_N4: float64, inside the frame, each at least one pixel wide and high.
        scores_N: float64, 0..1; None from detectors that give none.
        landmarks_N52: float64: the eye on the left of the image, the other eye, nose tip, left and right mouth corner;
            None from detectors that give none.
    """

    boxes_N4: NDArray[np.float64]
    scores_N: NDArray[np.float64] | None = None
    landmarks_N52: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        count = len(self.boxes_N4)
        for what, shape in (("boxes_N4", (count, 4)), ("scores_N", (count,)), ("landmarks_N52", (count, 5, 2))):
            value = getattr(self, what)
            if value is not None and value.shape != shape:
                raise ValueError(f"expected {what} of shape {shape}, got {value.shape}")

    def __len__(self) -> int:
        return len(self.boxes_N4)

    def take(self, positions: NDArray[np.intp]) -> Detections:
        """The faces at ``positions``, in that order."""
        return Detections(
            self.boxes_N4[positions],
            None if self.scores_N is None else self.scores_N[positions],
            None if self.landmarks_N52 is None else self.landmarks_N52[positions],
        )

    def moved(self, right_px: float, down_px: float) -> Detections:
        """The same faces in an image that begins further left and further up."""
        shift_2 = np.array([right_px, down_px])
        return Detections(
            self.boxes_N4 + np.tile(shift_2, 2),
            self.scores_N,
            None if self.landmarks_N52 is None else self.landmarks_N52 + shift_2,
        )

    def scaled(self, scale_2: NDArray[np.float64]) -> Detections:
        """The same faces in an image whose x and y are ``scale_2`` times as large."""
        return Detections(
            self.boxes_N4 * np.tile(scale_2, 2),
            self.scores_N,
            None if self.landmarks_N52 is None else self.landmarks_N52 * scale_2,
        )


class Detector(Protocol):
    """What recognition needs: a ``name``, which picks the crop margin, and ``detect``, called from any thread."""

    @property
    def name(self) -> str: ...

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections: ...


@runtime_checkable
class SteppedDetector(Detector, Protocol):
    """A detector that can search in short steps, for callers that let other work pass in between."""

    def detect_in_steps(self, frame_rgb: NDArray[np.uint8], before_step: Callable[[], None]) -> Detections: ...


class WholeFrameDetector:
    """Takes the whole image as one face, for crops that were made elsewhere."""

    name = "none"

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
        height, width = frame_rgb.shape[:2]
        return Detections(np.array([[0.0, 0.0, width, height]]))


def downscale(frame_rgb: NDArray[np.uint8], longest_side_px: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Shrink a frame to a bounded size by averaging pixels; return smaller frames unchanged.

    Frames whose sides are multiples of the new ones take a third of the time.

    Returns:
        The frame, and the factors for x and y that turn its coordinates into those of the frame given.
    """
    height, width = frame_rgb.shape[:2]
    scale = longest_side_px / max(height, width)
    if scale >= 1:
        return frame_rgb, np.ones(2)
    from PIL import Image

    size = max(1, round(width * scale)), max(1, round(height * scale))
    image = Image.fromarray(frame_rgb)
    if (width % size[0], height % size[1]) == (0, 0):
        small = image.reduce((width // size[0], height // size[1]))
    else:
        small = image.resize(size, Image.Resampling.BOX)
    return np.asarray(small), np.array([width / size[0], height / size[1]])


def reduce(frame_rgb: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Average squares of ``factor`` x ``factor`` pixels, at the right and lower edge what is left of them."""
    if factor == 1:
        return frame_rgb
    from PIL import Image

    return np.asarray(Image.fromarray(frame_rgb).reduce(factor))


def inside(frame_rgb: NDArray[np.uint8], found: Detections) -> Detections:
    """Clip boxes to the frame, and drop those of which less than one pixel is left."""
    height, width = frame_rgb.shape[:2]
    clipped_N4 = np.clip(found.boxes_N4, 0, [width, height, width, height])
    kept = np.flatnonzero(((clipped_N4[:, 2:] - clipped_N4[:, :2]) >= 1).all(axis=1))
    return Detections(clipped_N4, found.scores_N, found.landmarks_N52).take(kept)
