"""Search a frame at two sizes and in tiles, so that both large and small faces are found.

    found = search_at_sizes(frame_rgb, search, longest_side_px=1440)

Shape legend: N faces, H and W of a frame in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mien.recognition.detectors.base import Detections, downscale, inside
from mien.recognition.detectors.overlaps import suppress_overlaps

Search = Callable[[NDArray[np.uint8]], Detections]
"""One pass of a network over a picture; the answer is in pixels of that picture and has scores."""

COARSE_SIDE_PX, LARGEST_FACE_PX = 320, 300
"""The networks learned faces of 10 to 300 px and report a face of 600 px as two halves. So the search for large faces
runs at 320 px."""

TILE_PX, OVERLAP_PX = 960, 160
"""Larger pictures are searched in tiles. They overlap by more than the largest face that the coarse search may miss."""

STEP_TILE_PX = 640
"""Tiles of a search in steps: as large as a live frame, so that a step takes about as long as one."""


def search_at_sizes(
    frame_rgb: NDArray[np.uint8], search: Search, longest_side_px: int, tile_px: int = TILE_PX
) -> Detections:
    """Search a frame for large faces at 320 px, and for small ones at a larger size and in tiles.

    Args:
        frame_rgb: uint8 (H, W, 3).
        search: one pass; it gets pictures of at most ``tile_px``.
        longest_side_px: the frame is shrunk to this for the small faces; up to 320 there is one pass only.
        tile_px: the largest side of a tile; at least 320.

    Returns:
        Faces in pixels of the frame, clipped to it. Of two that overlap the stronger stays.
    """
    coarse_rgb, scale_2 = downscale(frame_rgb, min(COARSE_SIDE_PX, longest_side_px))
    found = [search(coarse_rgb).scaled(scale_2)]
    if max(frame_rgb.shape[:2]) > COARSE_SIDE_PX and longest_side_px > COARSE_SIDE_PX:
        fine_rgb, scale_2 = downscale(frame_rgb, longest_side_px)
        for top, bottom in _spans(fine_rgb.shape[0], tile_px):
            for left, right in _spans(fine_rgb.shape[1], tile_px):
                part = search(fine_rgb[top:bottom, left:right]).moved(left, top)
                sides_N2 = part.boxes_N4[:, 2:] - part.boxes_N4[:, :2]
                found.append(part.take(np.flatnonzero(sides_N2.max(axis=1) <= LARGEST_FACE_PX)).scaled(scale_2))
    every = found[0] if len(found) == 1 else join(found)
    assert every.scores_N is not None
    return inside(frame_rgb, every.take(suppress_overlaps(every.boxes_N4, every.scores_N)))


def search_in_steps(
    frame_rgb: NDArray[np.uint8], search: Search, longest_side_px: int, before_step: Callable[[], None]
) -> Detections:
    """As ``search_at_sizes``, in passes over tiles of ``STEP_TILE_PX``.

    Args:
        frame_rgb, search, longest_side_px: as for ``search_at_sizes``.
        before_step: called before each pass; what it raises ends the search.
    """

    def step(picture_rgb: NDArray[np.uint8]) -> Detections:
        before_step()
        return search(picture_rgb)

    return search_at_sizes(frame_rgb, step, longest_side_px, STEP_TILE_PX)


def join(found: Sequence[Detections]) -> Detections:
    """All faces of several searches of one detector."""
    scores = [each.scores_N for each in found if each.scores_N is not None]
    landmarks = [each.landmarks_N52 for each in found if each.landmarks_N52 is not None]
    return Detections(
        np.concatenate([each.boxes_N4 for each in found]),
        np.concatenate(scores) if scores else None,
        np.concatenate(landmarks) if landmarks else None,
    )


def _spans(length: int, tile_px: int) -> list[tuple[int, int]]:
    """Equal tiles of at most ``tile_px`` along an axis, which overlap by at least ``OVERLAP_PX``."""
    if length <= tile_px:
        return [(0, length)]
    count = math.ceil((length - OVERLAP_PX) / (tile_px - OVERLAP_PX))
    side = math.ceil((length + (count - 1) * OVERLAP_PX) / count)
    starts = [round(index * (length - side) / (count - 1)) for index in range(count)]
    return [(start, start + side) for start in starts]
