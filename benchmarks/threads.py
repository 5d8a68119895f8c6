"""Two threads that share a Recognizer: the answers of one thread, and memory that does not grow.

    python benchmarks/threads.py --data ~/.cache/mien/fer2013 --model base --faces 10000 --threads 2

Every thread recognises its share of the faces, one image at a time as a server gets them and in groups as a folder is
read, in turns. Printed are the faces whose answers differ from those of one thread (anything but 0 is a failure, and
the exit status), faces/s of both, and resident memory: after the first tenth, when every buffer has its size, and at
the end. Faces are repeated where there are fewer; toys without --data.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import quick
from numpy.typing import NDArray

from mien.contract.results import FrameResult
from mien.data.loading import load_faces
from mien.data.toy import toy_faces
from mien.recognition.recognizer import Recognizer

STRETCH = 100
"""Faces between two looks at the memory; every other stretch goes through recognize_many."""


class Run:
    """All faces through one Recognizer, shared out among threads."""

    def __init__(self, recognizer: Recognizer, faces_NHW: NDArray[np.uint8], threads: int) -> None:
        self.recognizer, self.faces_NHW = recognizer, faces_NHW
        self.results: list[FrameResult | None] = [None] * len(faces_NHW)
        self.resident_mb: list[float] = []
        starts = range(0, len(faces_NHW), STRETCH)
        workers = [threading.Thread(target=self._work, args=(starts[each::threads],)) for each in range(threads)]
        begin = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.faces_per_s = len(faces_NHW) / (time.perf_counter() - begin)

    def _work(self, starts: range) -> None:
        for turn, start in enumerate(starts):
            stretch = self.faces_NHW[start : start + STRETCH]
            many = self.recognizer.recognize_many(stretch) if turn % 2 else map(self.recognizer.recognize, stretch)
            self.results[start : start + len(stretch)] = list(many)
            self.resident_mb.append(psutil.Process().memory_info().rss / 1e6)


def difference(one: FrameResult | None, other: FrameResult | None) -> float:
    """Largest difference of a probability; infinite where one has no answer."""
    if one is None or other is None or len(one.faces) != len(other.faces):
        return float("inf")
    pairs = zip(one.faces, other.faces, strict=True)
    return max(abs(a.scores[name] - b.scores[name]) for a, b in pairs for name in a.scores)


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("--data", type=Path, help="FER2013; its validation split is used")
    parser.add_argument("--model", default="base")
    parser.add_argument("--faces", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=2)
    options = quick.parse(parser, faces=40)
    faces = load_faces(options.data.expanduser()).split("validation") if options.data else toy_faces(per_class=50)
    faces_NHW = faces.faces_NHW[np.arange(options.faces) % len(faces)]
    recognizer = Recognizer(options.model, detector="none")
    alone, shared = Run(recognizer, faces_NHW, threads=1), Run(recognizer, faces_NHW, options.threads)
    differences = [difference(*pair) for pair in zip(alone.results, shared.results, strict=True)]
    wrong = sum(each > 1e-5 for each in differences)
    print(f"{len(faces_NHW):,} faces; one thread against {options.threads} that share a Recognizer")
    print(f"answers that differ   {wrong} (largest difference of a probability {max(differences):.2g})")
    print(f"faces/s               {alone.faces_per_s:.0f} alone, {shared.faces_per_s:.0f} shared")
    for name, run in (("alone", alone), ("shared", shared)):
        early = run.resident_mb[len(run.resident_mb) // 10]
        late = run.resident_mb[-1]
        print(f"resident memory       {early:.0f} -> {late:.0f} MB {name} ({late - early:+.1f})")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
