"""How fast model files are on this computer, measured so that two of them can be compared.

    benches = bench_models([Classifier("a.onnx"), Classifier("b.onnx")], batch_sizes=(1, 64))
    benches[0].timings[1].faces_per_s, benches[0].cold_start_s, benches[0].peak_mb

The models take turns (``take_turns``). A computer that gets warm or busy then slows all of them alike, and the spread
over the turns shows how far a figure can be trusted. A batch is one call with that many crops, so the figures include
the work that mien adds to ONNX Runtime's. Crops are random pixels, since a network's time does not depend on them.

Cold start and peak memory are those of a fresh process that opens the file and classifies.

Not here: accuracy, other engines (benchmarks/runtime.py).
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import ModelError
from mien.contract.system import processor_name, usable_cpus
from mien.contract.telemetry import import_onnxruntime
from mien.recognition.classifier import Classifier
from mien.recognition.litert_classifier import LiteRTClassifier

BATCH_SIZES = (1, 8, 16, 32, 64)
LITERT_SUFFIX = ".tflite"

Model = Classifier | LiteRTClassifier

PUBLISHED: Mapping[str, Any] = {
    "model": "published V2-S",
    "what": "EfficientNetV2-S at 224 px, as its authors state it",
    "machine": "RTX 3070 Ti",
    "megabytes": 83.9,
    "parameters": 20_968_023,
    "latency_ms": {1: 26.07},
    "faces_per_s": {64: 944},
}
"""Speed of the published system behind the recipe ``fer2013-v2s``, on a graphics card; by batch size."""

Key = TypeVar("Key")


@dataclass(frozen=True)
class Timing:
    """Speed at one batch size.

    Attributes:
        batch_size: faces a call.
        calls: number of measured calls. Percentiles are over all of them, so p99 means little below 100 calls.
        p50_ms, p95_ms, p99_ms: milliseconds of a call.
        faces_per_s, faces_per_s_min, faces_per_s_max: median and range over the turns.
    """

    batch_size: int
    calls: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    faces_per_s: float
    faces_per_s_min: float
    faces_per_s_max: float

    @classmethod
    def of(cls, batch_size: int, turns: Sequence[Sequence[float]]) -> Timing:
        """From the seconds of each call, turn by turn."""
        calls = np.concatenate([np.asarray(turn) for turn in turns])
        p50_ms, p95_ms, p99_ms = (np.percentile(calls, (50, 95, 99)) * 1e3).tolist()
        rates = [batch_size * len(turn) / sum(turn) for turn in turns]
        middle = float(np.median(rates))
        return cls(batch_size, len(calls), p50_ms, p95_ms, p99_ms, middle, min(rates), max(rates))


@dataclass(frozen=True)
class Bench:
    """What one model file is like on one provider.

    Attributes:
        model: the model's name, from its card.
        precision: number format of the arithmetic, such as "fp32".
        provider: what it ran on; "litert" for a .tflite.
        threads: CPU threads.
        megabytes: size of the file.
        parameters: number of weights; None if the card does not say.
        cold_start_s: seconds from starting Python to the first answer, median.
        cold_start_s_min, cold_start_s_max: the shortest and the longest of these.
        peak_mb: resident memory of a process that classified batches of the largest size; None where the system does
            not tell.
        timings: by batch size.
    """

    model: str
    precision: str
    provider: str
    threads: int
    megabytes: float
    parameters: int | None
    cold_start_s: float
    cold_start_s_min: float
    cold_start_s_max: float
    peak_mb: float | None
    timings: tuple[Timing, ...]


def opened_model(path: Path, threads: int | None = None, provider: str = "auto") -> Model:
    """Open an .onnx or a .tflite file; the latter always runs on LiteRT, on the CPU.

    Raises:
        ModelError, MissingExtraError: as the two classifiers do.
    """
    if path.suffix.lower() == LITERT_SUFFIX:
        return LiteRTClassifier(path, threads)
    return Classifier(path, threads, provider)


def bench_models(
    classifiers: Sequence[Model],
    batch_sizes: Sequence[int] = BATCH_SIZES,
    *,
    repeats: int = 5,
    seconds: float = 0.5,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Bench]:
    """Measure open models against each other.

    Args:
        classifiers: on any providers.
        batch_sizes: each 1 or more.
        repeats: turns of each model and batch size, and fresh processes.
        seconds: of each turn; a call is always finished.
        on_progress: called with the number of turns done and of all.

    Returns:
        One for each classifier, in order.

    Raises:
        ValueError: a batch size, ``repeats`` or ``seconds`` is out of range.
    """
    if not batch_sizes or min(batch_sizes) < 1 or repeats < 1 or seconds < 0:
        raise ValueError(
            f"expected batch sizes and repeats >= 1, seconds >= 0, got {batch_sizes}, {repeats}, {seconds}"
        )
    timings = time_models(classifiers, batch_sizes, repeats=repeats, seconds=seconds, on_progress=on_progress)
    benches = []
    for index, classifier in enumerate(classifiers):
        starts, peak_mb = zip(*(fresh_process(classifier, max(batch_sizes)) for _ in range(repeats)), strict=True)
        parameters = classifier.card.provenance.get("parameters")
        benches.append(
            Bench(
                model=classifier.card.name,
                precision=classifier.card.precision,
                provider=classifier.provider,
                threads=classifier.threads,
                megabytes=classifier.path.stat().st_size / 1e6,
                parameters=None if parameters is None else int(parameters),
                cold_start_s=float(np.median(starts)),
                cold_start_s_min=min(starts),
                cold_start_s_max=max(starts),
                peak_mb=None if peak_mb[0] is None else max(peak_mb),
                timings=timings[index],
            )
        )
    return benches


def time_models(
    classifiers: Sequence[Model],
    batch_sizes: Sequence[int],
    *,
    repeats: int,
    seconds: float,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[tuple[Timing, ...]]:
    """The timings alone, for each classifier by batch size; arguments as in ``bench_models``."""
    rng = np.random.default_rng(0)

    def call(classifier: Model, batch_size: int) -> Callable[[], object]:
        side = classifier.card.image.side
        crops_NSS: NDArray[np.uint8] = rng.integers(0, 256, (batch_size, side, side), dtype=np.uint8)
        return lambda: classifier(crops_NSS)

    calls = {(index, size): call(each, size) for size in batch_sizes for index, each in enumerate(classifiers)}
    turns = take_turns(calls, repeats=repeats, seconds=seconds, on_progress=on_progress)
    return [tuple(Timing.of(size, turns[index, size]) for size in batch_sizes) for index in range(len(classifiers))]


def take_turns(
    calls: Mapping[Key, Callable[[], object]],
    *,
    repeats: int,
    seconds: float,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[Key, list[list[float]]]:
    """Call several things in turn, each for ``seconds``, ``repeats`` times over; the first call of each is not counted.

    Returns:
        By key and turn, the seconds of each call.
    """
    for call in calls.values():
        call()
    turns: dict[Key, list[list[float]]] = {key: [] for key in calls}
    for repeat in range(repeats):
        for done, (key, call) in enumerate(calls.items(), start=1):
            taken: list[float] = []
            while sum(taken) < seconds or not taken:
                start = time.perf_counter()
                call()
                taken.append(time.perf_counter() - start)
            turns[key].append(taken)
            if on_progress is not None:
                on_progress(repeat * len(calls) + done, repeats * len(calls))
    return turns


def machine() -> dict[str, Any]:
    """What figures are to be read with: processor, CPUs, system, versions, and how busy it is."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": processor_name(),
        "cpus": usable_cpus(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "onnxruntime": import_onnxruntime().__version__,
        "load": load,
    }


