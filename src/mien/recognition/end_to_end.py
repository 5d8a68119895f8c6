"""Measure what takes time in a photo: reading, detecting, cropping, classifying, and putting the result together.

    shares = time_photo(recognizer, Path("party.jpg"), turns=20)
    for stage in shares:
        stage.name, stage.milliseconds, stage.share

The stages run one after the other, so that each can be timed alone. In a folder or a video the stages overlap, and many
faces share a batch; benchmarks/media.py measures those.

Not here: the speed of models alone (benchmark.py).
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mien.contract.images import read_image
from mien.recognition.recognizer import Recognizer, largest_first

WARM_UPS = 2


@dataclass(frozen=True)
class Stage:
    """One stage of the work on a photo.

    Attributes:
        name: what is done.
        milliseconds: median over the turns.
        fastest, slowest: of the turns, in milliseconds.
        share: of the sum of all stages' medians, 0..1.
    """

    name: str
    milliseconds: float
    fastest: float
    slowest: float
    share: float


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
    took_ms: dict[str, list[float]] = defaultdict(list)
    faces = 0
    for _ in range(WARM_UPS + turns):
        faces = _once(recognizer, path, lambda name: _timed(took_ms[name]))
    counted = {name: values[WARM_UPS:] for name, values in took_ms.items()}
    medians = {name: statistics.median(values) for name, values in counted.items()}
    total = sum(medians.values())
    stages = [
        Stage(name, medians[name], min(values), max(values), medians[name] / total) for name, values in counted.items()
    ]
    return stages, faces


@contextmanager
def _timed(into_ms: list[float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    into_ms.append((time.perf_counter() - start) * 1e3)


def _once(recognizer: Recognizer, path: Path, stage: Callable[[str], AbstractContextManager[None]]) -> int:
    with stage("read"):
        frame_rgb = read_image(path)
    with stage(f"detect ({recognizer.detector.name})"):
        found = largest_first(recognizer.detector.detect(frame_rgb))
    with stage("crop"):
        crops_NSS = recognizer.crops(frame_rgb, found)
    with stage("classify"):
        probs_NC = recognizer.classifier(crops_NSS)
    with stage("result"):
        recognizer.result(frame_rgb.shape[1], frame_rgb.shape[0], found, probs_NC, str(path))
    return len(found)
