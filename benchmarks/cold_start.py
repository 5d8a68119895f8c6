"""Seconds and memory of one prediction in a fresh process: what ``mien predict PHOTO`` costs a script.

    python benchmarks/cold_start.py PHOTO --model base --detector auto --runs 10

Prints wall time and peak resident memory (median, min, max over the runs), where the time of importing goes, and the
machine. The first run, which may read from a cold disk, is not counted. Nothing else should be running.

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
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

IN_PYTHON = """
import json, sys, mien
photo, model, detector = sys.argv[1:]
print(json.dumps(mien.recognize(photo, model=model, detector=detector).to_dict()))
"""


def command(options: argparse.Namespace, flags: Sequence[str] = ()) -> list[str]:
    """The command line under test."""
    if options.api:
        return [sys.executable, *flags, "-c", IN_PYTHON, options.photo, options.model, options.detector]
    arguments = ["predict", options.photo, "--format", "json", "--model", options.model, "--detector", options.detector]
    return [sys.executable, *flags, "-m", "mien", *arguments]


def run(arguments: list[str]) -> tuple[float, float]:
    """Run once; return seconds and peak MB. This process stays small, since a child starts from its parent's peak."""
    start = time.perf_counter()
    child = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"failed with {child.returncode}: {' '.join(arguments)}")
    return seconds, usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def import_split(arguments: list[str]) -> dict[str, float]:
    """Milliseconds of importing by top-level package, the standard library in one; tracing makes all of it slower."""
    trace = subprocess.run(arguments, capture_output=True, text=True, check=True).stderr
    total: dict[str, float] = defaultdict(float)
    for own_us, name in re.findall(r"import time:\s+(\d+) \|\s+\d+ \| +(\S+)", trace):
        package = name.split(".")[0]
        total["standard library" if package in sys.stdlib_module_names else package] += int(own_us) / 1e3
    return dict(sorted(total.items(), key=lambda each: -each[1]))


def spread(values: list[float], unit: str, digits: int) -> str:
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"median {middle} {unit}  (min {low}, max {high}, n = {len(values)})"


def processor() -> str:
    """Name of the CPU, as far as the system tells."""
    listed = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", listed.read_text()) if listed.exists() else None
    return model[1] if model else platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo")
    parser.add_argument("--model", default="base")
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--api", action="store_true", help="call mien.recognize instead of the command line")
    options = parser.parse_args()

    run(command(options))
    measured = [run(command(options)) for _ in range(options.runs)]
    print("wall time ", spread([seconds for seconds, _ in measured], "s", 3))
    print("peak RSS  ", spread([megabytes for _, megabytes in measured], "MB", 0))
    split = import_split(command(options, ["-X", "importtime"]))
    print("importing ", ", ".join(f"{name} {spent_ms:.0f} ms" for name, spent_ms in split.items() if spent_ms >= 1))
    print("machine   ", f"{processor()}, {os.cpu_count()} CPUs, {platform.platform()}")
    packages = [f"{name} {version(name)}" for name in ("numpy", "opencv-python-headless", "onnxruntime", "pillow")]
    print("versions  ", ", ".join([f"Python {platform.python_version()}", *packages]))


if __name__ == "__main__":
    main()
