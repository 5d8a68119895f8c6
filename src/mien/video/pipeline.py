"""Frames -> results at full speed: reading, detecting and classifying overlap, and faces of many frames share a batch.

    for item in recognize_frames(recognizer, read_sources(sources)):
        if isinstance(item, RecognizedFrame):
            item.result                                # in order; faces of a video carry t_s and track_id

    read --frames--> detect, track, crop --crops--> classify, smooth --results--> whoever iterates

Each arrow is a bounded queue, so memory does not depend on the length. There are three threads; the caller's own thread
draws and writes. Decoding, searching and classifying release Python's lock, so the threads run side by side.

In a video about every ``detect_every``-th frame is searched for faces (following.py); in between each box moves on with
its track. Faces are classified ``CLASSIFY_PER_S`` times a second (rhythm.py), and the last answer counts in between;
in every frame where scores are not smoothed, or where every frame is searched.

Not here: what is done with the results (sinks.py), reading (sources.py, camera.py).

Shape legend: N faces, S side of the crop in pixels, C emotions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.contract.results import FrameResult
from mien.recognition.detectors import Detections
from mien.recognition.recognizer import Recognizer, largest_first
from mien.video.bounded_queue import BoundedQueue, Closed
from mien.video.following import Follower
from mien.video.frames import Frame
from mien.video.rhythm import ClassifyRhythm
from mien.video.smoothing import ScoreSmoother
from mien.video.sources import Item, Note, SourceEnd

T = TypeVar("T")

CHANNEL_BYTES = 64_000_000
"""In each queue: 70 frames of a webcam, 10 of full HD."""

FRAMES_WAITING = 16
"""In each queue: enough that no thread waits long for another."""

CLASSIFY_PER_S = 15.0
"""Half of a video's frames. The scores are smoothed over half a second."""

GROUP_FACES = 64
"""Classified together at most: the network's own chunk."""

GATHER_FACES, GATHER_S = 8, 0.05
"""So many faces are waited for, and so long for each frame, since a face alone takes half as long again as one of many.
Not of a camera."""

USUAL_GAP_S = 1.0
"""A person who is out of sight for longer gets a new number; the tracker does not compare what people look like."""

JOIN_S = 10.0
"""Seconds that the threads get to end after the caller has left; a stalled disk may hold one up."""


@dataclass(frozen=True)
class StreamOptions:
    """How a stream is worked on.

    Attributes:
        detect_every: of a video's frames, how many to one search for faces where nothing unexpected happens; with 1
            every frame is searched whole, and classified.
        half_life_s: of the smoothing of each person's scores; 0 for none, and then every frame is classified.
        max_gap_s: how long a face may be out of sight, hidden or missed and keep its number; more than the time between
            frames.
        keep_frames: pass the pixels on, for drawing.
        live: of a camera, where an old frame is worth nothing: no frame is read ahead, and none waits.

    Raises:
        ValueError: out of range.
    """

    detect_every: int = 3
    half_life_s: float = 0.5
    max_gap_s: float = USUAL_GAP_S
    keep_frames: bool = False
    live: bool = False

    def __post_init__(self) -> None:
        if self.detect_every < 1:
            raise ValueError(f"expected detect_every >= 1, got {self.detect_every}")
        if not (self.half_life_s >= 0 and self.max_gap_s >= 0):
            raise ValueError(f"expected half_life_s and max_gap_s >= 0, got {self}")

    @property
    def classify_per_s(self) -> float | None:
        """How often a second a face of a video is classified at most; None for in every frame."""
        return None if self.detect_every == 1 or self.half_life_s == 0 else CLASSIFY_PER_S


@dataclass(frozen=True, eq=False)
class RecognizedFrame:
    """A frame after recognition.

    Attributes:
        result: its faces, largest first.
        frame: the frame itself with ``keep_frames``, else one of 0 x 0 pixels.
        probs_NC: of its faces in the same order, not smoothed; of the last frame that was classified.
        crops_NSS: what the network saw of them, likewise.
    """

    result: FrameResult
    frame: Frame
    probs_NC: NDArray[np.float64]
    crops_NSS: NDArray[np.uint8]


Outcome = RecognizedFrame | Note | SourceEnd


