"""The people of one video: who is who, when a frame is searched for faces, and at which size.

    follower = Follower(detect_every=3, max_gap_s=1.0)
    found, track_ids = follower.follow(recognizer.detector, frame_rgb, t_s)

Searching costs more than everything else, so most frames are not searched: each box moves on with its track. The rhythm
adapts. A frame is searched at once after a cut, after a face was lost or found, and while faces move in ways that their
tracks do not foresee; every ``detect_every``-th frame is searched otherwise. The size adapts too: a frame is shrunk
by a whole factor until its smallest known face is some ``KNOWN_FACE_PX`` wide. The first frame of each
``WHOLE_EVERY_S`` of the video, and the first after a cut, is searched whole, so a small new face is found after a
second at the latest. These moments do not depend on where reading began, so a range of a video is soon searched in the
same frames as the whole of it.

Not here: how boxes become tracks (tracker.py).

Shape legend: N faces.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.recognition.detectors import Detections, Detector
from mien.recognition.detectors.base import reduce
from mien.recognition.recognizer import by_size, largest_first
from mien.video.tracker import Tracker, iou

LONGEST_BRIDGE_S = 0.12
"""However rarely frames are searched, no box is carried on for longer: at 5 frames/s each frame is searched."""

WHOLE_EVERY_S = 1.0

KNOWN_FACE_PX, SMALLEST_SEARCH_PX = 40, 160
"""Faces of 40 px are found as surely as larger ones; boxes of a smaller search would tremble in the frame."""

SURE_IOU, CALM_SIDES_PER_S = 0.75, 1.5
"""If a found box overlaps less than this with the one that its track foresaw, or a face moves by more of its own sides
a second, the next frames are searched too."""

CALM_SEARCHES = 3
"""So many searches without a surprise until frames are left out again: a track's speed lags behind one that turns."""

CUT_LEVELS, THUMBNAIL_STEP_PX = 35.0, 16
"""The mean change of brightness from one frame to the next, of 255, that is a cut. Pans and gestures stay below 20."""


class Follower:
    """Finds and follows the faces of one video. Not for several threads at once.

    Args:
        detect_every: of the frames, how many to one search where nothing unexpected happens; with 1 every frame is
            searched whole.
        max_gap_s: how long a face may be out of sight and keep its number.
    """

    def __init__(self, detect_every: int, max_gap_s: float) -> None:
        self._detect_every = detect_every
        self._tracker = Tracker(max_gap_s)
        self._frames_since = 0
        self._searched_s: float | None = None
        self._whole_s: float | None = None
        self._calm_searches = 0
        self._sights: dict[int, NDArray[np.float64]] = {}  # the boxes of the last search
        self._sights_s = 0.0
        self._thumbnail: NDArray[np.int16] | None = None

    def follow(self, detector: Detector, frame_rgb: NDArray[np.uint8], t_s: float) -> tuple[Detections, list[int]]:
        """Faces of a frame, largest first, and whose they are.

        Args:
            detector: searches the frame where a search is due.
            frame_rgb: uint8 (H, W, 3), the next frame of the video.
            t_s: its time in seconds.
        """
        cut = self._is_cut(frame_rgb)
        expected, expected_ids = self._tracker.predict(t_s, (frame_rgb.shape[0], frame_rgb.shape[1]))
        self._frames_since += 1
        late = self._searched_s is None or t_s - self._searched_s > LONGEST_BRIDGE_S
        whole_due = self._whole_s is None or t_s // WHOLE_EVERY_S > self._whole_s // WHOLE_EVERY_S
        frames_due = self._calm_searches < CALM_SEARCHES or self._frames_since >= self._detect_every
        if not (cut or late or whole_due or frames_due):
            order = by_size(expected.boxes_N4)
            return expected.take(order), [expected_ids[index] for index in order]
        self._frames_since, self._searched_s = 0, t_s
        whole = self._detect_every == 1 or cut or whole_due
        if whole or not len(expected):
            self._whole_s = t_s
            found = detector.detect(frame_rgb)
        else:
            found = _quick_search(detector, frame_rgb, expected)
        found = largest_first(found)
        ids = self._tracker.update(found, t_s)
        fast = self._is_fast(found, ids, t_s)
        surprised = fast or _unforeseen(found, ids, expected, expected_ids)
        self._calm_searches = 0 if surprised else self._calm_searches + 1
        return found, ids

    def _is_fast(self, found: Detections, ids: list[int], t_s: float) -> bool:
        """Whether a face moved fast since the search before this one."""
        before, self._sights = self._sights, dict(zip(ids, found.boxes_N4, strict=True))
        after_s, self._sights_s = max(t_s - self._sights_s, 1e-3), t_s
        for track_id, box_4 in self._sights.items():
            if track_id in before:
                moved_px = np.abs(box_4 - before[track_id]).max()
                if moved_px > CALM_SIDES_PER_S * after_s * (box_4[2:] - box_4[:2]).max():
                    return True
        return False

    def _is_cut(self, frame_rgb: NDArray[np.uint8]) -> bool:
        before = self._thumbnail
        self._thumbnail = frame_rgb[::THUMBNAIL_STEP_PX, ::THUMBNAIL_STEP_PX, 1].astype(np.int16)
        if before is None or before.shape != self._thumbnail.shape:
            return True
        return bool(np.abs(self._thumbnail - before).mean() > CUT_LEVELS)


def _quick_search(detector: Detector, frame_rgb: NDArray[np.uint8], expected: Detections) -> Detections:
    """A search at the size at which the faces that are expected are still large enough."""
    if getattr(detector, "smallest_face_px", None) is None:  # nobody has said how small its faces may become
        return detector.detect(frame_rgb)
    smallest_px = (expected.boxes_N4[:, 2:] - expected.boxes_N4[:, :2]).max(axis=1).min()
    longest_px = max(frame_rgb.shape[:2])
    factor = max(1, int(min(smallest_px / KNOWN_FACE_PX, longest_px / SMALLEST_SEARCH_PX)))
    return detector.detect(reduce(frame_rgb, factor)).scaled(np.full(2, float(factor)))


def _unforeseen(found: Detections, ids: list[int], expected: Detections, expected_ids: list[int]) -> bool:
    """Whether a face came, went, or is not where its track foresaw it."""
    if set(ids) != set(expected_ids):
        return True
    foreseen = dict(zip(expected_ids, expected.boxes_N4, strict=True))
    pairs = zip(found.boxes_N4, (foreseen[each] for each in ids), strict=True)
    return any(iou(box_4, foreseen_4[None])[0] < SURE_IOU for box_4, foreseen_4 in pairs)
