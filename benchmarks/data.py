"""How long a data set takes to cache and to open again, and how much memory that needs.

    python benchmarks/data.py --data ~/.cache/mien/fer2013 --repeats 3
    python benchmarks/data.py --generate 1000000 --side 112         # 12.5 GB in the cache; fewer where the disk is full

Every caching and every reopening runs in a process of its own, into a folder that is thrown away. Printed are seconds
from the call to the FaceSet (median, min, max; files are in the system's cache after the first), seconds to walk all
faces by ``FaceSet.chunks``, and the peak resident memory of the process, Python and numpy included.

``--generate`` measures a set that is made up face by face, noise that no disk has to hold as image files: it goes
through the cache from the point where a reader hands over a decoded face, and what decoding costs is not in it.
"""

from __future__ import annotations

import platform
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import quick

import mien.data.cache as face_cache
from mien.data import loading

PEAK_UNIT = 1 if sys.platform == "darwin" else 1024
Figures = tuple[float, int, float]
"""Seconds, faces, peak resident MB."""


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * PEAK_UNIT / 1e6


def open_set(data: Path, cache: Path) -> Figures:
    start = time.perf_counter()
    faces = face_cache.open_faces(data, cache=cache, cache_from=0)
    return time.perf_counter() - start, len(faces), peak_mb()


def walk_set(data: Path, cache: Path) -> Figures:
    faces = face_cache.open_faces(data, cache=cache, cache_from=0)
    start = time.perf_counter()
    total = sum(int(faces_BHW.sum(dtype=np.int64)) for _, faces_BHW in faces.chunks())
    assert total > 0
    return time.perf_counter() - start, len(faces), peak_mb()


def generated(count: int, side: int, cache: Path, what: str) -> Figures:
    """Stand in for the reader: ``count`` faces cut at random places out of one field of noise."""
    noise = np.random.default_rng(0).integers(0, 256, 4 * side * side, dtype=np.uint8)

    def write(source: object, side: int, pixels: object, *_: object) -> loading.Table:
        table = loading.Table()
        for number in range(count):
            start = number * 7919 % (3 * side * side)
            pixels.write(noise[start : start + side * side].data)  # type: ignore[attr-defined]
            table.labels.append(number % 7)
            table.splits.append("validation" if number % 10 == 0 else "train")
            table.names.append(f"train/class/face-{number:07d}.jpg")
            table.shapes.append((side, side, 1))
        return table

    face_cache.write_faces = write  # type: ignore[assignment]
    csv = cache.parent / "fer2013.csv"  # never read: it only gives the cached set its key
    if not csv.exists():
        csv.touch()

    start = time.perf_counter()
    faces = face_cache.open_faces(csv, side=side, cache=cache)
    seconds = time.perf_counter() - start
    if what == "walk":
        start = time.perf_counter()
        for _, faces_BHW in faces.chunks():
            faces_BHW.sum(dtype=np.int64)
        seconds = time.perf_counter() - start
    return seconds, len(faces), peak_mb()


def alone(job: Callable[..., Figures], *arguments: object) -> Figures:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(job, *arguments).result()


def show(what: str, runs: list[Figures]) -> None:
    seconds = [run[0] for run in runs]
    print(
        f"{what:7} {runs[0][1]:9,} faces  {statistics.median(seconds):8.3f} s "
        f"(min {min(seconds):.3f}, max {max(seconds):.3f}, n = {len(runs)})  "
        f"peak {max(run[2] for run in runs):6.0f} MB"
    )


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("--data", type=Path, help="a data set on disk")
    parser.add_argument("--generate", type=int, metavar="FACES", help="as many made-up faces")
    parser.add_argument("--side", type=int, default=112, help="of made-up faces, in pixels")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", type=Path, help="where to put cached sets (default: the system's temporary folder)")
    options = quick.parse(parser, generate=200, side=16, repeats=1)
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    if options.data:
        with tempfile.TemporaryDirectory(dir=options.work) as folder:
            caches = [Path(folder, str(number)) for number in range(options.repeats)]
            show("cache", [alone(open_set, options.data, cache) for cache in caches])
            show("reopen", [alone(open_set, options.data, caches[0]) for _ in caches])
            show("walk", [alone(walk_set, options.data, caches[0]) for _ in caches])
    if options.generate:
        with tempfile.TemporaryDirectory(dir=options.work) as folder:
            count = min(options.generate, int(0.8 * shutil.disk_usage(folder).free) // options.side**2)
            if count < options.generate:
                print(f"room for {count:,} of {options.generate:,} faces of {options.side} px")
            for what in ("cache", "reopen", "walk"):
                show(what, [alone(generated, count, options.side, Path(folder, "sets"), what)])


if __name__ == "__main__":
    main()