def recognize_frames(
    recognizer: Recognizer, items: Iterable[Item], options: StreamOptions | None = None
) -> Iterator[Outcome]:
    """Recognise a stream of frames.

    Args:
        recognizer: used by the pipeline's threads.
        items: frames, notes and ends, as ``read_sources`` or a camera yields them; iterated in a thread of its own.
        options: how to work; None for what suits files.

    Yields:
        In the order of ``items``: what was seen, the notes and ends as they came. Leaving early stops the threads.

    Raises:
        Whatever ``items`` or the recognizer raises, after the results before it.
    """
    pipeline = _Pipeline(recognizer, items, options or StreamOptions())
    return pipeline.run()


@dataclass(frozen=True, eq=False)
class _Cut:
    """A frame after detection: its faces, and its pixels only if somebody wants them.

    ``crops_NSS`` is None where the faces are not classified in this frame.
    """

    frame: Frame
    width: int
    height: int
    found: Detections
    track_ids: list[int] | None
    crops_NSS: NDArray[np.uint8] | None

    @property
    def size_bytes(self) -> int:
        return self.frame.frame_rgb.nbytes + (0 if self.crops_NSS is None else self.crops_NSS.nbytes)


@dataclass(frozen=True, eq=False)
class _Look:
    """What was last seen of a person: it stands for the frames in which the face is not classified."""

    probs_C: NDArray[np.float64]
    crop_SS: NDArray[np.uint8]


class _Pipeline:
    def __init__(self, recognizer: Recognizer, items: Iterable[Item], options: StreamOptions) -> None:
        self.recognizer, self.items, self.options = recognizer, items, options
        waiting = 1 if options.live else FRAMES_WAITING
        self.read: BoundedQueue[Item] = BoundedQueue(waiting, CHANNEL_BYTES)
        self.cut: BoundedQueue[_Cut | Note | SourceEnd] = BoundedQueue(waiting, CHANNEL_BYTES)
        self.seen: BoundedQueue[Outcome] = BoundedQueue(waiting, CHANNEL_BYTES)
        self.failure: BaseException | None = None

    def run(self) -> Iterator[Outcome]:
        work = [(self._read, self.read), (self._detect, self.cut), (self._classify, self.seen)]
        stages = [
            threading.Thread(target=self._guard, args=(stage, into), name=f"mien-{stage.__name__[1:]}", daemon=True)
            for stage, into in (work[1:] if self.options.live else work)
        ]
        for stage in stages:
            stage.start()
        try:
            while True:
                try:
                    outcome = self.seen.get()
                except Closed:
                    break
                yield outcome
            if self.failure is not None:
                raise self.failure
        finally:
            for queue in (self.read, self.cut, self.seen):
                queue.cancel()
            for stage in stages:
                stage.join(JOIN_S)

    def _guard(self, stage: Callable[[], None], into: BoundedQueue[object]) -> None:
        """Run a stage; what it had finished when it failed is still passed on."""
        try:
            stage()
        except Closed:
            pass
        except BaseException as error:  # raised again where the results are read
            self.failure = error
        finally:
            into.finish()

    def _read(self) -> None:
        for item in self._items():
            self.read.put(item, item.frame_rgb.nbytes if isinstance(item, Frame) else 0)

    def _items(self) -> Iterator[Item]:
        items = iter(self.items)
        try:
            yield from items
        finally:
            if close := getattr(items, "close", None):
                close()  # in the thread that reads: a decoder must not be closed under it

    def _detect(self) -> None:
        follower: Follower | None = None
        rhythm = ClassifyRhythm(self.options.classify_per_s)
        for item in self._items() if self.options.live else _until_closed(self.read):
            if not isinstance(item, Frame):
                if isinstance(item, SourceEnd):
                    follower, rhythm = None, ClassifyRhythm(self.options.classify_per_s)
                self.cut.put(item)
                continue
            ids: list[int] | None = None
            if item.t_s is None:
                found, due = largest_first(self.recognizer.detector.detect(item.frame_rgb)), True
            else:
                follower = follower or Follower(self.options.detect_every, self.options.max_gap_s)
                found, ids = follower.follow(self.recognizer.detector, item.frame_rgb, item.t_s)
                due = rhythm.is_due(item.t_s, ids)
            crops_NSS = self.recognizer.crops(item.frame_rgb, found) if due else None
            height, width = item.frame_rgb.shape[:2]
            frame = item if self.options.keep_frames else _without_pixels(item)
            cut = _Cut(frame, width, height, found, ids, crops_NSS)
            self.cut.put(cut, cut.size_bytes)

    def _classify(self) -> None:
        scores = _Scores(self.recognizer, self.options)
        for first in _until_closed(self.cut):
            group, faces, size_bytes = [first], _faces(first), _bytes(first)
            while faces < GROUP_FACES and len(group) < GROUP_FACES and size_bytes < CHANNEL_BYTES:
                wait_s = GATHER_S if faces < GATHER_FACES and len(group) < FRAMES_WAITING else 0.0
                if not self.cut.has_next(0.0 if self.options.live else wait_s):
                    break
                group.append(self.cut.get())  # there is one, and nobody else takes it
                faces, size_bytes = faces + _faces(group[-1]), size_bytes + _bytes(group[-1])
            crops = [each.crops_NSS for each in group if isinstance(each, _Cut) and each.crops_NSS is not None]
            probs_NC = self.recognizer.classifier(np.concatenate(crops)) if faces else None
            start = 0
            for each in group:
                if isinstance(each, _Cut):
                    stop = start + _faces(each)
                    rows_NC = np.empty((0, 0)) if probs_NC is None else probs_NC[start:stop].astype(np.float64)
                    start = stop
                    self.seen.put(scores.outcome(each, rows_NC), each.frame.frame_rgb.nbytes)
                    continue
                if isinstance(each, SourceEnd):
                    scores = _Scores(self.recognizer, self.options)
                self.seen.put(each)


