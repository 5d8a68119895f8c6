"""How fast ``mien score`` is beside ``mien predict`` on the same files, and what a run that was killed leaves.

    python benchmarks/scoring.py --images 100000      # 15 minutes on two cores, 0.5 GB of disk
    python benchmarks/scoring.py --quick              # 2,000 images

The images are JPEGs of drawn faces, 48 to 96 px, 700 of them repeated under distinct names; each file is one face
(``--detector none``). Both commands run in turns with the same model and all CPUs, each in processes of its own, from
the start of Python to its end, Ray's start and stop included. Printed are:

rate     images a second of both and their ratio, with the start and without it (from the first part on)
memory   proportional set size (shared pages divided among their users) of the driver, of Ray's own processes and of the
         workers, for each tenth of the run
rows     how many rows of both are equal, and the largest difference of a number
killed   a run whose worker is killed by SIGKILL at a third and whose driver at two thirds; the same command then goes
         on; how many parts were kept, and how many rows equal those of the unbroken run
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import quick
from PIL import Image

from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.system import processor_name, usable_cpus
from mien.data.toy import draw_face

DRAWN, PER_FOLDER, SAMPLE_S = 700, 1000, 1.0


def draw_photos(folder: Path, count: int) -> None:
    """Write ``count`` JPEGs into folders of 1,000."""
    draw = np.random.default_rng(0)
    files = []
    for number in range(min(DRAWN, count)):
        face_HW = draw_face(FER2013_EMOTIONS[number % 7], draw, int(draw.integers(48, 97)))
        content = io.BytesIO()
        Image.fromarray(face_HW).convert("RGB").save(content, "JPEG", quality=88)
        files.append(content.getvalue())
    for number in range(count):
        path = folder / f"{number // PER_FOLDER:04}" / f"{number:07}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[number % len(files)])


@dataclass(frozen=True)
class Sample:
    """Memory in MB at a moment; ``done`` is the share of the parts that were written."""

    seconds: float
    done: float
    driver: float
    ray: float
    workers: float


@dataclass(frozen=True)
class Finished:
    """A command that ended by itself: its seconds and its memory on the way."""

    seconds: float
    samples: list[Sample]


def parts_of(out: Path) -> list[Path]:
    return [path for path in (out / "parts").glob("*.parquet")] if (out / "parts").is_dir() else []


def workers_of(driver: int) -> list[psutil.Process]:
    """The processes that score."""
    found = []
    for process in psutil.Process(driver).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "Scorer" in " ".join(process.cmdline()):
                found.append(process)
    return found


def memory(driver: int) -> tuple[float, float, float]:
    """MB of the driver, of Ray's own processes and of the workers."""
    workers = {each.pid for each in workers_of(driver)}
    sums = {"driver": 0.0, "ray": 0.0, "workers": 0.0}
    for process in [psutil.Process(driver), *psutil.Process(driver).children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            kind = "driver" if process.pid == driver else "workers" if process.pid in workers else "ray"
            sums[kind] += process.memory_full_info().pss / 1e6
    return sums["driver"], sums["ray"], sums["workers"]


def started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def run(command: list[str], done: Callable[[], float]) -> Finished:
    """Run to the end and watch its memory."""
    began = time.monotonic()
    process, samples = started(command), []
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            samples.append(Sample(time.monotonic() - began, done(), *memory(process.pid)))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SAMPLE_S)
    if process.returncode:
        raise SystemExit(f"status {process.returncode} of: {' '.join(command)}")
    return Finished(time.monotonic() - began, samples)


def rows_of(files: list[Path]) -> pa.Table:
    return pa.concat_tables([pq.read_table(path, partitioning=None) for path in files]).sort_by("source")


def compared(one: pa.Table, other: pa.Table) -> str:
    """How many rows are equal, and how far numbers are apart at most."""
    if one.num_rows != other.num_rows or one.column("source") != other.column("source"):
        return f"{one.num_rows:,} and {other.num_rows:,} rows, NOT of the same files"
    same_N = np.ones(one.num_rows, dtype=bool)
    apart = 0.0
    for name in one.column_names:
        values, others = (table.column(name).to_numpy() for table in (one, other))
        if values.dtype.kind == "f":
            equal_N = (values == others) | (np.isnan(values) & np.isnan(others))
            apart = max(apart, float(np.nanmax(np.abs(values - others), initial=0.0)))
        else:
            equal_N = values == others
        same_N &= equal_N
    return f"{one.num_rows:,} rows of the same files, {same_N.sum():,} of them equal; numbers differ by {apart:.2g}"