def fresh_process(classifier: Model, batch_size: int) -> tuple[float, float | None]:
    """Open the file of ``classifier`` in a new process; return seconds to its first answer, and peak memory in MB.

    Raises:
        ModelError: the process failed.
    """
    code = "import sys; from mien.recognition.benchmark import _in_a_fresh_process as run; run(*sys.argv[1:])"
    arguments = [str(classifier.path), classifier.provider, str(classifier.threads), str(batch_size)]
    start = time.perf_counter()
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stderr is not None
        answered = child.stdout.readline()
        seconds = time.perf_counter() - start
        rest, problems = child.stdout.read(), child.stderr.read()  # communicate() would lose what readline() buffered
    if child.returncode or not answered:
        last = (problems.strip().splitlines() or ["it said nothing"])[-1]
        raise ModelError(f"{classifier.path}: a fresh process could not run it ({last})")
    return seconds, json.loads(rest)


def _in_a_fresh_process(path: str, provider: str, threads: str, batch_size: str) -> None:
    """The other side of ``fresh_process``: a line after the first answer, then peak memory as JSON."""
    classifier = opened_model(Path(path), int(threads), provider)
    side = classifier.card.image.side
    classifier(np.zeros((1, side, side), dtype=np.uint8))
    sys.stdout.write("answered\n")
    sys.stdout.flush()
    for _ in range(3):
        classifier(np.zeros((int(batch_size), side, side), dtype=np.uint8))
    sys.stdout.write(json.dumps(peak_memory_mb()))


def peak_memory_mb() -> float | None:
    """Largest resident memory of this process so far; None where the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage's figure starts from that of the parent process
        line = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM")), None)
        return None if line is None else int(line.split()[1]) * 1024 / 1e6
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
