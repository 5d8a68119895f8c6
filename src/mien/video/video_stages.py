"""Where the time of a video's frame goes: decoding, following, cropping, classifying, and putting the result together.

    stages, frames, faces = time_video(recognizer, Path("talk.mp4"), frames=300)
    film = film_of(photo_rgb, Path("folder"))               # where there is a photo only: a camera that moves over it

Each stage runs alone, one after the other, while the pipeline's threads do them side by side. Stages that are left out
of some frames (search, crops, classifier) count as nothing there: the mean over all frames is what a frame costs.

Not here: photos (mien.recognition.end_to_end), live frames (mien.serve.live_stages), writing an annotated copy.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import VideoError
from mien.recognition.end_to_end import Stage, StageClock
from mien.recognition.recognizer import Recognizer
from mien.video.following import Follower
from mien.video.frames import Clip, Frame
from mien.video.pipeline import StreamOptions
from mien.video.reader import VideoReader
from mien.video.rhythm import ClassifyRhythm
from mien.video.smoothing import ScoreSmoother
from mien.video.writer import VideoWriter

WARM_UPS = 10
"""Frames that do not count: the first searches and batches are many times slower than all others."""


FILM_SIZE, FILM_FPS, FILM_MOVES = (640, 480), 30, (20, 15)
"""Of ``film_of``: width and height, rate, and how far the camera moves to each side, in pixels."""


def time_video(recognizer: Recognizer, path: Path, frames: int = 300) -> tuple[list[Stage], int, int]:
    """Time the stages of recognising the frames of a video.

    Args:
        recognizer: an open one.
        path: of the video.
        frames: how many at most; ten more come before them and do not count.

    Returns:
        The stages in their order, the number of frames that counted, and of the faces in them.

    Raises:
        VideoError: the video cannot be read, or has too few frames.
        MissingExtraError: PyAV is not installed.
        ValueError: ``frames`` is below 1.
    """
    if frames < 1:
        raise ValueError(f"expected frames >= 1, got {frames}")
    clock, options = StageClock(), StreamOptions()
    follower = Follower(options.detect_every, options.max_gap_s)
    rhythm = ClassifyRhythm(options.classify_per_s)
    smoother = ScoreSmoother(options.half_life_s, options.max_gap_s)
    counted = faces = 0
    with VideoReader(path) as video:
        for frame in _timed(video.frames(), clock, WARM_UPS + frames):
            found = _recognize(recognizer, frame, follower, rhythm, smoother, clock)
            counted += 1
            faces += found if counted > WARM_UPS else 0
        if counted <= WARM_UPS:
            video.check_whole()
    if counted <= WARM_UPS:
        raise VideoError(f"{path}: has {counted} frames, too few to time; it takes more than {WARM_UPS}")
    return clock.stages(WARM_UPS, statistics.fmean), counted - WARM_UPS, faces


def _timed(frames: Iterator[Frame], clock: StageClock, most: int) -> Iterator[Frame]:
    frames = islice(frames, most)
    while True:
        with clock("decode"):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame


def _recognize(
    recognizer: Recognizer,
    frame: Frame,
    follower: Follower,
    rhythm: ClassifyRhythm,
    smoother: ScoreSmoother,
    clock: StageClock,
) -> int:
    assert frame.t_s is not None
    with clock(f"search and follow ({recognizer.detector.name})"):
        found, ids = follower.follow(recognizer.detector, frame.frame_rgb, frame.t_s)
    due = rhythm.is_due(frame.t_s, ids)
    with clock("crop"):
        crops_NSS = recognizer.crops(frame.frame_rgb, found) if due else None
    with clock("classify"):
        probs_NC = None if crops_NSS is None else recognizer.classifier(crops_NSS)
    with clock("smooth and result"):
        if probs_NC is not None:
            smoothed_NC = probs_NC.astype(float)
            for index, track_id in enumerate(ids):
                smoothed_NC[index] = smoother(track_id, probs_NC[index], frame.t_s)
            height, width = frame.frame_rgb.shape[:2]
            recognizer.result(width, height, found, smoothed_NC, frame.source, frame.t_s, ids)
    return len(found)


def film_of(photo_rgb: NDArray[np.uint8], folder: Path, seconds: float = 5.0) -> Path:
    """Write a video of 640 x 480 at 30 frames a second in which the camera moves a little over a photo.

    Args:
        photo_rgb: uint8 (H, W, 3).
        folder: where ``film.mp4`` is written.
        seconds: its length.

    Raises:
        OutputError: it cannot be written.
        MissingExtraError: PyAV is not installed.
    """
    from PIL import Image, ImageOps

    (width, height), (right, down) = FILM_SIZE, FILM_MOVES
    whole_rgb = np.asarray(ImageOps.fit(Image.fromarray(photo_rgb), (width + 2 * right, height + 2 * down)))
    count = round(seconds * FILM_FPS)
    clip = Clip("film", None, Fraction(1, FILM_FPS), float(FILM_FPS), Fraction(0), count / FILM_FPS)
    with VideoWriter(folder, "film", clip) as writer:
        for index in range(count):
            turn = 2 * math.pi * index / count
            left, top = right + round(right * math.cos(turn)), down + round(down * math.sin(turn))
            frame_rgb = whole_rgb[top : top + height, left : left + width]
            writer.add(Frame("film", index / FILM_FPS, frame_rgb, clip), frame_rgb)
        return writer.finish()