def memory_table(samples: list[Sample]) -> str:
    """The largest value of each tenth of a run."""
    lines = ["  done   driver  Ray  workers  together (MB)"]
    for tenth in range(10):
        inside = [each for each in samples if tenth / 10 <= each.done < (tenth + 1) / 10 + (tenth == 9)]
        if inside and inside[-1].workers:
            top = max(inside, key=lambda each: each.driver + each.ray + each.workers)
            together = top.driver + top.ray + top.workers
            lines.append(f"  {tenth * 10:3} % {top.driver:8.0f} {top.ray:4.0f} {top.workers:8.0f} {together:9.0f}")
    return "\n".join(lines)


def steady_rate(finished: Finished, images: int) -> float:
    """Images a second between the first and the last written part."""
    moving = [each for each in finished.samples if 0 < each.done < 1]
    if len(moving) < 2 or moving[-1].done == moving[0].done:
        return float("nan")
    return (moving[-1].done - moving[0].done) * images / (moving[-1].seconds - moving[0].seconds)


def wait_until(reached: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    while not reached():
        if process.poll() is not None:
            raise SystemExit("the run ended before it could be killed; use more images")
        time.sleep(0.05)


def killed(command: list[str], out: Path, parts: int) -> str:
    """Kill a worker, then the driver, and let the same command go on."""
    began = time.monotonic()
    process = started(command)
    wait_until(lambda: len(parts_of(out)) >= parts / 3, process)
    victim = workers_of(process.pid)[0].pid
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(parts_of(out)) >= 2 * parts / 3, process)
    now = {each.pid for each in workers_of(process.pid)}
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(5)  # Ray's own processes end themselves
    kept = {path.name: path.stat().st_mtime_ns for path in parts_of(out)}
    cut_s = time.monotonic() - began
    again = run(command, lambda: len(parts_of(out)) / parts)
    same = sum(path.stat().st_mtime_ns == kept.get(path.name) for path in parts_of(out))
    return (
        f"worker {victim} killed at a third{'' if victim in now else ' and replaced'}, driver at two thirds "
        f"({cut_s:.0f} s); the same command took {again.seconds:.0f} s, kept {same} of {len(kept)} parts, "
        f"wrote {parts - same}"
    )


def measure(options: argparse.Namespace, folder: Path) -> None:
    photos = folder / "photos"
    draw_photos(photos, options.images)
    parts = -(-options.images // options.images_per_part)
    common = ["--model", options.model, "--detector", "none"]
    mien = [sys.executable, "-m", "mien"]
    rates: dict[str, list[float]] = {"predict": [], "score": []}
    predicted, scored = folder / "rows.parquet", folder / "unbroken"
    for turn in range(options.turns):
        predicted.unlink(missing_ok=True)
        alone = run([*mien, "predict", str(photos), *common, "--out", str(predicted)], lambda: 0.0)
        scored = folder / f"unbroken-{turn}"
        score = [*mien, "score", str(photos), *common, "--images-per-part", str(options.images_per_part)]
        bulk = run([*score, "--out", str(scored)], lambda to=scored: len(parts_of(to)) / parts)  # type: ignore[misc]
        for name, finished in (("predict", alone), ("score", bulk)):
            rates[name].append(options.images / finished.seconds)
            most = max(each.driver + each.ray + each.workers for each in finished.samples)
            print(
                f"turn {turn + 1}, {name:7} {finished.seconds:7.1f} s {rates[name][-1]:7.0f}/s, {most:5.0f} MB at most"
            )
        print(f"turn {turn + 1}, score from its first part on {steady_rate(bulk, options.images):.0f}/s", flush=True)
    ratios = [score / predict for predict, score in zip(rates["predict"], rates["score"], strict=True)]
    print(f"ratio score / predict: {', '.join(f'{each:.1%}' for each in ratios)}")
    print("memory of score, in the last turn, by share of the parts written\n" + memory_table(bulk.samples))
    unbroken = rows_of(parts_of(scored))
    print(f"predict and score: {compared(rows_of([predicted]), unbroken)}", flush=True)
    broken = folder / "broken"
    print(f"killed: {killed([*score, '--out', str(broken)], broken, parts)}")
    print(f"killed and unbroken: {compared(rows_of(parts_of(broken)), unbroken)}")


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--images-per-part", type=int, default=500)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--model", default="base-int8")
    parser.add_argument(
        "--folder", type=Path, help="for the images and results, which are removed; else a temporary one"
    )
    options = quick.parse(parser, images=2_000, images_per_part=50)
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    libraries = ", ".join(f"{name} {version(name)}" for name in ("onnxruntime", "ray", "pyarrow"))
    print(f"{processor_name()}, {usable_cpus()} CPUs, load {os.getloadavg()[0]:.1f}; {libraries}", flush=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        measure(options, Path(folder))


if __name__ == "__main__":
    main()
