"""Frames -> results at full speed: reading, detecting and classifying overlap, and faces of many frames share a batch.

    for item in recognize_frames(recognizer, read_sources(sources)):
        if isinstance(item, RecognizedFrame):
            item.result                                # in order; faces of a video carry t_s and track_id

    read --frames--> detect, track, crop --crops--> classify, smooth --results--> whoever iterates

Each arrow is a bounded queue, so memory does not depend on the length. There are three threads; the caller's own thread
draws and writes. Decoding, searching and classifying release Python's lock, so the threads run side by side.

In a video about every ``detect_every``-th frame is searched for faces (following.py); in between each box moves on with
its track. Every frame is classified.

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
from mien.video.smoothing import ScoreSmoother
from mien.video.sources import Item, Note, SourceEnd

T = TypeVar("T")

CHANNEL_BYTES = 64_000_000
"""In each queue: 70 frames of a webcam, 10 of full HD."""

FRAMES_WAITING = 16
"""In each queue: enough that no thread waits long for another."""

GROUP_FACES = 64
"""Classified together at most: the network's own chunk."""

USUAL_GAP_S = 1.0
"""A person who is out of sight for longer gets a new number; the tracker does not compare what people look like."""

JOIN_S = 10.0
"""Seconds that the threads get to end after the caller has left; a stalled disk may hold one up."""


@dataclass(frozen=True)
class StreamOptions:
    """How a stream is worked on.

    Attributes:
        detect_every: of a video's frames, how many to one search for faces where nothing unexpected happens.
        half_life_s: of the smoothing of each person's scores; 0 for none.
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


@dataclass(frozen=True, eq=False)
class RecognizedFrame:
    """A frame after recognition.

    Attributes:
        result: its faces, largest first.
        frame: the frame itself with ``keep_frames``, else one of 0 x 0 pixels.
        probs_NC: of its faces in the same order, not smoothed.
        crops_NSS: what the network saw of them.
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
    """A frame after detection: its faces, and its pixels only if somebody wants them."""

    frame: Frame
    width: int
    height: int
    found: Detections
    track_ids: list[int] | None
    crops_NSS: NDArray[np.uint8]

    @property
    def size_bytes(self) -> int:
        return self.frame.frame_rgb.nbytes + self.crops_NSS.nbytes


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
        for item in self._items() if self.options.live else _until_closed(self.read):
            if not isinstance(item, Frame):
                follower = None if isinstance(item, SourceEnd) else follower
                self.cut.put(item)
                continue
            ids: list[int] | None = None
            if item.t_s is None:
                found = largest_first(self.recognizer.detector.detect(item.frame_rgb))
            else:
                follower = follower or Follower(self.options.detect_every, self.options.max_gap_s)
                found, ids = follower.follow(self.recognizer.detector, item.frame_rgb, item.t_s)
            crops_NSS = self.recognizer.crops(item.frame_rgb, found)
            height, width = item.frame_rgb.shape[:2]
            frame = item if self.options.keep_frames else _without_pixels(item)
            cut = _Cut(frame, width, height, found, ids, crops_NSS)
            self.cut.put(cut, cut.size_bytes)

    def _classify(self) -> None:
        smoother = ScoreSmoother(self.options.half_life_s, self.options.max_gap_s)
        for first in _until_closed(self.cut):
            group, faces, size_bytes = [first], _faces(first), _bytes(first)
            while len(self.cut) and faces < GROUP_FACES and len(group) < GROUP_FACES and size_bytes < CHANNEL_BYTES:
                group.append(self.cut.get())  # there is one, and nobody else takes it
                faces, size_bytes = faces + _faces(group[-1]), size_bytes + _bytes(group[-1])
            cuts = [each for each in group if isinstance(each, _Cut)]
            probs_NC = self.recognizer.classifier(np.concatenate([cut.crops_NSS for cut in cuts])) if faces else None
            start = 0
            for each in group:
                if isinstance(each, _Cut):
                    stop = start + len(each.found)
                    rows_NC = np.empty((0, 0)) if probs_NC is None else probs_NC[start:stop].astype(np.float64)
                    start = stop
                    self.seen.put(self._outcome(each, rows_NC, smoother), each.frame.frame_rgb.nbytes)
                    continue
                if isinstance(each, SourceEnd):
                    smoother = ScoreSmoother(self.options.half_life_s, self.options.max_gap_s)
                self.seen.put(each)

    def _outcome(self, cut: _Cut, probs_NC: NDArray[np.float64], smoother: ScoreSmoother) -> RecognizedFrame:
        t_s, unsmoothed_NC = cut.frame.t_s, probs_NC.copy()
        smoothing_s = 0.0
        if cut.track_ids is not None and t_s is not None:
            for index, track_id in enumerate(cut.track_ids):
                probs_NC[index] = smoother(track_id, probs_NC[index], t_s)
            smoothing_s = self.options.half_life_s
        result = self.recognizer.result(
            cut.width, cut.height, cut.found, probs_NC, cut.frame.source, t_s, cut.track_ids
        )
        return RecognizedFrame(replace(result, smoothing_s=smoothing_s), cut.frame, unsmoothed_NC, cut.crops_NSS)


def _until_closed(queue: BoundedQueue[T]) -> Iterator[T]:
    try:
        while True:
            yield queue.get()
    except Closed:
        return


def _faces(item: _Cut | Note | SourceEnd) -> int:
    return len(item.found) if isinstance(item, _Cut) else 0


def _bytes(item: _Cut | Note | SourceEnd) -> int:
    return item.size_bytes if isinstance(item, _Cut) else 0


def _without_pixels(frame: Frame) -> Frame:
    return Frame(frame.source, frame.t_s, np.empty((0, 0, 3), dtype=np.uint8), frame.clip, frame.lasts_s)