class _Scores:
    """From what the classifier says to the scores of a row.

    Where a frame was not classified, the last answer counts once more, so each row is one step of the smoothing and the
    single answers can be found again behind it (mien.mood.score_means).
    """

    def __init__(self, recognizer: Recognizer, options: StreamOptions) -> None:
        self._recognizer, self._half_life_s = recognizer, options.half_life_s
        self._smoother = ScoreSmoother(options.half_life_s, options.max_gap_s)
        self._looks: dict[int, _Look] = {}

    def outcome(self, cut: _Cut, probs_NC: NDArray[np.float64]) -> RecognizedFrame:
        """The frame's result; ``probs_NC`` has a row for each face, or none where the frame was not classified."""
        t_s, smoothed_NC, smoothing_s = cut.frame.t_s, probs_NC, 0.0
        crops_NSS = cut.crops_NSS
        if cut.track_ids is not None and t_s is not None:
            smoothing_s = self._half_life_s
            if crops_NSS is not None:
                self._looks = {
                    track_id: _Look(probs_C, crop_SS)
                    for track_id, probs_C, crop_SS in zip(cut.track_ids, probs_NC, crops_NSS, strict=True)
                }
            looks = [self._looks[track_id] for track_id in cut.track_ids]
            if looks:
                probs_NC = np.stack([look.probs_C for look in looks])
                each = zip(cut.track_ids, probs_NC, strict=True)
                smoothed_NC = np.stack([self._smoother(track_id, probs_C, t_s) for track_id, probs_C in each])
                crops_NSS = np.stack([look.crop_SS for look in looks])
        if crops_NSS is None:  # not classified, and nobody there
            side = self._recognizer.card.image.side
            crops_NSS = np.empty((0, side, side), dtype=np.uint8)
        result = self._recognizer.result(
            cut.width, cut.height, cut.found, smoothed_NC, cut.frame.source, t_s, cut.track_ids
        )
        return RecognizedFrame(replace(result, smoothing_s=smoothing_s), cut.frame, probs_NC, crops_NSS)


def _until_closed(queue: BoundedQueue[T]) -> Iterator[T]:
    try:
        while True:
            yield queue.get()
    except Closed:
        return


def _faces(item: _Cut | Note | SourceEnd) -> int:
    """That are to be classified."""
    return len(item.crops_NSS) if isinstance(item, _Cut) and item.crops_NSS is not None else 0


def _bytes(item: _Cut | Note | SourceEnd) -> int:
    return item.size_bytes if isinstance(item, _Cut) else 0


def _without_pixels(frame: Frame) -> Frame:
    return Frame(frame.source, frame.t_s, np.empty((0, 0, 3), dtype=np.uint8), frame.clip, frame.lasts_s)
