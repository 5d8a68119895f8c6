"""How long near duplicates take to find, and which share of planted ones is found, as a set grows.

    python benchmarks/near_duplicates.py --faces 125000,250000,500000,1000000
    python benchmarks/near_duplicates.py --quick

The faces are made up: a mean face plus random smooth blotches, 48 px. One in fifty is a copy of an earlier one with
noise, other contrast and half of them mirrored. Each size runs in a process of its own. Printed are seconds, the time
for twice as many faces against the size before, the peak resident memory, and the share of the planted pairs found.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import quick
from numpy.typing import NDArray

import mien.data.duplicates as duplicates
from mien.data.faceset import FaceSet

SIDE, COPY_EVERY, BLOCK = 48, 50, 5_000
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


def made_up(count: int, path: Path) -> FaceSet:
    """``count`` faces in a memory-mapped file."""
    draw = np.random.default_rng(0)
    faces_NHW = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, SIDE, SIDE))
    grid = np.linspace(0, 9, SIDE)
    weight_HG = np.maximum(0, 1 - np.abs(grid[:, None] - np.arange(10)[None])).astype(np.float32)
    mean_HW = (weight_HG @ draw.normal(0, 30, (10, 10)) @ weight_HG.T).astype(np.float32)
    for first in range(0, count, BLOCK):
        size = min(BLOCK, count - first)
        own_NHW = weight_HG @ draw.normal(0, 40, (size, 10, 10)).astype(np.float32) @ weight_HG.T
        block = np.clip(128 + mean_HW + own_NHW, 0, 255)
        for place in range(COPY_EVERY - 1, size, COPY_EVERY):
            copy_HW = block[place - 1] * 0.9 + 10 + draw.normal(0, 4, (SIDE, SIDE))
            block[place] = np.clip(copy_HW[:, ::-1] if place % (2 * COPY_EVERY) == COPY_EVERY - 1 else copy_HW, 0, 255)
        faces_NHW[first : first + size] = block
    same = np.zeros(count, dtype=np.int64)
    return FaceSet(faces_NHW, same, np.full(count, "train"), ("any",), np.full(count, ""))


def planted(count: int) -> NDArray[np.int64]:
    """Positions of the pairs that ``made_up`` planted."""
    second_M = np.arange(COPY_EVERY - 1, count, COPY_EVERY)
    return np.stack([second_M - 1, second_M], axis=1)


def measure(count: int, index: bool) -> tuple[float, float, float]:
    """Seconds, peak MB, share of planted pairs found."""
    duplicates.ALL_PAIRS_LIMIT = 0 if index else sys.maxsize
    with tempfile.TemporaryDirectory() as folder:
        faces = made_up(count, Path(folder) / "faces.npy")
        start = time.perf_counter()
        pairs_M2, _ = duplicates.near_pairs(faces)
        seconds = time.perf_counter() - start
    found = set(map(tuple, pairs_M2.tolist()))
    wanted = [tuple(pair) for pair in planted(count).tolist()]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * PEAK_UNIT / 1e6
    return seconds, peak_mb, sum(pair in found for pair in wanted) / len(wanted)


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("--faces", default="31250,62500,125000,250000,500000,1000000", help="sizes, with commas")
    parser.add_argument("--all-pairs-up-to", type=int, default=62_500, help="sizes that all pairs are measured on too")
    options = quick.parse(parser, faces="1000,2000")
    sizes = [int(size) for size in options.faces.split(",")]
    print(f"{'faces':>10}  {'way':<9}  {'seconds':>8}  {'ratio':>5}  {'peak MB':>8}  {'planted found':>13}")
    for way, index in (("index", True), ("all pairs", False)):
        before = None
        for size in sizes:
            if not index and size > options.all_pairs_up_to:
                continue
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                seconds, peak_mb, share = pool.submit(measure, size, index).result()
            ratio = "" if before is None else f"{seconds / before:.2f}"
            print(f"{size:>10,}  {way:<9}  {seconds:>8.1f}  {ratio:>5}  {peak_mb:>8,.0f}  {share:>13.2%}", flush=True)
            before = seconds


if __name__ == "__main__":
    main()
