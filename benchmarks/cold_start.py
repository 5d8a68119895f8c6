"""Seconds and memory of one prediction in a fresh process: what ``mien predict PHOTO`` costs a script.

    python benchmarks/cold_start.py PHOTO --model base --detector auto --runs 10
    git worktree add /tmp/before HEAD~5; python benchmarks/cold_start.py PHOTO --against /tmp/before/src

Prints wall time, processor time and peak resident memory (median, min, max over the runs), where the time of importing
goes, and the machine. With --against another version's source takes turns with this one, and the ratio is printed of
each pair of runs. The first run, which may read from a cold disk, is not counted; it also compiles, into a folder of
its own: an installed package is compiled, a checkout may not be. Nothing else should be running; processor time stands
a busy machine, but does not show what is done at the same time.

Not measured here: throughput, videos. Linux and macOS only (it asks the kernel for each child's peak memory).
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import quick

from mien.contract.system import processor_name, usable_cpus

IN_PYTHON = """
import json, sys, mien
photo, model, detector = sys.argv[1:]
print(json.dumps(mien.recognize(photo, model=model, detector=detector).to_dict()))
"""


@dataclass(frozen=True)
class Cost:
    """Of one process."""

    wall_s: float
    processor_s: float
    peak_mb: float


def command(options: argparse.Namespace, flags: Sequence[str] = ()) -> list[str]:
    """The command line under test."""
    if options.api:
        return [sys.executable, *flags, "-c", IN_PYTHON, options.photo, options.model, options.detector]
    arguments = ["predict", options.photo, "--format", options.format]
    arguments += ["--model", options.model, "--detector", options.detector]
    return [sys.executable, *flags, "-m", "mien", *arguments]


def run(arguments: list[str], environment: dict[str, str] | None) -> Cost:
    """Run once. This process stays small, since a child starts from its parent's peak."""
    start = time.perf_counter()
    child = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    wall_s = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"failed with {child.returncode}: {' '.join(arguments)}")
    peak_mb = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, peak_mb)


def import_split(arguments: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Milliseconds of importing by top-level package, the standard library in one; tracing makes all of it slower."""
    trace = subprocess.run(arguments, capture_output=True, text=True, check=True, env=environment).stderr
    total: dict[str, float] = defaultdict(float)
    for own_us, name in re.findall(r"import time:\s+(\d+) \|\s+\d+ \| +(\S+)", trace):
        package = name.split(".")[0]
        total["standard library" if package in sys.stdlib_module_names else package] += int(own_us) / 1e3
    return dict(sorted(total.items(), key=lambda each: -each[1]))


def spread(values: list[float], unit: str, digits: int) -> str:
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"median {middle}{unit}  (min {low}, max {high}, n = {len(values)})"


def report(costs: list[Cost]) -> None:
    print("  wall time       ", spread([cost.wall_s for cost in costs], " s", 3))
    print("  processor time  ", spread([cost.processor_s for cost in costs], " s", 3))
    print("  peak RSS        ", spread([cost.peak_mb for cost in costs], " MB", 0))


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("photo")
    parser.add_argument("--model", default="base")
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--format", default="table")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--api", action="store_true", help="call mien.recognize instead of the command line")
    parser.add_argument("--against", type=Path, help="the src folder of another version, to take turns with")
    options = quick.parse(parser, runs=1)

    with TemporaryDirectory() as compiled:
        here = {**os.environ, "PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
        versions = {"this version": here}
        if options.against is not None:
            versions[str(options.against)] = {**here, "PYTHONPATH": str(options.against.resolve())}
        measured: dict[str, list[Cost]] = {name: [] for name in versions}
        for number in range(options.runs + 1):
            for name, environment in versions.items():
                cost = run(command(options), environment)
                if number:
                    measured[name].append(cost)
        split = import_split(command(options, ["-X", "importtime"]), here)
    for name, costs in measured.items():
        print(name)
        report(costs)
    if len(measured) == 2:
        pairs = list(zip(*measured.values(), strict=True))
        kinds: dict[str, Callable[[Cost], float]] = {
            "wall time": lambda cost: cost.wall_s,
            "processor time": lambda cost: cost.processor_s,
        }
        for name, of in kinds.items():
            print(f"ratio of {name}, this to the other:", spread([of(new) / of(old) for new, old in pairs], "", 2))
    print("importing ", ", ".join(f"{name} {spent_ms:.0f} ms" for name, spent_ms in split.items() if spent_ms >= 1))
    load = f", load {os.getloadavg()[0]:.1f}"
    print("machine   ", f"{processor_name()}, {usable_cpus()} CPUs, {platform.platform()}{load}")
    packages = [f"{name} {version(name)}" for name in ("numpy", "opencv-python-headless", "onnxruntime", "pillow")]
    print("versions  ", ", ".join([f"Python {platform.python_version()}", *packages]))


if __name__ == "__main__":
    main()
