"""Measure what takes time in a photo: reading, detecting, cropping, classifying, and putting the result together.

    shares = time_photo(recognizer, Path("party.jpg"), turns=20)
    for stage in shares:
        stage.name, stage.milliseconds, stage.share

The stages run one after the other, so that each can be timed alone. In a folder or a video the stages overlap, and many
faces share a batch; benchmarks/media.py measures those.

Not here: frames of a video (mien.video.video_stages), live frames (mien.serve.live_stages), the speed of models alone
(benchmark.py).
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.contract.images import read_image
from mien.recognition.detectors import Detections
from mien.recognition.recognizer import Recognizer, largest_first

WARM_UPS = 2


@dataclass(frozen=True)
class Stage:
    """One stage of the work on a photo or frame.

    Attributes:
        name: what is done.
        milliseconds: median over the turns; of a video's frames the mean, since not every stage works on every frame.
        fastest, slowest: of the turns or frames, in milliseconds.
        share: of the sum of all stages' milliseconds, 0..1.
    """

    name: str
    milliseconds: float
    fastest: float
    slowest: float
    share: float


class StageClock:
    """Times stages that take turns.

    clock = StageClock()
    with clock("read"): ...
    clock.stages(skip=2)
    """

    def __init__(self) -> None:
        self._took_ms: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._took_ms[name].append((time.perf_counter() - start) * 1e3)

    def stages(self, skip: int = 0, middle: Callable[[list[float]], float] = statistics.median) -> list[Stage]:
        """The stages in the order in which they first ran; the first ``skip`` times of each do not count."""
        counted = {name: values[skip:] for name, values in self._took_ms.items()}
        middles = {name: middle(values) for name, values in counted.items()}
        total = sum(middles.values())
        return [
            Stage(name, middles[name], min(values), max(values), middles[name] / total)
            for name, values in counted.items()
        ]


def time_photo(recognizer: Recognizer, path: Path, turns: int = 20) -> tuple[list[Stage], int]:
    """Time the stages of recognising one photo.

    Args:
        recognizer: an open one.
        path: of the photo.
        turns: how often each stage is timed; two more turns come first and are not counted.

    Returns:
        The stages in their order, and the number of faces.

    Raises:
        ImageError: the photo cannot be read.
        ValueError: ``turns`` is below 1.
    """
    if turns < 1:
        raise ValueError(f"expected turns >= 1, got {turns}")
    clock, faces = StageClock(), 0
    for _ in range(WARM_UPS + turns):
        faces = _once(recognizer, path, clock)
    return clock.stages(skip=WARM_UPS), faces


def _once(recognizer: Recognizer, path: Path, stage: StageClock) -> int:
    with stage("read"):
        frame_rgb = read_image(path)
    found, _, probs_NC = find_and_classify(recognizer, frame_rgb, stage)
    with stage("result"):
        recognizer.result(frame_rgb.shape[1], frame_rgb.shape[0], found, probs_NC, str(path))
    return len(found)


def find_and_classify(
    recognizer: Recognizer, frame_rgb: NDArray[np.uint8], stage: StageClock
) -> tuple[Detections, NDArray[np.uint8], NDArray[np.float32]]:
    """Search a whole frame for faces and classify them, each step as a stage of its own.

    Returns:
        The faces, largest first; their crops (N, S, S); their probabilities (N, C).
    """
    with stage(f"detect ({recognizer.detector.name})"):
        found = largest_first(recognizer.detector.detect(frame_rgb))
    with stage("crop"):
        crops_NSS = recognizer.crops(frame_rgb, found)
    with stage("classify"):
        probs_NC = recognizer.classifier(crops_NSS)
    return found, crops_NSS, probs_NC
