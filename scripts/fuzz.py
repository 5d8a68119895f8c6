"""Broken files of every kind that mien reads: nothing crashes, nothing raises but mien's own errors, nothing hangs.

    python scripts/fuzz.py --seed 7                       # all: 10,000 images, 1,000 models, 500 of each other kind
    python scripts/fuzz.py --seed 7 --scale 0.01          # a hundredth of it
    python scripts/fuzz.py --seed 7 --only images --case 1234

Each family is read by a process of its own (fuzz_worker.py). A crash, an error that is not one line of mien's, or more
than HANG_S of processor time for one file is a failure: the file is kept in --keep and the exit status is 1. Memory is
compared after the first tenth and at the end. HTTP and WebSocket messages: tests/serve/test_fuzz.py, which `make fuzz`
runs with 1,000 of each.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from fuzz_inputs import MAKERS, whole_files

HERE = Path(__file__).parent
COUNTS = {
    "images": 10_000,
    "models": 500,
    "cards": 300,
    "checkpoints": 200,
    "videos": 500,
    "tables": 500,
    "records": 500,
}
MADE_BY = {"cards": "models"}
"""Families that begin with another family's files."""

HANG_S = 5.0
PATIENCE_S = 60.0
"""Of the clock, for a machine with much else to do."""


@dataclass
class Tally:
    """What happened in a family."""

    family: str
    happened: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)
    slowest_s: float = 0.0
    memory_mb: list[float] = field(default_factory=list)
    took_s: float = 0.0

    def line(self) -> str:
        tenth = max(1, len(self.memory_mb) // 10)
        first, last, most = self.memory_mb[tenth - 1], self.memory_mb[-1], max(self.memory_mb)
        return (
            f"{self.family:12} {sum(self.happened.values()):6} {self.happened['read']:6} {self.happened['refused']:8} "
            f"{self.happened['raised']:7} {self.happened['crash']:6} {self.happened['hang']:5} "
            f"{self.slowest_s:10.2f} {first:9.0f} {last:8.0f} {most:8.0f} {self.took_s:7.0f}"
        )


HEAD = "family        files   read  refused  raised  crash  hang  slowest s  MB tenth   MB end  MB most  took s"


class Worker:
    """A process that reads broken files."""

    def __init__(self, family: str, seed: str, folder: Path) -> None:
        command = [sys.executable, str(HERE / "fuzz_worker.py"), family, seed, str(folder)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )
        assert self.process.stdout is not None
        self._ready = selectors.DefaultSelector()
        self._ready.register(self.process.stdout, selectors.EVENT_READ)
        self._usage = psutil.Process(self.process.pid)
        self.fresh = True

    def cpu_s(self) -> float:
        try:
            times = self._usage.cpu_times()
        except psutil.NoSuchProcess:
            return 0.0
        return float(times.user + times.system)

    def ask(self, number: int) -> tuple[str, str, float, float]:
        """What happened, its text, seconds of processor time, memory in MB."""
        assert self.process.stdin is not None and self.process.stdout is not None
        allowance_s = HANG_S + (20.0 if self.fresh else 0.0)  # the first file pays for the imports
        before_s, began = self.cpu_s(), time.monotonic()
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        while not self._ready.select(0.5):
            if self.cpu_s() - before_s > allowance_s or time.monotonic() - began > PATIENCE_S:
                self.stop()
                return "hang", "", allowance_s, 0.0
        line = self.process.stdout.readline()
        if not line:
            return "crash", f"exit status {self.process.wait()}", 0.0, 0.0
        took_s = 0.0 if self.fresh else self.cpu_s() - before_s
        self.fresh = False
        _, what, text, memory_mb = json.loads(line)
        return ("hang" if took_s > HANG_S else what), text, took_s, memory_mb

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def run(family: str, seed: str, numbers: list[int], folder: Path, keep: Path) -> Tally:
    """Feed one family."""
    tally, began = Tally(family), time.monotonic()
    place = folder / family
    place.mkdir()
    for index, content in enumerate(whole_files(MADE_BY.get(family, family), folder)):
        (place / f"whole-{index:02d}").write_bytes(content)
    worker = Worker(family, seed, folder)
    for number in numbers:
        what, text, took_s, memory_mb = worker.ask(number)
        tally.happened[what] += 1
        tally.slowest_s = max(tally.slowest_s, took_s)
        if memory_mb:
            tally.memory_mb.append(memory_mb)
        if what not in ("read", "refused"):
            tally.failures.append((number, f"{what}: {text}"))
            keep.mkdir(parents=True, exist_ok=True)
            for path in folder.glob(f"{family}-input*"):
                shutil.copyfile(path, keep / f"{family}-{seed}-{number}{path.suffix}")
            if what in ("crash", "hang"):
                worker.stop()
                worker = Worker(family, seed, folder)
    worker.stop()
    tally.took_s = time.monotonic() - began
    tally.memory_mb = tally.memory_mb or [0.0]
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="7")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the files of each family")
    parser.add_argument("--only", action="append", choices=sorted(COUNTS), help="this family; may be given again")
    parser.add_argument("--case", type=int, help="this number alone")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"), help="folder for files that failed")
    options = parser.parse_args()
    print(f"seed {options.seed}; {platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} before")
    print(HEAD, flush=True)
    failed = False
    for family in options.only or COUNTS:
        count = max(1, round(COUNTS[family] * options.scale))
        numbers = list(range(count)) if options.case is None else [options.case]
        with tempfile.TemporaryDirectory() as folder:
            tally = run(family, options.seed, numbers, Path(folder), options.keep)
        print(tally.line(), flush=True)
        for number, text in tally.failures[:20]:
            print(f"  {family} {number}: {text}", flush=True)
        failed |= bool(tally.failures)
    sys.exit(1 if failed else 0)


assert set(COUNTS) - set(MADE_BY) <= set(MAKERS)

if __name__ == "__main__":
    main()
