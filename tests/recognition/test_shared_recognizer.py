"""Threads share a Recognizer: same answers as one thread, nothing piles up. benchmarks/threads.py does it at size."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mien.recognition.recognizer import Recognizer


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def test_same_answers(tiny_model: Path) -> None:
    recognizer = Recognizer(tiny_model, detector="none", threads=2)
    faces = list(np.random.default_rng(0).integers(0, 256, (400, 48, 48), dtype=np.uint8))
    expected = [recognizer.recognize(face) for face in faces]
    assert len({result.faces[0].confidence for result in expected}) > 100
    with ThreadPoolExecutor(2) as threads:
        one_by_one = threads.map(lambda half: [recognizer.recognize(face) for face in half], (faces[::2], faces[1::2]))
        assert list(one_by_one) == [expected[::2], expected[1::2]]
        grouped = threads.map(lambda half: list(recognizer.recognize_many(half)), (faces[:250], faces[250:]))
        assert list(grouped) == [expected[:250], expected[250:]]


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's own figure")
def test_memory_does_not_grow(tiny_model: Path) -> None:
    recognizer = Recognizer(tiny_model, detector="none", threads=2)
    crops_NSS = np.random.default_rng(0).integers(0, 256, (3000, 48, 48), dtype=np.uint8)

    def work(seed: int) -> None:
        sizes = np.random.default_rng(seed).integers(1, 70, 60)  # any batch size, in any order
        for first, count in zip(np.cumsum(sizes), sizes, strict=True):
            recognizer.classifier(crops_NSS[first : first + count])

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, range(4)))
        before = resident_mb()
        list(threads.map(work, range(4, 24)))
    assert resident_mb() - before < 10  # the crops that went through are 190 MB
