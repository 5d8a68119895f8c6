"""What all face detectors share: their answer, their interface, and how a frame is shrunk before the search.

    found = detector.detect(frame_rgb)
    found.boxes_N4, found.scores_N, found.landmarks_N52

Shape legend: N faces; a box is left, top, right, bottom; a landmark is x, y; all in pixels of the upright frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

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


class WholeFrameDetector:
    """Takes the whole image as one face, for crops that were made elsewhere."""

    name = "none"

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
        height, width = frame_rgb.shape[:2]
        return Detections(np.array([[0.0, 0.0, width, height]]))


def shrink(frame_rgb: NDArray[np.uint8], longest_side_px: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Shrink a frame to a bounded size by averaging pixels; smaller frames are returned as they are.

    Returns:
        The frame, and the factors for x and y that turn its coordinates into those of the frame given.
    """
    height, width = frame_rgb.shape[:2]
    scale = longest_side_px / max(height, width)
    if scale >= 1:
        return frame_rgb, np.ones(2)
    from PIL import Image

    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = Image.fromarray(frame_rgb).resize(size, Image.Resampling.BOX)
    return np.asarray(small), np.array([width / size[0], height / size[1]])


def inside(frame_rgb: NDArray[np.uint8], found: Detections) -> Detections:
    """Clip boxes to the frame, and drop those of which less than one pixel is left."""
    height, width = frame_rgb.shape[:2]
    clipped_N4 = np.clip(found.boxes_N4, 0, [width, height, width, height])
    kept = np.flatnonzero(((clipped_N4[:, 2:] - clipped_N4[:, :2]) >= 1).all(axis=1))
    return Detections(clipped_N4, found.scores_N, found.landmarks_N52).take(kept)


Search = Callable[[NDArray[np.uint8]], Detections]
"""One pass of a network over a picture; the answer is in pixels of that picture and has scores."""

COARSE_SIDE_PX, LARGEST_FACE_PX = 320, 300
"""The networks learned faces of 10 to 300 px and see two halves in one of 600, so large faces are sought at 320 px."""

TILE_PX, OVERLAP_PX = 960, 160
"""Larger pictures are searched in tiles. They overlap by more than the largest face that the coarse search may miss."""


def search_at_sizes(frame_rgb: NDArray[np.uint8], search: Search, longest_side_px: int) -> Detections:
    """Search a frame for large faces at 320 px, and for small ones at a larger size and in tiles.

    Args:
        frame_rgb: uint8 (H, W, 3).
        search: one pass; it gets pictures of at most ``TILE_PX``.
        longest_side_px: the frame is shrunk to this for the small faces; up to 320 there is one pass only.

    Returns:
        Faces in pixels of the frame, clipped to it. Of two that overlap the stronger stays.
    """
    coarse_rgb, scale_2 = shrink(frame_rgb, min(COARSE_SIDE_PX, longest_side_px))
    found = [search(coarse_rgb).scaled(scale_2)]
    if max(frame_rgb.shape[:2]) > COARSE_SIDE_PX and longest_side_px > COARSE_SIDE_PX:
        fine_rgb, scale_2 = shrink(frame_rgb, longest_side_px)
        for top, bottom in _spans(fine_rgb.shape[0]):
            for left, right in _spans(fine_rgb.shape[1]):
                part = search(fine_rgb[top:bottom, left:right]).moved(left, top)
                sides_N2 = part.boxes_N4[:, 2:] - part.boxes_N4[:, :2]
                found.append(part.take(np.flatnonzero(sides_N2.max(axis=1) <= LARGEST_FACE_PX)).scaled(scale_2))
    every = found[0] if len(found) == 1 else join(found)
    assert every.scores_N is not None
    return inside(frame_rgb, every.take(suppress_overlaps(every.boxes_N4, every.scores_N)))


def join(found: Sequence[Detections]) -> Detections:
    """All faces of several searches of one detector."""
    scores = [each.scores_N for each in found if each.scores_N is not None]
    landmarks = [each.landmarks_N52 for each in found if each.landmarks_N52 is not None]
    return Detections(
        np.concatenate([each.boxes_N4 for each in found]),
        np.concatenate(scores) if scores else None,
        np.concatenate(landmarks) if landmarks else None,
    )


def _spans(length: int) -> list[tuple[int, int]]:
    """Equal tiles of at most ``TILE_PX`` along an axis, which overlap by at least ``OVERLAP_PX``."""
    if length <= TILE_PX:
        return [(0, length)]
    count = math.ceil((length - OVERLAP_PX) / (TILE_PX - OVERLAP_PX))
    side = math.ceil((length + (count - 1) * OVERLAP_PX) / count)
    starts = [round(index * (length - side) / (count - 1)) for index in range(count)]
    return [(start, start + side) for start in starts]


def suppress_overlaps(
    boxes_N4: NDArray[np.float64], strength_N: NDArray[np.float64], share: float = 0.5
) -> NDArray[np.intp]:
    """Return the positions of boxes to keep, strongest first.

    If two boxes overlap in more than ``share`` of the smaller one, only the stronger stays. The overlap is compared
    with the smaller box and not with the union, because detectors often see a second, small face inside a real one.
    """
    order_N = np.argsort(-strength_N, kind="stable")
    area_N = np.prod(boxes_N4[:, 2:] - boxes_N4[:, :2], axis=1)
    kept = np.empty(len(boxes_N4), dtype=np.intp)
    count = 0
    for index in order_N:
        others = kept[:count]
        shared_K = np.prod(np.maximum(_overlap_sides(boxes_N4[index], boxes_N4[others]), 0), axis=1)
        if (shared_K <= share * np.minimum(area_N[index], area_N[others])).all():
            kept[count] = index
            count += 1
    return kept[:count]


def suppress_by_union(
    boxes_N4: NDArray[np.float64], strength_N: NDArray[np.float64], most_iou: float
) -> NDArray[np.intp]:
    """Non-maximum suppression by intersection over union: positions to keep, strongest first."""
    order_N = np.argsort(-strength_N, kind="stable")
    area_N = np.prod(boxes_N4[:, 2:] - boxes_N4[:, :2], axis=1)
    kept: list[int] = []
    while len(order_N):
        best, rest = order_N[0], order_N[1:]
        kept.append(int(best))
        shared_K = np.prod(np.maximum(_overlap_sides(boxes_N4[best], boxes_N4[rest]), 0), axis=1)
        order_N = rest[shared_K <= most_iou * (area_N[best] + area_N[rest] - shared_K)]
    return np.array(kept, dtype=np.intp)


def _overlap_sides(box_4: NDArray[np.float64], others_K4: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.minimum(box_4[2:], others_K4[:, 2:]) - np.maximum(box_4[:2], others_K4[:, :2]))
