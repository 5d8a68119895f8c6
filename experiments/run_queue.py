"""Runs the trainings of queue.yaml, first to last, each resumable at any point.

    python experiments/run_queue.py FER2013 --field CROPS --runs runs/queue        # everything that is not finished
    python experiments/run_queue.py FER2013 --field CROPS --only field-full        # one of them
    python experiments/run_queue.py FER2013 --field CROPS --list                   # what is finished

A run that was cut off goes on from its last epoch, a finished one is left alone, so this may be killed and started
again. Options after ``--`` go to every training: ``-- --accelerator gpu``. Evaluation is not here: ``mien export`` and
``mien compare`` read the run folders.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

QUEUE = Path(__file__).with_name("queue.yaml")


@dataclass(frozen=True)
class Job:
    """One training: an entry of the queue and a seed."""

    name: str
    recipe: str
    what: tuple[str, ...]
    why: str
    seed: int
    field: bool

    def folder(self, runs: Path) -> Path:
        """Where its run goes."""
        return runs / self.name / self.recipe / str(self.seed)

    def finished(self, runs: Path) -> bool:
        """Whether its run folder says so."""
        facts = self.folder(runs) / "run.json"
        return facts.is_file() and "best" in json.loads(facts.read_text(encoding="utf-8"))

    def command(self, data: Path, field: Path | None, runs: Path, more: Sequence[str]) -> list[str]:
        """What starts it, or goes on with it."""
        start = [sys.executable, "-m", "mien", "train"]
        photos = ["--field", str(field)] if self.field and field is not None else []
        if any(self.folder(runs).rglob("last.ckpt")):
            return [*start, "--resume", str(self.folder(runs)), "--data", str(data), *photos, *more]
        options = ["--name", str(self.seed), "--runs", str(runs / self.name), "--data", str(data)]
        return [*start, self.recipe, *options, *photos, "--set", f"seed={self.seed}", *self.what, *more]


def read_queue(path: Path = QUEUE) -> list[Job]:
    """The jobs of a queue in their order; of an entry with seeds one a seed."""
    entries: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [
        Job(each["name"], each["recipe"], tuple(each["what"]), each["why"], seed, each.get("field", True))
        for each in entries
        for seed in each.get("seeds", [0])
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="FER2013 with FER+'s votes beside it")
    parser.add_argument("--field", type=Path, help="crops of field photos, by mien data crop")
    parser.add_argument("--runs", type=Path, default=Path("runs/queue"))
    parser.add_argument("--only", help="name of an entry")
    parser.add_argument("--list", action="store_true", help="say what is finished and stop")
    parser.add_argument("more", nargs="*", help="options for every training, after --")
    options = parser.parse_args()
    jobs = [job for job in read_queue() if options.only in (None, job.name)]
    if not jobs:
        parser.error(f"no {options.only!r} in {QUEUE.name}")
    failed = 0
    for job in jobs:
        done = job.finished(options.runs)
        print(f"{job.name} seed {job.seed}: {'finished' if done else job.why}", flush=True)
        if done or options.list:
            continue
        folder = job.folder(options.runs)
        if folder.exists() and not any(folder.rglob("last.ckpt")):  # stopped before its first epoch ended
            for file in sorted(folder.rglob("*"), reverse=True):
                file.unlink() if file.is_file() else file.rmdir()
            folder.rmdir()
        failed += subprocess.call(job.command(options.data, options.field, options.runs, options.more)) != 0
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
