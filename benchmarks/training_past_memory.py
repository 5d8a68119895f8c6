"""Training from a file that is larger than memory: time and memory as the set grows, and a run under a limit.

    python benchmarks/training_past_memory.py      # 2.4 GB of disk
    python benchmarks/training_past_memory.py --quick

The faces are made up (near_duplicates.py), 48 px, the last fiftieth of them for validation; a network of 17 thousand
weights learns from them for one epoch. Each line is a process of its own.

read    an epoch's batches from the file, shuffled, without a network
file    training as mien does it with a set that would take more than a quarter of the memory: batches from the file
memory  training as mien does it with smaller sets: the split is copied into memory

Printed are seconds of the whole, seconds of the epoch, faces a second of the epoch, and how much the process grew from
before the first face was read: its own memory (anonymous pages) and all that is resident. Last, both ways run under a
limit of the process's own memory (RLIMIT_DATA) that is half the size of the largest file that is trained on.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import quick
import torch
from near_duplicates import SIDE, made_up

from mien.contract.system import processor_name, usable_cpus
from mien.data.faceset import FaceSet

SETTINGS = [
    "network.args={widths: [8, 16, 16, 16], blocks: [1, 1, 1, 1], strides: [2, 2, 2, 2]}",
    "precision='32'",
    "batch_size=256",
    "average=null",
    "epochs=1",
    "augment={flip: true, rotate_deg: 0, shift: 0, scale: [1, 1], cutout: 0}",
]


def status_mb(*fields: str) -> list[float]:
    """Fields of this process's status in MB."""
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return [int(lines[field].split()[0]) / 1000 for field in fields]


class Watch:
    """The largest memory of this process while it is open, beyond that at its start, in MB."""

    def __enter__(self) -> Watch:
        self._before = np.array(status_mb("RssAnon", "VmRSS"))
        self.grown = np.zeros(2)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self.grown = np.maximum(self.grown, np.array(status_mb("RssAnon", "VmRSS")) - self._before)


def opened(path: Path, count: int) -> FaceSet:
    """The made-up faces with labels and splits, mapped."""
    faces_NHW = np.load(path, mmap_mode="r")
    validation = max(200, count // 50)
    labels_N = np.random.default_rng(1).integers(0, 7, count)
    splits_N = np.array(["train"] * (count - validation) + ["validation"] * validation)
    return FaceSet(faces_NHW, labels_N, splits_N, tuple("abcdefg"), np.full(count, ""))


def train(path: Path, count: int, way: str, limit_mb: float | None) -> tuple[float, float, float, float]:
    """Whole seconds, seconds of the epoch, MB of own memory and MB resident; MemoryError beyond the limit."""
    import mien.data.faceset as faceset
    from mien.train.devices import Machine
    from mien.train.fit import fit
    from mien.train.recipe import load_recipe

    recipe = load_recipe("base", SETTINGS)
    silent = contextlib.redirect_stdout(io.StringIO())  # the line of each epoch
    with tempfile.TemporaryDirectory() as runs, silent:
        tiny = opened(path, count).take(np.r_[0:600, count - 200 : count])  # what PyTorch takes once
        fit(
            recipe,
            replace(tiny, faces_NHW=np.array(tiny.faces_NHW)),
            runs=Path(runs),
            machine=Machine("cpu"),
            name="warm",
        )
        faceset.usable_memory = lambda: 0 if way == "file" else sys.maxsize
        if limit_mb is not None:
            (data_mb,) = status_mb("VmData")
            resource.setrlimit(resource.RLIMIT_DATA, (int((data_mb + limit_mb) * 1e6), resource.RLIM_INFINITY))
        began = time.perf_counter()
        with Watch() as watch:
            run = fit(recipe, opened(path, count), runs=Path(runs), machine=Machine("cpu"), name="run")
        return time.perf_counter() - began, float(run.facts["seconds"]), *watch.grown


def read(path: Path, count: int) -> tuple[float, float, float, float]:
    """The same for the batches alone."""
    from mien.train.batches import FaceBatches
    from mien.train.mapped_faces import on_device

    faces = opened(path, count)
    began = time.perf_counter()
    with Watch() as watch:
        on_disk = on_device(faces.faces_NHW, torch.device("cpu"))
        seen = sum(len(batch.labels) for batch in FaceBatches(on_disk, torch.from_numpy(faces.labels_N), 256, seed=0))
    assert seen > count - 256
    seconds = time.perf_counter() - began
    return seconds, seconds, *watch.grown


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("--faces", default="10000,50000,200000,1000000", help="sizes, with commas")
    parser.add_argument("--train-up-to", type=int, default=200_000, help="larger sets are read alone")
    parser.add_argument("--folder", type=Path, help="for the files, which are removed; else a temporary one")
    options = quick.parse(parser, faces="2000,5000")
    sizes = [int(size) for size in options.faces.split(",")]
    print(f"{processor_name()}, {usable_cpus()} CPUs, load {os.getloadavg()[0]:.1f}")
    print(f"{'faces':>10}  way     file MB  seconds   epoch  faces/s  own MB  RSS MB")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        trained = [size for size in sizes if size <= options.train_up_to]
        for size in sizes:
            path = Path(folder) / f"{size}.npy"
            made_up(size, path)
            for way in ("read", "file", "memory") if size in trained else ("read",):
                show(size, way, path, None)
        limit_mb = trained[-1] * SIDE**2 / 2e6
        print(f"under a limit of {limit_mb:.0f} MB more than the process has without faces:")
        for way in ("file", "memory"):
            show(trained[-1], way, Path(folder) / f"{trained[-1]}.npy", limit_mb)


def show(size: int, way: str, path: Path, limit_mb: float | None) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            work = pool.submit(read, path, size) if way == "read" else pool.submit(train, path, size, way, limit_mb)
            seconds, epoch_s, own_mb, rss_mb = work.result()
        except Exception as error:  # short of memory, many libraries raise errors of their own
            reason = str(error).strip().splitlines()[:1] or [""]
            print(f"{size:>10,}  {way:<6}  failed: {type(error).__name__} {reason[0][:80]}", flush=True)
            return
    print(
        f"{size:>10,}  {way:<6}  {path.stat().st_size / 1e6:>7,.0f}  {seconds:>7.1f}  {epoch_s:>6.1f}  "
        f"{size / epoch_s:>7,.0f}  {own_mb:>6,.0f}  {rss_mb:>6,.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
